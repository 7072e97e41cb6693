# ruff: noqa: E501 - files and texts of a case stand together
"""After any edits a scanner that remembers says what one without memory says."""

from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fleetcc.includes import Scanner
from tests.support.memory_disk import MemoryDisk
from tests.support.scanning import names, unit

SOURCE = "/w/main.c"


@pytest.fixture
def disk():
    return MemoryDisk(
        {SOURCE: '#include "a.h"\n#include <b.h>', "/w/a.h": "", "/j/b.h": "", "/i/x": "", "/w/o/x": ""}
    )


UNIT: Final = unit(angled=["/i", "/j"])


def test_nothing_changed_gives_the_same_object(disk):
    scanner = Scanner(disk)
    closure = scanner.scan(UNIT)
    disk.tick()
    assert scanner.scan(UNIT) is closure


def test_names_that_nobody_asked_for_change_nothing(disk):
    scanner = Scanner(disk)
    closure = scanner.scan(UNIT)
    reads = len(disk.reads)
    for name in ("/w/main.o", "/i/c.h", "/j/b.hpp", "/w/new/a.h"):
        disk.write(name)
        disk.tick()
        assert scanner.scan(UNIT) is closure
    disk.remove("/w/main.o")
    disk.tick()
    assert scanner.scan(UNIT) is closure
    assert len(disk.reads) == reads


def test_an_edited_header_is_read_again_and_no_other(disk):
    scanner = Scanner(disk)
    closure = scanner.scan(UNIT)
    disk.reads.clear()
    disk.write("/j/b.h", '#include "c.h"')
    disk.write("/j/c.h")
    disk.tick()
    changed = scanner.scan(UNIT)
    assert changed is not closure
    assert names(changed) == names(closure) | {"/j/c.h"}
    assert disk.reads == [b"/j/b.h", b"/j/c.h"]


def test_a_header_may_be_written_twice_in_one_tick(disk):
    scanner = Scanner(disk)
    disk.write("/w/a.h", "#include <c.h>")
    disk.write("/i/c.h")
    disk.write("/i/d.h")
    disk.begin()
    assert "/i/c.h" in names(scanner.scan(UNIT))
    disk.write("/w/a.h", "#include <d.h>")
    disk.begin()
    assert names(scanner.scan(UNIT)) == {SOURCE, "/w/a.h", "/j/b.h", "/i/d.h"}


@pytest.mark.parametrize(
    ("path", "content"), [("/i/b.h", ""), ("/w/a.h.gch", ""), ("/j/b.h.gch", ""), ("/i/stdc-predef.h", "")]
)
def test_a_new_file_that_a_compiler_would_take_is_noticed(disk, path, content):
    scanner = Scanner(disk)
    scanner.scan(UNIT)
    disk.write(path, content)
    disk.tick()
    assert path in names(scanner.scan(UNIT))
    disk.remove(path)
    disk.tick()
    assert path not in names(scanner.scan(UNIT))


def test_a_directory_that_appears_is_noticed(disk):
    scanner = Scanner(disk)
    here = unit(angled=["/new", "/j"])
    scanner.scan(here)
    disk.write("/new/b.h")
    disk.tick()
    assert "/new/b.h" in names(scanner.scan(here))


def test_what_a_link_leads_to_comes_and_goes(disk):
    disk.link("/i/b.h", "/gen/b.h")
    disk.link("/w/a.h.gch", "/gen/pch")
    disk.tick()
    scanner = Scanner(disk)
    before = names(scanner.scan(UNIT))
    assert before == {SOURCE, "/w/a.h", "/j/b.h"}
    disk.write("/gen/b.h")
    disk.write("/gen/pch/one")
    disk.tick()
    assert names(scanner.scan(UNIT)) == {SOURCE, "/w/a.h", "/i/b.h", "/w/a.h.gch/one"}
    disk.remove("/gen")
    disk.tick()
    assert names(scanner.scan(UNIT)) == before


def test_a_link_on_the_way_may_be_led_elsewhere(disk):
    texts = {
        "/v/s/x.h": '#include "y.h"',
        "/w/s/x.h": '#include "y.h"',
        "/v/s/y.h": "",
        "/w/s/y.h": "",
        "/v/d/e": "",
    }
    for path, text in texts.items():
        disk.write(path, text)
    disk.write(SOURCE, '#include "l/../s/x.h"')
    disk.link("/w/l", "/w/s")
    disk.tick()
    scanner = Scanner(disk)
    assert names(scanner.scan(UNIT)) == {SOURCE, "/w/l/../s/x.h", "/w/s/x.h", "/w/s/y.h"}
    disk.remove("/w/l")
    disk.link("/w/l", "/v/d")
    disk.tick()
    assert names(scanner.scan(UNIT)) == {SOURCE, "/w/l/../s/x.h", "/w/l/../s/y.h"}


