"""Giving up what a compile server does not need: root, new privileges, a place before other programs."""

import ctypes
import os
import pwd
import resource
from typing import Final

from fleetcc.errors import UsageError

DEFAULT_USERS: Final = ("fleetccd", "distccd", "distcc", "nobody")
_PR_SET_NO_NEW_PRIVS: Final = 38


def choose_user(wanted: str | None) -> pwd.struct_passwd | None:
    """Whom to become; None when this is not root, or root is wanted. Raises UsageError."""
    if os.geteuid() != 0:
        return None
    for name in [wanted] if wanted else DEFAULT_USERS:
        try:
            user = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
        except KeyError:
            continue
        return user if user.pw_uid != 0 else None
    raise UsageError(f"--user {wanted or '/'.join(DEFAULT_USERS)}: there is no such user")


def become(user: pwd.struct_passwd) -> None:
    """Become this user for good."""
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def forbid_new_privileges() -> None:
    """No program started from here gains rights, set-uid or not."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def set_limits() -> int:
    """As many descriptors as allowed, no core files; returns how many descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    return hard
