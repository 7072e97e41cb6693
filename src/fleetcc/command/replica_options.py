"""What replica mode needs to know of each option: one row per option that it has to know anything of.

How an option takes its value is said once, in `options`. There an option that writes a file of its own, or
that nobody knows, keeps the job at home; here it travels, because whatever a compiler writes in its replica
comes back. What does not is said by reason (`_STAYING`) or by name below. An option in no row is ordinary.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntFlag, auto
from typing import Final

from fleetcc.command.options import ROWS, OptionTable, Role, Row, Shape
from fleetcc.model import Family, Reason


class Part(Enum):
    """What the walk does with an option."""

    ORDINARY = auto()  # nothing
    USES = auto()  # what its `Use` says, no more
    OPEN = auto()  # a family, or unknown: a value that looks like a path may be a file to read or to write
    WRITTEN = auto()  # a value that looks like a path is a file to write
    STAGE = auto()
    SYNTAX = auto()
    OUTPUT = auto()
    LANGUAGE = auto()
    DEPENDENCIES = auto()
    DEPENDENCY_FILE = auto()
    DEFINITION = auto()
    FORCED = auto()
    STANDARD = auto()
    TRIGRAPHS = auto()
    NATIVE = auto()
    ARCHITECTURE = auto()
    BITCODE = auto()  # -emit-llvm
    RECORDS = auto()  # has clang write the words of the command into the object
    PROFILE = auto()  # reads the profiles that gcc looks for under the output's name
    PROFILE_FILE = auto()  # reads a profile, or the one of the usual name in a directory
    PROFILE_PLACE = auto()  # where the profiles of a run will be, and where PROFILE looks for them
    AUXILIARY = auto()  # a beginning for the names of all files beside the output
    STAYS = auto()
    FOR_PREPROCESSOR = auto()
    FOR_PREPROCESSOR_LIST = auto()
    FOR_ASSEMBLER = auto()
    FOR_ASSEMBLER_LIST = auto()
    FOR_CLANG = auto()
    FOR_LLVM = auto()
    END_OF_OPTIONS = auto()


class Use(IntFlag):
    """What an option bears on."""

    NONE = 0
    SEARCH = auto()  # where headers are looked for
    TOOLCHAIN = auto()  # which programs and libraries run
    READS = auto()  # its value is a file
    WRITES = auto()  # its value will be a file
    WRITES_INTO = auto()  # its value is a directory, where files will be


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one option means in replica mode."""

    part: Part
    use: Use = Use.NONE
    reason: Reason | None = None


# These keep a job here in every mode: nothing is compiled, or by something that cannot be shipped.
_STAYING: Final = frozenset(
    {
        Reason.NOT_A_COMPILE, Reason.PREPROCESS_ONLY, Reason.DEPENDENCIES_ONLY, Reason.PLUGIN, Reason.MODULES,
        Reason.OTHER_PROGRAMS, Reason.SPECS, Reason.LOCAL_FILES,
    }
)  # fmt: skip

_PARTS: Final = {
    Role.INCLUDE: Part.FORCED,
    Role.STAGE: Part.STAGE,
    Role.OUTPUT: Part.OUTPUT,
    Role.LANGUAGE: Part.LANGUAGE,
    Role.DEPENDENCIES: Part.DEPENDENCIES,
    Role.DEPENDENCY_FILE: Part.DEPENDENCY_FILE,
    Role.ARCHITECTURE: Part.ARCHITECTURE,
    Role.FOR_PREPROCESSOR: Part.FOR_PREPROCESSOR,
    Role.FOR_PREPROCESSOR_LIST: Part.FOR_PREPROCESSOR_LIST,
    Role.FOR_ASSEMBLER: Part.FOR_ASSEMBLER,
    Role.FOR_ASSEMBLER_LIST: Part.FOR_ASSEMBLER_LIST,
    Role.FOR_CLANG: Part.FOR_CLANG,
    Role.FOR_LLVM: Part.FOR_LLVM,
    Role.END_OF_OPTIONS: Part.END_OF_OPTIONS,
}

_WHOLE, _JOINED, _SEPARATE, _EITHER = Shape.WHOLE, Shape.JOINED, Shape.SEPARATE, Shape.EITHER
_BOTH_USES: Final = Use.SEARCH | Use.TOOLCHAIN

# -- options of `options`, by name; a name that is there as a beginning and as a whole word means both

