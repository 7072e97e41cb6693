"""Has a compiler failed for lack of what this server gives a job? Then what it says is not its answer.

A compiler that runs out of disk or memory says so in its own words, or its locale's, removes what it has
written, and ends with the status of any error. Words alone do not tell: `#error No space left on device` is
the user's. So the figures come first:

* disk: it failed, and the scratch is full, or it has written at least half of what would fill it or of what a
  file may have. Whoever has met that limit has written as much, also when nothing of it is left; whoever
  fails for an error of the user's has written next to nothing. No word is looked at.
* memory: it failed, and a process of it was nearly as big as one may be; or the kernel has killed something
  for lack of memory meanwhile. Or, because a single request for a lot fails without being counted, it has
  said so in words that no locale changes, at the beginning of a line, where diagnostics have a file's name.

A false alarm costs the client a compile of its own; a missed one would have cost its user a wrong error.
"""

import re
import signal
from enum import Enum
from typing import Final

from fleetcc.sandbox.outcome import Ended
from fleetcc.sandbox.spec import Limits
from fleetcc.server.options import ServerOptions

# So much of a limit is nearly all of it: pages, and what other files need, are not counted.
_OF_DISK: Final = 0.5
_OF_MEMORY: Final = 0.8
_NO_FILE: Final = 1 << 40
_NO_MEMORY: Final = re.compile(
    rb"""^(?:
        (?:[^\s:]+:\ )?out\ of\ memory\ allocating\ [0-9]+\ bytes   # gcc, binutils
        | virtual\ memory\ exhausted:                               # gcc's collector
        | LLVM\ ERROR:\ out\ of\ memory
        | terminate\ called\ after\ throwing\ an\ instance\ of\ 'std::bad_alloc'
        | [^\s:]+:\ error\ while\ loading\ shared\ libraries:.*:\ (?:failed\ to\ map|cannot\ allocate)
    )""",
    re.MULTILINE | re.VERBOSE,
)
_OOM_KILLS: Final = re.compile(rb"^oom_kill ([0-9]+)$", re.MULTILINE)


class Shortage(Enum):
    """Of what."""

    DISK = "disk"
    MEMORY = "memory"


def limits_of(options: ServerOptions) -> Limits:
    """What a job made of files may use.

    The limit of one file is never met by writing it: one that is too big for its reader is found when it is
    collected, but a compiler that is killed for it (it may write the end first) leaves no figures behind.
    """
    return Limits(
        file_bytes=_NO_FILE, memory_bytes=options.job_memory_bytes, scratch_bytes=options.job_disk_bytes
    )


def shortage(ended: Ended, limits: Limits, stderr: bytes, *, was_oom: bool) -> Shortage | None:
    """Why it failed, if for this; `was_oom`: the kernel has killed a process for memory while it ran."""
    if not ended.status:
        return None
    if ended.status & 0x7F == signal.SIGXFSZ or ended.is_full:
        return Shortage.DISK
    bounds = [limit for limit in (limits.scratch_bytes, limits.file_bytes) if limit]
    if bounds and ended.written_bytes >= min(bounds) * _OF_DISK:
        return Shortage.DISK
    is_big = bool(limits.memory_bytes) and ended.peak_bytes > limits.memory_bytes * _OF_MEMORY
    return Shortage.MEMORY if is_big or was_oom or _NO_MEMORY.search(stderr) else None


def oom_kills() -> int:
    """How many processes this kernel has killed for lack of memory; 0 where it does not tell."""
    try:
        with open("/proc/vmstat", "rb", buffering=0) as file:
            found = _OOM_KILLS.search(file.read())
    except OSError:
        return 0
    return int(found[1]) if found else 0
