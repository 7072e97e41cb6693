"""`fleetccd doctor`: would a server with these options work here, and what would it not do.

It becomes whom the server would become, makes a folder where the server would, tries the sandbox in it, and
takes it away again. Nothing else is changed, and a server that runs here is not disturbed.
"""

import contextlib
import os
import pwd
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import click

from fleetcc.errors import ExitCode
from fleetcc.monitor.doctor.findings import Level
from fleetcc.monitor.doctor.report import as_json, as_text, exit_status, plain
from fleetcc.monitor.doctor.running import run_checks
from fleetcc.server import listening, machine, privileges
from fleetcc.server.doctor_looks import TABLE, Subject, missing_packages

_COLOURS: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}

# Those of the server that decide something here, by the same names; all others are taken and not looked at.
_OPTIONS: Final = (
    click.Option(["-p", "--port"], type=click.IntRange(1, 65535), default=listening.DEFAULT_PORT),
    click.Option(["--listen"], multiple=True, metavar="ADDR"),
    click.Option(["-a", "--allow"], multiple=True, metavar="IP[/BITS]|NAME"),
    click.Option(["--allow-private"], is_flag=True),
    click.Option(["-j", "--jobs"], type=click.IntRange(1, 4096), metavar="N"),
    click.Option(["--load-limit"], type=click.FloatRange(min=0), metavar="LOAD"),
    click.Option(["--memory-reserve"], metavar="SIZE"),
    click.Option(["--store-size"], default="10G", metavar="SIZE"),
    click.Option(["--job-memory"], default="50%", metavar="SIZE"),
    click.Option(["--user"], metavar="NAME"),
    click.Option(["--state-dir"], metavar="DIR"),
    click.Option(["--enable-tcp-insecure", "--make-me-a-botnet"], is_flag=True),
    click.Option(["--http"], metavar="[ADDR:]PORT"),
    click.Option(["--zeroconf"], is_flag=True),
    click.Option(["--json", "as_objects"], is_flag=True, help="Print a JSON array of objects."),
    click.Argument(["others"], nargs=-1, type=click.UNPROCESSED),
)


def main(argv: Sequence[str]) -> int:
    """`argv`: what follows `doctor`; the exit status: 1 when there is an error, else 0.

    Raises click.ClickException and UsageError for options that cannot be read.
    """
    values = _command().main(list(argv), prog_name="fleetccd doctor", standalone_mode=False)
    if isinstance(values, int):  # --help
        return values
    user = privileges.choose_user(values["user"])
    subject = Subject(values, os.environ, was_root=os.geteuid() == 0, missing=tuple(missing_packages(values)))
    _load_all()
    with _trial_folder(subject.state_directory, user) as (folder, problem):
        subject = replace(subject, trial_folder=folder, trial_problem=problem)
        return _examine(subject, values, None) if user is None else _examine_as(subject, values, user)


def _command() -> click.Command:
    return click.Command(
        "doctor",
        params=[*_OPTIONS],
        callback=lambda **values: values,
        help="Say whether a server with these options would work here, and what to do where it would not. "
        "Takes every option of fleetccd. Exit status 1 when there is an error, 0 when there are at most "
        "warnings.",
        context_settings={"ignore_unknown_options": True, "max_content_width": 110},
    )


def _load_all() -> None:
    """What loads late, before the process becomes somebody who may not read where Python is."""
    machine.memory()
    "localhost".encode("idna")


@contextlib.contextmanager
def _trial_folder(state_directory: str, user: pwd.struct_passwd | None) -> Iterator[tuple[str, str]]:
    """A folder where the server's own will be, on the same disk, its user's; or why there is none."""
    there = state_directory
    while not os.path.isdir(there) and os.path.dirname(there) != there:
        there = os.path.dirname(there)
    try:
        folder = tempfile.mkdtemp(prefix="doctor-", dir=there)
    except OSError as problem:
        yield "", f"nothing can be made in {there}: {problem.strerror}"
        return
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        yield folder, ""
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _examine_as(subject: Subject, values: dict[str, Any], user: pwd.struct_passwd) -> int:
    """In a process of that user: nobody can come back from becoming one."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = int(ExitCode.GENERAL)
        try:
            status = _examine(subject, values, user)
        finally:
            sys.stdout.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _examine(subject: Subject, values: dict[str, Any], user: pwd.struct_passwd | None) -> int:
    if user is not None:
        privileges.become(user)
    # As the server does, and it may decide whether there can be a sandbox.
    privileges.forbid_new_privileges()
    checked = run_checks(TABLE, subject)
    if values["as_objects"]:
        click.echo(as_json(checked))
    else:
        click.echo(as_text(checked, _painted if sys.stdout.isatty() else plain))
    return exit_status(checked)


def _painted(text: str, level: Level) -> str:
    return click.style(text, fg=_COLOURS[level])
