"""What a command line needs in a replica, where no compiler is needed to know."""

import shlex
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.command.replica import Depfile, LocalOnly, Shipment, replica_shipment
from fleetcc.model import Compiler, Family, Reason

GCC = Compiler(Family.GCC, (12, 2, 0), b"x86_64-linux-gnu", b"x86_64-linux-gnu-gcc-12")
CLANG = Compiler(Family.CLANG, (14, 0, 6), b"x86_64-linux-gnu", b"clang-14")
NEW_CLANG = Compiler(Family.CLANG, (18, 1, 0), b"x86_64-linux-gnu", b"clang-18")

RESPONSE = {b"words.rsp": b"-O2 -DN=9 @more.rsp", b"more.rsp": b"-Iinc", b"native.rsp": b"-march=native -O2"}


def judge(line: str, variables: Mapping[bytes, bytes] | None = None) -> Shipment | LocalOnly:
    argv = [word.encode() for word in shlex.split(line)]
    compiler = CLANG if argv[0].startswith(b"clang") else GCC
    return replica_shipment(argv, compiler, variables or {}, RESPONSE.get)


def shipped(line: str) -> Shipment:
    verdict = judge(line)
    assert isinstance(verdict, Shipment), verdict
    return verdict


def words(text: str) -> tuple[bytes, ...]:
    return tuple(text.encode().split())


def test_a_plain_compile_is_taken_apart() -> None:
    line = "gcc -O2 -Wall -Iinc -isystem sys -DN=3 -D M -include f.h -m32 -MD -c src/a.c -o obj/a.o"
    found = shipped(line)
    assert found.argv == found.words == words(line)
    assert (found.sources, found.languages) == ((b"src/a.c",), (b"c",))
    assert found.outputs == (b"obj/a.o",)
    assert found.depfile == Depfile(b"obj/a.d")
    assert found.search_words == (b"-Iinc", b"-isystem", b"sys", b"-m32")
    assert found.toolchain_words == (b"-m32",)
    assert found.forced == (b"f.h",)
    assert found.definitions == (b"N=3", b"M")
    assert found.files == ()
    assert found.write_directories == (b".", b"obj")
    assert not found.native
    assert not found.trigraphs
    assert found.label == b"src/a.c"


@pytest.mark.parametrize(
    ("line", "language", "output"),
    [
        ("gcc -c d/a.c", b"c", b"a.o"),
        ("g++ -c d/a.c", b"c++", b"a.o"),
        ("gcc -S a.cpp", b"c++", b"a.s"),
        ("gcc -c a.m", b"objective-c", b"a.o"),
        ("clang -c a.mm", b"objective-c++", b"a.o"),
        ("gcc -c a.S", b"assembler-with-cpp", b"a.o"),
        ("gcc -c a.s", b"assembler", b"a.o"),
        ("gcc -c a.sx", b"assembler-with-cpp", b"a.o"),
        ("gcc -x assembler-with-cpp -c a", b"assembler-with-cpp", b"a.o"),
        ("gcc -x c -c noext", b"c", b"noext.o"),
        ("gcc -x c++ -x none -c a.c", b"c", b"a.o"),
        ("gcc -c a.i", b"cpp-output", b"a.o"),
        ("g++ -c a.i", b"c++", b"a.o"),
        ("g++ -c a.ii", b"c++-cpp-output", b"a.o"),
        ("gcc d/a.h", b"c", b"d/a.h.gch"),
        ("gcc -c d/a.h", b"c", b"d/a.h.gch"),
        ("g++ a.h", b"c++", b"a.h.gch"),
        ("gcc a.hpp", b"c++", b"a.hpp.gch"),
        ("clang -x c++-header a.cxx", b"c++", b"a.cxx.gch"),
        ("clang -x c-header d/a.h -o x.pch", b"c", b"x.pch"),
        ("clang -emit-llvm -c a.c", b"c", b"a.bc"),
        ("clang -emit-llvm -S a.c", b"c", b"a.ll"),
    ],
)
def test_the_language_and_the_output_follow_the_source(line: str, language: bytes, output: bytes) -> None:
    found = shipped(line)
    assert (found.languages, found.outputs) == ((language,), (output,))


def test_newer_clang_has_another_name_for_a_precompiled_header() -> None:
    found = replica_shipment([b"clang", b"d/a.h"], NEW_CLANG, {}, RESPONSE.get)
    assert isinstance(found, Shipment)
    assert found.outputs == (b"d/a.h.pch",)
    assert found.write_directories == (b".", b"d")


