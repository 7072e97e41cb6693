"""Hosts by DNS, from a real name server on loopback, under the loop that the agent uses."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest
import uvloop

from fleetcc.hosts.grammar import parse_host_list
from fleetcc.hosts.membership import READY_SECONDS, Membership
from fleetcc.hosts.resolver import Resolver
from tests.support.dns import DNSMASQ, dnsmasq

needs_dnsmasq = pytest.mark.skipif(DNSMASQ is None, reason="dnsmasq is not installed")

Story = Callable[[], Awaitable[None]]


def run(story: Story) -> None:
    """Tell a story under uvloop; no thread or socket may be left."""
    threads = set(threading.enumerate())
    sockets = open_sockets()

    async def told() -> None:
        await story()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(told())
    assert {thread for thread in threading.enumerate() if not thread.daemon} <= threads
    assert open_sockets() <= sockets


def open_sockets() -> set[str]:
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(os.readlink(descriptor))
    return {target for target in found if target.startswith("socket:")}


@contextlib.asynccontextmanager
async def following(text: str, servers: Sequence[str]) -> AsyncIterator[Membership]:
    membership = Membership(
        parse_host_list(text, "FLEETCC_HOSTS"), "FLEETCC_HOSTS", Resolver(servers), lambda: None
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(membership.run())
        try:
            yield membership
        finally:
            task.cancel()


def names(membership: Membership) -> list[str]:
    return [member.host.name for member in membership.members]


def rows(membership: Membership) -> list[tuple[str, int, int, int, int]]:
    return [(m.host.name, m.host.port, m.host.limit, m.priority, m.weight) for m in membership.members]


async def until(condition: Callable[[], bool], *, seconds: float) -> float:
    """Wait until it is so; returns how long that took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "not in time"
        await asyncio.sleep(0.01)
    return time.monotonic() - started


@needs_dnsmasq
def test_all_a_and_aaaa_addresses_of_a_name_are_hosts(tmp_path: Path):
    async def story():
        async with following("build.example.test:4000/8,lzo", server.setting) as membership:
            await membership.ready()
            await until(lambda: len(membership.members) == 4, seconds=6)
            assert set(names(membership)) == {"127.0.0.2", "127.0.0.3", "fd00::2", "fd00::3"}
            assert {(m.host.port, m.host.limit, m.host.protocol) for m in membership.members} == {
                (4000, 8, 2)
            }
            assert {m.origin for m in membership.members} == {
                "build.example.test (A)",
                "build.example.test (AAAA)",
            }
            assert membership.troubles == {}

    with dnsmasq(tmp_path, build=["127.0.0.2", "127.0.0.3", "fd00::2", "fd00::3"]) as server:
        run(story)


@needs_dnsmasq
def test_an_address_joins_and_another_leaves_within_two_seconds_of_a_change(tmp_path: Path):
    async def story():
        async with following("build.example.test", server.setting) as membership:
            await membership.ready()
            server.set_hosts(build=["127.0.0.3", "127.0.0.4"])
            await until(lambda: names(membership) == ["127.0.0.3", "127.0.0.4"], seconds=2)
            server.set_hosts(build=["127.0.0.2", "127.0.0.3", "127.0.0.4"])
            await until(lambda: "127.0.0.2" in names(membership), seconds=2)

    with dnsmasq(tmp_path, build=["127.0.0.2", "127.0.0.3"]) as server:
        run(story)


@needs_dnsmasq
def test_a_name_that_is_taken_out_of_dns_loses_its_hosts_after_two_empty_answers(tmp_path: Path):
    async def story():
        async with following("build.example.test other.example.test", server.setting) as membership:
            await membership.ready()
            await until(lambda: len(membership.members) == 2, seconds=6)
            server.set_hosts(other=["127.0.0.3"])
            took = await until(lambda: names(membership) == ["127.0.0.3"], seconds=6)
            assert took >= 1
            assert "A: no such name" in membership.troubles["build.example.test"]

    with dnsmasq(tmp_path, build=["127.0.0.2"], other=["127.0.0.3"]) as server:
        run(story)


