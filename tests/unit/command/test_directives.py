"""The text transformation of the directives form."""

import pytest

from fleetcc.command.directives import Prepared, Refusal, included_files, loses_pragmas, prepare

HEAD = (
    b'# 0 "src/a.c"\n# 1 "/home/me//"\n# 0 "<built-in>"\n#define __STDC__ 1\n# 0 "<built-in>"\n'
    b"#define __GNUC__ 12\n"
)
BODY = (
    b'#define N 3\n# 0 "<command-line>"\n# 1 "/usr/include/stdc-predef.h" 1 3 4\n# 0 "<command-line>" 2\n'
    b'# 1 "src/a.c"\n# 1 "h.h" 1\nint h;\n# 2 "src/a.c" 2\nint a = N;\n'
)
TEXT = HEAD + b'# 0 "<command-line>"\n' + BODY


def test_built_in_macros_go_and_the_rest_stays() -> None:
    assert prepare(TEXT) == Prepared(
        b'# 0 "src/a.c"\n# 0 "<built-in>"\n# 0 "<command-line>"\n' + BODY, b"src/a.c", b"/home/me"
    )


def test_names_are_read_without_their_escapes() -> None:
    text = TEXT.replace(b"src/a.c", rb"s\"\\\303\251.c").replace(b"/home/me", rb"/x\ty")
    found = prepare(text)
    assert isinstance(found, Prepared)
    assert found.name == 's"\\é.c'.encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"int a;\n",
        b'# 0 "a.c"\n# 0 "<built-in>"\n',
        HEAD,
        TEXT + b"int t = __LINE__ + sizeof __TIME__;\n",
        TEXT + b"__TIMESTAMP__",
        TEXT + b"__DATE__",
        TEXT + b"__BASE_FILE__",
        TEXT + b"__INCLUDE_LEVEL__",
        TEXT + b'asm(".incbin \\"f\\"");',
        TEXT.replace(b"src/a.c", b"a=b.c"),
        TEXT.replace(b"src/a.c", b"src/a$b.c"),
        TEXT.replace(b"src/a.c", b"src/" + b"a" * 200 + b".c"),
    ],
)
def test_what_would_differ_here_is_refused(text: bytes) -> None:
    assert isinstance(prepare(text), Refusal)


def test_the_files_of_a_text_are_named_once_each() -> None:
    text = TEXT + b'# 1 "h.h" 1\n# 5 "src/a.c" 2\n'
    assert included_files(text) == [b"src/a.c", b"/usr/include/stdc-predef.h", b"h.h"]


@pytest.mark.parametrize(
    "source",
    [
        b'#pragma message "x"',
        b"int a;\n  # pragma redefine_extname a b\n",
        b"%:pragma GCC poison x",
        b"#pragma \\\n  message(1)",
        b'#pragma push_macro("A")\r\n',
    ],
)
def test_pragmas_that_the_form_loses_are_found(source: bytes) -> None:
    assert loses_pragmas(source)


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"int message;",
        b"#pragma once\nint message;\n",
        b"#pragma GCC diagnostic push\nvoid pop_macro();\n",
        b"#pragma pack(1)\n",
    ],
)
def test_other_pragmas_do_no_harm(source: bytes) -> None:
    assert not loses_pragmas(source)
