"""One walk over a command line for replica mode: what its words come to, and what they are noted in.

Knows no option and no policy: `replica_parts` says what a word means; what stands in the way is noted as an
obstacle.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from fleetcc.command.languages import suffix_of
from fleetcc.command.replica_options import Part, Use
from fleetcc.model import Reason

Spelled = tuple[bytes, ...]

# As plain numbers: a flag's `&` takes half a microsecond.
_SEARCH, _TOOLCHAIN, _READS = int(Use.SEARCH), int(Use.TOOLCHAIN), int(Use.READS)
_WRITES, _WRITES_INTO = int(Use.WRITES), int(Use.WRITES_INTO)


class Found(NamedTuple):
    """What one word turned out to be."""

    handle: "Handler"
    part: Part
    name: bytes  # of the option
    separate: bool  # its value is the next word
    value: bytes  # the joined one, or the path of an OPEN or WRITTEN option
    use: int  # of `Use`
    reason: Reason | None


class ReplicaWalk:
    """The words of one command line, for replica mode."""

    __slots__ = (
        "architectures",
        "asks_dependencies",
        "assembler",
        "auxiliary",
        "bitcode",
        "clang",
        "definitions",
        "depfile",
        "files",
        "find",
        "forced",
        "inputs",
        "listed_depfile",
        "named_language",
        "native",
        "no_more_options",
        "obstacles",
        "output",
        "preprocessor",
        "profile",
        "profile_place",
        "records",
        "search",
        "stages",
        "strict",
        "syntax_only",
        "toolchain",
        "trigraphs",
        "writes",
        "writes_into",
    )  # fmt: skip

    def __init__(self, find: "Callable[[bytes], Found | None]") -> None:
        self.find = find
        self.inputs: list[tuple[bytes, bytes | None]] = []  # word, language that -x names
        self.obstacles: list[tuple[Reason, bytes]] = []
        self.stages: list[bytes] = []
        self.search: list[bytes] = []
        self.toolchain: list[bytes] = []
        self.forced: list[bytes] = []
        self.definitions: list[bytes] = []
        self.files: list[bytes] = []
        self.writes: list[bytes] = []  # files
        self.writes_into: list[bytes] = []  # directories
        self.output: bytes | None = None
        self.depfile: bytes | None = None
        self.listed_depfile: bytes | None = None  # out of -Wp,-MD,FILE
        self.named_language: bytes | None = None
        self.asks_dependencies = self.syntax_only = self.no_more_options = False
        self.native = self.strict = self.trigraphs = self.bitcode = self.records = False
        self.profile = self.profile_place = self.auxiliary = False
        self.architectures = 0
        # An option that was handed on to the program awaits its value in the next word for it.
        self.preprocessor: Found | None = None
        self.assembler: Found | None = None
        self.clang: Found | None = None

    def run(self, arguments: Sequence[bytes]) -> None:
        """Take all words after the compiler's name."""
        words = iter(arguments)
        find = self.find
        for word in words:
            if self.no_more_options or word[:1] != b"-" or word == b"-":
                self.inputs.append((word, self.named_language))
                continue
            found = find(word)
            if found is None:
                continue
            if found.separate:
                value = next(words, None)
                if value is None:
                    self.stop(Reason.UNKNOWN_OPTION, word)
                    return
                found.handle(self, found, (word, value), value)
            else:
                found.handle(self, found, (word,), found.value)

    def stop(self, reason: Reason, word: bytes) -> None:
        """Note why the job must stay."""
        self.obstacles.append((reason, word))

    def use(self, use: int, spelled: Spelled, value: bytes) -> None:
        """Note what an option bears on."""
        if use & _SEARCH:
            self.search += spelled
        if use & _TOOLCHAIN:
            self.toolchain += spelled
        if use & _READS:
            self.files.append(value)
        if use & _WRITES:
            self.writes.append(value)
        if use & _WRITES_INTO:
            self.writes_into.append(value)

    def may_be_file(self, path: bytes) -> None:
        """Ship it if it is there, take it if it was written."""
        if path:
            self.files.append(path)
            self.writes.append(path)


Handler = Callable[[ReplicaWalk, Found, Spelled, bytes], None]


def path_in(word: bytes) -> bytes:
    """The end of a word after its last `=` if it could name a file, or nothing."""
    value = word.rpartition(b"=")[2]
    if value.startswith((b"/dev/", b"/proc/")):
        return b""
    return value if b"/" in value or suffix_of(value)[:1].isalpha() else b""
