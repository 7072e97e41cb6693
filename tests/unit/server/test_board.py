"""The notice board between processes."""

import asyncio
import os

import pytest

from fleetcc.scheduling.admission import Claim
from fleetcc.server.board import Board


@pytest.fixture
def boards(tmp_path):
    made = []

    def new():
        made.append(Board(str(tmp_path / "waiting")))
        return made[-1]

    yield new
    for board in made:
        board.close()


def test_others_see_what_was_published_and_one_does_not_see_oneself(boards):
    one, two = boards(), boards()
    one.publish([Claim(one.name, "10.0.0.1", 3, 5.5, 1.25), Claim(one.name, "uid:7", 1, 6.0, 0.0, 4)])
    assert two.others() == [
        Claim(one.name, "10.0.0.1", 3, 5.5, 1.25),
        Claim(one.name, "uid:7", 1, 6.0, 0.0, 4),
    ]
    assert one.others() == []


def test_a_later_notice_replaces_the_earlier_one(boards):
    one, two = boards(), boards()
    one.publish([Claim(one.name, "a-rather-long-name", 100, 5.5, 1.25)])
    one.publish([Claim(one.name, "b", 1, 5.5, 0.0)])
    assert [claim.client for claim in two.others()] == ["b"]
    one.publish([])
    assert two.others() == []


def test_a_process_that_never_waited_leaves_no_file(boards, tmp_path):
    boards().publish([])
    assert os.listdir(tmp_path / "waiting") == []


def test_the_notice_of_a_dead_process_is_removed(boards, tmp_path):
    board = boards()
    (tmp_path / "waiting" / "999-dead").write_text('[["a", 5, 1.0, 0.0]]')
    assert board.others() == []
    assert os.listdir(tmp_path / "waiting") == []


@pytest.mark.parametrize(
    "content", [b"", b"[", b"[[1]]", b"7", b"\xff", b'[["a", "x", 1, 1, 1]]', b'[["a", 1, 1, 1]]']
)
def test_a_notice_in_the_middle_of_being_written_says_nothing(boards, content):
    one, two = boards(), boards()
    one.publish([Claim(one.name, "a", 1, 1.0, 1.0)])
    os.ftruncate(one._notice, 0)
    os.pwrite(one._notice, content, 0)
    assert two.others() == []


async def test_a_bell_reaches_the_one_it_is_for(boards):
    loop = asyncio.get_running_loop()
    one, two = boards(), boards()
    heard, wrong = asyncio.Event(), asyncio.Event()
    one.listen(loop.add_reader, heard.set)
    two.listen(loop.add_reader, wrong.set)
    two.ring(one.name)
    async with asyncio.timeout(5):
        await heard.wait()
    assert not wrong.is_set()
    for board in (one, two):
        loop.remove_reader(board._bell.fileno())


async def test_ringing_a_process_that_is_gone_is_no_fault(boards):
    one = boards()
    one.listen(lambda *_: None, lambda: None)
    one.ring("123-gone")
