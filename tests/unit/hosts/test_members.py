"""Whom a list stands for, by what is known of its names."""

from fleetcc.hosts.grammar import HostKind, parse_host_list
from fleetcc.hosts.members import MAX_ADDRESSES, Expansion, Member, Nearby, expand
from fleetcc.hosts.standing import Absent, Failure, Question, RecordKind, Records, Standing, learn

A, AAAA, SRV, TXT, SYSTEM = RecordKind


class Names:
    """What is known."""

    def __init__(self) -> None:
        self.standings: dict[Question, Standing] = {}

    def has(self, name: str, kind: RecordKind, *values: str) -> None:
        self.learn(name, kind, Records(values, 60) if values else Absent(f"no {kind.value} record", 60))

    def learn(self, name: str, kind: RecordKind, reply) -> None:
        question = Question(name, kind)
        self.standings[question] = learn(self.known(question), reply, 0.0)

    def known(self, question: Question) -> Standing:
        return self.standings.get(question, Standing())

    def expand(self, text: str, nearby: Nearby | None = None) -> Expansion:
        return expand(parse_host_list(text, "ORIGIN"), "ORIGIN", self.known, nearby or Nearby())


def addresses(found: Expansion) -> list[tuple[str, int]]:
    return [(member.host.name, member.host.port) for member in found.members]


def test_addresses_ssh_hosts_and_localhost_stand_for_themselves():
    found = Names().expand("10.0.0.1 [2001:db8::7]:4000 [fe80::1%eth0] @red/3:x localhost")
    assert [member.host.text for member in found.members] == [
        "10.0.0.1", "[2001:db8::7]:4000", "[fe80::1%eth0]", "@red/3:x", "localhost",
    ]  # fmt: skip
    assert {member.origin for member in found.members} == {"ORIGIN"}
    assert found == Expansion(found.members, {}, (), is_settled=True)


def test_a_name_stands_for_all_its_addresses_with_the_options_of_its_entry():
    names = Names()
    names.has("red.example.com", A, "10.0.0.1", "10.0.0.2")
    names.has("red.example.com", AAAA, "2001:db8::1")
    found = names.expand("Red.example.com:4000/7,lzo")
    assert addresses(found) == [("10.0.0.1", 4000), ("10.0.0.2", 4000), ("2001:db8::1", 4000)]
    assert [member.origin for member in found.members] == ["Red.example.com (A)"] * 2 + [
        "Red.example.com (AAAA)"
    ]
    assert {(m.host.limit, m.host.protocol, m.host.text) for m in found.members} == {
        (7, 2, "Red.example.com:4000/7,lzo")
    }
    assert found.troubles == {}


def test_a_name_that_nobody_has_answered_for_is_asked_of_dns_and_of_the_system():
    found = Names().expand("red")
    assert found.wanted == (Question("red", A), Question("red", AAAA), Question("red", SYSTEM))
    assert (found.members, found.troubles, found.is_settled) == ((), {}, False)


def test_the_system_is_not_asked_once_dns_has_the_name():
    names = Names()
    names.has("red", SYSTEM, "192.168.0.1")
    assert addresses(names.expand("red")) == [("192.168.0.1", 3632)]
    names.has("red", A, "10.0.0.1")
    found = names.expand("red")
    assert addresses(found) == [("10.0.0.1", 3632)]
    assert found.wanted == (Question("red", A), Question("red", AAAA))


def test_the_system_is_asked_again_while_dns_is_in_doubt():
    names = Names()
    names.has("red", A, "10.0.0.1")
    names.has("red", A)
    found = names.expand("red")
    assert addresses(found) == [("10.0.0.1", 3632)]
    assert Question("red", SYSTEM) in found.wanted
    assert "no A record; the last answer is kept" in found.troubles["red"]


def test_a_name_of_the_system_alone_is_no_trouble_and_does_not_wait_for_dns():
    names = Names()
    names.has("red", SYSTEM, "192.168.0.1")
    found = names.expand("red")
    assert (found.troubles, found.is_settled) == ({}, True)
    names.learn("red", A, Failure("no answer within 4 s"))
    assert names.expand("red").troubles == {}


