"""Ways of distributing the same real compiles, and what one build of each takes."""

import os
import re
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from bench.support import BIN
from bench.units import runner, served
from bench.units.counting import Counter, counted
from bench.units.projects import WORK, Unit, all_units, spread
from bench.units.runner import Build, Command
from bench.units.stamping import STAMP, make_stamping
from tests.support.pump_client import Mirror, fill, new_mirror

_FLEETCC: Final = str(BIN / "fleetcc")
SERVER_SLOTS: Final = 2
# "About 400 headers."
FEWEST_HEADERS: Final = 300
MOST_HEADERS: Final = 500


@dataclass(frozen=True, slots=True)
class Figures:
    """One build."""

    name: str
    build: Build
    sent: int  # bytes, by all clients together

    @property
    def cpu(self) -> list[float]:
        """Of the client, milliseconds for each compile: the wrapper with its children, the agent."""
        return [(each.cpu + (each.watched[0] if each.watched else 0)) * 1e3 for each in self.build.ran]

    @property
    def parts(self) -> tuple[float, float]:
        """Of the client's CPU, milliseconds per compile: the wrapper with its children, the agent."""
        count = len(self.build.ran)
        launcher = sum(each.cpu for each in self.build.ran)
        agent = sum(each.watched[0] for each in self.build.ran if each.watched)
        return launcher * 1e3 / count, agent * 1e3 / count

    @property
    def median_cpu(self) -> float:
        """Milliseconds per compile."""
        return statistics.median(self.cpu)

    @property
    def sent_each(self) -> float:
        """Bytes per compile."""
        return self.sent / len(self.build.ran)

    @property
    def server_cpu(self) -> tuple[float, float]:
        """Milliseconds per compile, of the server's process and of its children."""
        count = len(self.build.ran)
        return sum(each.watched[1] for each in self.build.ran) * 1e3 / count, (
            self.build.children[1] * 1e3 / count
        )


@dataclass(slots=True)
class Site:
    """The units, where their objects go, and what every build of them has in common."""

    folder: Path
    units: Sequence[Unit]
    parallel: int
    environment: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Make the folders."""
        (self.folder / "out").mkdir()
        self.environment = served.client_environment(self.folder / "client")

    def commands(
        self, before: Sequence[str] = (), variables: Sequence[Mapping[str, str]] = ()
    ) -> list[Command]:
        """The compiles, with these words before them and each with its variables."""
        return [
            Command(
                (
                    *before,
                    unit.compiler("gcc"),
                    *unit.words,
                    "-O0",
                    "-c",
                    unit.source,
                    "-o",
                    self._object(number),
                ),
                str(unit.folder),
                variables[number] if variables else {},
            )
            for number, unit in enumerate(self.units)
        ]

    def build(
        self, name: str, commands: Sequence[Command], variables: Mapping[str, str],
        counter: Counter | None = None, watched: Sequence[int] = (),
    ) -> Figures:  # fmt: skip
        """After `make clean`; ends the benchmark when an object is missing."""
        before = counter.sent if counter is not None else 0
        built = runner.build(commands, self.parallel, {**self.environment, **variables}, watched)
        for number in range(len(self.units)):
            os.unlink(self._object(number))
        return Figures(name, built, counter.sent - before if counter is not None else 0)

    def _object(self, number: int) -> str:
        return str(self.folder / "out" / f"{number}.o")


def local(site: Site) -> Figures:
    """The compiler alone."""
    return site.build("g++ here", site.commands(), {})


def distcc_plain(site: Site) -> Iterator[Figures]:
    """Debian's distcc as it comes, and with compression."""
    with served.distccd(site.folder / "distccd", SERVER_SLOTS) as server, counted(server.port) as counter:
        for name, option in (("distcc plain", ""), ("distcc plain, lzo", ",lzo")):
            variables = {"DISTCC_HOSTS": served.hosts(counter.port, site.parallel) + option}
            yield site.build(name, site.commands(("distcc",)), variables, counter)


