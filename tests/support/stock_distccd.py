"""Debian's distccd on loopback."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.fleet import eventually
from tests.support.servers import free_port


@contextlib.contextmanager
def stock_distccd(
    jobs: int,
    environment: Mapping[str, str] | None = None,
    *,
    log: Path = Path("/dev/null"),
    address: str = "127.0.0.1",
) -> Iterator[str]:
    """Its ADDRESS:PORT; skips the test where it is not installed. `log`: where it tells what it does."""
    if shutil.which("distccd") is None:
        pytest.skip("distccd is not installed")
    port = free_port()
    command = ["distccd", "--no-detach", "--daemon", "--listen", address, "--port", str(port)]
    command += ["--jobs", str(jobs), "--allow", "127.0.0.1", "--enable-tcp-insecure"]
    # A log of its own would be the user's that it becomes.
    command += ["--log-stderr", "--log-level", "debug"]
    with open(log, "ab") as told:
        process = subprocess.Popen(command, stderr=told, env=environment)
    try:
        eventually(lambda: _listens(port))
        yield f"{address}:{port}"
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    """Asked of the kernel: a visit would be a job to it."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(words[1].endswith(f":{port:04X}") and words[3] == "0A" for words in map(str.split, lines))
