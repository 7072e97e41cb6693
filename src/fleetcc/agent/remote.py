"""The remote way of one job: as files or as text, wait for a host to take it, deliver what the compiler said.

Until a compiler has spoken a failure is ours: another host once, then here. As files a job is compiled by
the client's own compiler, so what that says is the answer, whatever it is. About preprocessed text a
compiler does not say what it would say here (no carets, other macros), so when it says anything the job runs
here, unless the user gave that up (FLEETCC_EXACT=0, or no fallback).
"""

import asyncio
import dataclasses
import logging
import random
from collections.abc import Sequence
from typing import Final

from fleetcc.agent.delivery import Delivery
from fleetcc.agent.errand import Answer, OnLocalhost, RunLocallyError
from fleetcc.agent.groups import Group
from fleetcc.agent.inputs import Prepared
from fleetcc.agent.invocation import CannotShipError, Invocation
from fleetcc.agent.launcher_connection import LauncherConnection
from fleetcc.agent.local_slots import Use
from fleetcc.agent.plan import Send
from fleetcc.agent.pump import pump_way
from fleetcc.agent.services import Services
from fleetcc.agent.story import Story
from fleetcc.agent.texts import Texts
from fleetcc.agent.verification import differences, run_here
from fleetcc.backends.link import AnyOrder, LeftFile, PumpOrder, PumpUnfitError, Spoken, StaleError
from fleetcc.backends.pump import PumpSpoken
from fleetcc.model import Form, Priority, Reason
from fleetcc.scheduling.fleet import Facts, JobSpec, Needs
from fleetcc.settings import Settings

log = logging.getLogger(__name__)

# Rule 1 of design.md: another host once, then local.
MAX_ATTEMPTS: Final = 2
# A job whose files change under it, or that lacks a file that is here, is sent again; but not for ever.
MAX_ROUNDS: Final = 5

_PRIORITIES: Final = {priority.slug: priority for priority in Priority}


