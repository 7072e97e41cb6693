"""Runs the preprocessor into memory files."""

import ctypes
import os
import signal
from dataclasses import dataclass
from typing import Final, NoReturn

from fleetcc.launcher.program import Invocation, compiler_environment

_PR_SET_PDEATHSIG: Final = 1
_CANNOT_START: Final = 127


@dataclass(frozen=True, slots=True)
class Preprocessed:
    """How a preprocessor ended, and its memory files; the caller closes them."""

    status: int
    stdout: int
    stderr: int
    dependencies: int | None


def preprocess(invocation: Invocation, argv: list[bytes], *, with_dependencies: bool) -> Preprocessed:
    """Run it to its end."""
    environment = compiler_environment(invocation)
    libc = ctypes.CDLL(None)
    null = os.open("/dev/null", os.O_RDONLY)
    stdout, stderr = os.memfd_create("stdout"), os.memfd_create("stderr")
    dependencies = os.memfd_create("dependencies") if with_dependencies else None
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # a killed build leaves nobody at work
        if os.getppid() == parent:
            _become(invocation.program, argv, environment, (null, stdout, stderr, dependencies))
        os._exit(_CANNOT_START)
    _, status = os.waitpid(child, 0)
    signal.signal(signal.SIGCHLD, before)
    os.close(null)
    for descriptor in (stdout, stderr):
        os.lseek(descriptor, 0, os.SEEK_SET)
    return Preprocessed(status, stdout, stderr, dependencies)


def _become(
    program: bytes, argv: list[bytes], environment: dict[bytes, bytes], streams: tuple[int | None, ...]
) -> NoReturn:
    try:
        for descriptor, stream in enumerate(streams):
            if stream is not None:
                os.dup2(stream, descriptor)
                os.set_inheritable(descriptor, True)  # noqa: FBT003
        os.execve(program, argv, environment)
    except OSError:
        os._exit(_CANNOT_START)
