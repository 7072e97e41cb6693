"""Answers of gcc and clang drivers, taken apart."""

import os

from fleetcc.toolchain.files_questions import (
    gcc_installations,
    include_directories,
    parse_commands,
    translation_directories,
)

GCC = rb"""Using built-in specs.
COLLECT_GCC=gcc
COLLECT_GCC_OPTIONS='-c' '-mtune=generic'
 /usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet x.c -D "X=\"a b\"" "-mtune=generic" -o /tmp/x.s
COLLECT_GCC_OPTIONS='-c'
 as --64 -o x.o /tmp/x.s
"""
CLANG = rb"""Debian clang version 14.0.6
InstalledDir: /usr/bin
 (in-process)
 "/usr/lib/llvm 14/bin/clang" "-cc1" "-D" "X=\"\\\"" "x.c"
"""
STORY = b"""Found candidate GCC installation: /usr/bin/../lib/gcc/x86_64-linux-gnu/12
Selected GCC installation: /usr/bin/../lib/gcc/x86_64-linux-gnu/12
ignoring nonexistent directory "/include"
#include "..." search starts here:
 /quoted
#include <...> search starts here:
 /usr/lib/gcc/include
 /usr/include
End of search list.
# 1 "/dev/null"
"""


def test_the_commands_of_gcc_are_found_with_their_words():
    cc1, assembler = parse_commands(GCC)
    assert cc1[0] == b"/usr/lib/gcc/x86_64-linux-gnu/12/cc1"
    assert cc1[3:6] == (b"-D", b'X="a b"', b"-mtune=generic")
    assert assembler == (b"as", b"--64", b"-o", b"x.o", b"/tmp/x.s")


def test_the_commands_of_clang_are_found_with_their_words():
    assert parse_commands(CLANG) == [(b"/usr/lib/llvm 14/bin/clang", b"-cc1", b"-D", b'X="\\"', b"x.c")]


def test_bytes_that_are_no_text_survive():
    assert parse_commands(b' "/opt/\xff/cc1" "-quiet"\n') == [(b"/opt/\xff/cc1", b"-quiet")]


def test_built_in_directories_and_installations_are_read_from_the_story():
    assert include_directories(STORY) == [b"/usr/lib/gcc/include", b"/usr/include"]
    assert gcc_installations(STORY) == [b"/usr/bin/../lib/gcc/x86_64-linux-gnu/12"]
    assert include_directories(b"no such lines\n") == []


def test_translations_are_where_the_compiler_was_configured_to_look(tmp_path):
    place = tmp_path / "share/locale"
    place.mkdir(parents=True)
    story = b"Configured with: ../configure --enable-nls --prefix=%b --with-x\n" % os.fsencode(tmp_path)
    assert translation_directories(story) == (os.fsencode(place),)
    assert translation_directories(b"Configured with: ../configure --prefix=/no/such\n") == ()
