"""What the helper is told: texts that end with NUL, in the order that native/sandbox/spec.c reads."""

from dataclasses import dataclass
from typing import Final

from fleetcc.errors import ProtocolError

_VERSION: Final = b"fleetcc-sandbox 2"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use; 0 is no limit."""

    file_bytes: int = 1 << 30  # an object of this size is a runaway
    memory_bytes: int = 0  # of addresses, each process by itself
    processes: int = 256  # a driver, a compiler, an assembler; LTO has one for each processor
    descriptors: int = 1024
    # In memory, all that the job has written and not removed. Such pages are shared memory to the kernel and
    # no cache: they are missing from its MemAvailable and count as used in a cgroup, so whoever decides by
    # these figures whether another job may begin (--memory-reserve) sees what jobs have written.
    scratch_bytes: int = 1 << 30
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
    # Outputs of an earlier run, absolute and without links: a stand-in is put at each that the tree lacks.
    existing: tuple[bytes, ...] = ()
    # Directories, files and links of this machine that the program sees at the same paths and cannot change.
    # Where the tree has the same directory, its files count more; where it has anything else, only that does.
    own: tuple[bytes, ...] = ()


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
                len(spec.existing),
                len(spec.own),
            )
        ),
        *spec.argv,
        *spec.environment,
        *spec.existing,
        *spec.own,
        b"",
    ]
    encoded = b"\0".join(texts)
    if encoded.count(b"\0") != len(texts) - 1:
        raise ProtocolError("a NUL in a job's path, argument or variable, where no program can have one")
    return encoded
