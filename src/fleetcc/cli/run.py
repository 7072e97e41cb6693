"""`fleetcc run -- make`: a build with everything set up."""

import asyncio
import contextlib
import os
import signal
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import click

from fleetcc.cli.run_agent import start_agent
from fleetcc.cli.run_build import Build, Order
from fleetcc.cli.run_child import StartError
from fleetcc.cli.run_compilers import Means, means_for, with_compilers
from fleetcc.cli.run_screen import can_keep_a_line
from fleetcc.errors import FleetccError, HostListError
from fleetcc.hosts.sources import find_host_list
from fleetcc.jobserver.asking import asker
from fleetcc.jobserver.channel import Channel
from fleetcc.jobserver.fifo import FifoChannel
from fleetcc.jobserver.makeflags import descriptors_of, jobserver_of, with_jobserver
from fleetcc.jobserver.old_make import NAMES as MAKES
from fleetcc.jobserver.pipe import PipeChannel
from fleetcc.jobserver.serving import Jobserver
from fleetcc.jobserver.tools import Kind, Tool, Way, reads_only_descriptors, recognise, with_count
from fleetcc.settings import Settings, load_settings

Choice = Literal["auto", "fifo", "pipe", "none"]
_LEVEL: Final = "CMAKE_BUILD_PARALLEL_LEVEL"
_ASK_SECONDS: Final = 5.0
_MARK: Final = "_FLEETCC_RUN"  # for a run within a run: the outer one has the terminal's last line


@dataclass(frozen=True, slots=True)
class _Told:
    """A command that knows how many jobs to run."""

    command: Sequence[str]
    processors: int
    channel: Channel | None = None  # whose tokens it draws from


@click.command(
    name="run",
    context_settings={"allow_interspersed_args": False},
)
@click.option("--masquerade/--variables", default=None,
              help="How COMMAND comes to call fleetcc; see above.")  # fmt: skip
@click.option("--jobserver", type=click.Choice(["auto", "fifo", "pipe", "none"]), default="auto",
              help="The form of the jobserver; auto: what COMMAND reads.")  # fmt: skip
@click.option("--progress/--no-progress", default=None,
              help="One line of progress below the build's output. Default: on a terminal.")  # fmt: skip
@click.option("--summary/--no-summary", default=None,
              help="Say at the end where the jobs ran. Default: on a terminal.")  # fmt: skip
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    *,
    masquerade: bool | None,
    jobserver: Choice,
    progress: bool | None,
    summary: bool | None,
    words: tuple[str, ...],
) -> None:
    """Run the build COMMAND: its compilers call fleetcc, and as many jobs run as the fleet can take.

    Nobody needs to say -j: make and ninja draw from a jobserver, which grows when hosts join and shrinks
    when they leave. A COMMAND with a -j of its own keeps it. What reads no jobserver gets a -j.

    How COMMAND comes to call fleetcc is chosen by what it is. make, ninja and scripts: links named gcc, g++,
    clang and so on come first on PATH, because a Makefile that sets CC itself ignores the variable. What
    sets a build up and keeps what it finds: CMAKE_C_COMPILER_LAUNCHER and CMAKE_CXX_COMPILER_LAUNCHER for
    cmake, CC="fleetcc gcc" for configure and meson. --variables asks for the latter everywhere. Where ccache
    is on PATH, it calls fleetcc for what it lacks. A compiler that the build calls by its path is not reached
    by links.

    The exit status is COMMAND's; 128 + n when signal n ended it.

    \b
    Examples: fleetcc run -- make
              fleetcc run -- cmake -S . -B build && fleetcc run -- cmake --build build
              fleetcc run -- ninja -C out
    """
    settings = load_settings(os.environb)
    environment = dict(os.environ)
    ask = asker(environment)
    tool = _chosen(recognise(words, ask), jobserver, environment)
    means = means_for(tool.kind)
    if masquerade is not None:
        means = Means.LINKS if masquerade else Means.VARIABLES
    old_makes = [name for name in MAKES if reads_only_descriptors(ask(name))] if tool.way is Way.FIFO else []
    environment = with_compilers(environment, means, settings.state_dir, old_makes=old_makes)
    environment.setdefault("FLEETCC_BUILD", _build_name(words[0]))
    if environment.get("FLEETCC_DIR"):  # the build may go to other folders
        environment["FLEETCC_DIR"] = os.path.abspath(environment["FLEETCC_DIR"])
    is_outermost = environment.setdefault(_MARK, str(os.getpid())) == str(os.getpid())
    is_alone = environment.get("FLEETCC_AGENT") in {"0", "no", "off", "false"}
    has_agent = not is_alone and _start_agent(settings, environment)
    told = _told(words, tool, environment, None if is_alone else settings)
    order = Order(
        command=told.command,
        environment=environment,
        build=environment["FLEETCC_BUILD"],
        agent_dir=None if is_alone else settings.agent_dir,
        has_agent=has_agent,
        shows_progress=(is_outermost if progress is None else progress) and can_keep_a_line(2, environment),
        shows_summary=(is_outermost and os.isatty(2)) if summary is None else summary,
    )
    raise SystemExit(_run(order, told))


