"""A job's way to hosts, round by round: the fleet, the files and the texts are what a test says."""

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fleetcc.agent.errand import Answer, OnLocalhost, RunLocallyError, Source
from fleetcc.agent.inputs import Prepared
from fleetcc.agent.invocation import CannotShipError, Invocation
from fleetcc.agent.local_slots import LocalSlots, Use
from fleetcc.agent.plan import Plans, Send, plan
from fleetcc.agent.pump import PumpMemory
from fleetcc.agent.remote import MAX_ROUNDS, RemoteWay
from fleetcc.agent.services import Services
from fleetcc.agent.spoke import SpokeMemory
from fleetcc.agent.stories import Stories
from fleetcc.agent.story import Story
from fleetcc.agent.text import PragmaMemory
from fleetcc.agent.verification import Verified
from fleetcc.backends.link import AnyOrder, FileOrder, LeftFile, Order, Spoken, StaleError
from fleetcc.model import Compiler, Family, Form, Reason
from fleetcc.monitor.journal import Journal
from fleetcc.scheduling.fleet import Facts, HostType, JobSpec, Needs
from fleetcc.scheduling.history import History
from fleetcc.settings import load_settings
from tests.unit.agent.hand_launcher import WRITTEN, HandLauncher, ran

GCC = Compiler(Family.GCC, (12, 2, 0), b"x86_64-linux-gnu", b"gcc-12")
FILES_HOST = Facts(HostType.FLEET, 4, takes_files=True)
TEXT_HOST = Facts(HostType.FLEET, 4, frozenset({"a" * 64}))
FAILED = 0x100


def prepared(label: str = "a.c", size: int = 99) -> Prepared:
    order = FileOrder((), {}, b"/usr/bin/gcc", (b"gcc",), (), b"/", 0o22, (b"/",), (), label)
    return Prepared(order, size, (b"key",), (), ())


class HandInputs:
    """Gives what it was given, or raises it; has missed a file so many times."""

    def __init__(self, *found: Prepared | Exception, missed: int = 0) -> None:
        self.found = deque(found)
        self.missed = missed
        self.learned = 0
        self.asked = 0

    async def prepare(self, _invocation: Invocation, _shipment: object) -> Prepared:
        self.asked += 1
        found = self.found[0] if len(self.found) == 1 else self.found.popleft()
        if isinstance(found, Exception):
            raise found
        return found

    def content(self, _digest: bytes) -> None:
        """No file has it."""

    def learn(self, _prepared: Prepared, _spoken: Spoken) -> bool:
        self.learned += 1
        self.missed -= 1
        return self.missed >= 0


@dataclass
class HandFleet:
    """Sends each job to a host with these facts, and answers from a list."""

    answers: deque[Any]
    facts: Facts = FILES_HOST
    orders: list[AnyOrder] = field(default_factory=list)
    jobs: list[JobSpec] = field(default_factory=list)
    needs: list[Needs] = field(default_factory=list)
    joined: int = 0
    history: History = field(default_factory=History)

    async def join(self, _found: object, _settings: object, needs: Needs) -> Any:
        self.joined += 1
        self.needs.append(needs)
        return SimpleNamespace(key="group")

    def part(self, _group: object) -> None:
        self.joined -= 1

    def takes_files(self, _group: object) -> bool:
        return self.facts.takes_files

    def takes_pump(self, _group: object) -> bool:
        return self.facts.takes_pump

    def best_form(self, _group: object, forms: Sequence[Form]) -> tuple[Form, Sequence[str]]:
        return forms[0], ("raw",)

    def next_number(self) -> int:
        return len(self.jobs)

    async def run(self, _group: object, job: JobSpec, source: Source) -> Any:
        self.jobs.append(job)
        answer = self.answers.popleft()
        if isinstance(answer, OnLocalhost):
            return answer
        source.bound("red", "red")
        order = source.order(self.facts, ("raw",))
        self.orders.append(order if order is not None else await source.make_order(self.facts, ("raw",)))
        if isinstance(answer, Exception):
            raise answer
        source.answered("red", answer)
        return Answer("red", answer)


