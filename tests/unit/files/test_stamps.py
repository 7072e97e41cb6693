import os

from fleetcc.files.stamps import COARSE_TICK_NS, FINE_TICK_NS, Young, is_young, stamp_of, status_of

SECOND = 10**9


def _changed(path, *, mtime_ns: int) -> os.stat_result:
    path.touch()
    os.utime(path, ns=(0, mtime_ns))
    return os.stat(path)


def test_a_file_is_young_until_the_next_tick_and_when_it_is_of_the_future(tmp_path) -> None:
    status = _changed(tmp_path / "x", mtime_ns=0)
    changed = status.st_ctime_ns
    assert is_young(status, changed, FINE_TICK_NS)
    assert is_young(status, changed + FINE_TICK_NS - 1, FINE_TICK_NS)
    assert not is_young(status, changed + FINE_TICK_NS, FINE_TICK_NS)
    assert is_young(status, changed - SECOND, FINE_TICK_NS)
    assert is_young(status, changed + FINE_TICK_NS, COARSE_TICK_NS)
    assert not is_young(status, changed + COARSE_TICK_NS, COARSE_TICK_NS)


def test_an_mtime_of_the_future_is_only_believed_where_ctimes_are_not(tmp_path) -> None:
    status = _changed(tmp_path / "x", mtime_ns=1 << 61)
    assert not is_young(status, status.st_ctime_ns + SECOND, FINE_TICK_NS)
    assert is_young(status, status.st_ctime_ns + 10 * SECOND, COARSE_TICK_NS)


def test_a_young_stamp_equals_nothing_but_itself(tmp_path) -> None:
    stamp = stamp_of(_changed(tmp_path / "x", mtime_ns=5))
    young = Young(stamp)
    assert young == young  # noqa: PLR0124 - that is the point
    assert young not in {Young(stamp), stamp}
    assert status_of(young) == status_of(stamp) == stamp
    assert stamp.mtime_ns == 5
