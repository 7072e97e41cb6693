"""The file in which digests are kept: columns, so that tens of thousands are there within milliseconds."""

import logging
import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final, TypeAlias

import msgspec

from fleetcc.files.stamps import FileStamp
from fleetcc.settings.files import replace_file

_log: Final = logging.getLogger(__name__)

# About 150 bytes each: 15 MB.
MAX_ENTRIES: Final = 100_000
_MAX_BYTES: Final = 128 << 20
_SCHEME: Final = "fleetcc digests 1"
_STAMP: Final = struct.Struct("<qqqQQQ")
_DIGEST_BYTES: Final = 32

Row: TypeAlias = tuple[bytes, FileStamp, bytes]


class _File(msgspec.Struct, frozen=True):
    scheme: str
    paths: bytes  # each ends with a NUL
    stamps: bytes
    digests: bytes
    check: int  # CRC of the three: a power cut may leave holes


class Table:
    """Digests by path and stamp, as they lie in the file."""

    def __init__(self, paths: bytes = b"", stamps: bytes = b"", digests: bytes = b"") -> None:
        self._index = {path: number for number, path in enumerate(paths.split(b"\0")[:-1])}
        self._stamps = stamps
        self._digests = digests

    def lookup(self, path: bytes, stamp: FileStamp) -> bytes | None:
        """The digest of this version of the file, or None."""
        number = self._index.get(path)
        if number is None or self._stamp(number) != stamp:
            return None
        return self._digest(number)

    def entries(self) -> Iterator[Row]:
        """All of it, the most recently used first."""
        for path, number in self._index.items():
            yield path, FileStamp(*self._stamp(number)), self._digest(number)

    def _stamp(self, number: int) -> tuple[int, ...]:
        return _STAMP.unpack_from(self._stamps, number * _STAMP.size)

    def _digest(self, number: int) -> bytes:
        return self._digests[number * _DIGEST_BYTES : (number + 1) * _DIGEST_BYTES]


def read_table(path: str) -> Table:
    """What the file holds; nothing when it cannot be used."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
        file = msgspec.msgpack.decode(content, type=_File)
    except FileNotFoundError:
        return Table()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        _log.debug("digests: %s: not used: %s", path, error)
        return Table()
    count = file.paths.count(b"\0")
    sizes = len(file.stamps), len(file.digests)
    if (
        file.scheme != _SCHEME
        or sizes != (count * _STAMP.size, count * _DIGEST_BYTES)
        or file.check != _check(file.paths, file.stamps, file.digests)
    ):
        _log.debug("digests: %s: not used: of another scheme, or damaged", path)
        return Table()
    return Table(file.paths, file.stamps, file.digests)


def write_table(path: str, *parts: Iterable[Row]) -> None:
    """Replace the file; no more than the first MAX_ENTRIES rows. Raises OSError."""
    rows = list(islice(chain(*parts), MAX_ENTRIES))
    paths = b"".join(row[0] + b"\0" for row in rows)
    stamps = b"".join(_STAMP.pack(*row[1]) for row in rows)
    digests = b"".join(row[2] for row in rows)
    file = _File(_SCHEME, paths, stamps, digests, _check(paths, stamps, digests))
    replace_file(path, msgspec.msgpack.encode(file))


def _check(paths: bytes, stamps: bytes, digests: bytes) -> int:
    return zlib.crc32(digests, zlib.crc32(stamps, zlib.crc32(paths)))
