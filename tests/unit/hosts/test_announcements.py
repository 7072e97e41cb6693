"""Which hosts the announcements on a local network make."""

import ipaddress

import pytest

from fleetcc.hosts.announcements import (
    Announcement,
    OwnNetwork,
    announced_jobs,
    nearby,
    reachable_address,
)

HERE = OwnNetwork(
    tuple(
        ipaddress.ip_interface(text)
        for text in ("127.0.0.1/8", "192.168.1.7/24", "172.17.0.1/16", "2001:db8:1::7/64", "fe80::7%eth0/64")
    )
)


def announced(instance: str, *addresses: str, port: int = 3632, jobs: int = 4) -> Announcement:
    return Announcement(instance, instance.startswith("fleetcc@"), addresses, port, jobs)


def test_an_announcement_is_one_host_with_the_jobs_that_it_says():
    found = nearby([announced("fleetcc@red", "192.168.1.9", "2001:db8:1::9", jobs=12)], HERE, is_browsed=True)
    (member,) = found.members
    host = member.host
    assert (host.name, host.port, host.limit, host.protocol) == ("192.168.1.9", 3632, 12, 1)
    assert (host.text, member.origin) == ("192.168.1.9:3632/12", "mDNS fleetcc@red")
    assert found.trouble is None


def test_a_host_that_announces_itself_both_ways_is_one_host_of_ours():
    both = [announced("distcc@red", "192.168.1.9", jobs=4), announced("fleetcc@red", "192.168.1.9", jobs=8)]
    found = nearby(both, HERE, is_browsed=True)
    assert [(member.origin, member.host.limit) for member in found.members] == [("mDNS fleetcc@red", 8)]


def test_hosts_are_in_the_order_of_their_names_however_they_were_heard():
    several = [announced(f"distcc@h{n}", f"192.168.1.{n}") for n in (3, 1, 2)]
    found = nearby(several, HERE, is_browsed=True)
    assert found == nearby(several[::-1], HERE, is_browsed=True)
    assert [member.host.name for member in found.members] == ["192.168.1.1", "192.168.1.2", "192.168.1.3"]


def test_nobody_is_a_trouble_only_after_all_had_time_to_answer():
    assert nearby([], HERE, is_browsed=False).trouble is None
    assert "start fleetccd --zeroconf" in (nearby([], HERE, is_browsed=True).trouble or "")


def test_an_announcement_without_an_address_or_a_port_is_no_host():
    useless = [announced("fleetcc@red"), announced("fleetcc@blue", "192.168.1.9", port=0)]
    assert nearby(useless, HERE, is_browsed=True).members == ()


def test_a_network_full_of_announcements_is_cut():
    crowd = [announced(f"fleetcc@h{n}", f"10.1.{n // 250}.{n % 250 + 1}") for n in range(500)]
    found = nearby(crowd, HERE, is_browsed=True)
    assert len(found.members) == 256
    assert (found.trouble or "").startswith("500 hosts announce themselves; the first 256")


@pytest.mark.parametrize(
    ("addresses", "best"),
    [
        (["10.9.9.9", "192.168.1.9"], "192.168.1.9"),
        (["172.17.0.1", "192.168.1.9"], "192.168.1.9"),  # a bridge that this machine has too
        (["2001:db8:1::9", "10.9.9.9"], "2001:db8:1::9"),
        (["fe80::9%2", "2001:db8:2::9"], "2001:db8:2::9"),
        (["fe80::9%2"], "fe80::9%2"),
        (["192.168.1.7", "172.17.0.1"], "192.168.1.7"),  # this machine itself
        ([], None),
    ],
)
def test_of_a_machine_s_addresses_one_in_a_shared_network_is_taken(addresses, best):
    assert reachable_address(addresses, HERE) == best


def test_what_is_announced_of_this_machine_leaves_loopback_out_where_it_can():
    assert HERE.announceable() == ["192.168.1.7", "172.17.0.1", "2001:db8:1::7", "fe80::7"]
    assert OwnNetwork(HERE.interfaces[:1]).announceable() == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("properties", "jobs"),
    [
        ({}, 4),
        ({b"jobs": b"12", b"cpus": b"8"}, 12),
        ({b"jobs": b"0", b"cpus": b"8"}, 10),
        ({b"jobs": None, b"cpus": None}, 3),
        ({b"jobs": b"\xff"}, 3),
        ({b"jobs": b"9" * 30, b"cpus": b"10000"}, 10_000),
    ],
)
def test_the_jobs_are_read_by_distcc_s_rules(properties, jobs):
    assert announced_jobs(properties) == jobs
