"""Bulk for one host: blobs in packs, in the order asked for, as fast as the host takes them."""

import asyncio
import hashlib
import os
from collections.abc import Iterable, Iterator

import pytest

from fleetcc.backends.uploads import Uploads, make_pack
from fleetcc.wire import zstd
from fleetcc.wire.files import MAX_PACK_BYTES, PACK_BYTES, Contents
from tests.unit.backends.fleet_bench import HeldExecutor


def digest_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Blobs:
    """Contents of this machine, and how often each was read."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = {digest_of(data): data for data in contents}
        self.reads: list[bytes] = []

    def __call__(self, digest: bytes) -> bytes | None:
        self.reads.append(digest)
        return self.contents.get(digest)


def digests(*contents: bytes) -> list[bytes]:
    return [digest_of(data) for data in contents]


# -- packs


def test_small_blobs_share_a_pack_in_the_order_asked_for() -> None:
    some = [b"int x;" * 100, b"", b"int y;" * 100]

    pack = make_pack(Blobs(*some), digests(*some), {})

    assert pack.contents is not None
    assert pack.contents.blobs == tuple((digest_of(data), len(data)) for data in some)
    assert (pack.gone, pack.left) == ((), ())
    assert pack.contents.raw_bytes == len(pack.raw)
    assert zstd.unpack(pack.contents.encoding, pack.raw, 1200) == b"".join(some)


def test_a_pack_is_closed_when_it_is_full() -> None:
    some = [bytes([number]) * (PACK_BYTES // 2) for number in range(3)]

    pack = make_pack(Blobs(*some), digests(*some), {})

    assert pack.contents is not None
    assert len(pack.contents.blobs) == 2
    assert pack.left == (digest_of(some[2]),)


def test_a_pack_has_no_more_blobs_than_its_frame_can_name() -> None:
    some = [b"%d" % number for number in range(1200)]

    pack = make_pack(Blobs(*some), digests(*some), {})

    assert pack.contents is not None
    assert len(pack.contents.blobs) == 1000
    assert list(pack.left) == digests(*some[1000:])


def test_a_blob_that_does_not_fit_is_kept_for_the_next_pack() -> None:
    small, big = b"small", os.urandom(MAX_PACK_BYTES)
    blobs, spare = Blobs(small, big), dict[bytes, bytes]()

    first = make_pack(blobs, digests(small, big), spare)
    second = make_pack(blobs, first.left, spare)

    assert first.contents is not None
    assert first.contents.blobs == ((digest_of(small), 5),)
    assert second.contents == Contents(((digest_of(big), len(big)),), len(big))
    assert blobs.reads == digests(small, big)
    assert spare == {}


def test_a_blob_bigger_than_a_pack_is_a_pack_of_its_own() -> None:
    big = os.urandom(MAX_PACK_BYTES + 1)

    pack = make_pack(Blobs(big, b"next"), digests(big, b"next"), {})

    assert pack.contents is not None
    assert pack.contents.blobs == ((digest_of(big), len(big)),)
    assert pack.left == (digest_of(b"next"),)


def test_blobs_that_no_file_has_any_more_are_gone() -> None:
    pack = make_pack(Blobs(b"here"), digests(b"gone", b"here", b"too"), {})

    assert pack.contents is not None
    assert pack.contents.blobs == ((digest_of(b"here"), 4),)
    assert list(pack.gone) == digests(b"gone", b"too")

    assert make_pack(Blobs(), digests(b"gone"), {}).contents is None


# -- on their way


class Bench:
    """Uploads over a transport that writes down what comes."""

    def __init__(self, *contents: bytes) -> None:
        self.blobs = Blobs(*contents)
        self.executor = HeldExecutor()
        self.written: list[bytes] = []
        self.gone: list[bytes] = []
        self.contents: list[Contents] = []
        self.told: list[tuple[Contents, int]] = []
        self.uploads = Uploads(
            self.executor, self.blobs, self.written.append, self._frames, self._are_gone, self._were_sent
        )

    def _are_gone(self, digests: Iterable[bytes]) -> None:
        self.gone += digests

    def _were_sent(self, contents: Contents, size: int) -> None:
        self.told.append((contents, size))

    def _frames(self, contents: Contents, raw: bytes) -> Iterator[bytes]:
        self.contents.append(contents)
        yield b"begin"
        yield raw

    @property
    def sent(self) -> list[bytes]:
        """Digests of all contents that were begun."""
        return [digest for contents in self.contents for digest, _ in contents.blobs]

    async def work(self) -> None:
        """Let the threads run until they have nothing to do."""
        for _ in range(20):
            self.executor.run()
            await asyncio.sleep(0)


HALVES = [bytes([number]) * (PACK_BYTES // 2) for number in range(6)]


async def test_what_was_asked_for_is_sent_in_packs_one_after_the_other() -> None:
    bench = Bench(*HALVES)

    bench.uploads.want(digests(*HALVES))
    await bench.work()

    assert bench.sent == digests(*HALVES)
    assert [len(contents.blobs) for contents in bench.contents] == [2, 2, 2]
    assert bench.uploads.is_idle


async def test_while_the_host_takes_nothing_one_pack_waits_and_no_more_are_read() -> None:
    bench = Bench(*HALVES)
    bench.uploads.pause()

    bench.uploads.want(digests(*HALVES))
    await bench.work()

    assert bench.written == []
    assert len(bench.blobs.reads) == 4  # one pack for the wire, one ahead of it
    bench.uploads.resume()
    await bench.work()
    assert bench.sent == digests(*HALVES)


async def test_bulk_stops_in_the_middle_when_the_transport_is_full() -> None:
    bench = Bench()

    def pieces() -> Iterator[bytes]:
        yield b"1"
        bench.uploads.pause()
        yield b"2"
        yield b"3"

    bench.uploads.add(pieces())
    assert bench.written == [b"1", b"2"]
    assert not bench.uploads.is_idle

    bench.uploads.resume()
    assert bench.written == [b"1", b"2", b"3"]


async def test_blobs_and_the_texts_of_jobs_take_turns_in_order() -> None:
    bench = Bench(b"blob")
    bench.uploads.pause()
    bench.uploads.add(iter([b"text"]))

    bench.uploads.want(digests(b"blob"))
    await bench.work()
    bench.uploads.resume()

    assert bench.written[:2] == [b"text", b"begin"]


async def test_what_is_asked_for_again_before_it_is_sent_is_sent_once() -> None:
    """As when a server gave a replica up and lacks the same blobs for the new one."""
    bench = Bench(*HALVES)
    bench.uploads.pause()
    bench.uploads.want(digests(*HALVES[:2]))
    await bench.work()

    bench.uploads.want(digests(*HALVES[:3]))
    await bench.work()
    bench.uploads.resume()
    await bench.work()

    assert bench.sent == digests(*HALVES[:3])


async def test_what_is_asked_for_again_after_it_was_sent_is_sent_again() -> None:
    bench = Bench(b"blob")
    bench.uploads.want(digests(b"blob"))
    await bench.work()

    bench.uploads.want(digests(b"blob"))
    await bench.work()

    assert bench.sent == digests(b"blob", b"blob")


async def test_what_is_asked_for_while_a_pack_is_made_comes_after_what_that_left() -> None:
    bench = Bench(*HALVES)
    bench.uploads.want(digests(*HALVES[:3]))

    bench.uploads.want(digests(HALVES[5], HALVES[2]))
    await bench.work()

    assert bench.sent == digests(*HALVES[:3], HALVES[5])


async def test_what_is_gone_is_told_and_may_be_asked_for_again() -> None:
    bench = Bench()
    bench.uploads.want(digests(b"blob"))
    await bench.work()
    assert bench.gone == digests(b"blob")

    bench.blobs.contents[digest_of(b"blob")] = b"blob"
    bench.uploads.want(digests(b"blob"))
    await bench.work()
    assert bench.sent == digests(b"blob")


@pytest.mark.parametrize("is_packed", [False, True])
async def test_nothing_is_written_or_told_after_the_end(is_packed: bool) -> None:
    bench = Bench(b"here")
    bench.uploads.pause()
    bench.uploads.want(digests(b"here", b"gone"))
    if is_packed:
        await bench.work()
    told = list(bench.gone)

    bench.uploads.close()
    await bench.work()
    bench.uploads.resume()
    bench.uploads.want(digests(b"here"))
    await bench.work()

    assert bench.written == []
    assert bench.gone == told
