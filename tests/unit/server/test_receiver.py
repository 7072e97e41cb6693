"""Blobs on their way into a real store."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fleetcc.errors import ProtocolError
from fleetcc.server import receiver as receiver_module
from fleetcc.server.receiver import Receiver
from fleetcc.store.blobs import BlobStore
from fleetcc.store.errors import StoreError, StoreFullError, WrongDigestError
from fleetcc.wire import zstd
from fleetcc.wire.files import MAX_PACK_BYTES, Contents
from fleetcc.wire.fleet_requests import ContentsBegin, ContentsEnd, ContentsPiece

BIG = bytes(range(256)) * 8192  # two MiB: written as it comes


def digest_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Bench:
    """A receiver, what it has told, and the store behind it."""

    def __init__(self, pool: ThreadPoolExecutor, blobs: BlobStore) -> None:
        self.blobs = blobs
        self.stored: list[tuple[bytes, int]] = []
        self.pauses: list[bool] = []
        self.news = asyncio.Event()
        self.receiver = Receiver(pool, blobs, self._take, self.pauses.append)

    def _take(self, stored: list[tuple[bytes, int]]) -> None:
        self.stored += stored
        self.news.set()

    def send(self, *blobs: bytes, encoding: str = "raw", raw: bytes | None = None, **ends: bool) -> None:
        """A whole CONTENTS in pieces of 64 KiB; what was announced is true unless `raw` is given."""
        plain = b"".join(blobs)
        if raw is None:
            raw = plain if encoding == "raw" else zstd.pack(plain)[1]
        told = tuple((digest_of(blob), len(blob)) for blob in blobs)
        self.receiver.take(ContentsBegin(Contents(told, len(raw), encoding)))
        for at in range(0, len(raw), 1 << 16):
            self.receiver.take(ContentsPiece(raw[at : at + (1 << 16)]))
        self.receiver.take(ContentsEnd(**({"is_whole": True} | ends)))

    async def until_stored(self, count: int) -> None:
        async with asyncio.timeout(20):
            running = asyncio.get_running_loop().create_task(self.receiver.run())
            try:
                while len(self.stored) < count:
                    self.news.clear()
                    await self.news.wait()
            finally:
                running.cancel()
                await asyncio.wait([running])

    async def trouble(self) -> BaseException:
        """How `run` ends."""
        async with asyncio.timeout(20):
            with pytest.raises((ProtocolError, StoreError)) as caught:
                await self.receiver.run()
        return caught.value

    def content(self, blob: bytes) -> bytes | None:
        return self.blobs.read(digest_of(blob), len(blob))


@pytest.fixture
def blobs(tmp_path: Path) -> Iterator[BlobStore]:
    made = BlobStore(str(tmp_path / "blobs"), 1 << 30)
    yield made
    made.close()


@pytest.fixture
async def bench(blobs: BlobStore) -> AsyncIterator[Bench]:
    with ThreadPoolExecutor(1) as pool:
        yield Bench(pool, blobs)


def leftovers(tmp_path: Path) -> list[Path]:
    return [
        path for path in (tmp_path / "blobs" / "tmp").rglob("*") if path.is_file() and path.name.isdigit()
    ]


@pytest.mark.parametrize("encoding", ["raw", "zstd"])
async def test_a_pack_of_small_blobs_is_taken_apart(bench: Bench, encoding: str) -> None:
    some = [b"int x;\n" * 50, b"", b"int y;\n" * 70]

    bench.send(*some, encoding=encoding)
    await bench.until_stored(3)

    assert bench.stored == [(digest_of(blob), len(blob)) for blob in some]
    assert [bench.content(blob) for blob in some] == some


@pytest.mark.parametrize("encoding", ["raw", "zstd"])
async def test_a_big_blob_is_written_as_it_comes(bench: Bench, encoding: str) -> None:
    bench.send(BIG, encoding=encoding)
    bench.send(b"small")
    await bench.until_stored(2)

    assert bench.content(BIG) == BIG
    assert bench.content(b"small") == b"small"


async def test_a_big_blob_that_is_given_up_half_way_leaves_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.send(BIG, raw=BIG[: 1 << 17], is_whole=False)
    bench.send(b"next")
    await bench.until_stored(1)

    assert bench.stored == [(digest_of(b"next"), 4)]
    assert bench.content(BIG) is None
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        ("raw", bytes(len(BIG))),
        ("raw", BIG + b"more"),
        ("raw", BIG[:-1]),
        ("zstd", zstd.pack(bytes(len(BIG)))[1]),
        ("zstd", zstd.pack(BIG)[1][:-9]),
        ("zstd", b"no zstd at all"),
    ],
    ids=["wrong", "longer", "shorter", "packed wrong", "packed shorter", "not packed"],
)
async def test_a_big_blob_that_is_not_as_announced_breaks_the_protocol(
    bench: Bench, tmp_path: Path, encoding: str, raw: bytes
) -> None:
    bench.send(BIG, encoding=encoding, raw=raw)

    assert isinstance(await bench.trouble(), ProtocolError)
    assert bench.stored == []
    assert leftovers(tmp_path) == []


async def test_a_few_bytes_that_unpack_to_gigabytes_are_stopped_at_the_size_announced(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    begin = bench.blobs.begin

    def watched(digest: bytes, size: int) -> Any:
        writer = begin(digest, size)
        write = writer.write

        def spy(data: bytes | memoryview) -> None:
            written.append(len(data))
            write(data)

        monkeypatch.setattr(writer, "write", spy)
        return writer

    monkeypatch.setattr(bench.blobs, "begin", watched)
    bomb = zstd.pack(bytes(256 << 20))[1]
    assert len(bomb) < 1 << 16

    bench.send(BIG, encoding="zstd", raw=bomb)

    assert isinstance(await bench.trouble(), WrongDigestError)
    assert sum(written) <= 2 * len(BIG)


@pytest.mark.parametrize(
    "raw", [b"int y;", zstd.pack(b"int x;" * 999)[1]], ids=["other content", "another size"]
)
async def test_a_pack_that_is_not_as_announced_breaks_the_protocol(bench: Bench, raw: bytes) -> None:
    bench.send(b"int x;", encoding="raw" if len(raw) == 6 else "zstd", raw=raw)

    assert isinstance(await bench.trouble(), ProtocolError)
    assert bench.stored == []


async def test_a_disk_that_fails_is_told_and_what_follows_is_stored(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        monkeypatch.undo()
        raise StoreFullError("no room")

    for blob in (b"one", BIG):
        monkeypatch.setattr(bench.blobs, "add", fail)
        monkeypatch.setattr(bench.blobs, "begin", fail)
        bench.send(blob)
        bench.send(b"after " + blob[:3])

        assert isinstance(await bench.trouble(), StoreFullError)
        assert bench.stored[-1] == (digest_of(b"after " + blob[:3]), 9)

    assert bench.content(BIG) is None
    assert leftovers(tmp_path) == []


async def test_a_disk_that_fails_in_the_middle_of_a_blob_spoils_only_that_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = bench.blobs.begin

    def failing(digest: bytes, size: int) -> Any:
        writer = begin(digest, size)

        def write(_: Any) -> None:
            writer.abandon()
            raise StoreFullError("no room")

        monkeypatch.setattr(writer, "write", write)
        return writer

    monkeypatch.setattr(bench.blobs, "begin", failing)
    told = Contents(((digest_of(BIG), len(BIG)),), len(BIG))
    bench.receiver.take(ContentsBegin(told))
    bench.receiver.take(ContentsPiece(BIG[:1000]))
    assert isinstance(await bench.trouble(), StoreFullError)

    bench.receiver.take(ContentsPiece(BIG[1000:]))
    bench.receiver.take(ContentsEnd(is_whole=True))
    bench.send(b"next")
    await bench.until_stored(1)

    assert bench.stored == [(digest_of(b"next"), 4)]


async def test_a_client_that_sends_faster_than_the_disk_takes_has_to_wait(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_module, "_MOST_WAITING", 1 << 20)

    bench.send(BIG)
    assert bench.pauses == [True]
    await bench.until_stored(1)

    assert bench.pauses == [True, False]


async def test_a_disk_that_fails_does_not_keep_the_client_waiting_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_module, "_MOST_WAITING", MAX_PACK_BYTES)
    monkeypatch.setattr(bench.blobs, "begin", lambda *_: (_ for _ in ()).throw(StoreFullError("no room")))

    bench.send(BIG)
    assert isinstance(await bench.trouble(), StoreFullError)

    assert bench.pauses == [True, False]