class Bench:
    """One job, with all that it meets."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.inputs = HandInputs(prepared())
        self.fleet = HandFleet(deque())
        self.launcher = HandLauncher(WRITTEN)
        self.stories = Stories(Journal(str(directory)))
        self.story: Story = self.stories.begin((b"gcc", b"-c", b"a.c"), os.fsencode(directory))
        self.verified = Verified()
        self.local = LocalSlots()

    def way(self, line: str = "gcc -c a.c", **variables: str) -> RemoteWay:
        told = {"HOME": str(self.directory), "FLEETCC_HOSTS": "red", **variables}
        environment = {name.encode(): value.encode() for name, value in told.items()}
        settings = load_settings(environment, system=str(self.directory / "etc"))
        argv, cwd = tuple(line.encode().split()), os.fsencode(self.directory)
        planned = plan(argv, cwd, environment, GCC, settings)
        assert isinstance(planned, Send)
        services = Services(
            fleet=cast("Any", self.fleet), local=self.local, compilers=cast("Any", None),
            inputs=cast("Any", self.inputs), stories=self.stories, executor=cast("Any", None),
            spoke=SpokeMemory(), pragmas=PragmaMemory(), verified=self.verified, processors=2,
            pump=PumpMemory(cast("Any", self.inputs)), plans=Plans(),
        )  # fmt: skip
        invocation = Invocation(b"/usr/bin/gcc", argv, cwd, environment, 0o22)
        needs = Needs("a" * 64, b"gcc-12", planned.forms, files=planned.shipment is not None)
        connection = self.launcher.connection
        return RemoteWay(services, connection, self.story, invocation, planned, needs, settings)

    async def carry(self, *answers: Any, line: str = "gcc -c a.c", **variables: str) -> Any:
        """The job, whose hosts answer so."""
        self.fleet.answers = deque(answers)
        try:
            return await self.way(line, **variables).carry()
        finally:
            assert self.fleet.joined == 0

    async def reason(self, *answers: Any, **more: Any) -> RunLocallyError:
        """Why it is done here."""
        with pytest.raises(RunLocallyError) as caught:
            await self.carry(*answers, **more)
        return caught.value

    def spoken(self, content: bytes = b"object", status: int = 0, stderr: bytes = b"") -> Spoken:
        """What a compiler says of a job made of files."""
        files = () if status else (LeftFile(os.fsencode(self.directory / "a.o"), 0o644, content),)
        return Spoken(status, b"", stderr, b"", 0.1, files)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


TEXT_SPOKEN = Spoken(0, b"", b"", b"object", 0.1)


# -- as files


async def test_a_job_made_of_files_needs_no_preprocessor_and_its_files_are_delivered(bench: Bench) -> None:
    assert await bench.carry(bench.spoken(stderr=b"warning")) is None

    assert bench.fleet.orders == [bench.inputs.found[0].order]  # type: ignore[union-attr]
    assert bench.fleet.jobs[0].size == 99
    assert bench.launcher.outputs == {os.fsencode(bench.directory / "a.o"): b"object"}
    assert bench.launcher.result == (0, b"", b"warning")
    assert (bench.story.state, bench.story.reason, bench.story.host) == ("done", Reason.REMOTE, "red")


async def test_the_story_tells_how_a_job_came_to_its_end(bench: Bench) -> None:
    await bench.carry(replace(bench.spoken(), cpu_seconds=0.4, peak_bytes=5, sent=6, received=7))

    story = bench.story
    states = ["planning", "scanning", "waiting", "uploading", "returning"]
    assert [state for state, *_ in story.phases] == states
    assert (story.mode, story.files, story.predicted) == ("files", 1, 1.0)
    assert (story.run_seconds, story.cpu_seconds, story.peak_bytes) == (0.1, 0.4, 5)
    assert (story.sent, story.received, story.status) == (6, 7, 0)


@pytest.mark.usefixtures("threads")
async def test_the_story_of_a_text_is_told_in_the_same_way(bench: Bench) -> None:
    bench.fleet.facts = TEXT_HOST

    await bench.carry(TEXT_SPOKEN, line=source(bench))

    states = ["planning", "waiting", "uploading", "returning"]
    assert [state for state, *_ in bench.story.phases] == states
    assert bench.story.mode == "text"


async def test_what_is_sent_again_counts_again_and_has_waited_between(bench: Bench) -> None:
    bench.inputs = HandInputs(prepared("first"), prepared("second"), missed=1)
    spoken = replace(bench.spoken(status=FAILED), sent=6, received=7)

    await bench.carry(spoken, spoken)

    states = [state for state, *_ in bench.story.phases]
    assert states[4:] == ["waiting", "scanning", "waiting", "uploading", "returning"]
    assert (bench.story.sent, bench.story.received, bench.story.hosts) == (12, 14, ("red", "red"))


async def test_a_compile_error_is_the_answer_and_is_not_run_twice(bench: Bench) -> None:
    await bench.carry(bench.spoken(status=FAILED, stderr=b"a.c:1: error"))

    assert bench.launcher.result == (FAILED, b"", b"a.c:1: error")
    assert (len(bench.fleet.orders), bench.inputs.learned) == (1, 1)


async def test_a_success_is_not_asked_what_it_missed(bench: Bench) -> None:
    bench.inputs.missed = 1

    await bench.carry(bench.spoken())

    assert bench.inputs.learned == 0


async def test_a_file_that_was_missed_is_sent_along_and_the_job_sent_again(bench: Bench) -> None:
    bench.inputs = HandInputs(prepared("first"), prepared("second"), missed=1)

    await bench.carry(bench.spoken(status=FAILED), bench.spoken())

    assert [cast("FileOrder", order).label for order in bench.fleet.orders] == ["first", "second"]
    assert bench.launcher.result[0] == 0


async def test_a_job_that_misses_one_file_after_the_other_is_done_here_in_the_end(bench: Bench) -> None:
    bench.inputs.missed = 99

    told = await bench.reason(*[bench.spoken(status=FAILED)] * MAX_ROUNDS)

    assert (told.reason, told.detail) == (Reason.FILES_MISSED, "red")
    assert len(bench.fleet.orders) == MAX_ROUNDS
    assert bench.launcher.told == []


async def test_a_job_whose_files_changed_is_made_ready_again(bench: Bench) -> None:
    bench.inputs = HandInputs(StaleError("a.h changes"), prepared("first"), prepared("second"))

    await bench.carry(StaleError("a.h has changed"), bench.spoken())

    assert [cast("FileOrder", order).label for order in bench.fleet.orders] == ["first", "second"]
    assert bench.inputs.asked == 3


async def test_files_that_never_stand_still_are_compiled_here(bench: Bench) -> None:
    bench.inputs = HandInputs(StaleError("a.h changes"))

    told = await bench.reason()

    assert (told.reason, told.detail) == (Reason.FILES_CHANGING, "a.h changes")
    assert bench.inputs.asked == MAX_ROUNDS


async def test_the_localhost_entry_may_be_free_first(bench: Bench) -> None:
    granted = OnLocalhost(1, cast("Any", None), 0.0)

    assert await bench.carry(granted) is granted
    assert bench.launcher.told == []


# -- as text


def source(bench: Bench) -> str:
    """A preprocessed source, whose text needs no preprocessor; the command."""
    (bench.directory / "a.i").write_text('# 0 "a.c"\nint x;\n')
    return "gcc -c a.i -o a.o"


@pytest.fixture
async def threads(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work for threads is done at once."""

    async def at_once(_loop: object, _executor: object, function: Any, *arguments: Any) -> Any:
        return function(*arguments)

    monkeypatch.setattr(type(asyncio.get_running_loop()), "run_in_executor", at_once)


