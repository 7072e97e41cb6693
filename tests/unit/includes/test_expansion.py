# ruff: noqa: E501 - files and texts of a case stand together
import pytest

from fleetcc.includes import expansion
from fleetcc.includes.expansion import Expander, TooManyWaysError, header_names
from fleetcc.includes.macros import definitions, option_macro


def expanded(text: str, operand: str) -> set[str]:
    """Everything that an operand can become."""
    macros = definitions(text.encode())
    results = Expander(lambda word: macros.get(word, ())).expand(operand.encode())
    return {b"".join(result).decode() for result in results}


CASES = {
    ("#define H <a.h>", "H"): {"<a.h>", "H"},
    ("#define G H\n#define H <a.h>", "G"): {"<a.h>", "H", "G"},
    ("#define S(x) #x", "S(a/b.h)"): {'"a/b.h"'},
    ("#define S(x) #x", "S( a  /\tb )"): {'"a / b"'},
    ("#define S(x) T(x)\n#define T(x) #x\n#define D dir", "S(D/b.h)"): {'"dir/b.h"', '"D/b.h"'},
    ("#define T(x) #x\n#define D dir", "T(D/b.h)"): {'"D/b.h"'},
    ("#define C(a, b) a ## b\n#define xy <z.h>", "C(x, y)"): {"<z.h>", "xy"},
    ("#define C(a, b) D(a, b)\n#define D(a, b) a%:%:b\n#define V 1\n#define X1 <z.h>", "C(X, V)"): {
        "<z.h>",
        "X1",
        "XV",
    },
    ("#define F(...) G(__VA_ARGS__, c)\n#define G(a, b, c) <b>", "F(x, y)"): {"<y>"},
    ("#define F(a...) <x##a>", "F(y, z)"): {"<xy,z>"},
    ("#define F(a, ...) G(a, ## __VA_ARGS__)\n#define G(a) <a.h>", "F(x)"): {"<x.h>"},
    ("#define F(a, ...) a __VA_OPT__(<b.h> c) d", "F(x)"): {"x  d"},
    ("#define F(a, ...) a __VA_OPT__(<b.h> c) d", "F(x, y)"): {"x <b.h> c d"},
    ("#define F() <a.h>", "F()"): {"<a.h>"},
    ("#define F(x) <a.h>", "F"): {"F"},
    ("#define G F\n#define F(x) <x.h>", "G(a)"): {"<a.h>", "G(a)"},
    ("#define linux linux\n#define D <linux/a.h>", "D"): {"<linux/a.h>", "D"},
    ("#define a b\n#define b a", "a"): {"a", "b"},
    ("#define A 1 /* c\n c */ \n#define B /* c\n */ <b.h>", "B"): {"<b.h>", "B"},
    ("#define A <a.h> // c", "A"): {"<a.h>", "A"},
    ("#define A \\\n <a\\\n.h>", "A"): {"<a.h>", "A"},
    ("#define/**/A/**/<a.h>", "A"): {"<a.h>", "A"},
    ("%: define A <a.h>", "A"): {"<a.h>", "A"},
    ("#if X\n#define A <a.h>\n#else\n#define A <b.h>\n#endif", "A"): {"<a.h>", "<b.h>", "A"},
    ("#define S(x) #x\n#define A 1\n#define A 2\n#define B A/A", "B"): {"1/1", "2/2", "1/2", "2/1", "A/A", "1/A",
                                                                       "A/1", "2/A", "A/2", "B"},
    ("#define E(x)\n#define A E(", "A)"): {"", "A)"},
}  # fmt: skip


@pytest.mark.parametrize(("text", "operand"), CASES, ids=map(repr, CASES))
def test_an_operand_becomes_all_that_it_can(text, operand):
    results = expanded(text, operand)
    assert results >= {each for each in CASES[text, operand] if each}
    assert {header for header in results if header[:1] in '<"'} <= CASES[text, operand]


@pytest.mark.parametrize(
    "text",
    [
        "#define A (A A)\n#define B A B",
        "#define A B B x\n#define B A A y",
        "#define A(x) A2(x x x)\n#define A2(x) A(x x)",
    ],
)
def test_a_macro_without_end_ends(text):
    try:
        results = expanded(text, "A(z)")
    except TooManyWaysError:
        return
    assert results


def test_too_many_results_are_refused():
    text = "".join(f"#define N{i} {j}\n" for i in range(6) for j in range(9))
    text += "#define S(x) T(x)\n#define T(x) #x\n"
    with pytest.raises(TooManyWaysError):
        expanded(text, "S(N0/N1/N2/N3/N4/N5)")


def test_values_that_stand_anywhere_are_followed_once():
    """Boost.MPL: eleven compilers, and as many names as there are headers."""
    text = "".join(f"#define HEADER h{i}.hpp\n" for i in range(300))
    text += "".join(f"#define COMPILER c{i}\n" for i in range(11))
    text += "#define S(x) T(x)\n#define S(x) T((x))\n#define T(x) #x\n"
    results = expanded(text, "S(mpl/COMPILER/HEADER)")
    assert {f'"mpl/c{i}/h{j}.hpp"' for i in range(11) for j in range(300)} <= results
    assert len(results) < expansion.MAX_RESULTS


@pytest.mark.parametrize(
    ("option", "operand", "result"),
    [
        (b'H="a.h"', b"H", '"a.h"'),
        (b"H=<a.h>", b"H", "<a.h>"),
        (b"F(x)=<x.h>", b"F(a)", "<a.h>"),
        (b"F(x, y)=<y.h>", b"F(a, b)", "<b.h>"),
        (b"H", b"H", "1"),
    ],
)
def test_an_option_defines_a_macro(option, operand, result):
    named = option_macro(option)
    assert named is not None
    name, macro = named
    results = Expander(lambda word: (macro,) if word == name else ()).expand(operand)
    assert result in {b"".join(each).decode() for each in results}


def test_an_option_that_defines_nothing_is_none():
    assert option_macro(b"=1") is None
    assert option_macro(b"1x=1") is None


def test_header_names_are_tried_with_and_without_blanks():
    assert (b"a/b.h", False) in header_names((b" ", b"<", b"a", b" ", b"/", b"b.h", b">", b"x"))
    assert header_names((b'"a.h"', b"x")) == [(b"a.h", True), (b"a.h", True)]
    assert header_names((b"a", b"<b>")) == []
