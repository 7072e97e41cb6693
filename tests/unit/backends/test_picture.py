"""What a host is told of this machine's files."""

import hashlib

import pytest

from fleetcc.backends import picture as pictures
from fleetcc.backends.picture import Change, Picture
from fleetcc.files.layers import Layer
from fleetcc.includes.disk import Listing
from fleetcc.wire.files import Directory, Entry, File, Link, ReplicaState, Update

REPLICA = b"r" * 16
D = Directory()


def file(text: bytes) -> File:
    return File(hashlib.sha256(text).digest(), len(text), 1)


X, Y = file(b"x"), file(b"y")


def layer(entries: dict[bytes, Entry], *directories: bytes) -> Layer:
    return Layer(entries, frozenset(directories))


def listing(*names: bytes) -> Listing:
    return Listing(frozenset(names))


def change(picture: Picture, *layers: Layer, is_busy: bool = False, **listings: Listing | None) -> Change:
    """`listings`: of directories right below the root."""
    told = {b"/" + name.encode(): found for name, found in listings.items()}
    return picture.change_for(layers, told, is_busy=is_busy)


@pytest.fixture
def picture() -> Picture:
    made = Picture()
    made.take_state(ReplicaState(REPLICA))
    return made


SYSTEM = layer({b"/usr": D, b"/usr/cc": X})
SOURCE = layer({b"/src": D, b"/src/a.c": Y}, b"/src")
BOTH = listing(b"a.c", b"a.o")


def test_a_first_job_is_told_all_and_needs_it(picture: Picture) -> None:
    found = change(picture, SYSTEM, SOURCE, src=BOTH)

    assert found == Change((Update(REPLICA, 1, {**SYSTEM.entries, **SOURCE.entries}),), 1)


def test_a_warm_job_is_told_nothing_and_needs_what_brought_its_files(picture: Picture) -> None:
    change(picture, SYSTEM)
    change(picture, SOURCE, src=BOTH)

    assert change(picture, SYSTEM, src=BOTH) == Change((), 1)
    assert change(picture, SYSTEM, SOURCE, src=BOTH) == Change((), 2)


def test_a_new_layer_of_known_files_says_nothing_and_needs_what_brought_them(picture: Picture) -> None:
    change(picture, SYSTEM)
    change(picture, SOURCE, src=BOTH)

    assert change(picture, layer({b"/usr/cc": X})) == Change((), 1)


def test_an_edited_file_is_told_again(picture: Picture) -> None:
    change(picture, SOURCE, src=BOTH)

    found = change(picture, layer({b"/src": D, b"/src/a.c": X}, b"/src"), src=BOTH)

    assert found == Change((Update(REPLICA, 2, {b"/src/a.c": X}),), 2)
    assert change(picture, SOURCE, src=BOTH).updates == (Update(REPLICA, 3, {b"/src/a.c": Y}),)


def test_what_has_vanished_from_a_directory_that_was_consulted_is_removed(picture: Picture) -> None:
    change(picture, layer({b"/src": D, b"/src/a.h": X, b"/src/b.h": Y}, b"/src"), src=listing(b"a.h", b"b.h"))

    found = change(picture, layer({b"/src/b.h": Y}, b"/src"), src=listing(b"b.h"))

    assert found == Change((Update(REPLICA, 2, removes=(b"/src/a.h",)),), 2)


def test_a_directory_that_has_vanished_goes_with_all_that_is_below_it(picture: Picture) -> None:
    deep = layer({b"/src": D, b"/src/in": D, b"/src/in/a.h": X}, b"/src/in", b"/src")
    picture.change_for([deep], {b"/src/in": listing(b"a.h"), b"/src": listing(b"in")}, is_busy=False)

    found = picture.change_for(
        [layer({b"/src": D}, b"/src/in", b"/src")], {b"/src/in": None, b"/src": listing()}, is_busy=False
    )

    (update,) = found.updates
    assert b"/src/in" in update.removes
    assert not update.puts
    again = layer({b"/src": D, b"/src/in": D, b"/src/in/a.h": X})
    assert change(picture, again).updates == (Update(REPLICA, 3, {b"/src/in": D, b"/src/in/a.h": X}),)


def test_a_directory_that_has_become_a_file_and_a_directory_again_is_told_whole(picture: Picture) -> None:
    deep: dict[bytes, Entry] = {b"/src": D, b"/src/in": D, b"/src/in/a.h": X}
    change(picture, layer(deep))
    change(picture, layer({b"/src": D, b"/src/in": Y}))

    found = change(picture, layer(deep))

    assert found.updates == (Update(REPLICA, 3, {b"/src/in": D, b"/src/in/a.h": X}),)


def test_a_directory_that_has_become_a_link_takes_what_was_below_it_along(picture: Picture) -> None:
    deep: dict[bytes, Entry] = {b"/src": D, b"/src/in": D, b"/src/in/a.h": X}
    change(picture, layer(deep))
    change(picture, layer({b"/src": D, b"/src/in": Link(b"out")}))

    assert change(picture, layer(deep)).updates[0].puts == {b"/src/in": D, b"/src/in/a.h": X}


# -- forks


OLD, NEW = listing(b"a.c"), listing(b"a.c", b"new.h")
WITHOUT = layer({b"/src": D, b"/src/a.c": Y}, b"/src")
WITH = layer({b"/src": D, b"/src/a.c": Y, b"/src/new.h": X}, b"/src")


def test_jobs_that_run_do_not_see_a_file_that_was_not_there_when_they_came(picture: Picture) -> None:
    change(picture, WITHOUT, src=OLD)

    (update,) = change(picture, WITH, is_busy=True, src=NEW).updates

    assert update == Update(REPLICA, 2, {b"/src/new.h": X}, fork=True)


