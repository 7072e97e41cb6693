"""Seconds, bytes and shares as people read them."""

import pytest

from fleetcc.monitor.amounts import bytes_text, jobs_text, seconds_text, share_text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (150_000, "146 KB"),
        (5 << 20, "5.0 MB"),
        (3 << 40, "3.0 TB"),
        (5 << 50, "5120 TB"),
    ],
)
def test_bytes(count: int, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ms"), (0.0123, "12 ms"), (0.9996, "1.0 s"), (12.34, "12.3 s"), (99.97, "1 min 40 s"),
     (3599.6, "1 h 0 min"), (3725, "1 h 2 min")],
)  # fmt: skip
def test_seconds(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.001, "<1 %"), (0.123, "12 %"), (0.999, ">99 %"), (1, "100 %"), (1.5, "150 %")],
)
def test_shares(share: float, text: str) -> None:
    assert share_text(share) == text


def test_one_job_is_no_plural() -> None:
    assert (jobs_text(1), jobs_text(2)) == ("1 job", "2 jobs")
