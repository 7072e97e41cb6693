"""Servers that break the fleet protocol in every way: no job is lost or wrong, and nothing hangs."""

import socket
from collections.abc import Iterator

import pytest

from fleetcc.model import Reason
from fleetcc.wire.fleet import (
    HEADER,
    MAX_BODY_BYTES,
    Blob,
    Cancel,
    Demand,
    Drain,
    Error,
    Grant,
    Output,
    Part,
    Ping,
    Result,
    Started,
    encode_bulk,
)
from tests.support.fleet import Client, client, eventually, installed
from tests.support.one_compile import (
    COMMAND,
    SOON_SECONDS,
    SOURCE,
    compile_as_plain,
    user_without_backoff,
)
from tests.support.scripted_fleet import Script, ScriptedFleet, Session, serve_honestly

__all__ = ["client", "installed", "user_without_backoff"]  # fixtures


@pytest.fixture
def honest() -> Iterator[ScriptedFleet]:
    """A host that does its work."""
    with ScriptedFleet(serve_honestly, "127.0.0.2") as server:
        yield server


def after_grant(act: "Script") -> Script:
    """Grant one job, take it, and go wrong with it."""

    def script(session: Session) -> None:
        session.welcome(ping_seconds=0.6)
        session.taken = session.grant_one()  # type: ignore[attr-defined]
        act(session)
        session.wait_until_left()

    return script


def number_of(session: Session) -> int:
    """The job that the script has taken."""
    return session.taken[0]  # type: ignore[attr-defined, no-any-return]


def never_answer(session: Session) -> None:
    session.wait_until_left()


def forget(session: Session) -> None:
    """Answer pings, but without the job."""
    session.server.jobs.clear()
    session.wait_until_left()


def fall_silent(session: Session) -> None:
    """A process that is stopped: the kernel still takes bytes, nobody answers."""
    while session.connection.recv(1 << 16):
        pass


def answer_wrongly(*messages: Result | Error | Started) -> Script:
    def act(session: Session) -> None:
        session.send(*messages, job=number_of(session))

    return act


def answer_twice(session: Session) -> None:
    number, job, source = session.taken  # type: ignore[attr-defined]
    session.answer(number, job, source)
    session.answer(number, job, source)


def answer_another_job(session: Session) -> None:
    session.result(number_of(session) + 7, 0, b"", b"object")


def lie_about_sizes(session: Session) -> None:
    session.send_bytes(b"".join(encode_bulk(Output, number_of(session), b"x" * 100)))
    session.send(Result(0, (Part("object", 200, 200),)), job=number_of(session))


def lie_about_plain_sizes(session: Session) -> None:
    session.send_bytes(b"".join(encode_bulk(Output, number_of(session), b"x" * 100)))
    session.send(Result(0, (Part("object", 100, 1 << 30, "zstd"),)), job=number_of(session))


def announce_a_huge_frame(session: Session) -> None:
    session.send_bytes(HEADER.pack(MAX_BODY_BYTES + 1, 11, number_of(session)))


def send_garbage(session: Session) -> None:
    session.send_bytes(b"\0\0\0\x05\x0b\0\0\0\x01hello")


def flood_with_grants(session: Session) -> None:
    for _ in range(1000):
        session.send(Grant(1000))


def flood_with_pings(session: Session) -> None:
    for number in range(20_000):
        session.send(Ping(number))


def close_at_once(session: Session) -> None:
    session.connection.shutdown(socket.SHUT_RDWR)


AFTER_A_GRANT: list[tuple[str, Script, Reason]] = [
    ("never answers", never_answer, Reason.HOSTS_FAILED),
    ("forgets the job", forget, Reason.HOSTS_FAILED),
    ("falls silent", fall_silent, Reason.HOSTS_FAILED),
    ("answers another job", answer_another_job, Reason.HOSTS_FAILED),
    ("lies about sizes", lie_about_sizes, Reason.HOSTS_FAILED),
    ("lies about plain sizes", lie_about_plain_sizes, Reason.HOSTS_FAILED),
    ("announces a huge frame", announce_a_huge_frame, Reason.HOSTS_FAILED),
    ("sends garbage", send_garbage, Reason.HOSTS_FAILED),
    ("floods with grants", flood_with_grants, Reason.HOSTS_FAILED),
    ("floods with pings", flood_with_pings, Reason.HOSTS_FAILED),
    ("closes", close_at_once, Reason.HOSTS_FAILED),
    ("starts twice", answer_wrongly(Started(), Started()), Reason.HOSTS_FAILED),
    ("succeeds with nothing", answer_wrongly(Result(0)), Reason.HOSTS_FAILED),
    ("failed", answer_wrongly(Error("failed", "no space left")), Reason.HOSTS_FAILED),
    ("new code", answer_wrongly(Error("tired", "come back tomorrow")), Reason.HOSTS_FAILED),
    ("refuses", answer_wrongly(Error("refused", "option -fgone")), Reason.REFUSED),
    ("unfit", answer_wrongly(Error("unfit", "__DATE__ would differ")), Reason.SOURCE_NEEDED),
    ("killed", answer_wrongly(Started(), Result(9)), Reason.REMOTE_SIGNAL),
    ("compile error", answer_wrongly(Started(), Result(1 << 8)), Reason.COMPILER_SPOKE),
]


