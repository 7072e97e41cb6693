"""The words that every layer shares: compilers, forms, reasons. Values only."""

from dataclasses import dataclass
from enum import Enum


class Family(Enum):
    """Whose option language a compiler speaks."""

    GCC = "gcc"
    CLANG = "clang"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Compiler:
    """What has been learned by asking one compiler binary."""

    family: Family
    version: tuple[int, ...]  # (12, 2, 0); empty when unknown
    target: bytes  # what -dumpmachine says, b"x86_64-linux-gnu"
    remote_name: bytes | None  # the bare name to ask servers for, b"x86_64-linux-gnu-g++-12"; None: has none


class Language(Enum):
    """The language of a source; the value is the suffix of its preprocessed form."""

    C = "i"
    CXX = "ii"
    OBJC = "mi"
    OBJCXX = "mii"


class Form(Enum):
    """How source text travels in preprocessed mode.

    EXPANDED is what `cc -E` writes; every distcc server takes it. DIRECTIVES is what
    `cc -E -fdirectives-only` writes: includes are resolved, macros are not, so that columns (debug
    information!) and macro-dependent warnings stay what they were; only a fleetccd takes it.
    """

    EXPANDED = "expanded"
    DIRECTIVES = "directives"


class Priority(Enum):
    """How urgent a client's jobs are; a server gives running slots in proportion to the weights."""

    def __init__(self, slug: str, weight: int) -> None:
        self.slug = slug
        self.weight = weight

    INTERACTIVE = ("interactive", 4)
    NORMAL = ("normal", 2)
    CI = ("ci", 1)


