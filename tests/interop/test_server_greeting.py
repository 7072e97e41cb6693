"""What a fleetccd says of itself to who asks."""

import pytest

from fleetcc.model import Form
from fleetcc.wire.greeting import GREETING
from tests.support.servers import read_to_end, start_fleetccd, stopping


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = start_fleetccd(tmp_path_factory.mktemp("server"), "--jobs", "3")
    with stopping(found):
        yield found


def test_the_greeting_tells_what_a_client_must_know(server):
    welcome = server.welcome()
    assert welcome.server.startswith("fleetccd ")
    assert welcome.forms == (Form.EXPANDED, Form.DIRECTIVES)
    assert welcome.protocols == (1, 2, 3)
    assert (welcome.slots, welcome.capacity, welcome.running, welcome.waiting) == (3, 3, 0, 0)


def test_a_greeting_may_come_in_pieces(server):
    with server.connect() as sock:
        for at in range(len(GREETING)):
            sock.send(GREETING[at : at + 1])
        assert read_to_end(sock).startswith(b"FLEETCC/1\r\nserver: fleetccd ")