def _told(words: Sequence[str], tool: Tool, environment: dict[str, str], settings: Settings | None) -> _Told:
    """Tell the tool how many jobs to run, in the way that it reads; changes the environment.

    `settings` say which hosts there are; None: this machine is alone.
    """
    processors = len(os.sched_getaffinity(0))
    if tool.way is Way.NOTHING:
        return _Told(words, processors)
    if tool.way is Way.COUNT:
        count = processors + (asyncio.run(_fleet_slots(settings)) if settings is not None else 0)
        if tool.kind is Kind.CMAKE_BUILD:
            environment[_LEVEL] = str(count)
        return _Told(with_count(words, tool.kind, count), processors)
    channel: Channel = FifoChannel() if tool.way is Way.FIFO else PipeChannel()
    flags = environment.get("MAKEFLAGS", "")
    environment["MAKEFLAGS"] = with_jobserver(flags, channel.word, processors, tool.option)
    environment.pop(_LEVEL, None)
    return _Told(words, processors, channel)


def _run(order: Order, told: _Told) -> int:
    try:
        return asyncio.run(_carry(order, told))
    except StartError as error:
        click.echo(f"fleetcc: {error}", err=True)
        return error.status
    except KeyboardInterrupt:  # before the command was started
        return 128 + signal.SIGINT


async def _carry(order: Order, told: _Told) -> int:
    jobserver = Jobserver(told.channel, told.processors) if told.channel is not None else None
    return await Build(order, jobserver, told.processors).run()


def _chosen(tool: Tool, choice: Choice, environment: dict[str, str]) -> Tool:
    """What the user asked for, else what the tool reads; below another jobserver we are not the one."""
    if choice == "none":
        return Tool(tool.kind, Way.NOTHING)
    if choice != "auto":
        return Tool(tool.kind, Way(choice), tool.option)
    if tool.way is not Way.NOTHING and _is_usable(jobserver_of(environment.get("MAKEFLAGS", ""))):
        return Tool(tool.kind, Way.NOTHING)
    return tool


def _is_usable(word: str) -> bool:
    """Whether somebody's jobserver can be reached from here."""
    try:
        if word.startswith("fifo:"):
            return stat.S_ISFIFO(os.stat(word.removeprefix("fifo:")).st_mode)
        pair = descriptors_of(word)
        return pair is not None and all(stat.S_ISFIFO(os.fstat(each).st_mode) for each in pair)
    except OSError:
        return False


def _build_name(program: str) -> str:
    """When and what, for people; and who, so that no two are the same."""
    return f"{os.path.basename(program)}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


def _start_agent(settings: Settings, environment: dict[str, str]) -> bool:
    """Start one unless one runs; whether one runs."""
    try:
        start_agent(settings.agent_dir, environment)
    except FleetccError as error:  # the build is worth more: its launchers try again, or compile here
        print(f"fleetcc: {error}", file=sys.stderr)
        return False
    return True


async def _fleet_slots(settings: Settings) -> int:
    """How many jobs the hosts of the list take together, asked now; those that do not answer take none."""
    from fleetcc.cli.hosts import THIS_MACHINE, asked_everybody  # noqa: PLC0415 - half of our start-up

    try:
        found = find_host_list(settings)
    except HostListError:  # the jobs will say so
        return 0
    if found.host_list is None:
        return 0
    rows: Sequence[dict[str, Any]] = ()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_ASK_SECONDS):
            rows = (await asked_everybody(found, settings)).rows
    others = [row for row in rows if row["answers"] and row["server"] != THIS_MACHINE]
    return sum(row.get("slots", row["limit"]) for row in others)
