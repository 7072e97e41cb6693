"""Visits of servers on loopback that say what a test has written."""

import socket
import struct
import time

import pytest

from fleetcc.backends.link import HostTimeouts
from fleetcc.hosts.grammar import parse_host_list
from fleetcc.hosts.members import Member
from fleetcc.hosts.sources import FoundHosts
from fleetcc.model import Form
from fleetcc.monitor.doctor.survey import survey
from fleetcc.monitor.doctor.visit import median, visit
from fleetcc.wire import fleet
from fleetcc.wire.greeting import GREETING, Welcome, encode_welcome
from tests.support.listener import LeftError, Listener

TIMEOUTS = HostTimeouts(4.0, 10.0, ("ssh",))
GREETED = Welcome("fleetccd 9", tuple(Form), (1, 2), 8, 8, 0, 0, no_files="")
WELCOME = fleet.Welcome("fleetccd 9", "i" * 32, 8, machine="x86_64")
LOOKING = fleet.Welcome("fleetccd 9", "i" * 32, 8, looking=True)


class Scripted(Listener):
    """Greets, and speaks frames: these messages first, then it answers pings."""

    def __init__(self, *messages, answers_pings=True):
        super().__init__("127.0.0.1")
        self._messages = messages
        self._answers_pings = answers_pings
        self.hellos = []

    def serve(self, connection):
        """One connection."""
        opening = self._read(connection, len(GREETING))
        if opening == GREETING:
            connection.sendall(encode_welcome(GREETED))
            return
        self._read(connection, len(fleet.OPENING) - len(opening))
        reader = fleet.FrameReader()
        while True:
            data = connection.recv(65536)
            if not data:
                raise LeftError
            for frame in reader.receive(data):
                self._answer(connection, frame.message)

    def _answer(self, connection, message):
        if isinstance(message, fleet.Hello):
            self.hellos.append(message)
            connection.sendall(b"".join(fleet.encode(0, one) for one in self._messages))
        elif isinstance(message, fleet.Ping) and self._answers_pings:
            connection.sendall(fleet.encode(0, fleet.Ping(message.token, answer=True)))

    def _read(self, connection, count):
        data = b""
        while len(data) < count:
            more = connection.recv(count - len(data))
            if not more:
                raise LeftError
            data += more
        return data


class Raw(Listener):
    """Does with a connection what it is told."""

    def __init__(self, act):
        super().__init__("127.0.0.1")
        self._act = act

    def serve(self, connection):
        """One connection."""
        self._act(connection)


async def visit_at(entry):
    (host,) = parse_host_list(entry, "TEST").hosts
    return await visit(Member(host, "TEST"), entry, TIMEOUTS)


async def test_a_fleetccd_tells_what_it_is_and_how_far_it_is():
    with Scripted(WELCOME) as server:
        found = await visit_at(server.host)
    assert (found.trouble, found.is_refused, found.is_stock) == ("", False, False)
    assert (found.greeting, found.frames) == (GREETED, WELCOME)
    assert len(found.round_trips) == 5
    assert 0 < median(found.round_trips) < 2
    assert 0 < found.connect_seconds < 2


async def test_nothing_is_asked_of_it_and_nothing_kept_for_us():
    with Scripted(WELCOME) as server:
        await visit_at(server.host)
        (hello,) = server.hellos
    assert hello.replica == b""
    assert hello.capabilities == ()
    assert hello.program.endswith("doctor")


async def test_a_server_that_looks_around_is_waited_for():
    with Scripted(LOOKING, WELCOME) as server:
        assert (await visit_at(server.host)).frames == WELCOME


async def test_a_server_that_leaves_or_refuses_says_why():
    with Scripted(WELCOME, fleet.Drain("it is stopped")) as server:
        assert (await visit_at(server.host)).drains == "it is stopped"
    with Scripted(fleet.Error("too-many", "32 are open", "one is enough")) as server:
        found = await visit_at(server.host)
    assert (found.frames, found.complaint) == (None, "32 are open; one is enough")


async def test_a_server_that_answers_no_ping_is_visited_all_the_same():
    with Scripted(WELCOME, answers_pings=False) as server:
        found = await visit_at(server.host)
    assert (found.frames, found.round_trips) == (WELCOME, ())


async def test_who_closes_before_a_word_refuses():
    def refuse(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with Raw(refuse) as server:
        found = await visit_at(server.host)
    assert (found.is_refused, found.is_stock) == (True, False)


async def test_who_closes_at_the_greeting_is_a_distccd():
    def serve(connection):
        connection.settimeout(30)
        connection.recv(12)

    with Raw(serve) as server:
        found = await visit_at(server.host)
    assert (found.is_stock, found.is_refused, found.is_silent) == (True, False, False)


async def test_who_says_nothing_is_told_as_silent():
    def keep(connection):
        while connection.recv(100):
            pass

    with Raw(keep) as server:
        begun = time.monotonic()
        found = await visit_at(server.host)
    assert found.is_silent
    assert time.monotonic() - begun < 4.5


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"FLEETCC/1\r\nserver: x\r\n\r\n"])
async def test_another_service_is_no_compile_server(answer):
    def serve(connection):
        connection.recv(100)
        connection.sendall(answer)

    with Raw(serve) as server:
        found = await visit_at(server.host)
    assert found.trouble.startswith("is not a compile server: ")


async def test_nonsense_in_frames_is_told():
    with Scripted(fleet.Started()) as server:
        found = await visit_at(server.host)
    assert found.trouble.startswith("broke the fleet protocol: ")


async def test_nobody_there_is_a_sentence():
    found = await visit_at("127.0.0.1:1")
    assert "Connection refused" in found.trouble


async def test_an_ssh_command_that_fails_is_a_sentence():
    (host,) = parse_host_list("@red", "TEST").hosts
    timeouts = HostTimeouts(4.0, 10.0, ("/bin/sh", "-c", "exit 255", "--"))
    found = await visit(Member(host, "TEST"), "@red", timeouts)
    assert "status 255" in found.trouble


async def test_everybody_in_a_list_is_visited_at_the_same_time():
    def keep(connection):
        while connection.recv(100):
            pass

    with Raw(keep) as slow, Scripted(WELCOME) as good:
        text = f"{slow.host} {good.host} 127.0.0.1:1 localhost 127.0.0.9,down"
        found = FoundHosts(parse_host_list(text, "TEST"), "TEST")
        seen = await survey(found, (), TIMEOUTS, lambda host: host.text)
    told = {one.name: one for one in seen.visits}
    assert set(told) == {slow.host, good.host, "127.0.0.1:1"}
    assert told[slow.host].is_silent
    assert told[good.host].frames == WELCOME
    assert "refused" in told["127.0.0.1:1"].trouble
    assert len(seen.members) == 5
    assert seen.seconds < 6