def test_several_sources_have_an_output_each_and_no_one_depfile() -> None:
    found = shipped("gcc -MD -c a.c -x c++ d/b.c")
    assert found.sources == (b"a.c", b"d/b.c")
    assert found.languages == (b"c", b"c++")
    assert found.outputs == (b"a.o", b"b.o")
    assert found.depfile is None
    assert found.dependency_argv(1) == words("gcc -w -M -x c++ d/b.c")


def test_a_check_of_the_syntax_has_no_output() -> None:
    found = shipped("gcc -fsyntax-only -MD -MF x.d a.c b.c")
    assert found.outputs == ()
    assert found.depfile == Depfile(b"x.d")
    assert shipped("gcc -fsyntax-only -c a.c -o a.o").outputs == ()


@pytest.mark.parametrize(
    "line",
    [
        "gcc -save-temps=obj -gsplit-dwarf -g3 -c a.c",
        "gcc --coverage -ftest-coverage -fprofile-arcs -c a.c",
        "gcc -fstack-usage -fcallgraph-info -fdump-tree-all -da -c a.c",
        "gcc -frecord-gcc-switches -fverbose-asm -flto -P -C -fdirectives-only -c a.c",
        "gcc -no-integrated-cpp -ftime-report -fsanitize=address,undefined -fanalyzer -c a.c",
        "gcc -Wa,-alhd -Wunused-macros -H -c a.c",
        "clang -Weverything -Wdocumentation -fembed-bitcode -gembed-source -c a.c",
        "clang -fprofile-instr-generate -fcoverage-mapping -c a.c",
        "gcc -qwerty -fnew-option=value --no-such-thing -c a.c",
        "gcc -c -Wp,-MD,x.d -MD a.c",
    ],
)
def test_what_preprocessed_mode_cannot_carry_travels(line: str) -> None:
    found = shipped(line)
    assert found.files == ()
    assert found.write_directories == (b".",)


@pytest.mark.parametrize(
    ("line", "directory"),
    [
        ("gcc -c a.c -MD -MF deps/a.d", b"deps"),
        ("gcc -c a.c -Wp,-MMD,deps/.a.d", b"deps"),
        ("gcc -c a.c -Xpreprocessor -MD -Xpreprocessor deps/a.d", b"deps"),
        ("gcc -c a.c -dumpdir dumps/", b"dumps"),
        ("gcc -c a.c -dumpbase dumps/x", b"dumps"),
        ("gcc -c a.c -aux-info protos/a.X", b"protos"),
        ("gcc -c a.c -fdump-tree-original=/tmp/x/dump", b"/tmp/x"),
        ("gcc -c a.c -fopt-info-vec=opt/x", b"opt"),
        ("gcc -c a.c -fprofile-dir=/var/prof/", b"/var/prof"),
        ("gcc -c a.c -fprofile-note=notes/a.gcno", b"notes"),
        ("gcc -c a.c -Wa,-alh=lists/a.lst,--MD,asm/a.d", b"lists"),
        ("gcc -c a.c -Wa,-alh=lists/a.lst,--MD,asm/a.d", b"asm"),
        ("gcc -c a.c -Xassembler -o -Xassembler other/a.o", b"other"),
        ("gcc -c a.c -fdiagnostics-add-output=sarif:file=reports/a.sarif", b"reports"),
        ("gcc -c a.c -fnew-report=reports/a", b"reports"),
        ("clang -c a.c --serialize-diagnostics dia/a.dia", b"dia"),
        ("clang -c a.c -MJ json/a.json", b"json"),
        ("clang -c a.c -ftime-trace=traces/a.json", b"traces"),
        ("clang -c a.c -foptimization-record-file=opt/a.yaml", b"opt"),
        ("clang -c a.c -mllvm -info-output-file=info/x", b"info"),
        ("clang -c a.c -Xclang -dependency-file -Xclang deps/x", b"deps"),
        ("gcc -c a.c -o /a.o", b"/"),
    ],
)
def test_a_directory_that_an_option_writes_to_is_named(line: str, directory: bytes) -> None:
    found = shipped(line)
    assert found.write_directories[0] == b"."
    assert directory in found.write_directories


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("gcc -c a.c -specs=my.specs", "my.specs"),
        ("gcc -c a.c -specs my.specs", "my.specs"),
        ("gcc @words.rsp -c a.c", "words.rsp more.rsp"),
        ("gcc -c a.c -Wa,@as.rsp", "as.rsp"),
        ("gcc -c a.c -fauto-profile=x.afdo", "x.afdo"),
        ("gcc -c a.c -fprofile-use", "a.gcda"),
        ("gcc -c d/a.c -fbranch-probabilities -o obj/x.c.o", "obj/x.c.gcda"),
        ("gcc -S a.c b.c -fprofile-use", "a.gcda b.gcda"),
        ("gcc -c a.c -fnew-list=lists/x", "lists/x"),
        ("gcc -c a.c -fnew-list=x.txt", "x.txt"),
        ("gcc -c a.c --new-list=key:file=x.txt", "x.txt"),
        ("clang -c a.c -fsanitize-ignorelist=ign.txt", "ign.txt"),
        ("clang -c a.c -fsanitize-coverage-allowlist=ign", "ign"),
        ("clang -c a.c -fbasic-block-sections=list=bb", "bb"),
        ("clang -c a.c -fprofile-use=p", "p p/default.profdata"),
        ("clang -c a.c -fprofile-instr-use", "default.profdata"),
        ("clang -c a.c -include-pch x.pch", "x.pch"),
        ("clang -c a.c -Xclang -include-pch -Xclang x.pch", "x.pch"),
        ("clang -c a.c -Xclang -new-list -Xclang d/x", "d/x"),
        ("clang -c a.c -MJ a.json", "a.json"),
        # Text, versions and words that are no paths.
        ("gcc -c a.c -fdebug-prefix-map=/a/b=/c.d -frandom-seed=d/a.o -fuse-ld=/x/ld", ""),
        ("gcc -c a.c -march=armv8.2-a -fabi-version=2 -ffp-contract=fast --param=x=1.5", ""),
        ("gcc -c a.c -Wl,-Map=x.map -Lx -lx -T s.ld -Wa,--debug-prefix-map=/a=/b.c", ""),
        ("gcc -c a.c -fdump-tree-all=x.dump -fnew=/dev/fd/9", ""),
        ("clang -c a.c -fprofile-instr-generate=x.profraw", ""),
    ],
)
def test_a_file_that_an_option_reads_is_named(line: str, files: str) -> None:
    assert shipped(line).files == words(files)


