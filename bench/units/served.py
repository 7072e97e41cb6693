"""Servers and an agent for builds of real units, all on loopback and gone with the block."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from bench.fleets.processes import Process, agent_processes, listens, running
from bench.support import BIN, free_port

ADDRESS: Final = "127.0.0.1"
# /usr is closed to the world, so nothing below it counts as this machine's own; gone with the namespace.
_BLINDLY: Final = """
mount -t tmpfs none "$1" && mkdir "$1/upper" "$1/work" &&
mount -t overlay -o lowerdir=/usr,upperdir="$1/upper",workdir="$1/work" none /usr &&
chmod 0700 /usr && shift && exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs."""

    process: Process
    port: int


def client_environment(folder: Path) -> dict[str, str]:
    """What compilers and their wrappers see; nothing is compiled here in a host's place."""
    (folder / "distcc").mkdir(parents=True, exist_ok=True)
    return {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "DISTCC_DIR": str(folder / "distcc"),
        "DISTCC_FALLBACK": "0",
        "DISTCC_SKIP_LOCAL_RETRY": "1",
        "FLEETCC_DIR": str(folder / "agent"),
        "FLEETCC_FALLBACK": "0",
    }


@contextmanager
def fleetccd(folder: Path, slots: int, *, blind: bool = False) -> Iterator[Server]:
    """Ours, with no compiler on its PATH; a blind one recognises nothing of what it has itself."""
    port = free_port(ADDRESS)
    folder.mkdir(parents=True)
    command: list[str | Path] = [
        BIN / "fleetccd", "--no-detach", "--listen", ADDRESS, "--port", str(port), "--jobs", str(slots),
        "--load-limit", "0", "--state-dir", folder / "state", "--log-file", folder / "fleetccd.log",
    ]  # fmt: skip
    if blind:
        (folder / "layer").mkdir()
        wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _BLINDLY, "sh"]
        command = [*wrapper, folder / "layer", *command, "--user", "root"]
    variables = {"FLEETCCD_PATH": "/nonexistent"}
    with running(command, variables, folder / "output", listens(ADDRESS, port)) as process:
        yield Server(process, port)


@contextmanager
def distccd(folder: Path, slots: int) -> Iterator[Server]:
    """Debian's."""
    port = free_port(ADDRESS)
    folder.mkdir(parents=True)
    command: list[str | Path] = [
        "distccd", "--no-detach", "--daemon", "--listen", ADDRESS, "--port", str(port), "--jobs", str(slots),
        "--allow", ADDRESS, "--enable-tcp-insecure", "--log-file", "/dev/null",
    ]  # fmt: skip
    with running(command, {"TMPDIR": "/tmp"}, folder / "output", listens(ADDRESS, port)) as process:
        yield Server(process, port)


@contextmanager
def agent(environment: Mapping[str, str]) -> Iterator[psutil.Process]:
    """A fleetcc agent of its own for this environment."""
    command = [str(BIN / "fleetcc"), "agent", "start"]
    subprocess.run(command, env=dict(environment), check=True, stdout=subprocess.DEVNULL)
    folder = Path(environment["FLEETCC_DIR"])
    try:
        yield psutil.Process(int(status(environment)["pid"]))
    finally:
        with suppress(subprocess.TimeoutExpired):  # then it is killed
            subprocess.run(
                [BIN / "fleetcc", "agent", "stop"], env=dict(environment), check=False, timeout=30,
                capture_output=True,
            )  # fmt: skip
        for process in agent_processes(folder):
            with suppress(psutil.Error):
                process.kill()


def status(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the agent says."""
    command = [str(BIN / "fleetcc"), "status", "--json"]
    done = subprocess.run(command, env=dict(environment), check=True, stdout=subprocess.PIPE)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def hosts(port: int, slots: int = 8) -> str:
    """For FLEETCC_HOSTS and DISTCC_HOSTS."""
    return f"{ADDRESS}:{port}/{slots}"


def can_hide_files() -> str | None:
    """Why no server can be blind here."""
    return "needs root" if os.geteuid() else None
