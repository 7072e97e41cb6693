"""Descriptors of one run; the helper is played by the test."""

import os
import socket
import struct

import pytest

from fleetcc.errors import ProtocolError
from fleetcc.sandbox.outcome import Ended, Killed, Kind
from fleetcc.sandbox.run import Run
from fleetcc.sandbox.spec import Spec, encode

SPEC = Spec(b"/tree", b"/bin/cc", (b"cc",), (), b"/")


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.fixture
def run():
    """A run that a helper could be started for."""
    before = open_descriptors()
    made = Run(b"/helper", (), SPEC)
    yield made
    made.close()
    assert open_descriptors() == before


def record(kind: Kind, number: int = 0) -> bytes:
    return struct.pack("=IiQQQQ", kind, number, 0, 0, 0, 0)


def test_the_command_names_what_it_inherits():
    run = Run(b"/helper", (70, 71), SPEC, (72,))
    spec, status = run.pass_fds[:2]

    assert run.argv == [b"/helper", b"run", b"%d" % spec, b"%d" % status, b"70", b"71"]
    assert run.pass_fds == (spec, status, 70, 71, 72)
    assert os.pread(spec, 1000, 0) == encode(SPEC)
    run.close()


def test_records_and_the_scratch_arrive(run, tmp_path):
    helper = socket.socket(fileno=os.dup(run.pass_fds[1]))
    run.started()
    upper = os.open(tmp_path, os.O_RDONLY)
    socket.send_fds(helper, [record(Kind.SCRATCH)], [upper])
    helper.send(record(Kind.ENDED, 256))
    helper.close()
    os.close(upper)

    assert run.outcome() == Ended(256, 0.0, 0.0, 0, is_full=False)
    assert run.scratch is not None


def test_a_helper_that_says_nothing_was_killed(run):
    run.started()

    assert run.outcome() == Killed()
    assert run.scratch is None


def test_a_helper_that_still_lives_is_not_waited_for(run):
    assert run.outcome() == Killed()


def test_a_big_spec_is_written_whole():
    spec = Spec(b"/tree", b"/cc", (b"cc", *[b"x" * 100] * 50_000), (), b"/")
    run = Run(b"/helper", (), spec)

    assert os.fstat(run.pass_fds[0]).st_size == len(encode(spec))
    run.close()


def test_a_spec_that_cannot_be_run_opens_nothing():
    before = open_descriptors()

    with pytest.raises(ProtocolError):
        Run(b"/helper", (), Spec(b"/", b"/cc", (b"\0",), (), b"/"))

    assert open_descriptors() == before


def test_closing_twice_is_harmless(run):
    run.close()
    run.close()
