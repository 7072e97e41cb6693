"""Remembers what each compiler binary is, and its identity, for as long as its files do not change."""

import asyncio
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from fleetcc.model import Compiler
from fleetcc.toolchain.asking import VARIABLES
from fleetcc.toolchain.identify import UNKNOWN, FileStamp, file_stamp, identify, looks_like_a_compiler
from fleetcc.toolchain.identity import Identity
from fleetcc.toolchain.identity_cache import IdentityCache

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")

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
        ask = partial(identify, program, typed, dict(environment))
        compiler = self._known[key] = await self._once(self._asking, key, ask)
        return compiler

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
        ask = partial(self.identities.find, program, dict(environment))
        found = await self._once(self._examining, key, ask)
        return None if found is None else found.digest

    async def _once(self, asked: dict[K, asyncio.Future[R]], key: K, ask: Callable[[], R]) -> R:
        """Ask in a thread, once for all who want to know in the same moment."""
        answer = asked.get(key)
        if answer is None:
            answer = asyncio.get_running_loop().run_in_executor(self.executor, ask)
            asked[key] = answer
            answer.add_done_callback(lambda _: asked.pop(key, None))
        return await asyncio.shield(answer)
