"""A job for a stock distccd in pump mode: its files, as distcc's include server would list them.

distccd puts the files below a root of its own, with a name that nobody knows before, and runs the compiler
below it. So a compiler there calls a file right only where it finds it by a relative name. A file that is
found by an absolute name gets a line in front that says its name (distcc-compat 2.3), which serves
`__FILE__` and messages, not debug information: jobs with `-g` are not for stock hosts in this mode.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fleetcc.backends.link import PumpOrder, Spoken
from fleetcc.wire.distcc import pack_body
from fleetcc.wire.files import Directory, Entry, File, Link
from fleetcc.wire.pump import PUMP_PROTOCOL, Content, PumpFile, Target, encode_pump_request

# Gives what travels of a text: by its digest and, where it is called by an absolute name, that name.
ReadPacked = Callable[[bytes, bytes | None], bytes | None]

# Stands in a directory that must exist although nothing in it is sent (`x/../y.h`).
FORCING_NAME: Final = b"forcing_technique_271828"
# The include server's number: links to system directories climb this much higher than the root of any server.
_CLIMB: Final = 20
# What distccd calls its roots; also where a compiler has made a symbol of one.
_ROOT: Final = re.compile(rb"[/_]distccd_[0-9A-Za-z]{6}")


@dataclass(frozen=True, slots=True)
class PumpSpoken(Spoken):
    """What a compiler said and made on a stock host in pump mode."""

    dependencies: bytes = b""  # the dependency file, where the command asks for one


@dataclass(slots=True)
class PumpFiles:
    """Collects the files of one job; every path is absolute, without links, `.` and `..`."""

    _files: dict[bytes, Content] = field(default_factory=dict)
    _links: dict[bytes, Target] = field(default_factory=dict)
    _system: set[bytes] = field(default_factory=set)
    _directories: set[bytes] = field(default_factory=set)

    def add_file(self, path: bytes, content: bytes, absolute_name: bytes | None = None) -> None:
        """A file; with its name where the compiler calls it by an absolute one."""
        self._files[path] = Content(packed(content, absolute_name))

    def add_link(self, path: bytes, target: bytes) -> None:
        """A symbolic link on the way to a file; the server moves an absolute target below its root."""
        self._links[path] = Target(target)

    def add_system_directory(self, path: bytes) -> None:
        """A directory in which the compiler looks by itself: the host's own is taken for it."""
        self._system.add(path)

    def add_directory(self, path: bytes) -> None:
        """A directory that must exist."""
        self._directories.add(path)

    def add_entries(
        self,
        entries: Mapping[bytes, Entry],
        content: ReadPacked,
        absolute_names: Mapping[bytes, bytes],
    ) -> bytes | None:
        """What a manifest says. Add the system directories before: nothing in them is asked for.

        `absolute_names` are by path. Answers None, or the path of a file whose text is gone.
        """
        for path, entry in entries.items():
            if self._is_system(path):
                continue
            match entry:
                case Link(target):
                    self.add_link(path, target)
                case Directory():
                    self.add_directory(path)
                case File(digest):
                    raw = content(digest, absolute_names.get(path))
                    if raw is None:
                        return path
                    self._files[path] = Content(raw)
        return None

    def entries(self) -> tuple[PumpFile, ...]:
        """All of them, in the include server's order; what lies in a system directory is left out.

        distccd refuses a link where a directory is already, so of nested system directories only the
        outermost are sent.
        """
        found: list[tuple[bytes, Content | Target]] = []
        found += ((path, text) for path, text in self._files.items() if not self._is_system(path))
        outermost = sorted(path for path in self._system if not self._is_system(path))
        found += ((path, Target(_to_the_servers_own(path))) for path in outermost)
        found += ((path, link) for path, link in self._links.items() if not self._is_system(path))
        found += ((_forcing(path), Content(b"")) for path in sorted(self._needed()))
        return tuple([PumpFile(path, holds) for path, holds in found])

    def _is_system(self, path: bytes) -> bool:
        return any(parent in self._system for parent in _parents(path))

    def _needed(self) -> set[bytes]:
        """The directories that would not be made for something in them."""
        made = {parent for path in (*self._files, *self._links) for parent in _parents(path)}
        return {
            path
            for path in self._directories
            if path not in made | self._system and not self._is_system(path)
        }


def packed(text: bytes, absolute_name: bytes | None) -> bytes:
    """What travels of a text, and of its name where the compiler calls it by an absolute one. 2 ms/MB."""
    if absolute_name is not None:
        text = b'#line 1 "%s"\n%s' % (_quoted(absolute_name), text)
    return pack_body(PUMP_PROTOCOL, text)


def pump_request(order: PumpOrder) -> list[bytes]:
    """The bytes of a request."""
    return encode_pump_request(order.cwd, order.argv, order.files)


def names_a_server_root(spoken: PumpSpoken) -> bool:
    """Has the host's folder got into what the compiler made? Then it is not what it would be here."""
    return any(
        _ROOT.search(part) for part in (spoken.output, spoken.stderr, spoken.stdout, spoken.dependencies)
    )


def _to_the_servers_own(path: bytes) -> bytes:
    """More steps up than any root is deep end at the server's `/`."""
    return b"../" * (_CLIMB + path.count(b"/")) + path[1:]


def _forcing(path: bytes) -> bytes:
    return path.rstrip(b"/") + b"/" + FORCING_NAME


def _parents(path: bytes) -> Iterable[bytes]:
    while path := path.rpartition(b"/")[0]:
        yield path


def _quoted(name: bytes) -> bytes:
    return name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
