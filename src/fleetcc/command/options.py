"""What each compiler option means for a job that travels: one row per option or family of options.

An option is looked up by its whole word first, then by the longest row that it begins with. What no row
covers is unknown, and an unknown option keeps the job here: it might write a file, or take the next word.
The rows for values of -Xclang, -Wp, and -Wa, are in `passthrough`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntFlag, auto
from functools import lru_cache
from typing import Final, NamedTuple

from fleetcc.model import Family, Reason


class Shape(Enum):
    """How an option carries its value."""

    WHOLE = auto()  # no value: -c
    JOINED = auto()  # the rest of the word: -std=c99, or a family: -f...
    SEPARATE = auto()  # the next word: -target x
    EITHER = auto()  # the rest of the word, or the next word if there is no rest: -Idir, -I dir


class Role(Enum):
    """What an option is for."""

    BOTH = auto()  # the preprocessor and the compiler both get it
    PREPROCESS = auto()  # means nothing once the text is preprocessed, or was only for the linker
    INCLUDE = auto()  # -include: like PREPROCESS, and a precompiled header may lie beside the file
    STAGE = auto()  # -c, -S
    OUTPUT = auto()
    LANGUAGE = auto()
    DEPENDENCIES = auto()  # -MD, -MMD
    DEPENDENCY_FILE = auto()
    DEPENDENCY_TARGET = auto()
    ARCHITECTURE = auto()  # -arch: one is a compile option, two are two compiles
    FOR_PREPROCESSOR = auto()  # -Xpreprocessor WORD
    FOR_PREPROCESSOR_LIST = auto()  # -Wp,WORD,WORD
    FOR_ASSEMBLER = auto()
    FOR_ASSEMBLER_LIST = auto()
    FOR_CLANG = auto()  # -Xclang WORD
    FOR_LLVM = auto()  # -mllvm WORD
    END_OF_OPTIONS = auto()
    LOCAL = auto()  # keeps the job here, for the row's reason


class Trait(IntFlag):
    """What an option changes about the forms in which the text may travel."""

    NONE = 0
    DEBUG = auto()
    NO_DEBUG = auto()
    SANITIZER = auto()  # the object holds lines and columns, debug information or not
    NO_SANITIZER = auto()
    WARNS = auto()  # warnings that look through macros
    NOT_DIRECTIVES = auto()
    NOT_EXPANDED = auto()  # only the unexpanded source can give what this asks for


@dataclass(frozen=True, slots=True)
class Row:
    """One option, or all options that begin alike."""

    name: bytes
    shape: Shape
    role: Role
    reason: Reason | None = None
    trait: Trait = Trait.NONE


class Option(NamedTuple):
    """One option of a command line with its value."""

    row: Row
    spelled: tuple[bytes, ...]  # one or two words
    value: bytes


def takes_next(row: Row, word: bytes) -> bool:
    """Is the option's value the next word?"""
    return row.shape is Shape.SEPARATE or (row.shape is Shape.EITHER and len(word) == len(row.name))


def _rows(
    names: str, shape: Shape, role: Role, reason: Reason | None = None, trait: Trait = Trait.NONE
) -> tuple[Row, ...]:
    return tuple(Row(name.encode(), shape, role, reason, trait) for name in names.split())


def _local(reason: Reason, shape: Shape, names: str) -> tuple[Row, ...]:
    return _rows(names, shape, Role.LOCAL, reason)


# The long spellings of the stages.
STAGES: Final = {b"-c": b"-c", b"-S": b"-S", b"--compile": b"-c", b"--assemble": b"-S"}

_WHOLE, _JOINED, _SEPARATE, _EITHER = Shape.WHOLE, Shape.JOINED, Shape.SEPARATE, Shape.EITHER

# -- the command itself

