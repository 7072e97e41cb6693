"""Dependency files whose lines another machine has broken, and those of the compilers here."""

import subprocess
from pathlib import Path

import pytest

from fleetcc.agent.pump_rule import local_rule
from fleetcc.model import Family

NAMES = ["a.h", "b" * 40 + ".h", "c" * 60 + ".h", "d" * 17 + ".h", "e" * 69 + ".h", "f" * 90 + ".h", "g.h"]
TARGETS = [[], ["-MT", "t" * 71], ["-MT", "t" * 40, "-MQ", "u" * 33], ["-MT", "t" * 40, "-MT", "u" * 60]]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("targets", TARGETS, ids=["own", "long", "two", "two long"])
@pytest.mark.parametrize("more", [[], ["-MP"]], ids=["", "phony"])
def test_lines_are_broken_as_the_compiler_breaks_them(
    tmp_path: Path, compiler: str, targets: list[str], more: list[str]
) -> None:
    family = Family.CLANG if compiler == "clang" else Family.GCC
    for count in range(len(NAMES) + 1):
        for name in NAMES[:count]:
            (tmp_path / name).write_text("")
        (tmp_path / "s.c").write_text("".join(f'#include "{name}"\n' for name in NAMES[:count]))
        command = [compiler, "-MMD", "-MF", "x.d", *targets, *more, "-E", "s.c", "-o", "out"]
        subprocess.run(command, cwd=tmp_path, check=True)
        wanted = (tmp_path / "x.d").read_bytes()
        one_line = b" ".join(wanted.replace(b"\\\n", b" ").partition(b"\n")[0].split())
        phony = wanted.replace(b"\\\n", b"").partition(b"\n")[2]
        assert local_rule(one_line + b"\n" + phony, family) == wanted
        words = one_line.replace(b" ", b" \\\n ")
        assert local_rule(words + b"\n" + phony, family) == wanted


ODD = (
    b"",
    b"a.o: b.c",
    b"a.o\n",
    b"a.o: b\\ c.h\n",
    b"a.o: b$$.h\n",
    b"a.o: \\#.h\n",
    b": b.c\n",
    b"a.o: b.c\t\n",
)


@pytest.mark.parametrize("rule", ODD)
def test_what_may_be_written_in_several_ways_is_not_told(rule: bytes) -> None:
    assert local_rule(rule, Family.GCC) is None