def test_names_of_loopback_are_not_asked_of_dns():
    for name in ("localhost:1", "localhost.,lzo", "red.localhost"):
        (question,) = Names().expand(name).wanted
        assert question.kind is SYSTEM


def test_a_name_without_addresses_is_a_trouble_with_a_remedy():
    names = Names()
    names.learn("red", A, Failure("SERVFAIL from 10.0.0.53"))
    names.has("red", AAAA)
    names.learn("red", SYSTEM, Absent("name or service not known", 30))
    found = names.expand("red/8 10.0.0.1")
    assert addresses(found) == [("10.0.0.1", 3632)]
    assert found.is_settled
    assert found.troubles == {
        "red/8": "A: SERVFAIL from 10.0.0.53; AAAA: no AAAA record; "
        "system resolver: name or service not known; "
        "correct the name, or add it to DNS or /etc/hosts"
    }


def test_a_failure_with_a_last_good_answer_is_told_and_keeps_the_hosts():
    names = Names()
    names.has("red", A, "10.0.0.1")
    names.learn("red", A, Failure("SERVFAIL from 10.0.0.53"))
    found = names.expand("red")
    assert addresses(found) == [("10.0.0.1", 3632)]
    assert found.troubles == {
        "red": "A: SERVFAIL from 10.0.0.53; the last answer is kept and asked for again"
    }


def test_of_very_many_addresses_the_first_256_are_used():
    names = Names()
    names.has("red", A, *(f"10.0.{n // 250}.{n % 250 + 1}" for n in range(500)))
    found = names.expand("red")
    assert len(found.members) == MAX_ADDRESSES == 256
    assert found.troubles["red"].startswith("500 addresses; the first 256 are used")


def test_addresses_that_nobody_can_connect_to_are_left_out():
    names = Names()
    names.has("red", A, "0.0.0.0", "224.0.0.1", "255.255.255.255", "nonsense", "10.0.0.1")
    names.has("red", AAAA, "::", "fe80::1", "::ffff:0.0.0.0", "ff02::1")
    found = names.expand("red")
    assert addresses(found) == [("10.0.0.1", 3632)]
    assert "A: 0.0.0.0 is no address that can be connected to" in found.troubles["red"]
    assert "and 4 more" in found.troubles["red"]


def test_link_local_addresses_of_the_system_keep_their_zone():
    names = Names()
    names.has("red", SYSTEM, "fe80::1%eth0")
    assert addresses(names.expand("red")) == [("fe80::1%eth0", 3632)]


def test_a_host_that_is_listed_twice_is_one_host():
    names = Names()
    names.has("red", A, "10.0.0.1")
    found = names.expand("10.0.0.1/9 red 10.0.0.1:3633 a@x b@x a@x")
    assert [member.host.text for member in found.members] == ["10.0.0.1/9", "10.0.0.1:3633", "a@x", "b@x"]


def service(*records: str, texts: tuple[str, ...] = ()) -> Names:
    names = Names()
    names.has("_fleetcc._tcp.example.com", SRV, *records)
    names.has("_fleetcc._tcp.example.com", TXT, *texts)
    return names


def test_a_service_stands_for_the_addresses_of_its_targets_the_lowest_priority_first():
    names = service("20 0 4001 Blue.example.com.", "10 5 4000 red.example.com.", texts=("limit=8 lzo",))
    names.has("red.example.com.", A, "10.0.0.1")
    names.has("red.example.com.", AAAA, "2001:db8::1")
    names.has("blue.example.com.", A, "10.0.0.2")
    found = names.expand("_fleetcc._tcp.example.com")
    assert addresses(found) == [("10.0.0.1", 4000), ("2001:db8::1", 4000), ("10.0.0.2", 4001)]
    assert [(m.priority, m.weight, m.host.limit, m.host.protocol) for m in found.members] == [
        (10, 5, 8, 2), (10, 5, 8, 2), (20, 0, 8, 2),
    ]  # fmt: skip
    assert found.members[0].origin == "_fleetcc._tcp.example.com (SRV 10 5 red.example.com)"
    assert found.members[2].origin == "_fleetcc._tcp.example.com (SRV 20 0 Blue.example.com)"
    assert found.is_settled


