"""A compiler of this server in the sandbox, with the files of a pump request as its root.

It sees the client's files at the client's paths, and of this machine what a compiler needs: programs,
libraries, headers, and of `/etc` the two things that those need. Nothing else of this machine can be
read, by whatever name, and nothing of it can be written.

A client may send files below those directories too (of a library in `/usr/local`, say), and then they count
more than ours: that is what makes objects equal. So it could put a library in a compiler's way and run code
of its own, as any client can that sends a compiler along; the sandbox is what bounds it.
"""

import os
from collections.abc import Iterable
from typing import Final

from fleetcc.sandbox.outcome import Killed, NotStarted, Stage
from fleetcc.sandbox.run import Run
from fleetcc.sandbox.scratch import LeftFile, TooMuch
from fleetcc.sandbox.spec import Limits, Spec
from fleetcc.server.pump_place import PRIVATE, Place

_SYSTEM: Final = (
    b"/usr", b"/lib", b"/lib32", b"/lib64", b"/libx32", b"/bin", b"/sbin",
    b"/etc/alternatives", b"/etc/ld.so.cache",
)  # fmt: skip
# Beside a compiler's `bin`, where it was installed by itself.
_BESIDE: Final = (b"bin", b"include", b"lib", b"lib32", b"lib64", b"libexec", b"share")


def own_paths(program: bytes, asked: Iterable[bytes]) -> tuple[bytes, ...]:
    """What this program may see of this machine; `asked`: directories that the client takes for ours."""
    found: list[bytes] = []
    for path in (*_SYSTEM, *_of_program(program), *_of_program(os.path.realpath(program)), *asked):
        if not any(path == other or path.startswith(other + b"/") for other in found):
            found.append(path)
    return tuple(found)


def _of_program(program: bytes) -> list[bytes]:
    directory, name = os.path.split(program)
    top, last = os.path.split(directory)
    if last != b"bin":
        return [directory]
    # A cross compiler has a directory with the name of its target: <top>/arm-none-eabi.
    targets = [b"-".join(words) for words in _beginnings(name.split(b"-"))]
    return [os.path.join(top, each) for each in (*_BESIDE, *targets)]


def _beginnings(words: list[bytes]) -> list[list[bytes]]:
    return [words[:count] for count in range(2, len(words))]


def spec_of(
    place: Place, argv: list[bytes], asked: Iterable[bytes], environment: dict[bytes, bytes], limits: Limits
) -> Spec:
    """The run of this command line in this place."""
    return Spec(
        tree=place.root,
        program=argv[0],
        argv=tuple(argv),
        environment=tuple(name + b"=" + value for name, value in environment.items()),
        cwd=place.cwd,
        limits=limits,
        own=own_paths(argv[0], asked),
    )


def outputs(run: Run, place: Place) -> dict[bytes, LeftFile]:
    """What the compiler left where its outputs belong, by path. Raises OSError."""
    assert run.scratch is not None
    left = run.scratch.collect(place.root, (PRIVATE,))
    if isinstance(left, TooMuch):
        raise OSError(left.sentence)
    return {file.path: file for file in left.files}


def why_not(outcome: NotStarted | Killed) -> tuple[str, bool]:
    """The sentence, and whether it is for lack of the compiler."""
    if isinstance(outcome, Killed):
        return "the compiler was killed", False
    return outcome.sentence, outcome.stage is Stage.EXEC
