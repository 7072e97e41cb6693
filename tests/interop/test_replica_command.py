"""What real compilers read and write for a command, against what the analysis for replica mode says of it.

Every command runs under strace. A file written outside the directories that the analysis names would be lost
on a server; a file read that it does not name, and that no header search finds, would be missing there.
"""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleetcc.command.replica import SCANNED, LocalOnly, Shipment, replica_shipment
from fleetcc.model import Reason
from tests.interop.command_line_cases import CASES
from tests.interop.command_line_sources import SOURCES
from tests.interop.command_line_support import compiler_of

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

# What also travels, beside nearly all of the lines of preprocessed mode.
LINES = [
    # -- files beside the object
    "gcc -save-temps -c a.c -o obj/a.o",
    "gcc -save-temps=obj -g -c lib/b.c -Iinc -o obj/b.o",
    "gcc -save-temps=cwd -c a.c -o obj/a.o",
    "gcc -g -gsplit-dwarf -c a.c -o obj/a.o",
    "gcc -g -gsplit-dwarf -c lib/b.c -Iinc",
    "gcc --coverage -c a.c -o obj/a.o",
    "gcc -ftest-coverage -fprofile-arcs -fprofile-abs-path -c lib/b.c -Iinc",
    "gcc --coverage -fprofile-dir=prof -c a.c -o obj/a.o",
    "gcc --coverage -fprofile-note=$OTHER/a.gcno -c a.c -o obj/a.o",
    "gcc -fprofile-generate=$OTHER -c a.c -o obj/a.o",
    "gcc -fstack-usage -fcallgraph-info=su,da -c a.c -o obj/a.o",
    "gcc -fdump-tree-optimized -fdump-rtl-expand -c a.c -o obj/a.o",
    "gcc -fdump-tree-original=$OTHER/tree -c a.c",
    "gcc -fdump-ipa-all -da -c a.c",
    "gcc -O2 -fopt-info-all=$OTHER/opt.txt -c vector.c -mavx2",
    "gcc -O2 -fsave-optimization-record -c a.c -o obj/a.o",
    "gcc -aux-info $OTHER/a.X -c a.c",
    "gcc -fdump-ada-spec -c a.c",
    "gcc -fdump-go-spec=$OTHER/a.go -c a.c",
    "gcc -dumpdir $OTHER/ -fstack-usage -c a.c",
    "gcc -dumpbase $OTHER/q -fstack-usage -c a.c",
    "gcc -dumpbase q.c -dumpbase-ext .c -fstack-usage -c a.c -o obj/a.o",
    "gcc -Wa,-adhln=$OTHER/a.lst -g -c a.c",
    "gcc -Wa,-al -c a.c",
    "gcc -Xassembler --MD -Xassembler $OTHER/as.d -c a.c",
    "gcc -Wa,-o,$OTHER/a.o -c plain.c",
    "gcc -MD -MF $OTHER/a.d -c a.c -o obj/a.o",
    "gcc -Wp,-MMD,$OTHER/w.d -c a.c -o obj/a.o",
    "gcc -Xpreprocessor -MD -Xpreprocessor $OTHER/x.d -c a.c",
    "gcc -MD -MF /dev/null -c a.c",
    "gcc -c a.c -o $OTHER/a.o -MD -g -gsplit-dwarf --coverage -fstack-usage",
    "gcc -fcompare-debug -c a.c -o obj/a.o",
    "gcc -ftime-report -c plain.c",
    # -- how it is compiled
    "gcc -flto -c a.c",
    "gcc -frecord-gcc-switches -fverbose-asm -S a.c",
    "gcc -P -c a.c",
    "gcc -C -c a.c",
    "gcc -fdirectives-only -c a.c",
    "gcc -no-integrated-cpp -c a.c -o obj/a.o",
    "gcc -g3 -Wunused-macros -Wmultistatement-macros -H -c a.c",
    "gcc -march=native -O2 -c vector.c -mavx2",
    "gcc -fexec-charset=ISO-8859-15 -c utf8.c",
    "gcc -fsanitize=address,undefined -g -c a.c",
    "gcc -fsyntax-only -Wall -MD -MF $OTHER/s.d a.c",
    "gcc -fsyntax-only -c a.c plain.c",
    # -- other sources
    "gcc -c asm.S -MD -o obj/s.o",
    "gcc -g -c asm.s",
    "gcc -x assembler-with-cpp -c asm.S",
    "gcc -x assembler -c asm.s -o obj/t.o",
    "gcc -Wa,-I,lib -c asm.s",
    "gcc -c a.c plain.c -MD",
    "gcc -S a.c lib/b.c -Iinc",
    "gcc -c a.c -x c++ plain.c",
    "gcc h.h",
    "gcc -c lib/l.h -MD",
    "gcc -x c-header forced.h -o obj/forced.h.gch -MD",
    "g++ -x c++-header lib/l.h -o $OTHER/l.h.gch",
    "gcc -I pch -include p.h -c a.c",
    "gcc -I pch -include pch/p.h -c a.c",
    # -- files to read
    "gcc @words.rsp @nested.rsp -c a.c",
    "gcc -Wa,@as.rsp -c plain.c",
    "gcc -specs=my.specs -c a.c",
    "gcc -specs my.specs -c plain.c",
    "gcc -B tools -c plain.c",
    "gcc -O2 -fprofile-use -c counted.c -o obj/counted.o",
    "gcc -O2 -fbranch-probabilities -Wno-missing-profile -c counted.c",
    "gcc -imacros forced.h -include inc/inner.h -c a.c",
    "gcc -iquote lib -idirafter inc -c lib/b.c",
    "gcc -unknown-option=lib/x -c a.c",
    "gcc -fno-such-thing=words.rsp -c a.c",
    # -- clang
    "clang -save-temps -c a.c -o obj/a.o",
    "clang -save-temps=obj -c a.c -o obj/a.o",
    "clang -g -gsplit-dwarf -c a.c -o obj/a.o",
    "clang -g -gsplit-dwarf -c a.c",
    "clang --coverage -c a.c -o obj/a.o",
    "clang --coverage -c lib/b.c -Iinc",
    "clang -fprofile-instr-generate -fcoverage-mapping -c a.c",
    "clang -O2 -fprofile-use=good.profdata -c counted.c",
    "clang -O2 -fprofile-instr-use=. -c counted.c",
    "clang -O2 -fprofile-sample-use=good.prof -c counted.c",
    "clang -fsanitize=address -fsanitize-ignorelist=ignore.txt -c a.c",
    "clang -fsanitize-coverage=trace-pc-guard -fsanitize-coverage-allowlist=ignore.txt -c a.c",
    "clang -fxray-instrument -fxray-attr-list=ignore.txt -c a.c",
    "clang -fstack-usage -c a.c -o obj/a.o",
    "clang -ftime-trace -c a.c -o obj/a.o",
    "clang -O2 -fsave-optimization-record -c a.c -o obj/a.o",
    "clang -O2 -foptimization-record-file=$OTHER/a.yaml -c a.c",
    "clang --serialize-diagnostics $OTHER/a.dia -c warn.c -Wall",
    "clang -MJ $OTHER/a.json -c a.c",
    "clang -emit-llvm -c a.c",
    "clang -emit-llvm -S a.c -o obj/a.ll",
    "clang -flto -c a.c",
    "clang -fembed-bitcode -grecord-command-line -c a.c",
    "clang -Weverything -Wdocumentation -c a.c",
    "clang -no-integrated-as -c a.c",
    "clang -march=native -c a.c",
    "clang -mllvm -info-output-file=$OTHER/info -mllvm -stats -c a.c",
    "clang -Xclang -dependency-file -Xclang $OTHER/dd -Xclang -MT -Xclang x -c a.c",
    "clang -fsyntax-only a.c -MD -MF $OTHER/s.d",
    "clang -c asm.S -MD -o obj/s.o",
    "clang -c asm.s",
    "clang h.h",
    "clang -x c-header forced.h -o obj/forced.pch",
    "clang -include pch/c.h -c a.c",
    "clang -include-pch pch/c.h.pch -c a.c",
    "clang -Xclang -include-pch -Xclang pch/c.h.pch -c a.c",
    "clang -c a.c plain.c -MD",
    "clang @words.rsp -c a.c",
    "clang -c o.m",
    "clang++ -c o.mm -g",
    "clang -g -c a.c -o $OTHER/a.o -gsplit-dwarf --coverage -fstack-usage -ftime-trace -MD",
    "clang -working-option=lib/x -c a.c",
]

