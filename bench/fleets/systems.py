"""The systems that are compared: how the servers of each are started, and what its clients are told."""

import getpass
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.fleets.builds import Service
from bench.fleets.machines import Host, Site
from bench.fleets.processes import Process, listens, running
from bench.support import BIN, free_port

ROOT: Final = Path(__file__).resolve().parent.parent.parent
# Servers look at their compilers when they start; that is over before anything is timed.
_SETTLE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Served:
    """Servers that run, by the name of their host, and what a client needs to use them."""

    service: Service
    servers: Mapping[str, Process]
    port: int = 0


@dataclass(frozen=True, slots=True)
class System:
    """One way of distributing."""

    name: str
    serve: Callable[[Site], AbstractContextManager[Served]]
    needs: tuple[str, ...] = ()  # programs that must be installed
    needs_root: bool = False

    def missing(self) -> str | None:
        """Why it cannot take part."""
        absent = [name for name in self.needs if shutil.which(name) is None]
        if absent:
            return f"{', '.join(absent)} not installed"
        return "needs root" if self.needs_root and os.geteuid() else None


def serve_fleetcc(site: Site) -> AbstractContextManager[Served]:
    """A fleetccd for each host; the client is told the addresses and nothing else."""
    return _serve_hosts(site, _fleetccd, "fleetcc", "FLEETCC_HOSTS")


def serve_distcc(site: Site) -> AbstractContextManager[Served]:
    """A distccd for each host; the client is told the addresses, so it assumes four slots on each."""
    return _serve_hosts(site, _distccd, "distcc", "DISTCC_HOSTS")


def serve_distcc_limits(site: Site) -> AbstractContextManager[Served]:
    """The same, and the client knows how many slots each host has."""
    return _serve_hosts(site, _distccd, "distcc", "DISTCC_HOSTS", tells_slots=True)


@contextmanager
def serve_ideal(site: Site) -> Iterator[Served]:
    """One dispatcher that knows every slot; the compiler asks it and sleeps on the client."""
    path = site.folder / "dispatcher"
    slots = [f"{host.name}:{host.speed}:{host.slots}" for host in site.hosts]
    command = [sys.executable, "-m", "bench.fleets.dispatcher", str(path), *slots]

    def ready(process: Process) -> None:
        while not path.exists() and process.poll() is None:
            time.sleep(0.02)

    with running(command, {"PYTHONPATH": str(ROOT)}, site.folder / "dispatcher.log", ready) as process:
        yield Served(Service((), {"SLEEP_DISPATCHER": str(path)}), {"dispatcher": process})
    path.unlink(missing_ok=True)


Start = tuple[list[str | Path], dict[str, str]]


@contextmanager
def _serve_hosts(
    site: Site,
    command_of: Callable[[Site, Host, int], Start],
    program: str,
    variable: str,
    *,
    tells_slots: bool = False,
) -> Iterator[Served]:
    """A server for each host; `program` finds their addresses in `variable`."""
    port = free_port("0.0.0.0")
    servers = {}
    with ExitStack() as stack:
        for host in site.hosts:
            command, variables = command_of(site, host, port)
            log = site.folder / f"{host.name}.log"
            ready = listens(host.address, port)
            servers[host.name] = stack.enter_context(running(command, variables, log, ready))
        time.sleep(_SETTLE_SECONDS)
        names = [f"{host.address}:{port}" + (f"/{host.slots}" if tells_slots else "") for host in site.hosts]
        yield Served(Service((program,), {variable: " ".join(names)}), servers, port)


def _fleetccd(site: Site, host: Host, port: int) -> Start:
    state = site.folder / f"{host.name}.state"
    command: list[str | Path] = [
        BIN / "fleetccd", "--no-detach", "--listen", host.address, "--port", str(port),
        "--jobs", str(host.slots), "--allow", "127.0.0.0/8", "--load-limit", "0", "--memory-reserve", "0",
        "--state-dir", state, "--user", getpass.getuser(), "--log-file", site.folder / f"{host.name}.log",
    ]  # fmt: skip
    return command, {"FLEETCCD_PATH": str(site.compilers(host.name)), "TMPDIR": str(site.temporary)}


def _distccd(site: Site, host: Host, port: int) -> Start:
    log = site.folder / f"{host.name}.log"
    log.touch()
    log.chmod(0o666)  # distccd becomes another user
    command: list[str | Path] = [
        "distccd", "--no-detach", "--daemon", "--listen", host.address, "--port", str(port),
        "--jobs", str(host.slots), "--allow", "127.0.0.0/8", "--enable-tcp-insecure", "--log-file", log,
    ]  # fmt: skip
    path = f"{site.compilers(host.name)}:/usr/sbin:/usr/bin:/bin"
    return command, {"PATH": path, "TMPDIR": str(site.temporary)}


FLEETCC: Final = System("fleetcc", serve_fleetcc)
IDEAL: Final = System("ideal", serve_ideal)
DISTCC: Final = System("distcc, names only", serve_distcc, ("distcc", "distccd"))
DISTCC_LIMITS: Final = System("distcc, right limits", serve_distcc_limits, ("distcc", "distccd"))
