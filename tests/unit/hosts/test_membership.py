"""Hosts that come and go while a list is followed, in virtual time."""

import asyncio
import contextlib
import random
import subprocess
import sys

from fleetcc.hosts.grammar import parse_host_list
from fleetcc.hosts.members import Member, Nearby
from fleetcc.hosts.membership import READY_SECONDS, Membership
from fleetcc.hosts.resolver import Resolver
from fleetcc.hosts.standing import Absent, Failure, RecordKind, Records
from tests.support.dns import FakeLookup, run_virtually

A, AAAA, SRV, TXT, SYSTEM = RecordKind


class Site:
    """Scripted name services, a local network, and a list that is followed."""

    def __init__(self, text: str, *, seed: int = 1) -> None:
        self.dns = FakeLookup()
        self.system = FakeLookup()
        self.network: asyncio.Queue[Nearby] = asyncio.Queue()
        self.browsing = 0
        self.changes = 0
        self.resolver = Resolver(
            dns=self.dns, system=self.system, browse=self._browse, random=random.Random(seed)
        )
        self.membership = self.follow(text)

    def follow(self, text: str) -> Membership:
        return Membership(parse_host_list(text, "ORIGIN"), "ORIGIN", self.resolver, self._count)

    def update(self, text: str) -> None:
        self.membership.update(parse_host_list(text, "ORIGIN"))

    def has(self, name: str, kind: RecordKind, *values: str, ttl: float = 10) -> None:
        lookup = self.system if kind is SYSTEM else self.dns
        lookup.replies[name, kind] = Records(values, ttl)

    @property
    def names(self) -> list[str]:
        return [member.host.name for member in self.membership.members]

    @contextlib.asynccontextmanager
    async def running(self):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.membership.run())
            try:
                yield
            finally:
                task.cancel()
        assert (self.dns.running, self.system.running, self.browsing) == (0, 0, 0)

    def _count(self) -> None:
        self.changes += 1

    async def _browse(self, report) -> None:
        self.browsing += 1
        try:
            while True:
                report(await self.network.get())
        finally:
            self.browsing -= 1


def now() -> float:
    return asyncio.get_running_loop().time()


def near(address: str) -> Member:
    (host,) = parse_host_list(f"{address}:3632/4", "ORIGIN").hosts
    return Member(host, "mDNS fleetcc@red")


def test_a_list_without_names_is_complete_at_once_and_without_a_loop():
    membership = Site("10.0.0.1/3 [fe80::1%eth0] @red localhost").membership
    assert [member.host.text for member in membership.members] == [
        "10.0.0.1/3", "[fe80::1%eth0]", "@red", "localhost",
    ]  # fmt: skip
    assert membership.troubles == {}


def test_a_list_without_names_loads_neither_dnspython_nor_zeroconf():
    code = """if True:
        import asyncio, sys
        from fleetcc.hosts.grammar import parse_host_list
        from fleetcc.hosts.membership import Membership
        from fleetcc.hosts.resolver import Resolver
        members = Membership(parse_host_list("10.0.0.1 @red localhost", "X"), "X", Resolver(), print)
        asyncio.run(members.ready())
        sys.exit(any(name in sys.modules for name in ("dns", "zeroconf", "psutil")))
    """
    path = ":".join(entry for entry in sys.path if entry)
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, check=True, timeout=60)


def test_names_are_looked_up_and_hosts_join_in_the_order_of_the_list():
    async def main():
        site = Site("red 10.0.0.9 blue")
        site.has("red", A, "10.0.0.1", "10.0.0.2")
        site.has("blue", A, "10.0.0.3")
        assert site.names == ["10.0.0.9"]
        async with site.running():
            await site.membership.ready()
            assert site.names == ["10.0.0.1", "10.0.0.2", "10.0.0.9", "10.0.0.3"]
            assert site.changes >= 1

    run_virtually(main)


def test_hosts_join_and_leave_when_the_ttl_ends():
    async def main():
        site = Site("red")
        site.has("red", A, "10.0.0.1", "10.0.0.2", ttl=10)
        async with site.running():
            await site.membership.ready()
            site.has("red", A, "10.0.0.3", "10.0.0.2", ttl=10)
            await asyncio.sleep(9.9)
            assert site.names == ["10.0.0.1", "10.0.0.2"]
            await asyncio.sleep(0.2)
            assert site.names == ["10.0.0.2", "10.0.0.3"]

    run_virtually(main)


