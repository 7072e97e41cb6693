# ruff: noqa: E501 - files and texts of a case stand together
"""What the scanner finds, beside what compilers say with -M that they read."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from random import Random

import pytest

from fleetcc.includes import Scanner, Search, Unit
from fleetcc.model import Family
from tests.support.os_disk import OsDisk

COMPILERS = [name for name in ("gcc", "g++", "clang", "clang++") if shutil.which(name)]

# name: (files, options), where `main` stands for the source. A missed file is one that -M names and we do not.
CASES: Mapping[str, tuple[Mapping[str, str], tuple[str, ...]]] = {
    "splices": (
        {"main": '#inc\\\nlude "a.h"\n#\\\ninclude <b.\\\nh>\n/\\\n* #include "x.h" *\\\n/ #include "c.h"\n',
         "a.h": "", "b.h": "", "c.h": ""}, ("-I.",)),
    "splices with blanks and returns": (
        {"main": '#include \\ \t\n"a.h"\r\n#\\\r\ninclude "b.h"\r\n// x \\\r\n#include "no.h"\r\n', "a.h": "", "b.h": ""}, ()),
    "comments": (
        {"main": '/* */ # /* \n */ include /**/ "a.h" /*\n*/ #include "b.h"\n//*\n#include "c.h"\n"/*"\n#include "d.h"\n',
         "a.h": "", "b.h": "", "c.h": "", "d.h": ""}, ()),
    "quotes": (
        {"main": "#if 0\ndon't /*\n#endif\n#include \"a.h\"\n#if 0\n*/\n#endif\nint c = '\"'; // '\n#include \"b.h\"\n",
         "a.h": "", "b.h": ""}, ()),
    "names with quotes": ({"main": "#include <it's.h>\n#include <a//b.h>\n#include \"c'd.h\"\n", "it's.h": "", "a/b.h": "",
                           "c'd.h": ""}, ("-I.",)),
    "digraphs": ({"main": '%: include "a.h"\n  %:/**/include "b.h"\n', "a.h": "", "b.h": ""}, ()),
    "trigraphs": ({"main": '??=include "a.h"\n// what??/\n#include "b.h"\n', "a.h": "", "b.h": ""}, ("-trigraphs",)),
    "no trigraphs": ({"main": '// what??/\n#include "b.h"\n', "b.h": ""}, ()),
    "mark": ({"main": '\ufeff#include "a.h"\n', "a.h": "\ufeff\n#include <b.h>", "b.h": ""}, ("-I.",)),
    "feeds": ({"main": '\f#\v include\f"a.h"\n', "a.h": ""}, ()),
    "raw strings": (
        {"main": 'auto a = R"(\n"/*)";\n#include "a.h"\nauto b = u8R"x(\n)"\n#include "no.h"\n)x";\n#include "b.h"\n',
         "a.h": "", "b.h": "", "no.h": ""}, ("-std=c++17",)),
    "no raw strings": ({"main": '#define R "r"\nconst char *a = R"(";\n#include "a.h"\nconst char *b = R")";\n', "a.h": ""},
                       ("-ansi",)),
    "separators": ({"main": "int a = 1'000'000; /*'*/\n#include \"a.h\"\n", "a.h": ""}, ("-std=c++17",)),
    "import": ({"main": '#import "a.h"\n#import "a.h"\n', "a.h": ""}, ("-w",)),
    "chains of next": (
        {"main": '#include <a.h>\n#include "w.h"\n', "i/a.h": "#include_next <a.h>", "j/a.h": "#include_next <a.h>\n",
         "k/a.h": "#include_next <b.h>", "i/b.h": "", "l/b.h": "", "w.h": "#include_next <c.h>", "q/c.h": "", "l/c.h": ""},
        ("-iquote", "q", "-Ii", "-Ij", "-isystem", "k", "-idirafter", "l")),
    "next in the source": ({"main": '#include_next "a.h"\n#include_next <b.h>\n', "a.h": "", "i/b.h": ""}, ("-Ii",)),
    "next beside": ({"main": '#include "d/a.h"\n', "d/a.h": '#include "b.h"\n', "d/b.h": "#include_next <b.h>", "i/b.h": ""},
                    ("-Ii",)),
    "dots": ({"main": '#include "d/../a.h"\n#include "./b.h"\n', "d/x": "", "a.h": "", "b.h": ""}, ()),
    "dots through a link": ({"main": '#include "l/../a.h"\n', "x/d/y": "", "x/a.h": '#include "b.h"', "x/b.h": "",
                             "a.h": '#error\n', "l": "->x/d"}, ()),
    "linked header": ({"main": '#include "a.h"\n', "a.h": "->d/a.h", "d/a.h": '#include "b.h"\n', "b.h": "", "d/b.h": ""}, ()),
    "forced": ({"main": "", "f.h": '#include "g.h"\n', "g.h": "#define H <h.h>\n", "i/h.h": "", "i/k.h": "#include H\n"},
               ("-include", "f.h", "-include", "k.h", "-Ii")),
    "macros only": ({"main": "#include H\n", "f.h": '#define H "h.h"\n', "h.h": ""}, ("-imacros", "f.h")),
    "computed": (
        {"main": '#define DIR d\n#define CAT(a, b) a/b\n#define S(x) T(x)\n#define T(x) #x\n#include S(CAT(DIR, a.h))\n'
                 "#define L <i.h>\n#include L\n#define ANGLE(x) <x>\n#include ANGLE(j.h)\n", "d/a.h": "", "i.h": "", "j.h": ""},
        ("-I.",)),
    "computed by options": ({"main": "#include H\n#include F(b)\n", "a.h": "", "b.h": ""}, ('-DH="a.h"', "-DF(x)=<x.h>", "-I.")),
    "computed by pasting": (
        {"main": "#define A(x) B(x)\n#define B(x) HDR_##x\n#define HDR_2 \"two.h\"\n#define N 2\n#include A(N)\n", "two.h": ""}, ()),
    "computed late": (
        {"main": '#define FIRST "a.h"\n#include FIRST\n#include SECOND\n', "a.h": '#define SECOND <b.h>\n', "b.h":
         "#define THIRD(...) __VA_ARGS__\n#include THIRD(<c.h>)\n", "c.h": ""}, ("-I.",)),
    "itself": ({"main": '#include "s/i.h"\n', "s/i.h": "#ifndef I\n#define I\n#include __FILE__\n#else\n#include \"k.h\"\n#endif\n",
                "s/k.h": ""}, ("-I.",)),
    "iteration": (
        {"main": '#define PARAMS (3, (0, 2, "body.h"))\n#include "iter.h"\n#include ITERATE()\n',
         "iter.h": "#define CAT(a, b) CAT_I(a, b)\n#define CAT_I(a, b) a ## b\n#define INC(x) CAT(INC_, x)\n#define INC_0 1\n"
                   "#define ITERATE() CAT(ITERATE_, INC(DEPTH()))\n#define DEPTH() 0\n#define ITERATE_1 <forward1.h>\n"
                   "#define ELEM(i, t) ELEM_I(i, t)\n#define ELEM_I(i, t) ELEM_##i t\n#define ELEM_2(a, b, c) c\n"
                   "#define ELEM_1(a, b) b\n#define ARRAY(i, a) ELEM(i, ELEM(1, a))\n",
         "forward1.h": "#define FILENAME ARRAY(2, PARAMS)\n#include FILENAME\n", "body.h": ""}, ("-I.",)),
    "preprocessed headers": (
        {"main": "#define HEADER and.h\n#include <pre.h>\n#undef HEADER\n#define HEADER or.h\n#include <pre.h>\n",
         "pre.h": "#if defined(__clang__)\n#define DIR clang\n#elif defined(__GNUC__)\n#define DIR gcc\n#endif\n"
                  "#define S(x) S_A((x))\n#define S_A(x) S_I x\n#define S_I(x) #x\n#include S(mpl/DIR/HEADER)\n",
         "mpl/gcc/and.h": "", "mpl/clang/and.h": "", "mpl/gcc/or.h": "", "mpl/clang/or.h": ""}, ("-I.",)),
    "probes": (
        {"main": '#if __has_include(<a.h>) && __has_include("b.h") && !__has_include(<no.h>)\n#include <a.h>\n#endif\n'
                 "#define HAS(x) __has_include(x)\n#if HAS(<c.h>)\n#include <c.h>\n#endif\n", "a.h": "", "b.h": "", "c.h": ""},
        ("-I.",)),
    "round and round": (
        {"main": '#include "a/x.h"\n', "a/x.h": '#ifndef A\n#define A\n#include "../b/x.h"\n#endif\n',
         "b/x.h": '#ifndef B\n#define B\n#include "../a/x.h"\n#include "../b/x.h"\n#include "../b/../a/y.h"\n#endif\n',
         "a/y.h": ""}, ()),
    "next beside a file of the path": (
        {"main": "#include <c.h>\n", "i/c.h": '#include "d.h"\n', "i/d.h": '#include "s/e.h"\n', "i/s/e.h": "#include_next <f.h>\n",
         "i/f.h": "", "j/f.h": "", "k/f.h": ""}, ("-Ii", "-Ij", "-Ik")),
    "absolute": ({"main": '#include "@/a.h"\n', "a.h": '#include_next "b.h"\n', "b.h": ""}, ()),
    "without the includer": ({"main": '#include "d/a.h"\n', "d/a.h": '#include "b.h"\n', "d/b.h": "#include <c.h>\n", "c.h": ""},
                             ("-I.",)),
}  # fmt: skip

# Only one language or family can do these.
ONLY = {"raw strings": {"g++", "clang++"}, "separators": {"g++", "clang++"}}


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("case", CASES)
def test_no_file_that_a_compiler_reads_is_missed(case, compiler, tmp_path):
    if compiler not in ONLY.get(case, COMPILERS):
        pytest.skip("the compiler has no such thing")
    files, options = CASES[case]
    source = tree(tmp_path, files, "c++" if "++" in compiler else "c")
    read = dependencies(compiler, [*options, source], tmp_path)
    assert len(read) > 1
    found = scan(compiler, options, source, tmp_path)
    assert missed(read, found) == set()


@pytest.mark.parametrize("compiler", COMPILERS)
def test_headers_of_the_library_are_all_found(compiler, tmp_path):
    headers = (
        ["string", "vector", "thread", "regex"]
        if "++" in compiler
        else ["stdio.h", "limits.h", "pthread.h", "tgmath.h"]
    )
    source = tree(
        tmp_path,
        {"main": "".join(f"#include <{each}>\n" for each in headers)},
        "c++" if "++" in compiler else "c",
    )
    read = dependencies(compiler, [source], tmp_path)
    found = scan(compiler, (), source, tmp_path)
    assert missed(read, found) == set()
    assert len(found) < 3 * len(read)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("seed", range(8))
def test_random_trees(compiler, seed, tmp_path):
    choices = Random(seed)
    files = random_tree(choices)
    options = ("-iquote", "q", "-Ii", "-Ij", "-isystem", "k")
    source = tree(tmp_path, files, "c++" if "++" in compiler else "c")
    read = dependencies(compiler, [*options, source], tmp_path)
    assert missed(read, scan(compiler, options, source, tmp_path)) == set()


def test_a_precompiled_header_that_is_used_is_found(tmp_path):
    source = tree(tmp_path, {"main": '#include "a.h"\n', "a.h": "int a;\n"}, "c")
    subprocess.run(["gcc", "a.h"], cwd=tmp_path, check=True)
    (tmp_path / "a.h").unlink()
    subprocess.run(["gcc", "-c", source], cwd=tmp_path, check=True)
    assert os.fsencode(tmp_path / "a.h.gch") in scan("gcc", (), source, tmp_path)


@pytest.mark.parametrize("compiler", [name for name in COMPILERS if "++" not in name])
def test_what_the_assembler_reads_is_found(compiler, tmp_path):
    source = tree(tmp_path, {"main.S": '#include "a.h"\n.include "b.s"\n.incbin NAME\n', "a.h": '#define NAME "c.bin"\n',
                             "i/b.s": '.incbin "d.bin"\n', "c.bin": "", "i/d.bin": ""}, "assembler-with-cpp")  # fmt: skip
    subprocess.run([compiler, "-Ii", "-c", source], cwd=tmp_path, check=True)
    found = scan(compiler, ("-Ii",), source, tmp_path)
    names = {os.fsdecode(path).removeprefix(f"{tmp_path}/") for path in found}
    assert {"main.S", "a.h", "i/b.s", "c.bin", "i/d.bin"} <= names


def tree(where: Path, files: Mapping[str, str], language: str) -> str:
    """Make files, and links where the content begins with an arrow; the name of the source."""
    source = {"c": "main.c", "c++": "main.cc", "assembler-with-cpp": "main.S"}[language]
    for name, content in files.items():
        path = where / (source if name == "main" else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("->"):
            path.symlink_to(content[2:])
        else:
            path.write_bytes(content.replace("@", str(where)).encode())
    return source


def dependencies(compiler: str, arguments: list[str], where: Path) -> set[bytes]:
    """What the compiler says that it reads, from the root on, `..` kept."""
    answer = subprocess.run([compiler, "-M", *arguments], cwd=where, check=True, capture_output=True).stdout
    words = answer.partition(b":")[2].replace(b"\\\n", b" ").split()
    return {normal(os.path.join(os.fsencode(where), word)) for word in words}


def missed(read: set[bytes], found: set[bytes]) -> set[bytes]:
    """Files that are not among those found, by whichever path."""
    real = {os.path.realpath(path) for path in found}
    return {path for path in read - found if os.path.realpath(path) not in real}


def scan(compiler: str, options: tuple[str, ...], source: str, where: Path) -> set[bytes]:
    """What a new scanner finds, the same way."""
    language = b"assembler-with-cpp" if source.endswith(".S") else b"c++" if source.endswith(".cc") else b"c"
    values = {
        option: [] for option in ("-iquote", "-I", "-isystem", "-idirafter", "-include", "-imacros", "-D")
    }  # type: ignore[var-annotated]
    for option, value in pairs(options):
        values[option].append(value.encode())
    quote, angled = values["-iquote"], values["-I"] + values["-isystem"]
    search = Search(tuple(quote), (*angled, *built_in(compiler), *values["-idirafter"]))
    unit = Unit(
        cwd=os.fsencode(where),
        source=source.encode(),
        search=search,
        language=language,
        forced=(*values["-imacros"], *values["-include"]),
        definitions=tuple(values["-D"]),
        family=Family.CLANG if "clang" in compiler else Family.GCC,
    )
    closure = Scanner(OsDisk()).scan(unit)
    assert closure.unresolved == ()
    return {normal(path) for path in closure.files}


def pairs(options: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Options that matter, and their values."""
    rest = iter(options)
    for option in rest:
        if option[:2] in {"-I", "-D"}:
            yield option[:2], option[2:]
        elif option.startswith("-i"):
            yield option, next(rest)


