import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.toolchain.search_dependencies import Dependencies, dependencies, parse_rule


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (b"x.o: x.c a.h\n", (b"x.c", b"a.h")),
        (b"x.o: x.c \\\n a.h \\\r\n b.h\n", (b"x.c", b"a.h", b"b.h")),
        (b"x.o:\\\n x.c\n", (b"x.c",)),
        (b"a\\ b.o: a\\ b.c\n", (b"a b.c",)),
        (b"x.o: a\\\\\\ b.h", (b"a\\ b.h",)),
        (b"x.o: a\\b.h c$$d.h e\\#f.h g:h.h i\\:j.h\n", (b"a\\b.h", b"c$d.h", b"e#f.h", b"g:h.h", b"i:j.h")),
        (b"x.o: x.c x.c\n\na.h:\n", (b"x.c",)),
        (b"x.o: x.c\nx.o: late.h\n", (b"x.c",)),
        (b"C:x.o: x.c\n", (b"x.c",)),
        (b"x.o:\n", ()),
        (b"", ()),
        (b"nothing\n", ()),
    ],
)
def test_reads_the_rule_that_a_compiler_writes(text: bytes, paths: tuple[bytes, ...]) -> None:
    assert parse_rule(text) == paths


@given(st.binary())
def test_garbage_is_some_list(text: bytes) -> None:
    assert all(parse_rule(text))


_NAMES = st.text(st.sampled_from("ab \t$#\\."), min_size=1, max_size=6).filter(
    lambda name: not name.endswith("\\") and name.strip(" \t") == name
)


def _escaped(name: str) -> str:
    """As gcc's manual says that names are written for make."""
    written = ""
    for character in name:
        if character in " \t":
            backslashes = len(written) - len(written.rstrip("\\"))
            written += "\\" * (backslashes + 1)
        elif character == "#":
            written += "\\"
        written += "$$" if character == "$" else character
    return written


@given(st.lists(_NAMES, min_size=1, unique=True))
def test_what_is_escaped_is_read_back(names: list[str]) -> None:
    text = "x.o: " + " \\\n ".join(map(_escaped, names)) + "\n"
    assert parse_rule(text.encode()) == tuple(name.encode() for name in names)


def _script(folder, text: str) -> bytes:
    program = folder / "cc"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return os.fsencode(program)


def test_asks_in_the_jobs_directory_and_lets_nothing_be_written(tmp_path) -> None:
    program = _script(tmp_path, 'echo "x.o: $PWD/$DEPENDENCIES_OUTPUT$LC_ALL/$KEPT"')
    environment = {b"DEPENDENCIES_OUTPUT": b"file", b"KEPT": b"kept"}
    cwd = os.fsencode(tmp_path.resolve())
    assert dependencies(program, [b"cc"], environment, cwd) == Dependencies((cwd + b"/C/kept",))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("echo 'x.c:1: fatal error: a.h: No such file' >&2; echo 'compilation terminated.' >&2; exit 1",
         "exit status 1: x.c:1: fatal error: a.h: No such file"),
        ("echo Sorry >&2; exit 2", "exit status 2: Sorry"),
        ("exit 3", "exit status 3: and not a word"),
        ("kill -SEGV $$", "cc was killed by signal 11"),
        ("echo nonsense", "its -M printed no rule"),
    ],
)  # fmt: skip
def test_a_compiler_that_lists_nothing_says_why(tmp_path, text: str, error: str) -> None:
    answer = dependencies(_script(tmp_path, text), [b"cc"], {}, b"/")
    assert answer.paths is None
    assert answer.error.endswith(error)


def test_no_compiler_is_an_error_too() -> None:
    assert "cannot be run" in dependencies(b"/none/cc", [b"cc"], {}, b"/").error
