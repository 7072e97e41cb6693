"""A simulated fleetccd: grants through the door, jobs on the machine, answers to its clients."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from fleetcc.model import Priority
from fleetcc.scheduling.admission import Entry
from fleetcc.simulation.clock import Timer
from fleetcc.simulation.door import Door
from fleetcc.simulation.machine import Machine
from fleetcc.simulation.network import Network


class Peer(Protocol):
    """A client as its servers see it."""

    @property
    def name(self) -> str:
        """Who it is."""

    def welcomed(self, host: str) -> None:
        """The connection is open."""

    def granted(self, host: str, count: int) -> None:
        """It may send so many jobs."""

    def began(self, host: str, job: int) -> None:
        """The job's compiler runs."""

    def done(self, host: str, job: int, seconds: float) -> None:
        """The job's compiler has ended."""

    def refused(self, host: str, job: int) -> None:
        """The server is leaving and did not take the job."""

    def drained(self, host: str) -> None:
        """The server takes nothing more."""

    def lost(self, host: str) -> None:
        """The connection is gone."""


@dataclass(eq=False, slots=True)
class _Job:
    peer: Peer
    number: int
    seconds: float
    entry: Entry
    running: Timer | None = None


@dataclass(eq=False, slots=True)
class Server:
    """One host that speaks the fleet protocol."""

    machine: Machine
    network: Network
    is_leaving: bool = False
    _door: Door = field(init=False)
    _peers: dict[str, Peer] = field(default_factory=dict)
    _jobs: dict[tuple[str, int], _Job] = field(default_factory=dict)
    _by_entry: dict[Entry, _Job] = field(default_factory=dict)
    _turn_planned: bool = False

    def __post_init__(self) -> None:
        self._door = Door(self.machine.host.slots)

    @property
    def name(self) -> str:
        """The host's."""
        return self.machine.host.name

    # -- what clients say

    def connect(self, peer: Peer) -> None:
        """Somebody connects, if anybody is there."""
        if self.is_leaving or self.machine.is_dead or self.machine.clock.now < self.machine.host.joins:
            self._tell("refusal", lambda: peer.lost(self.name))
        else:
            self._peers[peer.name] = peer
            self._tell("welcome", lambda: peer.welcomed(self.name))

    def demand(self, peer: Peer, most: int, priority: Priority) -> None:
        """So many jobs are there."""
        if peer.name in self._peers and not self.is_leaving:
            self._door.demand(peer.name, most, priority, self.machine.clock.now)
            self._turn_soon()

    def decline(self, peer: Peer, count: int) -> None:
        """So many grants are of no use."""
        self._door.declined(peer.name, count)
        self._turn_soon()

    def job(self, peer: Peer, number: int, seconds: float) -> None:
        """A job begins to come in."""
        if peer.name not in self._peers:
            return
        entry = self._door.sent(peer.name)
        assert entry is not None, f"{peer.name} sends job {number} to {self.name} without a grant"
        if self.is_leaving:
            self._door.leave(entry)
            self._tell("error", lambda: peer.refused(self.name, number))
            return
        job = self._jobs[peer.name, number] = self._by_entry[entry] = _Job(peer, number, seconds, entry)
        self.machine.clock.after(self.network.costs.upload, lambda: self._uploaded(job))

    def cancel(self, peer: Peer, number: int) -> None:
        """Nobody waits for the job."""
        job = self._jobs.get((peer.name, number))
        if job is not None:
            if job.running is not None:
                self.machine.stop(job.running)
            self._over(job)
            self._tell("error", lambda: None)

    # -- what happens to the machine

    def leave(self) -> None:
        """Finish what is here, take nothing more."""
        self.is_leaving = True
        self._door.close()
        for peer in self._peers.values():
            self._tell("drain", lambda peer=peer: peer.drained(self.name))  # type: ignore[misc]
        self._turn_soon()

    def die(self) -> None:
        """Without a word."""
        self.machine.die()
        self._jobs.clear()
        self._by_entry.clear()
        self._hang_up()

    def _hang_up(self) -> None:
        for peer in self._peers.values():
            self.machine.clock.after(self.network.costs.latency, lambda peer=peer: peer.lost(self.name))  # type: ignore[misc]
        self._peers.clear()

    # -- turns: everything that came in at one moment is decided in one go

    def _turn_soon(self) -> None:
        if not self._turn_planned:
            self._turn_planned = True
            self.machine.clock.after(0, self._turn)

    def _turn(self) -> None:
        self._turn_planned = False
        if self.machine.is_dead:
            return
        now = self.machine.clock.now
        for entry in self._door.starts(self.machine.host.slots - self.machine.free, now):
            self._start(self._by_entry[entry])
        if self.is_leaving:
            if not self._jobs:
                self._hang_up()
            return
        for client, count in self._door.grants(self.machine.host.slots - self.machine.free, now).items():
            peer = self._peers[client]
            self._tell("grant", lambda peer=peer, count=count: peer.granted(self.name, count))  # type: ignore[misc]

    def _start(self, job: _Job) -> None:
        job.running = self.machine.run(job.seconds, lambda took: self._ended(job, took))
        self._tell("started", lambda: job.peer.began(self.name, job.number))

    def _ended(self, job: _Job, took: float) -> None:
        self._over(job)
        self._tell("result", lambda: job.peer.done(self.name, job.number, took))

    def _uploaded(self, job: _Job) -> None:
        if not self.machine.is_dead:
            self._door.uploaded(job.entry, self.machine.clock.now)
            self._turn_soon()

    def _over(self, job: _Job) -> None:
        self._door.leave(job.entry)
        self._jobs.pop((job.peer.name, job.number), None)
        self._by_entry.pop(job.entry, None)
        self._turn_soon()

    def _tell(self, kind: str, arrive: Callable[[], None]) -> None:
        self.network.message(kind, arrive)
