"""Bulk on its way to one host: texts of jobs, and the blobs that it asked for.

Pieces go out while the transport has room, so that a small message never waits long. Blobs are read and
packed in a thread, one pack ahead of the wire and no more: a host that is slow costs no memory here.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from fleetcc.backends.link import ReadBlob
from fleetcc.wire import zstd
from fleetcc.wire.files import MAX_PACK_BYTES, PACK_BYTES, Contents

# Blobs of one pack; their digests and sizes must fit into a frame.
_MOST_BLOBS: Final = 1000


@dataclass(frozen=True, slots=True)
class Pack:
    """Some of the blobs that were asked for."""

    contents: Contents | None
    raw: bytes
    gone: tuple[bytes, ...]  # no file has them any more
    left: tuple[bytes, ...]  # those for the next pack


def make_pack(read: ReadBlob, digests: Iterable[bytes], spare: dict[bytes, bytes]) -> Pack:
    """Read blobs until a pack is full. `spare` keeps one that was read and did not fit."""
    blobs: list[tuple[bytes, int]] = []
    pieces: list[bytes] = []
    gone: list[bytes] = []
    size, waiting = 0, deque(digests)
    while waiting and size < PACK_BYTES and len(blobs) < _MOST_BLOBS:
        digest = waiting[0]
        data = spare.pop(digest, None)
        if data is None:
            data = read(digest)
        if data is not None and blobs and size + len(data) > MAX_PACK_BYTES:
            spare[digest] = data
            break
        waiting.popleft()
        if data is None:
            gone.append(digest)
        else:
            blobs.append((digest, len(data)))
            pieces.append(data)
            size += len(data)
    if not blobs:
        return Pack(None, b"", tuple(gone), tuple(waiting))
    encoding, raw = zstd.pack(pieces[0] if len(pieces) == 1 else b"".join(pieces))
    return Pack(Contents(tuple(blobs), len(raw), encoding), raw, tuple(gone), tuple(waiting))


class Uploads:
    """What waits for the transport of one connection."""

    def __init__(
        self,
        executor: Executor,
        read: ReadBlob,
        write: Callable[[bytes], None],
        frames_of: Callable[[Contents, bytes], Iterator[bytes]],
        gone: Callable[[tuple[bytes, ...]], None],
        sent: Callable[[Contents, int], None],
    ) -> None:
        self._executor = executor
        self._read = read
        self._write = write
        self._frames_of = frames_of
        self._gone = gone
        self._tell_sent = sent
        self._loop = asyncio.get_running_loop()
        self._bulk: deque[Iterator[bytes]] = deque()
        self._wanted: dict[bytes, None] = {}
        self._coming: set[bytes] = set()  # in a pack of which nothing has been sent; it answers all who ask
        self._spare: dict[bytes, bytes] = {}
        self._is_packing = False
        self._is_sending = False  # a pack
        self._ready: Pack | None = None
        self._is_writable = True
        self.progress = 0.0  # when something was last written
        self._is_closed = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, so that a small piece of bulk may go out at once."""
        return not self._bulk

    def add(self, frames: Iterator[bytes]) -> None:
        """Bulk of a job."""
        self._bulk.append(frames)
        self.pump()

    def want(self, digests: Iterable[bytes]) -> None:
        """The host lacks these blobs."""
        self._wanted.update(dict.fromkeys(digest for digest in digests if digest not in self._coming))
        self._make_next()

    def pause(self) -> None:
        """The transport is full."""
        self._is_writable = False

    def resume(self) -> None:
        """It has room again."""
        self._is_writable = True
        self.pump()

    def close(self) -> None:
        """The connection is gone."""
        self._is_closed = True
        self._bulk.clear()
        self._wanted.clear()
        self._spare.clear()

    def pump(self) -> None:
        """Write while there is room."""
        while self._is_writable and self._bulk and not self._is_closed:
            piece = next(self._bulk[0], None)
            if piece is None:
                self._bulk.popleft()
            else:
                self.progress = self._loop.time()
                self._write(piece)

    def _make_next(self) -> None:
        if not self._wanted or self._is_packing or self._ready is not None or self._is_closed:
            return
        self._is_packing = True
        digests = tuple(self._wanted)
        self._coming.update(digests)
        self._wanted.clear()
        future = self._loop.run_in_executor(self._executor, make_pack, self._read, digests, self._spare)
        future.add_done_callback(self._made)

    def _made(self, future: "asyncio.Future[Pack]") -> None:
        self._is_packing = False
        if self._is_closed or future.cancelled():
            return
        pack = future.result()
        self._coming.difference_update(pack.left, pack.gone)
        self._wanted = {**dict.fromkeys(pack.left), **self._wanted}
        if pack.gone:
            self._gone(pack.gone)
        self._ready = pack if pack.contents is not None else None
        self._send_ready()
        self._make_next()

    def _send_ready(self) -> None:
        """One pack is on its way at a time; the next one waits, packed."""
        pack = self._ready
        if pack is None or pack.contents is None or self._is_sending:
            return
        self._ready, self._is_sending = None, True
        self.add(self._frames(pack.contents, pack.raw))

    def _frames(self, contents: Contents, raw: bytes) -> Iterator[bytes]:
        self._coming.difference_update(digest for digest, _ in contents.blobs)
        yield from self._frames_of(contents, raw)
        self._tell_sent(contents, len(raw))
        self._is_sending = False
        self._loop.call_soon(self._sent)

    def _sent(self) -> None:
        self._send_ready()
        self._make_next()
