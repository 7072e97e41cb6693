"""Directories that belong to one process for as long as it lives.

Whoever holds the flock on `owner` inside a directory owns it. The kernel frees the lock of a dead process, so
what it left behind is recognised and removed by the next one. A directory that is being removed is renamed
first: its name is free at once, and nobody meets a half of it.
"""

import contextlib
import fcntl
import os
import secrets
from typing import Final

_GOING: Final = b".gone-"
_OWNER: Final = b"/owner"


def claim(path: bytes) -> int | None:
    """Own this directory, made where there is none; the descriptor holds it. None: another owner lives.

    What a dead owner left in it is still there. Raises OSError.
    """
    while True:
        make_private(path)
        try:
            owner = os.open(path + _OWNER, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # somebody has just removed the directory
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(owner)
            return None
        if _is_in(path, owner):
            return owner
        os.close(owner)


def claim_empty(path: bytes) -> int | None:
    """As `claim`, and what a dead owner left is removed."""
    while (owner := claim(path)) is not None and len(os.listdir(path)) > 1:
        give_up(path, owner)
    return owner


def give_up(path: bytes, owner: int) -> None:
    """Remove an owned directory with everything in it, and its lock."""
    going = os.path.join(os.path.dirname(path), _GOING + secrets.token_hex(8).encode())
    try:
        os.rename(path, going)
        remove_tree(going)
    finally:
        os.close(owner)


def remove_leftovers(directory: bytes) -> None:
    """Remove what dead processes owned in here; what cannot be removed stays."""
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        with contextlib.suppress(OSError):
            if name.startswith(_GOING):
                remove_tree(path)
            else:
                _remove_if_left_over(path)


def make_private(path: bytes) -> None:
    """A directory for this user alone, and its parents; an existing one stays as it is."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        make_private(os.path.dirname(path))
        make_private(path)


def remove_tree(path: bytes) -> None:
    """Remove a directory however deep it is: recursion and whole paths have limits that trees do not keep.

    Every directory inside is moved to the top before its turn comes. Links are not followed.
    """
    top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    prefix = secrets.token_hex(8).encode()
    try:
        folders = _empty(top, top, prefix, 0)
        for folder in folders:  # grows meanwhile
            with contextlib.suppress(FileNotFoundError):  # another process may be at it too
                _remove_folder(top, folder, prefix, folders)
    finally:
        os.close(top)
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(path)


def _remove_folder(top: int, folder: bytes, prefix: bytes, folders: list[bytes]) -> None:
    inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=top)
    try:
        folders += _empty(inside, top, prefix, len(folders))
    finally:
        os.close(inside)
    os.rmdir(folder, dir_fd=top)


def _empty(directory: int, top: int, prefix: bytes, count: int) -> list[bytes]:
    """Unlink the files in a directory and move its directories to the top; their new names there."""
    moved: list[bytes] = []
    with os.scandir(directory) as entries:
        listed = [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_directory in listed:
        with contextlib.suppress(FileNotFoundError):
            if is_directory:
                moved.append(b".%s-%d" % (prefix, count + len(moved)))
                os.rename(name, moved[-1], src_dir_fd=directory, dst_dir_fd=top)
            else:
                os.unlink(name, dir_fd=directory)
    return moved


def _remove_if_left_over(path: bytes) -> None:
    try:
        owner = os.open(path + _OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        os.rmdir(path)  # its maker died, or comes to the lock just now and then makes it again
        return
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(owner)
        return
    if _is_in(path, owner):
        give_up(path, owner)
    else:
        os.close(owner)


def _is_in(path: bytes, owner: int) -> bool:
    """Whether the locked file is the one that has the name; a directory may go between open and lock."""
    try:
        named = os.stat(path + _OWNER, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(owner))
