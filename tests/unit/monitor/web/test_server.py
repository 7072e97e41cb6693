"""The application of the page, asked over HTTP, with a Bus behind it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest
from aiohttp import ClientResponse, ClientTimeout, web
from aiohttp.test_utils import TestClient, TestServer

from fleetcc.model import Reason
from fleetcc.monitor.bus import MOST_LINES
from fleetcc.monitor.events import Hello, Job, Lost, decode, encode
from fleetcc.monitor.web.guard import HEADERS
from fleetcc.monitor.web.server import BusSource, make_app, make_runner
from tests.support.web_page import Fleet

PATHS = ("/", "/static/main.js", "/static/style.css", "/events", "/reasons.json", "/snapshot.json")


@contextlib.asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    async with TestClient(TestServer(app), timeout=ClientTimeout(total=30)) as client:
        yield client


async def message(answer: ClientResponse) -> tuple[str, list[bytes]]:
    """The name of the next message that is no beat (empty: none given), and its data."""
    name, data = "", []
    while line := (await answer.content.readline()).rstrip(b"\n"):
        field, _, value = line.partition(b": ") if b": " in line else line.partition(b":")
        if field == b"event":
            name = value.decode()
        elif field == b"data":
            data.append(value)
    return (name, data) if name != "beat" else await message(answer)


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_has_the_headers_that_keep_other_sites_out(path) -> None:
    async with served(make_app(BusSource(Fleet().bus.watch))) as client, client.head(path) as answer:
        assert answer.status == 200
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "])
async def test_who_never_asks_is_not_kept(said) -> None:
    runner = make_runner(make_app(BusSource(Fleet().bus.watch)), idle_seconds=0.05)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(said)
        assert await reader.read() == b""
        writer.close()
    finally:
        await runner.cleanup()


async def test_who_watches_is_not_taken_for_idle() -> None:
    fleet = Fleet()
    runner = make_runner(make_app(BusSource(fleet.bus.watch)), idle_seconds=0.05)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
        writer.write(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await reader.readuntil(b'"event":"hello"')
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(0.2, passed.set)
        await passed.wait()
        fleet.start("build1", 0, "late.cc")
        await reader.readuntil(b"late.cc")
        writer.close()
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/events", "/nowhere"])
async def test_nothing_can_be_asked_for_but_to_see(method, path) -> None:
    app = make_app(BusSource(Fleet().bus.watch))
    async with served(app) as client, client.request(method, path) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET,HEAD"
        assert answer.headers["Server"] == "fleetcc"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "192.0.2.1", "127.0.0.1.evil.example", "[::2]"]
)
async def test_a_host_header_of_another_name_is_refused(path, host) -> None:
    app, headers = make_app(BusSource(Fleet().bus.watch)), {"Host": host}
    async with served(app) as client, client.get(path, headers=headers) as answer:
        assert answer.status == 421
        assert "main" not in await answer.text()


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost.:8080", "127.0.0.1:9", "[::1]:80", "build7", "Build7.:81"]
)
async def test_loopback_and_the_names_given_are_ours(host) -> None:
    app, headers = make_app(BusSource(Fleet().bus.watch), names=["build7"]), {"Host": host}
    async with served(app) as client, client.get("/", headers=headers) as answer:
        assert answer.status == 200


async def test_the_address_of_the_connection_is_ours() -> None:
    app = make_app(BusSource(Fleet().bus.watch))
    async with TestClient(TestServer(app, host="127.0.0.3")) as client, client.get("/") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("path", [*PATHS, "/nowhere"])
async def test_a_peer_that_is_not_admitted_sees_nothing(path) -> None:
    asked: list[str] = []

    def admits(address: str) -> bool:
        asked.append(address)
        return False

    app = make_app(BusSource(Fleet().bus.watch), admits=admits)
    async with served(app) as client, client.get(path) as answer:
        assert answer.status == 403
        assert asked == ["127.0.0.1"]
        assert await answer.text() == "127.0.0.1 is not admitted here\n"


async def test_files_are_sent_once() -> None:
    async with served(make_app(BusSource(Fleet().bus.watch))) as client:
        async with client.get("/static/main.js") as answer:
            assert answer.content_type == "text/javascript"
            etag = answer.headers["ETag"]
        async with client.get("/static/main.js", headers={"If-None-Match": etag}) as answer:
            assert answer.status == 304
            assert not await answer.read()


@pytest.mark.parametrize(
    "path", ["/static/server.py", "/static/../server.py", "/static/..%2fserver.py", "/static/"]
)
async def test_only_files_of_the_page_are_served(path) -> None:
    async with served(make_app(BusSource(Fleet().bus.watch))) as client, client.get(path) as answer:
        assert answer.status == 404


async def test_events_come_as_they_happen_hello_first() -> None:
    fleet = Fleet(hosts=2)
    async with served(make_app(BusSource(fleet.bus.watch))) as client, client.get("/events") as answer:
        assert answer.content_type == "text/event-stream"
        _, [line] = await message(answer)
        hello = decode(line)
        assert isinstance(hello, Hello)
        assert [host.host for host in hello.hosts] == ["build1", "build2"]
        number = fleet.wait("a.cc")
        _, [line] = await message(answer)
        assert decode(line) == fleet.jobs[number]


async def test_lines_that_came_together_are_one_message() -> None:
    fleet = Fleet()
    async with served(make_app(BusSource(fleet.bus.watch))) as client, client.get("/events") as answer:
        await message(answer)
        for name in ("a.cc", "b\u2028\r\n.cc", "c.cc"):
            fleet.wait(name)
        _, lines = await message(answer)
        events = [decode(line) for line in lines]
        assert [event.label for event in events if isinstance(event, Job)] == [
            "a.cc",
            "b\u2028\r\n.cc",
            "c.cc",
        ]


async def test_a_browser_that_reads_slowly_loses_events_is_told_so_and_holds_up_nobody() -> None:
    fleet = Fleet(hosts=1)
    label = "x" * 1000
    async with served(make_app(BusSource(fleet.bus.watch))) as client:
        slow = await client.get("/events")
        quick = await client.get("/events")
        await message(slow)
        await message(quick)
        published = 5 * MOST_LINES
        for number in range(published):
            fleet.bus.publish(Job(job=number, time=1.0, state="waiting", label=label))
            if number % 100 == 99:
                assert len((await message(quick))[1]) == 100
        quick.close()
        jobs: list[int] = []
        lost = 0
        while len(jobs) + lost < published:
            fleet.bus.publish(Job(job=published, time=2.0, state="waiting"))
            published += 1
            for event in map(decode, (await message(slow))[1]):
                if isinstance(event, Lost):
                    lost += event.count
                elif isinstance(event, Job):
                    jobs.append(event.job)
        assert lost > MOST_LINES
        assert jobs == sorted(jobs)
        slow.close()


class Agents:
    """A source whose agent leaves and comes again, and then ends."""

    async def lines(self) -> AsyncIterator[bytes]:
        yield encode(Fleet(pid=1).hello())
        yield b""
        yield encode(Fleet(pid=2).hello())


async def test_that_the_source_is_away_is_said() -> None:
    async with served(make_app(Agents())) as client, client.get("/events") as answer:
        said = [await message(answer) for _ in range(3)]
        assert [name for name, _ in said] == ["", "away", ""]
        events = [decode(data[0]) for name, data in said if not name]
        assert [event.pid for event in events if isinstance(event, Hello)] == [1, 2]
        assert await answer.content.read() == b""


async def test_who_connects_again_begins_with_hello() -> None:
    fleet = Fleet()
    async with served(make_app(BusSource(fleet.bus.watch))) as client:
        for _ in range(3):
            async with client.get("/events") as answer:
                fleet.wait("a.cc")
                _, lines = await message(answer)
                assert isinstance(decode(lines[0]), Hello)


async def test_the_end_of_the_application_ends_the_streams() -> None:
    fleet = Fleet()
    server = TestServer(make_app(BusSource(fleet.bus.watch)))
    async with TestClient(server) as client, client.get("/events") as answer:
        await message(answer)
        assert fleet.bus.is_watched
        async with asyncio.timeout(10):
            await server.close()
        assert not fleet.bus.is_watched


async def test_reasons_have_their_texts() -> None:
    app = make_app(BusSource(Fleet().bus.watch))
    async with served(app) as client, client.get("/reasons.json") as answer:
        assert (await answer.json()) == {reason.slug: reason.text for reason in Reason}


async def test_the_snapshot_is_the_picture_of_now() -> None:
    fleet = Fleet(hosts=2, slots=2)
    number = fleet.start("build2", 1, "a.cc")
    fleet.wait("b.cc")
    async with served(make_app(BusSource(fleet.bus.watch))) as client, client.get("/snapshot.json") as answer:
        picture = msgspec.json.decode(await answer.read())
    assert not fleet.bus.is_watched
    hosts = {host["host"]: host for host in picture["hosts"]}
    assert hosts["build2"]["lanes"] == [None, number]
    assert hosts["build1"]["running"] == 0
    assert [(job["label"], job["host"], job["slot"]) for job in picture["jobs"]] == [
        ("a.cc", "build2", 1),
        ("b.cc", "", -1),
    ]
    assert (picture["source"], picture["pid"], picture["total"]) == ("agent", 4711, 2)


class Away:
    """A source that is away."""

    async def lines(self) -> AsyncIterator[bytes]:
        yield b""


async def test_there_is_no_snapshot_of_a_source_that_is_away() -> None:
    async with served(make_app(Away())) as client, client.get("/snapshot.json") as answer:
        assert answer.status == 503
        assert await answer.text() == "the source of this page is away\n"