def test_an_answer_in_another_order_changes_nothing():
    async def main():
        site = Site("red")
        site.dns.replies["red", A] = [
            Records(("10.0.0.1", "10.0.0.2"), 1),
            Records(("10.0.0.2", "10.0.0.1"), 1),
        ]
        async with site.running():
            await site.membership.ready()
            changes = site.changes
            await asyncio.sleep(20)
            assert site.dns.count("red", A) > 15
            assert site.changes == changes

    run_virtually(main)


def test_failures_keep_the_last_good_answer_and_are_asked_less_and_less_often():
    async def main():
        site = Site("red")
        site.has("red", A, "10.0.0.1")
        async with site.running():
            await site.membership.ready()
            site.dns.replies["red", A] = Failure("SERVFAIL from 10.0.0.53")
            await asyncio.sleep(3600)
            assert site.names == ["10.0.0.1"]
            assert "SERVFAIL from 10.0.0.53" in site.membership.troubles["red"]
            assert site.dns.count("red", A) < 3600 / 30 + 10
            site.has("red", A, "10.0.0.2")
            await asyncio.sleep(31)
            assert (site.names, site.membership.troubles) == (["10.0.0.2"], {})

    run_virtually(main)


def test_a_name_that_is_empty_twice_loses_its_hosts_and_gets_them_back():
    async def main():
        site = Site("red")
        site.has("red", A, "10.0.0.1")
        async with site.running():
            await site.membership.ready()
            del site.dns.replies["red", A]
            await asyncio.sleep(10.5)
            assert site.names == ["10.0.0.1"]
            await asyncio.sleep(1)
            assert site.names == []
            site.has("red", A, "10.0.0.1")
            await asyncio.sleep(31)
            assert site.names == ["10.0.0.1"]

    run_virtually(main)


def test_a_name_that_flaps_keeps_its_hosts():
    async def main():
        site = Site("red")
        good, empty = Records(("10.0.0.1",), 5), Absent("no such name", 30)
        site.dns.replies["red", A] = [good, empty] * 50
        async with site.running():
            await site.membership.ready()
            changes = site.changes
            await asyncio.sleep(200)
            assert (site.names, site.changes) == (["10.0.0.1"], changes)

    run_virtually(main)


def test_the_system_s_answer_is_used_while_dns_is_silent():
    async def main():
        site = Site("red")
        site.has("red", SYSTEM, "192.168.0.1", ttl=30)
        site.dns.replies["red", A] = site.dns.replies["red", AAAA] = None
        started = now()
        async with site.running():
            await site.membership.ready()
            assert now() - started < 0.1
            assert (site.names, site.membership.troubles) == (["192.168.0.1"], {})

    run_virtually(main)


def test_dns_wins_over_the_system_once_it_answers():
    async def main():
        site = Site("red")
        site.has("red", SYSTEM, "192.168.0.1", ttl=30)
        site.has("red", A, "10.0.0.1")
        site.dns.delays["red", A] = 3
        async with site.running():
            await site.membership.ready()
            assert site.names == ["192.168.0.1"]
            await asyncio.sleep(3)
            assert site.names == ["10.0.0.1"]
            asked = site.system.count("red", SYSTEM)
            await asyncio.sleep(300)
            assert site.system.count("red", SYSTEM) == asked

    run_virtually(main)


def test_a_name_that_moves_from_dns_to_the_system_is_never_without_hosts():
    async def main():
        site = Site("red")
        site.has("red", A, "10.0.0.1")
        async with site.running():
            await site.membership.ready()
            del site.dns.replies["red", A]
            site.has("red", SYSTEM, "192.168.0.1")
            seen = set()
            for _ in range(150):
                await asyncio.sleep(0.1)
                seen.add(tuple(site.names))
            assert seen == {("10.0.0.1",), ("192.168.0.1",)}

    run_virtually(main)


def test_waiting_for_a_silent_name_server_ends():
    async def main():
        site = Site("red 10.0.0.9")
        for lookup, kind in ((site.dns, A), (site.dns, AAAA), (site.system, SYSTEM)):
            lookup.replies["red", kind] = None
        started = now()
        async with site.running():
            await site.membership.ready()
            assert now() - started == READY_SECONDS
            assert site.names == ["10.0.0.9"]

    run_virtually(main)


def test_waiting_ends_when_all_have_failed():
    async def main():
        site = Site("red _fleetcc._tcp.x")
        site.dns.otherwise = site.system.otherwise = Failure("refused")
        async with site.running():
            await site.membership.ready()
            assert now() < 1001
            assert set(site.membership.troubles) == {"red", "_fleetcc._tcp.x"}

    run_virtually(main)