@needs_dnsmasq
def test_a_service_gives_hosts_with_priority_weight_port_and_options(tmp_path: Path):
    async def story():
        async with following(
            "_fleetcc._tcp.example.test _distcc._tcp.example.test/2", server.setting
        ) as found:
            await found.ready()
            expected = [
                ("127.0.0.3", 4001, 9, 5, 7),
                ("127.0.0.2", 4000, 9, 10, 20),
                ("fd00::2", 4000, 9, 10, 20),
                ("127.0.0.3", 3632, 2, 0, 0),
            ]
            await until(lambda: rows(found) == expected, seconds=6)
            assert {m.host.protocol for m in found.members[:3]} == {2}
            assert found.members[0].origin == "_fleetcc._tcp.example.test (SRV 5 7 blue.example.test)"
            server.set_hosts(red=["127.0.0.5"], blue=["127.0.0.3"])
            await until(lambda: "127.0.0.5" in names(found) and "fd00::2" not in names(found), seconds=6)

    options = (
        "--srv-host=_fleetcc._tcp.example.test,red.example.test,4000,10,20",
        "--srv-host=_fleetcc._tcp.example.test,blue.example.test,4001,5,7",
        "--txt-record=_fleetcc._tcp.example.test,limit=9,lzo",
        "--srv-host=_distcc._tcp.example.test,blue.example.test,3632",
    )
    with dnsmasq(tmp_path, *options, red=["127.0.0.2", "fd00::2"], blue=["127.0.0.3"]) as server:
        run(story)


@needs_dnsmasq
def test_a_server_that_dies_leaves_the_last_good_answer_and_its_return_is_noticed(tmp_path: Path):
    async def story():
        async with following("build.example.test", server.setting) as membership:
            await membership.ready()
            server.stop()
            # A question for the other kind of address may have been under way: it has no answer to keep.
            kept = "the last answer is kept"
            await until(lambda: kept in membership.troubles.get("build.example.test", ""), seconds=12)
            assert names(membership) == ["127.0.0.2"]
            server.set_hosts(build=["127.0.0.2", "127.0.0.3"])
            server.start()
            await until(lambda: names(membership) == ["127.0.0.2", "127.0.0.3"], seconds=12)
            # The two kinds of address are asked for by questions of their own, each in its own time.
            await until(lambda: not membership.troubles, seconds=20)

    with dnsmasq(tmp_path, build=["127.0.0.2"]) as server:
        run(story)


@needs_dnsmasq
def test_a_name_that_flaps_keeps_its_hosts(tmp_path: Path):
    async def story():
        async with following("build.example.test", server.setting) as membership:
            await membership.ready()
            seen = set()
            for step in range(60):
                if step % 20 == 0:
                    server.set_hosts()
                elif step % 20 == 7:  # 0.7 s: seen by one look-up, sometimes by none
                    server.set_hosts(build=["127.0.0.2"])
                await asyncio.sleep(0.1)
                seen.add(tuple(names(membership)))
            assert seen == {("127.0.0.2",)}

    with dnsmasq(tmp_path, build=["127.0.0.2"]) as server:
        run(story)


@needs_dnsmasq
def test_a_name_without_addresses_is_a_trouble_and_one_with_500_is_cut(tmp_path: Path):
    many = [f"127.1.{n // 250}.{n % 250 + 1}" for n in range(500)]

    async def story():
        async with following("empty.example.test many.example.test", server.setting) as membership:
            await membership.ready()
            await until(lambda: len(membership.members) == 256, seconds=6)
            assert "A: no A record" in membership.troubles["empty.example.test"]
            assert membership.troubles["many.example.test"].startswith("500 addresses; the first 256")

    with dnsmasq(tmp_path, "--txt-record=empty.example.test,nothing", many=many) as server:
        run(story)


@needs_dnsmasq
def test_refusals_and_names_of_the_system_alone_do_not_keep_others_waiting(tmp_path: Path):
    async def story():
        text = "refused.example.org 127.1:4000 localhost:3632 build.example.test"
        async with following(text, server.setting) as membership:
            await membership.ready()
            assert {"127.0.0.1", "127.0.0.2"} <= set(names(membership))
            assert "REFUSED from 127.0.0.1 port" in membership.troubles["refused.example.org"]
            assert "127.1:4000" not in membership.troubles

    with dnsmasq(tmp_path, build=["127.0.0.2"]) as server:
        run(story)


