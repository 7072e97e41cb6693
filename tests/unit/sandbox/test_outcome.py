"""What came of a run, from its records."""

import errno
import re
import struct
from pathlib import Path

import pytest

from fleetcc.sandbox.outcome import RECORD_BYTES, Ended, Killed, Kind, NotStarted, Stage, outcome

NATIVE = Path(__file__).parents[3] / "native" / "sandbox"


def record(kind: Kind, number: int = 0, *values: int) -> bytes:
    return struct.pack("=IiQQQQ", kind, number, *values, *[0] * (4 - len(values)))


def test_an_end_has_its_status_times_and_memory():
    records = [
        record(Kind.SCRATCH),
        record(Kind.STARTED, 0, 1_500_000_000),
        record(Kind.ENDED, 0x0100, 2_000_000, 8, 1, 7),
    ]

    assert outcome(records) == Ended(0x0100, 1.5, 2.0, 8192, is_full=True, written_bytes=7)


def test_a_failure_counts_more_than_the_end_that_it_caused():
    failed = record(Kind.FAILED, Stage.EXEC, errno.ENOENT)

    found = outcome([record(Kind.STARTED), failed, record(Kind.ENDED, 125 << 8)])

    assert found == NotStarted(Stage.EXEC, errno.ENOENT)
    assert isinstance(found, NotStarted)
    assert found.sentence == "executing the program: No such file or directory"


@pytest.mark.parametrize("records", [[], [record(Kind.SCRATCH)], [record(Kind.STARTED, 0, 1)]])
def test_records_without_an_end_mean_that_it_was_killed(records):
    assert outcome(records) == Killed()


def test_every_stage_has_words():
    assert len({NotStarted(stage, errno.EPERM).sentence for stage in Stage}) == len(Stage)


def test_stages_and_kinds_are_those_of_the_helper():
    names = re.findall(r"STAGE_(\w+)(?: = 1)?,", (NATIVE / "sandbox.h").read_text())
    kinds = re.search(r"enum kind \{(.*?)\}", (NATIVE / "report.c").read_text())

    assert names == [stage.name for stage in Stage]
    assert list(Stage) == list(range(1, len(names) + 1))
    assert kinds is not None
    assert re.findall(r"KIND_(\w+)", kinds[1]) == [kind.name for kind in Kind]
    assert RECORD_BYTES == 40
