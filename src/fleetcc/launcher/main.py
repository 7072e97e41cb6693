"""What `fleetcc ...` itself understands, and the way of one invocation.

Two rules decide every doubtful case. When anything is not as expected, the compiler itself is executed.
Nothing of ours goes to stdout, and nothing to stderr unless it was asked for or we are about to fail.
"""

import os
import signal
import sys
from typing import Final, NoReturn

from fleetcc import __version__
from fleetcc.errors import ExitCode
from fleetcc.launcher.agent import UnreachableError, reach_agent
from fleetcc.launcher.conversation import BrokenOffError, Conversation
from fleetcc.launcher.program import Invocation, exec_cli, exec_compiler, fall_back, find_program, read_level
from fleetcc.launcher.words import Environment, fail
from fleetcc.wire.launcher import JobRequest, encode_job_request

# No wrapper of a wrapper of a wrapper is this deep on purpose.
_MAX_LEVEL: Final = 8
_FOR_CLI: Final = frozenset(
    b"--help --scan-includes --show-hosts --version -h -j agent config doctor events explain help hosts log "
    b"report run scan simulate stats status top trace verify web".split()
)
# `fleetcc x.c -o x` means cc, as in distcc.
_SUFFIXES: Final = frozenset(b"C M c c++ cc cp cpp cxx i ii m mi mii mm o".split())


def main() -> NoReturn:
    """Run one invocation."""
    _restore_signals()
    _fill_standard_descriptors()
    environment = Environment.of_this_process()
    argv = tuple(map(os.fsencode, sys.argv))
    name = os.path.basename(argv[0])
    masquerade = b"fleetcc" not in name and b"distcc" not in name
    if not masquerade:
        argv, environment = _read_own_arguments(argv[1:], environment)
    level = read_level(environment)
    if level > _MAX_LEVEL:
        fail(
            ExitCode.RECURSION,
            f"{level} launchers call each other; a compiler on PATH is a wrapper that leads back here",
        )
    invocation = find_program(argv, environment, masquerade=masquerade)
    if level > 0 or not environment.is_enabled("FLEETCC_AGENT", otherwise=True):
        exec_compiler(invocation)
    _hand_over(invocation)


def _restore_signals() -> None:
    """Python ignores two and catches one at its start; a compiler must find them as they were."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _fill_standard_descriptors() -> None:
    """A closed descriptor 0, 1 or 2 becomes /dev/null until the exec."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open("/dev/null", os.O_RDWR)


def _read_own_arguments(
    arguments: tuple[bytes, ...], environment: Environment
) -> tuple[tuple[bytes, ...], Environment]:
    """Verbs and our own options leave here; what comes back is a compiler's argv."""
    while arguments:
        option, equals, value = arguments[0].partition(b"=")
        if arguments[0] == b"--no-fallback":
            environment = environment.replace(FLEETCC_FALLBACK=b"0")
        elif option == b"--priority" and equals:
            environment = environment.replace(FLEETCC_PRIORITY=value)
        else:
            break
        arguments = arguments[1:]
    if not arguments:
        fail(
            ExitCode.BAD_ARGUMENTS,
            "no compiler was named; use `fleetcc COMPILER ARGUMENTS...`, or see `fleetcc --help`",
        )
    first = arguments[0]
    if first in _FOR_CLI:
        exec_cli(arguments, environment)
        fail(
            ExitCode.NO_SUCH_FILE, "fleetcc-cli is neither beside this program nor on PATH; reinstall fleetcc"
        )
    _, dot, suffix = os.path.basename(first).rpartition(b".")
    if first.startswith(b"-") or (dot and suffix in _SUFFIXES):
        return (b"cc", *arguments), environment
    return arguments, environment


def _hand_over(invocation: Invocation) -> NoReturn:
    try:
        request = _encode_request(invocation)
    except OSError:
        fall_back(invocation, "the current directory has no name")
    for _ in range(2):
        try:
            conversation = Conversation(invocation, reach_agent(invocation.environment))
        except UnreachableError as error:
            fall_back(invocation, str(error))
        try:
            conversation.run(request)
        except (BrokenOffError, OSError):
            conversation.close()
            fall_back(invocation, "the agent broke off")
        conversation.close()
    fall_back(invocation, "the agent is leaving")


def _encode_request(invocation: Invocation) -> bytes:
    mask = os.umask(0)
    os.umask(mask)
    here = os.stat(".")
    request = JobRequest(
        version=__version__.encode(),
        program=invocation.program,
        cwd=os.getcwdb(),
        argv=invocation.argv,
        environment=invocation.environment.entries,
        umask=mask,
        cwd_identity=(here.st_dev, here.st_ino),
        is_terminal=os.isatty(2),
    )
    return encode_job_request(request, descriptors=0)
