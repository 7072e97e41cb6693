"""Which files a text says that it was made of."""

from fleetcc.includes.directives import marked_files


def test_markers_and_line_directives_name_files_once() -> None:
    text = (
        b'# 1 "a.c"\n# 1 "/cwd//"\n# 1 "<built-in>"\n #line 7 "gram.y" \n# 3 "gram.y" 2\nint x; // # 4 "no"\n'
    )
    assert marked_files(text) == (b"a.c", b"<built-in>", b"gram.y")


def test_escapes_are_taken_back() -> None:
    assert marked_files(b'# 1 "a\\\\b\\"c.y"\n') == (b'a\\b"c.y',)


def test_a_text_without_markers_names_nothing() -> None:
    assert marked_files(b"int x;\n#define line 1\n# 5\n") == ()