@pytest.mark.parametrize(
    ("script", "reason"), [row[1:] for row in AFTER_A_GRANT], ids=[row[0] for row in AFTER_A_GRANT]
)
def test_whatever_a_host_does_with_a_job_the_bytes_are_right(
    user: Client, script: Script, reason: Reason
) -> None:
    with ScriptedFleet(after_grant(script)) as bad:
        user.environment["FLEETCC_HOSTS"] = bad.host
        compile_as_plain(user)
        assert user.last_reason == reason.slug


FAILURES = [row for row in AFTER_A_GRANT if row[2] is Reason.HOSTS_FAILED]


@pytest.mark.parametrize("script", [row[1] for row in FAILURES], ids=[row[0] for row in FAILURES])
def test_another_host_does_what_a_bad_one_did_not(
    user: Client, honest: ScriptedFleet, script: Script
) -> None:
    with ScriptedFleet(after_grant(script)) as bad:
        for hosts in (bad.host, f"{bad.host} {honest.host}"):
            user.environment["FLEETCC_HOSTS"] = hosts
            compile_as_plain(user)
        assert user.last_reason == "remote"


def before_a_grant(act: Script) -> Script:
    def script(session: Session) -> None:
        session.welcome()
        session.next(Demand)
        act(session)
        session.wait_until_left()

    return script


def test_an_answer_that_comes_twice_changes_nothing(user: Client) -> None:
    with ScriptedFleet(after_grant(answer_twice)) as bad:
        user.environment["FLEETCC_HOSTS"] = bad.host
        compile_as_plain(user)
        # Both answers in one piece are one broken piece; the first alone is the answer.
        assert user.last_reason in {"remote", Reason.HOSTS_FAILED.slug}


def test_a_host_that_never_grants_keeps_nobody_from_the_others(user: Client, honest: ScriptedFleet) -> None:
    with ScriptedFleet(before_a_grant(lambda session: session.wait_until_left())) as bad:
        user.environment["FLEETCC_HOSTS"] = f"{bad.host} {honest.host}"
        for _ in range(3):
            compile_as_plain(user)
            assert (user.last_reason, user.last_job()["host"]) == ("remote", honest.host)


def test_a_host_that_never_grants_is_not_waited_for_for_ever(user: Client) -> None:
    with ScriptedFleet(before_a_grant(lambda session: session.wait_until_left())) as bad:
        user.environment["FLEETCC_HOSTS"] = bad.host
        compile_as_plain(user)
        assert user.last_reason == Reason.NO_GRANT.slug


BEFORE_A_GRANT: list[tuple[str, Script]] = [
    ("floods with grants", flood_with_grants),
    ("floods with pings", flood_with_pings),
    ("result for nothing", lambda session: session.result(3, 0, b"", b"object")),
    ("started for nothing", lambda session: session.send(Started(), job=5)),
    ("client's message", lambda session: session.send(Demand(3))),
    ("client's blob", lambda session: session.send_bytes(b"".join(encode_bulk(Blob, 1, b"x")))),
    ("cancels", lambda session: session.send(Cancel(), job=1)),
    ("leaves", lambda session: session.send(Drain("tired"))),
    ("error", lambda session: session.send(Error("too-many", "too many connections"))),
    ("garbage", lambda session: session.send_bytes(b"\xff" * 100)),
]


