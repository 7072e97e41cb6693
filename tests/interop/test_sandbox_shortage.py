"""Real compilers that run out of disk or memory, and real errors in words that look like it."""

import os
import shutil
from pathlib import Path

import pytest

from fleetcc.sandbox.outcome import Ended
from fleetcc.sandbox.spec import Limits
from fleetcc.server.shortage import Shortage, shortage
from tests.interop.sandbox_support import USERS, Place, Result, compile_helper, hand_over, open_folder
from tests.support.compiler_tree import copy_into, files_of

SOURCES = {
    "big.c": 'asm(".data\\n.fill 3000000, 1, 7");\n',
    "small.c": "int x;\n",
    "words.c": "#error No space left on device: out of memory allocating 10 bytes\n"
    '_Static_assert(0, "virtual memory exhausted: LLVM ERROR: out of memory");\n',
    "many.c": f"int a[] = {{{','.join(map(str, range(300_000)))}}};\n",
}
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]


@pytest.fixture(scope="module", params=COMPILERS)
def place(request):
    """A tree with a compiler and the sources, for a user who is not root."""
    with open_folder() as folder:
        compile_helper(folder / "fleetcc-sandbox")
        (folder / "tree/work/dir").mkdir(parents=True)
        copy_into(folder / "tree", files_of(request.param, write(folder / "small.c", "int x;\n")))
        for name, text in SOURCES.items():
            write(folder / "tree/work/dir" / name, text)
        hand_over(folder, USERS[-1])
        yield request.param, Place(USERS[-1], folder / "fleetcc-sandbox", folder / "tree")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def compiled(place: tuple[str, Place], limits: Limits, *words: str) -> Result:
    compiler, sandboxed = place
    argv = (os.fsencode(compiler), *map(os.fsencode, words))
    program = b"/usr/bin/" + os.fsencode(compiler)
    spec = sandboxed.spec(program=program, argv=argv, environment=(b"PATH=/usr/bin:/bin",), limits=limits)
    return sandboxed.run(spec)


def cause(result: Result, limits: Limits) -> Shortage | None:
    assert isinstance(result.outcome, Ended), result
    return shortage(result.outcome, limits, result.stdout, was_oom=False)


def test_a_disk_that_was_full_is_seen_when_the_compiler_has_tidied_up(place):
    limits = Limits(scratch_bytes=1 << 20)

    result = compiled(place, limits, "-c", "big.c")

    assert b"space" in result.stdout, result
    assert cause(result, limits) is Shortage.DISK


def test_memory_that_was_too_little_is_seen(place):
    enough = Limits(memory_bytes=2 << 30)
    needed = compiled(place, enough, "-c", "many.c").outcome
    assert isinstance(needed, Ended)
    assert needed.status == 0
    limits = Limits(memory_bytes=needed.peak_bytes)

    result = compiled(place, limits, "-c", "many.c")

    assert cause(result, limits) is Shortage.MEMORY, result


def test_the_users_errors_are_the_users(place):
    limits = Limits(scratch_bytes=1 << 20, memory_bytes=2 << 30)

    result = compiled(place, limits, "-c", "words.c")

    assert b"No space left on device" in result.stdout
    assert isinstance(result.outcome, Ended)
    assert result.outcome.status == 1 << 8
    assert cause(result, limits) is None


def test_what_is_enough_is_enough(place):
    limits = Limits(scratch_bytes=8 << 20)

    result = compiled(place, limits, "-c", "big.c", "small.c")

    assert isinstance(result.outcome, Ended)
    assert (result.outcome.status, cause(result, limits)) == (0, None)
    assert result.outcome.written_bytes >= 3_000_000
