"""Decides whether a command can run in a replica of this machine's files, and what has to be shipped for it.

A server runs it word for word, with the client's own compiler at the same paths, so nearly every compile
can. What stays: what compiles nothing, links, reads standard input, writes to standard output, runs programs
or needs files that no word names. An option that nobody knows is sent: a file that it names is taken along
when it is there, what it writes comes back, and a miss makes the compiler fail, which is repaired later.
Pure: files are read through the caller.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.command.environment import STAYING
from fleetcc.command.languages import is_cxx_driver
from fleetcc.command.outputs import derived_depfile
from fleetcc.command.replica_fallback import dependency_words
from fleetcc.command.replica_parts import walk_through
from fleetcc.command.replica_sources import SCANNED, Source, output_of, source_of
from fleetcc.command.replica_walk import ReplicaWalk
from fleetcc.command.response import EndlessResponseFilesError, ReadFile, expand
from fleetcc.command.verdict import Depfile, LocalOnly
from fleetcc.model import Compiler, Family, Reason

__all__ = ["SCANNED", "Depfile", "LocalOnly", "Shipment", "replica_shipment"]

# These say what the whole command is, so they are given as the reason before anything else.
_WHOLE_COMMAND: Final = frozenset({Reason.NOT_A_COMPILE, Reason.PREPROCESS_ONLY, Reason.DEPENDENCIES_ONLY})

Words = tuple[bytes, ...]

NATIVE_WORDS: Final = frozenset((b"-march=native", b"-mtune=native", b"-mcpu=native"))

# What a FILE_JOB may name (wire/files.py); a command with more is no real one.
_MAX_DIRECTORIES: Final = 100


@dataclass(frozen=True, slots=True)
class Shipment:
    """One command that can run in a replica, and what it needs there.

    All paths are as spelled, relative ones from the working directory.
    """

    argv: tuple[bytes, ...]  # as typed; expanded where a response file holds a word of NATIVE_WORDS
    words: tuple[bytes, ...]  # response files expanded
    family: Family
    sources: tuple[bytes, ...]
    languages: tuple[bytes, ...]  # one per source, as -x names them; those in SCANNED have includes
    outputs: tuple[bytes, ...]  # one per source, or none; what a failed compile removes
    depfile: Depfile | None  # None also when there are several
    search_words: tuple[bytes, ...]  # what `cc -E -v` must be told, in order
    toolchain_words: tuple[bytes, ...]  # what decides which programs and libraries run
    forced: tuple[bytes, ...]  # -include and -imacros, in order
    definitions: tuple[bytes, ...]  # NAME, NAME=VALUE, F(x)=VALUE
    files: tuple[bytes, ...]  # other files to ship if they are there
    write_directories: tuple[bytes, ...]  # where it may write; b"." is the first
    native: bool  # a word of NATIVE_WORDS has to be replaced
    trigraphs: bool
    label: bytes  # the first source

    @property
    def dependency_words(self) -> tuple[bytes, ...]:
        """The options for `cc -M`, without the compiler and the source; not on the usual way of a job."""
        return dependency_words(self.words, self.family)

    def dependency_argv(self, index: int) -> tuple[bytes, ...]:
        """The whole command that lists the dependencies of one source on standard output."""
        language = (b"-x", self.languages[index])
        return (self.argv[0], *self.dependency_words, b"-w", b"-M", *language, self.sources[index])


def replica_shipment(
    argv: Sequence[bytes],
    compiler: Compiler,
    environment: Mapping[bytes, bytes],
    read_file: ReadFile,
) -> Shipment | LocalOnly:
    """Say what argv needs in a replica, or why it stays; argv[0] is the compiler's name as typed."""
    if compiler.family is Family.UNKNOWN:
        return LocalOnly(Reason.UNKNOWN_COMPILER, argv[0])
    words = typed = tuple(argv)
    response_files: list[bytes] = []
    if any(word[:1] == b"@" for word in typed):
        try:
            words, response_files = _expanded(typed, read_file)
        except EndlessResponseFilesError as error:
            return LocalOnly(Reason.RESPONSE_FILE, error.args[0])
    walk = walk_through(words[1:], compiler.family)
    walk.files += response_files
    obstacle = _obstacle(walk, environment)
    if obstacle is not None:
        return obstacle
    sources = _sources(walk, words[0], compiler)
    if isinstance(sources, LocalOnly):
        return sources
    # A server's compiler would read the native word out of the file.
    return _shipment(words if walk.native and response_files else typed, words, walk, sources, compiler)


def _expanded(argv: Words, read_file: ReadFile) -> tuple[Words, list[bytes]]:
    names: list[bytes] = []

    def read(name: bytes) -> bytes | None:
        text = read_file(name)
        if text is not None:
            names.append(name)
        return text

    return tuple(expand(argv, read)), names


def _obstacle(walk: ReplicaWalk, environment: Mapping[bytes, bytes]) -> LocalOnly | None:
    for reason, word in walk.obstacles:
        if reason in _WHOLE_COMMAND:
            return LocalOnly(reason, word)
    if walk.obstacles and (walk.stages or walk.syntax_only):
        return LocalOnly(*walk.obstacles[0])
    if not walk.inputs:
        return LocalOnly(Reason.NO_INPUT)
    return _option_obstacle(walk) or _environment_obstacle(environment) or _device_obstacle(walk)