@pytest.mark.parametrize(
    ("line", "search", "toolchain"),
    [
        ("gcc -c a.c -I- -nostdinc -iquote q -idirafterx", "-I- -nostdinc -iquote q -idirafterx", ""),
        ("gcc -c a.c --sysroot=/x -B b", "--sysroot=/x -B b", "--sysroot=/x -B b"),
        ("gcc -c a.c -specs=x.specs", "-specs=x.specs", "-specs=x.specs"),
        ("gcc -c a.c -Wp,-DN,-isystem,s", "-Xpreprocessor -isystem -Xpreprocessor s", ""),
        ("gcc -c a.c -gsplit-dwarf -flto -fexec-charset=X", "", "-gsplit-dwarf -flto -fexec-charset=X"),
        ("clang -c a.c -target t -stdlib=libc++", "-target t -stdlib=libc++", "-target t -stdlib=libc++"),
        ("clang -c a.c -Xclang -isystem -Xclang s", "-Xclang -isystem -Xclang s", ""),
        ("clang -c a.c -fno-integrated-as", "", "-fno-integrated-as"),
        ("clang -c a.c -mllvm -x=1 -O2 -g -Wall", "", ""),
    ],
)  # fmt: skip
def test_the_words_that_decide_where_headers_and_programs_are(line: str, search: str, toolchain: str) -> None:
    found = shipped(line)
    assert (found.search_words, found.toolchain_words) == (words(search), words(toolchain))


def test_definitions_and_forced_includes_are_found_wherever_they_are_given() -> None:
    found = shipped(
        "clang -DA --define-macro=B=1 --define-macro C -Wp,-DD,-include,p.h -Xpreprocessor -DE=2 "
        "-Xclang -D -Xclang F -Xclang -include -Xclang q.h -imacros r.h --include=s.h -include t.h -c a.c"
    )
    assert found.definitions == words("A B=1 C D E=2 F")
    assert found.forced == words("p.h q.h r.h s.h t.h")


@pytest.mark.parametrize(
    ("options", "trigraphs"),
    [
        ("", False), ("-trigraphs", True), ("-Wp,-trigraphs", True), ("-ansi", True), ("-std=c99", True),
        ("-std=gnu99", False), ("-std=c99 -std=gnu11", False), ("-std=c++20", False), ("-std=c++14", True),
        ("-std=c99 -std=gnu11 -trigraphs", True),
    ],
)  # fmt: skip
def test_trigraphs_follow_the_dialect(options: str, trigraphs: bool) -> None:
    assert shipped(f"gcc {options} -c a.c").trigraphs is trigraphs


