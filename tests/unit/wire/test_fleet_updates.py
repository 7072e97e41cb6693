"""A change of a replica, cut into updates."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcc.wire.files import MAX_DIGESTS, MAX_PATH_BYTES, Directory, Entry, File, Link, Update
from fleetcc.wire.fleet import FrameReader, encode
from fleetcc.wire.fleet_updates import updates

REPLICA = bytes(range(16))
# Everything as long as it can be.
LONG = b"\xff" * 4000
FILE = File(b"\xff" * 32, 2 << 30, -(1 << 63), executable=True)


def long_path(number: int) -> bytes:
    return (b"/%d" % number).ljust(MAX_PATH_BYTES, b"p")


def apply(changes: list[Update], before: dict[bytes, Entry]) -> dict[bytes, Entry]:
    """What a replica without directories makes of them."""
    after = dict(before)
    for update in changes:
        for path in update.removes:
            after.pop(path, None)
        after |= update.puts
    return after


def sent(changes: list[Update]) -> list[Update]:
    """As they arrive."""
    frames = [frame for update in changes for frame in FrameReader().receive(encode(0, update))]
    return [frame.message for frame in frames if isinstance(frame.message, Update)]


def test_a_small_change_is_one_update() -> None:
    puts: dict[bytes, Entry] = {b"/a": FILE, b"/b": Link(b"a")}

    (found,) = updates(REPLICA, 7, puts, [b"/c"], fork=True)

    assert found == Update(REPLICA, 7, puts, (b"/c",), fork=True)


def test_no_change_is_no_update() -> None:
    assert list(updates(REPLICA, 1, {}, fork=True)) == []


def test_the_biggest_manifest_travels_in_full_updates() -> None:
    puts: dict[bytes, Entry] = {b"/usr/include/%d.h" % number: FILE for number in range(200_000)}

    found = list(updates(REPLICA, 1, puts))

    assert len(found) == -(-200_000 // MAX_DIGESTS)
    assert apply(sent(found), {}) == puts


def test_the_longest_paths_and_targets_fit() -> None:
    puts: dict[bytes, Entry] = {long_path(n): Link(LONG) if n % 2 else FILE for n in range(1000)}
    removes = [long_path(n) for n in range(1000, 2000)]

    found = list(updates(REPLICA, 1, puts, removes))

    assert sent(found) == found
    assert len(found) < 15


@settings(deadline=None)
@given(
    st.dictionaries(st.integers(0, 20), st.sampled_from([FILE, Link(LONG), Link(b"t"), Directory()])),
    st.lists(st.integers(0, 20)),
    st.integers(1, 300),
    st.integers(0, 1000),
    st.booleans(),
)
def test_the_pieces_make_the_whole_change(
    puts: dict[int, Entry], removes: list[int], times: int, number: int, fork: bool
) -> None:
    """Every path is there `times` times, so that there are small and big changes."""
    wanted = {b"/%d/%d" % (path, n): entry for path, entry in puts.items() for n in range(times)}
    away = {b"/%d/%d" % (path, n): None for path in removes for n in range(times)}
    before: dict[bytes, Entry] = {
        b"/%d/%d" % (path, n): Directory() for path in range(21) for n in range(times)
    }

    found = sent(list(updates(REPLICA, number, wanted, away, fork=fork)))

    assert [update.number for update in found] == list(range(number, number + len(found)))
    assert [update.fork for update in found] == [fork and not rank for rank in range(len(found))]
    assert apply(found, before) == {path: e for path, e in before.items() if path not in away} | wanted
    first_put = next((rank for rank, update in enumerate(found) if update.puts), len(found))
    assert not any(update.removes for update in found[first_put + 1 :])
