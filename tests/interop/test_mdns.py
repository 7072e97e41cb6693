"""Servers that announce themselves, and a list that finds them: real mDNS between two network namespaces."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mdns import IP, Cable, cable, why_not

_WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(_WHY_NOT is not None, reason=_WHY_NOT or "")

# Follows a list and prints who is there, whenever that changes.
FOLLOW = """if True:
    import asyncio, json, signal, sys, uvloop
    from fleetcc.hosts.grammar import parse_host_list
    from fleetcc.hosts.membership import Membership
    from fleetcc.hosts.resolver import Resolver

    def show():
        hosts = [[m.host.name, m.host.port, m.host.limit, m.origin] for m in membership.members]
        print(json.dumps({"hosts": hosts, "troubles": dict(membership.troubles)}), flush=True)

    async def main():
        global membership
        membership = Membership(parse_host_list(sys.argv[1], "X"), "X", Resolver(), show)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(membership.run())
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
            await membership.ready()
            show()
        assert len(asyncio.all_tasks()) == 1, asyncio.all_tasks()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
"""

# Announces an offer as fleetccd does, and prints what it would log.
ANNOUNCE = """if True:
    import asyncio, json, signal, socket, sys, uvloop
    from fleetcc.server.announce import AnnouncedCompiler, Offer, announced

    def say(sentence):
        print(json.dumps(sentence), flush=True)

    async def main():
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        compiler = AnnouncedCompiler(*sys.argv[4:]) if sys.argv[4:] else AnnouncedCompiler("x", "1")
        async with announced(Offer(int(sys.argv[2]), int(sys.argv[3]), "0.3.0", [compiler]), say):
            await stop.wait()
        assert len(asyncio.all_tasks()) == 1, asyncio.all_tasks()

    socket.gethostname = lambda: sys.argv[1]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
"""

# Announces what distccd --zeroconf announces.
DISTCCD = """if True:
    import asyncio, json
    from zeroconf import ServiceInfo
    from zeroconf.asyncio import AsyncZeroconf

    async def main():
        zeroconf = AsyncZeroconf()
        info = ServiceInfo(
            "_distcc._tcp.local.", "distcc@red._distcc._tcp.local.", 3632, server="red.local.",
            parsed_addresses=["10.77.0.1"], properties={"txtvers": "1", "cpus": "2", "jobs": "6"},
        )
        await (await zeroconf.async_register_service(info))
        print(json.dumps("announced"), flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
"""


_MISSING = [name for name in ("distccd", "distcc", "avahi-daemon", "dbus-daemon") if not shutil.which(name)]


@pytest.fixture
def machines() -> Iterator[Cable]:
    with cable() as made:
        yield made


def test_a_server_that_announces_itself_joins_and_leaves_with_its_goodbye(machines: Cable):
    with (
        machines.running("blue", FOLLOW, "10.9.9.9 +zeroconf") as follower,
        machines.running("red", ANNOUNCE, "red", "4000", "12") as server,
    ):
        server.until(
            lambda line: line.startswith("announced by mDNS as fleetcc@red and distcc@red, port 4000")
        )
        found = follower.until(lambda line: len(line["hosts"]) == 2)
        assert found["hosts"] == [["10.9.9.9", 3632, 4, "X"], ["10.77.0.1", 4000, 12, "mDNS fleetcc@red"]]
        server.end()
        found = follower.until(lambda line: len(line["hosts"]) == 1, seconds=5)
        assert found["hosts"] == [["10.9.9.9", 3632, 4, "X"]]
        follower.end()


def test_who_begins_to_browse_later_hears_of_those_who_are_there(machines: Cable):
    with machines.running("red", ANNOUNCE, "red", "4000", "12") as server:
        server.until(lambda line: True)
        with machines.running("blue", FOLLOW, "+zeroconf") as follower:
            found = follower.until(lambda line: line["hosts"], seconds=5)
            assert found["hosts"] == [["10.77.0.1", 4000, 12, "mDNS fleetcc@red"]]
            assert found["troubles"] == {}


def test_an_announcement_as_of_distccd_is_a_host_with_its_jobs(machines: Cable):
    with (
        machines.running("red", DISTCCD) as server,
        machines.running("blue", FOLLOW, "+zeroconf") as follower,
    ):
        server.until(lambda line: line == "announced")
        found = follower.until(lambda line: line["hosts"])
        assert found["hosts"] == [["10.77.0.1", 3632, 6, "mDNS distcc@red"]]


def test_a_server_on_the_same_machine_is_found_too(machines: Cable):
    with (
        machines.running("red", FOLLOW, "+zeroconf") as follower,
        machines.running("red", ANNOUNCE, "red", "4000", "12"),
    ):
        found = follower.until(lambda line: line["hosts"])
        assert [host[1:3] for host in found["hosts"]] == [[4000, 12]]


def test_a_network_where_nobody_announces_keeps_the_rest_of_the_list_and_is_told(machines: Cable):
    with machines.running("blue", FOLLOW, "10.9.9.9 +zeroconf") as follower:
        found = follower.until(lambda line: line["troubles"], seconds=6)
        assert found["hosts"] == [["10.9.9.9", 3632, 4, "X"]]
        assert "nobody on the local network announces" in found["troubles"]["+zeroconf"]


def test_a_machine_without_a_network_does_not_hang(machines: Cable):
    machines.unplug("blue")
    with machines.running("blue", FOLLOW, "10.9.9.9 +zeroconf") as follower:
        found = follower.until(lambda line: line["troubles"], seconds=8)
        assert found["hosts"] == [["10.9.9.9", 3632, 4, "X"]]
        follower.end()


@pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}")
def test_distccd_is_found_by_us_and_our_server_by_distcc(machines: Cable, tmp_path: Path):
    options = ("--port 3700", "--jobs 7", "--allow 0.0.0.0/0", "--log-stderr")
    with (
        machines.peers("red", tmp_path, *options) as environment,
        machines.running("blue", ANNOUNCE, "blue", "4000", "12", _gcc("machine"), _gcc("version")),
        machines.running("blue", FOLLOW, "+zeroconf") as follower,
    ):
        both = [["10.77.0.2", 4000, 12], ["10.77.0.1", 3700, 7]]  # by IPv6 until the IPv4 answer is there
        found = follower.until(lambda line: [host[:3] for host in line["hosts"]] == both)
        assert found["hosts"][1][3].startswith("mDNS distcc@")

        hosts = tmp_path / "distcc/zeroconf/hosts"  # written by the helper that the first distcc starts
        hosts.parent.parent.mkdir()
        environment |= {"DISTCC_DIR": str(hosts.parent.parent), "DISTCC_HOSTS": "+zeroconf"}
        (tmp_path / "x.c").write_text("int x;\n")
        compile_words = ("distcc", "gcc", "-c", str(tmp_path / "x.c"), "-o", str(tmp_path / "x.o"))
        deadline = time.monotonic() + 20
        while not hosts.exists() or "10.77.0.2:4000/12" not in hosts.read_text():
            assert time.monotonic() < deadline, "distcc does not find fleetccd"
            words = [IP, "netns", "exec", machines.namespaces["red"], *compile_words]
            subprocess.run(words, env=environment, capture_output=True, check=True, timeout=60)


def _gcc(what: str) -> str:
    return subprocess.run(["gcc", f"-dump{what}"], capture_output=True, text=True, check=True).stdout.strip()