def test_the_targets_of_a_service_are_followed_as_they_change():
    async def main():
        site = Site("_fleetcc._tcp.x")
        site.has("_fleetcc._tcp.x", SRV, "10 5 4000 red.x.", ttl=60)
        site.has("_fleetcc._tcp.x", TXT, "limit=8", ttl=60)
        site.has("red.x.", A, "10.0.0.1", ttl=5)
        site.has("blue.x.", A, "10.0.0.2", ttl=5)
        async with site.running():
            await site.membership.ready()
            assert [(m.host.name, m.host.limit) for m in site.membership.members] == [("10.0.0.1", 8)]
            site.has("red.x.", A, "10.0.0.3", ttl=5)
            await asyncio.sleep(6)
            assert site.names == ["10.0.0.3"]
            site.has("_fleetcc._tcp.x", SRV, "10 5 4000 blue.x.", "10 5 4000 red.x.", ttl=60)
            await asyncio.sleep(60)
            assert site.names == ["10.0.0.3", "10.0.0.2"]
            site.has("_fleetcc._tcp.x", SRV, "0 0 0 .", ttl=60)
            await asyncio.sleep(61)
            assert site.names == []
            asked = site.dns.count("red.x.", A)
            await asyncio.sleep(300)
            assert site.dns.count("red.x.", A) == asked

    run_virtually(main)


def test_an_edited_list_keeps_who_is_in_both_and_drops_the_others_at_once():
    async def main():
        site = Site("red blue")
        site.has("red", A, "10.0.0.1", ttl=1000)
        site.has("blue", A, "10.0.0.2", ttl=1000)
        site.has("green", A, "10.0.0.3", ttl=1000)
        async with site.running():
            await site.membership.ready()
            site.update("blue/9 green 10.0.0.9")
            assert site.names == ["10.0.0.2", "10.0.0.9"]
            await site.membership.ready()
            assert site.names == ["10.0.0.2", "10.0.0.3", "10.0.0.9"]
            assert site.membership.members[0].host.limit == 9
            assert site.dns.count("blue", A) == 1

    run_virtually(main)


def test_lists_with_the_same_names_share_what_is_known():
    async def main():
        site = Site("red")
        site.has("red", A, "10.0.0.1", ttl=1000)
        async with site.running():
            await site.membership.ready()
            other = site.follow("red/2")
            assert [member.host.name for member in other.members] == ["10.0.0.1"]
            assert site.dns.count("red", A) == 1

    run_virtually(main)


def test_hosts_of_the_local_network_join_and_leave():
    async def main():
        site = Site("10.0.0.9 +zeroconf")
        async with site.running():
            await asyncio.sleep(1)
            assert site.names == ["10.0.0.9"]
            site.network.put_nowait(Nearby((near("10.0.0.1"),), None, is_browsed=True))
            await site.membership.ready()
            assert site.names == ["10.0.0.9", "10.0.0.1"]
            site.network.put_nowait(Nearby((), "nobody", is_browsed=True))
            await asyncio.sleep(1)
            assert (site.names, site.membership.troubles) == (["10.0.0.9"], {"+zeroconf": "nobody"})

    run_virtually(main)


def test_browsing_begins_and_ends_with_the_word_in_the_list():
    async def main():
        site = Site("10.0.0.9")
        async with site.running():
            await asyncio.sleep(1)
            assert site.browsing == 0
            site.update("10.0.0.9 +zeroconf")
            site.network.put_nowait(Nearby((near("10.0.0.1"),), None, is_browsed=True))
            await asyncio.sleep(1)
            assert (site.browsing, site.names) == (1, ["10.0.0.9", "10.0.0.1"])
            site.update("10.0.0.9")
            assert site.names == ["10.0.0.9"]
            await asyncio.sleep(1)
            assert site.browsing == 0

    run_virtually(main)


def test_a_random_order_stays_while_hosts_come_and_go():
    async def main():
        orders = set()
        for seed in range(5):
            site = Site("--randomize red", seed=seed)
            site.has("red", A, *(f"10.0.0.{n}" for n in range(1, 9)))
            async with site.running():
                await site.membership.ready()
                before = site.names
                orders.add(tuple(before))
                site.has("red", A, *(f"10.0.0.{n}" for n in range(2, 10)))
                await asyncio.sleep(11)
                stayed = [name for name in site.names if name != "10.0.0.9"]
                assert stayed == [name for name in before if name != "10.0.0.1"]
        assert len(orders) > 1

    run_virtually(main)


def test_a_change_is_told_once_for_all_that_changed_together():
    async def main():
        site = Site(" ".join(f"h{n}" for n in range(100)))
        for n in range(100):
            site.has(f"h{n}", A, f"10.0.0.{n + 1}", ttl=1000)
        async with site.running():
            await site.membership.ready()
            assert len(site.names) == 100
            assert site.changes < 10

    run_virtually(main)
