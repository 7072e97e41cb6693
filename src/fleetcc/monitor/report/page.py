"""Puts the report together: one HTML page that needs nothing from anywhere. It reads its own style sheet."""

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

from fleetcc.monitor.amounts import bytes_text, clock_text, seconds_text, share_text
from fleetcc.monitor.events import Record
from fleetcc.monitor.lanes import HERE, end_of, laid
from fleetcc.monitor.report.drawing import CAUSE_TEXTS, key, shares_bar, timeline
from fleetcc.monitor.report.markup import element, paragraph, table, text
from fleetcc.monitor.report.measures import HostFacts, Measures, measure, slots_of
from fleetcc.monitor.report.replay import Replay, replay
from fleetcc.monitor.report.verdict import LOSS, WAITING, Verdict, judge
from fleetcc.monitor.stats import REASONS, HostStats, Stats, slowest, stats_of, unit_seconds

_LONGEST: Final = 25
# Nothing may be fetched, whatever stands in the page.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def report_page(records: Sequence[Record], facts: Mapping[str, HostFacts], program: str) -> str:
    """The page about these jobs of one build, of which there must be some."""
    slots = slots_of(records, facts)
    measures = measure(records, slots)
    stats = stats_of(records)
    title = f"Build {records[-1].build}"
    parts = [
        element("h1", text(f"{title}, {clock_text(stats.first)}")),
        _verdict(judge(measures)),
        _tiles(stats, measures),
        _accounts(measures),
        _timeline(records),
        _more(replay(records, slots, facts, measures)),
        _longest(records),
        _here(records),
        _hosts(stats, slots, facts, measures),
        _rules(),
        paragraph(f"Written by {program}.", class_="quiet"),
    ]
    style = files("fleetcc.monitor.report").joinpath("style.css").read_text("utf-8")
    head = (
        '<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{text(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        + element("title", text(title))
        + element("style", style)
    )
    body = element("main", "\n".join(parts))
    return f'<!DOCTYPE html>\n<html lang="en">{element("head", head)}\n{element("body", body)}</html>\n'


def _verdict(verdict: Verdict) -> str:
    inside = element("p", element("strong", text(verdict.name)))
    return element("div", inside + paragraph(verdict.because) + paragraph(verdict.remedy), class_="verdict")


def _tiles(stats: Stats, measures: Measures) -> str:
    tiles = {
        "from first to last job": seconds_text(measures.seconds),
        "jobs": str(stats.jobs),
        "on hosts": f"{stats.remote} ({share_text(stats.remote / max(1, stats.jobs))})",
        "compilers at once, on average": f"{stats.parallelism:.1f}",
        "CPU time from the fleet": seconds_text(stats.cpu_seconds_remote),
        "sent": bytes_text(stats.sent),
        "received": bytes_text(stats.received),
        "failed or cancelled": str(stats.failed + stats.cancelled),
    }
    return element(
        "ul",
        "".join(element("li", element("b", text(value)) + text(name)) for name, value in tiles.items()),
        class_="tiles",
    )


def _accounts(measures: Measures) -> str:
    if not measures.slots:
        return ""
    shares = measures.shares
    known = {
        cause: f"{CAUSE_TEXTS[cause]}: {share_text(share)}" for cause, share in shares.items() if share > 0
    }
    told = (
        f"What became of {measures.slots} slots in {seconds_text(measures.seconds)}; jobs waited for a slot "
        f"in {share_text(measures.waiting)} of the time, and {measures.open:.1f} jobs were there at once on "
        "average."
    )
    return element("h2", "The fleet's time") + shares_bar(shares) + key(known) + paragraph(told)


def _timeline(records: Sequence[Record]) -> str:
    picture = timeline(laid(records), min(r.started for r in records), max(map(end_of, records)))
    meaning = {
        "run": "compiler ran on a host", "travel": "on the way", "here": "ran here",
        "queue": "waiting or prepared", "failed": "failed or cancelled",
    }  # fmt: skip
    told = "Point at a job for its name. `fleetcc trace -o build.json` has all details, for Perfetto."
    return element("h2", "Timeline") + picture + key(meaning) + paragraph(told, class_="quiet")


