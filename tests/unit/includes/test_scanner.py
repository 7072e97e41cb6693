# ruff: noqa: E501 - files and texts of a case stand together
import pytest

from fleetcc.includes import Scanner
from tests.support.memory_disk import MemoryDisk
from tests.support.scanning import names, reasons, scanned, unit

SOURCE = "/w/main.c"


def test_quoted_names_are_looked_for_beside_the_includer_then_along_the_path():
    disk = MemoryDisk({
        SOURCE: '#include "sub/a.h"', "/w/sub/a.h": '#include "b.h"\n#include "c.h"\n#include <b.h>',
        "/w/sub/b.h": "", "/w/b.h": "", "/q/c.h": "", "/i/b.h": "", "/i/c.h": "",
    })  # fmt: skip
    found = scanned(disk, quote=["/q"], angled=["/i"])
    assert found == {SOURCE, "/w/sub/a.h", "/w/sub/b.h", "/q/c.h", "/i/b.h"}


def test_the_source_comes_first():
    disk = MemoryDisk({SOURCE: '#include "a.h"', "/w/a.h": ""})
    closure = Scanner(disk).scan(unit(forced=["a.h"]))
    assert next(iter(closure.files)) == SOURCE.encode()


def test_directories_are_taken_from_the_working_directory_and_dots_kept():
    disk = MemoryDisk({"/w/s/m.c": '#include "../a.h"\n#include <b.h>', "/w/a.h": "", "/w/i/b.h": ""})
    found = scanned(disk, source="s//m.c", angled=["./s/../i//"])
    assert found == {"/w/s/m.c", "/w/s/../a.h", "/w/a.h", "/w/s/../i/b.h"}


def test_dots_are_taken_as_the_kernel_takes_them():
    disk = MemoryDisk({SOURCE: '#include "l/../a.h"', "/w/a.h": "", "/x/a.h": "", "/x/d/e": ""})
    disk.link("/w/l", "/x/d")
    disk.begin()
    found = scanned(disk)
    assert found == {SOURCE, "/w/l/../a.h"}
    assert Scanner(disk).scan(unit()).files[b"/w/l/../a.h"] == disk.file(b"/x/a.h")


def test_a_first_component_that_is_missing_ends_a_name():
    disk = MemoryDisk({SOURCE: '#include "no/../a.h"', "/w/a.h": ""})
    assert scanned(disk) == {SOURCE}


def test_directories_are_no_headers():
    disk = MemoryDisk({SOURCE: "#include <a>", "/i/a/x": "", "/j/a": ""})
    assert scanned(disk, angled=["/i", "/j"]) == {SOURCE, "/j/a"}


@pytest.mark.parametrize("name", ["a/", "a/.", "a/..", ".", "", "a\0b", "x" * 5000])
def test_odd_names_are_no_files(name):
    disk = MemoryDisk({SOURCE: f'#include <{name}>\n#include "{name}"\n', "/i/a/b": ""})
    assert scanned(disk, angled=["/i"]) == {SOURCE}


def test_include_next_goes_on_behind_the_directory_of_its_file():
    disk = MemoryDisk({
        SOURCE: "#include <a.h>", "/i/a.h": "#include_next <a.h>", "/j/a.h": "#include_next <a.h>",
        "/k/a.h": "#include_next <b.h>", "/i/b.h": "", "/l/b.h": "",
    })  # fmt: skip
    found = scanned(disk, angled=["/i", "/j", "/k", "/l"])
    assert found == {SOURCE, "/i/a.h", "/j/a.h", "/k/a.h", "/l/b.h"}


def test_one_header_met_at_two_places_has_two_next_ones():
    disk = MemoryDisk({
        SOURCE: '#include <a.h>\n#include "../j/a.h"', "/i/a.h": "", "/j/a.h": "#include_next <a.h>", "/k/a.h": "",
    })  # fmt: skip
    assert scanned(disk, angled=["/j", "/k"]) >= {"/j/a.h", "/k/a.h"}
    assert scanned(disk, angled=["/i", "/j", "/k"]) >= {"/i/a.h", "/w/../j/a.h"}


def test_include_next_of_a_file_beside_its_includer_begins_the_path_anew():
    disk = MemoryDisk(
        {SOURCE: '#include "d/a.h"', "/w/d/a.h": "#include_next <b.h>", "/q/b.h": "", "/i/b.h": ""}
    )
    assert scanned(disk, quote=["/q"], angled=["/i"]) == {SOURCE, "/w/d/a.h", "/q/b.h", "/i/b.h"}


