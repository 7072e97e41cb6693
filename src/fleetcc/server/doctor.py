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
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import click

from fleetcc.errors import ExitCode
from fleetcc.monitor.doctor.findings import Level
from fleetcc.monitor.doctor.report import as_json, as_text, exit_status, plain
from fleetcc.monitor.doctor.running import run_checks
from fleetcc.server import machine, privileges
from fleetcc.server.doctor_looks import TABLE, Subject, missing_packages

_COLOURS: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}


def examine(values: Mapping[str, Any], *, as_objects: bool) -> int:
    """`values`: of the server's options, by their names; the exit status: 1 when there is an error, else 0.

    Prints what it finds, as text or as JSON. Raises UsageError for a user whom there is not.
    """
    user = privileges.choose_user(values["user"])
    subject = Subject(values, os.environ, was_root=os.geteuid() == 0, missing=tuple(missing_packages(values)))
    _load_all()
    with _trial_folder(subject.state_directory, user) as (folder, problem):
        subject = replace(subject, trial_folder=folder, trial_problem=problem)
        if user is None:
            return _examine(subject, None, as_objects=as_objects)
        return _examine_as(subject, user, as_objects=as_objects)


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


def _examine_as(subject: Subject, user: pwd.struct_passwd, *, as_objects: bool) -> int:
    """In a process of that user: nobody can come back from becoming one."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = int(ExitCode.GENERAL)
        try:
            status = _examine(subject, user, as_objects=as_objects)
            sys.stdout.flush()
        except Exception as problem:  # noqa: BLE001 - nobody above this process's own frame would tell it
            click.echo(f"fleetccd doctor: {problem}", err=True)
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else int(ExitCode.GENERAL)


def _examine(subject: Subject, user: pwd.struct_passwd | None, *, as_objects: bool) -> int:
    if user is not None:
        privileges.become(user)
    # As the server does, and it may decide whether there can be a sandbox.
    privileges.forbid_new_privileges()
    checked = run_checks(TABLE, subject)
    if as_objects:
        click.echo(as_json(checked))
    else:
        click.echo(as_text(checked, _painted if sys.stdout.isatty() else plain))
    return exit_status(checked)


def _painted(text: str, level: Level) -> str:
    return click.style(text, fg=_COLOURS[level])
