"""Remembers what each compiler binary is, and its identity, for as long as its files do not change."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from fleetcc.model import Compiler
from fleetcc.toolchain.asking import VARIABLES
from fleetcc.toolchain.identify import UNKNOWN, FileStamp, file_stamp, identify, looks_like_a_compiler
from fleetcc.toolchain.identity import Identity
from fleetcc.toolchain.identity_cache import IdentityCache

Key = tuple[bytes, bytes, FileStamp]
# A program, and the values of the variables that decide what it runs: another value, another compiler.
Question = tuple[bytes, tuple[bytes | None, ...]]

# A compiler that is replaced in the middle of a build is noticed this soon; fourteen stats for each job are
# a tenth of what the agent does for it.
LOOK_SECONDS: Final = 0.25
DECIDING_VARIABLES: Final = (b"PATH", *VARIABLES)


@dataclass(slots=True)
class Compilers:
    """Asks each compiler once, however many jobs arrive meanwhile."""

    executor: Executor
    identities: IdentityCache
    _known: dict[Key, Compiler] = field(default_factory=dict)
    _asking: dict[Key, asyncio.Future[Compiler]] = field(default_factory=dict)
    _seen: dict[Question, tuple[str, float]] = field(default_factory=dict)
    _examining: dict[Question, asyncio.Future[Identity | None]] = field(default_factory=dict)

    async def get(self, program: bytes, typed: bytes, environment: Mapping[bytes, bytes]) -> Compiler:
        """What `program` is; UNKNOWN when it is not a compiler by its name or its answer."""
        stamp = file_stamp(program)
        if stamp is None or not looks_like_a_compiler(program):
            return UNKNOWN
        key = (program, typed, stamp)
        known = self._known.get(key)
        if known is not None:
            return known
        asking = self._asking.get(key)
        if asking is None:
            loop = asyncio.get_running_loop()
            asking = loop.run_in_executor(self.executor, identify, program, typed, dict(environment))
            self._asking[key] = asking
            asking.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(asking)

    async def identity(self, program: bytes, environment: Mapping[bytes, bytes]) -> str | None:
        """The digest of the compiler's identity; None when it cannot be determined, which is rare."""
        now = asyncio.get_running_loop().time()
        key = (program, tuple(map(environment.get, DECIDING_VARIABLES)))
        seen = self._seen.get(key)
        if seen is not None and now < seen[1]:
            return seen[0]
        digest = await self._find(key, environment)
        if digest is not None:
            self._seen[key] = digest, now + LOOK_SECONDS
        return digest

    async def _find(self, key: Question, environment: Mapping[bytes, bytes]) -> str | None:
        program, _ = key
        known = self.identities.lookup(program, environment)
        if known is not None:
            return known.digest
        examining = self._examining.get(key)
        if examining is None:
            loop = asyncio.get_running_loop()
            find = self.identities.find
            examining = loop.run_in_executor(self.executor, find, program, dict(environment))
            self._examining[key] = examining
            examining.add_done_callback(lambda _: self._examining.pop(key, None))
        found = await asyncio.shield(examining)
        return None if found is None else found.digest

    def _answered(self, key: Key, done: "asyncio.Future[Compiler]") -> None:
        del self._asking[key]
        if not done.cancelled() and done.exception() is None:
            self._known[key] = done.result()