def test_absolute_names_are_taken_as_they_are():
    disk = MemoryDisk({SOURCE: '#include "/a/x.h"\n#include </a//./y.h>', "/a/x.h": "", "/a/y.h": ""})
    assert scanned(disk) == {SOURCE, "/a/x.h", "/a/y.h"}


def test_without_the_includers_directory():
    disk = MemoryDisk({SOURCE: '#include "a.h"', "/w/a.h": "", "/q/a.h": ""})
    assert scanned(disk, quote=["/q"], includer_first=False) == {SOURCE, "/q/a.h"}


def test_forced_includes_are_looked_for_in_the_working_directory_first():
    disk = MemoryDisk(
        {"/w/s/m.c": "", "/w/a.h": '#include "c.h"', "/w/s/a.h": "", "/q/b.h": "", "/w/c.h": ""}
    )
    found = scanned(disk, source="s/m.c", quote=["/q"], forced=["a.h", "b.h", "/w/s/a.h"])
    assert found == {"/w/s/m.c", "/w/a.h", "/w/c.h", "/q/b.h", "/w/s/a.h"}


def test_what_the_compiler_includes_itself():
    disk = MemoryDisk({SOURCE: "", "/i/stdc-predef.h": ""})
    assert scanned(disk, angled=["/i"]) == {SOURCE, "/i/stdc-predef.h"}


def test_precompiled_forms_are_taken_where_the_header_would_be():
    disk = MemoryDisk({
        SOURCE: "#include <a.h>\n#include <b.h>", "/i/a.h.gch": "", "/j/a.h": "", "/j/a.h.gch/one": "",
        "/j/a.h.gch/two": "", "/w/f.h.pch": "", "/j/b.h": "", "/k/b.h.gch": "",
    })  # fmt: skip
    found = scanned(disk, angled=["/i", "/j", "/k"], forced=["f.h"])
    assert found == {
        SOURCE, "/i/a.h.gch", "/j/a.h", "/j/a.h.gch/one", "/j/a.h.gch/two", "/w/f.h.pch", "/j/b.h",
    }  # fmt: skip


def test_what_is_only_looked_at_is_there_but_not_read():
    disk = MemoryDisk({
        SOURCE: '#if __has_include(<a.h>)\n#embed "d.bin"\n#embed <e.bin>\n#pragma GCC dependency "p.y"\nasm(".incbin \\"i.bin\\"");',
        "/i/a.h": "#include <z.h>", "/i/z.h": "", "/w/d.bin": "#include <z.h>", "/e/e.bin": "", "/w/p.y": "",
        "/w/i.bin": "#include <z.h>",
    })  # fmt: skip
    found = scanned(disk, angled=["/i"], embed=["/e"])
    assert found == {SOURCE, "/i/a.h", "/w/d.bin", "/e/e.bin", "/w/p.y", "/w/i.bin"}
    assert b"/w/d.bin" not in disk.reads


def test_assembler_sources_include_twice():
    disk = MemoryDisk({
        "/w/m.S": '#include "a.h"\n.include "b.s"\n.incbin FILE\n', "/w/a.h": '#define FILE "f.bin"',
        "/i/b.s": '#include "a2.h"\n.incbin "g.bin"', "/w/f.bin": "", "/i/g.bin": "", "/i/a2.h": "",
    })  # fmt: skip
    found = scanned(disk, source="m.S", language=b"assembler-with-cpp", angled=["/i"])
    assert found == {"/w/m.S", "/w/a.h", "/i/b.s", "/w/f.bin", "/i/g.bin"}


def test_computed_includes_use_definitions_of_every_file():
    disk = MemoryDisk({
        SOURCE: '#include "config.h"\n#include HEADER\n', "/w/config.h": "#define HEADER DIR_HEADER(x)\n#include <d.h>",
        "/i/d.h": "#define DIR_HEADER(n) <dir/n.h>", "/i/dir/x.h": "#define LATE <y.h>\n#include LATE2",
        "/i/y.h": "#define LATE2 <z.h>\n", "/i/z.h": "",
    })  # fmt: skip
    assert scanned(disk, angled=["/i"]) == {SOURCE, "/w/config.h", "/i/d.h", "/i/dir/x.h"}
    disk.write("/i/dir/x.h", "#include LATE\n#define LATE <y.h>\n#include LATE2")
    disk.tick()
    assert scanned(disk, angled=["/i"]) >= {"/i/y.h", "/i/z.h"}


