"""What the helper is told: texts that end with NUL, in the order that native/sandbox/spec.c reads."""

from dataclasses import dataclass
from typing import Final

from fleetcc.errors import ProtocolError

_VERSION: Final = b"fleetcc-sandbox 1"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use; 0 is no limit."""

    file_bytes: int = 1 << 30  # an object of this size is a runaway
    memory_bytes: int = 0  # of addresses, each process by itself
    processes: int = 256  # a driver, a compiler, an assembler; LTO has one for each processor
    descriptors: int = 1024
    scratch_bytes: int = 1 << 30  # in memory, all that the job has written and not removed
    scratch_files: int = 20_000


@dataclass(frozen=True, slots=True)
class Spec:
    """One program to run. Paths are the program's own, but for `tree`, which becomes its `/`."""

    tree: bytes
    program: bytes
    argv: tuple[bytes, ...]
    environment: tuple[bytes, ...]  # NAME=value
    cwd: bytes
    umask: int = 0o022
    limits: Limits = Limits()


def encode(spec: Spec) -> bytes:
    """The helper's form of it. Raises ProtocolError for what no program can be called with."""
    if not spec.argv:
        raise ProtocolError("a job without argv[0], where the name of its program was expected")
    limits = spec.limits
    texts = [
        _VERSION,
        spec.tree,
        spec.cwd,
        spec.program,
        b"%o" % spec.umask,
        *(
            b"%d" % number
            for number in (
                limits.file_bytes,
                limits.memory_bytes,
                limits.processes,
                limits.descriptors,
                limits.scratch_bytes,
                limits.scratch_files,
                len(spec.argv),
                len(spec.environment),
            )
        ),
        *spec.argv,
        *spec.environment,
        b"",
    ]
    encoded = b"\0".join(texts)
    if encoded.count(b"\0") != len(texts) - 1:
        raise ProtocolError("a NUL in a job's path, argument or variable, where no program can have one")
    return encoded
