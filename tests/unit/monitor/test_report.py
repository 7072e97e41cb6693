"""The report: what became of the slots' time, the verdict, what one more host brings, and the page itself."""

import re
from html.parser import HTMLParser

import msgspec
import pytest

from fleetcc.monitor.lanes import MOST_LANES, end_of, laid
from fleetcc.monitor.report.drawing import timeline
from fleetcc.monitor.report.markup import element, paragraph, table, text
from fleetcc.monitor.report.measures import CAUSES, HostFacts, Measures, measure, slots_of
from fleetcc.monitor.report.page import report_page
from fleetcc.monitor.report.replay import MOST_JOBS, MOST_SECONDS, replay
from fleetcc.monitor.report.verdict import LOSS, WAITING, judge
from tests.support.past_builds import START, busy_build, local, record, remote


def measured(records, **slots: int) -> Measures:
    return measure(records, slots or slots_of(records, {}))


# -- what became of the time


def test_all_causes_add_up_to_the_whole() -> None:
    records = [remote(1, waits=1, prepares=0.5), remote(2, slot=1, at=1, runs=5), local(3, at=2, runs=9)]

    assert sum(measured(records).shares.values()) == pytest.approx(1)
    assert tuple(measured(records).shares) == CAUSES


def test_a_slot_that_compiles_is_run_and_one_without_a_job_is_tail() -> None:
    records = [remote(1, prepares=0, uploads=0, runs=2, returns=0)]

    assert measured(records, b1=2).shares["run"] == pytest.approx(0.5)
    assert measured(records, b1=2).shares["tail"] == pytest.approx(0.5)


def test_what_the_compiler_does_not_account_for_is_the_way() -> None:
    record = remote(1, prepares=0, uploads=1, runs=3, returns=0, run_seconds=1)

    shares = measured([record]).shares

    assert shares["travel"] == pytest.approx(3 / 4)
    assert shares["run"] == pytest.approx(1 / 4)


def test_an_idle_slot_is_not_ours_while_a_job_waits() -> None:
    shares = measured([remote(1, prepares=0, waits=3, uploads=0, runs=1, returns=0)]).shares

    assert shares["full"] == pytest.approx(3 / 4)


def test_a_wait_as_short_as_an_answer_is_the_way() -> None:
    found = measured([remote(1, prepares=0, waits=0.01, uploads=0, runs=0.01, returns=0)])

    assert found.shares["travel"] == pytest.approx(1 / 2)
    assert found.waiting == 0


def test_one_job_that_is_prepared_answers_for_one_slot() -> None:
    records = [remote(1, prepares=1, uploads=0, runs=1, returns=0), remote(2, at=1.5, prepares=0, runs=0.5)]

    shares = measured(records, b1=4).shares

    assert shares["prepare"] == pytest.approx(1 / (4 * measured(records).seconds))
    assert shares["starved"] > shares["prepare"]


def test_slots_are_what_is_known_or_what_was_seen() -> None:
    records = [remote(1, "b1", 0), remote(2, "b1", 1), remote(3, "b2", 5), local(4)]

    assert slots_of(records, {}) == {"b1": 2, "b2": 5}
    assert slots_of(records, {"b1": HostFacts(8), "b3": HostFacts(8)}) == {"b1": 8, "b2": 5}


def test_slots_are_first_of_all_what_the_jobs_tell() -> None:
    jobs = [remote(1, "b1", 5, slots=4), remote(2, "b1", slots=8), remote(3, "b1"), remote(4, "b2", 3)]

    assert slots_of(jobs, {}) == {"b1": 8, "b2": 3}
    assert slots_of(jobs, {"b1": HostFacts(2), "b2": HostFacts(6)}) == {"b1": 8, "b2": 6}


def test_a_number_of_slots_that_cannot_be_costs_little() -> None:
    assert slots_of([remote(1, slot=1 << 40, slots=1 << 40)], {}) == {"b1:3632": MOST_LANES}
    assert slots_of([remote(1, slot=1 << 40)], {"b1:3632": HostFacts(1 << 40)}) == {"b1:3632": MOST_LANES}


def test_a_host_that_is_half_used_is_seen_to_be_starved_only_when_its_slots_are_told() -> None:
    told = [msgspec.structs.replace(job, slots=8) for job in busy_build(2, 4, 30, parallel=8)]

    assert judge(measured(busy_build(2, 4, 30, parallel=8))).name == "well-used"
    assert judge(measured(told)).name == "client-bound"
    assert "fewer jobs than slots" in judge(measured(told)).because


def test_the_job_that_a_host_has_ahead_is_no_slot() -> None:
    """A host of one slot always has the next job already."""
    jobs = [remote(n, slot=n % 2, at=n, prepares=0, uploads=0.998, runs=1.001, returns=0) for n in range(30)]

    found = measured(jobs)

    assert found.slots == 1
    assert found.shares["run"] > 0.9


