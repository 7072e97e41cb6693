"""From the preprocessor's memory file to a job's body, unless the text is unfit to travel.

Some texts would not give the same bytes elsewhere, which only their content tells: expanded ones that ask
for a column or include a file of this machine, and unexpanded ones out of which gcc has dropped a pragma.
The latter cannot be seen in the text, so the files that it was made of are looked at, each version once.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fleetcc.command.directives import included_files, loses_pragmas
from fleetcc.command.markers import expanded_obstacle
from fleetcc.errors import FleetccError
from fleetcc.model import Form, Reason
from fleetcc.toolchain.identify import FileStamp, file_stamp
from fleetcc.wire import lzo, zstd

LZO: Final = "lzo"

_MOST_FILES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Unfit:
    """The text must not travel in this form."""

    reason: Reason
    detail: str


@dataclass(slots=True)
class PragmaMemory:
    """Which versions of which files have a pragma that the directives form loses."""

    _known: dict[bytes, tuple[FileStamp, bool]] = field(default_factory=dict)

    def first_that_loses(self, cwd: bytes, names: list[bytes]) -> bytes | None:
        """The first of the files that has such a pragma, or cannot be read; None when all are fine."""
        return next((name for name in names if self._loses(os.path.join(cwd, name))), None)

    def _loses(self, path: bytes) -> bool:
        stamp = file_stamp(path)
        known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            with open(path, "rb") as file:
                answer = loses_pragmas(file.read())
        except OSError:
            return True
        if stamp is not None:
            if len(self._known) >= _MOST_FILES:
                self._known.clear()
            self._known[path] = stamp, answer
        return answer


@dataclass(slots=True)
class Text:
    """The source in one preprocessed form, packed; other packings are made when a host needs them."""

    form: Form
    plain_bytes: int
    bodies: dict[str, bytes]  # by encoding; never empty
    warnings: bytes = b""  # what the preprocessor said

    def body_in(self, encodings: Sequence[str]) -> tuple[str, bytes] | None:
        """The best of these encodings that is there already."""
        return next(((name, self.bodies[name]) for name in encodings if name in self.bodies), None)

    def repack(self, encoding: str) -> bytes:
        """Make this encoding too; takes milliseconds for megabytes."""
        name, body = next(iter(self.bodies.items()))
        plain = (
            lzo.decompress(body, self.plain_bytes)
            if name == LZO
            else zstd.unpack(name, body, self.plain_bytes)
        )
        made, packed = pack(encoding, plain)
        self.bodies[made] = packed
        return packed


def pack(encoding: str, plain: bytes) -> tuple[str, bytes]:
    """Pack in this encoding; zstd leaves what does not shrink as it is."""
    if encoding == LZO:
        return LZO, lzo.compress(plain)
    return zstd.pack(plain) if encoding == zstd.ZSTD else (zstd.RAW, plain)


@dataclass(frozen=True, slots=True)
class Packer:
    """Makes texts for one job; `pack` may run in a thread."""

    cwd: bytes
    encoding: str
    form: Form
    exact: bool
    pragmas: PragmaMemory
    is_expanded_here: bool = True  # not for preprocessed input: that text is compiled as it is anywhere

    def pack(self, descriptor: int, size: int) -> Text | Unfit:
        """Read the preprocessor's memory file and make it a text."""
        return self._pack_text(_read_all(descriptor, size))

    def pack_file(self, path: bytes) -> Text | Unfit:
        """Read a preprocessed input and make it a text."""
        try:
            with open(path, "rb") as file:
                text = file.read()
        except OSError as error:
            return Unfit(Reason.NO_INPUT, str(error))
        return self._pack_text(text)

    def _pack_text(self, text: bytes) -> Text | Unfit:
        if self.form is Form.EXPANDED:
            reason = expanded_obstacle(text)
            columns_count = self.exact and self.is_expanded_here
            if reason is not None and (columns_count or reason is not Reason.SOURCE_NEEDED):
                return Unfit(reason, "")
        elif self.exact:
            lost = self.pragmas.first_that_loses(self.cwd, included_files(text))
            if lost is not None:
                return Unfit(Reason.SOURCE_NEEDED, f"a pragma in {os.fsdecode(lost)}")
        encoding, body = pack(self.encoding, text)
        return Text(self.form, len(text), {encoding: body})


def _read_all(descriptor: int, size: int) -> bytes:
    text = os.pread(descriptor, size, 0)
    while len(text) < size:  # one read gives at most 2 GiB
        more = os.pread(descriptor, size - len(text), len(text))
        if not more:
            raise FleetccError(f"the preprocessor's output shrank from {size} to {len(text)} bytes")
        text += more
    return text
