"""By which names a compiler calls the files of a unit, as far as a scan can tell."""

import pytest

from fleetcc.agent.pump_names import Question, names
from fleetcc.agent.scans import Scan
from fleetcc.backends.link import PumpUnfitError
from fleetcc.includes.closure import Closure
from fleetcc.includes.unit import Search, absolute
from fleetcc.wire.files import Entry, Link

CWD = b"/p/build"


def called(
    *files: bytes,
    source: bytes = b"/p/src/a.c",
    angled: tuple[bytes, ...] = (b"/p/inc",),
    quote: tuple[bytes, ...] = (),
    forced: tuple[bytes, ...] = (),
    system: tuple[bytes, ...] = (),
    links: dict[bytes, Entry] | None = None,
) -> dict[bytes, bytes | None]:
    """What is said of the files of a closure whose first one is the source."""
    whole = absolute(CWD, source)
    closure = Closure(dict.fromkeys((whole, *files)), frozenset(), ())
    scan = Scan(closure, (), Search(quote, (*angled, b"/usr/include")))
    asked = Question(CWD, source, forced, system, (b"/usr/include",))
    return names(asked, scan, links or {})


def test_absolute_names_are_told_and_the_compilers_own_headers_left_out() -> None:
    found = called(b"/p/inc/a.h", b"/p/src/beside.h", b"/usr/include/stdio.h")
    assert found == {name: name for name in (b"/p/src/a.c", b"/p/inc/a.h", b"/p/src/beside.h")}


def test_relative_names_need_not_be_told() -> None:
    found = called(b"/p/build/../inc/a.h", b"/p/build/b.h", source=b"../src/a.c", angled=(b"../inc", b"."))
    assert found == {b"/p/src/a.c": None, b"/p/inc/a.h": None, b"/p/build/b.h": None}


def test_a_file_is_sent_at_its_real_place_and_called_by_its_spelling() -> None:
    found = called(b"/p/inc/link/../a.h", links={b"/p/inc/link": Link(b"/q/r")})
    assert found[b"/q/a.h"] == b"/p/inc/link/../a.h"


def test_links_may_be_relative_and_go_in_circles() -> None:
    links: dict[bytes, Entry] = {b"/p/inc": Link(b"../q"), b"/p/loop": Link(b"loop")}
    assert called(b"/p/inc/a.h", links=links, quote=(b"../loop",))[b"/q/a.h"] == b"/p/inc/a.h"


def test_a_forced_file_is_called_as_the_option_spells_it() -> None:
    found = called(b"/p/build/config.h", b"/f/forced.h", forced=(b"config.h", b"/f/forced.h"))
    assert found[b"/p/build/config.h"] is None
    assert found[b"/f/forced.h"] == b"/f/forced.h"


UNFIT = {
    "relative or absolute": ([b"/p/build/inc/a.h"], {"source": b"a.c", "angled": (b"/p/build/inc",)}),
    "an odd search directory": ([b"/p/inc/a.h"], {"angled": (b"/p/./inc",)}),
    "an odd source": ([], {"source": b"/p//src/a.c"}),
    "nobody knows from where": ([b"/elsewhere/a.h"], {}),
    "two absolute names": ([b"/p/inc/sub/../a.h", b"/p/inc/a.h"], {}),
    "two places for one file": ([b"/p/inc/a.h", b"/p/build/x/a.h"],
                                {"quote": (b"x",), "links": {b"/p/build/x": Link(b"/p/inc")}}),
    "canonical names": ([b"/p/inc/a.h"], {"system": (b"/p/inc",), "links": {b"/p/inc": Link(b"/q")}}),
    "precompiled": ([b"/p/inc/a.h", b"/p/inc/a.h.gch"], {}),
    "one of several precompiled": ([b"/p/inc/a.h", b"/p/inc/a.h.gch/x"], {}),
    "higher than the root": ([], {"angled": (b"../../../x",)}),
    "a source that the host has itself": ([], {"source": b"/usr/include/a.c"}),
}  # fmt: skip


@pytest.mark.parametrize(("files", "more"), UNFIT.values(), ids=UNFIT)
def test_what_cannot_be_told_is_unfit(files: list[bytes], more: dict[str, object]) -> None:
    with pytest.raises(PumpUnfitError):
        called(*files, **more)  # type: ignore[arg-type]


def test_two_relative_names_are_both_right() -> None:
    found = called(b"/p/build/x/../a.h", b"/p/build/a.h", source=b"a.c", angled=(b".",))
    assert found[b"/p/build/a.h"] is None
