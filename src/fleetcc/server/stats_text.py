"""`--stats`: distccd's statistics as text, for programs that read those: its fields, in its order.

An answer is sent as soon as somebody connects, whatever they ask. Averages over 1, 5 and 15 minutes come from
samples that a timer takes, so a job costs nothing.
"""

import asyncio
import contextlib
import os
import shutil
import socket
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Final, cast

from fleetcc.server.access import peer_address
from fleetcc.server.job import in_thread
from fleetcc.server.stats import Cause, Extreme, Stats

if TYPE_CHECKING:
    from fleetcc.server.service import Service

SAMPLE_SECONDS: Final = 3.0
_MINUTES: Final = (1, 5, 15)
# A reader that has its answer and stays is closed then.
_LINGER_SECONDS: Final = 2.0
_HEADER: Final = "HTTP/1.0 200 OK\nContent-Type: text/plain\nConnection: close\n\n"

_REFUSED_BYTES: Final[tuple[Cause, ...]] = ("malformed", "version")
_OVERLOAD: Final[tuple[Cause, ...]] = ("overloaded", "too-many", "queue-timeout")
_GONE: Final = ("cancelled", "disconnected")
_NAMED: Final = ("ok", "compile-error", "timeout", *_GONE)


class Samples:
    """Of the last quarter of an hour: compilers that ran, and compiles that had ended."""

    def __init__(self) -> None:
        # One more than the intervals.
        most = int(_MINUTES[-1] * 60 / SAMPLE_SECONDS) + 1
        self._taken: deque[tuple[int, int]] = deque([(0, 0)], maxlen=most)

    def take(self, running: int, compiles: int) -> None:
        """To be called every SAMPLE_SECONDS."""
        self._taken.append((running, compiles))

    def running(self, minutes: int) -> float:
        """Compilers on average; before so long has passed, since the start."""
        samples = self._of(minutes)[1:]
        return sum(running for running, _ in samples) / len(samples) if samples else 0.0

    def compiles(self, minutes: int, now: int) -> int:
        """How many have ended, of the `now` that have ever."""
        return now - self._of(minutes)[0][1]

    def _of(self, minutes: int) -> list[tuple[int, int]]:
        count = int(minutes * 60 / SAMPLE_SECONDS) + 1
        return list(self._taken)[-count:]


class _Text:
    """Makes the answers."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._samples = Samples()

    def sample(self) -> None:
        self._samples.take(self._service.gate.running, _compiles(self._service.stats))

    async def answer(self) -> bytes:
        # Every process of the machine is looked at for one of the lines.
        stuck = await in_thread(self._service.pool, _uninterruptible)
        lines = [f"{name} {value}" for name, value in self._fields(stuck)]
        text = "\n".join(["argv /distccd", "<distccstats>", *lines, "</distccstats>"])
        return (_HEADER + text + "\n").encode()

    def _fields(self, stuck: int) -> Iterator[tuple[str, object]]:
        service, stats = self._service, self._service.stats
        yield from counts_of(stats)
        yield from _longest(stats.longest)
        yield "dcc_max_kids", service.gate.slot_count
        for number, minutes in enumerate(_MINUTES, 1):
            yield f"dcc_avg_kids{number}", round(self._samples.running(minutes))
        *loads, processes = _loads()
        yield "dcc_current_load", processes.partition("/")[0]
        for number, load in enumerate(loads, 1):
            yield f"dcc_load{number}", load
        for number, minutes in enumerate(_MINUTES, 1):
            yield f"dcc_num_compiles{number}", self._samples.compiles(minutes, _compiles(stats))
        yield "dcc_num_procstate_D", stuck
        yield "dcc_max_RSS", int(stats.biggest.value) >> 10
        yield "dcc_max_RSS_name", f"({stats.biggest.compiler})"
        yield "dcc_io_rate", -1
        yield "dcc_free_space", f"{_free_bytes(service.options.temporary_directory) >> 20} MB"
        service.gate.look()
        yield "dcc_free_mem", f"{service.gate.meter.memory.available_bytes >> 20} MB"


def counts_of(stats: Stats) -> Iterator[tuple[str, int]]:
    """Connections and jobs, as distccd sorts them."""
    jobs = stats.by_outcome()
    yield "dcc_tcp_accept", stats.accepted + stats.refusals["not-allowed"] + stats.refusals["overloaded"]
    yield "dcc_rej_bad_req", sum(stats.refusals[cause] for cause in _REFUSED_BYTES)
    yield "dcc_rej_overload", sum(stats.refusals[cause] for cause in _OVERLOAD)
    yield "dcc_compile_ok", jobs.get("ok", 0)
    yield "dcc_compile_error", jobs.get("compile-error", 0)
    yield "dcc_compile_timeout", jobs.get("timeout", 0)
    yield "dcc_cli_disconnect", sum(jobs.get(outcome, 0) for outcome in _GONE)
    # What was refused before it was a job, or ended in none of those ways.
    others = sum(count for outcome, count in jobs.items() if outcome not in (*_NAMED, "rejected"))
    yield "dcc_other", others + stats.refusals["command"] + stats.refusals["silent"]


def _longest(longest: Extreme) -> Iterator[tuple[str, object]]:
    yield "dcc_longest_job", longest.label
    yield "dcc_longest_job_compiler", longest.compiler
    yield "dcc_longest_job_time_msecs", int(longest.value * 1000)


def _compiles(stats: Stats) -> int:
    return sum(sum(histogram.counts) for histogram in stats.compiling.values())


def _loads() -> list[str]:
    """Three averages, and how many processes run, of how many."""
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            return file.read().split()[:4]
    except OSError:
        return ["0.00", "0.00", "0.00", "0/0"]


def _uninterruptible() -> int:
    """Processes that wait for a disk, or for what hangs."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb", buffering=0) as file:
                count += file.read(512).rpartition(b")")[2].startswith(b" D")
    return count


def _free_bytes(directory: str) -> int:
    try:
        return shutil.disk_usage(directory).free
    except OSError:
        return 0


class _Reader(asyncio.Protocol):
    """One connection: gets its answer, and what it sends is thrown away."""

    def __init__(self, service: "Service", text: _Text) -> None:
        self._service = service
        self._text = text
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody wants the numbers."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        if not peer or not self._service.options.access.admits(peer_address(peer[0])):
            self._transport.abort()
            return
        self._service.start_for_a_session(self._answer(self._transport))

    async def _answer(self, transport: asyncio.Transport) -> None:
        answer = await self._text.answer()
        if not transport.is_closing():
            transport.write(answer)
            # Closing at once would reset the connection of whoever has sent a request that nobody reads.
            transport.write_eof()
            self._timer = asyncio.get_running_loop().call_later(_LINGER_SECONDS, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Whatever they ask for, the answer is the same."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """They have it."""
        if self._timer is not None:
            self._timer.cancel()


@contextlib.asynccontextmanager
async def served(service: "Service", sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
    """Answer on these sockets, which listen, as long as this lasts."""
    loop = asyncio.get_running_loop()
    text = _Text(service)
    timer: asyncio.TimerHandle | None = None

    def sample() -> None:
        nonlocal timer
        text.sample()
        timer = loop.call_later(SAMPLE_SECONDS, sample)

    sample()
    servers = [await loop.create_server(lambda: _Reader(service, text), sock=sock) for sock in sockets]
    try:
        yield
    finally:
        for server in servers:
            server.close()
        if timer is not None:
            timer.cancel()