@pytest.mark.parametrize("script", [row[1] for row in BEFORE_A_GRANT], ids=[row[0] for row in BEFORE_A_GRANT])
def test_whatever_a_host_says_instead_of_granting_the_build_goes_on(
    user: Client, honest: ScriptedFleet, script: Script
) -> None:
    with ScriptedFleet(before_a_grant(script)) as bad:
        user.environment["FLEETCC_HOSTS"] = bad.host
        compile_as_plain(user)
        assert user.last_reason == Reason.ALL_HOSTS_FAILING.slug
        user.environment["FLEETCC_HOSTS"] = f"{bad.host} {honest.host}"
        compile_as_plain(user)
        assert user.last_reason == "remote"


def test_messages_that_the_client_does_not_know_are_answered(user: Client) -> None:
    def script(session: Session) -> None:
        session.welcome()
        session.send_bytes(HEADER.pack(3, 99, 0) + b"new")
        error = session.next(Error).message
        assert isinstance(error, Error)
        assert error.code == "unknown-message"
        assert "99" in error.text
        number, job, source = session.grant_one()
        session.answer(number, job, source)
        session.wait_until_left()

    with ScriptedFleet(script) as server:
        user.environment["FLEETCC_HOSTS"] = server.host
        compile_as_plain(user)
        assert user.last_reason == "remote"


def test_grants_that_nobody_needs_are_given_back(user: Client) -> None:
    def script(session: Session) -> None:
        session.welcome()
        while True:
            demand = session.next(Demand).message
            assert isinstance(demand, Demand)
            if demand.most:
                break
        session.send(Grant(1))
        number, job, source = session.take_job()
        session.answer(number, job, source)
        session.wait_until_left()

    with ScriptedFleet(script) as server, ScriptedFleet(script, "127.0.0.2") as other:
        user.environment["FLEETCC_HOSTS"] = f"{server.host} {other.host}"
        compile_as_plain(user)
        assert user.last_reason == "remote"
        assert server.declined + other.declined <= 1


def test_a_host_without_this_compiler_is_told_apart(user: Client, honest: ScriptedFleet) -> None:
    def script(session: Session) -> None:
        session.welcome(compilers=("0" * 64,))
        session.wait_until_left()

    with ScriptedFleet(script) as other:
        user.environment["FLEETCC_HOSTS"] = other.host
        compile_as_plain(user)
        job = user.last_job()
        assert job["reason"] == Reason.NO_SAME_COMPILER.slug
        assert "gcc" in job["detail"]
        user.environment["FLEETCC_HOSTS"] = f"{other.host} {honest.host}"
        compile_as_plain(user)
        assert (user.last_reason, other.said(Demand)) == ("remote", [])


def test_a_host_that_gets_the_compiler_later_is_used_from_then_on(user: Client) -> None:
    def script(session: Session) -> None:
        session.welcome(compilers=(), looking=True)
        session.welcome()
        number, job, source = session.grant_one()
        session.answer(number, job, source)
        session.wait_until_left()

    with ScriptedFleet(script) as server:
        user.environment["FLEETCC_HOSTS"] = server.host
        compile_as_plain(user)
        assert user.last_reason == "remote"


def test_a_host_that_is_for_ever_looking_for_compilers_is_not_waited_for(user: Client) -> None:
    def script(session: Session) -> None:
        session.welcome(compilers=(), looking=True)
        session.wait_until_left()

    with ScriptedFleet(script) as server:
        user.environment |= {"FLEETCC_HOSTS": server.host, "FLEETCC_CONNECT_TIMEOUT": "1"}
        compile_as_plain(user)
        assert user.last_reason == Reason.NO_GRANT.slug


def test_two_addresses_of_one_server_are_one_host(user: Client) -> None:
    with ScriptedFleet(serve_honestly) as one, ScriptedFleet(serve_honestly, "127.0.0.2") as two:
        two.instance = one.instance
        user.environment["FLEETCC_HOSTS"] = f"{one.host} {two.host}"

        def is_told_after_one_more() -> bool:  # hosts are connected to while jobs want them
            compile_as_plain(user)
            assert user.last_reason == "remote"
            return any(host["state"].startswith("same as") for host in user.status()["hosts"])

        eventually(is_told_after_one_more)
        assert one.said(Demand) == [] or two.said(Demand) == []


def test_ctrl_c_cancels_on_the_host(user: Client) -> None:
    with ScriptedFleet(after_grant(never_answer)) as server:
        user.environment |= {"FLEETCC_HOSTS": server.host, "DISTCC_IO_TIMEOUT": "60"}
        user.write("a.c", SOURCE)
        with user.building(user.launcher, *COMMAND) as build:
            eventually(lambda: server.jobs)
            build.terminate()
            build.wait(SOON_SECONDS)
        eventually(lambda: server.said(Cancel))
