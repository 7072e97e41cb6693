"""What a path in the fleet protocol must look like: one spelling for one place, and no way out of it."""

import re
from collections.abc import Iterable
from typing import Final

from fleetcc.wire.files import MAX_NAME_BYTES, MAX_PATH_BYTES, Directory, Entry, FileJob, Link

ROOT: Final = b"/"
_CLEAN: Final = re.compile(rb"(?:/(?!\.\.?(?:/|\Z))[^/\0]{1,%d})+\Z" % MAX_NAME_BYTES)


def path_fault(path: bytes) -> str | None:
    """Why this is no absolute path without `.`, `..`, empty and overlong names; None: it is one.

    `/` itself is none: there is always a root, and it is a directory.
    """
    if len(path) <= MAX_PATH_BYTES and _CLEAN.match(path):
        return None
    shown = path if len(path) <= 200 else path[:200] + b"..."
    return f"path {shown!r} where an absolute one of plain names was expected"


def entry_fault(path: bytes, entry: Entry) -> str | None:
    """Why a replica does not take this entry; None: it does."""
    if isinstance(entry, Link) and b"\0" in entry.target:
        return f"a link {path!r} to a target with NUL"
    if path == ROOT and isinstance(entry, Directory):
        return None
    return path_fault(path)


def is_below(path: bytes, directories: Iterable[bytes]) -> bool:
    """Whether it is in one of these directories, at any depth; all of them clean paths, or `/`."""
    return any(path.startswith(directory.rstrip(b"/") + b"/") for directory in directories)


def job_fault(job: FileJob) -> str | None:
    """Why no server takes this job, as far as can be seen without a disk; None: one might."""
    for word in (*job.argv, *job.environment):
        if b"\0" in word:
            return f"{word[:200]!r} has a NUL"
    for setting in job.environment:
        if setting.find(b"=") < 1:
            return f"environment {setting[:200]!r} where NAME=value was expected"
    for what, path in (("program", job.program), ("directory", job.cwd)):
        # Where a `..` leads is decided by the replica's own links, in the sandbox.
        if not path.startswith(b"/") or b"\0" in path:
            return f"{what} {path[:200]!r} where an absolute path was expected"
    wanted = (*(path for path in job.returns if path != ROOT), *job.existing)
    return next((fault for path in wanted if (fault := path_fault(path))), None)
