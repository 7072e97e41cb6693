import pytest

from fleetcc.includes.macros import definitions

DEFINED = {
    "#define A 1\n#define A 1\n# define A(x) x\n": {"A": [None, ("x",)]},
    "  #\tdefine\tA": {"A": [None]},
    # a line that is only a # and a comment
    "# /* c\n#  * #define B\n#  */\n#define A\n": {"A": [None]},
    "#/* c */ \n#define A\n/**/": {"A": [None]},
    "# /* c */": {},
    # what looks like one
    'char *s = "# /*";\n#define A\n/* c */\n': {"A": [None]},
    "// # /*\n#define A\n/* c */\n": {"A": [None]},
    "/* a\n# /*/\n#define A\n/* c */\n": {"A": [None]},
    "# /*/ b\n */ define A\n": {"A": [None]},
    'auto s = R"(\n# /*\n)";\n#define A\n/* c */\n': {"A": [None]},
    # comments within
    "#/* c\n */define A\n": {"A": [None]},
    "#define/* c\n */A\n": {"A": [None]},
    "# /* c */ /* d */ define A\n": {"A": [None]},
    "%:define A\n": {"A": [None]},
}


@pytest.mark.parametrize(("text", "macros"), DEFINED.items(), ids=map(repr, DEFINED))
def test_definitions_are_found_whatever_comments_are_beside_them(text, macros):
    found = definitions(text.encode())
    assert {name.decode(): [_names(macro.parameters) for macro in found[name]] for name in found} == macros


def _names(parameters):
    return None if parameters is None else tuple(name.decode() for name in parameters)


def test_a_definition_may_go_on_behind_a_comment():
    (macro,) = definitions(b"#define A <a/* c\n */b.h>\n")[b"A"]
    assert b"".join(token for _, token in macro.pieces) == b"<a b.h>"