def normal(path: bytes) -> bytes:
    """Without `//` and `/./`, with `..`."""
    return b"/" + b"/".join(part for part in path.split(b"/") if part not in {b"", b"."})


@cache
def built_in(compiler: str) -> tuple[bytes, ...]:
    """The directories that a compiler searches by itself."""
    command = [compiler, "-E", "-v", "-x", "c++" if "++" in compiler else "c", "/dev/null", "-o", "/dev/null"]
    said = subprocess.run(command, check=True, capture_output=True, env={**os.environ, "LC_ALL": "C"}).stderr
    listed = said.partition(b"<...> search starts here:\n")[2].partition(b"End of search list")[0]
    return tuple(line.strip() for line in listed.splitlines())


def random_tree(choices: Random) -> dict[str, str]:
    """Headers of few names in many directories that include each other at random, guarded and nested."""
    names = [f"{name}.h" for name in "abcd"]
    files = {}
    for directory in ("", "q/", "i/", "j/", "k/", "i/s/", "k/s/"):
        for name in names:
            if choices.random() < 0.7 or directory == "k/":
                files[directory + name] = random_text(choices, names, directory + name)
    files["main"] = random_text(choices, names, "main") + "".join(f'#include "{name}"\n' for name in names)
    return files


def random_text(choices: Random, names: list[str], own: str) -> str:
    guard = "G_" + "".join(char if char.isalnum() else "_" for char in own)
    lines = [f"#ifndef {guard}", f"#define {guard}"]
    for shape in choices.choices(_SHAPES, k=choices.randrange(5)):
        lines += [shape.replace("NAME", choices.choice(names)).replace("GUARD", guard)]
    return "\n".join([*lines, "#endif", ""])


_SHAPES = (
    "#include <NAME>",
    '/* */ # include "NAME"',
    "#if __has_include(<s/NAME>)\n#include <s/NAME>\n#endif",
    '#if __has_include("s/NAME")\n#include "s/NAME"\n#endif',
    "#if defined GUARD && __has_include_next(<NAME>)\n#include_next <NAME>\n#endif",
    "#undef M\n#define M <NAME>\n#include M",
    "#undef M\n#undef N\n#define N(x) #x\n#define M N(NAME)\n#include M",
    '/*\n#include "no.h" */\n#include <NAME>',
)
