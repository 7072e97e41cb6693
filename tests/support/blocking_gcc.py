"""A `gcc` that runs when it is let go, to see what runs at once."""

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.support.fleet import Client
from tests.support.launcher import write_program
from tests.support.one_compile import SOURCE
from tests.support.servers import Lock

# Real for questions and for -E unless it is told to block there too; a compile waits to be let go.
BLOCKING_GCC = """#!/bin/sh
case "$*" in *-v*|*-dM*|*-print-*|*-dump*) exec /usr/bin/gcc "$@";; esac
case "$*" in *-E*) [ -e {folder}/block-E ] || exec /usr/bin/gcc "$@";; esac
echo start >>{folder}/journal
read _ <{folder}/fifo
exec /usr/bin/gcc "$@"
"""


@contextlib.contextmanager
def blocking_gcc(client: Client) -> Iterator[Lock]:
    """`gcc` first on PATH; each compile waits until it is let go."""
    tools = client.root / "tools"
    write_program(tools / "gcc", BLOCKING_GCC.format(folder=tools))
    (tools / "journal").touch()
    lock = Lock(tools / "fifo")
    path = client.environment["PATH"]
    client.environment["PATH"] = f"{client.bin}:{tools}:/usr/bin:/bin"
    try:
        yield lock
    finally:
        lock.let_go(100)
        lock.close()
        client.environment["PATH"] = path


def started(client: Client) -> int:
    """How many compiles have begun."""
    return (client.root / "tools" / "journal").read_text().count("start")


def compile_together(client: Client, count: int) -> list[Any]:
    """Start that many compiles of sources of their own."""
    for number in range(count):
        client.write(f"unit{number}.c", SOURCE)
    return [client.popen(client.launcher, "gcc", "-c", f"unit{number}.c") for number in range(count)]


def end_all(running: list[Any]) -> None:
    """Wait for the end of all; each must succeed in silence."""
    for process in running:
        with process:
            assert process.communicate(timeout=30) == (b"", b"")
            assert process.returncode == 0
