"""Remembers the files of compilers for as long as none of them changes; in memory, for one process."""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from fleetcc.toolchain.contents import Stamp, stamp_of
from fleetcc.toolchain.files import Answer, CannotShip, Toolchain
from fleetcc.toolchain.files_search import Question, examine_files, question

# A compiler that is replaced in the middle of a build is noticed this soon.
LOOK_SECONDS: Final = 0.25

# A build uses a compiler with a handful of targets and languages.
MAX_ENTRIES: Final = 256


@dataclass(slots=True)
class _Known:
    answer: Answer
    until: float  # on the monotonic clock: it is believed without a look
    stamp: Stamp  # of the program that was asked for


@dataclass(slots=True)
class ToolchainCache:
    """Toolchains by what they depend on; for use in several threads.

    In `folder`, which must exist, specs files are kept that say what this machine's processor is.
    """

    folder: str | None
    _known: dict[Question, _Known] = field(default_factory=dict)
    _examining: threading.Lock = field(default_factory=threading.Lock)

    def lookup(
        self, program: bytes, typed: bytes, environment: Mapping[bytes, bytes], language: bytes,
        words: Iterable[bytes], cwd: bytes,
    ) -> Answer | None:  # fmt: skip
        """What is known, if it still holds; None: `find` knows. Microseconds; now and then some stats.

        `words` may be the job's whole command line but for the compiler.
        """
        asked = question(program, typed, environment, language, words, cwd)
        return asked if isinstance(asked, CannotShip) else self._lookup(asked, environment)

    def find(
        self, program: bytes, typed: bytes, environment: Mapping[bytes, bytes], language: bytes,
        words: Iterable[bytes], cwd: bytes,
    ) -> Answer:  # fmt: skip
        """Look it up, or examine the compiler (blocking; one at a time)."""
        asked = question(program, typed, environment, language, words, cwd)
        if isinstance(asked, CannotShip):
            return asked
        with self._examining:  # whoever waited here mostly finds that the one before has examined it
            return self._lookup(asked, environment) or self._examine(asked, environment)

    def _lookup(self, asked: Question, environment: Mapping[bytes, bytes]) -> Answer | None:
        known = self._known.get(asked)
        if known is None:
            return None
        now = time.monotonic()
        answer = known.answer
        if isinstance(answer, CannotShip):
            return answer if now < known.until and stamp_of(asked.program) == known.stamp else None
        if now >= known.until:
            if not answer.is_current(environment):
                return None
            known.until = now + LOOK_SECONDS
        return answer

    def _examine(self, asked: Question, environment: Mapping[bytes, bytes]) -> Answer:
        stamp = stamp_of(asked.program)
        answer = examine_files(asked, environment, self.folder)
        lasts = LOOK_SECONDS if isinstance(answer, Toolchain) else answer.retry_seconds
        if len(self._known) >= MAX_ENTRIES:
            self._known.clear()
        self._known[asked] = _Known(answer, time.monotonic() + lasts, stamp)
        return answer