def test_nobody_is_spared_a_new_file_when_nobody_runs(picture: Picture) -> None:
    change(picture, WITHOUT, src=OLD)

    assert not change(picture, WITH, src=NEW).updates[0].fork


def test_a_file_that_was_there_all_the_time_is_no_news_to_those_that_run(picture: Picture) -> None:
    change(picture, WITHOUT, src=NEW)

    assert not change(picture, WITH, is_busy=True, src=NEW).updates[0].fork


def test_a_file_in_a_directory_that_nobody_looked_into_is_no_news(picture: Picture) -> None:
    change(picture, WITHOUT, src=OLD)

    found = change(
        picture, layer({b"/lib": D, b"/lib/new.h": X}, b"/lib"), is_busy=True, lib=listing(b"new.h")
    )

    assert not found.updates[0].fork


def test_a_new_name_that_is_not_sent_makes_no_fork_but_is_remembered(picture: Picture) -> None:
    change(picture, WITHOUT, src=OLD)
    assert change(picture, layer({}, b"/src"), is_busy=True, src=NEW).updates == ()

    assert change(picture, WITH, is_busy=True, src=NEW).updates[0].fork


def test_after_a_fork_the_same_names_are_no_news(picture: Picture) -> None:
    both = listing(b"a.c", b"new.h", b"newer.h")
    change(picture, WITHOUT, src=OLD)
    change(picture, WITH, is_busy=True, src=both)

    late = layer({b"/src/newer.h": X}, b"/src")

    assert not change(picture, late, is_busy=True, src=both).updates[0].fork


def test_a_job_that_waited_does_not_leave_what_had_vanished_meanwhile(picture: Picture) -> None:
    """It was made ready while a header was there, and is sent after a job that knows it is not."""
    change(picture, WITH, src=NEW)
    gone = listing(b"a.c")
    change(picture, WITHOUT, is_busy=True, src=gone)
    change(picture, WITH, is_busy=True, src=NEW)

    found = change(picture, WITHOUT, is_busy=True, src=gone)

    assert found.updates == (Update(REPLICA, 4, removes=(b"/src/new.h",)),)


# -- connections


def test_a_new_connection_with_the_same_replica_goes_on(picture: Picture) -> None:
    change(picture, SYSTEM)

    picture.take_state(ReplicaState(REPLICA, 1))

    assert change(picture, SYSTEM) == Change((), 1)


def test_an_empty_replica_is_told_everything(picture: Picture) -> None:
    change(picture, SYSTEM)
    other = b"o" * 16

    picture.take_state(ReplicaState(other))

    assert change(picture, SYSTEM) == Change((Update(other, 1, dict(SYSTEM.entries)),), 1)


def test_where_updates_were_lost_all_goes_that_may_be_there(picture: Picture) -> None:
    change(picture, SYSTEM)
    change(picture, SOURCE, src=BOTH)

    picture.take_state(ReplicaState(REPLICA, 1))

    found = change(picture, SYSTEM)
    assert found == Change((Update(REPLICA, 2, dict(SYSTEM.entries), (b"/src", b"/usr")),), 2)


def test_a_removal_that_was_lost_as_well_is_made_up_for(picture: Picture) -> None:
    change(picture, SYSTEM)
    change(picture, SOURCE, src=BOTH)
    picture.take_state(ReplicaState(REPLICA, 1))
    change(picture, SYSTEM)

    picture.take_state(ReplicaState(REPLICA, 1))

    assert change(picture, SYSTEM).updates[0].removes == (b"/src", b"/usr")


def test_a_replica_that_another_connection_filled_is_emptied_first() -> None:
    """Two hosts may be one server, whose replicas change places when both connections begin again."""
    roots: set[bytes] = set()
    one, other = Picture(roots), Picture(roots)
    one.take_state(ReplicaState(REPLICA))
    change(one, SYSTEM)

    other.take_state(ReplicaState(REPLICA, 1))

    found = change(other, SOURCE, src=BOTH)
    assert found.updates == (Update(REPLICA, 2, dict(SOURCE.entries), (b"/usr",)),)


# -- the rest


def test_files_that_are_gone_are_told_again_and_removed_wherever_they_are(picture: Picture) -> None:
    change(picture, SYSTEM, SOURCE, src=BOTH)

    picture.forget([X.digest])

    found = change(picture, SYSTEM, SOURCE, src=BOTH)
    assert found == Change((Update(REPLICA, 2, {b"/usr/cc": X}, (b"/usr/cc",)),), 2)


def test_a_replica_that_would_be_too_big_begins_anew_with_what_the_job_needs(
    picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_MOST_ENTRIES", 5)
    change(picture, SYSTEM)
    change(picture, SOURCE, src=OLD)
    wide = layer({b"/lib": D, b"/lib/a": X}, b"/lib")

    found = change(picture, SYSTEM, wide, lib=listing(b"a"))

    puts = {**SYSTEM.entries, **wide.entries}
    assert found == Change((Update(REPLICA, 3, puts, (b"/src", b"/usr")),), 3)
    assert change(picture, SYSTEM, wide, lib=listing(b"a")).updates == ()


def test_a_change_of_many_files_is_several_updates_and_the_job_needs_the_last(picture: Picture) -> None:
    many = layer({b"/%d" % number: X for number in range(5000)})

    found = change(picture, many)

    assert [update.number for update in found.updates] == [1, 2]
    assert found.needed == 2
    assert change(picture, many) == Change((), 2)


def test_more_layers_than_are_remembered_are_compared_once_more(
    picture: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_MOST_LAYERS", 1)
    change(picture, SYSTEM)
    change(picture, SOURCE, src=BOTH)

    assert change(picture, SYSTEM) == Change((), 1)
