"""Outputs that a client has already, in jobs made of files on a real server."""

import pytest

from fleetcc.wire.fleet import ErrorCode
from tests.interop.file_jobs import client, program, server
from tests.support.replica_client import ReplicaClient

__all__ = ["client", "program", "server"]  # fixtures

INPUT, OLD = b"/work/dir/input", b"/work/dir/old.o"


def test_what_is_removed_is_told_and_what_is_left_alone_is_not(client: ReplicaClient) -> None:
    done = client.run(b"mischief", existing=(INPUT, OLD))  # it removes the first

    assert done.spoken.removed == (INPUT,)
    assert not {INPUT, OLD} & {left.path for left in done.spoken.files}


def test_a_removal_of_what_the_replica_has_is_told_too(client: ReplicaClient) -> None:
    client.put({INPUT: b"as it was", OLD: b"an input as well"})

    assert client.run(b"mischief", existing=(INPUT, OLD)).spoken.removed == (INPUT,)


def test_what_is_written_anew_is_a_file_and_no_removal(client: ReplicaClient) -> None:
    done = client.run(b"write", OLD, b"new", existing=(OLD, b"/no/such/directory/x.d"))

    assert done.spoken.removed == ()
    assert [(left.path, done.part("file")) for left in done.spoken.files] == [(OLD, b"new")]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (b"relative", ErrorCode.REFUSED),
        (b"/work/../x", ErrorCode.REFUSED),
        (b"/dev/fd/0", ErrorCode.UNFIT),
        (b"/work", ErrorCode.UNFIT),
        (b"/bin/program/x.o", ErrorCode.UNFIT),
    ],
)
def test_a_place_where_no_output_can_be_is_refused(client: ReplicaClient, path, code) -> None:
    assert client.run(b"exit", b"0", existing=(path,)).code == code
