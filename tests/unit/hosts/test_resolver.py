"""Shared answers: asked once, kept while they count, and never lost with an asker."""

import asyncio

from fleetcc.hosts.resolver import Resolver
from fleetcc.hosts.standing import Absent, Failure, Question, RecordKind, Records
from tests.support.dns import FakeLookup, run_virtually

A, SYSTEM = RecordKind.A, RecordKind.SYSTEM
RED = Question("red", A)


class Names:
    """A resolver between two scripted name services."""

    def __init__(self) -> None:
        self.dns = FakeLookup()
        self.system = FakeLookup()
        self.resolver = Resolver(dns=self.dns, system=self.system)


def test_an_answer_is_asked_for_once_until_its_ttl_ends():
    async def main():
        names = Names()
        names.dns.replies["red", A] = Records(("10.0.0.1",), 60)
        for _ in range(3):
            assert (await names.resolver.refresh(RED)).values == ("10.0.0.1",)
        assert names.dns.count("red", A) == 1
        await asyncio.sleep(61)
        await names.resolver.refresh(RED)
        assert names.dns.count("red", A) == 2

    run_virtually(main)


def test_all_who_ask_at_the_same_time_share_one_question():
    async def main():
        names = Names()
        names.dns.replies["red", A] = Records(("10.0.0.1",), 60)
        async with asyncio.TaskGroup() as group:
            askers = [group.create_task(names.resolver.refresh(RED)) for _ in range(50)]
        assert {asker.result().values for asker in askers} == {("10.0.0.1",)}
        assert names.dns.count("red", A) == 1

    run_virtually(main)


def test_when_the_asker_is_cancelled_another_asks():
    async def main():
        names = Names()
        names.dns.replies["red", A] = Records(("10.0.0.1",), 60)
        async with asyncio.TaskGroup() as group:
            first, second = (group.create_task(names.resolver.refresh(RED)) for _ in range(2))
            await asyncio.sleep(0.001)
            first.cancel()
        assert second.result().values == ("10.0.0.1",)
        assert names.dns.count("red", A) == 2
        assert names.dns.running == 0

    run_virtually(main)


def test_what_the_system_said_does_not_come_back_when_dns_drops_a_name():
    async def main():
        names = Names()
        names.system.replies["red", SYSTEM] = Records(("192.168.0.1",), 30)
        assert (await names.resolver.refresh(Question("red", SYSTEM))).values
        names.dns.replies["red", A] = [Records(("10.0.0.1",), 60), Absent("no such name", 30)]
        await names.resolver.refresh(RED)
        await asyncio.sleep(60)
        assert (await names.resolver.refresh(RED)).is_doubted
        assert not names.resolver.known(Question("red", SYSTEM)).is_asked

    run_virtually(main)


def test_names_of_lists_that_are_long_gone_are_forgotten():
    async def main():
        names = Names()
        names.dns.otherwise = Absent("no such name", 1)
        for number in range(4096):
            names.resolver._standings[Question(f"h{number}", A)] = await names.resolver.refresh(RED)
        await asyncio.sleep(4000)
        await names.resolver.refresh(Question("blue", A))
        assert len(names.resolver._standings) == 1

    run_virtually(main)


def test_a_failure_is_an_answer_too():
    async def main():
        names = Names()
        names.dns.replies["red", A] = Failure("SERVFAIL")
        standing = await names.resolver.refresh(RED)
        assert (standing.values, standing.trouble) == ((), "SERVFAIL")

    run_virtually(main)