# The lines of preprocessed mode that stay in replica mode as well.
STAYS = {
    "gcc -MD -MF - -c plain.c": Reason.STDOUT_OUTPUT,
    "clang -fmodules -c a.c": Reason.MODULES,
    "clang -Xclang -load -Xclang x.so -c a.c": Reason.PLUGIN,
    "clang -arch x86_64 -arch i386 -c a.c": Reason.SEVERAL_ARCHITECTURES,
    "gcc -v": Reason.NOT_A_COMPILE,
    "gcc --version": Reason.NOT_A_COMPILE,
    "gcc -dumpmachine": Reason.NOT_A_COMPILE,
    "gcc -print-search-dirs": Reason.NOT_A_COMPILE,
    "gcc -### -c a.c": Reason.NOT_A_COMPILE,
    "clang --help": Reason.NOT_A_COMPILE,
    "gcc": Reason.NO_INPUT,
    "gcc -c": Reason.NO_INPUT,
    "gcc plain.c": Reason.LINKING,
    "gcc -fprofile-arcs plain.o -o plain": Reason.LINKING,
    "gcc -E a.c": Reason.PREPROCESS_ONLY,
    "gcc -M a.c": Reason.DEPENDENCIES_ONLY,
    "gcc -MM -c a.c": Reason.DEPENDENCIES_ONLY,
    "gcc -x c -c -": Reason.STDIN_INPUT,
    "gcc -c plain.c -o -": Reason.STDOUT_OUTPUT,
    "gcc -c plain.c -o /dev/null": Reason.STDOUT_OUTPUT,
    "gcc -S plain.c -o /dev/stdout": Reason.STDOUT_OUTPUT,
    "gcc -c noext": Reason.UNKNOWN_LANGUAGE,
    "gcc -c fort.f90": Reason.UNKNOWN_LANGUAGE,
    "gcc -x f95 -c fort.f90": Reason.UNKNOWN_LANGUAGE,
    "gcc -c conftest.c": Reason.CONFIGURE_PROBE,
    "gcc @nowhere.rsp -c": Reason.RESPONSE_FILE,
    "gcc -c a.c -o": Reason.UNKNOWN_OPTION,
    "gcc -c a.c -I": Reason.UNKNOWN_OPTION,
    "gcc -c a.c -o x.o -o y.o": Reason.UNKNOWN_OPTION,
    "gcc -fplugin=x.so -c a.c": Reason.PLUGIN,
    "clang --config x.cfg -c a.c": Reason.SPECS,
    "gcc -wrapper echo,hi -c a.c": Reason.OTHER_PROGRAMS,
    "gcc -fprofile-use=x -c a.c": Reason.PROFILE,
    "gcc -fmodules-ts -c a.c": Reason.MODULES,
    "gcc -traditional-cpp -c a.c": Reason.UNKNOWN_OPTION,
}

