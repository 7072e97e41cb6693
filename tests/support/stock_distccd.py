"""Debian's distccd on loopback."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping

import pytest

from tests.support.servers import free_port


@contextlib.contextmanager
def stock_distccd(jobs: int, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """Its ADDRESS:PORT; skips the test where it is not installed."""
    if shutil.which("distccd") is None:
        pytest.skip("distccd is not installed")
    port = free_port()
    command = ["distccd", "--no-detach", "--daemon", "--listen", "127.0.0.1", "--port", str(port)]
    command += [
        "--jobs",
        str(jobs),
        "--allow",
        "127.0.0.1",
        "--enable-tcp-insecure",
        "--log-file",
        "/dev/null",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