def distcc_pump(site: Site) -> Figures:
    """Debian's distcc in pump mode; who answers for its include server costs nothing here."""
    with ExitStack() as stack:
        server = stack.enter_context(served.distccd(site.folder / "distccd-pump", SERVER_SLOTS))
        counter = stack.enter_context(counted(server.port))
        root = stack.enter_context(new_mirror()).root
        stubs = [_stub(root, command) for command in site.commands()]
        variables = {
            "DISTCC_HOSTS": served.hosts(counter.port, site.parallel) + ",lzo,cpp",
            "INCLUDE_SERVER_PORT": str(site.folder / "include-server"),
        }
        return site.build("distcc pump", site.commands(("distcc",), stubs), variables, counter)


def fleetcc(site: Site, name: str, rounds: int, *, blind: bool = False) -> Iterator[Figures]:
    """Ours: a first build, and so many after `make clean`."""
    folder = site.folder / name.replace(" ", "-").replace(",", "")
    with ExitStack() as stack:
        server = stack.enter_context(served.fleetccd(folder, SERVER_SLOTS, blind=blind))
        counter = stack.enter_context(counted(server.port))
        variables = {
            "FLEETCC_DIR": str(folder / "agent"),
            "FLEETCC_HOSTS": served.hosts(counter.port, site.parallel),
        }
        environment = {**site.environment, **variables}
        agent = stack.enter_context(served.agent(environment))
        watched = (agent.pid, server.process.pid)
        for number in range(rounds + 1):
            title = f"{name}, {'rebuild' if number else 'first build'}"
            yield site.build(title, site.commands((_FLEETCC,)), variables, counter, watched)
            reasons = served.status(environment)["by_reason"]
            if reasons.get("remote", 0) != len(site.units) * (number + 1):
                raise SystemExit(f"not every compile of {title} ran on the server: {reasons}")


def fleetcc_alone(site: Site, rounds: int) -> Iterator[Figures]:
    """The same files and messages, and no compiler that drives all else out of the processor's caches."""
    folder = site.folder / "alone"
    with ExitStack() as stack:
        server = stack.enter_context(served.fleetccd(folder, SERVER_SLOTS))
        make_stamping(folder / "tools", "g++")
        variables = {
            "PATH": f"{folder / 'tools'}:{site.environment['PATH']}",
            "FLEETCC_DIR": str(folder / "agent"),
            "FLEETCC_HOSTS": served.hosts(server.port, site.parallel),
        }
        agent = stack.enter_context(served.agent({**site.environment, **variables}))
        watched = (agent.pid, server.process.pid)
        commands = [replace(each, argv=(*each.argv, STAMP)) for each in site.commands((_FLEETCC,))]
        for number in range(rounds + 1):
            figures = site.build("fleetcc, rebuild, free compiler", commands, variables, None, watched)
            if number:
                yield figures


# -- parts


def choose_units(count: int) -> list[Unit]:
    """C++ units of about 400 headers."""
    cache = WORK / "headers.json"
    candidates = spread((unit for unit in all_units() if unit.language == "C++"), 10_000)
    known: dict[str, int] = msgspec.json.decode(cache.read_bytes()) if cache.exists() else {}
    chosen: list[Unit] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(candidates), 32):
            some = candidates[start : start + 32]
            unknown = [unit for unit in some if unit.source not in known]
            for unit, headers in zip(unknown, pool.map(_count_headers, unknown), strict=True):
                known[unit.source] = headers
            chosen += [unit for unit in some if FEWEST_HEADERS <= known[unit.source] <= MOST_HEADERS]
            if len(chosen) >= count:
                break
    cache.write_bytes(msgspec.json.encode(known))
    return chosen[:count]


def _count_headers(unit: Unit) -> int:
    command = [unit.compiler("gcc"), *unit.words, "-M", unit.source]
    done = subprocess.run(command, cwd=unit.folder, check=True, stdout=subprocess.PIPE)
    return len(re.findall(rb"[^\s\\]+", done.stdout)) - 2


def _stub(root: Path, command: Command) -> Mapping[str, str]:
    """The files of one compile in the mirror that all share."""
    mirror = Mirror(root)
    fill(mirror, Path(command.folder), *command.argv)
    return {"INCLUDE_SERVER_STUB": " ".join(mirror.entries)}
