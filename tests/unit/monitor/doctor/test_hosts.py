"""What a visit told, as findings."""

from dataclasses import replace

import pytest

from fleetcc.hosts.grammar import parse_host_list
from fleetcc.hosts.members import Member
from fleetcc.model import Form
from fleetcc.monitor.doctor.findings import Level
from fleetcc.monitor.doctor.hosts import Ours, judge_by_agent, judge_host
from fleetcc.monitor.doctor.session import ClockSeen
from fleetcc.monitor.doctor.visit import Visit
from fleetcc.wire import fleet
from fleetcc.wire.files import FILES
from fleetcc.wire.greeting import Welcome

GCC, CLANG = "a" * 64, "b" * 64
OURS = Ours("1.0", "x86_64", {"gcc": GCC, "clang": CLANG})
GREETING = Welcome("fleetccd 1.0", tuple(Form), (1, 2), 8, 8, 2, 1, (GCC[:16], CLANG[:16]), no_files="")
FRAMES = fleet.Welcome("fleetccd 1.0", "i" * 32, 8, (GCC, CLANG), capabilities=(FILES,), machine="x86_64")
NO_FILES = replace(GREETING, no_files="no namespaces; sysctl -w this")
NO_SANDBOX = fleet.Welcome(
    "fleetccd 1.0", "i" * 32, 8, (GCC, CLANG), sandbox="no namespaces; sysctl -w this", machine="x86_64"
)


def visited(entry="10.0.0.1", **fields):
    (host,) = parse_host_list(entry, "TEST").hosts
    return Visit(Member(host, "TEST"), "10.0.0.1:3632", **fields)


GOOD = visited(greeting=GREETING, frames=FRAMES, connect_seconds=0.001, round_trips=(0.002, 0.001, 0.003))


def judge(visit):
    return [(finding.level, finding.text, finding.remedy) for finding in judge_host(visit, OURS)]


def test_a_host_in_order_is_one_sentence():
    assert judge(GOOD) == [
        (
            Level.OK,
            "fleetccd 1.0; 2 of 8 slots run, 1 wait; takes files; has our gcc clang; x86_64; "
            "connects in 1.0 ms; round trip 2.0 ms",
            "",
        )
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"upload": 117.4e6}, "117 MB/s up"),
        ({"upload": 1.25e6}, "1.2 MB/s up"),
        ({"clock": ClockSeen(0.7, 0.001)}, "clock agrees"),
        ({"clock": ClockSeen(-1.5, 2.0)}, "clock agrees"),
        ({"clock": ClockSeen(-1.5, 0.1)}, "clock 1.5 s behind"),
        ({"clock": ClockSeen(60.0, 0.1)}, "clock 60 s ahead"),
        ({"clock": ClockSeen(61.0, 2.0)}, "clock 61 s ahead"),
    ],
)
def test_what_was_measured_is_told_without_a_warning_where_it_will_do(fields, words):
    ((level, text, _),) = judge(replace(GOOD, **fields))
    assert level is Level.OK
    assert text.endswith(f"; round trip 2.0 ms; {words}")


def test_a_host_that_has_got_files_is_not_sent_them_again():
    assert any("not sent again" in remedy for _, _, remedy in judge(replace(GOOD, upload=1e6)))
    slow = replace(GOOD, upload=1e6, greeting=NO_FILES, frames=NO_SANDBOX)
    assert not any("not sent again" in remedy for _, _, remedy in judge(slow))


def test_a_stock_host_is_in_order_too():
    assert judge(visited("10.0.0.1/5", connect_seconds=0.001)) == [
        (Level.OK, "distccd; text only, limit 5; connects in 1.0 ms", "")
    ]


def test_a_host_behind_ssh_tells_by_frames_alone():
    ((level, text, _),) = judge(visited("@build", frames=FRAMES))
    assert level is Level.OK
    assert text.startswith("fleetccd 1.0; 8 slots; takes files")


