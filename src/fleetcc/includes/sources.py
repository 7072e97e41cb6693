"""Files by version: each read and parsed once."""

from typing import TypeAlias

from fleetcc.includes.closure import Doubt
from fleetcc.includes.directives import parse
from fleetcc.includes.disk import Disk, Stamp
from fleetcc.includes.macros import Definitions, definitions, uses
from fleetcc.includes.parsed import Dialect, Parsed
from fleetcc.includes.text import readings

# Arguments with which a macro is called, and the macro whose definition the call is part of.
Uses: TypeAlias = list[tuple[bytes | None, bytes]]


class Sources:
    """What was in the files that were read."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._parsed: dict[tuple[bytes, Dialect], tuple[Stamp, Parsed]] = {}
        self._definitions: dict[bytes, tuple[Stamp, Definitions]] = {}
        self._uses: dict[tuple[bytes, bytes], tuple[Stamp, Uses]] = {}

    def __len__(self) -> int:
        return len(self._parsed)

    def parsed(self, path: bytes, stamp: Stamp, dialect: Dialect, *, expanding: bool = False) -> Parsed:
        """The names in this version of a file; its macros will be asked for when names are expanded."""
        known = self._parsed.get((path, dialect))
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            data = self._disk.read(path)
            texts = readings(data)
            parsed = parse(data, dialect, texts)
            if expanding:  # while they are at hand
                self._definitions[path] = (stamp, definitions(data, texts))
        except OSError:
            parsed = Parsed(doubts=[(Doubt.UNREADABLE, 0, b"")])
        self._parsed[path, dialect] = (stamp, parsed)
        return parsed

    def definitions(self, path: bytes, stamp: Stamp) -> Definitions:
        """The macros that this version of a file defines, wherever in it; none when it cannot be read."""
        known = self._definitions.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            found = definitions(self._disk.read(path))
        except OSError:
            found = Definitions()
        self._definitions[path] = (stamp, found)
        return found

    def uses(self, path: bytes, stamp: Stamp, macro: bytes) -> Uses:
        """How directives of this version of a file call a macro."""
        known = self._uses.get((path, macro))
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            found = uses(self._disk.read(path), macro)
        except OSError:
            found = []
        self._uses[path, macro] = (stamp, found)
        return found
