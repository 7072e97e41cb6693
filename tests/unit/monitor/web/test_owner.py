"""Whose connection over loopback it is."""

import os
import socket
import sys

import pytest

from fleetcc.monitor.web.guard import is_loopback
from fleetcc.monitor.web.owner import is_own_connection, user_of

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def line(local: str, remote: str, user: int) -> str:
    return f"   0: {local} {remote} 01 00000000:00000000 00:00000000 00000000 {user:5}        0 1 1 0 100 0\n"


def test_the_peer_s_end_tells_the_user(tmp_path) -> None:
    table = tmp_path / "tcp"
    here = f"{int.from_bytes(socket.inet_aton('127.0.0.1'), sys.byteorder):08X}"
    table.write_text(
        HEAD + line(f"{here}:1F90", f"{here}:C001", 1) + line(f"{here}:C001", f"{here}:1F90", 4242)
    )
    peer, server = ("127.0.0.1", 0xC001), ("127.0.0.1", 0x1F90)
    assert user_of(peer, server, str(table)) == 4242
    assert user_of(server, peer, str(table)) == 1
    assert user_of(peer, ("127.0.0.2", 0x1F90), str(table)) is None
    assert not is_own_connection(peer, server, str(table))


def test_without_the_kernel_s_table_nobody_is_known(tmp_path) -> None:
    assert user_of(("127.0.0.1", 1), ("127.0.0.1", 2), str(tmp_path / "none")) is None
    assert not is_own_connection(("127.0.0.1", 1), ("127.0.0.1", 2), str(tmp_path / "none"))


def test_a_real_connection_of_this_user_is_found() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        server, peer = listener.accept()
        with server:
            assert user_of(peer, server.getsockname()) == os.geteuid()
            assert is_own_connection(peer, server.getsockname())


@pytest.mark.parametrize(
    ("address", "is_here"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
     ("10.0.0.1", False), ("::ffff:10.0.0.1", False),
     ("fe80::1%eth0", False), ("", False), ("localhost", False), ("127.1", False)],
)  # fmt: skip
def test_only_addresses_of_this_machine_are_loopback(address, is_here) -> None:
    assert is_loopback(address) is is_here
