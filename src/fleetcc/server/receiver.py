"""Blobs of one fleet connection on their way into the store, one CONTENTS after the other.

A pack of small blobs is kept until it is whole; a big blob is unpacked and written as it comes. The work is
done in threads, in order; a client that sends faster than the disk takes is not read from meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Final, cast

import zstandard

from fleetcc.errors import ProtocolError
from fleetcc.server.job import in_thread
from fleetcc.store.blob_writer import BlobWriter
from fleetcc.store.blobs import BlobStore
from fleetcc.store.errors import StoreError
from fleetcc.wire import zstd
from fleetcc.wire.files import MAX_PACK_BYTES, Contents
from fleetcc.wire.fleet_requests import ContentsBegin, ContentsEnd, ContentsPiece

# Bytes that wait for a thread before the client has to wait.
_MOST_WAITING: Final = 8 << 20

Piece = ContentsBegin | ContentsPiece | ContentsEnd
Stored = tuple[bytes, int]  # digest, size


class Receiver:
    """Stores what comes; `stored` is told of each blob."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        blobs: BlobStore,
        stored: Callable[[list[Stored]], None],
        pause: Callable[[bool], None],
    ) -> None:
        self._pool = pool
        self._blobs = blobs
        self._stored = stored
        self._pause = pause  # true: read no more of the client; false: go on
        self._pieces: deque[Piece] = deque()
        self._waiting = 0
        self._paused = False
        self._more = asyncio.Event()
        self._contents: Contents | None = None
        self._kept: list[bytes] = []
        self._writer: BlobWriter | None = None
        self._sink: Callable[[bytes], object] = bytes  # of the writer
        self._trouble: StoreError | OSError | None = None  # with the disk, to be told

    def take(self, piece: Piece) -> None:
        """The next of what the protocol told."""
        self._pieces.append(piece)
        self._more.set()
        if isinstance(piece, ContentsPiece):
            self._waiting += len(piece.raw)
            if self._waiting > _MOST_WAITING and not self._paused:
                self._paused = True
                self._pause(True)  # noqa: FBT003 - a callback with one argument

    async def run(self) -> None:
        """Until cancelled; raises ProtocolError for what is not as announced, StoreError and OSError.

        After one of the last two it may be called again: what could not be stored is passed over.
        """
        try:
            while True:
                while not self._pieces:
                    self._more.clear()
                    await self._more.wait()
                await self._take_batch()
        finally:
            self._drop()

    async def _take_batch(self) -> None:
        batch = tuple(self._pieces)
        self._pieces.clear()
        try:
            stored = await in_thread(self._pool, self._work, batch)
        finally:
            self._waiting -= sum(len(one.raw) for one in batch if isinstance(one, ContentsPiece))
            if self._paused and self._waiting <= _MOST_WAITING // 2:
                self._paused = False
                self._pause(False)  # noqa: FBT003
        if stored:
            self._stored(stored)
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble

    # -- in a thread

    def _work(self, pieces: tuple[Piece, ...]) -> list[Stored]:
        stored: list[Stored] = []
        for piece in pieces:
            try:
                stored += self._take_one(piece)
            except (StoreError, OSError) as error:
                self._drop()
                self._trouble = error
        return stored

    def _take_one(self, piece: Piece) -> list[Stored]:
        match piece:
            case ContentsBegin():
                self._begin(piece.contents)
            case ContentsPiece():
                self._add(piece.raw)
            case ContentsEnd():
                return self._end(is_whole=piece.is_whole)
        return []

    def _drop(self) -> None:
        """Nothing stays of what is on its way, and the rest of it is passed over."""
        if self._writer is not None:
            self._writer.abandon()
        self._contents, self._writer, self._kept = None, None, []

    def _begin(self, contents: Contents) -> None:
        self._contents, self._kept = contents, []
        (digest, size), *others = contents.blobs
        if others or size <= MAX_PACK_BYTES:
            return
        writer = self._writer = self._blobs.begin(digest, size)
        # A writer into a writer, because a little piece may unpack to gigabytes: the blob's size ends that.
        is_packed = contents.encoding == zstd.ZSTD
        file = cast("IO[bytes]", writer)  # as far as it is used
        self._sink = zstandard.ZstdDecompressor().stream_writer(file).write if is_packed else writer.write

    def _add(self, raw: bytes) -> None:
        if self._contents is None:
            return
        if self._writer is None:
            self._kept.append(raw)
            return
        try:
            self._sink(raw)
        except zstandard.ZstdError as error:
            raise ProtocolError(f"a blob that is not zstd: {error}") from None

    def _end(self, *, is_whole: bool) -> list[Stored]:
        contents, writer, kept = self._contents, self._writer, self._kept
        if contents is None or not is_whole:
            self._drop()
            return []
        self._contents, self._writer, self._kept = None, None, []
        if writer is not None:
            writer.finish()
            return list(contents.blobs)
        plain = zstd.unpack(contents.encoding, b"".join(kept), sum(size for _, size in contents.blobs))
        view, at = memoryview(plain), 0
        for digest, size in contents.blobs:
            self._blobs.add(digest, view[at : at + size])
            at += size
        return list(contents.blobs)
