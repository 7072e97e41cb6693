"""Was the build client-bound, network-bound, tail-bound, slot-bound, or was the fleet well used? Pure.

The rules, in this order (docs/seeing.md has them for people):

1. No job had a host: client-bound.
2. Of three losses, in shares of the slot-seconds, the greatest decides if it is at least `LOSS`:
   the client's (prepare + here + starved), the network's (travel), the tail's (tail).
3. Jobs waited for hosts in at least `WAITING` of the time: slot-bound.
4. Else: well-used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fleetcc.monitor.amounts import seconds_text, share_text
from fleetcc.monitor.report.measures import Measures

LOSS: Final = 0.25
WAITING: Final = 0.5
_NOTEWORTHY: Final = 0.05

CLIENT: Final = "client-bound"
NETWORK: Final = "network-bound"
TAIL: Final = "tail-bound"
SLOTS: Final = "slot-bound"
WELL_USED: Final = "well-used"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What held the build up."""

    name: str
    because: str  # with the numbers
    remedy: str


def losses(shares: Mapping[str, float]) -> dict[str, float]:
    """What each of the three could have lost, in shares of the slot-seconds."""
    return {
        CLIENT: shares["prepare"] + shares["here"] + shares["starved"],
        NETWORK: shares["travel"],
        TAIL: shares["tail"],
    }


def judge(measures: Measures) -> Verdict:
    """The verdict about a build."""
    if not measures.on_hosts or not measures.slots:
        return Verdict(CLIENT, "No job had a host: all of it ran here.", "The reasons below say what to do.")
    lost = losses(measures.shares)
    name = max(lost, key=lambda each: lost[each])
    if lost[name] >= LOSS:
        return _LOST[name](measures, share_text(lost[name]))
    if measures.waiting >= WAITING:
        return _slot_bound(measures)
    return Verdict(
        WELL_USED,
        f"Compilers ran on {share_text(measures.shares['run'])} of what the {measures.slots} slots could "
        f"have done, no single cause lost {share_text(LOSS)} of it, and jobs waited for a slot in only "
        f"{share_text(measures.waiting)} of the time.",
        "Only faster hosts, or less to compile, would make it much shorter.",
    )


def _client_bound(measures: Measures, share: str) -> Verdict:
    shares = measures.shares
    parts = {
        "starved": f"{share_text(shares['starved'])} because there were fewer jobs than slots "
        f"({measures.open:.1f} at once on average, {measures.slots} slots)",
        "prepare": f"{share_text(shares['prepare'])} while jobs were looked at, scanned or preprocessed here",
        "here": f"{share_text(shares['here'])} while jobs ran here or waited for this machine",
    }
    return Verdict(
        CLIENT,
        f"{share} of what the {measures.slots} slots could have done was lost on this side: "
        + "; ".join(text for cause, text in parts.items() if shares[cause] > 0)
        + ".",
        _CLIENT_REMEDIES[max(parts, key=lambda cause: shares[cause])],
    )


_CLIENT_REMEDIES: Final = {
    "starved": "Let the build tool start more jobs at once (make -j, ninja -j; `fleetcc run` chooses it). If "
    "it has as many already, the build's own dependencies keep jobs back.",
    "prepare": "This machine's processors are the limit. Hosts that take files spare the preprocessing: "
    "`fleetcc hosts` says which do, and why others do not.",
    "here": "The table of reasons below says why jobs stay here, and what would let them travel.",
}


def _network_bound(measures: Measures, share: str) -> Verdict:
    return Verdict(
        NETWORK,
        f"{share} of what the {measures.slots} slots could have done went by while jobs, answers or results "
        f"were on their way; compilers ran for {share_text(measures.shares['run'])}.",
        "A second build sends much less, because hosts keep what they have. If this was one, "
        "`fleetcc doctor` measures the way to each host; where others use the hosts too, jobs may also have "
        "waited there (`fleetcc hosts`).",
    )


def _tail_bound(measures: Measures, share: str) -> Verdict:
    rest = measures.seconds - measures.last_arrival
    return Verdict(
        TAIL,
        f"{share} of what the {measures.slots} slots could have done was left when no more jobs came: the "
        f"last one arrived {seconds_text(rest)} before the end.",
        "A few long units hold the end up. Split the longest ones (below), or let the build start them "
        "earlier; a next build knows their durations, and gives them out first.",
    )


_LOST: Final = {CLIENT: _client_bound, NETWORK: _network_bound, TAIL: _tail_bound}


def _slot_bound(measures: Measures) -> Verdict:
    shares = measures.shares
    others = f"; {share_text(shares['full'])} of it hosts did not give us (others use them, or their load)"
    return Verdict(
        SLOTS,
        f"Jobs waited for a slot in {share_text(measures.waiting)} of the time, and compilers ran on "
        f"{share_text(shares['run'])} of what the {measures.slots} slots could have done"
        + (others if shares["full"] >= _NOTEWORTHY else "")
        + ".",
        "More hosts, or more slots on them, make it shorter: below is by how much.",
    )
