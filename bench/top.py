"""What `fleetcc top` costs the machine that builds, and how late it shows what has happened.

The real command on a terminal of 80x24 and of 200x50, watching an agent that is played here and tells of so
many jobs a second, seven events each. Its lag is from an event's sending until its figure is on the terminal.
"""

import argparse
import asyncio
import contextlib
import fcntl
import os
import pty
import random
import re
import signal
import statistics
import struct
import tempfile
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.support import BIN
from fleetcc.monitor.events import Event, Hello, Host, Job, Local, encode
from fleetcc.wire.launcher import REQUEST_HEADER, encode_answer

HOSTS: Final = 16
SLOTS: Final = 16
BATCH_SECONDS: Final = 0.05  # as the agent tells
WARM_UP_SECONDS: Final = 3.0
MARK_SECONDS: Final = 0.97  # not in step with anything that is drawn
GOAL_LAG: Final = 0.3  # seconds, the median
GOAL_CPU: Final = 0.15  # of one core


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=12.0)
    seconds = parser.parse_args().seconds
    print(f"{'terminal':>9} {'jobs/s':>7} {'CPU':>6} {'lag p50':>9} {'worst':>8} {'output':>10} {'draws':>8}")
    met = True
    for size in ((80, 24), (200, 50)):
        for rate in (0, 30, 300):
            met &= asyncio.run(_watch(size, rate, seconds))
    goal = f"CPU at most {GOAL_CPU:.0%} of a core, lag at most {GOAL_LAG * 1000:.0f} ms"
    print(f"goal: {goal}: {'met' if met else 'MISSED'}")
    raise SystemExit(not met)


class Played:
    """An agent that tells of `rate` jobs a second, and now and then of a load that nobody else has."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._chance = random.Random(rate)
        self._number = 0
        self._due: list[tuple[float, Event]] = []
        self.gone = asyncio.Event()  # nobody watches any more
        self.marked: dict[int, float] = {}  # the load, when it was told

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One viewer, until it goes."""
        await reader.read(REQUEST_HEADER.size + 1000)
        now = time.time()
        hosts = tuple(
            Host(host=f"build{n}:3632", time=now, state="up", slots=SLOTS, speed=1.0) for n in range(HOSTS)
        )
        hello = Hello(
            source="agent", program="bench", pid=1, time=now, local=Local(time=now, slots=2), hosts=hosts
        )
        writer.write(encode_answer(b"C") + encode(hello))
        told, marked = time.time(), time.time()
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                await asyncio.sleep(BATCH_SECONDS)
                now = time.time()
                for _ in range(round(now * self._rate) - round(told * self._rate)):
                    self._due += self._life(now)
                told = now
                if now - marked > MARK_SECONDS:
                    marked = now
                    load = 100 + len(self.marked)
                    self.marked[load] = now
                    writer.write(encode(Local(time=now, slots=2, load=float(load))))
                self._due.sort(key=lambda due: due[0])
                ready = [event for when, event in self._due if when <= now]
                self._due = self._due[len(ready) :]
                writer.write(b"".join(map(encode, ready)))
                await writer.drain()
        self.gone.set()

    def _life(self, now: float) -> Iterator[tuple[float, Event]]:
        self._number += 1
        number = self._number
        host, slot = f"build{number % HOSTS}:3632", number // HOSTS % SLOTS
        took = self._chance.uniform(0.3, 1.3)
        yield now, Job(job=number, time=now, state="planning", label=f"src/part{number % 50}/unit{number}.cc",
                       directory="/home/user/project/build", build="bench")  # fmt: skip
        yield now, Job(job=number, time=now, state="scanning")
        yield now + 0.05, Job(job=number, time=now + 0.05, state="waiting", predicted=took, files=400)
        yield (
            now + 0.1,
            Job(job=number, time=now + 0.1, state="uploading", host=host, slot=slot, mode="files"),
        )
        yield now + 0.15, Job(job=number, time=now + 0.15, state="compiling", host=host, slot=slot, sent=700)
        end = now + 0.15 + took
        yield end, Job(job=number, time=end, state="returning", host=host, slot=slot)
        yield end, Job(job=number, time=end, state="done", host=host, slot=slot, reason="remote", status=0,
                       received=40_000, seconds=end - now)  # fmt: skip


@dataclass(slots=True)
class Seen:
    """What came out of the terminal between two moments."""

    terminal: int
    bytes: int = 0
    draws: int = 0
    loads: dict[int, float] = field(default_factory=dict)  # when each was seen first
    text: str = ""

    def read(self) -> None:
        """Called whenever there is something."""
        with contextlib.suppress(OSError):
            data = os.read(self.terminal, 1 << 16)
            self.bytes += len(data)
            text = data.decode(errors="replace")
            self.draws += "jobs/s" in text
            self.text = (self.text + text)[-20_000:]
            for load in re.findall(r"load (\d+)\.0", self.text):
                self.loads.setdefault(int(load), time.time())


async def _watch(size: tuple[int, int], rate: int, seconds: float) -> bool:
    played = Played(rate)
    with tempfile.TemporaryDirectory() as name:
        server = await asyncio.start_unix_server(played.serve, os.fspath(Path(name, "socket")))
        child, terminal = _start(size, name)
        seen = Seen(terminal)
        loop = asyncio.get_running_loop()
        loop.add_reader(terminal, seen.read)
        await asyncio.sleep(WARM_UP_SECONDS)
        cpu, written, drawn = _cpu_of(child), seen.bytes, seen.draws
        await asyncio.sleep(seconds)
        cpu, written, drawn = _cpu_of(child) - cpu, seen.bytes - written, seen.draws - drawn
        loop.remove_reader(terminal)
        _stop(child, terminal)
        await played.gone.wait()
        server.close()
    median, worst = _lags(
        [at - played.marked[load] for load, at in seen.loads.items() if load in played.marked]
    )
    print(
        f"{size[0]:>5}x{size[1]:<3} {rate:>7} {cpu / seconds:>6.1%} {median * 1000:>6.0f} ms "
        f"{worst * 1000:>5.0f} ms {written / seconds / 1000:>5.1f} KB/s {drawn / seconds:>6.1f}/s"
    )
    return cpu / seconds <= GOAL_CPU and median <= GOAL_LAG


def _lags(lags: list[float]) -> tuple[float, float]:
    """The median and the worst."""
    if not lags:
        raise SystemExit("fleetcc top showed nothing of it; is textual installed?")
    return statistics.median(lags), max(lags)


def _start(size: tuple[int, int], agent_dir: str) -> tuple[int, int]:
    """The child's number, and the other end of its terminal."""
    child, terminal = pty.fork()
    if child == 0:
        environment = os.environ | {"FLEETCC_DIR": agent_dir, "TERM": "xterm-256color"}
        os.execve(BIN / "fleetcc-cli", ["fleetcc-cli", "top"], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    return child, terminal


def _stop(child: int, terminal: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(terminal)


def _cpu_of(process: int) -> float:
    """Seconds so far, all of its threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