def test_the_processor_of_this_machine_is_noted() -> None:
    found = shipped("gcc -march=native -c a.c")
    assert found.native
    assert found.argv == words("gcc -march=native -c a.c")


def test_a_native_word_in_a_response_file_is_brought_where_it_can_be_replaced() -> None:
    found = shipped("gcc @native.rsp -mtune=native -c a.c")
    assert found.argv == found.words == words("gcc -march=native -O2 -mtune=native -c a.c")
    plain = shipped("gcc @words.rsp -c a.c")
    assert plain.argv == words("gcc @words.rsp -c a.c")
    assert plain.words == words("gcc -O2 -DN=9 -Iinc -c a.c")


def test_the_fallback_asks_for_dependencies_and_writes_nothing() -> None:
    found = shipped(
        "gcc -O2 -DN -I i -save-temps -fdump-tree-all -MMD -MP -MF x -MT t -Wp,-MD,x.d,-DQ -Wa,-al=x -H "
        "-include f.h -m32 -fstack-usage -c a.c -o a.o"
    )
    assert found.dependency_argv(0) == words(
        "gcc -O2 -DN -I i -include f.h -m32 -Xpreprocessor -DQ -w -M -x c a.c"
    )
    assert shipped("clang -O1 -c -- a.c").dependency_words == (b"-O1",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("gcc a.c", Reason.LINKING),
        ("gcc a.c b.o -o x", Reason.LINKING),
        ("gcc x.o -fplugin=x", Reason.LINKING),
        ("gcc a.h b.c", Reason.LINKING),
        ("gcc", Reason.NO_INPUT),
        ("gcc -c -E a.c", Reason.PREPROCESS_ONLY),
        ("gcc -MM a.c", Reason.DEPENDENCIES_ONLY),
        ("gcc --version", Reason.NOT_A_COMPILE),
        ("gcc -v -c a.c", Reason.NOT_A_COMPILE),
        ("gcc -c a.c b.o", Reason.UNKNOWN_LANGUAGE),
        ("gcc -c a.c -new-separate value", Reason.UNKNOWN_LANGUAGE),
        ("gcc -c a.c -new-separate value.c -o a.o", Reason.SEVERAL_INPUTS),
        ("gcc -c -x c -", Reason.STDIN_INPUT),
        ("gcc -c -x c /dev/fd/3", Reason.STDIN_INPUT),
        ("gcc -c -x c /dev/null -o x.o", Reason.CONFIGURE_PROBE),
        ("gcc -c conftest.c", Reason.CONFIGURE_PROBE),
        ("gcc -c a.c -o -", Reason.STDOUT_OUTPUT),
        ("gcc -c a.c -o /dev/null", Reason.STDOUT_OUTPUT),
        ("gcc -c a.c -MD -MF -", Reason.STDOUT_OUTPUT),
        ("gcc -c a.c -MD -MF /dev/fd/1", Reason.STDOUT_OUTPUT),
        ("gcc -c a.c -include /dev/fd/3", Reason.LOCAL_FILES),
        ("gcc -c a.c -specs=/proc/self/fd/3", Reason.LOCAL_FILES),
        ("gcc -c a.c -o a.o -o b.o", Reason.UNKNOWN_OPTION),
        ("gcc -c a.c -o", Reason.UNKNOWN_OPTION),
        ("gcc -c dir/", Reason.UNKNOWN_LANGUAGE),
        ("gcc -c @nowhere", Reason.RESPONSE_FILE),
        ("gcc -S a.h", Reason.HEADER_INPUT),
        ("gcc -S a.S", Reason.ASSEMBLER_INPUT),
        ("gcc -traditional-cpp -c a.c", Reason.UNKNOWN_OPTION),
        ("gcc -fplugin=x.so -c a.c", Reason.PLUGIN),
        ("gcc -wrapper x -c a.c", Reason.OTHER_PROGRAMS),
        ("gcc -fmodules-ts -c a.cc", Reason.MODULES),
        ("gcc -c a.cppm", Reason.MODULES),
        ("gcc -fprofile-use=dir -c a.c", Reason.PROFILE),
        ("gcc -fprofile-use -fprofile-dir=x -c a.c", Reason.PROFILE),
        ("gcc -fprofile-use -dumpbase x -c a.c", Reason.PROFILE),
        ("gcc -Wa,-mcpu=native -c a.c", Reason.NATIVE_CPU),
        ("clang -fmodules -c a.c", Reason.MODULES),
        ("clang -Xclang -fmodules -c a.c", Reason.MODULES),
        ("clang -Xclang -load -Xclang x.so -c a.c", Reason.PLUGIN),
        ("clang -mllvm -load=x.so -c a.c", Reason.PLUGIN),
        ("clang -Xclang -target-cpu -Xclang native -c a.c", Reason.NATIVE_CPU),
        ("clang -march=native -frecord-command-line -c a.c", Reason.NATIVE_CPU),
        ("clang -Xclang -o -Xclang x -c a.c", Reason.UNKNOWN_OPTION),
        ("clang -Xarch_host -O2 -c a.c", Reason.UNKNOWN_OPTION),
        ("clang --driver-mode=cl -c a.c", Reason.UNKNOWN_OPTION),
        ("clang --config x -c a.c", Reason.SPECS),
        ("clang -arch a -arch b -c a.c", Reason.SEVERAL_ARCHITECTURES),
        ("clang -fproc-stat-report=x -c a.c", Reason.SIDE_OUTPUT),
        ("clang -emit-ast a.c", Reason.LINKING),
    ],
)
def test_what_stays_says_why(line: str, reason: Reason) -> None:
    verdict = judge(line)
    assert isinstance(verdict, LocalOnly), verdict
    assert verdict.reason is reason


