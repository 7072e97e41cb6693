"""Outputs of an earlier run: a compiler that fails removes them or not, and there as at home."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fleetcc.sandbox.outcome import Ended, NotStarted, Stage
from tests.interop.sandbox_support import USERS, Place, Result, compile_helper, hand_over, open_folder
from tests.support.compiler_tree import copy_into, files_of

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
SOURCES = {
    "ok.c": "int x;\n",
    "compiler.c": "int f(void) { return undeclared; }\n",
    "preprocessor.c": '#include "missing.h"\n',
    "assembler.c": 'asm("garbage");\n',
}
OPTIONS = {
    "object": ("-c", "-o", "build/x.o"),
    "object and dependencies": ("-c", "-MMD", "-o", "build/x.o"),
    "assembly": ("-S", "-o", "build/x.o"),
    "temporary files": ("-c", "-save-temps=obj", "-o", "build/x.o"),
    "an object through pipes": ("-c", "-pipe", "-o", "build/x.o"),
}
OLD = ("build/x.o", "build/x.d", "build/x.s", "build/x.i")
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]


@pytest.fixture(scope="module", params=USERS, ids=lambda user: "root" if user == 0 else "ordinary")
def user(request):
    """Who runs it."""
    return request.param


@pytest.fixture(scope="module", params=COMPILERS)
def place(request, user):
    """A tree with a compiler and the sources."""
    with open_folder() as folder:
        compile_helper(folder / "fleetcc-sandbox")
        sources = folder / "src"
        sources.mkdir()
        for name, text in SOURCES.items():
            (sources / name).write_text(text)
        (folder / "tree").mkdir()
        copy_into(folder / "tree", files_of(request.param, sources / "ok.c"))
        copy_into(folder / "tree", [str(sources / name) for name in SOURCES])
        hand_over(folder, user)
        yield request.param, Place(user, folder / "fleetcc-sandbox", folder / "tree")


def fill(sources: Path) -> None:
    shutil.rmtree(sources / "build", ignore_errors=True)
    (sources / "build").mkdir()
    for name in OLD:
        (sources / name).write_text("old\n")
        os.utime(sources / name, (1, 1))


def left_in(sources: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (sources / "build").iterdir()}


def run_in_sandbox(place: Place, sources: Path, argv: list[str]) -> Result:
    spec = place.spec(
        program=b"/usr/bin/" + argv[0].encode(),
        argv=tuple(map(os.fsencode, argv)),
        environment=tuple(f"{name}={value}".encode() for name, value in ENVIRONMENT.items()),
        cwd=os.fsencode(sources),
        existing=tuple(os.fsencode(sources / name) for name in OLD),
    )
    return place.run(spec, (spec.cwd,))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_directory_is_afterwards_as_the_local_compiler_leaves_it(place, source, options):
    compiler, sandboxed = place
    sources = sandboxed.tree.parent / "src"
    argv = [compiler, *options, source]
    fill(sources)
    local = subprocess.run(argv, cwd=sources, env=ENVIRONMENT, capture_output=True, check=False)
    expected = left_in(sources)
    fill(sources)

    result = run_in_sandbox(sandboxed, sources, argv)

    assert isinstance(result.outcome, Ended), result
    assert os.waitstatus_to_exitcode(result.outcome.status) == local.returncode
    for path in result.removed:
        os.unlink(path)
    for path, (_, content) in result.files.items():
        Path(os.fsdecode(path)).write_bytes(content)
    assert left_in(sources) == expected
    assert {os.fsdecode(path) for path in result.removed}.isdisjoint(map(os.fsdecode, result.files))


NO_PLACES = (b"/dev/fd/x", b"/dev/shm/x", b"/dev/null", b"/usr/bin", b"relative", b"/a/../x")


@pytest.mark.parametrize("wrong", NO_PLACES)
def test_a_place_where_no_output_can_be_is_refused(place, wrong):
    _, sandboxed = place
    spec = sandboxed.spec("exit", "0", existing=(wrong,), cwd=b"/")

    outcome = sandboxed.run(spec, (b"/",)).outcome

    assert isinstance(outcome, NotStarted)
    assert outcome.stage is Stage.EXISTING


def test_a_link_of_the_tree_is_not_followed_on_the_way(place):
    _, sandboxed = place
    target = sandboxed.tree.parent / "outside"
    target.mkdir(exist_ok=True)
    target.chmod(0o777)
    link = sandboxed.tree / "link"
    if not link.is_symlink():
        link.symlink_to(target)

    outcome = sandboxed.run(sandboxed.spec("exit", "0", existing=(b"/link/x.o",), cwd=b"/"), (b"/",)).outcome

    assert isinstance(outcome, NotStarted)
    assert outcome.stage is Stage.EXISTING
    assert list(target.iterdir()) == []
