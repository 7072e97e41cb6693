import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.files import digest_table
from fleetcc.files.digest_table import read_table, write_table
from fleetcc.files.stamps import FileStamp

_PATHS = st.binary(min_size=1, max_size=20).map(lambda path: path.replace(b"\0", b"0"))
_SIGNED = st.integers(-(1 << 63), (1 << 63) - 1)
_UNSIGNED = st.integers(0, (1 << 64) - 1)
_STAMPS = st.builds(FileStamp, _SIGNED, _SIGNED, _SIGNED, _UNSIGNED, _UNSIGNED, _UNSIGNED)
_ROWS = st.dictionaries(_PATHS, st.tuples(_STAMPS, st.binary(min_size=32, max_size=32)), max_size=5)


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("table") / "digests")


@given(rows=_ROWS)
def test_what_is_written_is_read(path: str, rows: dict[bytes, tuple[FileStamp, bytes]]) -> None:
    written = [(name, stamp, digest) for name, (stamp, digest) in rows.items()]
    write_table(path, written)
    table = read_table(path)
    assert list(table.entries()) == written
    for name, stamp, digest in written:
        assert table.lookup(name, stamp) == digest
        assert table.lookup(name + b"x", stamp) is None
        assert table.lookup(name, stamp._replace(mode=stamp.mode ^ 1)) is None


@given(at=st.integers(0), bit=st.integers(0, 7))
def test_a_damaged_file_is_an_empty_one(path: str, at: int, bit: int) -> None:
    write_table(path, [(b"/x", FileStamp(1, 2, 3, 4, 5, 6), b"d" * 32)])
    content = bytearray(Path(path).read_bytes())
    content[at % len(content)] ^= 1 << bit
    Path(path).write_bytes(content)
    assert list(read_table(path).entries()) == []


@given(content=st.binary(max_size=200))
def test_garbage_is_an_empty_file(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    assert list(read_table(path).entries()) == []


def test_no_file_is_an_empty_one(tmp_path) -> None:
    assert list(read_table(os.fspath(tmp_path / "none")).entries()) == []
    assert list(read_table(os.fspath(tmp_path)).entries()) == []


def test_the_rows_that_come_first_are_kept(path: str, monkeypatch) -> None:
    monkeypatch.setattr(digest_table, "MAX_ENTRIES", 3)
    rows = [(b"/%d" % number, FileStamp(1, 2, 3, 4, 5, 6), b"d" * 32) for number in range(5)]
    write_table(path, rows[:2], rows[2:])
    assert list(read_table(path).entries()) == rows[:3]


def test_twenty_thousand_digests_are_there_within_milliseconds(path: str) -> None:
    name = b"/usr/include/c++/12/experimental/bits/fs_fwd_%d.h"
    write_table(path, [(name % n, FileStamp(n, n, n, n, n, n), b"%032d" % n) for n in range(20_000)])
    times = []
    for _ in range(5):
        start = time.thread_time()
        table = read_table(path)
        times.append(time.thread_time() - start)
    assert table.lookup(name % 19_999, FileStamp(*[19_999] * 6)) == b"%032d" % 19_999
    assert min(times) < 0.05  # 6 ms on a machine of 2020
