"""`fleetcc verify -- g++ …` or `-- make …`: compile on hosts and here, and say what differs."""

import os
import subprocess
from collections.abc import Mapping
from typing import Any, Final

import click

from fleetcc.agent.client import ask_agent
from fleetcc.errors import UsageError
from fleetcc.settings import load_settings
from fleetcc.toolchain.identify import looks_like_a_compiler

_NOTHING: Final[Mapping[str, Any]] = {"verified": 0, "differed": 0, "differences": []}


@click.command(
    name="verify", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.option(
    "--verify", "--sample", "share", metavar="SHARE",
    help="Compile this share of a build's jobs twice: 1%, 0.05. Default: 100%.", default="100%",
)  # fmt: skip
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(share: str, words: tuple[str, ...]) -> None:
    """Run COMMAND, a compile or a build that calls fleetcc, compare what hosts make with the same made here.

    What was made here is what the build gets. Exits with 1 when anything differed, else as COMMAND does.

    \b
    Examples: fleetcc verify -- g++ -O2 -c x.cc -o x.o
              fleetcc verify --sample 1% -- make -j40
    """
    settings = load_settings(os.environb)
    environment = {**os.environ, "FLEETCC_VERIFY": share}
    load_settings({os.fsencode(name): os.fsencode(value) for name, value in environment.items()})
    argv = list(words)
    if looks_like_a_compiler(os.fsencode(argv[0])):
        argv.insert(0, "fleetcc")
    before = _found(settings.agent_dir)
    try:
        status = subprocess.run(argv, env=environment, check=False).returncode
    except OSError as error:
        raise UsageError(f"{argv[0]}: {error.strerror}") from error
    after = _found(settings.agent_dir)
    if after.get("pid") != before.get("pid"):  # another agent, which has counted from the start
        before = _NOTHING
    count, differed = (after[name] - before[name] for name in ("verified", "differed"))
    for text in after["differences"][-differed:] if differed else ():
        click.echo(f"differs: {text}")
    if count:
        click.echo(f"{count} {'compile' if count == 1 else 'compiles'} verified, {differed} differed")
    else:
        click.echo(
            "nothing was verified: no compile of this share went to a host. Does the build call fleetcc, "
            "as in `fleetcc verify -- fleetcc run -- make`? `fleetcc explain -- COMMAND` says where one goes"
        )
    raise SystemExit(1 if differed else 128 - status if status < 0 else status)


def _found(agent_dir: str) -> Mapping[str, Any]:
    status = ask_agent(agent_dir, "status")
    return status if status is not None else _NOTHING
