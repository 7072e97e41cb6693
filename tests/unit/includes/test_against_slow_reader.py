# ruff: noqa: E501 - files and texts of a case stand together
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcc.includes.directives import parse
from fleetcc.includes.parsed import Dialect, Kind
from tests.support import slow_reader

PIECES = (
    '#include "a.h"', "#include <b.h>", "#", " ", "include", "include_next <c.h>", "import", '"d.h"', "<e.h>", "\n", "\n",
    "\n#", "/*", "*/", "//", "\\\n", "\\  \n", "\\", '"', "'", 'R"(', ')"', 'u8R"x(', ')x"', "x", "0", "embed ", "<", ">",
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join))
def test_whatever_the_phases_make_of_a_text_is_found(text):
    parsed = parse(text.encode(), Dialect.C)
    found = {("include", f'"{name.decode()}"') for name in parsed.quoted}
    found |= {("include", f"<{name.decode()}>") for name in parsed.angled}
    kinds = {Kind.NEXT: "include_next", Kind.EMBED: "embed"}
    for kind, name, quoted in parsed.others:
        found.add((kinds.get(kind, kind.value), f'"{name.decode()}"' if quoted else f"<{name.decode()}>"))
    # Where a text has raw strings, it is read as a language that has them.
    for raw_strings in (True,) if 'R"' in text else (True, False):
        expected = slow_reader.names(text, raw_strings=raw_strings)
        assert {("include" if word == "import" else word, name) for word, name in expected} <= found
