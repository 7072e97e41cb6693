"""What a fleetccd needs while 1,000 requests of 300 KB wait for one slot, and for each job besides.

Memory is the resident set of the server's process. CPU is the server's own, its compilers' excluded, over
jobs of a compiler that costs nothing, one after another; distccd's is measured in the same way where it is
installed (with its worker processes).
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from bench.support import free_port, wait_for_port
from fleetcc.wire.distcc import encode_request
from fleetcc.wire.greeting import GREETING, parse_welcome

ADDRESS: Final = "127.0.0.1"
MEMORY_GOAL_BYTES: Final = 200_000_000
COMPILER: Final = "gcc-99"
SOURCE: Final = Path(__file__).with_name("free_compiler.c")


class Cost(NamedTuple):
    """Of one job, in milliseconds."""

    wall: float
    cpu: float


def main() -> None:
    """Print the figures; ends with 1 when memory misses its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=1000)
    parser.add_argument("--bytes", type=int, default=300_000)
    parser.add_argument("--jobs", type=int, default=500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["cc", "-O2", "-o", folder / COMPILER, SOURCE], check=True)
        empty, full = memory(folder, arguments.waiting, arguments.bytes)
        print(f"fleetccd, idle: {empty / 1e6:.0f} MB resident")
        print(
            f"fleetccd, {arguments.waiting} requests of {arguments.bytes / 1000:.0f} KB waiting: "
            f"{full / 1e6:.0f} MB (goal: under {MEMORY_GOAL_BYTES / 1e6:.0f} MB), "
            f"{(full - empty) / arguments.waiting / 1000:.1f} KB each"
        )
        report_costs(folder, arguments.jobs)
    sys.exit(full >= MEMORY_GOAL_BYTES)


def memory(folder: Path, count: int, size: int) -> tuple[int, int]:
    """Resident bytes of an idle server, and of one with so many requests waiting."""
    hold = folder / "hold"
    hold.mkdir()
    blocking = hold / COMPILER
    blocking.write_text("#!/bin/sh\nexec sleep 600\n")
    blocking.chmod(0o755)
    with fleetccd(folder, hold) as (server, port):
        process = psutil.Process(server.pid)
        empty = process.memory_info().rss
        clients = [begin(port, size) for _ in range(count + 1)]
        wait_until_waiting(port, count)
        full = process.memory_info().rss
        for client in clients:
            client.close()
    return empty, full


def begin(port: int, size: int) -> socket.socket:
    """A client that has sent as much of its request as the server takes."""
    client = socket.create_connection((ADDRESS, port))
    client.settimeout(0)
    request = request_bytes(size)
    sent = 0
    try:
        while sent < len(request):
            sent += client.send(request[sent:])
    except BlockingIOError:
        pass
    return client


def wait_until_waiting(port: int, count: int) -> None:
    """Return when the server says that so many wait."""
    while True:
        with socket.create_connection((ADDRESS, port)) as client:
            client.sendall(GREETING)
            if parse_welcome(read_all(client)).waiting >= count:
                return
        time.sleep(0.05)


def report_costs(folder: Path, jobs: int) -> None:
    """Print what one job costs, by server."""
    with fleetccd(folder, folder) as (server, port):
        ours = cost(server, port, jobs)
    print(f"fleetccd, {jobs} jobs in a row: {ours.wall:.2f} ms each, {ours.cpu:.2f} ms CPU of the server")
    if shutil.which("distccd") is None:
        print("distccd is not installed: nothing to compare with")
        return
    with distccd(folder) as (server, port):
        theirs = cost(server, port, jobs)
    print(f"distccd,  {jobs} jobs in a row: {theirs.wall:.2f} ms each, {theirs.cpu:.2f} ms CPU of the server")
    print(f"ratio: wall {ours.wall / theirs.wall:.2f}, CPU {ours.cpu / theirs.cpu:.2f}")


def cost(server: "subprocess.Popen[bytes]", port: int, jobs: int) -> Cost:
    """The mean of so many jobs, after a tenth of them for warming up."""
    request = request_bytes(30_000)
    for _ in range(jobs // 10):
        one_job(port, request)
    cpu, began = cpu_seconds(server.pid), time.perf_counter()
    for _ in range(jobs):
        one_job(port, request)
    wall = time.perf_counter() - began
    return Cost(wall * 1000 / jobs, (cpu_seconds(server.pid) - cpu) * 1000 / jobs)


def cpu_seconds(pid: int) -> float:
    """Of a server and its workers, without the compilers that they ran."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children()]
    return float(sum(times.user + times.system for times in (found.cpu_times() for found in processes)))


def one_job(port: int, request: bytes) -> None:
    """Send one request, take its answer."""
    with socket.create_connection((ADDRESS, port)) as client:
        client.sendall(request)
        answer = read_all(client)
    if not answer.startswith(b"DONE00000001STAT00000000"):
        raise SystemExit(f"the server answered {answer[:100]!r}")


def read_all(client: socket.socket) -> bytes:
    """Everything until the server closes."""
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def request_bytes(size: int) -> bytes:
    """One request whose source has this size."""
    argv = (COMPILER.encode(), b"-O2", b"-c", b"x.i", b"-o", b"x.o")
    return b"".join(encode_request(1, argv, b"int x;\n".ljust(size)))


@contextmanager
def fleetccd(folder: Path, compilers: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """A fleetccd with one slot."""
    port = free_port(ADDRESS)
    command = [
        sys.executable, "-m", "fleetcc.cli.server", "--no-detach", "--log-file", folder / "log",
        "--listen", ADDRESS, "--port", port, "--jobs", 1, "--state-dir", folder / "state",
        "--load-limit", 0, "--user", "root",
    ]  # fmt: skip
    environment = os.environ | {"FLEETCCD_PATH": f"{compilers}:/usr/bin:/bin"}
    yield from serving([str(word) for word in command], environment, port)


@contextmanager
def distccd(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """A distccd with one worker."""
    port = free_port(ADDRESS)
    command = [
        "distccd", "--no-detach", "--daemon", "--log-file", folder / "distccd.log", "--listen", ADDRESS,
        "--port", port, "--jobs", 1, "--allow", ADDRESS, "--enable-tcp-insecure",
    ]  # fmt: skip
    (folder / "distccd.log").touch()
    (folder / "distccd.log").chmod(0o666)
    folder.chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}:/usr/bin:/bin"}
    yield from serving([str(word) for word in command], environment, port)


def serving(
    command: list[str], environment: dict[str, str], port: int
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Start it, give it, stop it."""
    server = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    try:
        wait_for_port(ADDRESS, port, server)
        yield server, port
    finally:
        server.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGTERM)
        server.wait()


if __name__ == "__main__":
    main()
