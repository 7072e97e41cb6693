"""The gate: lets requests upload and compile when their turn has come. Drives `scheduling.admission`.

One gate per process; gates of one machine agree through the slot files and the notice board. Whoever
frees a slot, or finds one free that belongs to another process, rings that process. A process that was
rung for the same claim a second ago and has not come is passed over, so a stopped one blocks nobody.

Nothing here runs while nothing waits: no timer, no file but the slot's own is touched for a job that
finds a free slot.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from fleetcc.scheduling.admission import (
    DEFAULT_WEIGHT,
    SLOW_GRANT_SECONDS,
    Claim,
    Entry,
    Line,
    Stage,
    choose,
)
from fleetcc.server.board import Board
from fleetcc.server.meter import Meter
from fleetcc.server.slots import Slot, SlotFiles

# How often waiting requests look again on their own: for capacity that came back, slots of killed
# processes, lost bells. Spread, so that many processes do not look at the same moment.
TICK_SECONDS: Final = 1.0
TICK_SPREAD_SECONDS: Final = 0.1
ANSWER_TO_BELL_SECONDS: Final = 1.0
# A little later than a grant becomes slow: timers may come a millisecond early.
_LOOK_AT_GRANTS_SECONDS: Final = SLOW_GRANT_SECONDS + 0.01


@dataclass(eq=False, slots=True)
class Ticket:
    """One request's place in the line."""

    entry: Entry
    upload: Callable[[], None]  # called once, when the body may come
    expire: Callable[[], None]  # called once, when it has waited too long
    command: str
    granted: "asyncio.Future[Slot] | None" = None
    slot: Slot | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether it has no slot, and never had one."""
        return self.slot is None and self.entry.stage is not Stage.GONE


class Gate:
    """All waiting and running requests of this process."""

    def __init__(self, slots: SlotFiles, board: Board, meter: Meter, queue_timeout_seconds: float) -> None:
        self.meter = meter
        self._slots = slots
        self._board = board
        self._queue_timeout = queue_timeout_seconds
        self._line = Line(window=slots.count)
        self._tickets: dict[Entry, Ticket] = {}
        self._rung: dict[str, tuple[float, Claim]] = {}
        self._loop = asyncio.get_running_loop()
        self._turn_scheduled = False
        self._freed_or_taken = False
        self.elsewhere = 0  # slots of other processes, at the last refresh
        self._timer: asyncio.TimerHandle | None = None
        self._grant_timer: asyncio.TimerHandle | None = None
        board.listen(self._loop.add_reader, self._schedule_turn)

    @property
    def slot_count(self) -> int:
        """Configured slots."""
        return self._slots.count

    @property
    def capacity(self) -> int:
        """Slots that may be used now, as last computed."""
        return self.meter.capacity(self._slots.held + self.elsewhere)

    @property
    def limited_by(self) -> Literal["", "load", "memory"]:
        """What makes the capacity less than the slots, as last computed."""
        return self.meter.limited_by(self._slots.held + self.elsewhere)

    def look(self) -> None:
        """Bring the machine's figures up to date, if they are older than a second."""
        self._refresh(time.monotonic())

    @property
    def running(self) -> int:
        """Compilers of this process."""
        return self._slots.held

    @property
    def waiting(self) -> int:
        """Requests of this process that have no slot yet."""
        return self._line.waiting

    def join(
        self,
        client: str,
        command: str,
        upload: Callable[[], None],
        expire: Callable[[], None],
        weight: int = DEFAULT_WEIGHT,
        *,
        is_late: bool = False,
    ) -> Ticket:
        """A request whose head is known; `upload` is called when its body may come.

        A late one stands for a demand: `upload` means that a job is granted, and may join again at once.
        """
        entry = self._line.join(client, time.monotonic(), weight, is_late=is_late)
        ticket = Ticket(entry, upload, expire, command)
        self._tickets[entry] = ticket
        self._schedule_turn()
        self._schedule_tick()
        return ticket

    def bind(self, ticket: Ticket, command: str, expire: Callable[[], None]) -> None:
        """A job has come for a grant."""
        ticket.command, ticket.expire = command, expire
        self._line.bind(ticket.entry, time.monotonic())

    async def slot(self, ticket: Ticket) -> Slot:
        """Wait for a slot; the body is here. Whoever is cancelled must still `leave`."""
        ticket.granted = self._loop.create_future()
        self._line.uploaded(ticket.entry, time.monotonic())
        self._schedule_turn()
        return await ticket.granted

    def leave(self, ticket: Ticket) -> None:
        """The compiler has ended, or the client has gone; frees the slot if there is one."""
        if self._tickets.pop(ticket.entry, None) is None:
            return
        self._line.leave(ticket.entry)
        if ticket.slot is not None:
            self._slots.release(ticket.slot)
            self.meter.ended()
            ticket.slot = None
            self._freed_or_taken = True
        self._schedule_turn()

    def close(self) -> None:
        """Give everything back."""
        for timer in (self._timer, self._grant_timer):
            if timer is not None:
                timer.cancel()
        self._board.close()
        self._slots.close()
        self.meter.close()

    # -- turns: everything that happened in one round of the event loop is decided in one go

    def _schedule_turn(self) -> None:
        if not self._turn_scheduled:
            self._turn_scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_scheduled = False
        self._start_ready()
        self._let_upload()
        if self._line.waiting:
            self._board.publish(self._line.claims(self._board.name))
        elif self._timer is not None:
            self._board.publish(())
            self._timer.cancel()
            self._timer = None
        if self._freed_or_taken:
            self._freed_or_taken = False
            self._ring_next()

    def _let_upload(self) -> None:
        if not self._line.queued:
            return
        now = time.monotonic()
        self._refresh(now)
        while (entry := self._line.next_upload(now, self._free)) is not None:
            self._tickets[entry].upload()
            if entry.is_late and self._grant_timer is None:
                self._grant_timer = self._loop.call_later(_LOOK_AT_GRANTS_SECONDS, self._look_at_grants)

    def _start_ready(self) -> None:
        while self._line.ready:
            slot = self._free_slot()
            if slot is None:
                return
            claims = self._line.claims(self._board.name)
            others = self._board.others()
            if others:
                # Others decide by what they see: it must be what we decide by.
                self._board.publish(claims)
            winner = self._winner(claims + others)
            if winner is None or winner.process != self._board.name:
                self._slots.release(slot)
                if winner is not None:
                    self._ring(winner)
                return
            self._start(winner.client, slot)

    def _free_slot(self) -> Slot | None:
        self._refresh(time.monotonic())
        return self._slots.take(self.capacity)

    @property
    def _free(self) -> int:
        """Slots that nobody on this machine holds, as far as is known here."""
        return self.capacity - self._slots.held - self.elsewhere

    def _refresh(self, now: float) -> None:
        if self.meter.needs_refresh(now):
            self.elsewhere = len(self._slots.held_elsewhere())
            self.meter.refresh(now, self._slots.held + self.elsewhere)

    def _start(self, client: str, slot: Slot) -> None:
        entry = self._line.start(client, time.monotonic())
        ticket = self._tickets[entry]
        ticket.slot = slot
        self._slots.describe(slot, client, time.time(), ticket.command)
        self.meter.started()
        self._freed_or_taken = True
        assert ticket.granted is not None
        if not ticket.granted.done():
            ticket.granted.set_result(slot)

    def _winner(self, claims: list[Claim]) -> Claim | None:
        if len(claims) == 1:
            return claims[0]
        running = self._line.running()
        for client in self._slots.held_elsewhere():
            running[client] = running.get(client, 0) + 1
        late = time.monotonic() - ANSWER_TO_BELL_SECONDS
        gone = {
            claim.process
            for claim in claims
            if (rung := self._rung.get(claim.process)) and rung[0] <= late and rung[1] == claim
        }
        return choose(claims, running, gone)

    def _ring(self, winner: Claim) -> None:
        rung = self._rung.get(winner.process)
        if rung is None or rung[1] != winner:
            self._rung[winner.process] = (time.monotonic(), winner)
        self._board.ring(winner.process)

    def _ring_next(self) -> None:
        """Slots may be free that nobody here wants: tell the process whose turn it is."""
        others = [] if self._line.ready else self._board.others()
        if others and (slot := self._slots.take(self.capacity)) is not None:
            self._slots.release(slot)
        else:
            return
        self._rung = {
            claim.process: self._rung[claim.process] for claim in others if claim.process in self._rung
        }
        if (winner := self._winner(others)) is not None:
            self._ring(winner)

    def _look_at_grants(self) -> None:
        self._grant_timer = None
        if self._line.mark_slow(time.monotonic()):
            self._schedule_turn()
        if self._line.has_unused_grants:
            self._grant_timer = self._loop.call_later(_LOOK_AT_GRANTS_SECONDS, self._look_at_grants)

    # -- the tick: once a second while something waits

    def _schedule_tick(self) -> None:
        if self._timer is None:
            delay = TICK_SECONDS + random.uniform(0, TICK_SPREAD_SECONDS)
            self._timer = self._loop.call_later(delay, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if not self._line.waiting:
            self._board.publish(())
            return
        now = time.monotonic()
        self._line.mark_slow(now)
        for entry in self._line.overdue(now, self._queue_timeout):
            self._tickets[entry].expire()
        self._schedule_tick()
        self._schedule_turn()
