"""Decides what a compiler command line is: a compilation that may travel, or a job for this machine.

Pure: files are read through the caller. What only file contents can tell is left to the caller, who finds
it named in the Compilation (`preprocessed_input`, `forced_includes`).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from fleetcc.command.environment import STAYING
from fleetcc.command.forms import Wishes, choose_forms
from fleetcc.command.languages import is_cxx_driver, kind_of
from fleetcc.command.markers import has_line_markers, names_directory
from fleetcc.command.outputs import derived_depfile, derived_output
from fleetcc.command.response import EndlessResponseFilesError, ReadFile, expand
from fleetcc.command.verdict import Compilation, Depfile, LocalOnly
from fleetcc.command.walk import DEPENDENCY_PATH, Walk
from fleetcc.model import Compiler, Family, Reason

__all__ = ["Compilation", "Depfile", "LocalOnly", "analyze", "has_line_markers", "names_directory"]

# These say what the whole command is, so they are given as the reason before anything else.
_WHOLE_COMMAND: Final = frozenset(
    {Reason.NOT_A_COMPILE, Reason.PREPROCESS_ONLY, Reason.DEPENDENCIES_ONLY, Reason.SYNTAX_ONLY}
)

# configure's and distcc's names for probes.
_PROBES: Final = (b"conftest.", b"tmp.conftest.")


def analyze(
    argv: Sequence[bytes],
    compiler: Compiler,
    environment: Mapping[bytes, bytes],
    read_file: ReadFile,
) -> Compilation | LocalOnly:
    """Say what argv asks for; argv[0] is the compiler's name as typed."""
    if compiler.family is Family.UNKNOWN:
        return LocalOnly(Reason.UNKNOWN_COMPILER, argv[0])
    words: Sequence[bytes] = argv
    if any(word[:1] == b"@" for word in argv):
        try:
            words = expand(argv, read_file)
        except EndlessResponseFilesError as error:
            return LocalOnly(Reason.RESPONSE_FILE, error.args[0])
    walk = Walk(compiler.family)
    walk.run(words[1:])
    obstacle = _obstacle(walk, environment)
    if obstacle is not None:
        return obstacle
    return _compilation(words, walk, compiler)


def _obstacle(walk: Walk, environment: Mapping[bytes, bytes]) -> LocalOnly | None:
    for reason, word in walk.obstacles:
        if reason in _WHOLE_COMMAND:
            return LocalOnly(reason, word)
    if not walk.stages:
        return LocalOnly(Reason.LINKING if walk.inputs else Reason.NO_INPUT)
    if walk.obstacles:
        return LocalOnly(*walk.obstacles[0])
    if walk.listed_depfile is not None and (walk.asks_dependencies or walk.depfile is not None):
        return LocalOnly(Reason.UNKNOWN_OPTION, b"-Wp,-MD," + walk.listed_depfile)
    for name in environment.keys() & STAYING.keys():
        return LocalOnly(STAYING[name], name)
    return _input_obstacle(walk)


def _input_obstacle(walk: Walk) -> LocalOnly | None:
    if not walk.inputs:
        return LocalOnly(Reason.NO_INPUT)
    if len(walk.inputs) > 1:
        return LocalOnly(Reason.SEVERAL_INPUTS, walk.inputs[1][0])
    source = walk.inputs[0][0]
    reason = _source_obstacle(source)
    if reason is not None:
        return LocalOnly(reason, source)
    for path in (walk.output, walk.depfile, walk.listed_depfile):
        if path is not None and _is_device(path):
            return LocalOnly(Reason.STDOUT_OUTPUT, path)
    return None


def _source_obstacle(source: bytes) -> Reason | None:
    if source == b"-":
        return Reason.STDIN_INPUT
    if source[:1] == b"@":
        return Reason.RESPONSE_FILE
    if source[:1] == b"-" or source[-1:] in {b"/", b""}:
        return Reason.UNKNOWN_LANGUAGE
    if source.rpartition(b"/")[2].startswith(_PROBES):
        return Reason.CONFIGURE_PROBE
    return None


def _is_device(path: bytes) -> bool:
    return path in {b"-", b""} or path.startswith((b"/dev/", b"/proc/")) or path[-1:] == b"/"


def _compilation(words: Sequence[bytes], walk: Walk, compiler: Compiler) -> Compilation | LocalOnly:
    source, named = walk.inputs[0]
    cxx_driver = is_cxx_driver(words[0], compiler)
    kind = kind_of(source, named, cxx_driver=cxx_driver)
    if isinstance(kind, Reason):
        return LocalOnly(kind, named or source)
    # Both drivers let -S win over -c.
    stage = b"-S" if b"-S" in walk.stages else b"-c"
    output = walk.output
    if output is None:
        output = derived_output(source, stage)
    depfile = _depfile(walk, source)
    if depfile is not None and kind.preprocessed:
        return LocalOnly(Reason.SIDE_OUTPUT, source)
    wishes = Wishes(walk.traits)
    # A server learns the language of an unexpanded source from its name alone.
    plain = named is None or kind_of(source, None, cxx_driver=cxx_driver) == kind
    forms = choose_forms(wishes, kind, plain_language=plain, compiler=compiler)
    if isinstance(forms, Reason):
        return LocalOnly(forms, source)
    return Compilation(
        argv=tuple(words),
        family=compiler.family,
        source=source,
        output=output,
        language=kind.language,
        preprocessed_input=kind.preprocessed,
        stage=stage,
        depfile=depfile,
        debug=wishes.debug,
        exact_forms=forms[0],
        approximate_forms=forms[1],
        forced_includes=tuple(walk.forced_includes),
        preprocess_options=tuple(walk.preprocess + _preprocess_extras(walk, named)),
        compile_options=tuple(walk.compile),
    )


def _depfile(walk: Walk, source: bytes) -> Depfile | None:
    if walk.listed_depfile is not None:
        return Depfile(walk.listed_depfile)
    if not walk.asks_dependencies:
        return None
    return Depfile(walk.depfile if walk.depfile is not None else derived_depfile(source, walk.output))


def _preprocess_extras(walk: Walk, named: bytes | None) -> list[bytes]:
    """What the preprocessor must be told because its own output is not the object."""
    extras: list[bytes] = []
    if walk.asks_dependencies and walk.depfile is None:
        extras += (b"-MF", DEPENDENCY_PATH)
    if _names_output_as_target(walk):
        assert walk.output is not None
        extras += (b"-MQ", walk.output)
    if named is not None:
        extras += (b"-x", named)
    return extras


def _names_output_as_target(walk: Walk) -> bool:
    """Does the compiler write the name given with -o as the target of its dependencies?"""
    if walk.output is None or walk.has_dependency_target:
        return False
    # gcc's driver does not look into -Wp,-MD and leaves the target to cc1, which knows only the source.
    return walk.asks_dependencies or (walk.listed_depfile is not None and walk.family is Family.CLANG)
