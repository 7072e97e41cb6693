"""`fleetcc agent start|stop|status|run`."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Final

import click

from fleetcc.agent.client import ask_agent
from fleetcc.agent.run import run_agent
from fleetcc.errors import ExitCode, FleetccError, UsageError
from fleetcc.settings import Settings, load_settings

# What decides where the agent and its log are.
_PLACES: Final = (b"FLEETCC_DIR", b"HOME", b"XDG_RUNTIME_DIR", b"XDG_STATE_HOME")
_NO_FOLDER: Final = b"/dev/null"


@click.group(name="agent", no_args_is_help=True)
def command() -> None:
    """The agent carries this user's compiles. The first compile starts it, and it leaves when idle.

    It is chosen by FLEETCC_DIR; settings of hosts and the like come from each job's own environment.
    """


def _settings() -> Settings:
    return load_settings(os.environb)


def _own_settings() -> Settings:
    """The agent's own few settings; what is wrong with others, jobs tell, and it starts all the same."""
    try:
        return _settings()
    except UsageError:
        places = {name: os.environb[name] for name in _PLACES if name in os.environb}
        return load_settings({**places, b"XDG_CONFIG_HOME": _NO_FOLDER}, system=os.fsdecode(_NO_FOLDER))


@command.command()
def start() -> None:
    """Start the agent unless it runs."""
    settings = _settings()
    if ask_agent(settings.agent_dir, "status") is not None:
        click.echo(f"an agent already serves {settings.agent_dir}")
        return
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as ready:
        process = subprocess.Popen(
            [sys.executable, "-m", "fleetcc", "agent", "run", "--ready-fd", str(write_end)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            pass_fds=[write_end], start_new_session=True, cwd="/",
        )  # fmt: skip
        os.close(write_end)
        if ready.read(1):
            click.echo(f"the agent serves {settings.agent_dir}")
            return
    assert process.stderr is not None
    said = process.stderr.read().decode(errors="replace").strip()
    raise FleetccError(f"the agent did not start: {said or f'status {process.wait()}'}")


@command.command()
def stop() -> None:
    """Let the agent finish its jobs and leave; the next compile starts a new one."""
    settings = _settings()
    answer = ask_agent(settings.agent_dir, "stop")
    if answer is None:
        click.echo(f"no agent serves {settings.agent_dir}")
        return
    click.echo(f"the agent leaves; {answer.get('running', 0)} jobs to finish")


@command.command()
def status() -> None:
    """One line; exit status 0 when an agent runs, 1 when none does."""
    settings = _settings()
    answer = ask_agent(settings.agent_dir, "status")
    if answer is None:
        click.echo(f"no agent serves {settings.agent_dir}; the first compile starts one")
        raise SystemExit(1)
    jobs = answer["jobs"]
    assert isinstance(jobs, list)
    click.echo(
        f"agent {answer['version']}, pid {answer['pid']}, serves {answer['folder']} "
        f"for {answer['uptime_seconds']} s: {len(jobs)} jobs now, {answer['total']} so far"
    )


@command.command()
@click.option("--ready-fd", type=int, default=None, help="Write one byte to this descriptor once listening.")
@click.option("--folder", default=None, help="The agent's folder; default: as FLEETCC_DIR says.")
def run(ready_fd: int | None, folder: str | None) -> None:
    """Serve in the foreground (what the launcher and systemd run)."""
    settings = _own_settings()
    if folder is not None:
        settings = replace(settings, agent_dir=folder)
    if not run_agent(settings, ready_fd) and ready_fd is None:
        click.echo("fleetcc: another agent serves this folder already", err=True)
        raise SystemExit(int(ExitCode.GENERAL))