@needs_dnsmasq
def test_a_wall_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = time.time
    jumps = iter([0, 86_400, -86_400, 1e9, -1e9, 3, -3] * 10_000)

    async def story():
        async with following("build.example.test", server.setting) as membership:
            await membership.ready()
            await until(lambda: names(membership) == ["127.0.0.2"], seconds=6)
            monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
            ends = time.monotonic() + 3
            while time.monotonic() < ends:
                await asyncio.sleep(0.02)
                assert names(membership) == ["127.0.0.2"]
            monkeypatch.setattr(time, "time", real)
            server.set_hosts(build=["127.0.0.3"])
            await until(lambda: names(membership) == ["127.0.0.3"], seconds=10)

    with dnsmasq(tmp_path, build=["127.0.0.2"]) as server:
        run(story)


@contextlib.contextmanager
def babbling(answer: Callable[[bytes], list[bytes]]) -> Iterator[str]:
    """A UDP server that answers each question with these datagrams; yields its address and port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(0.1)
        stopped = threading.Event()

        def serve() -> None:
            while not stopped.is_set():
                with contextlib.suppress(OSError):
                    query, sender = sock.recvfrom(4096)
                    for datagram in answer(query):
                        sock.sendto(datagram, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{sock.getsockname()[1]}"
        finally:
            stopped.set()
            thread.join()


GARBAGE: dict[str, Callable[[bytes], list[bytes]]] = {
    "nothing": lambda query: [],
    "an empty datagram": lambda query: [b""],
    "the question itself": lambda query: [query],
    "noise": lambda query: [bytes(range(256)), os.urandom(512)],
    "a header with nothing behind it": lambda query: [
        query[:2] + b"\x81\x80\xff\xff\xff\xff\xff\xff\xff\xff"
    ],
    "another question's answer": lambda query: [b"\x00\x00\x81\x80" + query[4:]],
    "an answer that is cut": lambda query: [_answer(query)[:-3]],
    "a name that points at itself": lambda query: [_answer(query).replace(b"\xc0\x0c", b"\xc0\x1e")],
    "too long an address": lambda query: [_answer(query, address=bytes(16))],
    "a server failure": lambda query: [query[:2] + b"\x81\x82" + query[4:]],
    "truncated, and no TCP": lambda query: [query[:2] + b"\x83\x80" + query[4:]],
}


def _answer(query: bytes, *, address: bytes = b"\x7f\x00\x00\x02") -> bytes:
    """A reply with one A record of TTL 1."""
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01" + len(address).to_bytes(2, "big") + address
    return query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + query[12:] + record


@pytest.mark.parametrize("kind", list(GARBAGE))
def test_garbage_from_the_dns_port_is_a_failure_and_costs_no_host(kind):
    answers: list[Callable[[bytes], list[bytes]]] = [lambda query: [_answer(query)]]

    async def story():
        async with following("build.example.test 127.0.0.9", [address]) as membership:
            await until(lambda: names(membership) == ["127.0.0.2", "127.0.0.9"], seconds=5)
            answers[0] = GARBAGE[kind]
            # AAAA has failed so far: that it is given an A record is garbage, too.
            await asyncio.sleep(2.5)
            assert names(membership) == ["127.0.0.2", "127.0.0.9"]

    with babbling(lambda query: [*answers[0](query)]) as address:
        run(story)


def test_without_any_name_server_known_names_are_used_at_once_and_waiting_ends(tmp_path: Path):
    async def story():
        started = time.monotonic()
        async with following(
            "127.1:4000 localhost:3632 10.0.0.1 nobody.example.test", [address]
        ) as membership:
            await until(lambda: len(membership.members) == 3, seconds=2)
            await membership.ready()
            assert time.monotonic() - started < READY_SECONDS + 1
            await until(lambda: "nobody.example.test" in membership.troubles, seconds=READY_SECONDS)
            assert f"from {address.replace(':', ' port ')}" in membership.troubles["nobody.example.test"]

    with babbling(GARBAGE["nothing"]) as address:
        run(story)


@needs_dnsmasq
def test_the_second_server_is_asked_when_the_first_is_silent(tmp_path: Path):
    async def story():
        async with following("build.example.test", [silent, *server.setting]) as membership:
            await until(lambda: names(membership) == ["127.0.0.2"], seconds=6)

    with babbling(GARBAGE["nothing"]) as silent, dnsmasq(tmp_path, build=["127.0.0.2"]) as server:
        run(story)
