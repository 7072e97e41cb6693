"""The fleets and builds that the gates are about, each from its seed."""

from math import inf
from random import Random

from fleetcc.simulation.durations import log_normal, named
from fleetcc.simulation.scenario import Build, Load, Scenario, SimHost, SimJob

EQUAL = tuple(SimHost(f"h{number}", 4) for number in range(4))
UNEQUAL = (SimHost("a", 8), SimHost("b", 4, 0.5), SimHost("c", 2), SimHost("d", 1, 0.25))


def slots(hosts: tuple[SimHost, ...]) -> int:
    return sum(host.slots for host in hosts)


def jobs(client: str, seed: int, count: int = 200, **shape: float) -> tuple[SimJob, ...]:
    drawn = log_normal(Random(f"{client} {seed}"), count, **{"mean": 1.0, "sigma": 0.8, "cap": 6.0, **shape})
    return named(client, drawn)


def builds(clients: int, seed: int, parallel: int, count: int = 200) -> tuple[Build, ...]:
    return tuple(Build(f"c{each}", jobs(f"c{each}", seed, count), parallel) for each in range(clients))


def three_long_jobs_last(seed: int) -> Scenario:
    long = tuple(SimJob(f"long/{number}.cc", 8.0) for number in range(3))
    return Scenario(UNEQUAL, (Build("c0", jobs("c0", seed) + long, 22),))


def one_big_and_three_small(hosts: tuple[SimHost, ...], seed: int) -> Scenario:
    big = Build("big", jobs("big", seed, 1000), 512)
    small = (Build(f"small{each}", jobs(f"small{each}", seed, 60), 16, starts=5.0) for each in range(3))
    return Scenario(hosts, (big, *small))


def big_scenario(letter: str, seed: int, count: int = 6000) -> Scenario:
    """Eight hosts of 16 slots: A equal, B two secretly slow, C mixed, D mixed with hidden load, E like A for
    four clients, F the same with hidden load."""
    speeds = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4) if letter in "CD" else (1.0,) * 8
    rng = Random(f"{letter} {seed}")
    hosts = []
    for number, speed in enumerate(speeds):
        loads: tuple[Load, ...] = ()
        if letter == "B" and number < 2:
            loads = (Load(0.0, inf, 0.4),)
        if letter in "DF" and number % 2 == 0:
            loads = hidden_loads(rng)
        hosts.append(SimHost(f"h{number}", 16, speed, loads=loads))
    clients, parallel = (4, 128) if letter in "EF" else (1, 256)
    shape = {"mean": 2.0, "sigma": 0.7, "cap": 30.0}
    made = (
        Build(f"c{each}", jobs(f"c{each}", seed, count // clients, **shape), parallel)
        for each in range(clients)
    )
    return Scenario(tuple(hosts), tuple(made))


def hidden_loads(rng: Random) -> tuple[Load, ...]:
    loads = []
    time = rng.uniform(0, 15)
    while time < 120:
        end = time + rng.uniform(5, 25)
        loads.append(Load(time, end, rng.choice((0.3, 0.5, 0.7))))
        time = end + rng.uniform(5, 30)
    return tuple(loads)
