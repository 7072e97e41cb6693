"""All hosts and all jobs that are for hosts: drives scheduling.dispatch with links, clock and host lists.

Events of links, groups and jobs go into the dispatcher at once; what follows from many events of one turn
of the event loop is settled once, at its end.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Final

from fleetcc.agent.errand import Answer, Errand, OnLocalhost, RunLocallyError, Source
from fleetcc.agent.errands import Errands, in_vain
from fleetcc.agent.groups import Group, Groups, timeouts_of
from fleetcc.agent.known_hosts import KnownHosts
from fleetcc.agent.links import Links
from fleetcc.agent.local_slots import LocalSlots, Use, slot_limit
from fleetcc.agent.story import Watcher
from fleetcc.backends.distcc import StockLink
from fleetcc.backends.link import (
    JobLimitError,
    KilledError,
    Link,
    OurSide,
    PumpUnfitError,
    Spoken,
    StaleError,
    UnfitFilesError,
    UnfitTextError,
)
from fleetcc.errors import HostError, HostRefusedError
from fleetcc.hosts.sources import FoundHosts
from fleetcc.model import Form, Reason
from fleetcc.monitor.events import Host
from fleetcc.scheduling.dispatch import Dispatcher
from fleetcc.scheduling.fleet import (
    Cancel,
    Connect,
    Decline,
    Demand,
    Facts,
    HostState,
    Instruction,
    JobSpec,
    Needs,
    Prospect,
    Send,
    Surrender,
    Why,
)
from fleetcc.scheduling.history import History
from fleetcc.settings import Settings

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
# A connection that fails is not tried again at once, even by who wants no back-off for jobs.
_LEAST_PAUSE_SECONDS: Final = 0.25


class Fleet:
    """The hosts of all jobs of this agent."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        ours: OurSide,
        local: LocalSlots,
        history: History,
        rng: Random,
        processors: int,
    ) -> None:
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._dispatcher = Dispatcher(history, rng)
        self._groups = Groups(tasks, self._group_changed)
        self._opening = Links(ours, self, tasks, local)
        self._processors = processors
        self._links: dict[str, Link] = {}
        self._connecting: dict[str, asyncio.Task[None]] = {}
        self._known = KnownHosts()
        self._errands = Errands(tasks, self._dispatcher)
        self._next_number = 1
        self._last_grant = 0.0
        self._news = asyncio.Event()
        self._settle_scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self.watcher: Watcher | None = None  # while anybody watches
        self._housekeeper = tasks.create_task(self._keep_house())

    # -- for jobs

    async def join(self, found: FoundHosts, settings: Settings, needs: Needs) -> Group:
        """Follow this list, and wait until a host of it is known that can do the job.

        Raises RunLocallyError when none can.
        """
        group = self._groups.find(found, settings)
        group.jobs += 1
        try:
            if not group.membership.members:
                await group.membership.ready()
            # A host that is for ever about to be ready shall not be waited for.
            async with asyncio.timeout(settings.connect_timeout_seconds + settings.io_timeout_seconds):
                while not self._is_ready(group, needs):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            self.part(group)
            raise in_vain(settings) from error
        except BaseException:
            self.part(group)
            raise
        return group

    def part(self, group: Group) -> None:
        """A job that has joined is over."""
        group.jobs -= 1

    def takes_files(self, group: Group) -> bool:
        """Whether a host of the list does; one job in two kinds is made for hosts of both."""
        return any(facts.takes_files for facts in self._facts(group))

    def takes_pump(self, group: Group) -> bool:
        """Whether a stock host of the list preprocesses by itself."""
        return any(facts.takes_pump for facts in self._facts(group))

    def _facts(self, group: Group) -> Iterable[Facts]:
        found = (self._dispatcher.facts_of(host) for host in group.origins)
        return (facts for facts in found if facts is not None)

    def best_form(self, group: Group, forms: Sequence[Form]) -> tuple[Form, Sequence[str]]:
        """The form and encodings that the fleet wants most: what most of it will be sent."""
        for form in forms:
            for host in group.origins:
                facts, link = self._dispatcher.facts_of(host), self._links.get(host)
                if link is not None and facts is not None and form in facts.forms and link.encodings:
                    return form, link.encodings
        return forms[0], ("raw",)

    async def run(self, group: Group, job: JobSpec, source: Source) -> Answer | OnLocalhost:
        """Wait until a compiler of the fleet has spoken; raises RunLocallyError."""
        errand = self._errands.begin(job, source, group)
        self._schedule_settle()
        try:
            return await errand.ended
        except asyncio.CancelledError:
            if errand.ended.done() and not errand.ended.cancelled() and errand.ended.exception() is None:
                granted = errand.ended.result()
                if isinstance(granted, OnLocalhost):  # in this very moment: nobody is left to use it
                    self.local_is_over(granted)
            raise
        finally:
            self._errands.end(errand)
            self._schedule_settle()

    def local_is_over(self, on: OnLocalhost) -> None:
        """The compiler that ran on the `localhost` entry has ended."""
        now = self._loop.time()
        self._dispatcher.finished(on.number, "localhost", now, now - on.began)
        on.link.over()  # which may have left the list meanwhile
        self._schedule_settle()

    def next_number(self) -> int:
        """A number for a job."""
        self._next_number += 1
        return self._next_number - 1

    def close(self) -> None:
        """Stop all."""
        self._housekeeper.cancel()
        self._groups.close()
        for task in self._connecting.values():
            task.cancel()
        for link in self._links.values():
            link.close()
        if self._timer is not None:
            self._timer.cancel()

    @property
    def history(self) -> History:
        """What was learned of jobs and hosts."""
        return self._dispatcher.history

    # -- HostEvents

    def up(self, host: str, facts: Facts, server: str, instance: str) -> None:
        """A host is connected, or says something new of itself."""
        known = self._known.of(host)
        known.server, known.trouble = server, ""
        self._dispatcher.host_up(host, facts)
        self._set_instance(host, instance)
        self._happened_to(host)

    def down(self, host: str, error: HostError | None) -> None:
        """A connection has ended, or could not be made."""
        link = self._links.pop(host, None)
        if link is not None:
            link.close()
        known = self._known.of(host)
        self._set_instance(host, "")
        pause = 0.0
        if error is not None:
            known.trouble = str(error)
            group = self._known.named_by.get(host)
            pause = max(_LEAST_PAUSE_SECONDS, group.settings.backoff_seconds if group else 1.0)
            log.warning("%s", error)
            self._errands.host_lost(host, error)
        self._apply(self._dispatcher.host_down(host, self._loop.time(), pause))
        self._happened_to(host)

    def draining(self, host: str, why: str) -> None:
        """A host is leaving."""
        log.info("host %s is leaving%s", host, f": {why}" if why else "")
        self._known.of(host).trouble = why
        self._dispatcher.host_draining(host)
        self._happened_to(host)

    def granted(self, host: str, count: int) -> None:
        """A host is ready for jobs."""
        self._last_grant = self._loop.time()
        self._apply(self._dispatcher.granted(host, count, self._last_grant))
        self._schedule_settle()

    def started(self, host: str, number: int) -> None:
        """A compiler runs."""
        self._dispatcher.started(number, host, self._loop.time())
        self._errands.started(number, host)

    def finished(self, host: str, number: int, spoken: Spoken) -> None:
        """A compiler has spoken: the first one counts."""
        seconds = spoken.seconds if not spoken.status else None
        others = self._dispatcher.finished(number, host, self._loop.time(), seconds)
        errand = self._errands.get(number)
        if errand is not None:
            self._errands.answered(host, errand, others, Answer(self._known.specs[host].text, spoken))
        self._schedule_settle()

    def failed(self, host: str, number: int, error: HostError) -> None:
        """A host could not do a job."""
        errand = self._errands.get(number)
        if errand is None or host not in errand.links:
            return
        del errand.links[host]
        if isinstance(error, UnfitTextError):
            self._errands.give_up(errand, RunLocallyError(Reason.SOURCE_NEEDED, str(error)))
        elif isinstance(error, UnfitFilesError):
            self._errands.give_up(errand, RunLocallyError(Reason.CANNOT_SHIP, str(error)))
        elif isinstance(error, StaleError | PumpUnfitError):
            self._errands.give_up(errand, error)
        elif isinstance(error, KilledError):
            self._errands.give_up(errand, RunLocallyError(Reason.REMOTE_SIGNAL, str(error)))
        else:
            errand.errors.append(error)
            if not isinstance(error, JobLimitError):
                self._blame(host, errand, error)
            errand.source.unbound(host)
            self._apply(self._dispatcher.failed(number, host))
        self._schedule_settle()

    def _blame(self, host: str, errand: Errand, error: HostError) -> None:
        compiler = errand.spec.needs.name if isinstance(error, HostRefusedError) else None
        longest = errand.group.settings.backoff_seconds
        pause = self._dispatcher.left_alone(host, compiler, self._loop.time(), longest)
        self._opening.ask_again(host)
        scope = f" for {compiler.decode(errors='replace')}" if compiler else ""
        log.warning("%s; left alone for %.0f s%s", error, pause, scope)
        self._happened_to(host)

    # -- instructions

    def _apply(self, instructions: Iterable[Instruction]) -> None:
        for instruction in instructions:
            match instruction:
                case Send():
                    host = instruction.host
                    text = self._known.specs[host].text
                    self._errands.send(instruction.job, host, text, self._links[host])
                case Demand():
                    self._links[instruction.host].demand(instruction.most, instruction.priority)
                case Decline():
                    if instruction.host in self._links:
                        self._links[instruction.host].decline(instruction.count)
                case Connect():
                    self._connect(instruction.host)
                case Cancel():
                    self._errands.cancel(instruction.job, instruction.host)
                case Surrender():
                    self._surrender(instruction.job, instruction.why)

    def _surrender(self, number: int, why: Why) -> None:
        errand = self._errands.get(number)
        assert errand is not None
        self._errands.give_up(errand, self._reason(errand.group, errand.spec.needs, why, errand.errors))

    # -- why not

    def _is_ready(self, group: Group, needs: Needs) -> bool:
        """Whether a host that can do such a job is there; raises RunLocallyError when none will be."""
        prospect, instructions = self._dispatcher.prospect(group.key, needs, self._loop.time())
        self._apply(instructions)
        if isinstance(prospect, Why):
            raise self._reason(group, needs, prospect, ())
        return prospect is Prospect.READY

    def _reason(self, group: Group, needs: Needs, why: Why, errors: Sequence[HostError]) -> RunLocallyError:
        told = "; ".join(map(str, errors)) or self._known.troubles(group)
        match why:
            case Why.NO_HOSTS | Why.ALL_FAILING:
                return RunLocallyError(Reason.ALL_HOSTS_FAILING, told)
            case Why.NO_FORM:
                return RunLocallyError(Reason.DEBUG_COLUMNS)
            case Why.NO_SANDBOX:
                return RunLocallyError(Reason.NO_SANDBOX, told)
            case Why.NO_SAME_COMPILER:
                name = needs.name.decode(errors="backslashreplace")
                return RunLocallyError(Reason.NO_SAME_COMPILER, f"{name}, identity {needs.identity}")
            case Why.FAILED:
                if errors and all(isinstance(error, HostRefusedError) for error in errors):
                    return RunLocallyError(Reason.REFUSED, told)
                return RunLocallyError(Reason.HOSTS_FAILED if errors else Reason.ALL_HOSTS_FAILING, told)

    # -- hosts

    def _group_changed(self, group: Group) -> None:
        self._known.take_members(group)
        self._dispatcher.set_group(group.key, self._known.places(group))
        for host in group.places:
            self._happened_to(host)
        self._happened()

    def _set_instance(self, host: str, instance: str) -> None:
        if self._known.set_instance(host, instance):
            for group in self._groups.all():
                if host in group.places:
                    self._dispatcher.set_group(group.key, self._known.places(group))

    def _connect(self, host: str) -> None:
        if host not in self._connecting:
            self._connecting[host] = self._tasks.create_task(self._open(host))
            self._tell(host)

    async def _open(self, host: str) -> None:
        settings, spec = self._known.named_by[host].settings, self._known.specs[host]

        def made(link: Link) -> None:
            self._links[host] = link

        try:
            limit = slot_limit(Use.COMPILE, settings, self._known.named_by[host].host_list, self._processors)
            await self._opening.open(host, spec, timeouts_of(settings), limit, made)
        except HostError as error:
            self.down(host, error)
        except OSError as error:  # of this machine: no descriptor is left, say
            self.down(host, HostError(f"{spec.text}: cannot connect: {error.strerror or error}"))
        finally:
            del self._connecting[host]

    # -- time

    def _happened_to(self, host: str) -> None:
        self._tell(host)
        self._happened()

    def _tell(self, host: str) -> None:
        if self.watcher is not None:
            self.watcher.host_changed(host)

    def _happened(self) -> None:
        self._news.set()
        self._schedule_settle()

    def _schedule_settle(self) -> None:
        if not self._settle_scheduled:
            self._settle_scheduled = True
            self._loop.call_soon(self._settle)

    def _settle(self) -> None:
        self._settle_scheduled = False
        now = self._loop.time()
        self._apply(self._dispatcher.settle(now))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._dispatcher.next_deadline(now)
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._schedule_settle)

    async def _keep_house(self) -> None:
        """Once a second: hosts files, lists and hosts that nobody names, stock hosts to be asked again."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._errands.give_up_in_vain(self._last_grant)
            for group in self._groups.look(self._loop.time()):
                self._dispatcher.drop_group(group.key)
            for host in self._dispatcher.unnamed_hosts():
                self._forget(host)
            for host, link in list(self._links.items()):
                if isinstance(link, StockLink) and link.is_idle and not self._opening.is_known_stock(host):
                    self.down(host, None)

    def _forget(self, host: str) -> None:
        connecting = self._connecting.get(host)
        if connecting is not None:
            connecting.cancel()
        link = self._links.pop(host, None)
        if link is not None:
            link.close()
        self._known.forget(host)
        self._opening.pictures.pop(host, None)
        self._tell(host)

    # -- for people

    @property
    def waiting(self) -> int:
        """Jobs that wait for a host."""
        return self._dispatcher.queued

    @property
    def races(self) -> dict[str, float]:
        """What was spent on running jobs twice, and won by it."""
        races = self._dispatcher.races
        return {
            "started": races.started,
            "won": races.won,
            "seconds": round(races.spent, 3),
            "of_seconds": round(races.work_done, 3),
        }

    def view(self, host: str) -> Host:
        """A host for those who watch; `gone`: no list names it any more."""
        return self._known.event(host, self._dispatcher, self._loop.time())

    def slots_of(self, host: str) -> int:
        """That a host has, for one job at its end; 0: it was never connected."""
        facts = self._dispatcher.facts_of(host)
        return 0 if facts is None else facts.slots

    def lacking(self, blobs: Mapping[bytes, int]) -> dict[str, dict[str, int]]:
        """What of these blobs (sizes by digest) each host that takes files now was not told of.

        It may have some all the same: from other users, an earlier agent, or its own system.
        """
        found = {}
        for host, picture in self._opening.pictures.items():
            facts = self._dispatcher.facts_of(host)
            if self._dispatcher.state_of(host) is HostState.UP and facts is not None and facts.takes_files:
                sizes = [size for digest, size in blobs.items() if not picture.has_told(digest)]
                found[host] = {"files": len(sizes), "bytes": sum(sizes)}
        return found

    @property
    def hosts(self) -> list[str]:
        """The ids of all hosts that jobs have named."""
        return list(self._known.specs)

    def snapshot(self) -> list[dict[str, object]]:
        """Every host that jobs have named, for `fleetcc status` and `fleetcc hosts`."""
        now = self._loop.time()
        return [self._known.row(host, self._dispatcher, now) for host in self._known.specs]
