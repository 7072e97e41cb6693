"""What it costs the agent that somebody watches: warm jobs of real units, a free compiler, a server on this
machine, with nobody, one and ten who read all events, and one who never reads.

Prints the agent's CPU for each job; rounds are interleaved, and each figure is the median of its rounds.
"""

import argparse
import selectors
import socket
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from bench.support import BIN
from bench.units import served, systems
from bench.units.runner import Command
from bench.units.stamping import STAMP, make_stamping
from bench.units.systems import SERVER_SLOTS, Figures, Site
from fleetcc.agent.client import connect_events

_FLEETCC: Final = str(BIN / "fleetcc")
GOAL: Final = 1.10  # of ten readers, beside nobody
_READ_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Kind:
    """How many watch, and whether they read."""

    name: str
    readers: int = 0
    deaf: int = 0
    rounds: list[Figures] = field(default_factory=list)
    read_bytes: int = 0

    @property
    def cpu(self) -> list[float]:
        """The agent's milliseconds for each job, by round."""
        return [each.parts[1] for each in self.rounds]

    @property
    def rate(self) -> float:
        """Jobs each second, of the middle round."""
        return statistics.median(len(each.build.ran) / each.build.seconds for each in self.rounds)


def main() -> None:
    """Print the table; exit status 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--parallel", type=int, default=8)
    wanted = parser.parse_args()
    kinds = [
        Kind("nobody"),
        Kind("1 reads", readers=1),
        Kind("10 read", readers=10),
        Kind("1 is deaf", deaf=1),
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's compilers are another user's
        measure(Site(folder, systems.choose_units(wanted.units), wanted.parallel), kinds, wanted.rounds)
    sys.exit(report(kinds))


def measure(site: Site, kinds: Sequence[Kind], rounds: int) -> None:
    """Each kind once in every round, after one build that nobody counts."""
    folder = site.folder / "subscribers"
    with ExitStack() as stack:
        server = stack.enter_context(served.fleetccd(folder, SERVER_SLOTS))
        make_stamping(folder / "tools", "g++")
        agent_folder = folder / "agent"
        variables = {
            "PATH": f"{folder / 'tools'}:{site.environment['PATH']}",
            "FLEETCC_DIR": str(agent_folder),
            "FLEETCC_HOSTS": served.hosts(server.port, site.parallel),
        }
        agent = stack.enter_context(served.agent({**site.environment, **variables}))
        commands = [replace(each, argv=(*each.argv, STAMP)) for each in site.commands((_FLEETCC,))]
        watched = (agent.pid, server.process.pid)
        site.build("warm-up", commands, variables, None, watched)
        for _ in range(rounds):
            for kind in kinds:
                kind.rounds.append(_one(site, commands, variables, watched, kind, agent_folder))


def _one(
    site: Site, commands: Sequence[Command], variables: dict[str, str], watched: Sequence[int], kind: Kind,
    agent_folder: Path,
) -> Figures:  # fmt: skip
    with ExitStack() as stack:
        for _ in range(kind.deaf):
            stack.enter_context(_connected(agent_folder))
        readers = [stack.enter_context(_connected(agent_folder)) for _ in range(kind.readers)]
        counted = stack.enter_context(_reading(readers))
        figures = site.build(kind.name, commands, variables, None, watched)
    kind.read_bytes += sum(counted)
    return figures


def _connected(agent_folder: Path) -> socket.socket:
    connection = connect_events(str(agent_folder))
    if connection is None:
        raise SystemExit("the agent has left")
    return connection


@contextmanager
def _reading(readers: Sequence[socket.socket]) -> Iterator[list[int]]:
    """Read all of it in a thread; how many bytes, once the block has ended."""
    counted: list[int] = []
    ours, theirs = socket.socketpair()

    def read() -> None:
        with selectors.DefaultSelector() as selector:
            for each in (*readers, theirs):
                selector.register(each, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is theirs:
                        return
                    assert isinstance(key.fileobj, socket.socket)
                    counted.append(len(key.fileobj.recv(_READ_BYTES)))

    thread = threading.Thread(target=read)
    thread.start()
    with ours, theirs:
        try:
            yield counted
        finally:
            ours.send(b"x")
            thread.join()


def report(kinds: Sequence[Kind]) -> int:
    """The table, and the exit status."""
    base = statistics.median(kinds[0].cpu)
    heads = f"{'agent ms/job':>12} {'least':>7} {'most':>7} {'beside nobody':>14} {'jobs/s':>7} {'read':>9}"
    print(f"{'':<10} {heads}")
    for kind in kinds:
        cpu = statistics.median(kind.cpu)
        print(
            f"{kind.name:<10} {cpu:>12.3f} {min(kind.cpu):>7.3f} {max(kind.cpu):>7.3f} {cpu / base:>14.3f} "
            f"{kind.rate:>7.0f} {kind.read_bytes / 1e6:>6.1f} MB"
        )
    ten = next(statistics.median(kind.cpu) for kind in kinds if kind.readers == 10)
    missed = ten / base > GOAL
    verdict = "missed" if missed else "kept"
    print(
        f"ten readers: {100 * (ten / base - 1):+.1f} % (goal: at most {100 * (GOAL - 1):+.0f} %, {verdict})"
    )
    return int(missed)


if __name__ == "__main__":
    main()