_COMMAND: Final = (
    *_rows("-c -S --compile --assemble", _WHOLE, Role.STAGE),
    *_rows("-o", _EITHER, Role.OUTPUT),
    *_rows("--output", _SEPARATE, Role.OUTPUT),
    *_rows("--output=", _JOINED, Role.OUTPUT),
    *_rows("-x", _EITHER, Role.LANGUAGE),
    *_rows("--language=", _JOINED, Role.LANGUAGE),
    *_rows("--language", _SEPARATE, Role.LANGUAGE),
    *_rows("-MD -MMD", _WHOLE, Role.DEPENDENCIES),
    *_rows("-MF", _EITHER, Role.DEPENDENCY_FILE),
    *_rows("-MT -MQ", _EITHER, Role.DEPENDENCY_TARGET),
    *_rows("-MP -MG -MV", _WHOLE, Role.PREPROCESS),
    *_rows("-Wp,", _JOINED, Role.FOR_PREPROCESSOR_LIST),
    *_rows("-Xpreprocessor", _SEPARATE, Role.FOR_PREPROCESSOR),
    *_rows("-Wa,", _JOINED, Role.FOR_ASSEMBLER_LIST),
    *_rows("-Xassembler", _SEPARATE, Role.FOR_ASSEMBLER),
    *_rows("-arch", _SEPARATE, Role.ARCHITECTURE),
)

# -- only questions, or only part of a compile

_NO_COMPILE: Final = (
    *_local(
        Reason.NOT_A_COMPILE,
        _WHOLE,
        "-### -v -Q --version --help -help --help-hidden --target-help --verbose -dumpversion "
        "-dumpfullversion -dumpmachine -dumpspecs -cc1 -cc1as -print-multi-lib -time",
    ),
    *_local(Reason.NOT_A_COMPILE, _JOINED, "-print- --print- --help= --autocomplete= -cc1gen"),
    *_local(Reason.PREPROCESS_ONLY, _WHOLE, "-E --preprocess"),
    *_local(Reason.DEPENDENCIES_ONLY, _WHOLE, "-M -MM --dependencies --user-dependencies"),
    *_local(Reason.SYNTAX_ONLY, _WHOLE, "-fsyntax-only"),
)

# -- what the preprocessor alone needs

_PREPROCESSING: Final = (
    *_rows("-D -U -I -F", _EITHER, Role.PREPROCESS),
    *_rows(
        "-idirafter -imacros -iprefix -iquote -isysroot -isystem -iwithprefix -iwithprefixbefore "
        "-imultilib -imultiarch",
        _EITHER,
        Role.PREPROCESS,
    ),
    *_rows("-include", _EITHER, Role.INCLUDE),
    *_rows("--include", _SEPARATE, Role.INCLUDE),
    *_rows("--include=", _JOINED, Role.INCLUDE),
    *_rows(
        "--define-macro --undefine-macro --include-directory --include-directory-after --imacros --sysroot",
        _SEPARATE,
        Role.PREPROCESS,
    ),
    *_rows(
        "--define-macro= --undefine-macro= --include-directory= --include-directory-after= --imacros= "
        "--sysroot=",
        _JOINED,
        Role.PREPROCESS,
    ),
    *_rows("--no-sysroot-suffix -nostdinc -nostdinc++ -remap -H", _WHOLE, Role.PREPROCESS),
    # The server's own built-in macros and dialect would come back in the unexpanded form.
    *_rows("-undef -trigraphs --trigraphs", _WHOLE, Role.PREPROCESS, trait=Trait.NOT_DIRECTIVES),
    *_rows("-A", _EITHER, Role.PREPROCESS, trait=Trait.NOT_DIRECTIVES),
    # -E writes UTF-8 whatever it read.
    *_rows("-finput-charset=", _JOINED, Role.PREPROCESS, trait=Trait.NOT_DIRECTIVES),
    *_rows("-fcanonical-system-headers -fno-canonical-system-headers", _WHOLE, Role.PREPROCESS),
    *_rows("-fmax-include-depth=", _JOINED, Role.PREPROCESS),
)

# -- what the linker would need; kept for the preprocessor's run, where the driver may remark on it

_LINKING: Final = (
    *_rows("-l -L -T -u -z", _EITHER, Role.PREPROCESS),
    *_rows("-Wl,", _JOINED, Role.PREPROCESS),
    *_rows("-Xlinker -framework -weak_framework", _SEPARATE, Role.PREPROCESS),
    *_rows(
        "-static -shared -pie -no-pie -nopie -static-pie -rdynamic -s -nostdlib -nostdlib++ -nostartfiles "
        "-nodefaultlibs -nolibc -static-libgcc -shared-libgcc -static-libstdc++ -static-libasan -symbolic",
        _WHOLE,
        Role.BOTH,
    ),
)

