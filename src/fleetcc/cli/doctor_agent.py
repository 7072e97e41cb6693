"""Checks of the agent, and of the launcher that asks it."""

import contextlib
import os
import pwd
import select
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from fleetcc import __version__
from fleetcc.agent.client import ask_agent
from fleetcc.monitor.doctor.findings import Finding, error, ok, warning
from fleetcc.settings import Settings, printable

# The launcher waits so long for a start, and does not try again for half a minute after a failed one.
_START_SECONDS: Final = 3.0
_STOP_SECONDS: Final = 1.0
_START_FAILED: Final = "start-failed"
_START_FAILED_SECONDS: Final = 30.0
_ELF: Final = b"\x7fELF"
_ASK_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Lstat:
    """What lies where the agent's folder should be."""

    is_folder: bool
    owner: int
    mode: int  # permissions only


def check_agent(settings: Settings, *, is_quick: bool) -> list[Finding]:
    """Its folder, and itself; where none runs, whether one could (`is_quick`: that is not tried)."""
    folder = settings.agent_dir
    found = _lstat(folder)
    bad = judge_folder(folder, found, os.geteuid())
    if bad:
        return bad
    status = ask_agent(folder, "status") if found is not None else None
    if status is not None:
        return judge_agent(folder, status)
    return [*_failed_lately(settings), *_could_start(settings, is_quick=is_quick)]


def judge_folder(folder: str, found: Lstat | None, uid: int) -> list[Finding]:
    """Nothing when launcher and agent can use it. Pure."""
    path = printable(folder)
    if not folder.startswith("/") or found is None:
        return []
    if not found.is_folder:
        text = f"{path} is no folder, and must be one (no link either)"
        return [error("agent's folder", text, "remove it, or set FLEETCC_DIR")]
    if found.owner != uid or found.mode & 0o077:
        text = f"{path} belongs to {_user(found.owner)} with mode {found.mode:04o}; it must be yours alone"
        remedy = f"chmod 700 {path}" if found.owner == uid else "set FLEETCC_DIR to a folder of yours"
        return [error("agent's folder", f"{text}, so no agent is used and every compile runs here", remedy)]
    return []


def judge_agent(folder: str, status: Mapping[str, object]) -> list[Finding]:
    """An agent that runs. Pure."""
    version = status.get("version")
    what = f"version {version}, pid {status.get('pid')}, serves {printable(folder)}"
    if version != __version__:
        text = f"{what}; this is version {__version__}"
        return [error("agent", text, "fleetcc agent stop; the next compile starts a new one")]
    return [ok("agent", f"{what}; {status.get('total')} jobs so far")]


def _lstat(path: str) -> Lstat | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return Lstat(stat.S_ISDIR(status.st_mode), status.st_uid, stat.S_IMODE(status.st_mode))


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _failed_lately(settings: Settings) -> Iterable[Finding]:
    try:
        age = time.time() - os.stat(os.path.join(settings.agent_dir, _START_FAILED)).st_mtime
    except OSError:
        return
    if abs(age) < _START_FAILED_SECONDS:
        log = printable(os.path.join(settings.state_dir, "agent.log"))
        text = f"did not start {age:.0f} s ago; launchers try again after {_START_FAILED_SECONDS:g} s"
        yield warning("agent", text, f"see {log}, or run `fleetcc agent start`")


def _could_start(settings: Settings, *, is_quick: bool) -> Iterable[Finding]:
    folder = printable(settings.agent_dir)
    none = f"none runs in {folder}; the first compile starts one"
    unwritable = next(filter(None, map(_why_not_writable, (settings.agent_dir, settings.state_dir))), None)
    if unwritable is not None:
        yield error("agent", f"cannot start: {unwritable}", "set FLEETCC_DIR to a folder of yours")
    elif is_quick:
        yield ok("agent", none)
    else:
        complaint = try_to_start(dict(os.environ))
        if complaint:
            yield error("agent", f"does not start: {complaint}", "install fleetcc anew")
        else:
            yield ok("agent", f"{none} (one has been started elsewhere to see that it can)")


def _why_not_writable(folder: str) -> str | None:
    there = folder
    while not os.path.lexists(there) and os.path.dirname(there) != there:
        there = os.path.dirname(there)
    if os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        return None
    return f"{printable(there)} cannot be written to"


def try_to_start(environment: Mapping[str, str]) -> str:
    """Start an agent in a folder of its own and stop it; what it complains of, empty when it started."""
    kept = {name: value for name, value in environment.items() if not name.startswith("LISTEN_")}
    kept["FLEETCC_IDLE_EXIT"] = "5"  # should this process end before it can stop the agent
    with tempfile.TemporaryDirectory(prefix="fleetcc-doctor-", ignore_cleanup_errors=True) as folder:
        reading, writing = os.pipe()
        command = [sys.executable, "-m", "fleetcc", "agent", "run", "--ready-fd", str(writing)]
        try:
            process = subprocess.Popen(
                [*command, "--folder", folder],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                pass_fds=[writing], start_new_session=True, cwd="/", env={**kept, "FLEETCC_DIR": folder},
            )  # fmt: skip
        except OSError as problem:
            os.close(reading)
            return f"{sys.executable}: {problem.strerror}"
        finally:
            os.close(writing)
        with process, os.fdopen(reading, "rb") as ready:
            try:
                return _started(process, ready.fileno())
            finally:
                process.kill()


def _started(process: "subprocess.Popen[bytes]", ready: int) -> str:
    readable, _, _ = select.select([ready], [], [], _START_SECONDS)
    if not readable:
        return f"it was not ready after {_START_SECONDS:g} s"
    if os.read(ready, 1):
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        return ""
    assert process.stderr is not None
    said = process.stderr.read().decode(errors="replace").strip().splitlines()
    return printable(said[-1]) if said else f"it ended with status {process.wait()}"


def check_launcher(environment: Mapping[bytes, bytes]) -> list[Finding]:
    """Which program `fleetcc` is, and whether it belongs to this installation."""
    path = os.fsdecode(environment.get(b"PATH", b"/bin:/usr/bin"))
    program = shutil.which("fleetcc", path=path)
    if program is None:
        text = f"is not on PATH; it belongs to {printable(os.path.dirname(sys.executable))}"
        return [warning("fleetcc", text, "put that folder on PATH, or name the program by its path")]
    try:
        with open(program, "rb") as file:
            content = file.read(4 << 20)
        done = subprocess.run(
            [program, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_SECONDS,
            check=False, env=environment,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as problem:
        return [error("fleetcc", f"{printable(program)} cannot be run: {problem}", "install fleetcc anew")]
    return judge_launcher(program, content, done.stdout.decode(errors="replace"))


def judge_launcher(program: str, content: bytes, said: str) -> list[Finding]:
    """`content`: of its file; `said`: what --version prints. Pure."""
    path = printable(program)
    version = said.split()[1] if len(said.split()) > 1 else ""
    if version != __version__:
        what = f"is version {version}" if version else "does not say its version"
        return [error("fleetcc", f"{path} {what}; this is {__version__}", "remove one of the two from PATH")]
    if not content.startswith(_ELF):
        text = f"{path} is the launcher in Python: each call takes some 30 ms longer than with the one in C"
        return [warning("fleetcc", text, "install a C compiler, and then fleetcc again")]
    if __version__.encode() + b"\0" not in content:
        text = f"{path} was built for another version than {__version__}"
        return [warning("fleetcc", text, "install fleetcc again")]
    return [ok("fleetcc", f"{path}, the launcher in C, version {version}")]