def test_a_service_has_no_hosts_before_its_options_are_known():
    names = service("10 5 4000 red.example.com.")
    names.has("red.example.com.", A, "10.0.0.1")
    del names.standings[Question("_fleetcc._tcp.example.com", TXT)]
    found = names.expand("_fleetcc._tcp.example.com")
    assert (found.members, found.is_settled) == ((), False)
    assert Question("red.example.com.", A) in found.wanted


def test_a_service_is_settled_when_all_its_targets_are():
    names = service("10 5 4000 red.example.com.", "10 5 4000 blue.example.com.")
    names.has("red.example.com.", A, "10.0.0.1")
    names.has("blue.example.com.", A)
    found = names.expand("_fleetcc._tcp.example.com")
    assert (addresses(found), found.is_settled, found.troubles) == ([("10.0.0.1", 4000)], False, {})


def test_a_failure_of_the_options_does_not_keep_a_service_from_its_hosts():
    names = service("10 5 4000 red.example.com.")
    names.has("red.example.com.", A, "10.0.0.1")
    del names.standings[Question("_fleetcc._tcp.example.com", TXT)]
    names.learn("_fleetcc._tcp.example.com", TXT, Failure("SERVFAIL"))
    assert addresses(names.expand("_fleetcc._tcp.example.com")) == [("10.0.0.1", 4000)]


def test_a_service_that_is_decidedly_not_offered_says_so():
    found = service("0 0 0 .").expand("_fleetcc._tcp.example.com")
    assert found.members == ()
    assert found.is_settled
    assert "not offered here" in found.troubles["_fleetcc._tcp.example.com"]


def test_a_service_without_records_is_a_trouble_with_a_remedy():
    found = service().expand("_fleetcc._tcp.example.com")
    assert found.troubles["_fleetcc._tcp.example.com"] == (
        "SRV: no SRV record; correct the name, or add SRV records to DNS"
    )


def test_troubles_of_targets_and_options_are_told_with_the_service():
    names = service("10 5 4000 red.example.com.", texts=("zip",))
    for kind in (A, AAAA, SYSTEM):
        names.has("red.example.com.", kind)
    trouble = names.expand("_fleetcc._tcp.example.com").troubles["_fleetcc._tcp.example.com"]
    assert trouble.startswith("TXT has 'zip'; expected limit=N")
    assert "red.example.com: A: no A record" in trouble


def test_a_service_of_thousands_of_targets_is_cut():
    names = service(*(f"0 0 1 h{n}.example.com." for n in range(1000)))
    found = names.expand("_fleetcc._tcp.example.com")
    assert len(found.wanted) < 4 * MAX_ADDRESSES
    assert found.troubles["_fleetcc._tcp.example.com"].startswith("1000 addresses; the first 256")


def test_the_local_network_comes_after_the_list_and_is_waited_for():
    names = Names()
    (near,) = names.expand("10.0.0.9/3").members
    near = Member(near.host, "mDNS fleetcc@red")
    assert not names.expand("10.0.0.1 +zeroconf").is_settled
    found = names.expand("10.0.0.1 +zeroconf", Nearby((near,), None, is_browsed=True))
    assert [member.origin for member in found.members] == ["ORIGIN", "mDNS fleetcc@red"]
    assert found.is_settled
    alone = names.expand("10.0.0.1 +zeroconf", Nearby((), "nobody", is_browsed=True))
    assert addresses(alone) == [("10.0.0.1", 3632)]
    assert alone.troubles == {"+zeroconf": "nobody"}


def test_a_host_that_is_down_stays_marked_so():
    names = Names()
    names.has("red", A, "10.0.0.1")
    (member,) = names.expand("red,down").members
    assert (member.host.kind, member.host.down) == (HostKind.TCP, True)