# -- ordinary compile options, most of them whole families

_COMPILING: Final = (
    *_rows("-std= --std= -f -m -O", _JOINED, Role.BOTH),
    *_rows("-W", _JOINED, Role.BOTH, trait=Trait.WARNS),
    *_rows("-Wno- -Wno-error", _JOINED, Role.BOTH),
    *_rows(
        "-w -ansi -pipe -pthread -pthreads -p -pg --pipe --ansi -no-canonical-prefixes", _WHOLE, Role.BOTH
    ),
    # Line markers are pedantically wrong in a source that is not preprocessed, and only there.
    *_rows(
        "-pedantic -pedantic-errors -Wpedantic --pedantic --pedantic-errors -Werror=pedantic",
        _WHOLE,
        Role.BOTH,
        trait=Trait.WARNS | Trait.NOT_DIRECTIVES,
    ),
    # Uses in #if are gone from the unexpanded form, uses in code from the client's run.
    *_rows("-Wunused-macros", _WHOLE, Role.BOTH, trait=Trait.NOT_DIRECTIVES),
    *_rows("-Wmultistatement-macros", _WHOLE, Role.BOTH, trait=Trait.WARNS | Trait.NOT_EXPANDED),
    *_rows("-fanalyzer", _WHOLE, Role.BOTH, trait=Trait.WARNS),
    # The address sanitizers record the name by which the compiler itself was given the source.
    *_rows("-fsanitize=", _JOINED, Role.BOTH, trait=Trait.SANITIZER | Trait.NOT_DIRECTIVES),
    *_rows("-fsanitize=undefined", _WHOLE, Role.BOTH, trait=Trait.SANITIZER),
    *_rows("-fsanitize=thread -fsanitize=leak", _WHOLE, Role.BOTH),
    *_rows("-fno-sanitize=all", _WHOLE, Role.BOTH, trait=Trait.NO_SANITIZER),
    *_rows("--param", _SEPARATE, Role.BOTH),
    *_rows("--param=", _JOINED, Role.BOTH),
)

_DEBUGGING: Final = (
    *_rows(
        "-g -g1 -g2 -gcoff -gxcoff -gvms -gfull -gused -gmlt -gline-tables-only -gline-directives-only "
        "-gdbx -gsce -glldb -gcodeview --debug",
        _WHOLE,
        Role.BOTH,
        trait=Trait.DEBUG,
    ),
    *_rows("-ggdb -gdwarf -gstabs -gctf -gbtf", _JOINED, Role.BOTH, trait=Trait.DEBUG),
    # Macros are part of this debug information; only the whole source has them.
    *_rows("-g3 -ggdb3", _WHOLE, Role.BOTH, trait=Trait.DEBUG | Trait.NOT_DIRECTIVES | Trait.NOT_EXPANDED),
    *_rows("-g0 -ggdb0", _WHOLE, Role.BOTH, trait=Trait.NO_DEBUG),
    *_rows("-gz -gno- -gstrict-dwarf -gas- -gvariable-location-views -ginternal-reset-", _JOINED, Role.BOTH),
    *_rows(
        "-gcolumn-info -gstatement-frontiers -ginline-points -gdescribe-dies -gpubnames -ggnu-pubnames",
        _WHOLE,
        Role.BOTH,
    ),
    *_rows("-gdwarf32 -gdwarf64 -gdwarf-aranges -gsimple-template-names", _WHOLE, Role.BOTH),
)

# -- what keeps a job here

