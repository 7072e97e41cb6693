"""What the benchmarks share: where the commands are, and servers that are ready before they are used."""

import socket
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent


def free_port(address: str) -> int:
    """A port that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def wait_for_port(address: str, port: int, process: "subprocess.Popen[bytes]") -> None:
    """Return when something listens there; exit with a sentence when the process has ended first."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"{process.args!r} did not listen on {address}:{port}")