def _environment_obstacle(environment: Mapping[bytes, bytes]) -> LocalOnly | None:
    found = next((name for name in STAYING if name in environment), None)
    return None if found is None else LocalOnly(STAYING[found], found)


def _option_obstacle(walk: ReplicaWalk) -> LocalOnly | None:
    """Options that can travel alone, but not together."""
    if walk.native and walk.records:
        return LocalOnly(Reason.NATIVE_CPU)
    if walk.profile and (walk.auxiliary or walk.profile_place):
        return LocalOnly(Reason.PROFILE)
    return None


def _device_obstacle(walk: ReplicaWalk) -> LocalOnly | None:
    """Descriptors and devices of this machine; /dev/null is everywhere, but an output there is a probe's."""
    if walk.output is not None and (walk.output in {b"-", b""} or _is_special(walk.output)):
        return LocalOnly(Reason.STDOUT_OUTPUT, walk.output)
    for path in (walk.depfile, walk.listed_depfile, *walk.writes, *walk.writes_into):
        if path is not None and (path == b"-" or _is_special(path)) and path != b"/dev/null":
            return LocalOnly(Reason.STDOUT_OUTPUT, path)
    for path in (*walk.forced, *walk.files):
        if (path == b"-" or _is_special(path)) and path != b"/dev/null":
            return LocalOnly(Reason.LOCAL_FILES, path)
    return None


def _is_special(path: bytes) -> bool:
    return path.startswith((b"/dev/", b"/proc/"))


def _sources(walk: ReplicaWalk, name: bytes, compiler: Compiler) -> list[Source] | LocalOnly:
    cxx_driver = is_cxx_driver(name, compiler)
    sources: list[Source] = []
    for path, named in walk.inputs:
        source = source_of(path, named, compiler, cxx_driver=cxx_driver)
        if isinstance(source, Reason):
            linking = not walk.stages and not walk.syntax_only and source is Reason.UNKNOWN_LANGUAGE
            return LocalOnly(Reason.LINKING if linking else source, path)
        sources.append(source)
    # Headers are precompiled without -c as well.
    if not walk.stages and not walk.syntax_only and not all(source.header for source in sources):
        return LocalOnly(Reason.LINKING)
    if walk.obstacles:
        return LocalOnly(*walk.obstacles[0])
    if len(sources) > 1 and walk.output is not None:
        return LocalOnly(Reason.SEVERAL_INPUTS, sources[1].path)
    return sources


def _shipment(
    argv: Words,
    words: Words,
    walk: ReplicaWalk,
    sources: list[Source],
    compiler: Compiler,
) -> Shipment | LocalOnly:
    # Both drivers let -S win over -c, and -fsyntax-only over both.
    stage = None if walk.syntax_only else b"-S" if b"-S" in walk.stages else b"-c"
    outputs: list[bytes] = []
    for source in sources:
        output = output_of(source, stage, compiler, bitcode=walk.bitcode)
        if isinstance(output, Reason):
            return LocalOnly(output, source.path)
        if output:
            outputs.append(output if walk.output is None else walk.output)
    if walk.profile:
        walk.files += _profiles(walk, sources)
    depfiles = _depfiles(walk, sources)
    directories = _directories((*walk.writes, *outputs, *depfiles, *_given(walk.output)), walk.writes_into)
    if len(directories) > _MAX_DIRECTORIES:
        return LocalOnly(Reason.SIDE_OUTPUT, directories[-1])
    return Shipment(
        argv=argv,
        words=words,
        family=compiler.family,
        sources=tuple([source.path for source in sources]),
        languages=tuple([source.language for source in sources]),
        outputs=tuple(outputs),
        depfile=Depfile(depfiles[0]) if len(depfiles) == 1 and depfiles[0] != b"/dev/null" else None,
        search_words=tuple(walk.search),
        toolchain_words=tuple(walk.toolchain),
        forced=tuple(walk.forced),
        definitions=tuple(walk.definitions),
        files=tuple(dict.fromkeys(walk.files)),
        write_directories=directories,
        native=walk.native,
        trigraphs=walk.trigraphs or walk.strict,
        label=sources[0].path,
    )


def _profiles(walk: ReplicaWalk, sources: list[Source]) -> list[bytes]:
    """Where gcc looks for the counts of an earlier run: beside the output, under the name of a depfile."""
    depfiles = [derived_depfile(source.path, walk.output) for source in sources]
    return [path[: -len(b".d")] + b".gcda" for path in depfiles]


def _depfiles(walk: ReplicaWalk, sources: list[Source]) -> list[bytes]:
    found = list(_given(walk.listed_depfile))
    if walk.asks_dependencies:
        if walk.depfile is not None:
            found.append(walk.depfile)
        else:
            found += [derived_depfile(source.path, walk.output) for source in sources]
    # What is not preprocessed has no dependencies.
    return found if any(source.language in SCANNED for source in sources) else []


def _given(path: bytes | None) -> tuple[bytes, ...]:
    return () if path is None else (path,)


def _directories(files: Iterable[bytes], into: Iterable[bytes]) -> tuple[bytes, ...]:
    """The directories of the files and those given, each once, the working directory first."""
    found = {b".": None}
    for path in files:
        directory, slash, _ = path.rpartition(b"/")
        found[directory or slash or b"."] = None
    for directory in into:
        found[directory.rstrip(b"/") or directory[:1] or b"."] = None
    return tuple(found)
