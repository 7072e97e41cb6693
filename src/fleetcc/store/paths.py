"""Which paths a replica may hold."""

import re
from typing import Final

from fleetcc.store.errors import BadUpdateError
from fleetcc.wire.files import MAX_NAME_BYTES, MAX_PATH_BYTES

# Absolute, every name between one slash and the next: not empty, not too long, neither `.` nor `..`.
_PATH: Final = re.compile(rb"(?:/(?!\.{1,2}(?:/|\Z))[^/\0]{1,%d})+" % MAX_NAME_BYTES, re.DOTALL)


def check_path(path: bytes) -> None:
    """Raises BadUpdateError for a path that is not absolute and plain, or too long for Linux."""
    if len(path) > MAX_PATH_BYTES:
        raise BadUpdateError(f"a path of {len(path)} bytes; the most is {MAX_PATH_BYTES}")
    if _PATH.fullmatch(path) is None:
        raise BadUpdateError(
            f"path {path!r}: expected an absolute one without `.`, `..`, NUL, empty names, "
            f"and names longer than {MAX_NAME_BYTES} bytes"
        )


def check_target(path: bytes, target: bytes) -> None:
    """Raises BadUpdateError for what no symbolic link can hold; it may lead anywhere."""
    if not target or b"\0" in target or len(target) > MAX_PATH_BYTES:
        raise BadUpdateError(f"link {path!r}: its target is empty, too long, or holds a NUL")


def parent_of(path: bytes) -> bytes:
    """The directory that a path is in; empty for the root."""
    return path[: path.rfind(b"/")]
