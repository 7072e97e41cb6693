"""What name services said, as findings."""

import pytest

from fleetcc.hosts.grammar import parse_host_list
from fleetcc.hosts.members import Member
from fleetcc.hosts.standing import Absent, Failure, Question, RecordKind, Records
from fleetcc.monitor.doctor.findings import Level
from fleetcc.monitor.doctor.names import judge_names
from fleetcc.monitor.doctor.survey import Survey

A = Question("build.test", RecordKind.A)
AAAA = Question("build.test", RecordKind.AAAA)
SYSTEM = Question("build.test", RecordKind.SYSTEM)
SRV = Question("_fleetcc._tcp.test", RecordKind.SRV)


def judge(text, replies, troubles=None, members=()):
    survey = Survey(replies, troubles or {}, members, (), 5.0)
    found = judge_names(parse_host_list(text, "TEST"), survey)
    return [(finding.level, finding.title, finding.text) for finding in found]


def test_a_list_without_names_has_nothing_to_look_up():
    text = "the list has none that must be looked up"
    assert judge("10.0.0.1 @ssh localhost gone.test,down", {}) == [(Level.OK, "names", text)]


def test_a_name_shows_its_addresses_and_for_how_long_they_count():
    replies = {A: Records(("10.0.0.1", "10.0.0.2"), 60.0), AAAA: Absent("no AAAA record", 30.0)}
    assert judge("Build.test", replies) == [
        (Level.OK, "Build.test", "10.0.0.1, 10.0.0.2 (A, TTL 60 s)"),
    ]


def test_a_name_of_many_addresses_shows_some():
    replies = {A: Records(tuple(f"10.0.0.{number}" for number in range(9)), 5.0)}
    assert judge("build.test", replies)[0][2].endswith("10.0.0.5 and 3 more (A, TTL 5 s)")


def test_a_name_that_only_the_system_knows_is_fine():
    replies = {A: Absent("no such name", 30.0), SYSTEM: Records(("10.0.0.1",), 30.0)}
    assert judge("build.test", replies) == [
        (Level.OK, "build.test", "10.0.0.1 (/etc/hosts or the like)"),
    ]


def test_a_name_of_which_half_the_answer_is_missing_is_a_warning():
    replies = {A: Records(("10.0.0.1",), 60.0), AAAA: Failure("SERVFAIL")}
    found = judge("build.test", replies, {"build.test": "AAAA: SERVFAIL"})
    assert [level for level, _, _ in found] == [Level.OK, Level.WARNING]


@pytest.mark.parametrize(
    ("troubles", "words"),
    [
        (
            {"build.test": "A: no such name; correct the name, or add it to DNS or /etc/hosts"},
            "A: no such name",
        ),
        ({}, "no answer within 5 s"),
    ],
)
def test_a_name_without_addresses_is_an_error(troubles, words):
    assert judge("build.test", {A: Absent("no such name", 30.0)}, troubles) == [
        (Level.ERROR, "build.test", words)
    ]


def test_a_service_shows_its_targets_and_their_addresses():
    replies = {
        SRV: Records(("0 5 3632 build.test.", "0 5 3633 gone.test."), 30.0),
        Question("build.test.", RecordKind.A): Records(("10.0.0.1",), 60.0),
    }
    ((level, title, text),) = judge("_fleetcc._tcp.test", replies)
    assert (level, title) == (Level.OK, "_fleetcc._tcp.test")
    assert text == (
        "build.test port 3632 (10.0.0.1 (A, TTL 60 s)), gone.test port 3633 (no address); SRV, TTL 30 s"
    )


def test_a_service_that_is_not_there_is_an_error():
    trouble = {"_fleetcc._tcp.test": "SRV: no such name; correct the name, or add SRV records to DNS"}
    ((level, _, text),) = judge("_fleetcc._tcp.test", {SRV: Absent("no such name", 30.0)}, trouble)
    assert level is Level.ERROR
    assert "add SRV records" in text


def test_the_local_network():
    (host,) = parse_host_list("10.0.0.9", "TEST").hosts
    member = Member(host, "mDNS fleetcc@red")
    assert judge("+zeroconf", {}, members=(member,))[0][0] is Level.OK
    assert judge("+zeroconf", {})[0][:2] == (Level.WARNING, "+zeroconf")
    assert judge("+zeroconf", {}, {"+zeroconf": "no zeroconf"})[0] == (
        Level.WARNING,
        "+zeroconf",
        "no zeroconf",
    )
