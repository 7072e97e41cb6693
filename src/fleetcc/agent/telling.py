"""A job's story as others read it: events of the stream, and the record of the journal."""

from collections.abc import Iterator
from typing import Final, cast

from fleetcc.agent.story import Story
from fleetcc.monitor import events
from fleetcc.monitor.events import Job, Record
from fleetcc.settings import printable

# A default is left out of a line where it is that very object, and one 0.0 is not another.
_JOB_ZERO: Final = Job(job=0, time=0.0, state="done").seconds
_RECORD_ZERO: Final = Record(
    agent="", job=0, build="", started=0.0, label="", directory="", state="done"
).seconds

# States that last less are steps of the same moment, and nobody's news.
_LEAST_SECONDS: Final = 0.0005
# Times of the journal are cut to tenths of a millisecond.
_TICKS: Final = 10_000


def events_of(story: Story, told: int) -> Iterator[Job]:
    """What is new of a job of which so many phases were told; 0: it is new itself."""
    last = len(story.phases) - 1
    for index in range(told, last + 1):
        state, since, host, slot = story.phases[index]
        until = story.phases[index + 1][1] if index < last else story.ended
        if index and until is not None and until - since < _LEAST_SECONDS:
            continue
        event = Job(job=story.number, time=_unix(story, since), state=state, host=host, slot=slot)
        if not index:
            event.directory, event.build = story.directory, story.build
        event.label = story.label if index < 2 else ""
        if index == last:
            _describe(event, story)
        yield event
    if story.ended is not None:
        yield _end(story)


def picture_of(story: Story) -> Job:
    """All that is known of a job that has not ended; `seconds`: from its arrival to this state."""
    state, since, host, slot = story.phases[-1]
    event = Job(
        job=story.number, time=_unix(story, since), state=state, host=host, slot=slot, label=story.label,
        directory=story.directory, build=story.build, seconds=(since - story.started) or _JOB_ZERO,
    )  # fmt: skip
    _describe(event, story)
    return event


def record_of(story: Story) -> Record:
    """A job that has ended, for the journal."""
    return Record(
        agent=story.stories.agent, job=story.number, build=story.build, started=story.began,
        label=story.label, directory=story.directory, state=story.state, phases=_phases(story),
        host=story.place, slot=story.slot, slots=story.stories.slots_of(story.place), mode=story.mode,
        reason=_reason(story), detail=_detail(story), hosts=story.hosts, raced=story.raced,
        predicted=_cut(story.predicted) or _RECORD_ZERO, files=story.files, sent=story.sent,
        received=story.received, status=story.status, seconds=_cut(story.seconds) or _RECORD_ZERO,
        run_seconds=story.run_seconds or _RECORD_ZERO, cpu_seconds=story.cpu_seconds or _RECORD_ZERO,
        peak_bytes=story.peak_bytes,
    )  # fmt: skip


def _phases(story: Story) -> tuple[events.Phase, ...]:
    """As they are written, which is an array each; going back, because a phase ends where the next begins."""
    found: list[tuple[str, float] | tuple[str, float, str]] = []
    until, started = story.ended or 0.0, story.started
    for state, since, host, _ in reversed(story.phases):
        if until - since >= _LEAST_SECONDS:
            after = int((since - started) * _TICKS) / _TICKS
            found.append((state, after, host) if host else (state, after))
        until = since
    found.reverse()
    return cast("tuple[events.Phase, ...]", found)


def _cut(seconds: float) -> float:
    return int(seconds * _TICKS) / _TICKS


def _describe(event: Job, story: Story) -> None:
    """What else is known now."""
    event.mode, event.files, event.predicted = story.mode, story.files, story.predicted or _JOB_ZERO
    event.sent, event.received = story.sent, story.received
    if story.reason is not None and story.ended is None:
        event.reason, event.detail = story.reason.slug, _detail(story)


def _end(story: Story) -> Job:
    assert story.ended is not None
    event = Job(
        job=story.number, time=_unix(story, story.ended), state=story.state, host=story.place,
        slot=story.slot, reason=_reason(story), detail=_detail(story), status=story.status,
        seconds=story.seconds or _JOB_ZERO,
        run_seconds=story.run_seconds or _JOB_ZERO, cpu_seconds=story.cpu_seconds or _JOB_ZERO,
        peak_bytes=story.peak_bytes, label=story.label,
    )  # fmt: skip
    _describe(event, story)
    return event


def _unix(story: Story, moment: float) -> float:
    return story.began + (moment - story.started)


def _reason(story: Story) -> str:
    return story.reason.slug if story.reason is not None else ""


def _detail(story: Story) -> str:
    return printable(story.detail) if story.detail else ""
