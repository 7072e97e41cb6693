"""A scripted client with a replica: says what a test wants of it, and honestly sends what is asked for."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

from fleetcc.wire.files import Directory, Entry, File, FileJob, Update
from fleetcc.wire.fleet_updates import updates
from tests.support.fleet_client import Done, FleetClient, connect
from tests.support.servers import Fleetccd

# Where the program is in the replica, and where it works.
PROGRAM: Final = b"/bin/program"
WORK: Final = b"/work/dir"


def file(content: bytes, *, executable: bool = False) -> File:
    """The entry of a file with this content."""
    return File(sha256(content).digest(), len(content), 1_700_000_000_000_000_000, executable)


@dataclass
class ReplicaClient:
    """One connection and its replica. `known` are the contents that it can send."""

    fleet: FleetClient
    number: int = 0
    known: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def replica(self) -> bytes:
        """The id of the present one."""
        return self.fleet.replicas[-1].replica

    def keep(self, *contents: bytes) -> None:
        """Contents that may be asked for."""
        self.known.update((sha256(content).digest(), content) for content in contents)

    def put(self, files: Mapping[bytes, bytes | Entry], *, executable: bool = False) -> None:
        """Paths of the replica: entries, or contents of files."""
        self.keep(*(content for content in files.values() if isinstance(content, bytes)))
        self.say_update(
            {
                path: file(one, executable=executable) if isinstance(one, bytes) else one
                for path, one in files.items()
            }
        )

    def say_update(self, puts: Mapping[bytes, Entry], removes: tuple[bytes, ...] = ()) -> None:
        """One change, in as many updates as it needs."""
        for update in updates(self.replica, self.number + 1, puts, removes):
            self.number = update.number
            self.fleet.say(update)

    def remove(self, *paths: bytes) -> None:
        """These are no more."""
        self.fleet.say(Update(self.replica, self.number + 1, {}, paths))
        self.number += 1

    def job(self, *words: bytes, **changes: Any) -> FileJob:
        """A run of the program, with the present version of the replica."""
        told: dict[str, Any] = {
            "replica": self.replica, "update": self.number, "program": PROGRAM, "argv": (b"program", *words),
            "environment": (), "cwd": WORK, "umask": 0o022, "returns": (WORK,), "label": "test.c",
        }  # fmt: skip
        return FileJob(**told | changes)

    def start(self, job: FileJob) -> int:
        """Demand a slot, and send it; its id."""
        self.fleet.demand(1)
        self.fleet.wait_for_grants()
        self.fleet.demand(0)
        return self.fleet.run_files(job)

    def send_what_is_asked(self) -> None:
        """Each blob in a pack of its own."""
        for digest in list(self.fleet.missing):
            self.fleet.contents(self.known[digest])

    def wait_until_started(self, number: int) -> None:
        """Send what is asked for until the job runs."""

        def is_started() -> bool:
            self.send_what_is_asked()
            return number in self.fleet.started

        self.fleet.wait_until(is_started)

    def end_of(self, number: int) -> Done:
        """Send what is asked for until the job has ended."""

        def is_over() -> bool:
            self.send_what_is_asked()
            return number in self.fleet.done

        self.fleet.wait_until(is_over)
        return self.fleet.done[number]

    def run(self, *words: bytes, **changes: Any) -> Done:
        """One job to its end."""
        return self.end_of(self.start(self.job(*words, **changes)))

    def close(self) -> None:
        """Hang up."""
        self.fleet.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_replica(server: Fleetccd, program: Path, secret: bytes | None = None) -> ReplicaClient:
    """Connect with a secret of its own, and say where the program and its folder are."""
    fleet = connect(server.connect(), replica=secret or os.urandom(16), capabilities=("zstd", "files"))
    fleet.wait_until(lambda: fleet.replicas)
    client = ReplicaClient(fleet, fleet.replicas[-1].number)
    client.put({PROGRAM: program.read_bytes()}, executable=True)
    client.put({WORK: Directory(), b"/tmp": Directory()})
    return client