_STAYING: Final = (
    *_local(Reason.NATIVE_CPU, _WHOLE, "-march=native -mtune=native -mcpu=native"),
    *_local(Reason.SAVE_TEMPS, _JOINED, "-save-temps --save-temps"),
    *_local(Reason.PLUGIN, _JOINED, "-fplugin -iplugindir= -fpass-plugin"),
    *_local(Reason.SPECS, _EITHER, "-specs"),
    *_local(Reason.SPECS, _JOINED, "-specs= --specs= --config= --config-"),
    *_local(Reason.SPECS, _SEPARATE, "--specs --config"),
    *_local(Reason.OTHER_PROGRAMS, _SEPARATE, "-wrapper --prefix -gcc-toolchain"),
    *_local(Reason.OTHER_PROGRAMS, _EITHER, "-B"),
    *_local(Reason.OTHER_PROGRAMS, _JOINED, "--prefix= --gcc-toolchain= --gcc-install-dir= -foffload"),
    *_local(
        Reason.COVERAGE,
        _WHOLE,
        "--coverage -coverage -fprofile-arcs -ftest-coverage -fprofile-abs-path -fcoverage-mapping "
        "-fcondition-coverage",
    ),
    *_local(Reason.PROFILE, _JOINED, "-fprofile- -fauto-profile -fcs-profile- -fbranch-probabilities"),
    *_local(Reason.SPLIT_DWARF, _JOINED, "-gsplit-dwarf"),
    *_local(
        Reason.SIDE_OUTPUT,
        _JOINED,
        "-d -fdump- -fstack-usage -fcallgraph-info -fopt-info -fsave-optimization-record "
        "-foptimization-record- -ftime-trace -fcompare-debug -fdiagnostics-add-output= "
        "-fdiagnostics-set-output= -fproc-stat-report -save-stats --save-stats -fcrash-diagnostics-dir "
        "-fself-test -fada-spec -aux-info= --serialize-diagnostics=",
    ),
    *_local(
        Reason.SIDE_OUTPUT,
        _WHOLE,
        "-fdiagnostics-format=sarif-file -fdiagnostics-format=json-file -emit-ast -emit-llvm",
    ),
    *_local(
        Reason.SIDE_OUTPUT,
        _SEPARATE,
        "-aux-info -serialize-diagnostics --serialize-diagnostics -dumpbase -dumpbase-ext -dumpdir "
        "--dumpbase --dumpbase-ext --dumpdir",
    ),
    *_local(Reason.SIDE_OUTPUT, _EITHER, "-MJ"),
    *_local(
        Reason.RECORDS_COMMAND,
        _WHOLE,
        "-frecord-gcc-switches -frecord-command-line -grecord-command-line -fverbose-asm -fembed-bitcode",
    ),
    *_local(Reason.RECORDS_COMMAND, _JOINED, "-fembed-bitcode="),
    *_local(
        Reason.MODULES,
        _JOINED,
        "-fmodule -fimplicit-module -fprebuilt- -fcxx-modules -fno-implicit-module -fbuild-session- "
        "-fsystem-module -fapinotes -gmodules -fmerge-all-modules",
    ),
    *_local(Reason.PRECOMPILED_HEADER, _EITHER, "-include-pch"),
    *_local(Reason.PRECOMPILED_HEADER, _JOINED, "-fpch- -fno-pch-"),
    *_local(Reason.NO_LINE_MARKERS, _WHOLE, "-P --no-line-commands"),
    *_local(
        Reason.SOURCE_NEEDED, _JOINED, "-Wdocumentation -Weverything -gembed-source -fcomment-block-commands="
    ),
    # Only -E may have these, so the compiler would refuse what the preprocessor's run accepts.
    *_local(
        Reason.UNKNOWN_OPTION,
        _WHOLE,
        "-C -CC --comments --comments-in-macros -traditional -traditional-cpp --traditional "
        "--traditional-cpp -fpreprocessed -fdirectives-only -fno-directives-only -frepo "
        "-frewrite-includes -frewrite-imports -fminimize-whitespace",
    ),
    # Files of this machine that the compiler itself, not the preprocessor, reads.
    *_local(
        Reason.LOCAL_FILES,
        _JOINED,
        "-fsanitize-blacklist= -fsanitize-ignorelist= -fsanitize-system-blacklist= "
        "-fsanitize-system-ignorelist= -fsanitize-coverage-allowlist= -fsanitize-coverage-ignorelist= "
        "-fsanitize-coverage-whitelist= -fsanitize-coverage-blacklist= -fxray-always-instrument= "
        "-fxray-never-instrument= -fxray-attr-list= -fthinlto-index= -frandomize-layout-seed-file= "
        "-fopenmp-targets= -fopenmp-host-ir- --offload- -mtls-dialect-file= -fbasic-block-sections=list= "
        "-fmemory-profile-use= -resource-dir= -fintrinsic-modules-path",
    ),
    *_local(Reason.LOCAL_FILES, _SEPARATE, "-resource-dir -working-directory -ivfsoverlay"),
    *_local(Reason.LOCAL_FILES, _JOINED, "-working-directory="),
)

