"""What a server makes of a request's argv: one source to compile with options that harm nobody, or no.

Which words harm nobody, `serverwalk` says. Knows nothing of the client's analysis.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.command.directives import Prepared
from fleetcc.command.languages import kind_of, suffix_of
from fleetcc.command.names import parse_compiler_name
from fleetcc.command.outputs import derived_output
from fleetcc.command.serverwalk import RULES, NotServedError, Walk
from fleetcc.model import Form, Language, Reason

_OTHER_COMPILER_NAMES: Final = frozenset({b"c89-gcc", b"c99-gcc"})


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """One compile that a server may run."""

    compiler: bytes
    arguments: tuple[bytes, ...]  # options without source, output, stage and language
    stage: bytes  # -c or -S
    source: bytes  # the client's word
    output: bytes  # the client's word, or as a compiler derives it
    language: Language
    suffix: bytes  # for the temporary input, whose stem should be the client's
    form: Form


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a server does not run this."""

    sentence: str


def is_compiler_name(name: bytes) -> bool:
    """Is this a bare gcc or clang driver's name, with any target prefix and version suffix?"""
    return name in _OTHER_COMPILER_NAMES or parse_compiler_name(name) is not None


def understand(argv: Sequence[bytes], form: Form = Form.EXPANDED) -> ServerCommand | Refused:
    """Find source, output and stage as distccd does, and check every other word."""
    if not argv or not argv[0] or argv[0][:1] == b"-":
        return Refused("no compiler where argv[0] was expected")
    walk = Walk(form, RULES)
    try:
        walk.run(argv[1:])
        return command_of(walk, argv[0])
    except NotServedError as error:
        return Refused(error.args[0])


def command_of(walk: Walk, compiler: bytes) -> ServerCommand:
    """What the words amount to; raises NotServedError."""
    if not walk.stages:
        raise NotServedError("neither -c nor -S, so this is no compile")
    if len(walk.sources) != 1:
        raise NotServedError(f"{len(walk.sources)} sources where one was expected")
    source, named = walk.sources[0]
    kind = kind_of(source, named, cxx_driver=b"++" in compiler)
    if isinstance(kind, Reason):
        raise NotServedError(f"{source!r}: {kind.text}")
    stage = b"-S" if b"-S" in walk.stages else b"-c"
    if walk.form is Form.DIRECTIVES and (kind.preprocessed or named is not None):
        raise NotServedError(f"{source!r} cannot be of the directives form")
    return ServerCommand(
        compiler=compiler,
        arguments=tuple(walk.arguments),
        stage=stage,
        source=source,
        output=walk.output if walk.output is not None else derived_output(source, stage),
        language=kind.language,
        # The base name of an unexpanded source can enter the object (_GLOBAL__sub_I_name.cpp).
        suffix=suffix_of(source) if walk.form is Form.DIRECTIVES else kind.language.value.encode(),
        form=walk.form,
    )


def server_argv(
    command: ServerCommand,
    program: bytes,
    input_path: bytes,
    output_path: bytes,
    prepared: Prepared | None = None,
) -> list[bytes]:
    """The command line to run; a prepared source needs an absolute path in the working directory."""
    argv = [program, *command.arguments]
    if prepared is not None:
        folder = input_path.rpartition(b"/")[0]
        maps = _prefix_maps(command.arguments)
        argv += (
            b"-nostdinc",
            b"-fdebug-prefix-map=" + folder + b"=" + _remap(prepared.directory, maps),
            # The compiler takes the last map that matches, so the file's own comes after its folder's.
            b"-fdebug-prefix-map=" + input_path + b"=" + _remap(prepared.name, maps),
        )
    argv += (command.stage, input_path, b"-o", output_path)
    return argv


def _prefix_maps(arguments: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    maps = []
    for word in arguments:
        if word.startswith((b"-fdebug-prefix-map=", b"-ffile-prefix-map=")):
            old, _, new = word.partition(b"=")[2].rpartition(b"=")
            maps.append((old, new))
    return maps


def _remap(path: bytes, maps: Sequence[tuple[bytes, bytes]]) -> bytes:
    """What the client's own maps make of a path: the last one that matches counts."""
    for old, new in reversed(maps):
        if path.startswith(old):
            return new + path[len(old) :]
    return path