def test_computed_includes_use_the_command_line():
    disk = MemoryDisk({SOURCE: "#include HDR\n#include F(b)\n", "/w/foo.h": "", "/i/b.h": ""})
    found = scanned(disk, angled=["/i"], definitions=['HDR="foo.h"', "F(x)=<x.h>"])
    assert found == {SOURCE, "/w/foo.h", "/i/b.h"}


def test_a_file_includes_itself_by_its_name():
    disk = MemoryDisk(
        {SOURCE: '#include "s/i.h"', "/w/s/i.h": "#include __FILE__\n#define ME __FILE__\n#include ME\n"}
    )
    assert scanned(disk) == {SOURCE, "/w/s/i.h"}


BOOST_PP = {
    "/b/cat.hpp": "#if X\n#define CAT(a, b) CAT_I(a, b)\n#define CAT_I(a, b) a ## b\n"
    "#else\n#define CAT(a, b) CAT_O((a, b))\n#define CAT_O(t) CAT_I ## t\n#endif\n",
    "/b/inc.hpp": "#define INC(x) INC_I(x)\n#define INC_I(x) INC_ ## x\n"
    + "".join(f"#define INC_{i} {i + 1}\n" for i in range(20)),
    "/b/array.hpp": "#define ARRAY_ELEM(i, a) ARRAY_I(i, ARRAY_E a)\n#define ARRAY_I(i, d) TUPLE_ELEM(i, d)\n"
    "#define ARRAY_E(s, d) d\n#define TUPLE_ELEM(i, t) CAT(ELEM_, i) t\n"
    + "".join(f"#define ELEM_{i}(a, b, c) {'abc'[i]}\n" for i in range(3)),
    "/b/iterate.hpp": '#include "cat.hpp"\n#include "inc.hpp"\n#include "array.hpp"\n#define DEPTH() 0\n'
    "#define ITERATE() CAT(ITERATE_, INC(DEPTH()))\n#define ITERATE_1 <forward1.hpp>\n#define ITERATE_2 <forward2.hpp>\n",
    "/b/forward1.hpp": "#if defined(LIMITS_1)\n#define FILENAME_1 ARRAY_ELEM(2, PARAMS_1)\n#endif\n"
    "#include FILENAME_1\n#undef DEPTH\n#define DEPTH() 1\n#include FILENAME_1\n",
    "/b/forward2.hpp": "#include FILENAME_2\n",
}


def test_a_preprocessor_library_iterates():
    disk = MemoryDisk({
        **BOOST_PP,
        SOURCE: '#include <iterate.hpp>\n#ifndef AGAIN\n#define AGAIN\n#define PARAMS_1 (3, (0, 9, "body.h"))\n'
        '#include ITERATE()\n#define FILENAME_2 "self.h"\n#include ITERATE()\n#else\n#endif',
        "/w/body.h": "", "/w/self.h": "",
    })  # fmt: skip
    expected = {SOURCE, *BOOST_PP, "/w/body.h", "/w/self.h"}
    disk.write("/b/forward1.hpp", "#define FILENAME_1 ARRAY_ELEM(2, PARAMS_1)\n#include FILENAME_1\n")
    disk.link("/b/body.h", "/w/body.h")
    disk.link("/b/self.h", "/w/self.h")
    disk.tick()
    found = scanned(disk, angled=["/b"])
    assert found == (expected - {"/w/body.h", "/w/self.h"}) | {"/b/body.h", "/b/self.h"}


def test_names_are_put_together_for_every_compiler():
    disk = MemoryDisk({
        SOURCE: "#define HEADER and.hpp\n#include <pre.hpp>\n",
        "/b/pre.hpp": "#if X\n#define DIR gcc\n#else\n#define DIR plain\n#endif\n#define S(x) T(x)\n#define T(x) #x\n"
        "#define NAME DIR/HEADER\n#include S(mpl/NAME)\n",
        "/b/mpl/gcc/and.hpp": "", "/b/mpl/plain/and.hpp": "", "/b/mpl/msvc/and.hpp": "",
    })  # fmt: skip
    found = scanned(disk, angled=["/b"])
    assert found == {SOURCE, "/b/pre.hpp", "/b/mpl/gcc/and.hpp", "/b/mpl/plain/and.hpp"}