@pytest.mark.parametrize(
    ("visit", "words", "remedy"),
    [
        (visited(trouble="10.0.0.1: cannot connect to 10.0.0.1 port 3632: Connection refused"),
         "cannot connect", "start fleetccd there"),
        (visited(trouble="10.0.0.1: cannot connect to 10.0.0.1 port 3632: no answer in 2.5 s"),
         "cannot connect", "does a firewall let TCP port 3632 through"),
        (visited(trouble="is not a compile server: HTTP"), "not a compile server", "correct the port"),
        (visited("@build", trouble="the ssh command ended"), "ssh command", "ssh build fleetccd --version"),
        (visited(is_refused=True), "closes the connection at once", "--allow this machine's address"),
        (visited(greeting=None, complaint="32 connections are open"), "32 connections", "see its log"),
    ],
)  # fmt: skip
def test_a_host_that_cannot_be_used_is_an_error(visit, words, remedy):
    ((level, text, advice),) = judge(visit)
    assert level is Level.ERROR
    assert words in text
    assert remedy in advice


def test_the_entry_is_not_said_twice():
    ((_, text, _),) = judge(visited(trouble="10.0.0.1: cannot connect"))
    assert text == "cannot connect"


@pytest.mark.parametrize(
    ("visit", "words"),
    [
        (visited(is_silent=True), "says nothing"),
        (replace(GOOD, greeting=replace(GREETING, server="fleetccd 2.0")), "runs fleetccd 2.0, and here is"),
        (replace(GOOD, drains="it is stopped"), "is leaving: it is stopped"),
        (replace(GOOD, greeting=replace(GREETING, capacity=3)), "at most 3 of 8 compilers now"),
        (replace(GOOD, round_trips=(0.2, 0.2, 0.2)), "is far: 200.0 ms"),
        (replace(GOOD, upload=1.2e6), "gets 1.2 MB/s of what is sent to it"),
        (replace(GOOD, upload=0.06e6), "gets under 0.1 MB/s"),
        (replace(GOOD, clock=ClockSeen(-61.5, 0.01)), "has its clock 62 s behind"),
        (replace(GOOD, clock=ClockSeen(7200.0, 0.01)), "has its clock 2 hours ahead"),
        (replace(GOOD, greeting=NO_FILES, frames=NO_SANDBOX), "takes no files: no namespaces"),
        (replace(GOOD, greeting=NO_FILES, frames=None), "takes no files: no namespaces"),
    ],
)
def test_a_host_with_something_wrong_has_a_warning_beside_its_sentence(visit, words):
    warnings = [one for one in judge(visit) if one[0] is not Level.OK]
    ((level, text, remedy),) = warnings
    assert level is Level.WARNING
    assert words in text
    assert remedy


def test_why_there_are_no_files_ends_with_that_hosts_remedy():
    assert (Level.WARNING, "takes no files: no namespaces", "there: sysctl -w this") in judge(
        replace(GOOD, greeting=NO_FILES, frames=NO_SANDBOX)
    )


def test_text_alone_needs_our_compilers_there():
    some = replace(NO_FILES, compilers=(GCC[:16],))
    none = replace(NO_FILES, compilers=())
    levels = {text: level for level, text, _ in judge(visited(greeting=some))}
    assert levels["does not have our clang"] is Level.WARNING
    levels = {text: level for level, text, _ in judge(visited(greeting=none))}
    assert levels["has none of our compilers (gcc, clang), so it gets nothing to do"] is Level.ERROR


def test_another_kind_of_processor_gets_no_files():
    arm = fleet.Welcome("fleetccd 1.0", "i" * 32, 8, (), capabilities=(FILES,), machine="aarch64")
    found = judge(replace(GOOD, greeting=replace(GREETING, compilers=()), frames=arm))
    assert any("is aarch64, and this machine x86_64" in text for _, text, _ in found)
    assert any(level is Level.ERROR for level, _, _ in found)


def test_a_host_that_still_looks_around_is_not_blamed():
    looking = fleet.Welcome("fleetccd 1.0", "i" * 32, 8, looking=True, sandbox="it is still finding out")
    found = judge(visited(greeting=replace(NO_FILES, compilers=()), frames=looking))
    assert [text for level, text, _ in found if level is not Level.OK] == [
        "has just started, and finds out what it can do"
    ]


def test_what_the_agent_has_met_there_is_told():
    assert judge_by_agent("red", {}) == judge_by_agent("red", {"left_alone_seconds": 0.0}) == []
    (finding,) = judge_by_agent("red", {"left_alone_seconds": 12.4})
    assert (finding.level, finding.title) == (Level.WARNING, "red")
    assert "leaves it alone for 12 s" in finding.text
