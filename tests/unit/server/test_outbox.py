"""What waits for a client, and how it leaves."""

import asyncio

import pytest

from fleetcc.server import outbox as outbox_module
from fleetcc.server.outbox import Outbox
from fleetcc.server.stats import Stats


class Transport(asyncio.Transport):
    """A transport whose other end takes bytes when the test says so."""

    def __init__(self, high: int = 100) -> None:
        super().__init__()
        self.held = bytearray()
        self.sent = bytearray()
        self.high = high
        self.outbox: Outbox | None = None
        self.ends: list[str] = []

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return len(self.held)

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.held += data
        if len(self.held) > self.high and self.outbox is not None:
            self.outbox.pause()

    def take(self, count: int) -> None:
        self.sent += self.held[:count]
        del self.held[:count]
        if len(self.held) <= self.high / 4 and self.outbox is not None:
            self.outbox.resume()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ends.append("eof")

    def abort(self) -> None:
        self.ends.append("abort")


@pytest.fixture
def transport():
    return Transport()


@pytest.fixture
def outbox(transport):
    transport.outbox = Outbox(transport, Stats())
    return transport.outbox


def frames(letter: bytes, count: int):
    return iter([letter * 40] * count)


def test_a_small_message_goes_before_bulk_that_waits(outbox, transport):
    outbox.write_bulk(frames(b"a", 10), 400)
    outbox.write(b"small")
    assert bytes(transport.held) == b"a" * 120 + b"small"
    assert outbox.unsent == 405


def test_several_big_ones_travel_side_by_side(outbox, transport):
    outbox.write_bulk(frames(b"a", 6), 240)
    outbox.write_bulk(frames(b"b", 3), 120)
    while transport.held:
        transport.take(60)
    words = [chr(transport.sent[at]) for at in range(0, len(transport.sent), 40)]
    assert "".join(words) == "aaaabababa"[:3] + "".join(words)[3:]
    assert "".join(words)[3:] in ("abababa"[:6], "bababa")
    assert outbox.unsent == 0


def test_a_client_that_takes_nothing_has_stalled_and_one_that_has_nothing_to_take_has_not(outbox, transport):
    assert not outbox.stalled(0.0, 10.0)
    assert not outbox.stalled(100.0, 10.0)
    outbox.write(b"x" * 50)
    assert not outbox.stalled(105.0, 10.0)
    transport.take(1)
    assert not outbox.stalled(114.0, 10.0)
    assert not outbox.stalled(123.0, 10.0)
    assert outbox.stalled(124.0, 10.0)


async def test_an_end_waits_until_everything_is_taken(outbox, transport, monkeypatch):
    monkeypatch.setattr(outbox_module, "LINGER_SECONDS", 0.0)
    outbox.write(b"bye")
    outbox.finish(0.0)
    assert transport.ends == ["eof"]
    await asyncio.sleep(0)
    transport.take(3)
    async with asyncio.timeout(5):
        while transport.ends != ["eof", "abort"]:  # noqa: ASYNC110 - a timer of the loop
            await asyncio.sleep(0)


async def test_an_end_does_not_wait_for_a_client_that_takes_nothing(outbox, transport, monkeypatch):
    monkeypatch.setattr(outbox_module, "LINGER_SECONDS", 0.0)
    outbox.write(b"bye")
    outbox.finish(0.01)
    async with asyncio.timeout(5):
        while transport.ends != ["eof", "abort"]:  # noqa: ASYNC110 - a timer of the loop
            await asyncio.sleep(0)