_COMMON: Final[tuple[tuple[str, Meaning], ...]] = (
    ("-fsyntax-only", Meaning(Part.SYNTAX)),
    ("-D --define-macro --define-macro=", Meaning(Part.DEFINITION)),
    ("-imacros --imacros --imacros=", Meaning(Part.FORCED)),
    ("-std= --std= -ansi --ansi", Meaning(Part.STANDARD)),
    ("-trigraphs --trigraphs", Meaning(Part.TRIGRAPHS)),
    ("-march=native -mtune=native -mcpu=native", Meaning(Part.NATIVE, _BOTH_USES)),
    ("-arch", Meaning(Part.ARCHITECTURE, _BOTH_USES)),
    ("-emit-llvm", Meaning(Part.BITCODE)),
    (
        "-I -F -idirafter -iprefix -iquote -isystem -iwithprefix -iwithprefixbefore -imultilib -imultiarch "
        "--include-directory --include-directory-after --include-directory= --include-directory-after= "
        "--no-sysroot-suffix -nostdinc -nostdinc++ -remap",
        Meaning(Part.USES, Use.SEARCH),
    ),
    # Some toolchains have other headers or libraries for these (multilibs).
    ("-pthread -pthreads", Meaning(Part.USES, Use.SEARCH)),
    ("-isysroot --sysroot --sysroot= -no-canonical-prefixes", Meaning(Part.USES, _BOTH_USES)),
    ("-B --prefix --prefix= -resource-dir -resource-dir=", Meaning(Part.USES, _BOTH_USES)),
    ("--gcc-toolchain= --gcc-install-dir= -gcc-toolchain", Meaning(Part.USES, _BOTH_USES)),
    ("-specs -specs= --specs --specs=", Meaning(Part.USES, _BOTH_USES | Use.READS)),
    ("-m", Meaning(Part.OPEN, _BOTH_USES)),
    ("-f", Meaning(Part.OPEN)),
    ("-fsanitize=", Meaning(Part.USES, _BOTH_USES)),
    ("-finput-charset=", Meaning(Part.USES, Use.TOOLCHAIN)),
    # It runs objcopy.
    ("-gsplit-dwarf", Meaning(Part.USES, Use.TOOLCHAIN)),
    ("-flto", Meaning(Part.USES, Use.TOOLCHAIN)),
    # Files that the compiler itself reads.
    (
        "-fsanitize-blacklist= -fsanitize-ignorelist= -fsanitize-system-blacklist= "
        "-fsanitize-system-ignorelist= -fsanitize-coverage-allowlist= -fsanitize-coverage-ignorelist= "
        "-fsanitize-coverage-whitelist= -fsanitize-coverage-blacklist= -fxray-always-instrument= "
        "-fxray-never-instrument= -fxray-attr-list= -frandomize-layout-seed-file= -mtls-dialect-file= "
        "-fbasic-block-sections=list= -fmemory-profile-use=",
        Meaning(Part.USES, Use.READS),
    ),
    ("-include-pch", Meaning(Part.USES, Use.READS)),
    # Files that it writes where the option says.
    ("-aux-info -serialize-diagnostics --serialize-diagnostics", Meaning(Part.USES, Use.WRITES)),
    ("-aux-info= --serialize-diagnostics=", Meaning(Part.USES, Use.WRITES)),
    # It may add to a file that is there.
    ("-MJ", Meaning(Part.USES, Use.READS | Use.WRITES)),
    ("-fcrash-diagnostics-dir", Meaning(Part.USES, Use.WRITES_INTO)),
    ("-dumpbase -dumpbase-ext -dumpdir", Meaning(Part.AUXILIARY, Use.WRITES)),
    ("--dumpbase --dumpbase-ext --dumpdir", Meaning(Part.AUXILIARY, Use.WRITES)),
    (
        "-fdump- -fopt-info -foptimization-record- -ftime-trace -fdiagnostics-add-output= "
        "-fdiagnostics-set-output=",
        Meaning(Part.WRITTEN),
    ),
    ("-fprofile-", Meaning(Part.OPEN)),
    # They add a line to a file of all compiles.
    ("-fproc-stat-report -fself-test", Meaning(Part.STAYS, reason=Reason.SIDE_OUTPUT)),
    # Another preprocessor than the scanner's.
    (
        "-traditional -traditional-cpp --traditional --traditional-cpp",
        Meaning(Part.STAYS, reason=Reason.UNKNOWN_OPTION),
    ),
    ("-emit-ast", Meaning(Part.STAYS, reason=Reason.SIDE_OUTPUT)),
)  # fmt: skip

_CLANG: Final = (
    ("-target -mthread-model --target= -stdlib= --stdlib=", Meaning(Part.USES, _BOTH_USES)),
    ("-mllvm=", Meaning(Part.FOR_LLVM)),
    ("-integrated-as -no-integrated-as", Meaning(Part.USES, Use.TOOLCHAIN)),
    (
        "-nostdlibinc -nobuiltininc -ibuiltininc -cxx-isystem -stdlib++-isystem -isystem-after -iframework "
        "-iframeworkwithsysroot -iwithsysroot",
        Meaning(Part.USES, Use.SEARCH),
    ),
    (
        "-frecord-gcc-switches -frecord-command-line -grecord-command-line -grecord-gcc-switches "
        "-fembed-bitcode -fembed-bitcode=",
        Meaning(Part.RECORDS),
    ),
)

# -- options that `options` leaves to a family or does not know

