import pytest

from fleetcc.includes.directives import parse
from fleetcc.includes.parsed import Dialect, Kind, Parsed

NAMES = {
    # plain
    '#include "a.h"': {'"a.h"'},
    "#include <a/b.h>": {"<a/b.h>"},
    "  #\t include\f<a.h> // c": {"<a.h>"},
    '#include"a.h"junk': {'"a.h"'},
    '#import "a.h"': {'"a.h"'},
    "#include <it's.h>": {"<it's.h>"},
    "#include <a//b.h>": {"<a//b.h>"},
    '#include "a/*b.h"\n#include "c.h"': {'"a/*b.h"', '"c.h"'},
    '\ufeff#include "a.h"': {'"a.h"'},
    '#include "no\n#include "b.h"': {'"b.h"', 'include ="no'},
    "#included <a.h>": set(),
    'x #include "a.h"': set(),
    # comments
    '/* c */ #include "a.h"': {'"a.h"'},
    '/* c\n c */ #include "a.h"': {'"a.h"'},
    '#/* c */include/* d */"a.h"': {'"a.h"'},
    '# /* c\n */ include /* d\n */ "a.h"': {'"a.h"'},
    '/*\n#include "a.h"\n*/\n#include "b.h"': {'"b.h"'},
    # a # with nothing but a comment
    '# /* c\n# include "a.h"\n#  */\n#include "b.h"': {'"b.h"'},
    '# /* c */ /*\n#include "a.h"\n*/\n#include "b.h"': {'"b.h"'},
    '# /* c\n*/ include "a.h"\n': {'"a.h"'},
    '/* c\n# /*/\n#include "a.h"\n/* d */\n': {'"a.h"'},
    '// # /*\n#include "a.h"\n/* c */\n': {'"a.h"'},
    'char *s = "# /*";\n#include "a.h"\n/* c */\n': {'"a.h"'},
    'auto s = R"(\n# /*\n)";\n#include "a.h"\n/* c */\n': {'"a.h"'},
    "# /* c": set(),
    '// foo/*.h\n#include "a.h"\n': {'"a.h"'},
    '// foo \\\n#include "a.h"\n': set(),
    'char *s = "/*";\n#include "a.h"\n': {'"a.h"'},
    "int c = '\"'; /*\n#include \"a.h\"\n*/": set(),
    "int n = 1'000'000; /*\n#include \"a.h\"\n*/": set(),
    "int n = 1'000;\n#include \"a.h\"\n// '": {'"a.h"'},
    "#if 0\ndon't\n#endif\n#include \"a.h\"": {'"a.h"'},
    # splices
    '#incl\\\nude "a.h"': {'"a.h"'},
    '#\\\n  include \\\n <a.\\\nh>': {"<a.h>"},
    '#include \\  \n"a.h"': {'"a.h"'},
    '#include \\\r\n"a.h"\r\n': {'"a.h"'},
    '/\\\n*\n#include "a.h"\n*\\\n/\n#include "b.h"': {'"b.h"'},
    '#define X \\\n#include "a.h"\n': set(),
    # digraphs, trigraphs
    '%:include "a.h"': {'"a.h"'},
    '  %: /**/ include "a.h"': {'"a.h"'},
    '??=include "a.h"': {'"a.h"'},
    '// what??/\n#include "a.h"': {'"a.h"'},  # a comment goes on only where there are trigraphs
    # a lone return ends a line for clang
    'int x;\r#include "a.h"\r': {'"a.h"'},
    # raw strings
    'auto s = R"(\n#include "a.h"\n)";\n#include "b.h"': {'"b.h"'},
    'auto s = u8R"x(\n)"\n#include "a.h"\n)x";\n#include "b.h"': {'"b.h"'},
    'auto s = FOOR"(\n#include "a.h"\n//)"\n': {'"a.h"'},
    'auto s = R"(/*)";\n#include "b.h"': {'"b.h"'},
    # R"(" is a whole string where there are no raw ones
    'f(R"(" x\n#include "a.h"\n")");\n#include "b.h"': {'"a.h"', '"b.h"'},
    # others
    "#include_next <a.h>": {"include_next <a.h>"},
    '#embed "a.bin" limit(3)': {'embed "a.bin"'},
    "#if __has_include(<a.h>) && __has_include ( \"b.h\" )": {"__has_include <a.h>", '__has_include "b.h"'},
    "#if defined(__has_include) && __has_include(<a.h>)": {"__has_include <a.h>"},
    "#if __has_include_next(<a.h>)": {"__has_include_next <a.h>"},
    "#if __has_embed(<a.h>)": {"embed <a.h>"},
    "#if __has_include /* c */ (<a.h>)": {"__has_include <a.h>"},
    "#define HAS __has_include(<a.h>)": {"__has_include <a.h>"},
    "#ifndef __has_include\n#define __has_include(x) 0\n#endif": set(),
    '#pragma GCC dependency "a.y"': {'__has_include "a.y"'},
    '_Pragma("GCC dependency \\"a.y\\"")': {'__has_include "a.y"'},
    'asm(".incbin \\"a.bin\\"\\n.incbin \\"b.bin\\"");': {'.incbin "a.bin"', '.incbin "b.bin"'},
    'asm(R"(\n  .incbin "a.bin"\n)");': {'.incbin "a.bin"'},
    'asm(".include \\"a.s\\"");': {'.include "a.s"'},
    "x.include(y); x.incbin = 1; // .incbin": set(),
    # computed
    "#include A(b) // c": {"include =A(b)"},
    "#include /* c */ A": {"include =A"},
    "#if __has_include(A(b) c)": {"__has_include =A(b) c"},
    "#define HAS(x) __has_include(x)": {"__has_include =x"},
    "/* __has_include(x) */": set(),
}  # fmt: skip


