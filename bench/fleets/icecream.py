"""icecream on one machine: a scheduler, a daemon for each host, and one more, without slots, for clients.

Daemons of one machine differ by port and ICECC_TEST_SOCKET; ICECC_TEST_REMOTEBUILD makes clients take
127.0.0.1 for another machine. The compiler travels in a tarball and runs in a chroot without /proc, so its
speed comes by a variable of its daemon. icecream learns how fast hosts are from CPU time, of which a sleeping
compiler takes none: it knows nothing of speeds here.
"""

import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench.fleets.builds import Client, Service
from bench.fleets.machines import CLIENT, COMPILER, Host, Site
from bench.fleets.processes import Process, running
from bench.fleets.systems import Served, System
from bench.fleets.work import steady
from bench.support import free_port

_USER: Final = "icecc"  # whom the daemons become
_NET: Final = "fleetcc-bench"
# Daemons look for their scheduler every three seconds.
_LOGIN_SECONDS: Final = 60.0
# The first job on a host brings the compiler there, which takes seconds; that is not what is measured.
_MOST_WARM_UPS: Final = 5


@contextmanager
def serve_icecream(site: Site) -> Iterator[Served]:
    """Ready when every host has the compiler."""
    folder = site.folder / "ice"
    _make_folder(folder)
    tarball = _pack_compiler(site, folder)
    port = free_port("127.0.0.1")
    servers = {}
    with ExitStack() as stack:
        stack.enter_context(running(_scheduler(folder, port), _variables(port), folder / "out", _at_once))
        for host in [*site.hosts, Host(0, 0)]:
            variables = _variables(port) | {
                "ICECC_TEST_SOCKET": _socket(folder, host),
                "SLEEP_SPEED": str(host.speed),
                "SLEEP_NAME": host.name,
            }
            server = running(_daemon(folder, host, port), variables, folder / "out", _at_once)
            servers[host.name] = stack.enter_context(server)
        _wait_for_logins(folder, len(servers))
        service = _service(folder, tarball)
        _warm_up(site, service)
        yield Served(service, servers)


def _service(folder: Path, tarball: Path) -> Service:
    variables = {
        "ICECC_TEST_SOCKET": _socket(folder, Host(0, 0)),
        "ICECC_TEST_REMOTEBUILD": "1",
        "ICECC_VERSION": str(tarball),
    }
    return Service(("icecc",), variables)


def _socket(folder: Path, host: Host) -> str:
    return str(folder / f"{host.name}.socket")


def _warm_up(site: Site, service: Service) -> None:
    seen: set[str] = set()
    for number in range(_MOST_WARM_UPS):
        client = Client(site, f"warm{number}", steady(3 * site.slots, 100, "w"), service)
        try:
            client.start(site.slots * 3 // 2)
            seen |= set(client.wait(60).places)
        finally:
            client.leave()
        if seen >= {host.name for host in site.hosts}:
            return


def _wait_for_logins(folder: Path, count: int) -> None:
    deadline = time.monotonic() + _LOGIN_SECONDS
    log = folder / "scheduler.log"
    while not log.exists() or log.read_text(errors="replace").count(": login ") < count:
        if time.monotonic() > deadline:
            raise SystemExit("icecream's daemons have not found their scheduler; leave it out with --systems")
        time.sleep(0.1)


def _scheduler(folder: Path, port: int) -> list[str]:
    log = folder / "scheduler.log"
    return ["icecc-scheduler", "-n", _NET, "-p", str(port), "-i", "lo", "-l", str(log), "-vvv"]


def _daemon(folder: Path, host: Host, port: int) -> list[str]:
    base = folder / host.name
    _make_folder(base)
    command = ["iceccd", "-s", f"127.0.0.1:{port}", "-n", _NET, "-N", host.name, "-m", str(host.slots)]
    command += ["-b", str(base), "-p", str(free_port("127.0.0.1")), "-l", f"{base}.log"]
    return command if host.slots else [*command, "--no-remote"]


def _variables(port: int) -> dict[str, str]:
    return {"ICECC_TESTS": "1", "ICECC_TEST_SCHEDULER_PORTS": f"{port}:{port}"}


def _make_folder(folder: Path) -> None:
    folder.mkdir()
    shutil.chown(folder, _USER, _USER)


def _pack_compiler(site: Site, folder: Path) -> Path:
    """A root file system with the compiler, and a `true` with which daemons try it out."""
    true = folder / "true"
    program = b"int main(void) { return 0; }\n"
    subprocess.run(["cc", "-static", "-x", "c", "-", "-o", true], input=program, check=True)
    tarball = folder / "compiler.tar"
    with tarfile.open(tarball, "w") as archive:
        archive.add(site.compilers(CLIENT) / COMPILER, f"usr/bin/{COMPILER}")
        archive.add(true, "usr/bin/as")
        archive.add(true, "bin/true")
    return tarball


def _at_once(_: Process) -> None:
    """Daemons are ready when the scheduler knows them."""


ICECREAM: Final = System("icecream", serve_icecream, ("icecc", "iceccd", "icecc-scheduler"), needs_root=True)
