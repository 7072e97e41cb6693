"""Policies side by side: the same builds under each of them, over several seeds, as a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import mean
from typing import TypeAlias

from fleetcc.scheduling.history import History
from fleetcc.simulation.durations import varied
from fleetcc.simulation.run import Outcome, Policy, simulate
from fleetcc.simulation.scenario import Scenario

Make: TypeAlias = Callable[[int], Scenario]  # the scenario of a seed


@dataclass(frozen=True, slots=True)
class Row:
    """One policy: means over all seeds."""

    policy: Policy
    seconds: float
    ratio: float  # makespan in relation to what no schedule can beat
    worst: float
    clients: tuple[tuple[str, float], ...]  # when each build ended, after its start
    jain: float
    messages: float  # for each job
    declined: float  # grants for each job
    races: float  # for each build
    extra_percent: float
    surrendered: int


def compare(make: Make, policies: Sequence[Policy], seeds: Sequence[int], vary: float) -> list[Row]:
    """One row for each policy."""
    return [_row(policy, [run(make(seed), policy, seed, vary) for seed in seeds]) for policy in policies]


def run(scenario: Scenario, policy: Policy, seed: int, vary: float) -> Outcome:
    """One simulation; for a second build, after a first one whose jobs took a little more or less."""
    if policy is not Policy.AGAIN:
        return simulate(scenario, policy, seed)
    histories = {build.client: History() for build in scenario.builds}
    before = Random(f"before {seed}")
    first = tuple(replace(each, jobs=varied(before, each.jobs, vary)) for each in scenario.builds)
    simulate(replace(scenario, builds=first), Policy.FIRST, seed, histories)
    return simulate(scenario, policy, seed + 1, histories)


def jain_index(shares: Sequence[float]) -> float:
    """1 when all have the same, 1/n when one has all."""
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


def _row(policy: Policy, outcomes: Sequence[Outcome]) -> Row:
    jobs = mean(sum(client.jobs for client in outcome.clients) for outcome in outcomes)
    names = [client.client for client in outcomes[0].clients]
    ends = [mean(outcome.clients[at].seconds for outcome in outcomes) for at in range(len(names))]
    return Row(
        policy=policy,
        seconds=mean(outcome.makespan for outcome in outcomes),
        ratio=mean(outcome.ratio for outcome in outcomes),
        worst=max(outcome.ratio for outcome in outcomes),
        clients=tuple(zip(names, ends, strict=True)),
        jain=mean(jain_index([client.rate for client in outcome.clients]) for outcome in outcomes),
        messages=mean(outcome.messages for outcome in outcomes) / jobs,
        declined=mean(outcome.declined for outcome in outcomes) / jobs,
        races=mean(outcome.races for outcome in outcomes),
        extra_percent=mean(outcome.extra_percent for outcome in outcomes),
        surrendered=sum(client.surrendered for outcome in outcomes for client in outcome.clients),
    )


def table(rows: Sequence[Row]) -> list[str]:
    """The rows for people."""
    several = len(rows[0].clients) > 1
    head = f"{'policy':<15}{'seconds':>9}{'/ bound':>9}{'worst':>8}"
    head += f"{'messages':>10}{'declined':>10}{'races':>7}{'extra':>8}"
    lines = [head + ("    Jain  each client" if several else "")]
    for row in rows:
        line = f"{row.policy.value:<15}{row.seconds:>9.2f}{row.ratio:>9.3f}{row.worst:>8.3f}"
        if row.messages:
            line += f"{row.messages:>10.2f}{row.declined:>10.3f}{row.races:>7.1f}{row.extra_percent:>7.1f}%"
        else:
            line += f"{'-':>10}{'-':>10}{'-':>7}{'-':>8}"
        if several:
            line += f"{row.jain:>8.3f}  " + " ".join(f"{end:.1f}" for _, end in row.clients)
        lines.append(line)
    return lines
