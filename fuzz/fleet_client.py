"""Invariant: whatever a server says, cut anywhere, a client ends each job at most once, or the connection."""

import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, only fuzz/ is on it

from fleetcc.errors import ProtocolError
from fleetcc.wire.files import File, FileJob, Left, Missing, ReplicaState, Update
from fleetcc.wire.files_paths import is_below, path_fault
from fleetcc.wire.fleet import (
    Drain,
    Error,
    Grant,
    Hello,
    Job,
    Message,
    Output,
    Part,
    Ping,
    Result,
    Started,
    Welcome,
    encode,
    encode_bulk,
)
from fleetcc.wire.fleet_answers import Event, Failed, Finished, Forgotten
from fleetcc.wire.fleet_client import FleetClient
from fuzz import campaign

# Of these jobs the last one is cancelled; where there is a replica, another one is made of files.
JOBS: Final = 3
FILE_JOB: Final = JOBS + 1
DEMAND: Final = 5

_JOB: Final = Job("preprocessed", "0" * 64, (b"cc",), "expanded", 0, 0)
_REPLICA: Final = b"r" * 16
_DIGEST: Final = b"d" * 32
_FILES: Final = FileJob(_REPLICA, 1, b"/bin/cc", (b"cc",), (), b"/w", 0o22, (b"/w",))
_WELCOME: Final = encode(0, Welcome("fleetccd 1", "i", 8))


def _about(job: int, *messages: Message) -> bytes:
    return b"".join(encode(job, message) for message in messages)


def _result(job: int) -> bytes:
    output = b"".join(encode_bulk(Output, job, b"errobject"))
    return output + _about(job, Result(0, (Part("stderr", 3, 3), Part("object", 6, 6))))


def _files(job: int) -> bytes:
    parts = (Part("file", 3, 3), Part("stderr", 1, 1), Part("file", 5, 9, "zstd"))
    result = Result(0, parts, files=(Left(b"/w/x.o", 0o644), Left(b"/w/a/x.d", 0o600)))
    return b"".join(encode_bulk(Output, job, b"objedeps!")) + _about(job, result)


SEEDS: Final = (
    _WELCOME + _about(1, Started()) + _result(1) + _result(3) + _about(2, Error("failed", "the disk")),
    _WELCOME
    + _about(0, Ping(1, answer=True, jobs=(2, 3), clock=5.5), Grant(2))
    + _about(2, Started())
    + _result(2),
    _WELCOME
    + _about(0, Grant(5), Drain("restart"))
    + _about(3, Started(), Error("cancelled", ""))
    + _result(1),
    _about(0, Error("too-many", "connections", "one is enough")),
    _about(0, Missing((_DIGEST,))) + _about(4, Started()) + _files(4),
    _WELCOME
    + _about(0, ReplicaState(_REPLICA, 9), ReplicaState(b"q" * 16))
    + _about(4, Error("changed", "x")),
)


def check(data: bytes, choices: Random) -> None:
    """Take the input as what a server said, whole and in pieces; then to a client that has a replica."""
    for replica in (False, True):
        events = _listen([data], replica=replica)
        assert events == _listen(campaign.pieces(data, choices), replica=replica)
        if events is not None:
            _check(events, replica=replica)


def _check(events: list[Event], *, replica: bool) -> None:
    jobs = {*range(1, JOBS), *((FILE_JOB,) if replica else ())}
    ends = Counter(event.job for event in events if isinstance(event, (Finished, Failed, Forgotten)))
    assert ends.keys() <= jobs
    assert not ends or max(ends.values()) == 1
    assert sum(event.count for event in events if isinstance(event, Grant)) <= DEMAND
    for event in events:
        if isinstance(event, Finished):
            assert len(list(event.files())) == len(event.result.files)
            assert all(is_below(left.path, (b"/w",)) for left in event.result.files)
            assert not any(path_fault(left.path) for left in event.result.files)
            assert event.job == FILE_JOB or not event.result.files


def _listen(chunks: list[bytes], *, replica: bool) -> list[Event] | None:
    """None: it broke the protocol; of two faults in one chunk either may be told."""
    client = FleetClient(Hello("a", "p", replica=b"s" * 16))
    client.demand(DEMAND, "normal")
    numbers = [client.job(_JOB)[0] for _ in range(JOBS)]
    client.cancel(numbers[-1])
    client.ping()
    if replica:
        client.receive(_WELCOME + _about(0, ReplicaState(_REPLICA)), 0.0)
        client.update(Update(_REPLICA, 1, {b"/a": File(_DIGEST, 1, 2)}))
        assert client.file_job(_FILES)[0] == FILE_JOB
    try:
        return [event for chunk in chunks for event in client.receive(chunk, 0.0)]
    except ProtocolError:
        return None


if __name__ == "__main__":
    campaign.main(check, SEEDS)
