"""One `gcc` that client and server both have, byte for byte, and that waits only on the server.

A fleet host gets preprocessed jobs only for compilers whose identity is the client's, so a test cannot put
another program on the server. This one is a script with the same content on both sides; where a FIFO lies
beside it, a compile notes its start and waits until it is let go. (Jobs made of files bring their own.)
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.support.fleet import SYSTEM_PATH, Client, eventually
from tests.support.launcher import write_program
from tests.support.servers import Lock

_SCRIPT: Final = """#!/bin/sh
folder=$(dirname "$0")
case "$*" in *-E*|*-v*|*-dM*|*-print-*|*-dump*) exec /usr/bin/gcc "$@";; esac
[ -p "$folder/fifo" ] || exec /usr/bin/gcc "$@"
echo $$ >>"$folder/journal"
read _ <"$folder/fifo"
exec /usr/bin/gcc "$@"
"""


class SharedGcc:
    """The compiler, and what its runs on servers have noted."""

    def __init__(self, folder: Path) -> None:
        self.client_folder = folder / "on-client"
        self.server_folder = folder / "on-server"
        for place in (self.client_folder, self.server_folder):
            write_program(place / "gcc", _SCRIPT)
        (self.server_folder / "journal").touch()
        self.lock = Lock(self.server_folder / "fifo")

    @property
    def server_environment(self) -> dict[str, str]:
        """For a start_fleetccd whose compiles wait."""
        return {"FLEETCCD_PATH": f"{self.server_folder}:{SYSTEM_PATH}"}

    @property
    def prompt_server_environment(self) -> dict[str, str]:
        """For a start_fleetccd whose compiles do not."""
        return {"FLEETCCD_PATH": f"{self.client_folder}:{SYSTEM_PATH}"}

    @property
    def started(self) -> list[int]:
        """The processes of compiles that have begun on servers."""
        return [int(word) for word in (self.server_folder / "journal").read_text().split()]

    def wait_for(self, count: int) -> list[int]:
        """Wait until so many compiles have begun; their processes."""
        eventually(lambda: len(self.started) >= count)
        return self.started


@contextlib.contextmanager
def shared_gcc(client: Client) -> Iterator[SharedGcc]:
    """Put it first on the client's PATH; servers get it by `server_environment`."""
    gcc = SharedGcc(client.root / "shared-gcc")
    before = client.environment
    path = f"{client.bin}:{gcc.client_folder}:{SYSTEM_PATH}"
    client.environment = before | {"PATH": path, "FLEETCC_MODE": "preprocessed"}
    try:
        yield gcc
    finally:
        gcc.lock.let_go(100)
        gcc.lock.close()
        client.environment |= {"PATH": before["PATH"], "FLEETCC_MODE": "auto"}