def test_units_share_what_was_parsed(disk):
    scanner = Scanner(disk)
    scanner.scan(UNIT)
    disk.write("/w/other.c", '#include "a.h"\n#include <b.h>')
    disk.tick()
    disk.reads.clear()
    scanner.scan(unit("/w/other.c", angled=["/i", "/j"]))
    assert disk.reads == [b"/w/other.c"]


def test_memory_is_bounded(disk, monkeypatch):
    monkeypatch.setattr("fleetcc.includes.scanner.MAX_NODES", 10)
    monkeypatch.setattr("fleetcc.includes.scanner.MAX_UNITS", 3)
    scanner = Scanner(disk)
    for number in range(20):
        disk.write(f"/w/{number}.c", '#include "a.h"')
        disk.tick()
        assert names(scanner.scan(unit(f"/w/{number}.c"))) == {f"/w/{number}.c", "/w/a.h"}
        assert scanner.size <= (4, 14)


FILES: Final = tuple(f"{d}/{n}" for d in ("/w", "/i", "/j", "/j/s") for n in ("a.h", "b.h", "c.h", "b.h.gch"))
LINES: Final = (
    '#include "a.h"', '#include "b.h"', "#include <a.h>", "#include <b.h>", '#include "s/c.h"', "#include <s/../c.h>",
    "#include_next <a.h>", "#include_next <b.h>", "#include M", "#include M2", '#define M "b.h"', "#define M <c.h>",
    "#define M2 N(c.h)", "#define N(x) #x", "#if __has_include(<c.h>)", "#if __has_include(M)", "// x", "/*", "*/",
    "#define HAS(x) __has_include(x)", '#if HAS("b.h")', '#include "../j/s/a.h"', '#include "l/../a.h"', '#include "l/b.h"',
)  # fmt: skip


class Edits(RuleBasedStateMachine):
    """One disk, edited; one scanner that remembers."""

    @initialize()
    def start(self) -> None:
        self.disk = MemoryDisk({SOURCE: '#include "a.h"\n#include M\n', "/i/x": "", "/j/s/x": ""})
        self.scanner = Scanner(self.disk)
        self.units = (
            unit(angled=["/i", "/j"]),
            unit(quote=["/j/s"], angled=["/j", "/i"], forced=["b.h"], definitions=["M=<a.h>"]),
            unit("/i/a.h", angled=["/j", "/i"]),
        )

    @rule(path=st.sampled_from((SOURCE, *FILES)), lines=st.lists(st.sampled_from(LINES), max_size=4))
    def write(self, path: str, lines: list[str]) -> None:
        self.disk.remove(path)
        self.disk.write(path, "\n".join(lines))

    @rule(path=st.sampled_from((SOURCE, *FILES, "/w/l")))
    def remove(self, path: str) -> None:
        self.disk.remove(path)

    @rule(path=st.sampled_from(FILES), to=st.sampled_from((*FILES, "/no", "/j/s")))
    def link(self, path: str, to: str) -> None:
        self.disk.remove(path)
        self.disk.link(path, to)

    @rule(
        path=st.sampled_from(("/w/l", "/i/l", "/j/s/l")), to=st.sampled_from(("/i", "/j/s", ".", "..", "/no"))
    )
    def lead(self, path: str, to: str) -> None:
        self.disk.remove(path)
        self.disk.link(path, to)

    @rule(path=st.sampled_from(FILES), to=st.sampled_from(FILES))
    def move(self, path: str, to: str) -> None:
        self.disk.move(path, to)

    @rule(path=st.sampled_from(("/w/x.o", "/i/y.o", "/j/s/z.o")))
    def build(self, path: str) -> None:
        self.disk.write(path)

    @rule()
    def tick(self) -> None:
        self.disk.tick()

    @rule(rank=st.integers(0, 2))
    def scan_only(self, rank: int) -> None:
        self.disk.begin()
        self.scanner.scan(self.units[rank])

    @invariant()
    def memory_changes_nothing(self) -> None:
        self.disk.begin()
        for each in self.units:
            closure, fresh = self.scanner.scan(each), Scanner(self.disk).scan(each)
            assert closure.files == fresh.files
            assert closure.directories == fresh.directories
            assert set(closure.unresolved) == set(fresh.unresolved)
            assert self.scanner.scan(each) is closure


TestEdits = Edits.TestCase
TestEdits.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
