"""Real command lines with real compilers: preprocessed mode gives the plain compiler's files, or stays."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from fleetcc.command.analysis import Compilation, LocalOnly
from fleetcc.model import Reason
from tests.interop.command_line_cases import BEST, CASES, SPOKE
from tests.interop.command_line_sources import SOURCES
from tests.interop.command_line_support import run_plainly, run_remotely, verdict_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the sources above."""
    top = tmp_path_factory.mktemp("project") / "work"
    for name, text in SOURCES.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("obj", "di.r"):
        (top / name).mkdir()
    for command in (
        "gcc -E a.c -o pre.i",
        "gcc -g -E a.c -o preg.i",
        "g++ -E s.cpp -o pre.ii",
        "g++ -g -E s.cpp -o preg.ii",
        "gcc -E a.c -o pre.txt -x c",
        "clang -E a.c -o prec.i",
        "clang++ -E s.cpp -o prec.ii",
    ):
        subprocess.run(shlex.split(command), cwd=top, check=False, capture_output=True)
    return top


@pytest.mark.parametrize(("line", "expected"), CASES, ids=[line for line, _ in CASES])
def test_a_command_line_leaves_what_the_plain_compiler_leaves(
    line: str, expected: str | Reason, folder: Path, tmp_path: Path
) -> None:
    argv = [os.fsencode(word) for word in shlex.split(line.replace("$PWD", str(folder)))]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]!r} is not installed")
    verdict = verdict_of(argv, folder)
    if isinstance(expected, Reason):
        if isinstance(verdict, LocalOnly):
            assert verdict.reason is expected
        else:
            assert (verdict.exact_forms, expected) == ((), Reason.DEBUG_COLUMNS)
        return
    assert isinstance(verdict, Compilation), verdict
    assert verdict.exact_forms
    plain = run_plainly(argv, folder)
    for form in verdict.exact_forms:
        server = tmp_path / form.value
        server.mkdir()
        remote = run_remotely(verdict, form, folder, server)
        if expected == SPOKE or (expected == BEST and plain.spoken and form is verdict.exact_forms[0]):
            assert remote.status or remote.spoken
            continue
        if expected == BEST and form is not verdict.exact_forms[0]:
            assert remote.files == plain.files
            continue
        assert (plain.status, plain.spoken) == (0, b"")
        assert (remote.status, remote.spoken) == (0, b"")
        assert remote.files.keys() == plain.files.keys()
        assert [name for name in plain.files if plain.files[name] != remote.files[name]] == []
