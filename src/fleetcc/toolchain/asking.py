"""Runs a compiler to ask it something, and reduces its answer to what is the same on every machine.

Every question is asked in an empty folder that is removed afterwards: a program that takes a question for
a compile leaves its object there. Blocking; never shorter than the program, never longer than the limit.
"""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from fleetcc.toolchain.contents import UnidentifiedError
from fleetcc.toolchain.identify import ASK_TIMEOUT_SECONDS, ask_environment

# Beside PATH, what decides which cc1, assembler and libraries a driver runs. The rest of a job's environment
# would only make the same compiler look different.
VARIABLES: Final = (b"COMPILER_PATH", b"GCC_EXEC_PREFIX", b"LD_LIBRARY_PATH")

# Lines of `-v` that tell where things are on this machine. The GCC that clang selects gives it headers and
# startup files, which a preprocessed source no longer needs; offload compilers run when linking.
_PLACES: Final = (
    b"COLLECT_GCC=", b"COLLECT_LTO_WRAPPER=", b"OFFLOAD_TARGET_", b"Reading specs from ",
    b"InstalledDir: ", b"Configuration file: ", b"System configuration file directory: ",
    b"User configuration file directory: ", b"Found candidate GCC installation: ",
    b"Selected GCC installation: ", b"Candidate multilib: ", b"Selected multilib: ",
    b"Found CUDA installation: ", b"Found HIP installation: ", b"Found ROCm installation: ",
)  # fmt: skip
_SETTINGS_FILE: Final = re.compile(rb"^(?:Reading specs from|Configuration file:) (.+?)\s*$", re.MULTILINE)
_CC1_COMMAND: Final = re.compile(rb'^ *"((?:[^"\\]|\\.)+)" "-cc1" ', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program left behind."""

    status: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Asking:
    """One compiler, and the circumstances in which it is asked."""

    program: bytes
    environment: Mapping[bytes, bytes]
    folder: bytes

    def ask(self, *question: bytes) -> Answer:
        """Run the compiler with these words; raises UnidentifiedError."""
        return self.run(self.program, *question)

    def run(self, program: bytes, *words: bytes) -> Answer:
        """Run a program as the compiler would; raises UnidentifiedError when it does not end by itself."""
        argv = [program, *words]
        environment = {**self.environment, b"TMPDIR": self.folder}
        try:
            process = subprocess.Popen(
                argv, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0,
            )  # fmt: skip
        except OSError as error:
            raise UnidentifiedError(f"{program!r} cannot be run: {error.strerror}") from error
        with process:
            answer = _wait(process, argv)
        if answer.status < 0:
            raise UnidentifiedError(f"{b' '.join(argv)!r} was killed by signal {-answer.status}")
        return answer


def asking_environment(environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The part of a job's environment that a compiler is asked in."""
    kept = {name: environment[name] for name in (b"PATH", *VARIABLES) if name in environment}
    return ask_environment(kept)


def _wait(process: "subprocess.Popen[bytes]", argv: list[bytes]) -> Answer:
    try:
        stdout, stderr = process.communicate(timeout=ASK_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        # The whole group: a driver's cc1 would live on.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        text = f"{b' '.join(argv)!r} did not end within {ASK_TIMEOUT_SECONDS:g} s"
        raise UnidentifiedError(text) from error
    return Answer(process.returncode, stdout, stderr)


def without_places(answer: bytes) -> bytes:
    """The answer to `-v` without the lines that say where things are on this machine."""
    lines = (line.strip() for line in answer.splitlines())
    return b"\n".join(line for line in lines if line and not line.startswith(_PLACES))


def settings_files(answer: bytes) -> list[bytes]:
    """The specs and configuration files that the answer to `-v` says were read."""
    return _SETTINGS_FILE.findall(answer)


def cc1_of_clang(answer: bytes) -> bytes:
    """The program that `clang -###` would run to compile; empty when it names none."""
    found = _CC1_COMMAND.search(answer)
    return re.sub(rb"\\(.)", rb"\1", found.group(1)) if found else b""


def sorted_lines(answer: bytes) -> bytes:
    """The lines in an order that no hash table of the compiler decides."""
    return b"\n".join(sorted(answer.splitlines()))