@pytest.mark.usefixtures("threads")
async def test_where_no_host_takes_files_the_text_is_sent(bench: Bench) -> None:
    bench.fleet.facts = TEXT_HOST

    await bench.carry(TEXT_SPOKEN, line=source(bench))

    (order,) = bench.fleet.orders
    assert isinstance(order, Order)
    assert bench.inputs.asked == 0
    assert bench.launcher.outputs == {b"a.o": b"object"}


@pytest.mark.usefixtures("threads")
async def test_a_job_that_cannot_travel_as_files_travels_as_text_to_any_host(bench: Bench) -> None:
    """Also to one that takes files, and in a second round: nothing of the first one is sent."""
    bench.inputs = HandInputs(prepared(), CannotShipError(Reason.CANNOT_SHIP, "a wrapper"))

    await bench.carry(StaleError("a.h has changed"), TEXT_SPOKEN, line=source(bench))

    first, second = bench.fleet.orders
    assert isinstance(first, FileOrder)
    assert isinstance(second, Order)
    assert [job.needs.files for job in bench.fleet.jobs] == [True, False]


async def test_a_job_that_can_travel_in_no_way_is_done_here_and_says_why(bench: Bench) -> None:
    bench.inputs = HandInputs(CannotShipError(Reason.CANNOT_SHIP, "a wrapper"))

    told = await bench.reason(line="gcc -march=native -c a.c")

    assert (told.reason, told.detail) == (Reason.CANNOT_SHIP, "a wrapper")


