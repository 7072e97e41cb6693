"""`fleetcc explain -- g++ …`: would this run here or on a host, and why; `--last`, `--job`: the story of a
past job. Compiles nothing.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from typing import Final

import click

from fleetcc.agent.client import Lacking, ask_lacking, flush_journal
from fleetcc.agent.invocation import Invocation
from fleetcc.agent.plan import RunHere, Send, plan
from fleetcc.cli.explained import AS_FILES, AS_PUMP, Asked, Found, Shipping, find_out
from fleetcc.cli.hosts import THIS_MACHINE
from fleetcc.cli.past import past_jobs
from fleetcc.cli.typed_command import typed_command
from fleetcc.command.preprocess import preprocess_argv, remote_argv
from fleetcc.errors import UsageError
from fleetcc.model import Compiler, Form, Reason
from fleetcc.monitor.amounts import bytes_text, clock_text, seconds_text
from fleetcc.monitor.events import Record
from fleetcc.monitor.journal import read_journal
from fleetcc.monitor.lanes import was_remote
from fleetcc.monitor.story import story_lines
from fleetcc.settings import Settings, load_settings, printable
from fleetcc.toolchain.identify import identify


@click.command(
    name="explain", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.option(
    "--last", "last", is_flag=False, flag_value=1, type=click.IntRange(1), metavar="[N]",
    help="Instead: the story of the last job, or of the last N.",
)  # fmt: skip
@click.option(
    "--job", type=click.IntRange(1), metavar="ID", help="Instead: the story of the job of that number."
)
@click.argument("words", metavar="[COMMAND...]", nargs=-1, type=click.UNPROCESSED)
def command(words: tuple[str, ...], *, last: int | None, job: int | None) -> None:
    """Say whether COMMAND would run here or on a host of the fleet, and why; or what became of a past job.

    The decision is made by the same code, from the same settings and host list, as a real compile's.

    \b
    Example: fleetcc explain -- g++ -O2 -c x.cc -o x.o
             fleetcc explain --last
    """
    settings = load_settings(os.environb)
    if last is not None or job is not None:
        if words or (last is not None and job is not None):
            raise UsageError("give one of COMMAND, --last and --job")
        _tell(_past(past_jobs(settings), last, job))
        return
    if not words:
        raise UsageError("what shall be explained? Give a command after --, or --last, or --job ID")
    for line in _explained(words, settings):
        click.echo(line)


# -- past jobs


def _past(records: list[Record], last: int | None, job: int | None) -> list[Record]:
    if last is not None:
        return records[-last:]
    found = [record for record in records if record.job == job]
    if not found:
        numbers = f"the last one is {records[-1].job}"
        raise UsageError(f"--job: no job {job} has ended, as far as the journal goes back; {numbers}")
    return found[-1:]  # each agent counts from 1: the newest is meant


def _tell(records: list[Record]) -> None:
    stories = ["\n".join(printable(line) for line in story_lines(record)) for record in records]
    click.echo("\n\n".join(stories))


# -- a command


def _explained(words: tuple[str, ...], settings: Settings) -> Iterator[str]:
    program, argv = typed_command(words)
    cwd, environment = os.fsencode(os.getcwd()), dict(os.environb)
    compiler = identify(program, argv[0], environment)
    yield f"compiler  {printable(program)}: {_compiler_text(compiler)}"
    planned = plan(argv, cwd, environment, compiler, settings)
    if isinstance(planned, RunHere):
        yield from _here(planned.reason, planned.detail)
        return
    invocation = Invocation(program, argv, cwd, environment, _umask())
    flush_journal(settings.agent_dir)  # with what it has learned
    known = find_out(planned, invocation, compiler, settings)
    if known.way:
        yield from _remote(planned, known)
    else:
        yield from _nowhere(planned, known)
    yield from _files(known)
    yield from _last_time(planned, invocation, settings)
    yield from _hosts(known, settings)
    if known.way and known.way not in {AS_FILES, AS_PUMP, THIS_MACHINE}:
        yield from _as_text(planned, compiler, Form(known.way))


def _compiler_text(compiler: Compiler) -> str:
    version = ".".join(str(part) for part in compiler.version)
    asked = f", asked for as {os.fsdecode(compiler.remote_name)}" if compiler.remote_name else ""
    return f"{compiler.family.value} {version}{asked}"


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _here(reason: Reason, detail: str) -> Iterator[str]:
    yield f"decision  here ({reason.slug})"
    yield f"because   {reason.text}" + (f": {printable(detail)}" if detail else "")


def _nowhere(planned: Send, known: Found) -> Iterator[str]:
    reason, detail = known.reason, ""
    if reason is Reason.NO_SANDBOX:
        reason, detail = planned.text_obstacle, planned.text_detail
    yield from _here(reason, detail)


def _remote(planned: Send, known: Found) -> Iterator[str]:
    yield f"decision  {_DECISIONS.get(known.way, 'on a host (remote), as preprocessed text')}"
    yield f"source    {printable(planned.source)}"
    yield f"output    {printable(planned.output)}"


_DECISIONS: Final = {
    AS_FILES: "on a host (remote), as files",
    AS_PUMP: "on a host (remote), in pump mode",
    THIS_MACHINE: "here (localhost-entry): `localhost` of the host list is the only one that can",
}


def _files(known: Found) -> Iterator[str]:
    shipping = known.shipping
    if shipping.obstacle:
        yield f"as files  impossible: {printable(shipping.obstacle)}"
    if shipping.prepared is not None:
        yield f"inputs    {_count(shipping.files)} of source and headers, {bytes_text(shipping.bytes)}"
        if shipping.asked:
            yield f"asks      `cc -M`: the scanner cannot tell all by itself ({', '.join(shipping.asked)})"
        own = f"{_count(shipping.compiler_files)}, {bytes_text(shipping.compiler_bytes)}"
        yield f"toolchain can be sent as files: {own}"
    if known.way:
        yield f"travels   {_travels(shipping, known.way)}"
    if shipping.pump_obstacle:
        yield f"pump      it would not go in pump mode: {printable(shipping.pump_obstacle)}"
    elif known.has_pump:
        yield "pump      it would go in pump mode to hosts with `,cpp`"
    yield f"predicted {_predicted(known)}"


def _travels(shipping: Shipping, way: str) -> str:
    if way == AS_FILES:
        most = bytes_text(shipping.bytes + shipping.compiler_bytes)
        return (
            f"at most {most} before packing, to a host that has none of it; digests only to one that has all"
        )
    if way == AS_PUMP:
        return f"{bytes_text(shipping.bytes)} before packing, each time"
    return "nothing" if way == THIS_MACHINE else "the preprocessed text, packed, each time"


def _count(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"


def _predicted(known: Found) -> str:
    history = known.history
    if not history.records:
        return "nothing yet: the agent's history has no job"
    prediction = history.predict(known.key, known.shipping.bytes)
    record = history.records.get(known.key)
    if record is None:
        return f"{seconds_text(prediction.seconds)} on an ordinary host, as others: it is new"
    took = f"it took {seconds_text(record.seconds)} on {record.host} last time"
    return f"{seconds_text(prediction.seconds)} on an ordinary host; {took}"


def _last_time(planned: Send, invocation: Invocation, settings: Settings) -> Iterator[str]:
    """What travelled when this unit went to a host before: the best that can be said of what hosts have."""
    label, directory = printable(planned.source), printable(invocation.cwd)
    before = [
        record
        for record in read_journal(settings.state_dir)
        if record.label == label and record.directory == directory and was_remote(record)
    ]
    if before:
        last = before[-1]
        when = f"{clock_text(last.started)}, `fleetcc explain --job {last.job}`"
        took = f", whose compiler took {seconds_text(last.run_seconds)}" if last.run_seconds else ""
        yield f"last time {bytes_text(last.sent)} were sent to {last.host}{took} ({when})"


def _hosts(known: Found, settings: Settings) -> Iterator[str]:
    lacking: Mapping[str, Lacking] = {}
    if known.way == AS_FILES:
        lacking = ask_lacking(settings.agent_dir, known.shipping.blobs)
    for host in known.hosts:
        yield f"host      {printable(host.id)}: {_host_text(host, lacking.get(host.id))}"


def _host_text(host: Asked, lacking: Lacking | None) -> str:
    if not host.way:
        return f"cannot: {printable(host.why_not)}"
    if host.way == THIS_MACHINE:
        return "takes it when it is free first"
    parts = [f"can take it ({host.way})"]
    if host.seconds:
        parts.append(f"about {seconds_text(host.seconds)} there")
    if lacking is not None and host.way == AS_FILES:
        parts.append(_lacking_text(lacking))
    agent = host.row.get("agent")
    if isinstance(agent, dict) and agent["left_alone_seconds"]:
        parts.append(f"left alone for {agent['left_alone_seconds']:.0f} s after a failure")
    return "; ".join(parts)


def _lacking_text(lacking: Lacking) -> str:
    if not lacking.files:
        return "only digests would travel"
    return f"at most {_count(lacking.files)} of {bytes_text(lacking.bytes)} would travel"


def _as_text(planned: Send, compiler: Compiler, form: Form) -> Iterator[str]:
    compilation = planned.compilation
    assert compilation is not None
    if compilation.depfile is not None:
        yield f"depfile   {printable(compilation.depfile.path)} (written by the preprocessor here)"
    if not compilation.preprocessed_input:
        yield f"runs here {_line(preprocess_argv(compilation, form))}"
    yield f"and there {_line(remote_argv(compilation, form, compiler.remote_name or b''))}"


def _line(argv: list[bytes]) -> str:
    return shlex.join(printable(word) for word in argv)
