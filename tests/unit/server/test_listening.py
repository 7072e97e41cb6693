"""The sockets of a daemon."""

import contextlib
import socket

import pytest

from fleetcc.errors import ExitCode
from fleetcc.server.listening import BindError, listen


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def test_without_an_address_both_families_are_served():
    (sock,) = listen([], 0)
    with sock:
        for address in ("127.0.0.1", "::1") if sock.family == socket.AF_INET6 else ("127.0.0.1",):
            socket.create_connection((address, port_of(sock)), timeout=5).close()


def test_only_the_named_addresses_are_served():
    (sock,) = listen(["127.0.0.2"], 0)
    with sock:
        socket.create_connection(("127.0.0.2", port_of(sock)), timeout=5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port_of(sock)), timeout=5)


def test_a_port_in_use_is_an_error_that_names_it_and_leaves_nothing_open():
    (taken,) = listen(["127.0.0.2"], 0)
    with taken:
        with pytest.raises(BindError, match=f"127.0.0.2 port {port_of(taken)}") as error:
            listen(["127.0.0.3", "127.0.0.2"], port_of(taken))
        assert error.value.exit_code is ExitCode.BIND_FAILED
        with contextlib.closing(listen(["127.0.0.3"], port_of(taken))[0]):
            pass


@pytest.mark.parametrize("address", ["no-such-host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_here_is_an_error(address):
    with pytest.raises(BindError, match=address):
        listen([address], 0)