@pytest.mark.parametrize(("text", "names"), NAMES.items(), ids=map(repr, NAMES))
def test_every_name_is_found_and_no_hidden_one(text, names):
    assert found(parse(text.encode(), Dialect.C)) == names


@pytest.mark.parametrize(("text", "names"), NAMES.items(), ids=map(repr, NAMES))
def test_what_stands_before_and_behind_changes_nothing(text, names):
    surroundings = b"/* a */\nint a;\n" + text.encode().removeprefix(b"\xef\xbb\xbf") + b"\n#include <z>\n"
    if text.count("/*") == text.count("*/"):
        assert found(parse(surroundings, Dialect.C)) == names | {"<z>"}


def test_the_assembler_has_no_raw_strings():
    text = b'R"(\n#include "a.h"\n)"'
    assert found(parse(text, Dialect.ASSEMBLER)) == {'"a.h"'}


def test_an_assembler_source_names_files_without_escapes():
    text = b'  .incbin "a.bin", 3\n .include "b.s"\n .incbin FILE\n'
    assert found(parse(text, Dialect.ASSEMBLER)) == {'.incbin "a.bin"', '.include "b.s"', ".incbin =FILE"}


def test_what_the_assembler_includes_has_no_directives():
    parsed = parse(b'#include "a.h"\n.incbin "b"\n.incbin "\\name"\n', Dialect.PLAIN_ASSEMBLER)
    assert found(parsed) == {'.incbin "b"'}
    assert [doubt.slug for doubt, _, _ in parsed.doubts] == ["assembler-file"]


@pytest.mark.parametrize(
    "text",
    ['asm(".incbin \\"" FILE "\\"");', '#define WORD ".incbin"', 'asm(".include \\"" FILE "\\"");'],
)
def test_a_name_for_the_assembler_that_is_put_together_is_a_doubt(text):
    assert [doubt.slug for doubt, _, _ in parse(text.encode(), Dialect.C).doubts] == ["assembler-file"]


@pytest.mark.parametrize(
    "text",
    [
        "import <vector>;", 'import "a.h";', "export import a.b;", "  import :part;", "@import Foundation;",
        "#pragma clang module import a", "int x;\nimport a;",
    ],
)  # fmt: skip
def test_imports_are_told(text):
    assert len(parse(text.encode(), Dialect.C).imports) == 1


@pytest.mark.parametrize("text", ["/*\nimport a;\n*/", "import(a);", "int import = 3;", "importer a;"])
def test_what_only_looks_like_an_import_is_none(text):
    assert parse(text.encode(), Dialect.C).imports == []


def test_a_source_may_declare_a_module():
    text = b"// c\nmodule;\n#include <a>\nexport module a.b;\n"
    assert len(parse(text, Dialect.SOURCE).imports) == 1
    assert parse(text, Dialect.C).imports == []
    assert parse(b"int module;\n", Dialect.SOURCE).imports == []


def test_a_computed_name_has_its_line():
    parsed = parse(b"\n/* c */\n#include A\n", Dialect.C)
    assert [each.line for each in parsed.computed] == [3]


def found(parsed: Parsed) -> set[str]:
    """Everything in short: kind (none for a plain #include) and name."""
    result = {f'"{name.decode()}"' for name in parsed.quoted}
    result |= {f"<{name.decode()}>" for name in parsed.angled}
    for kind, name, quoted in parsed.others:
        prefix = "" if kind is Kind.INCLUDE else kind.value + " "
        result.add(prefix + (f'"{name.decode()}"' if quoted else f"<{name.decode()}>"))
    return result | {f"{each.kind.value} ={each.operand.decode()}" for each in parsed.computed}


@pytest.mark.parametrize(
    "text", [b'#line 3 "gram.y"\n', b'int x;\n # line 3 "gram.y" // more\n', b'int x;\n# 3 "gram.y" 2\n']
)
def test_the_file_that_a_line_directive_names_is_shown_in_messages(text):
    assert (Kind.LINE, b"gram.y", True) in parse(text, Dialect.C).others