def _more(played: Replay | None) -> str:
    head = element("h2", "What one more host would have brought")
    if played is None:
        return head + paragraph(
            "Too few jobs ran on hosts to tell, or they took too long to be played again."
        )
    rows = [
        (
            "one more" if more.hosts == 1 else f"{more.hosts} more",
            f"{seconds_text(more.seconds)} instead of {seconds_text(played.seconds)}",
            share_text(more.saved),
            seconds_text(more.build_seconds),
        )
        for more in played.more
    ]
    heads = ("hosts", "replayed jobs take", "saved", "the build would then take")
    part = "" if played.jobs == played.of_jobs else f" (the first {played.jobs} of {played.of_jobs})"
    truly = seconds_text(played.really)
    told = (
        f"The durations of the jobs that ran on hosts{part} were replayed in fleetcc's simulator, by the "
        "same scheduling code, once with the hosts as they were and once with more of "
        f"{played.slots} slots and speed {played.speed:.2g} each. In truth these jobs took {truly}; how far "
        "the replay is from that says how much it leaves out, and since both replays leave out the same, "
        "only their difference counts."
    )
    assumed = (
        f"Assumed: the build tool keeps {played.parallel} jobs for hosts at once, as it did; no job waits "
        "for another one's result; nobody else uses the hosts; the network is as fast for one more. A build "
        "whose jobs wait for each other gains less than this."
    )
    return head + table(heads, rows, (1, 2, 3)) + paragraph(told) + paragraph(assumed, class_="quiet")


def _longest(records: Sequence[Record]) -> str:
    rows = [
        (
            record.label,
            seconds_text(unit_seconds(record)),
            record.host or "-",
            seconds_text(record.predicted) if record.predicted else "-",
            bytes_text(record.peak_bytes) if record.peak_bytes else "-",
        )
        for record in slowest(records, _LONGEST)
    ]
    heads = ("unit", "compiler ran", "on", "predicted", "memory")
    return element("h2", "Longest units") + table(heads, rows, (1, 3, 4))


def _here(records: Sequence[Record]) -> str:
    here = [record for record in records if record.reason not in {"", "remote"}]
    head = element("h2", "What ran here, and why")
    if not here:
        return head + paragraph("Nothing: every job that ended ran on a host.")
    counts = Counter(record.reason for record in here)
    seconds: Counter[str] = Counter()
    example: dict[str, Record] = {}
    for record in here:
        seconds[record.reason] += round(1000 * unit_seconds(record))
        example.setdefault(record.reason, record)
    rows = [
        (
            slug,
            count,
            seconds_text(seconds[slug] / 1000),
            REASONS.get(slug, ""),
            f"{example[slug].label} {example[slug].detail}".strip(),
        )
        for slug, count in counts.most_common()
    ]
    heads = ("reason", "jobs", "compiling", "meaning and remedy", "for example")
    return head + table(heads, rows, (1, 2))


def _hosts(stats: Stats, slots: Mapping[str, int], facts: Mapping[str, HostFacts], measures: Measures) -> str:
    rows = []
    for name, host in stats.by_host.items():
        count = slots.get(name, 0)
        speed = f"{facts[name].speed:.2g}" if name in facts else "-"
        rows.append((name, count or "-", host.jobs, _busy(host, count, measures), speed, *_amounts(host)))
    heads = ("host", "slots", "jobs", "busy", "speed", "CPU time", "sent", "received")
    told = (
        "Slots are what a host told with its jobs or tells the agent, else as many compilers as ran at once. "
        f"Busy is the share of its slots' time that they were ours; {HERE} is this machine. Speed is "
        "relative: 1 is ordinary."
    )
    return element("h2", "Hosts") + table(heads, rows, range(1, 8)) + paragraph(told, class_="quiet")


def _busy(host: HostStats, slots: int, measures: Measures) -> str:
    return share_text(host.seconds / (slots * measures.seconds)) if slots and measures.seconds else "-"


def _amounts(host: HostStats) -> tuple[str, str, str]:
    return seconds_text(host.cpu_seconds), bytes_text(host.sent), bytes_text(host.received)


def _rules() -> str:
    told = (
        "At each moment each slot of the fleet is given to what it did or to what kept it idle. If this side "
        "(fewer jobs than slots, jobs that are prepared, jobs that run here), the network, or the end of the "
        f"build lost {share_text(LOSS)} or more of the slots' time, the build is bound by whichever lost "
        f"most. Else, if jobs waited for a slot in {share_text(WAITING)} of the time or more, it is "
        "slot-bound; else the fleet was well used."
    )
    return element("h2", "How this is decided") + paragraph(told)
