"""`fleetcc explain -- g++ …`: would this run here or on a host, and why. Compiles nothing."""

import asyncio
import os
import shlex
import shutil
from typing import Final

import click

from fleetcc.agent.plan import RunHere, Send, plan
from fleetcc.cli.hosts import THIS_MACHINE, Row, asked_everybody
from fleetcc.command.preprocess import preprocess_argv, remote_argv
from fleetcc.errors import UsageError
from fleetcc.model import Compiler, Form, Reason
from fleetcc.settings import Settings, load_settings
from fleetcc.toolchain.identify import identify
from fleetcc.wire.files import FILES


@click.command(
    name="explain", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(words: tuple[str, ...]) -> None:
    """Say whether COMMAND would run here or on a host of the fleet, and why.

    The decision is made by the same code, from the same settings and host list, as a real compile's.
    Example: fleetcc explain -- g++ -O2 -c x.cc -o x.o
    """
    argv = [os.fsencode(word) for word in words]
    settings = load_settings(os.environb)
    program = shutil.which(words[0])
    if program is None:
        raise UsageError(f"{words[0]}: command not found")
    compiler = identify(os.fsencode(program), argv[0], os.environb)
    click.echo(f"compiler  {program}: {_compiler_text(compiler)}")
    planned = plan(argv, os.fsencode(os.getcwd()), os.environb, compiler, settings)
    if isinstance(planned, RunHere):
        _say_here(planned.reason, planned.detail)
    else:
        _say_remote(planned, compiler, settings)


def _compiler_text(compiler: Compiler) -> str:
    version = ".".join(str(part) for part in compiler.version)
    asked = f", asked for as {os.fsdecode(compiler.remote_name)}" if compiler.remote_name else ""
    return f"{compiler.family.value} {version}{asked}"


def _say_here(reason: Reason, detail: str) -> None:
    click.echo(f"decision  here ({reason.slug})")
    click.echo(f"because   {reason.text}" + (f": {detail}" if detail else ""))


def _say_remote(planned: Send, compiler: Compiler, settings: Settings) -> None:
    ways = asyncio.run(_ways(planned, settings))
    if not any(way for _, way in ways):
        reason = planned.text_obstacle if ways else Reason.ALL_HOSTS_FAILING
        _say_here(reason, planned.text_detail if ways else "")
        return
    first = next(way for _, way in ways if way)
    click.echo(f"decision  on a host (remote), {'as files' if first == FILES else 'as preprocessed text'}")
    click.echo(f"source    {os.fsdecode(planned.source)}")
    click.echo(f"output    {os.fsdecode(planned.output)}")
    for host, way in ways:
        click.echo(f"host      {host}: {_CAN.get(way, f'can take it ({way})')}")
    if first == FILES or planned.compilation is None:
        return
    compilation = planned.compilation
    if compilation.depfile is not None:
        click.echo(f"depfile   {os.fsdecode(compilation.depfile.path)} (written by the preprocessor here)")
    form = Form(first)
    if not compilation.preprocessed_input:
        click.echo(f"runs here {_shown(preprocess_argv(compilation, form))}")
    click.echo(f"and there {_shown(remote_argv(compilation, form, compiler.remote_name or b''))}")


_CAN: Final = {
    FILES: "can take it (as files)",
    "": "cannot: it takes no files, and text only in a form that this job may not have",
}


def _shown(argv: list[bytes]) -> str:
    return shlex.join(os.fsdecode(word) for word in argv)


async def _ways(planned: Send, settings: Settings) -> list[tuple[str, str]]:
    """Each host that the list stands for, and how it would get the job: FILES, a form, or not at all."""
    hosts = await asked_everybody(planned.found, settings)
    return [
        (str(row["id"]), _way(planned, row))
        for row in hosts.rows
        if row["answers"] and row["server"] != THIS_MACHINE
    ]


def _way(planned: Send, row: Row) -> str:
    if planned.shipment is not None and row.get("files"):
        return FILES
    forms = row.get("forms", [Form.EXPANDED.value])
    assert isinstance(forms, list)
    return next((form.value for form in planned.forms if form.value in forms), "")