_GCC_ONLY: Final = (
    # Its objects hold places in the source before macros are expanded, and the names of both files.
    *_local(Reason.LINK_TIME, _JOINED, "-flto"),
    *_rows("-grecord-gcc-switches", _WHOLE, Role.BOTH),
    # -fdirectives-only drops the pragmas whose words it would have to expand.
    *_rows("-fopenmp -fopenmp-simd -fopenacc", _WHOLE, Role.BOTH, trait=Trait.NOT_DIRECTIVES),
    *_rows("-fopenacc-dim=", _JOINED, Role.BOTH, trait=Trait.NOT_DIRECTIVES),
)

_CLANG_ONLY: Final = (
    # distccd 3.4 refuses this one word and takes its longer spelling.
    *_local(Reason.LINK_TIME, _WHOLE, "-flto"),
    *_rows("--", _WHOLE, Role.END_OF_OPTIONS),
    *_rows("-Xclang", _SEPARATE, Role.FOR_CLANG),
    *_rows("-mllvm", _SEPARATE, Role.FOR_LLVM),
    *_rows("-target -mthread-model", _SEPARATE, Role.BOTH),
    *_rows("--target= -stdlib= --stdlib= -rtlib= --rtlib= -unwindlib= --unwindlib=", _JOINED, Role.BOTH),
    *_rows(
        "-Qunused-arguments -Qn -Qy -integrated-as -no-integrated-as -nogpulib "
        "--start-no-unused-arguments --end-no-unused-arguments -static-libsan -shared-libsan",
        _WHOLE,
        Role.BOTH,
    ),
    *_rows("-Rpass", _JOINED, Role.BOTH),
    *_rows("-fmacro-prefix-map=", _JOINED, Role.PREPROCESS),
    *_rows("-nostdlibinc -nobuiltininc -ibuiltininc", _WHOLE, Role.PREPROCESS),
    *_rows(
        "-cxx-isystem -stdlib++-isystem -isystem-after -iframework -iframeworkwithsysroot -iwithsysroot",
        _EITHER,
        Role.PREPROCESS,
    ),
    *_rows("-fdebug-macro", _WHOLE, Role.BOTH, trait=Trait.NOT_DIRECTIVES | Trait.NOT_EXPANDED),
    *_local(Reason.RECORDS_COMMAND, _WHOLE, "-grecord-gcc-switches"),
    *_local(Reason.MODULES, _WHOLE, "-fmodules"),
    *_local(Reason.UNKNOWN_OPTION, _JOINED, "-mllvm= -mmlir"),
)

_COMMON: Final = (*_COMMAND, *_NO_COMPILE, *_PREPROCESSING, *_LINKING, *_COMPILING, *_DEBUGGING, *_STAYING)

ROWS: Final = {
    Family.GCC: (*_COMMON, *_GCC_ONLY),
    Family.CLANG: (*_COMMON, *_CLANG_ONLY),
}


class OptionTable:
    """Looks words up among rows: the whole word first, then the longest beginning."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._exact: dict[bytes, Row] = {}
        self._beginnings: dict[bytes, Row] = {}
        for row in rows:
            if row.shape is not Shape.JOINED:
                self._exact[row.name] = row
            if row.shape in {Shape.JOINED, Shape.EITHER}:
                self._beginnings[row.name] = row
        self._lengths = sorted({len(name) for name in self._beginnings}, reverse=True)
        # Builds repeat their options: nearly every look-up is answered here.
        self.find = lru_cache(maxsize=8192)(self._find)

    def _find(self, word: bytes) -> Row | None:
        """The row for a word that begins with a hyphen; None when no row covers it."""
        row = self._exact.get(word)
        if row is not None:
            return row
        size = len(word)
        for length in self._lengths:
            if length <= size:
                row = self._beginnings.get(word[:length])
                if row is not None:
                    return row
        return None


TABLES: Final = {family: OptionTable(rows) for family, rows in ROWS.items()}
