"""Which language a source is in."""

import pytest

from fleetcc.command.languages import Kind, kind_of, suffix_of
from fleetcc.model import Language, Reason


@pytest.mark.parametrize(
    ("source", "named", "cxx_driver", "kind"),
    [
        (b"a.c", None, False, Kind(Language.C)),
        (b"a.c", None, True, Kind(Language.CXX)),
        (b"a.i", None, False, Kind(Language.C, preprocessed=True)),
        (b"a.i", None, True, Kind(Language.CXX)),
        (b"a.C", None, False, Kind(Language.CXX)),
        (b"a.mii", None, False, Kind(Language.OBJCXX, preprocessed=True)),
        (b"a.c", b"c++", False, Kind(Language.CXX)),
        (b"a", b"cpp-output", False, Kind(Language.C, preprocessed=True)),
        (b"a.h", None, True, Reason.HEADER_INPUT),
        (b"a.S", None, False, Reason.ASSEMBLER_INPUT),
        (b"a.c", b"c-header", False, Reason.HEADER_INPUT),
        (b"a.c", b"ada", False, Reason.UNKNOWN_LANGUAGE),
        (b"a", None, False, Reason.UNKNOWN_LANGUAGE),
        (b"a.o", None, False, Reason.UNKNOWN_LANGUAGE),
    ],
)
def test_a_source_is_of_the_kind_that_the_drivers_see(
    source: bytes, named: bytes | None, cxx_driver: bool, kind: Kind | Reason
) -> None:
    assert kind_of(source, named, cxx_driver=cxx_driver) == kind


@pytest.mark.parametrize(
    ("path", "suffix"),
    [(b"a.c", b"c"), (b"d.x/a", b""), (b".c", b""), (b"a.b.cc", b"cc"), (b"a.", b""), (b"x/.a.c", b"c")],
)
def test_a_suffix_follows_the_last_dot_of_a_name(path: bytes, suffix: bytes) -> None:
    assert suffix_of(path) == suffix