MORE_SOURCES = {
    "lib/l.h": "int l(void);\n",
    "pch/p.h": "#define IN_P 1\n",
    "pch/c.h": "#define IN_C 1\n",
    "nested.rsp": "@inner.rsp -DM",
    "inner.rsp": "-O1",
    "as.rsp": "--noexecstack",
    "my.specs": "*cc1_options:\n+ -DSPECS\n\n",
    "ignore.txt": "fun:nothing\n",
    "good.prof": "main:100:0\n 1: 10\n",
    "counted.c": "int main(int n, char **v) { int s = 0; while (s < 99) s += n; return s > 100; }\n",
}
PREPARATIONS = (
    "gcc -E a.c -o pre.i",
    "gcc -g -E a.c -o preg.i",
    "g++ -E s.cpp -o pre.ii",
    "g++ -g -E s.cpp -o preg.ii",
    "gcc -E a.c -o pre.txt -x c",
    "clang -E a.c -o prec.i",
    "clang++ -E s.cpp -o prec.ii",
    "gcc pch/p.h",
    "clang -x c-header pch/c.h -o pch/c.h.pch",
    "gcc --coverage -O2 -c counted.c -o obj/counted.o",
    "gcc --coverage obj/counted.o -o counted",
    "./counted",
    "cp obj/counted.gcda counted.gcda",
)


