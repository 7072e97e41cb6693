"""Real compilers in a root that holds nothing but their files: the bytes of a plain run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fleetcc.sandbox.outcome import Ended
from tests.interop.sandbox_support import USERS, Place, compile_helper, hand_over, open_folder
from tests.support.compiler_tree import copy_into, files_of

SOURCE = """#include <stdio.h>
#include <stddef.h>
#include "own.h"
int main(void) { printf("%s %s %zu" __FILE__ "\\n", OWN, __func__, offsetof(struct own, b)); return 0; }
"""
HEADER = """#pragma once
#define OWN "own"
struct own { int a; char b; };
"""
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]


@pytest.fixture(params=USERS, ids=lambda user: "root" if user == 0 else "ordinary")
def user(request):
    """Who runs it."""
    return request.param


@pytest.mark.parametrize("compiler", COMPILERS)
def test_outputs_are_those_of_a_plain_run(user, compiler):
    with open_folder() as folder:
        sources = folder / "src"
        sources.mkdir()
        (sources / "x.c").write_text(SOURCE)
        (sources / "own.h").write_text(HEADER)
        argv = [compiler, "-O2", "-g", "-MD", "-save-temps=obj", "-c", "x.c", "-o", "x.o"]
        (folder / "tree").mkdir()
        copy_into(folder / "tree", files_of(compiler, sources / "x.c"))
        copy_into(folder / "tree", [str(sources / "x.c"), str(sources / "own.h")])
        compile_helper(folder / "fleetcc-sandbox")
        hand_over(folder, user)
        spoken, plain = run_plainly(argv, sources)
        place = Place(user, folder / "fleetcc-sandbox", folder / "tree")

        spec = place.spec(
            program=b"/usr/bin/" + compiler.encode(),
            argv=tuple(map(os.fsencode, argv)),
            environment=tuple(f"{name}={value}".encode() for name, value in ENVIRONMENT.items()),
            cwd=os.fsencode(sources),
        )
        result = place.run(spec, (spec.cwd,))

    assert isinstance(result.outcome, Ended), result
    assert (result.stdout, result.outcome.status) == (spoken, 0)
    assert {os.path.basename(path): content for path, (_, content) in result.files.items()} == plain
    assert {mode for mode, _ in result.files.values()} == {0o644}
    assert {b"x.o", b"x.d", b"x.i", b"x.s"} <= plain.keys()


def run_plainly(argv: list[str], sources: Path) -> tuple[bytes, dict[bytes, bytes]]:
    before = set(os.listdir(sources))
    done = subprocess.run(
        argv, cwd=sources, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
    )
    new = set(os.listdir(sources)) - before
    return done.stdout, {os.fsencode(name): (sources / name).read_bytes() for name in new}
