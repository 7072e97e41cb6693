"""Which file is the real compiler, and how it is started."""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from fleetcc.errors import ExitCode
from fleetcc.launcher.words import Environment, fail, say, sentence

_LAUNCHER_NAMES: Final = (b"distcc", b"fleetcc")
_MASQUERADE_FOLDERS: Final = (b"/lib/distcc", b"/lib/fleetcc")
_LEVEL: Final = "_DISTCC_SAFEGUARD"


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a compiler."""

    argv: tuple[bytes, ...]
    program: bytes  # the real compiler's path
    level: int  # how many launchers are above us
    environment: Environment


def read_level(environment: Environment) -> int:
    """How many launchers are above us; what is not a number counts as one."""
    value = environment.get(_LEVEL)
    if value is None:
        return 0
    return int(value) if value.isdigit() and int(value) <= 1000 else 1


def find_program(argv: tuple[bytes, ...], environment: Environment, *, masquerade: bool) -> Invocation:
    """Find the compiler, on PATH where its name has no slash; ends the process when there is none.

    gcc and clang look argv[0] up on PATH to find their own files; where they would find a launcher,
    argv[0] becomes the path.
    """
    level = read_level(environment)
    name = argv[0]
    if b"/" in name and not masquerade and not (_is_program(name) and _is_launcher(name)):
        return Invocation(argv, name, level, environment)
    candidates = list(_candidates(os.path.basename(name), environment))
    compilers = [candidate for candidate in candidates if not _is_launcher(candidate)]
    if not compilers:
        fail(ExitCode.COMPILER_MISSING, os.path.basename(name) + b": command not found")
    program = compilers[0]
    if masquerade or b"/" in name or program != candidates[0]:
        argv = (program, *argv[1:])
    return Invocation(argv, program, level, environment)


def compiler_environment(invocation: Invocation) -> dict[bytes, bytes]:
    """Every compiler that we start learns that a launcher is above it."""
    level = str(invocation.level + 1).encode()
    return invocation.environment.replace(**{_LEVEL: level}).as_mapping()


def exec_compiler(invocation: Invocation) -> NoReturn:
    """Become the compiler."""
    environment = compiler_environment(invocation)
    try:
        os.execve(invocation.program, invocation.argv, environment)
    except OSError as error:
        if error.errno == errno.ENOEXEC:  # a script without #!; shells and make run it, so do we
            os.execve("/bin/sh", [b"sh", invocation.program, *invocation.argv[1:]], environment)
        fail(ExitCode.COMPILER_MISSING, invocation.program + os.fsencode(f": {sentence(error)}"))


def fall_back(invocation: Invocation, why: str) -> NoReturn:
    """Something is not as expected: the compiler itself, unless the user would rather hear about it."""
    if not invocation.environment.is_enabled("FLEETCC_FALLBACK", "DISTCC_FALLBACK", otherwise=True):
        fail(ExitCode.NO_HOSTS, f"{why}, and compiling here instead is switched off (FLEETCC_FALLBACK=0)")
    if invocation.environment.is_enabled("FLEETCC_VERBOSE", "DISTCC_VERBOSE", otherwise=False):
        say(os.fsencode(f"{why}: running ") + invocation.argv[0] + b" here")
    exec_compiler(invocation)


def exec_cli(arguments: tuple[bytes, ...], environment: Environment) -> None:
    """Become fleetcc-cli, which is installed beside us. Returns when there is none."""
    variables = environment.replace(FLEETCC_LAUNCHER=b"python").as_mapping()
    beside = os.path.join(os.path.dirname(os.path.realpath(_own_path())), b"fleetcc-cli")
    for path in (beside, *_candidates(b"fleetcc-cli", environment)):
        try:
            os.execve(path, (b"fleetcc-cli", *arguments), variables)
        except OSError:
            continue


def _own_path() -> bytes:
    return os.fsencode(sys.argv[0])


def _candidates(name: bytes, environment: Environment) -> Iterator[bytes]:
    for folder in (environment.get("PATH") or b"/usr/bin:/bin").split(b":"):
        candidate = (folder or b".") + b"/" + name
        if _is_program(candidate):
            yield candidate


def _is_program(path: bytes) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.X_OK, effective_ids=True)
    except OSError:
        return False


def _is_launcher(path: bytes) -> bool:
    """Is this file the launcher, or another one that would come back to it?"""
    if os.path.exists(_own_path()) and os.path.samefile(path, _own_path()):
        return True
    if os.path.dirname(path).rstrip(b"/").endswith(_MASQUERADE_FOLDERS):
        return True
    return os.path.basename(os.path.realpath(path)) in _LAUNCHER_NAMES