def test_the_build_tools_jobs_are_counted_when_one_comes() -> None:
    all_at_once = [remote(number, slot=number) for number in range(40)]
    one_by_one = [remote(number, at=2 * number) for number in range(40)]

    assert measured(all_at_once).parallel == 36  # nine of ten saw no more
    assert measured(one_by_one).parallel == 1


def test_no_jobs_are_no_trouble() -> None:
    assert measured([]).seconds == 0


# -- the verdict, of made-up builds


def starved_build():
    """One job after the other, for eight slots."""
    return [remote(number, at=1.1 * number, slot=number % 8) for number in range(40)]


def preparing_build():
    """Preprocessing takes longer than compiling."""
    return [remote(number, at=number // 4 * 3.02, slot=number % 4, prepares=2) for number in range(60)]


def here_build():
    """Half of the jobs run here, one at a time, and make cannot start others."""
    jobs = [remote(number, at=number, slot=0, runs=0.1, prepares=0.001) for number in range(30)]
    return jobs + [local(100 + number, at=number + 0.1, runs=0.9) for number in range(30)]


def far_build():
    """The way takes longer than the compiler."""
    return [remote(n, at=(n // 4) * 3.01, slot=n % 4, uploads=2, runs=1, returns=0) for n in range(40)]


def long_build():
    """One unit takes longer than all others."""
    return [remote(number, slot=number % 8, runs=1) for number in range(1, 8)] + [remote(9, slot=0, runs=10)]


def well_used_build():
    """As many jobs as slots."""
    return busy_build(2, 4, 30, parallel=8)


@pytest.mark.parametrize(
    ("build", "name", "words"),
    [
        (starved_build, "client-bound", "fewer jobs than slots"),
        (preparing_build, "client-bound", "preprocessed here"),
        (here_build, "client-bound", "ran here"),
        (far_build, "network-bound", "on their way"),
        (long_build, "tail-bound", "no more jobs came"),
        (lambda: busy_build(2, 4, 30, parallel=24), "slot-bound", "waited for a slot"),
        (well_used_build, "well-used", "no single cause"),
        (lambda: [local(1), local(2)], "client-bound", "No job had a host"),
    ],
)
def test_each_kind_of_build_gets_its_verdict(build, name: str, words: str) -> None:
    verdict = judge(measured(build()))

    assert verdict.name == name
    assert words in verdict.because
    assert verdict.remedy


@pytest.mark.parametrize(
    ("build", "remedy"),
    [(starved_build, "make -j"), (preparing_build, "Hosts that take files"), (here_build, "reasons")],
)
def test_a_client_bound_build_gets_the_remedy_of_its_greatest_loss(build, remedy: str) -> None:
    assert remedy in judge(measured(build())).remedy


def figures(waiting: float = 0.0, **shares: float) -> Measures:
    known = dict.fromkeys(CAUSES, 0.0) | shares
    known["run"] = 1 - sum(known.values())
    return Measures(10, 10, 60.0, 8, known, waiting, 8.0, 8, 50.0)


def test_the_borders_of_the_rules() -> None:
    assert judge(figures(travel=LOSS)).name == "network-bound"
    assert judge(figures(travel=LOSS - 0.01)).name == "well-used"
    assert judge(figures(travel=LOSS, tail=LOSS + 0.01)).name == "tail-bound"
    assert judge(figures(prepare=0.1, here=0.1, starved=0.1, tail=0.29)).name == "client-bound"
    assert judge(figures(waiting=WAITING)).name == "slot-bound"
    assert judge(figures(waiting=1, full=0.5)).name == "slot-bound"
    assert "did not give us" in judge(figures(waiting=1, full=0.5)).because
    assert judge(figures(waiting=WAITING - 0.01)).name == "well-used"


# -- one more host


def replayed(records, facts=None):
    slots = slots_of(records, facts or {})
    return replay(records, slots, facts or {}, measure(records, slots))


def test_a_slot_bound_build_gains_by_one_more_host_and_more_by_two() -> None:
    found = replayed(busy_build(2, 4, 15, parallel=40))

    assert found is not None
    one, two = found.more
    assert found.seconds == pytest.approx(found.really, rel=0.1)
    assert 0.2 < one.saved < 0.4  # a third, with the same jobs on three hosts
    assert 0.4 < two.saved < 0.6
    assert one.build_seconds > two.build_seconds


def test_a_starved_build_gains_nothing() -> None:
    found = replayed(starved_build())

    assert found is not None
    assert [round(more.saved, 2) for more in found.more] == [0, 0]


def test_a_tail_bound_build_gains_little() -> None:
    found = replayed(long_build())

    assert found is not None
    assert found.more[0].saved < 0.05


def test_the_new_host_is_as_the_others_are() -> None:
    records = busy_build(2, 4, 5, parallel=40)

    found = replayed(records, {"b0:3632": HostFacts(4, 2.0), "b1:3632": HostFacts(4, 2.0)})

    assert found is not None
    assert (found.slots, found.speed) == (4, 2.0)


def test_too_few_jobs_tell_nothing() -> None:
    assert replayed([remote(1), local(2)]) is None
    assert replayed([local(1)]) is None


def test_what_would_take_the_simulator_long_is_not_replayed() -> None:
    assert replayed([remote(1), remote(2, runs=MOST_SECONDS + 1)]) is None
    assert replayed([remote(1), remote(2, prepares=1e9)]) is None
    assert replayed([remote(1), remote(2, runs=MOST_SECONDS / 60)]) is not None


def test_a_host_that_lies_about_its_compilers_does_not_stretch_the_replay() -> None:
    found = replayed([remote(1, run_seconds=1e9), remote(2)])

    assert found is not None
    assert found.seconds < 10


def test_a_long_build_is_replayed_in_part() -> None:
    records = [remote(number, slot=number % 64, at=number / 64, runs=1) for number in range(MOST_JOBS + 10)]

    found = replayed(records)

    assert found is not None
    assert (found.jobs, found.of_jobs) == (MOST_JOBS, MOST_JOBS + 10)


# -- the page


class Page(HTMLParser):
    """Checks that what is opened is closed, and keeps what is fetched from elsewhere."""

    VOID = frozenset(("meta", "br"))

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        self.fetched += [
            f"{tag} {name}" for name, _ in attrs if name in {"src", "href", "xlink:href", "data"}
        ]

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)


def page_of(records, facts=None) -> Page:
    page = Page(report_page(records, facts or {}, "fleetcc 9"))
    assert page.open == []
    return page


def test_the_page_is_whole_and_fetches_nothing() -> None:
    page = page_of([*busy_build(2, 4, 5, parallel=20), local(1000, at=4)])

    assert page.fetched == []
    assert "script" not in page.tags
    assert "url(" not in page.text
    assert "prefers-color-scheme: dark" in page.text


def test_the_page_has_what_it_promises() -> None:
    facts = {"b0:3632": HostFacts(4, 1.25)}
    page = page_of([*busy_build(2, 4, 5, parallel=20), local(1000, at=4, detail="app")], facts)

    assert "slot-bound" in page.text
    for head in (
        "Timeline",
        "Longest units",
        "What ran here, and why",
        "Hosts",
        "one more host",
        "How this is",
    ):
        assert head in page.text
    assert "calls the linker" in page.text  # the remedy of model.Reason
    assert "1.2" in page.text
    assert "Assumed" in page.text


@pytest.mark.parametrize(
    "records",
    [
        [local(1)],
        [remote(1)],
        [record(1, 0, [], state="cancelled")],
        [remote(1, runs=0, uploads=0, prepares=0, returns=0, run_seconds=0)],
        [remote(1), remote(2, at=100_000)],
    ],
)
def test_odd_builds_have_a_page_too(records) -> None:
    assert page_of(records).text


def test_no_name_can_break_the_page() -> None:
    name = '</style><script>alert(1)</script>"&\x00\x1b\u202e\udcff'

    page = page_of(
        [remote(1, label=name, directory=name), remote(2, name, label=name), local(3, detail=name)]
    )

    assert "script" not in page.tags
    assert "\x00" not in page.text
    assert "\u202e" not in page.text
    report_page([remote(1, label=name)], {}, "fleetcc 9").encode()


def test_many_narrow_jobs_are_drawn_together() -> None:
    few = [
        remote(number, at=number * 0.001, runs=0.0005, prepares=0, uploads=0, returns=0)
        for number in range(10)
    ]
    many = [*few, remote(11, at=1000, runs=1)]

    def drawn(records) -> str:
        return timeline(laid(records), min(r.started for r in records), max(map(end_of, records)))

    assert "10 jobs" in drawn(many)
    assert len(re.findall("<rect", drawn(few))) > len(re.findall("<rect", drawn(many)))


def test_of_a_job_only_what_can_be_seen_is_drawn() -> None:
    def drawn(records) -> list[str]:
        return re.findall('rect class="([a-z]+)"', timeline(laid(records), START, end_of(records[-1])))

    short = [remote(1, runs=1, uploads=0.001, prepares=0, returns=0)]
    assert drawn(short) == ["travel", "run"]
    assert drawn([*short, remote(2, at=1000, prepares=0, uploads=0, returns=0)]) == ["run", "run"]


def test_a_page_about_a_huge_build_is_still_a_page() -> None:
    records = [
        remote(n, f"b{n % 16}", slot=n // 16 % 16, at=n // 256 * 0.3, runs=0.2, prepares=0.001)
        for n in range(5_000)
    ]

    assert len(timeline(laid(records), records[0].started, end_of(records[-1]))) < 1_500_000


def test_texts_are_escaped_and_code_is_marked() -> None:
    assert text('<a href="x">&') == "&lt;a href=&quot;x&quot;&gt;&amp;"
    assert paragraph("say `make <x>` now") == "<p>say <code>make &lt;x&gt;</code> now</p>"
    assert element("p", "a", class_="x", aria_label='"') == '<p class="x" aria-label="&quot;">a</p>'
    assert '<td class="number">2</td>' in table(("a", "b"), [("x", 2)], (1,))