def test_a_name_of_the_compilers_own_macros_is_a_doubt():
    text = "#define S(x) T(x)\n#define T(x) #x\n#include S(gcc-__GNUC__.h)\n"
    closure = Scanner(MemoryDisk({SOURCE: text, "/w/gcc-12.h": ""})).scan(unit())
    assert reasons(closure) == {"computed-include"}
    assert closure.unresolved[0].detail == "/w/main.c:3: S(gcc-__GNUC__.h)"


def test_a_macro_that_nobody_defines_is_no_doubt():
    assert scanned(MemoryDisk({SOURCE: "#ifdef USER_CONFIG\n#include USER_CONFIG\n#endif"})) == {SOURCE}


def test_uses_of_a_macro_that_looks_for_headers_are_found():
    disk = MemoryDisk({
        SOURCE: '#include "has.h"\n#if HAS(<a.h>) || HAS_BOTH("b.h", c)\n#endif\n', "/i/a.h": "", "/i/b.h": "", "/w/c.h": "",
        "/w/has.h": "#ifdef __has_include\n#define HAS(x) __has_include(x)\n#define HAS_BOTH(y, z) HAS(y) && HAS(C)\n"
        '#endif\n#define C "c.h"\n',
    })  # fmt: skip
    assert scanned(disk, angled=["/i"]) == {SOURCE, "/w/has.h", "/i/a.h", "/i/b.h", "/w/c.h"}


def test_modules_are_a_doubt_where_the_language_has_them():
    disk = MemoryDisk({SOURCE: '#include "a.h"', "/w/a.h": "import <vector>;\n"})
    assert reasons(Scanner(disk).scan(unit())) == {"modules"}
    assert reasons(Scanner(disk).scan(unit(language=b"c"))) == set()


def test_a_source_that_is_missing_is_a_doubt_until_it_is_there():
    disk = MemoryDisk({"/w/x": ""})
    scanner = Scanner(disk)
    assert reasons(scanner.scan(unit())) == {"unreadable"}
    disk.write(SOURCE)
    disk.tick()
    assert names(scanner.scan(unit())) == {SOURCE}


def test_a_search_directory_that_is_a_file_is_a_doubt():
    disk = MemoryDisk({SOURCE: "", "/w/x.hmap": ""})
    assert reasons(Scanner(disk).scan(unit(angled=["x.hmap"]))) == {"header-map"}


def test_every_directory_that_was_consulted_is_told():
    disk = MemoryDisk({SOURCE: "#include <a/b.h>", "/j/a/b.h": "", "/i/a/c": ""})
    closure = Scanner(disk).scan(unit(angled=["/no", "/i", "/j", "/k"]))
    assert closure.directories == {b"/no", b"/i", b"/i/a", b"/j", b"/j/a", b"/k"}


def test_files_that_include_each_other_end():
    disk = MemoryDisk({SOURCE: '#include "a.h"', "/w/a.h": '#include "b.h"', "/w/b.h": '#include "a.h"'})
    assert scanned(disk) == {SOURCE, "/w/a.h", "/w/b.h"}


def test_headers_that_include_each_other_across_directories_end():
    texts = {
        f"/w/{each}/x.h": "".join(f'#include "../{other}/x.h"\n' for other in "abcdefgh")
        for each in "abcdefgh"
    }
    disk = MemoryDisk({SOURCE: '#include "a/x.h"', **texts})
    found = scanned(disk)
    assert found >= {SOURCE, *texts, "/w/a/../b/x.h"}
    assert len(found) < 100


def test_links_that_lead_back_end():
    disk = MemoryDisk(
        {SOURCE: '#include "self/x.h"', "/w/x.h": '#include "self/y.h"', "/w/y.h": '#include "self/x.h"'}
    )
    disk.link("/w/self", ".")
    disk.begin()
    found = scanned(disk)
    assert found >= {SOURCE, "/w/self/x.h", "/w/self/self/y.h"}
    assert len(found) < 100


def test_a_way_round_over_a_link_is_no_shorter_path():
    disk = MemoryDisk({
        SOURCE: '#include "l/../s/x.h"', "/w/s/x.h": "#include_next <no.h>", "/v/d/e": "",
        "/v/s/x.h": '#include "y.h"', "/v/s/y.h": "",
    })  # fmt: skip
    disk.link("/w/l", "/v/d")
    disk.begin()
    assert scanned(disk) == {SOURCE, "/w/l/../s/x.h", "/w/l/../s/y.h"}
