"""Whose fault a failure is."""

import signal

import pytest

from fleetcc.sandbox.outcome import Ended
from fleetcc.sandbox.spec import Limits
from fleetcc.server.shortage import Shortage, oom_kills, shortage

FAILED = 1 << 8
LIMITS = Limits(file_bytes=1000, memory_bytes=1000, scratch_bytes=4000)


def ended(status: int = FAILED, *, written: int = 0, peak: int = 0, full: bool = False) -> Ended:
    return Ended(status, 0.0, 0.0, peak, is_full=full, written_bytes=written)


def found(what: Ended, stderr: bytes = b"", *, was_oom: bool = False) -> Shortage | None:
    return shortage(what, LIMITS, stderr, was_oom=was_oom)


def test_who_succeeds_lacked_nothing():
    assert found(ended(0, written=9999, peak=9999, full=True), was_oom=True) is None


@pytest.mark.parametrize(
    "what", [ended(full=True), ended(written=500), ended(int(signal.SIGXFSZ)), ended(signal.SIGXFSZ | 0x80)]
)
def test_a_full_scratch_a_big_file_and_much_that_was_written_are_a_lack_of_disk(what):
    assert found(what) is Shortage.DISK


def test_half_of_the_scratch_counts_where_files_have_no_limit():
    limits = Limits(file_bytes=0, scratch_bytes=4000)

    assert shortage(ended(written=1999), limits, b"", was_oom=False) is None
    assert shortage(ended(written=2000), limits, b"", was_oom=False) is Shortage.DISK
    assert shortage(ended(written=9999), Limits(0, scratch_bytes=0), b"", was_oom=False) is None


def test_a_big_process_and_a_kill_of_the_kernel_are_a_lack_of_memory():
    assert found(ended(peak=801)) is Shortage.MEMORY
    assert found(ended(peak=800)) is None
    assert found(ended(), was_oom=True) is Shortage.MEMORY


@pytest.mark.parametrize(
    "line",
    [
        b"cc1plus: out of memory allocating 65536 bytes after a total of 1077248 bytes",
        b"/usr/bin/as: out of memory allocating 18446744071562067968 bytes after a total of 4 bytes",
        b"virtual memory exhausted: Nicht gen\xc3\xbcgend Hauptspeicher verf\xc3\xbcgbar",
        b"LLVM ERROR: out of memory",
        b"clang: error while loading shared libraries: x.so: failed to map segment from shared object",
        b"terminate called after throwing an instance of 'std::bad_alloc'",
    ],
)
def test_words_that_only_a_lack_of_memory_brings(line):
    assert found(ended(), b"x.c: In function 'f':\n" + line + b"\nmore\n") is Shortage.MEMORY


@pytest.mark.parametrize(
    "line",
    [
        b"x.c:1:2: error: #error No space left on device",
        b"x.c:1:2: error: #error out of memory allocating 12 bytes",
        b"    1 | #error virtual memory exhausted: LLVM ERROR: out of memory",
        b"x.c:3:1: error: call to 'f' declared with attribute error: std::bad_alloc",
        b'x.c:1:15: error: static assertion failed: "LLVM ERROR: out of memory"',
    ],
)
def test_the_users_words_are_the_users(line):
    assert found(ended(written=400, peak=700), line + b"\n") is None


def test_kills_are_counted_where_the_kernel_tells():
    assert oom_kills() >= 0
