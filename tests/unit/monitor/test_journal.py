"""The journal's file: where a disk is full, where somebody else has written into it, while it is replaced."""

import os
from pathlib import Path

import msgspec
import pytest

from fleetcc.errors import UsageError
from fleetcc.monitor.events import Record, decode, decode_record, encode
from fleetcc.monitor.journal import NAME, Journal, read_journal


def record(number: int) -> Record:
    return Record(agent="a", job=number, build="b", started=1.0, label="a.c", directory="/", state="done")


def test_a_line_that_a_full_disk_has_cut_spoils_none_that_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, write = Journal(str(tmp_path)), os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, data: write(descriptor, data[: len(data) * 2 // 3]))
        for number in range(2):
            journal.add(record(number))
        journal.flush()
    for number in (2, 3):
        journal.add(record(number))
        journal.flush()

    assert [each.job for each in read_journal(str(tmp_path))] == [0, 2, 3]
    assert (tmp_path / "jobs.jsonl").read_bytes().count(b"\n") == 4  # each line once


def test_a_journal_that_cannot_be_written_costs_its_lines_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(str(tmp_path / "gone"))
    journal.add(record(1))
    journal.flush()
    assert journal.is_flushed  # they do not pile up
    assert "No such file" in caplog.text
    (tmp_path / "gone").mkdir()
    journal.add(record(2))
    journal.flush()

    assert [each.job for each in read_journal(str(tmp_path / "gone"))] == [2]


def test_a_line_that_a_crash_has_cut_spoils_none_of_the_next_agent(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(encode(record(1)) + encode(record(2))[:-5])
    journal = Journal(str(tmp_path))
    journal.add(record(3))
    journal.flush()

    assert [each.job for each in read_journal(str(tmp_path))] == [1, 3]


def test_a_line_of_an_older_agent_is_read(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(
        b'{"agent":"a","job":7,"build":"b","started":1.5,"label":"x.c","directory":"/","state":"done","slot":1}\n'
    )

    (found,) = read_journal(str(tmp_path))
    assert (found.job, found.slot, found.slots) == (7, 1, 0)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b"null\n",
        b'{"job":1}\n',
        *(
            msgspec.json.encode(msgspec.to_builtins(record(9)) | {field: value}) + b"\n"
            for field, value in {
                "started": 1e300, "seconds": 1e300, "run_seconds": -1.0, "status": 1 << 40, "slot": -7,
                "slots": -1, "sent": -1, "phases": [["compiling", 1e300]],
            }.items()
        ),
    ],
)  # fmt: skip
def test_a_line_that_no_agent_has_written_is_passed_over(tmp_path: Path, line: bytes) -> None:
    (tmp_path / NAME).write_bytes(encode(record(1)) + line + encode(record(2)))

    assert [each.job for each in read_journal(str(tmp_path))] == [1, 2]


def test_the_older_file_comes_first_and_one_that_is_renamed_meanwhile_counts_once(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(encode(record(2)))
    (tmp_path / (NAME + ".1")).write_bytes(encode(record(1)))
    assert [each.job for each in read_journal(str(tmp_path))] == [1, 2]
    (tmp_path / (NAME + ".1")).unlink()
    os.link(tmp_path / NAME, tmp_path / (NAME + ".1"))

    assert [each.job for each in read_journal(str(tmp_path))] == [2]


def test_a_journal_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()

    with pytest.raises(UsageError, match=r"jobs\.jsonl: cannot be read: Is a directory; make it readable"):
        list(read_journal(str(tmp_path)))


@pytest.mark.parametrize("reader", [decode, decode_record])
def test_a_line_that_nests_too_deeply_is_no_line(reader):
    with pytest.raises(msgspec.DecodeError):
        reader(b'{"event":"lost","x":' + b"[" * 200_000 + b"]" * 200_000 + b"}")