async def test_a_host_without_a_sandbox_is_of_no_use_to_a_job_that_is_files_alone(bench: Bench) -> None:
    """As when the one that has one went away after the job had joined."""
    bench.fleet.facts = TEXT_HOST

    told = await bench.reason(line="gcc -march=native -c a.c", FLEETCC_MODE="replica")

    assert told.reason is Reason.NO_SANDBOX


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("spoken", "variables", "is_taken"),
    [
        (replace(TEXT_SPOKEN, stderr=b"warning"), {}, False),
        (replace(TEXT_SPOKEN, status=FAILED), {}, False),
        (replace(TEXT_SPOKEN, stderr=b"warning"), {"FLEETCC_EXACT": "0"}, True),
        (replace(TEXT_SPOKEN, status=FAILED), {"FLEETCC_EXACT": "0"}, False),
        (replace(TEXT_SPOKEN, status=FAILED), {"FLEETCC_FALLBACK": "0"}, True),
    ],
)
async def test_what_a_compiler_says_of_a_text_it_must_mostly_say_here(
    bench: Bench, spoken: Spoken, variables: dict[str, str], is_taken: bool
) -> None:
    bench.fleet.facts = TEXT_HOST

    if is_taken:
        await bench.carry(spoken, line=source(bench), **variables)
        assert bench.launcher.result[0] == spoken.status
    else:
        told = await bench.reason(spoken, line=source(bench), **variables)
        assert (told.reason, told.detail) == (Reason.COMPILER_SPOKE, "red")


# -- verification


async def test_a_job_that_is_verified_is_compiled_here_and_what_was_made_here_counts(bench: Bench) -> None:
    (bench.directory / "a.o").write_bytes(b"object")
    bench.launcher = HandLauncher(ran(0, b"", b"warning"), WRITTEN)

    await bench.carry(bench.spoken(stderr=b"warning"), FLEETCC_VERIFY="100%")

    assert (bench.verified.count, bench.verified.differed, list(bench.verified.told)) == (1, 0, [])
    assert bench.launcher.of(b"P") == [b"gcc\0-c\0a.c\0"]
    assert bench.launcher.outputs == {}
    assert bench.launcher.result == (0, b"", b"warning")
    assert bench.story.reason is Reason.VERIFIED
    assert bench.local.taken[Use.COMPILE] == 0


async def test_a_difference_is_counted_and_told_to_the_user(bench: Bench) -> None:
    (bench.directory / "a.o").write_bytes(b"object")
    bench.launcher = HandLauncher(ran(0), WRITTEN)

    await bench.carry(bench.spoken(b"obJect"), FLEETCC_VERIFY="100%")

    assert (bench.verified.count, bench.verified.differed) == (1, 1)
    (text,) = bench.verified.told
    assert text.endswith("a.o: 6 bytes there, 6 here, different from byte 2 on")
    (verbose,) = bench.launcher.of(b"V")
    assert b"different from byte 2 on" in verbose


@pytest.mark.usefixtures("threads")
async def test_a_text_is_verified_too_and_its_dependencies_were_listed_here_anyway(bench: Bench) -> None:
    bench.fleet.facts = TEXT_HOST
    (bench.directory / "a.o").write_bytes(b"object")
    (bench.directory / "a.d").write_bytes(b"a.o: a.c")
    bench.launcher = HandLauncher(ran(0, b'# 0 "a.c"\nint x;\n'), ran(0), WRITTEN)

    await bench.carry(TEXT_SPOKEN, line="gcc -MD -c a.c", FLEETCC_VERIFY="100%")

    assert (bench.verified.count, list(bench.verified.told)) == (1, [])


async def test_a_sample_of_nothing_verifies_nothing(bench: Bench) -> None:
    await bench.carry(bench.spoken(), FLEETCC_VERIFY="0")

    assert bench.verified.count == 0