_MORE: Final[tuple[tuple[Shape, str, Meaning], ...]] = (
    (_WHOLE, "-fintegrated-as -fno-integrated-as -canonical-prefixes", Meaning(Part.USES, Use.TOOLCHAIN)),
    (_WHOLE, "-EB -EL -fPIC -fpic -fno-exceptions -fno-rtti", Meaning(Part.USES, Use.SEARCH)),
    (_JOINED, "-fexec-charset= -fwide-exec-charset=", Meaning(Part.USES, Use.TOOLCHAIN)),
    # Their values are text that may look like a path.
    (
        _JOINED,
        "-fdebug-prefix-map= -ffile-prefix-map= -fmacro-prefix-map= -fcoverage-prefix-map= "
        "-fprofile-prefix-map= -fdebug-compilation-dir= -ffile-compilation-dir= -fcoverage-compilation-dir= "
        "-frandom-seed= -fuse-ld= -fprofile-exclude-files= -fprofile-filter-files= "
        "-foptimization-record-passes=",
        Meaning(Part.ORDINARY),
    ),
    (_SEPARATE, "-Xanalyzer -Xlinker -e --entry -G", Meaning(Part.ORDINARY)),
    (_JOINED, "--driver-mode= -ccc-", Meaning(Part.STAYS, reason=Reason.UNKNOWN_OPTION)),
    (_SEPARATE, "-Xopenmp-target", Meaning(Part.STAYS, reason=Reason.UNKNOWN_OPTION)),
    (_JOINED, "-Xarch_ -Xopenmp-target=", Meaning(Part.STAYS, reason=Reason.UNKNOWN_OPTION)),
)
_MORE_GCC: Final = (
    (_WHOLE, "-fprofile-use -fbranch-probabilities", Meaning(Part.PROFILE)),
    # It looks for names made of the working directory's there, and goes on quietly where there is none.
    (_JOINED, "-fprofile-use=", Meaning(Part.STAYS, reason=Reason.PROFILE)),
    (_JOINED, "-fprofile-dir= -fprofile-generate=", Meaning(Part.PROFILE_PLACE, Use.WRITES_INTO)),
    (_JOINED, "-fprofile-prefix-path=", Meaning(Part.PROFILE_PLACE)),
    (_JOINED, "-fprofile-note=", Meaning(Part.USES, Use.WRITES)),
    (_WHOLE, "-fauto-profile", Meaning(Part.STAYS, reason=Reason.PROFILE)),
    (_JOINED, "-fauto-profile=", Meaning(Part.USES, Use.READS)),
)
_MORE_CLANG: Final = (
    (
        _JOINED,
        "-fprofile-use= -fprofile-instr-use= -fprofile-sample-use= -fauto-profile= -fprofile-remapping-file= "
        "-fprofile-list=",
        Meaning(Part.PROFILE_FILE),
    ),
    (_WHOLE, "-fprofile-use -fprofile-instr-use", Meaning(Part.PROFILE_FILE)),
    # Only the program that is compiled will write there.
    (_JOINED, "-fprofile-generate= -fprofile-instr-generate= -fcs-profile-generate=", Meaning(Part.ORDINARY)),
    # As words of -Xclang.
    (
        _SEPARATE,
        "-dependency-file -diagnostic-log-file -header-include-file -coverage-notes-file -stack-usage-file",
        Meaning(Part.USES, Use.WRITES),
    ),
    (
        _SEPARATE,
        "-internal-isystem -internal-externc-isystem -c-isystem -objc-isystem -objcxx-isystem",
        Meaning(Part.USES, Use.SEARCH),
    ),
)


class MeaningTable:
    """Looks a word up: how it takes its value, and what it means. None: no row covers it."""

    def __init__(self, family: Family) -> None:
        by_name = dict(_by_name(_COMMON if family is Family.GCC else (*_COMMON, *_CLANG)))
        more = (*_MORE, *(_MORE_GCC if family is Family.GCC else _MORE_CLANG))
        new = [
            (Row(name.encode(), shape, Role.BOTH), meaning)
            for shape, names, meaning in more
            for name in names.split()
        ]
        replaced = {(row.name, row.shape) for row, _ in new}
        rows = [row for row in ROWS[family] if (row.name, row.shape) not in replaced]
        self._meanings = {(row.name, row.shape): by_name.get(row.name) or _as_usual(row) for row in rows}
        self._meanings.update({(row.name, row.shape): meaning for row, meaning in new})
        self._table = OptionTable((*rows, *(row for row, _ in new)))

    def find(self, word: bytes) -> tuple[Row, Meaning] | None:
        """The row and the meaning of a word that begins with a hyphen."""
        row = self._table.find(word)
        return None if row is None else (row, self._meanings[row.name, row.shape])


def _by_name(rows: tuple[tuple[str, Meaning], ...]) -> Iterator[tuple[bytes, Meaning]]:
    for names, meaning in rows:
        for name in names.split():
            yield name.encode(), meaning


def _as_usual(row: Row) -> Meaning:
    if row.role is Role.LOCAL:
        return Meaning(Part.STAYS, reason=row.reason) if row.reason in _STAYING else Meaning(Part.ORDINARY)
    return Meaning(_PARTS.get(row.role, Part.ORDINARY))


MEANINGS: Final = {family: MeaningTable(family) for family in ROWS}
