"""`fleetcc simulate`: builds on simulated hosts, by the agent's and the server's scheduling code."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import inf
from random import Random
from typing import Final, TextIO

import click
import msgspec

from fleetcc.simulation.compare import Row, compare, table
from fleetcc.simulation.durations import log_normal, named, recorded
from fleetcc.simulation.grammar import parse_hosts, with_event, with_load
from fleetcc.simulation.run import Policy, SimulationError
from fleetcc.simulation.scenario import Build, Costs, Scenario, SimHost, capacity

_FLEET: Final = "8@1 4@0.5 2@1 1@0.25"
_NAMES: Final = [policy.value for policy in Policy]


@dataclass(frozen=True, slots=True)
class _Jobs:
    count: int
    mean: float
    sigma: float
    cap: float
    recorded: tuple[float, ...]

    def of(self, client: str, seed: int) -> list[float]:
        """Recorded durations are the same for every seed, in another order."""
        rng = Random(f"{client} {seed}")
        if not self.recorded:
            return log_normal(rng, self.count, mean=self.mean, sigma=self.sigma, cap=self.cap)
        if seed == 0:
            return list(self.recorded)
        return rng.sample(self.recorded, len(self.recorded))


@click.command(name="simulate")
@click.option("--hosts", default=_FLEET, show_default=True, help="SLOTS@SPEED or COUNTxSLOTS@SPEED each.")
@click.option(
    "--jobs", default=200, show_default=True, type=click.IntRange(1, 100_000), help="Of each build."
)
@click.option(
    "--mean", default=1.0, show_default=True, type=click.FloatRange(0.001), help="Seconds of a job."
)
@click.option(
    "--sigma", default=0.8, show_default=True, type=click.FloatRange(0, 3), help="Spread of their logarithms."
)
@click.option("--cap", default=6.0, show_default=True, type=click.FloatRange(0.001), help="The longest job.")
@click.option(
    "--durations",
    type=click.File(),
    help="Instead: seconds from a .ninja_log, a JSON array, or the last column of lines.",
)
@click.option("-j", "parallel", type=click.IntRange(1), help="Of each make; without it: four for each slot.")
@click.option("--clients", default=1, show_default=True, type=click.IntRange(1, 100), help="Builds at once.")
@click.option("--hidden", multiple=True, metavar="HOST@START-END*FACTOR", help="Somebody else uses a host.")
@click.option("--join", multiple=True, metavar="HOST@TIME", help="A host comes later.")
@click.option("--leave", multiple=True, metavar="HOST@TIME", help="A host finishes what it has, and goes.")
@click.option("--die", multiple=True, metavar="HOST@TIME", help="A host is lost with what it has.")
@click.option(
    "--seeds", default=10, show_default=True, type=click.IntRange(1, 1000), help="Runs of each policy."
)
@click.option("--vary", default=0.1, show_default=True, help="How a job differs between two builds (sigma).")
@click.option("--latency-ms", default=0.3, show_default=True, type=click.FloatRange(0), help="One way.")
@click.option(
    "--upload-ms", default=2.0, show_default=True, type=click.FloatRange(0), help="Of a job's source."
)
@click.option("--policies", default=",".join(_NAMES), help="Some of: " + ", ".join(_NAMES) + ".")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of objects.")
def command(  # noqa: PLR0913 - one parameter for each option
    *,
    hosts: str,
    jobs: int,
    mean: float,
    sigma: float,
    cap: float,
    durations: TextIO | None,
    parallel: int | None,
    clients: int,
    hidden: tuple[str, ...],
    join: tuple[str, ...],
    leave: tuple[str, ...],
    die: tuple[str, ...],
    seeds: int,
    vary: float,
    latency_ms: float,
    upload_ms: float,
    policies: str,
    as_json: bool,
) -> None:
    """Play builds on simulated hosts, and compare schedulers.

    Each host is SLOTS@SPEED: a job of 1 s takes 2 s at speed 0.5. Events name the hosts h1, h2, ... in order.

    Our own rows are the agent's and the server's code under virtual time: `fleetcc` is a first build, which
    knows neither jobs nor hosts, `fleetcc-again` the next one. `ideal` binds each job when a slot is free and
    pays nothing for it, but knows no durations. "/ bound" is the time divided by what no schedule can beat.
    """
    fleet = _fleet(hosts, hidden, join, leave, die)
    source = _Jobs(jobs, mean, sigma, cap, _recorded(durations))
    slots = sum(host.slots for host in fleet)
    each = parallel or 4 * slots
    costs = Costs(latency=latency_ms / 1000, upload=upload_ms / 1000)

    def make(seed: int) -> Scenario:
        names = [f"client{number + 1}" for number in range(clients)]
        return Scenario(
            fleet, tuple(Build(name, named(name, source.of(name, seed)), each) for name in names), costs
        )

    try:
        rows = compare(make, _policies(policies), range(seeds), vary)
    except SimulationError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(msgspec.json.encode([_plain(row) for row in rows]).decode())
        return
    told = f"{len(fleet)} hosts, {slots} slots, capacity {capacity(fleet):g}"
    click.echo(f"{told}; clients: {clients} with -j{each}; seeds: {seeds}")
    for line in table(rows):
        click.echo(line)


def _fleet(
    hosts: str, hidden: tuple[str, ...], join: tuple[str, ...], leave: tuple[str, ...], die: tuple[str, ...]
) -> tuple[SimHost, ...]:
    with _value_of("--hosts"):
        fleet = parse_hosts(hosts)
    with _value_of("--hidden"):
        for text in hidden:
            fleet = with_load(fleet, text)
    for option, field, texts in (
        ("--join", "joins", join),
        ("--leave", "leaves", leave),
        ("--die", "dies", die),
    ):
        with _value_of(option):
            for text in texts:
                fleet = with_event(fleet, field, text)
    if all(min(host.leaves, host.dies) < inf for host in fleet):
        raise click.UsageError("every host leaves or dies: at least one must stay")
    return fleet


@contextmanager
def _value_of(option: str) -> Iterator[None]:
    """A value that cannot be read is the user's mistake with this option."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from None


def _recorded(file: TextIO | None) -> tuple[float, ...]:
    if file is None:
        return ()
    with _value_of(f"--durations {file.name}"):
        return tuple(recorded(file.read()))


def _policies(text: str) -> list[Policy]:
    found = []
    for name in filter(None, text.split(",")):
        if name not in _NAMES:
            raise click.UsageError(f"--policies: {name!r} is none of {', '.join(_NAMES)}")
        found.append(Policy(name))
    if not found:
        raise click.UsageError(f"--policies: none; there are {', '.join(_NAMES)}")
    return found


def _plain(row: Row) -> dict[str, object]:
    return {**asdict(row), "policy": row.policy.value, "clients": dict(row.clients)}