class Reason(Enum):
    """Why a job ran where it ran; the one enumeration of explain, status and the log.

    The value is the stable name that scripts may match; `text` is for people and ends with a remedy
    where there is one.
    """

    def __init__(self, slug: str, text: str) -> None:
        self.slug = slug
        self.text = text

    # -- it ran on a host
    REMOTE = ("remote", "compiled on a host of the fleet")

    # -- the command line says local
    NOT_A_COMPILE = ("not-a-compile", "asks the compiler a question, compiles nothing")
    LINKING = ("linking", "calls the linker: there is no -c or -S")
    PREPROCESS_ONLY = ("preprocess-only", "only preprocesses (-E)")
    DEPENDENCIES_ONLY = ("dependencies-only", "only lists dependencies (-M or -MM)")
    SYNTAX_ONLY = ("syntax-only", "only checks (-fsyntax-only)")
    NO_INPUT = ("no-input", "names no source file")
    SEVERAL_INPUTS = ("several-inputs", "names several source files; give each its own command")
    STDIN_INPUT = ("stdin-input", "reads its source from standard input")
    STDOUT_OUTPUT = ("stdout-output", "writes to standard output or to a device")
    ASSEMBLER_INPUT = ("assembler-input", "an assembler source, which may include files of this machine")
    UNKNOWN_LANGUAGE = ("unknown-language", "a language or file suffix that does not travel")
    HEADER_INPUT = ("header-input", "precompiles a header")
    PRECOMPILED_HEADER = ("precompiled-header", "uses a precompiled header of this machine")
    MODULES = ("modules", "uses modules, whose files stay on this machine")
    NATIVE_CPU = (
        "native-cpu",
        "tunes for this machine's processor (-march=native); name the processor instead",
    )
    PLUGIN = ("plugin", "loads a compiler plugin")
    SPECS = ("specs", "uses a specs or configuration file of this machine")
    OTHER_PROGRAMS = ("other-programs", "runs the compiler through other programs (-wrapper, -B)")
    SAVE_TEMPS = ("save-temps", "keeps intermediate files (-save-temps)")
    SIDE_OUTPUT = ("side-output", "writes files beside the object that a distcc server would lose")
    COVERAGE = ("coverage", "records coverage or profile arcs beside the object")
    PROFILE = ("profile", "reads or writes a profile")
    SPLIT_DWARF = ("split-dwarf", "splits debug information into a .dwo file")
    LISTING = ("listing", "asks the assembler for a listing or its own dependency file")
    LINK_TIME = (
        "link-time",
        "holds intermediate code for the linker, which records places in the source; "
        "clang's -flto=thin and -flto=full travel",
    )
    SEVERAL_ARCHITECTURES = ("several-architectures", "compiles for several architectures at once")
    RECORDS_COMMAND = ("records-command", "records the command line in the object")
    NO_LINE_MARKERS = ("no-line-markers", "drops or lacks line markers, so names would be the server's")
    SOURCE_NEEDED = (
        "source-needed",
        "asks for warnings or debug information that only the whole source can give",
    )
    DEBUG_COLUMNS = (
        "debug-columns",
        "debug information would have other columns than here after preprocessing; "
        "hosts that take files, hosts that run fleetccd (for gcc), or FLEETCC_EXACT=0 lift this",
    )
    DEPENDENCY_ENVIRONMENT = ("dependency-environment", "DEPENDENCIES_OUTPUT or SUNPRO_DEPENDENCIES is set")
    CONFIGURE_PROBE = ("configure-probe", "a configure probe, too small to travel")
    RESPONSE_FILE = ("response-file", "a response file (@file) that cannot be read")
    UNKNOWN_OPTION = (
        "unknown-option",
        "an option that fleetcc does not know, cannot carry, or that lacks its value",
    )
    LOCAL_FILES = ("local-files", "reads files of this machine that cannot be told beforehand")
    UNKNOWN_COMPILER = ("unknown-compiler", "neither gcc nor clang, as far as its own answers tell")
    COMPILER_NAME = ("compiler-name", "the compiler is outside PATH, so servers cannot know it by name")

    # -- the settings say local
    MODE_LOCAL = ("mode-local", "FLEETCC_MODE=local asks for it")
    NO_HOSTS = ("no-hosts", "no host list: set FLEETCC_HOSTS or write ~/.config/fleetcc/hosts")
    BAD_HOST_LIST = ("bad-host-list", "the host list cannot be used; `fleetcc hosts` says why")
    LOCALHOST_ENTRY = ("localhost-entry", "the host list's `localhost` was free first")

    # -- the fleet could not
    NO_SAME_COMPILER = (
        "no-same-compiler",
        "no host has this very compiler; `fleetcc hosts` shows which hosts have it",
    )
    NO_SANDBOX = (
        "no-sandbox",
        "it can only travel as files, which no host takes; `fleetcc hosts` shows why not",
    )
    FILES_CHANGING = ("files-changing", "its files kept changing while they were sent")
    FILES_MISSED = ("files-missed", "files that it reads were missed again and again; please report it")
    CANNOT_SHIP = ("cannot-ship", "the compiler cannot be sent as files")
    MANY_OUTPUTS = ("many-outputs", "leaves more files than a launcher puts in place")
    VERIFIED = ("verified", "compiled here as well, to compare (FLEETCC_VERIFY)")
    NO_GRANT = ("no-grant", "no host had a free slot for it in time (FLEETCC_IO_TIMEOUT)")
    ALL_HOSTS_FAILING = ("all-hosts-failing", "every host failed lately or cannot be reached")
    HOSTS_FAILED = ("hosts-failed", "the hosts that were tried failed before their compiler had spoken")
    REFUSED = ("refused", "the hosts closed without an answer: not allowed there, or no such compiler")

    # -- a compiler spoke
    PREPROCESSOR_SPOKE = (
        "preprocessor-spoke",
        "the preprocessor failed or warned; the whole compiler says it exactly",
    )
    COMPILER_SPOKE = (
        "compiler-spoke",
        "the remote compiler failed or warned; run here, because diagnostics of preprocessed text differ",
    )
    WARNED_LAST_TIME = ("warned-last-time", "gave diagnostics last time, so it starts where they are exact")
    REMOTE_SIGNAL = ("remote-signal", "the remote compiler was killed")

    # -- we could not
    BAD_SETTINGS = ("bad-settings", "a setting cannot be used; `fleetcc config` says which")
    OTHER_FILE_SYSTEM = ("other-file-system", "the launcher sees another file system than the agent")
    OUTPUT_UNWRITABLE = ("output-unwritable", "the output cannot be written; the compiler says it exactly")
    INTERNAL_ERROR = ("internal-error", "fleetcc failed; the agent's log has the story")
