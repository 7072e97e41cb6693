"""The jobs that are the fleet's, and what the dispatcher's decisions mean for each of them.

A job is sent to a host, taken back, sent to another, and ends once; what a link tells of it afterwards is not
for anybody.
"""

import asyncio
from collections.abc import Iterable

from fleetcc.agent.errand import Answer, Errand, OnLocalhost, RunLocallyError, Source
from fleetcc.agent.groups import Group
from fleetcc.agent.local_link import LocalLink
from fleetcc.backends.link import Link
from fleetcc.errors import HostError
from fleetcc.model import Reason
from fleetcc.scheduling.dispatch import Dispatcher
from fleetcc.scheduling.fleet import Cancel, Facts, Instruction, JobSpec
from fleetcc.settings import Settings


class Errands:
    """All jobs between `begin` and their end, by number."""

    def __init__(self, tasks: asyncio.TaskGroup, dispatcher: Dispatcher) -> None:
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._dispatcher = dispatcher
        self._running: dict[int, Errand] = {}

    def begin(self, job: JobSpec, source: Source, group: Group) -> Errand:
        """A job for the dispatcher."""
        errand = Errand(job, source, group, self._loop.create_future(), self._loop.time())
        self._running[job.number] = errand
        self._dispatcher.submit(job)
        return errand

    def get(self, number: int) -> Errand | None:
        """The job of this number; None when it has ended."""
        return self._running.get(number)

    def end(self, errand: Errand) -> None:
        """Nobody waits for it any more; for one that has ended this does nothing."""
        if self._running.pop(errand.spec.number, None) is not None:
            self._cancel_runs(errand, self._dispatcher.cancel(errand.spec.number))

    def send(self, number: int, host: str, text: str, link: Link) -> None:
        """It is bound to this host, whose name for people is `text`."""
        errand, facts = self._running[number], self._dispatcher.facts_of(host)
        assert facts is not None
        if isinstance(link, LocalLink):
            now = self._loop.time()
            self._dispatcher.started(number, host, now)
            del self._running[number]
            errand.ended.set_result(OnLocalhost(number, link, now))
            return
        errand.source.bound(host, text)
        order = errand.source.order(facts, link.encodings)
        if order is not None:
            errand.links[host] = link
            link.send(number, order)
        else:
            errand.unsent[host] = link
            self._tasks.create_task(self._send_later(errand, host, link, facts))

    async def _send_later(self, errand: Errand, host: str, link: Link, facts: Facts) -> None:
        try:
            order = await errand.source.make_order(facts, link.encodings)
        except Exception as error:  # noqa: BLE001 - the job's own fault, which its coroutine shall tell
            if errand.unsent.pop(host, None) is not None:
                link.decline(1)
            if not errand.ended.done():
                self.give_up(errand, error)
            return
        if errand.unsent.pop(host, None) is not None:
            errand.links[host] = link
            link.send(errand.spec.number, order)

    def cancel(self, number: int, host: str) -> None:
        """It is no longer bound to this host."""
        errand = self._running.get(number)
        if errand is not None:
            self._take_back(errand, host)
            errand.source.unbound(host)

    def started(self, number: int, host: str) -> None:
        """Its compiler runs there."""
        errand = self._running.get(number)
        if errand is not None:
            errand.source.began(host)

    def answered(self, host: str, errand: Errand, others: Iterable[Instruction], answer: Answer) -> None:
        """A compiler has spoken on this host; the job's other runs end."""
        del self._running[errand.spec.number]
        self._cancel_runs(errand, others)
        errand.source.answered(host, answer.spoken)
        if not errand.ended.done():
            errand.ended.set_result(answer)

    def give_up(self, errand: Errand, error: Exception) -> None:
        """It ends with this error, wherever it runs or waits."""
        self.end(errand)
        if not errand.ended.done():
            errand.ended.set_exception(error)

    def give_up_in_vain(self, last_grant: float) -> None:
        """End those that wait although no host has granted anything for as long as a host may be silent."""
        now = self._loop.time()
        for errand in list(self._running.values()):
            settings = errand.group.settings
            is_bound = errand.links or errand.unsent
            waited = now - max(last_grant, errand.submitted)
            if not is_bound and waited > settings.io_timeout_seconds:
                self.give_up(errand, in_vain(settings))

    def host_lost(self, host: str, error: HostError) -> None:
        """Its connection has ended, and with it whatever it had."""
        for errand in self._running.values():
            if host in errand.links or host in errand.unsent:
                errand.links.pop(host, None)
                errand.unsent.pop(host, None)
                errand.errors.append(error)
                errand.source.unbound(host)

    def _cancel_runs(self, errand: Errand, instructions: Iterable[Instruction]) -> None:
        """For a job that is no longer in the table."""
        for instruction in instructions:
            assert isinstance(instruction, Cancel)
            self._take_back(errand, instruction.host)

    @staticmethod
    def _take_back(errand: Errand, host: str) -> None:
        link = errand.unsent.pop(host, None)
        if link is not None:
            link.decline(1)
        link = errand.links.pop(host, None)
        if link is not None:
            link.cancel(errand.spec.number)


def in_vain(settings: Settings) -> RunLocallyError:
    """No host was ready for as long as a host may be silent."""
    return RunLocallyError(Reason.NO_GRANT, f"no host was ready within {settings.io_timeout_seconds:g} s")
