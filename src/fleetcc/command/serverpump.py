"""What a server makes of the argv of a job in pump mode, whose preprocessor runs on the server too.

The client sends its whole command line, with `-I`, `-D` and `-M` options. Everything of it is kept in its
order but the names of what is written: those are the server's.

Where the client's files lie below a root and the compiler cannot be made to see that root as `/`, the
absolute names on the command line are moved below the root, and the compiler is told to take the root off
every name that it writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.command.options import Option, Role
from fleetcc.command.serverside import Refused, ServerCommand, command_of
from fleetcc.command.serverwalk import RULES, NotServedError, Rules, Walk
from fleetcc.model import Form

_DEPENDENCY_ROLES: Final = frozenset({Role.DEPENDENCIES, Role.DEPENDENCY_FILE, Role.DEPENDENCY_TARGET})
# The server's own take the place of these.
_DROPPED: Final = frozenset({Role.OUTPUT, Role.DEPENDENCY_FILE})

# Options whose absolute value names something of the client's. -iwithprefix is not among them: its value is
# appended to that of -iprefix. --sysroot neither: its directories are the server's own.
_NAMING: Final = frozenset(
    {
        b"-I", b"-F", b"-idirafter", b"-imacros", b"-include", b"-iprefix", b"-iquote", b"-isystem",
        b"-cxx-isystem", b"-stdlib++-isystem", b"-isystem-after", b"-iframework",
        b"--include", b"--include=", b"--imacros", b"--imacros=", b"--include-directory",
        b"--include-directory=", b"--include-directory-after", b"--include-directory-after=",
    }
)  # fmt: skip
_PREFIX_MAPS: Final = (
    b"-fdebug-prefix-map=", b"-ffile-prefix-map=", b"-fmacro-prefix-map=", b"-fcoverage-prefix-map=",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PumpCommand:
    """One compile in pump mode that a server may run."""

    facts: ServerCommand  # source, output and stage; its arguments are not for this mode
    words: tuple[Option | bytes, ...]  # in the client's order; the bytes are the source

    @property
    def wants_dependencies(self) -> bool:
        """Whether the client reads the dependency file (distcc-compat 2.5): any -M option says so."""
        return any(isinstance(word, Option) and word.spelled[0].startswith(b"-M") for word in self.words)


def understand_pump(argv: Sequence[bytes]) -> PumpCommand | Refused:
    """Find source, output and stage, and check every word."""
    if not argv or not argv[0] or argv[0][:1] == b"-":
        return Refused("no compiler where argv[0] was expected")
    # The expanded form is the one that forbids nothing on its own.
    walk = Walk(Form.EXPANDED, _PUMP_RULES)
    try:
        walk.run(argv[1:])
        return PumpCommand(command_of(walk, argv[0]), tuple(walk.words))
    except NotServedError as error:
        return Refused(error.args[0])


def pump_argv(
    command: PumpCommand, program: bytes, output: bytes, depfile: bytes, root: bytes = b""
) -> list[bytes]:
    """The command line to run; both names are the server's, `root` is where the client's `/` is."""
    argv = [program]
    if root:
        argv += (b"-ffile-prefix-map=" + root + b"=",)  # first: of several that match the last one counts
    argv += (b"-o", output)
    if command.wants_dependencies:
        argv += _dependency_words(command, depfile)
    for word in command.words:
        if isinstance(word, bytes):
            argv.append(_moved(word, root))
        elif word.row.role not in _DROPPED:
            argv += _spelled(word, root)
    return argv


def _dependency_words(command: PumpCommand, depfile: bytes) -> tuple[bytes, ...]:
    roles = {word.row.role for word in command.words if isinstance(word, Option)}
    words: tuple[bytes, ...] = (b"-MF", depfile)
    if Role.DEPENDENCIES not in roles:
        words += (b"-MMD",)  # the client's DEPENDENCIES_OUTPUT asks for it, and leaves system headers out
    if Role.DEPENDENCY_TARGET not in roles:
        words += (b"-MQ", command.facts.output)  # what a driver makes of -o
    return words


def _spelled(option: Option, root: bytes) -> tuple[bytes, ...]:
    word = option.spelled[0]
    if not root:
        return option.spelled
    if option.row.name in _NAMING:
        value = _moved(option.value, root)
        return (option.row.name + value,) if len(option.spelled) == 1 else (word, value)
    if word.startswith(_PREFIX_MAPS):
        name, _, value = word.partition(b"=")
        return (name + b"=" + _moved(value, root),)
    return option.spelled


def _moved(path: bytes, root: bytes) -> bytes:
    return root + path if path.startswith(b"/") else path


def _pass(_walk: Walk, _option: Option) -> None:
    """Nothing to check: its file is the server's."""


_PUMP_RULES: Final[Rules] = {**RULES, **dict.fromkeys(_DEPENDENCY_ROLES, _pass)}
