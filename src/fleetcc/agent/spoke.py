"""Which sources gave diagnostics lately.

A remote compiler that says anything about preprocessed text makes the job run twice, so the next compile
of the same version of the source starts here at once.
"""

import os
from dataclasses import dataclass, field
from typing import Final

# A source that has not changed may still fall silent: a header changed, or other options are used.
SPOKE_SECONDS: Final = 3600.0
_MOST_SOURCES: Final = 50_000


@dataclass(slots=True)
class SpokeMemory:
    """Which sources gave diagnostics lately, so that their next compile starts where those are exact."""

    _known: dict[tuple[bytes, bytes], tuple[tuple[int, int], float]] = field(default_factory=dict)

    def remember(self, cwd: bytes, source: bytes, output: bytes, now: float) -> None:
        """This version of the source spoke."""
        stamp = _source_stamp(cwd, source)
        if stamp is not None:
            if len(self._known) >= _MOST_SOURCES:
                self._known.clear()
            self._known[cwd, output] = stamp, now + SPOKE_SECONDS

    def spoke_lately(self, cwd: bytes, source: bytes, output: bytes, now: float) -> bool:
        """Did this very version of the source speak when it was compiled into this output?"""
        known = self._known.get((cwd, output))
        return known is not None and now < known[1] and known[0] == _source_stamp(cwd, source)


def _source_stamp(cwd: bytes, source: bytes) -> tuple[int, int] | None:
    try:
        status = os.stat(os.path.join(cwd, source))
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
