"""Makes top.svg, `fleetcc top` as it looks during a build, of a played agent: python docs/images/top.py."""

import asyncio
import contextlib
import re
import socket
from pathlib import Path
from typing import Final

from fleetcc.monitor.events import Event, Hello, Host, Job, Local, encode
from fleetcc.monitor.top.app import Top

NOW: Final = 1_700_000_000.0
SLOTS: Final = (("build1", 16, 1.4), ("build2", 16, 1.4), ("build3.example.com", 8, 0.8), ("spare", 4, 0.5))
FOLDERS: Final = {
    "core": ("main", "parser", "lexer", "types", "codegen", "inline"),
    "ui": ("window", "canvas", "fonts", "theme"),
    "net": ("socket", "http", "tls", "dns"),
    "db": ("query", "index", "table", "log"),
    "math": ("matrix", "fft", "solve"),
}
SOURCES: Final = [f"{folder}/{name}.cc" for folder, names in FOLDERS.items() for name in names]


def events() -> list[Event]:
    """A build in the middle."""
    jobs: list[Event] = []
    taken = dict.fromkeys([name for name, _, _ in SLOTS], 0)
    for number, source in enumerate(SOURCES):
        name, slots, _ = SLOTS[number * 5 % 3]
        age = (0.7, 4.2, 1.1, 14.5, 2.9, 41.0, 8.3)[number % 7]
        state = "uploading" if number % 6 == 2 else "compiling"
        slot, taken[name] = taken[name], taken[name] + 1
        if slot < slots:
            jobs.append(_job(1000 + number, source, age, state, f"{name}:3632", slot))
    here = Job(job=1100, time=NOW - 6, state="compiling", host="localhost", slot=0, label="libcore.so",
               directory="/home/me/app", reason="linking")  # fmt: skip
    waiting = [
        Job(job=1200 + n, time=NOW - 0.4, state="waiting", label=f"test/case{n}.cc", predicted=2.0)
        for n in range(9)
    ]
    ended = [_end(n) for n in range(113)]
    return [*jobs, here, *waiting, *ended, Local(time=NOW, slots=4, load=2.3, memory_available=11 << 30)]


def _job(number: int, source: str, age: float, state: str, host: str, slot: int) -> Job:
    return Job(
        job=number, time=NOW - age, state="uploading" if state == "uploading" else "compiling", host=host,
        slot=slot, label=source, directory="/home/me/app", build="app-1", predicted=age * 1.3 + 1,
        files=412, sent=9_000, mode="files",
    )  # fmt: skip


def _end(number: int) -> Job:
    host = f"{SLOTS[number % 3][0]}:3632"
    return Job(job=number, time=NOW - 9 + number * 0.08, state="done", host=host, reason="remote", sent=1_200,
               received=61_000)  # fmt: skip


def hello() -> Hello:
    """The hosts, one of them down, and what was before."""
    hosts = [
        Host(host=f"{name}:3632", time=NOW, state="up", slots=slots, speed=speed, server="fleetccd")
        for name, slots, speed in SLOTS[:3]
    ]
    down = Host(host="spare:3632", time=NOW, state="down", slots=4, why="connection refused", pause=8.0)
    return Hello(
        source="agent", program="fleetcc", pid=4711, time=NOW - 60, local=Local(time=NOW, slots=4),
        hosts=(*hosts, down), total=1342,
        by_reason={"remote": 1180, "linking": 38, "configure-probe": 11, "assembler-input": 4},
    )  # fmt: skip


async def main() -> None:
    """Write the file beside this one."""
    ours, theirs = socket.socketpair()
    with contextlib.closing(ours):
        ours.sendall(b"".join(map(encode, [hello(), *events()])))
        app = Top(lambda: theirs, "", clock=lambda: NOW)
        async with app.run_test(size=(100, 32)) as pilot:
            while len(app.feed.picture.finished) < 113 or app.feed.news < len(events()):
                await pilot.pause()
            app.draw()
            await pilot.pause()
            path = Path(__file__).with_suffix(".svg")
            picture = app.export_screenshot(title="fleetcc top")
            # Its fonts would be fetched from elsewhere; the reader's own will do.
            picture = re.sub(r"@font-face\s*{[^}]*}\s*", "", picture)
            path.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
