"""Which blobs a replica needs."""

import os

import pytest

from fleetcc.store.blobs import BlobStore
from fleetcc.store.lookup import Lookup
from tests.unit.store.pictures import digest_of, file_of, store

A, B = file_of(b"a"), file_of(b"b")


@pytest.fixture
def blobs(tmp_path):
    for path in (tmp_path, *tmp_path.parents):
        os.chmod(path, os.stat(path).st_mode | 0o055)
    made = BlobStore(str(tmp_path / "blobs"), 1 << 30, [os.fsencode(tmp_path / "usr")])
    yield made
    made.close()


@pytest.fixture
def lookup(blobs):
    return Lookup(blobs)


def look(lookup):
    wanted = lookup.take()
    return lookup.ask(wanted, lookup.find(wanted))


def test_what_nobody_here_has_is_asked_for_once(lookup):
    lookup.want(b"/a", A)
    assert lookup.has_work
    assert look(lookup) == (A.digest,)
    lookup.want(b"/other", A)
    assert not lookup.has_work
    assert look(lookup) == ()


def test_what_the_store_has_is_not_asked_for(lookup, blobs):
    store(blobs, b"a")
    lookup.want(b"/a", A)
    lookup.want(b"/b", B)
    assert look(lookup) == (B.digest,)


def test_what_this_machine_has_is_not_asked_for(lookup, blobs, tmp_path):
    usr = tmp_path / "usr"
    usr.mkdir()
    (usr / "second").write_bytes(b"a")
    lookup.want(b"/somewhere/else", A)
    lookup.want(os.fsencode(usr / "second"), A)
    assert look(lookup) == ()
    assert blobs.has(A.digest, 1)


def test_one_that_is_at_very_many_paths_is_looked_for_at_a_few(lookup):
    for index in range(100):
        lookup.want(b"/%d" % index, A)
    assert len(lookup.take()[A.digest]) == 4


def test_what_came_during_the_look_is_not_asked_for(lookup):
    lookup.want(b"/a", A)
    wanted = lookup.take()
    lookup.answered((A.digest,))
    assert lookup.ask(wanted, {}) == ()


def test_two_looks_at_once_ask_once(lookup):
    lookup.want(b"/a", A)
    first = lookup.take()
    lookup.want(b"/b", A)
    second = lookup.take()
    assert lookup.ask(first, {}) == (A.digest,)
    assert lookup.ask(second, {}) == ()


def test_a_new_connection_is_asked_for_what_the_last_one_did_not_send(lookup):
    lookup.want(b"/a", A)
    lookup.want(b"/b", B)
    look(lookup)
    lookup.answered((digest_of(b"b"),))
    lookup.ask_again()
    assert look(lookup) == (A.digest,)


def test_what_came_and_went_again_is_asked_for_again(lookup):
    lookup.want(b"/a", A)
    look(lookup)
    lookup.answered((A.digest,))
    lookup.want(b"/a", A)
    assert look(lookup) == (A.digest,)


def test_nothing_is_asked_for_after_a_new_beginning(lookup):
    lookup.want(b"/a", A)
    look(lookup)
    lookup.want(b"/b", B)
    lookup.clear()
    lookup.ask_again()
    assert look(lookup) == ()
