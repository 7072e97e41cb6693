"""Which compilers a server can offer by their identity, kept true while files change.

The compilers that the rules allow are found on PATH, examined in a thread one after the other, and looked at
again every half minute: by stat, and only what changed is examined. A job names an identity and gets the
path of a program whose files were what they were a moment ago, or nothing.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from fleetcc.command.names import parse_compiler_name
from fleetcc.server.compilers import CompilerRules, Program, listed_paths
from fleetcc.toolchain.contents import ABSENT, Stamp, stamp_of
from fleetcc.toolchain.identity import kind_of
from fleetcc.toolchain.identity_cache import MAX_ENTRIES, IdentityCache

_log: Final = logging.getLogger(__name__)

CHECK_SECONDS: Final = 30.0

# A server with every cross compiler of a distribution has about fifty; the cache must hold them all.
MAX_COMPILERS: Final = MAX_ENTRIES // 2

# Names of one directory, for as long as its stamp stays.
_Listing: TypeAlias = tuple[Stamp, list[bytes]]


@dataclass(slots=True)
class Identities:
    """The identities of this server's compilers; its methods are for the event loop."""

    cache: IdentityCache
    rules: CompilerRules
    pool: ThreadPoolExecutor
    changed: Callable[[], None]  # called when `advertised` says something else than before
    folder: str  # for temporary files
    _programs: dict[str, bytes] = field(default_factory=dict)
    _listings: dict[bytes, _Listing] = field(default_factory=dict)
    _told: dict[bytes, str] = field(default_factory=dict)  # why a program is not offered, as logged
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def advertised(self) -> tuple[str, ...]:
        """The digests of the compilers that are here, those of the first names on PATH first."""
        return tuple(self._programs)

    def program(self, digest: str) -> bytes | None:
        """The path to run for an identity; None when none is here, or its files have just changed."""
        path = self._programs.get(digest)
        if path is None:
            return None
        identity = self.cache.lookup(path, self._environment())
        if identity is not None and identity.digest == digest:
            return path
        self._wake.set()
        return None

    async def run(self) -> None:
        """Keep what is advertised true, until cancelled."""
        while True:
            self._wake.clear()
            await self.check()
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._wake.wait()

    async def check(self) -> None:
        """One look at everything; compilers that are new or changed are examined, one at a time."""
        loop = asyncio.get_running_loop()
        found: dict[str, bytes] = {}
        for path in await loop.run_in_executor(self.pool, self._candidates):
            environment = self._environment()
            identity = self.cache.lookup(path, environment)
            if identity is None:
                identity = await loop.run_in_executor(self.pool, self.cache.find, path, environment)
            if identity is None:
                self._tell(path, self.cache.reason(path, environment) or "it changes just now")
            elif found.setdefault(identity.digest, path) == path:
                self._told.pop(path, None)
                self._offer({**self._programs, identity.digest: path})
        self._offer(found)

    def _offer(self, programs: dict[str, bytes]) -> None:
        for digest in programs.keys() - self._programs.keys():
            _log.info("compiler %s identity=%.16s offered", os.fsdecode(programs[digest]), digest)
        before, self._programs = self.advertised(), programs
        if self.advertised() != before:
            self.changed()

    def _tell(self, path: bytes, why: str) -> None:
        if self._told.get(path) != why:
            self._told[path] = why
            _log.info("no identity, so only jobs that name it run it: %s", why)

    def _environment(self) -> dict[bytes, bytes]:
        return {b"PATH": self.rules.path, b"TMPDIR": os.fsencode(self.folder)}  # what jobs get, too

    # -- in a thread

    def _candidates(self) -> list[bytes]:
        """The allowed compilers that are here now, each once however many names it has."""
        known: dict[object, bytes] = {}
        for path in self._allowed():
            stamp = stamp_of(path)
            if stamp != ABSENT:
                known.setdefault((stamp, kind_of(path), _clang_prefix(path)), path)
        return list(known.values())[:MAX_COMPILERS]

    def _allowed(self) -> Iterator[bytes]:
        if self.rules.command_list is not None:
            for path in _listed(self.rules.command_list):
                if _is_compiler(path) and self.rules.resolve(path) == Program(path):
                    yield path
            return
        for directory in dict.fromkeys(self.rules.path.split(b":")):
            # A compiler that another directory hides is offered too: its identity names it exactly.
            here = replace(self.rules, path=directory)
            for name in self._names(directory) if directory.startswith(b"/") else ():
                allowed = here.resolve(name)
                if isinstance(allowed, Program):
                    yield allowed.path

    def _names(self, directory: bytes) -> list[bytes]:
        stamp = stamp_of(directory)
        if directory not in self._listings or self._listings[directory][0] != stamp:
            try:
                names = sorted(filter(_is_compiler, os.listdir(directory)), key=_plainest_first)
            except OSError:
                names = []
            self._listings[directory] = stamp, names
        return self._listings[directory][1]


def _is_compiler(path: bytes) -> bool:
    return parse_compiler_name(os.path.basename(path)) is not None


def _plainest_first(name: bytes) -> tuple[bool, int, bytes]:
    """gcc before gcc-12 before x86_64-linux-gnu-gcc-12; cc last, whose link is changed most easily."""
    return name in (b"cc", b"c++"), len(name), name


def _clang_prefix(path: bytes) -> bytes:
    """What clang takes from its name beside the kind: the target. gcc's drivers take nothing."""
    parsed = parse_compiler_name(os.path.basename(path))
    return parsed.target_prefix if parsed is not None and b"clang" in parsed.driver else b""


def _listed(command_list: str) -> list[bytes]:
    try:
        return list(dict.fromkeys(listed_paths(command_list)))
    except OSError:
        return []  # the rules say so to whoever asks
