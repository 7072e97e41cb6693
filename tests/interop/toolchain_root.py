"""A partial copy of this machine in a folder, and compiles with it as the root directory."""

import ctypes
import os
import shutil
import stat
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fleetcc.toolchain.files import Toolchain
from fleetcc.toolchain.files_search import toolchain_files

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000

LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Outcome:
    status: int
    stdout: bytes
    stderr: bytes
    files: Mapping[bytes, bytes]  # what the compiler left in its directory, by name


class Pool:
    """One copy of each file, which the roots of all tests link to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def link(self, path: str, place: str) -> None:
        status = os.stat(path)
        copy = self.folder / f"{status.st_dev}-{status.st_ino}"
        if not copy.exists():
            shutil.copy2(path, copy)
        os.link(copy, place)


def copied(root: Path, paths: Iterable[bytes], pool: Pool) -> None:
    """Put these paths below `root`, with every link and directory on the way as the kernel meets them."""
    for path in paths:
        _walk(root, [part for part in os.fsdecode(path).split("/") if part], pool)


def _walk(root: Path, todo: list[str], pool: Pool) -> None:
    real = ""  # where we are, without links
    while todo:
        part = todo.pop(0)
        if part in (".", ".."):
            real = real if part == "." else os.path.dirname(real)
            continue
        here = f"{real}/{part}"
        place = f"{root}{here}"
        mode = os.lstat(here).st_mode
        if stat.S_ISLNK(mode):
            target = os.readlink(here)
            if not os.path.lexists(place):
                os.symlink(target, place)
            todo[:0] = [each for each in target.split("/") if each]
            real = "" if target.startswith("/") else real
        elif stat.S_ISDIR(mode):
            os.makedirs(place, exist_ok=True)
            real = here
        elif not os.path.lexists(place):
            pool.link(here, place)


def environment(**changes: str) -> dict[bytes, bytes]:
    """What make would give a compiler here: neutral, but for the changes."""
    plain = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", **changes}
    return {os.fsencode(name): os.fsencode(value) for name, value in plain.items()}


def found(
    program: bytes, variables: Mapping[bytes, bytes], language: bytes, words: Iterable[bytes], folder: Path
) -> Toolchain:
    """The toolchain, which must be one."""
    is_on_path = os.path.dirname(program) in variables[b"PATH"].split(b":")
    typed = os.path.basename(program) if is_on_path else program
    cwd = os.fsencode(folder)
    answer = toolchain_files(program, typed, variables, language, words, cwd, folder=str(folder))
    assert isinstance(answer, Toolchain), answer
    return answer


def headers(
    toolchain: Toolchain, variables: Mapping[bytes, bytes], words: list[bytes], cwd: Path
) -> set[bytes]:
    """Sources, and headers as the compiler itself lists them."""
    kept = [word for word in words if word not in (b"-MD", b"-save-temps")]
    argv = [toolchain.argv0, *kept, b"-M", b"-MF", b"-", b"-w"]
    plain = {**variables, b"LC_ALL": b"C"}
    done = subprocess.run(
        [word for word in argv if word != b"-c"], executable=toolchain.program, cwd=cwd, env=plain,
        capture_output=True, check=False,
    )  # fmt: skip
    _, _, listed = done.stdout.replace(b"\\\n", b" ").partition(b": ")
    sources = (os.fsencode(name) for name in os.listdir(cwd))
    return {os.path.join(os.fsencode(cwd), name) for name in (*listed.split(), *sources)}


def run(
    program: bytes, argv: list[bytes], variables: Mapping[bytes, bytes], cwd: Path, root: Path | None = None
) -> Outcome:
    """Compile, in another root directory if one is given, and clear away what was left."""
    before = set(os.listdir(cwd)) if root is None else set(os.listdir(f"{root}{cwd}"))
    place = cwd if root is None else Path(f"{root}{cwd}")
    done = subprocess.run(
        argv, executable=program, env=variables, cwd=cwd if root is None else None,
        stdin=subprocess.DEVNULL, capture_output=True, check=False,
        preexec_fn=None if root is None else partial(_enter, str(root), str(cwd)),
    )  # fmt: skip
    left = {}
    for name in set(os.listdir(place)) - before:
        left[os.fsencode(name)] = (place / name).read_bytes()
        (place / name).unlink()
    return Outcome(done.returncode, done.stdout, done.stderr, left)


def prepare(root: Path) -> None:
    """What every root directory has."""
    for folder in ("proc", "dev", "tmp"):
        (root / folder).mkdir(parents=True)
    (root / "dev/null").touch()


def can_change_root() -> bool:
    """May this user have a root directory of his own here?"""
    child = os.fork()
    if child == 0:
        try:
            _call(LIBC.unshare, CLONE_NEWNS | (CLONE_NEWUSER if os.geteuid() else 0))
            _call(LIBC.mount, None, b"/", None, MS_REC | MS_PRIVATE, None)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _call(function, *arguments) -> None:
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _enter(root: str, cwd: str) -> None:
    """Make the folder the root directory of this process, in namespaces of its own."""
    user, group = os.geteuid(), os.getegid()
    _call(LIBC.unshare, CLONE_NEWNS | (CLONE_NEWUSER if user else 0))
    if user:
        for name, line in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(line)
    _call(LIBC.mount, None, b"/", None, MS_REC | MS_PRIVATE, None)
    _call(LIBC.mount, b"/proc", os.fsencode(root + "/proc"), None, MS_BIND | MS_REC, None)
    _call(LIBC.mount, b"/dev/null", os.fsencode(root + "/dev/null"), None, MS_BIND, None)
    os.chroot(root)
    os.chdir(cwd)