class RemoteWay:
    """One job on its way to the hosts of its list."""

    def __init__(
        self,
        services: Services,
        connection: LauncherConnection,
        story: Story,
        invocation: Invocation,
        planned: Send,
        needs: Needs,
        settings: Settings,
    ) -> None:
        self._services = services
        self._connection = connection
        self._story = story
        self._invocation = invocation
        self._planned = planned
        self._pump = pump_way(services.pump, invocation, planned, needs.name)
        self._needs = dataclasses.replace(needs, pump=self._pump is not None)
        self._settings = settings
        self._prepared: Prepared | None = None
        self._is_sampled = settings.verify > 0 and random.random() < settings.verify
        if self._is_sampled:  # both compilers write to files
            self._invocation = dataclasses.replace(invocation, is_terminal=False)
        self._texts: Texts | None = None
        if planned.compilation is not None:
            cwd, compilation = invocation.cwd, planned.compilation
            self._texts = Texts(services, connection, story, cwd, compilation, needs, settings)

    async def carry(self) -> OnLocalhost | None:
        """Do the job on a host: None. Or the `localhost` entry that was free first, whose slot is held.

        Raises RunLocallyError when the fleet cannot do it, LauncherGoneError when nobody waits any more.
        """
        reason, detail = Reason.FILES_CHANGING, ""
        for attempt in range(MAX_ROUNDS):
            if attempt:  # else it may find a host at once
                self._story.waits()
            try:
                answer = await self._place()
            except StaleError as error:
                detail = str(error)
                continue
            except PumpUnfitError as error:
                self._without_pump(error)
                continue
            except RunLocallyError as error:
                planned = self._planned
                if error.reason is not Reason.NO_SANDBOX or planned.text_obstacle is Reason.NO_SANDBOX:
                    raise
                raise RunLocallyError(planned.text_obstacle, planned.text_detail) from error
            if isinstance(answer, OnLocalhost):
                return answer
            if not self._lacked_a_file(answer.spoken):
                await (self._verify(answer) if self._is_sampled else self._take(answer))
                return None
            reason, detail = Reason.FILES_MISSED, answer.host
        raise RunLocallyError(reason, detail)

    async def _place(self) -> Answer | OnLocalhost:
        fleet = self._services.fleet
        group = await fleet.join(self._planned.found, self._settings, self._needs)
        try:
            job = self._job(group.key, await self._make_ready(group))
            self._story.predicted = fleet.history.predict(job.key, job.size).seconds
            self._story.phase("waiting")
            answer = await fleet.run(group, job, self)
            return self._judged(answer) if isinstance(answer, Answer) else answer
        finally:
            fleet.part(group)

    async def _make_ready(self, group: Group) -> int:
        """Have what most hosts want before the job is placed: its files or its text. Its size in bytes."""
        fleet = self._services.fleet
        if self._needs.files and fleet.takes_files(group):
            prepared = await self._prepare()
            if prepared is not None:
                return prepared.size
        elif self._needs.pump and fleet.takes_pump(group) and not self._warned_lately():
            prepared = await self._prepare()
            if prepared is not None and self._needs.pump:
                return prepared.size
        if self._texts is None:
            raise RunLocallyError(self._planned.text_obstacle, self._planned.text_detail)
        if self._warned_lately():
            raise RunLocallyError(Reason.WARNED_LAST_TIME)
        form, encodings = fleet.best_form(group, self._needs.forms)
        return (await self._texts.fit(form, encodings)).plain_bytes

    async def _prepare(self) -> Prepared | None:
        """Find the job's files; None when it cannot travel as files."""
        shipment, pump = self._planned.shipment, self._pump
        assert shipment is not None
        self._story.phase("scanning")
        self._prepared = None  # of an earlier round
        try:
            self._prepared = await self._services.inputs.prepare(self._invocation, shipment)
        except CannotShipError as error:
            if not self._needs.forms or error.reason is Reason.OUTPUT_UNWRITABLE:
                raise RunLocallyError(error.reason, error.detail) from error
            self._needs = dataclasses.replace(self._needs, files=False, pump=False)
            return None
        read = sum(len(scan.closure.files) for scan in self._prepared.scans)
        self._story.files = max(read, len(shipment.sources))  # sources without includes are not scanned
        if pump is not None and not pump.may_go(self._prepared):
            self._needs = dataclasses.replace(self._needs, pump=False)
        return self._prepared

    def _warned_lately(self) -> bool:
        """Only then: as text it would have to be compiled here once more."""
        settings, planned = self._settings, self._planned
        now = asyncio.get_running_loop().time()
        return (
            settings.exact
            and settings.fallback
            and self._services.spoke.spoke_lately(self._invocation.cwd, planned.source, planned.output, now)
        )

    def _job(self, group: str, size: int) -> JobSpec:
        needs, unfit = self._needs, self._texts.unfit if self._texts is not None else ()
        if unfit:
            forms = tuple(form for form in needs.forms if form not in unfit)
            needs = dataclasses.replace(needs, forms=forms)
        return JobSpec(
            number=self._services.fleet.next_number(),
            key=self._planned.key(self._invocation.cwd),
            size=size,
            group=group,
            needs=needs,
            priority=_PRIORITIES[self._settings.priority],
            attempts=MAX_ATTEMPTS,
        )

    # -- Source: for the fleet

    def bound(self, host: str, text: str) -> None:
        """A host gets the job."""
        self._story.goes_to(host, text)

    def began(self, host: str) -> None:
        """Its compiler runs there."""
        self._story.runs_at(host)

    def unbound(self, host: str) -> None:
        """That host has it no more."""
        self._story.leaves(host)

    def answered(self, host: str, spoken: Spoken) -> None:
        """A compiler has spoken there."""
        self._story.answered_at(host, spoken)

    def order(self, facts: Facts, encodings: Sequence[str]) -> AnyOrder | None:
        """The order for such a host, when it is there."""
        if facts.takes_files and self._prepared is not None:
            self._story.mode = "files"
            return self._prepared.order
        if facts.takes_pump and self._needs.pump and self._pump is not None:
            self._story.mode = "pump"
            return self._pump.order(self._prepared) if self._prepared is not None else None
        self._story.mode = "text"
        return self._texts.order(facts.forms, encodings) if self._texts is not None else None

    async def make_order(self, facts: Facts, encodings: Sequence[str]) -> AnyOrder:
        """The same, made now; raises RunLocallyError, LauncherGoneError, StaleError, PumpUnfitError."""
        order: AnyOrder | None = None
        if facts.takes_pump and self._needs.pump:
            order = await self._pump_order()
        if order is None:
            if self._texts is None:
                raise RunLocallyError(self._planned.text_obstacle, self._planned.text_detail)
            self._story.mode = "text"
            order = await self._texts.make_order(facts.forms, encodings)
        if self._story.state in {"preprocessing", "scanning"}:
            self._story.phase("uploading")
        return order

    async def _pump_order(self) -> PumpOrder | None:
        """None: it goes as text; raises PumpUnfitError when it cannot go so either, as things are."""
        assert self._pump is not None
        try:
            prepared = self._prepared or await self._prepare()
            return (
                await self._pump.make_order(prepared) if prepared is not None and self._needs.pump else None
            )
        except PumpUnfitError as error:
            self._without_pump(error)
            if self._texts is None or Form.EXPANDED not in set(self._needs.forms) - self._texts.unfit:
                raise
            return None

    def _without_pump(self, error: PumpUnfitError) -> None:
        """It goes any other way from now on."""
        log.info("%s: not in pump mode: %s", self._story.label, error)
        self._needs = dataclasses.replace(self._needs, pump=False)
        if self._pump is not None and self._prepared is not None:
            self._pump.give_up(self._prepared)

    # -- the answer

    def _judged(self, answer: Answer) -> Answer:
        """As it would be here; raises PumpUnfitError when that cannot be told."""
        spoken = answer.spoken
        if not isinstance(spoken, PumpSpoken) or self._pump is None:
            return answer
        if _spoke(spoken) and self._accepts(spoken.status):
            raise PumpUnfitError("what its compiler says may be the host's own fault")
        return Answer(answer.host, self._pump.accepted(spoken))

    def _lacked_a_file(self, spoken: Spoken) -> bool:
        """Did it fail for lack of a file that is here? It is sent along from now on."""
        if not spoken.status or spoken.files is None or self._prepared is None:
            return False
        return self._services.inputs.learn(self._prepared, spoken)

    async def _take(self, answer: Answer) -> None:
        """Deliver what the compiler said, unless it must say it here."""
        spoken, planned = answer.spoken, self._planned
        delivery = Delivery(self._connection, self._story, self._invocation.cwd, self._settings)
        if spoken.files is not None:
            await delivery.of_files(spoken)
        else:
            if _spoke(spoken) and not self._accepts(spoken.status):
                raise RunLocallyError(Reason.COMPILER_SPOKE, answer.host)
            assert self._texts is not None
            assert planned.compilation is not None
            async with self._texts.making:  # the launcher may still be at work for another host's form
                warnings = b"" if isinstance(spoken, PumpSpoken) else self._texts.warnings
                await delivery.of_text(planned.compilation, spoken, warnings)
        self._story.end("done", Reason.REMOTE, "")

    async def _verify(self, answer: Answer) -> None:
        """Compile it here too; what was made here is what the build gets."""
        spoken, argv = answer.spoken, self._invocation.argv
        self._story.phase("verifying")
        await self._services.acquire_local(Use.COMPILE, self._settings)
        try:
            here = await run_here(self._connection, argv)
        finally:
            self._services.local.release(Use.COMPILE)
        named = self._planned.named
        files = spoken.files
        if files is None:  # dependencies were listed here in any case
            outputs = {self._planned.output: spoken.output}
            compilation = self._planned.compilation
            if isinstance(spoken, PumpSpoken) and compilation is not None and compilation.depfile is not None:
                outputs[compilation.depfile.path] = spoken.dependencies
            named = tuple(outputs)
            files = () if spoken.status else tuple(LeftFile(path, 0o644, c) for path, c in outputs.items())
        found = differences(spoken, files, here, named, self._invocation.cwd)
        verified = self._services.verified
        verified.count += 1
        text = f"{self._story.label} on {answer.host}: " + ("; ".join(found) if found else "identical")
        if found:
            verified.differed += 1
            verified.told.append(text)
            log.warning("verified %s", text)
        self._story.reason, self._story.detail = Reason.VERIFIED, text
        delivery = Delivery(self._connection, self._story, self._invocation.cwd, self._settings)
        await delivery.of_streams(here.status, here.stdout, here.stderr, say=bool(found))
        self._story.end("done")

    def _accepts(self, status: int) -> bool:
        """Is what the remote compiler said about preprocessed text the final answer?"""
        settings = self._settings
        if not settings.fallback:
            return True
        return not settings.exact and (not status or settings.skip_local_retry)


def _spoke(spoken: Spoken) -> bool:
    return bool(spoken.status or spoken.stderr or spoken.stdout)
