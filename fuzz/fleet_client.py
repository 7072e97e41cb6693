"""Invariant: whatever a server says, cut anywhere, a client ends each job at most once, or the connection."""

import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, only fuzz/ is on it

from fleetcc.errors import ProtocolError
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

# Of these jobs the last one is cancelled.
JOBS: Final = 3
DEMAND: Final = 5

_JOB: Final = Job("preprocessed", "0" * 64, (b"cc",), "expanded", 0, 0)
_WELCOME: Final = encode(0, Welcome("fleetccd 1", "i", 8))


def _about(job: int, *messages: Message) -> bytes:
    return b"".join(encode(job, message) for message in messages)


def _result(job: int) -> bytes:
    output = b"".join(encode_bulk(Output, job, b"errobject"))
    return output + _about(job, Result(0, (Part("stderr", 3, 3), Part("object", 6, 6))))


SEEDS: Final = (
    _WELCOME + _about(1, Started()) + _result(1) + _result(3) + _about(2, Error("failed", "the disk")),
    _WELCOME + _about(0, Ping(1, answer=True, jobs=(2, 3)), Grant(2)) + _about(2, Started()) + _result(2),
    _WELCOME
    + _about(0, Grant(5), Drain("restart"))
    + _about(3, Started(), Error("cancelled", ""))
    + _result(1),
    _about(0, Error("too-many", "connections", "one is enough")),
)


def check(data: bytes, choices: Random) -> None:
    """Take the input as what a server said, whole and in pieces."""
    events = _listen([data])
    assert events == _listen(campaign.pieces(data, choices))
    if events is None:
        return
    ends = Counter(event.job for event in events if isinstance(event, (Finished, Failed, Forgotten)))
    assert ends.keys() <= set(range(1, JOBS))
    assert not ends or max(ends.values()) == 1
    assert sum(event.count for event in events if isinstance(event, Grant)) <= DEMAND


def _listen(chunks: list[bytes]) -> list[Event] | None:
    """None: it broke the protocol; of two faults in one chunk either may be told."""
    client = FleetClient(Hello("a", "p"))
    client.demand(DEMAND, "normal")
    numbers = [client.job(_JOB)[0] for _ in range(JOBS)]
    client.cancel(numbers[-1])
    client.ping()
    try:
        return [event for chunk in chunks for event in client.receive(chunk, 0.0)]
    except ProtocolError:
        return None


if __name__ == "__main__":
    campaign.main(check, SEEDS)
