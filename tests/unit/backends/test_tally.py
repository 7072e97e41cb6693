"""Which job's bytes they are."""

from fleetcc.backends.tally import Tally
from fleetcc.wire.files import Contents, Directory, Entry, File, Update

A, B, C = (bytes([number]) * 32 for number in range(3))


def update(*digests: bytes) -> Update:
    puts: dict[bytes, Entry] = {b"/%d" % number: File(each, 9, 5) for number, each in enumerate(digests)}
    return Update(b"r" * 16, 1, {b"/": Directory(), **puts})


def test_a_blob_is_the_first_jobs_that_told_of_it() -> None:
    tally = Tally()
    tally.begin(1, 100, [update(A, B)])
    tally.begin(2, 10, [update(B, C)])
    tally.sent_blobs(Contents(((A, 30), (B, 10), (C, 60)), 50, "zstd"), 50)

    assert (tally.end(1), tally.end(2)) == (100 + 15 + 5, 10 + 30)


def test_a_job_that_is_over_owns_nothing_any_more() -> None:
    tally = Tally()
    tally.begin(1, 100, [update(A)])
    tally.end(1)
    tally.sent_blobs(Contents(((A, 30),), 50, "zstd"), 50)
    tally.begin(2, 10, [update(A)])
    tally.sent_blobs(Contents(((A, 0),), 50, "raw"), 0)

    assert (tally.end(1), tally.end(2)) == (0, 10)
