"""systemd's protocols."""

import os
import socket

from fleetcc.server.notify import Notifier, is_listening, passed_sockets


def test_readiness_goes_to_the_service_manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        Notifier(str(tmp_path / "notify")).say("READY=1", "STATUS=fine")
        assert manager.recv(100) == b"READY=1\nSTATUS=fine"


def test_an_abstract_address_begins_with_an_at_sign():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("")
        Notifier("@" + manager.getsockname()[1:].decode()).say("STOPPING=1")
        assert manager.recv(100) == b"STOPPING=1"


def test_without_a_service_manager_nothing_is_said():
    Notifier(None).say("READY=1")
    Notifier("/no/such/socket").say("READY=1")


def test_sockets_for_another_process_are_not_ours():
    assert passed_sockets({"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid() + 1)}) == []
    assert passed_sockets({"LISTEN_PID": str(os.getpid())}) == []
    assert passed_sockets({"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())}) == []


def test_a_listening_socket_is_told_from_a_connection():
    one, two = socket.socketpair()
    with one, two, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert is_listening(listener)
        assert not is_listening(one)
