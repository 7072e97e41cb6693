"""Visits of servers on loopback that say what a test has written."""

import socket
import struct
import time
from dataclasses import replace

import pytest

from fleetcc.backends.link import HostTimeouts
from fleetcc.hosts.grammar import parse_host_list
from fleetcc.hosts.members import Member
from fleetcc.hosts.sources import FoundHosts
from fleetcc.model import Form
from fleetcc.monitor.doctor.measure import MEASURE_SECONDS, measure
from fleetcc.monitor.doctor.session import net_seconds
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

    def __init__(self, *messages, answers=lambda _: True, before=(), ahead=None):
        super().__init__("127.0.0.1")
        self._messages = messages
        self._answers = answers  # whether it answers this ping; an error closes the connection
        self._before = before  # what it says before each answer
        self._ahead = ahead  # its clock's difference; None: it does not tell
        self.hellos = []
        self.paddings = []

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
        elif isinstance(message, fleet.Ping) and not message.answer:
            self.paddings.append(len(message.padding))
            if self._answers(message):
                clock = 0.0 if self._ahead is None else time.time() + self._ahead
                answer = fleet.Ping(message.token, answer=True, clock=clock)
                connection.sendall(b"".join(fleet.encode(0, one) for one in (*self._before, answer)))

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
    with Scripted(WELCOME, answers=lambda _: False) as server:
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
    assert told[good.host].upload > 0
    assert told[slow.host].upload == 0
    assert "refused" in told["127.0.0.1:1"].trouble
    assert len(seen.members) == 5
    assert seen.seconds < 6


@pytest.mark.parametrize("ahead", [300.0, -7200.0])
async def test_the_clock_of_a_server_is_compared_with_ours(ahead):
    with Scripted(WELCOME, ahead=ahead) as server:
        clock = (await visit_at(server.host)).clock
    # The threads of this process may keep each other waiting between a look at a clock and what follows.
    assert abs(clock.ahead - ahead) < clock.error + 0.2
    assert 0 < clock.error < 1


async def test_a_server_of_before_has_no_clock():
    with Scripted(WELCOME) as server:
        assert (await visit_at(server.host)).clock is None


async def test_only_the_answer_to_a_ping_ends_a_round_trip():
    with Scripted(WELCOME, before=(LOOKING, fleet.Ping(99)), answers=lambda ping: ping.token < 3) as server:
        found = await visit_at(server.host)
    assert len(found.round_trips) == 2
    assert found.frames == LOOKING


async def test_a_line_is_measured_by_padding_and_no_more_than_is_worth_it():
    with Scripted(WELCOME) as server:
        found = await visit_at(server.host)
        (measured,) = await measure([found], TIMEOUTS)
    assert found.upload == 0.0
    assert measured.upload > 100_000
    assert replace(measured, upload=0.0) == found
    assert server.paddings[:6] == [0, 0, 0, 0, 0, 64 << 10]
    assert 64 << 10 <= sum(server.paddings) <= 4 << 20


async def test_a_line_that_does_not_carry_the_least_in_time_is_told_by_what_it_carries_at_most():
    with Scripted(WELCOME, answers=lambda ping: not ping.padding) as server:
        found = await visit_at(server.host)
        begun = time.monotonic()
        (measured,) = await measure([found], TIMEOUTS)
    assert 0 < measured.upload < (64 << 10) / 0.9
    assert time.monotonic() - begun < MEASURE_SECONDS + 1
    assert server.paddings == [0] * 5 + [64 << 10]


async def test_a_server_that_goes_while_it_is_measured_has_no_figure():
    def answers(ping):
        if ping.padding:
            raise LeftError
        return True

    with Scripted(WELCOME, answers=answers) as server:
        found = await visit_at(server.host)
        assert await measure([found], TIMEOUTS) == (found,)


async def test_who_could_not_be_visited_is_not_measured():
    nobody = await visit_at("127.0.0.1:1")
    with Scripted(WELCOME, fleet.Drain("it is stopped")) as server:
        leaving = await visit_at(server.host)
        assert await measure([nobody, leaving], TIMEOUTS) == (nobody, leaving)
        assert len(server.hellos) == 1


def test_a_round_trip_is_no_part_of_what_bytes_take():
    assert net_seconds(0.5, 0.1) == pytest.approx(0.4)
    assert net_seconds(0.2, 0.19) == net_seconds(0.2, 0.5) == pytest.approx(0.05)
