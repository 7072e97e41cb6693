"""Lines of the log, the filter, and a journal that grows while somebody reads."""

import os
from pathlib import Path

import pytest

from fleetcc.monitor.events import encode
from fleetcc.monitor.journal import NAME, Journal
from fleetcc.monitor.log import Follower, Wanted, log_line, status_text
from tests.support.past_builds import local, record, remote, write_journal


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (remote(7), "src/u7.cc  on b1:3632 as files, 1000 B sent"),
        (local(8, detail="ld"), "app8  here (linking: ld)"),
        (remote(7, status=256, sent=0, mode=""), "on b1:3632, exit status 1"),
        (remote(7, status=9), "killed by signal 9"),
        (record(9, 0, [("waiting", 1, "")], state="cancelled"), "src/u9.cc  cancelled"),
        (record(9, 0, [], state="failed", reason="no-hosts"), "failed, here (no-hosts)"),
    ],
)
def test_a_line_says_what_became_of_a_job(job, words: str) -> None:
    assert words.replace("1000 B", "1.0 KB") in log_line(job)


def test_statuses_are_as_wait_gives_them() -> None:
    assert (status_text(256), status_text(0), status_text(11)) == (
        "exit status 1",
        "exit status 0",
        "killed by signal 11",
    )
    assert status_text(0xFFFF_0100) == "exit status 1"  # a stock server may say it


def test_the_filter_takes_what_all_of_its_parts_take() -> None:
    jobs = [remote(1), remote(2, "[::1]:3632"), local(3), remote(4, status=256), local(5, state="failed")]

    def kept(**parts) -> list[int]:
        return [job.job for job in jobs if Wanted(**parts).has(job)]

    assert kept() == [1, 2, 3, 4, 5]
    assert kept(reason="linking") == [3, 5]
    assert kept(host="b1") == [1, 4]
    assert kept(host="b1:3632") == [1, 4]
    assert kept(host="::1") == [2]
    assert kept(host="localhost") == [3, 5]
    assert kept(failed=True) == [4, 5]
    assert kept(failed=True, reason="remote") == [4]


def test_a_host_that_had_it_and_failed_counts() -> None:
    assert Wanted(host="b0").has(remote(1, "b1:3632", hosts=("b0:3632", "b1:3632")))


def test_a_follower_sees_what_comes_and_nothing_of_before(tmp_path: Path) -> None:
    write_journal(tmp_path, [remote(1)])
    follower = Follower(str(tmp_path))
    journal = Journal(str(tmp_path))

    assert list(follower.news()) == []
    journal.add(remote(2))
    journal.add(remote(3))
    journal.flush()

    assert [found.job for found in follower.news()] == [2, 3]
    assert list(follower.news()) == []
    follower.close()


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = write_journal(tmp_path, [])
    follower, line = Follower(str(tmp_path)), encode(remote(1))

    with open(path, "ab", buffering=0) as file:
        file.write(line[:20])
        assert list(follower.news()) == []
        file.write(line[20:] + b"nonsense\n")
        assert [found.job for found in follower.news()] == [1]
    follower.close()


def test_a_follower_goes_along_with_a_new_file(tmp_path: Path) -> None:
    path = write_journal(tmp_path, [remote(1)])
    follower = Follower(str(tmp_path))

    with open(path, "ab") as file:
        file.write(encode(remote(2)))
    os.replace(path, tmp_path / (NAME + ".1"))
    assert [found.job for found in follower.news()] == [2]
    write_journal(tmp_path, [remote(3)])

    assert [found.job for found in follower.news()] == [3]
    follower.close()


def test_a_journal_may_begin_later(tmp_path: Path) -> None:
    follower = Follower(str(tmp_path))
    assert list(follower.news()) == []

    write_journal(tmp_path, [remote(1)])

    assert [found.job for found in follower.news()] == [1]
    follower.close()


def test_following_looks_again_after_each_wait(tmp_path: Path) -> None:
    follower = Follower(str(tmp_path))
    waits: list[int] = []

    def wait() -> None:
        waits.append(len(waits))
        write_journal(tmp_path, [remote(number) for number in range(1, len(waits) + 1)])

    found = follower.follow(wait)

    assert [next(found).job, next(found).job] == [1, 2]
    assert waits == [0, 1]
    follower.close()