def test_nothing_is_written_where_dependencies_go_to_the_empty_device() -> None:
    found = shipped("gcc -MD -MF /dev/null -c a.c")
    assert found.depfile is None


@pytest.mark.parametrize("name", [b"DEPENDENCIES_OUTPUT", b"COMPILER_PATH", b"CC_PRINT_HEADERS"])
def test_some_variables_keep_everything_here(name: bytes) -> None:
    verdict = judge("gcc -c a.c", {name: b"x", b"PATH": b"/bin"})
    assert isinstance(verdict, LocalOnly)
    assert verdict.detail == name


def test_a_command_that_writes_everywhere_stays() -> None:
    options = " ".join(f"-fnew{number}=d{number}/x" for number in range(120))
    verdict = judge(f"gcc {options} -c a.c")
    assert isinstance(verdict, LocalOnly)
    assert verdict.reason is Reason.SIDE_OUTPUT


def test_unknown_compilers_and_endless_response_files_stay() -> None:
    unknown = Compiler(Family.UNKNOWN, (), b"", None)
    assert replica_shipment([b"tcc", b"-c", b"a.c"], unknown, {}, RESPONSE.get) == LocalOnly(
        Reason.UNKNOWN_COMPILER, b"tcc"
    )
    verdict = replica_shipment([b"gcc", b"@x"], GCC, {}, {b"x": b"@x @x"}.get)
    assert isinstance(verdict, LocalOnly)
    assert verdict.reason is Reason.RESPONSE_FILE


WORDS = st.sampled_from(
    b"-c -S -o -x c++ a.c b.i a.h -MD -MF -Wp, -Wp,-MD, -Xclang -Xpreprocessor -include -g - -- @f -I "
    b"-D X -E -arch -Wa,-a -Xassembler -mllvm -fplugin=x -std= -W -fprofile-use -dumpdir "
    b"-fsyntax-only -fx=a/b".split()
)  # fmt: skip


@given(st.lists(st.one_of(WORDS, st.binary(max_size=8)), max_size=12), st.sampled_from([GCC, CLANG]))
def test_any_words_get_a_verdict(line: list[bytes], compiler: Compiler) -> None:
    verdict = replica_shipment([b"cc", *line], compiler, {}, {b"f": b"-c a.c"}.get)
    if isinstance(verdict, LocalOnly):
        assert verdict.reason
        return
    assert set(verdict.sources) <= set(verdict.words)
    assert len(verdict.sources) == len(verdict.languages)
    assert len(verdict.outputs) in {0, len(verdict.sources)}
    assert verdict.write_directories[0] == b"."
    assert verdict.dependency_argv(0)[-1] == verdict.label


@pytest.mark.parametrize("word", [b"-Xpreprocessor", b"-Xclang"])
def test_a_word_that_hands_itself_on_has_an_end(word: bytes) -> None:
    verdict = replica_shipment([b"cc", b"-c", b"a.c", *([word] * 6), b"x"], CLANG, {}, lambda _: None)
    assert isinstance(verdict, LocalOnly)
