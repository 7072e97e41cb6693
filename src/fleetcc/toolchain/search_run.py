"""Runs a compiler in a job's own directory to ask what it would read. It is given nothing to write."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from fleetcc.toolchain.asking import Answer
from fleetcc.toolchain.contents import UnidentifiedError

# A question takes some 10 ms, listing the dependencies of a big unit a second.
TIMEOUT_SECONDS: Final = 60.0

# With these a preprocessor writes files whatever it is asked.
_WRITING: Final = (b"DEPENDENCIES_OUTPUT", b"SUNPRO_DEPENDENCIES", b"CC_PRINT_OPTIONS", b"CC_PRINT_HEADERS")


def run(program: bytes, argv: Sequence[bytes], environment: Mapping[bytes, bytes], cwd: bytes) -> Answer:
    """Run a program to its end (blocking); raises UnidentifiedError when it does not end by itself."""
    kept = {name: value for name, value in environment.items() if name not in _WRITING}
    try:
        process = subprocess.Popen(
            argv, executable=program, cwd=cwd, env={**kept, b"LC_ALL": b"C", b"_DISTCC_SAFEGUARD": b"1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise UnidentifiedError(f"{os.fsdecode(program)} cannot be run: {error}") from error
    with process:
        try:
            stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
        except BaseException as error:
            with suppress(ProcessLookupError):  # the whole group: a driver's cc1 would live on
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            text = f"{os.fsdecode(program)} did not end within {TIMEOUT_SECONDS:g} s"
            raise UnidentifiedError(text) from error
    if process.returncode < 0:
        raise UnidentifiedError(f"{os.fsdecode(program)} was killed by signal {-process.returncode}")
    return Answer(process.returncode, stdout, stderr)


def complaint(answer: Answer) -> str:
    """What a program that failed said is wrong."""
    lines = answer.stderr.decode(errors="replace").splitlines()
    errors = [line for line in lines if "error: " in line]
    said = errors[0] if errors else lines[-1] if lines else "and not a word"
    return f"exit status {answer.status}: {said.strip()}"