@dataclass(frozen=True, slots=True)
class Traced:
    """What one command opened below the test's folders, by absolute path."""

    status: int
    read: frozenset[bytes]
    written: frozenset[bytes]
    asked: frozenset[bytes]  # to be read, whether it was there or not


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, prepared once."""
    top = tmp_path_factory.mktemp("project") / "work"
    for name, text in (SOURCES | MORE_SOURCES).items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name in ("obj", "di.r", "prof", "tools"):
        (top / name).mkdir()
    for command in PREPARATIONS:
        subprocess.run(shlex.split(command), cwd=top, check=False, capture_output=True)
    return top


@pytest.fixture
def folder(project: Path, tmp_path: Path) -> Path:
    """A copy of it, and a directory elsewhere."""
    # Precompiled headers are read by their own path and time.
    shutil.copytree(project, tmp_path / "work", symlinks=True)
    (tmp_path / "other").mkdir()
    return tmp_path / "work"


def verdict_of(argv: list[bytes], folder: Path) -> Shipment | LocalOnly:
    def read_file(name: bytes) -> bytes | None:
        try:
            return (folder / os.fsdecode(name)).read_bytes()
        except OSError:
            return None

    return replica_shipment(argv, compiler_of(argv[0]), {}, read_file)


# The old table is that of preprocessed mode; every third of it is enough here, and every fourth of all below.
TRAVELLING = [line for line, _ in CASES if line not in STAYS]


@pytest.mark.parametrize("line", TRAVELLING[::3] + LINES)
def test_the_analysis_names_all_that_the_compiler_reads_and_writes(line: str, folder: Path) -> None:
    argv = words_of(line, folder)
    shipment = verdict_of(argv, folder)
    assert isinstance(shipment, Shipment), shipment
    before = everything_in(folder)
    ran = traced(argv, folder)

    allowed = [normal(folder, directory) for directory in shipment.write_directories]
    assert [path for path in ran.written if not is_below(path, allowed)] == []

    named = (*shipment.sources, *shipment.files, *shipment.forced, *shipment.outputs)
    known = {normal(folder, path) for path in named} | ran.written
    assert [path for path in ran.read & before - known if not is_header(path)] == []
    # A profile that is missing is missed in silence.
    assert [path for path in ran.asked - known if path.endswith((b".gcda", b".profdata"))] == []

    if ran.status == 0:
        assert {normal(folder, output) for output in shipment.outputs} <= everything_in(folder.parent)
        if shipment.depfile is not None:
            assert normal(folder, shipment.depfile.path) in ran.written


@pytest.mark.parametrize("line", (TRAVELLING + LINES)[::4])
def test_the_fallback_lists_the_dependencies_and_writes_nothing(line: str, folder: Path) -> None:
    argv = words_of(line, folder)
    shipment = verdict_of(argv, folder)
    assert isinstance(shipment, Shipment)
    before = everything_in(folder.parent)
    compiled = subprocess.run(argv, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    for path in everything_in(folder.parent) - before:
        os.unlink(path)
    for index, language in enumerate(shipment.languages):
        if language not in SCANNED:
            continue
        asked = shipment.dependency_argv(index)
        done = subprocess.run(asked, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        assert everything_in(folder.parent) == before
        # Code can be wrong where the preprocessor's part is not.
        if compiled.returncode == 0:
            assert done.returncode == 0, done.stderr
            assert b": " in done.stdout


@pytest.mark.parametrize(("line", "reason"), STAYS.items())
def test_what_stays_in_every_mode(line: str, reason: Reason, project: Path) -> None:
    verdict = verdict_of(words_of(line, project), project)
    assert isinstance(verdict, LocalOnly), verdict
    assert verdict.reason is reason


def words_of(line: str, folder: Path) -> list[bytes]:
    line = line.replace("$PWD", str(folder)).replace("$OTHER", str(folder.parent / "other"))
    argv = [os.fsencode(word) for word in shlex.split(line)]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]!r} is not installed")
    return argv


_OPEN = re.compile(
    rb'^(?:\d+ +)?(?:openat\([^,]+, |open\(|creat\()"((?:[^"\\]|\\.)*)"(?:, ([A-Z_|]+))?[^=]* = (-?\d+)'
)


def traced(argv: list[bytes], folder: Path) -> Traced:
    log = folder.parent / "trace"
    # Temporary files are the driver's own.
    temporary = folder.parent / "tmp"
    temporary.mkdir()
    command = [
        b"strace",
        b"-f",
        b"-qq",
        b"-s4096",
        b"-e",
        b"trace=open,openat,creat",
        b"-o",
        os.fsencode(log),
        *argv,
    ]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    read, written, asked = set(), set(), set()
    for line in log.read_bytes().splitlines():
        found = _OPEN.match(line)
        if found is None:
            continue
        path = normal(folder, found[1].decode("unicode_escape").encode("latin-1"))
        flags = found[2] or b"O_WRONLY"
        ours = path.startswith(os.fsencode(folder.parent)) and not path.startswith(os.fsencode(temporary))
        if not ours or b"O_DIRECTORY" in flags:
            continue
        opened = int(found[3]) >= 0
        if b"O_WRONLY" in flags or b"O_RDWR" in flags:
            if opened:
                written.add(path)
            continue
        asked.add(path)
        if opened:
            read.add(path)
    return Traced(done.returncode, frozenset(read), frozenset(written), frozenset(asked))


def normal(folder: Path, path: bytes) -> bytes:
    return os.path.normpath(os.path.join(os.fsencode(folder), path))


def is_below(path: bytes, directories: list[bytes]) -> bool:
    return any(path.startswith(directory.rstrip(b"/") + b"/") for directory in directories)


def is_header(path: bytes) -> bool:
    """What the include scanner finds: headers, and precompiled ones beside them."""
    return path.endswith((b".h", b".gch", b".pch")) or os.path.isdir(path)


def everything_in(folder: Path) -> set[bytes]:
    return {
        os.path.join(directory, name)
        for directory, _, names in os.walk(os.fsencode(folder))
        for name in names
    }
