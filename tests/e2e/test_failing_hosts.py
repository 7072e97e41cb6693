"""Hosts that fail in every way: each compile has the right bytes, the reason is told, nothing hangs."""

from pathlib import Path

import pytest

from fleetcc.model import Reason
from fleetcc.wire.fleet import Error
from tests.support.fleet import (
    Client,
    client,
    installed,
    small_disk,
)
from tests.support.one_compile import (
    COMMAND,
    SOON_SECONDS,
    SOURCE,
    compile_as_plain,
    good,
    use_hosts,
    user_without_backoff,
)
from tests.support.scripted_fleet import Script as FleetScript
from tests.support.scripted_fleet import ScriptedFleet, Session
from tests.support.scripted_server import (
    Script,
    ScriptedServer,
    Visit,
    answer_with,
    compile_honestly,
    good_answer,
    honest_answer,
)
from tests.support.servers import start_fleetccd, stopping

__all__ = ["client", "good", "installed", "small_disk", "user_without_backoff"]  # fixtures


def the_answer(client: Client, protocol: int = 2) -> bytes:
    """The response that is right for COMMAND."""
    assert client.plain(*COMMAND).status == 0
    path = client.work / "a.o"
    answer = good_answer(protocol, path.read_bytes())
    path.unlink()
    return answer


# ---- the answer breaks off


def cuts(length: int) -> list[int]:
    """Where an answer is cut: around every token, and through its body."""
    tokens = {at + near for at in (0, 12, 24, 36, 48, 60) for near in (-1, 0, 1) if at + near >= 0}
    body = set(range(60, length, (length - 60) // 24)) | {length - 2, length - 1}
    return sorted(cut for cut in tokens | body if cut < length)


@pytest.mark.parametrize("protocol", [1, 2])
def test_an_answer_that_breaks_off_anywhere_means_compiling_here(user: Client, protocol: int) -> None:
    answer = the_answer(user, protocol)
    with ScriptedServer(compile_honestly) as bad:
        use_hosts(user, bad, option=",lzo" if protocol == 2 else "")
        positions = cuts(len(answer))
        assert len(positions) >= 38
        for cut in positions:
            bad.script = answer_with(answer[:cut])
            compile_as_plain(user)
            assert user.last_reason == (Reason.HOSTS_FAILED.slug if cut else Reason.REFUSED.slug), cut
        assert len(bad.visits) == len(positions)


def test_an_answer_that_breaks_off_anywhere_means_another_host(user: Client, good: ScriptedServer) -> None:
    answer = the_answer(user)
    with ScriptedServer(compile_honestly) as bad:
        use_hosts(user, bad, good)
        positions = cuts(len(answer))
        for cut in positions:
            bad.script = answer_with(answer[:cut])
            before = len(bad.visits)
            while len(bad.visits) == before:  # it may just be asked what it is, so that the other is first
                compile_as_plain(user)
                job = user.last_job()
                assert (job["reason"], job["host"]) == ("remote", good.host + ",lzo"), cut
        assert len(bad.visits) == len(positions)


def test_a_host_is_tried_once_and_then_one_other(user: Client) -> None:
    with (
        ScriptedServer(answer_with(b"")) as one,
        ScriptedServer(answer_with(b""), "127.0.0.2") as two,
        ScriptedServer(answer_with(b""), "127.0.0.3") as three,
    ):
        use_hosts(user, one, two, three)
        compile_as_plain(user)
        assert sorted(len(host.visits) for host in (one, two, three)) == [0, 1, 1]
        assert user.last_reason == Reason.REFUSED.slug


# ---- the answer is wrong


def drip(visit: Visit) -> None:
    head, source = visit.request()
    for byte in honest_answer(head, source):
        visit.send(bytes((byte,)))


def never_answer(visit: Visit) -> None:
    visit.request()
    visit.wait_until_left()


def never_read(visit: Visit) -> None:
    visit.connection.recv(1)
    visit.wait_until_left()


def stall_in_the_middle(visit: Visit) -> None:
    head, source = visit.request()
    visit.send(honest_answer(head, source)[:-1])
    visit.wait_until_left()


def reset_at_once(visit: Visit) -> None:
    visit.reset()


def reset_after_the_request(visit: Visit) -> None:
    visit.request()
    visit.reset()


def answer_before_the_request(visit: Visit) -> None:
    visit.send(b"DONE00000002STAT00000000")
    visit.wait_until_left()


def shout(visit: Visit) -> None:
    """Junk before anything was asked, then the end."""
    visit.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def corrupt(visit: Visit) -> None:
    """The lengths are right, the compressed object is not."""
    head, source = visit.request()
    answer = bytearray(honest_answer(head, source))
    answer[60:] = bytes(255 - byte for byte in answer[60:])
    visit.send(bytes(answer))


def corrupt_messages(visit: Visit) -> None:
    head, source = visit.request()
    start = b"DONE00000002STAT00000000SERR00000003\xff\xff\xffSOUT00000000"
    visit.send(start + honest_answer(head, source)[48:])


DONE = b"DONE00000002STAT00000000"
OK = DONE + b"SERR00000000SOUT00000000"
FAILURES: list[tuple[str, Script, Reason]] = [
    ("nonsense", answer_with(b"\0" * 5000), Reason.HOSTS_FAILED),
    ("text", shout, Reason.HOSTS_FAILED),
    ("wrong version", answer_with(good_answer(1, b"")), Reason.HOSTS_FAILED),
    ("tokens out of order", answer_with(b"DONE00000002SERR00000000STAT00000000"), Reason.HOSTS_FAILED),
    ("no number", answer_with(b"DONE00000002STATxxxxxxxx"), Reason.HOSTS_FAILED),
    ("huge stderr", answer_with(DONE + b"SERRffffffff"), Reason.HOSTS_FAILED),
    ("huge stdout", answer_with(DONE + b"SERR00000000SOUT7fffffff"), Reason.HOSTS_FAILED),
    ("huge object", answer_with(OK + b"DOTOffffffff"), Reason.HOSTS_FAILED),
    ("large object", answer_with(OK + b"DOTO3fffffff"), Reason.HOSTS_FAILED),
    ("corrupt object", corrupt, Reason.HOSTS_FAILED),
    ("corrupt messages", corrupt_messages, Reason.HOSTS_FAILED),
    ("empty object", answer_with(good_answer(2, b"")), Reason.HOSTS_FAILED),
    ("killed by a signal", answer_with(good_answer(2, b"", status=11)), Reason.REMOTE_SIGNAL),
    ("killed for its memory", answer_with(good_answer(2, b"", status=9)), Reason.REMOTE_SIGNAL),
    ("no such compiler", answer_with(good_answer(2, b"", b"no gcc\n", 110 << 8)), Reason.REFUSED),
    ("input and output", answer_with(good_answer(2, b"", b"", 107 << 8)), Reason.REFUSED),
    ("took too long", answer_with(good_answer(2, b"", b"", 118 << 8)), Reason.REFUSED),
    ("never answers", never_answer, Reason.HOSTS_FAILED),
    ("never reads", never_read, Reason.HOSTS_FAILED),
    ("stalls in the middle", stall_in_the_middle, Reason.HOSTS_FAILED),
    ("resets at once", reset_at_once, Reason.REFUSED),
    ("resets after the request", reset_after_the_request, Reason.REFUSED),
    ("begins before it was asked", answer_before_the_request, Reason.HOSTS_FAILED),
]


@pytest.mark.parametrize(
    ("script", "reason"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
def test_a_failing_host_costs_no_compile(
    user: Client, good: ScriptedServer, script: Script, reason: Reason
) -> None:
    with ScriptedServer(script) as bad:
        use_hosts(user, bad)
        compile_as_plain(user)
        job = user.last_job()
        assert (job["reason"], job["host"]) == (reason.slug, "local")
        assert job["detail"]

        use_hosts(user, bad, good)
        while len(bad.visits) == 1:  # it may just be asked what it is, so that the other is first
            compile_as_plain(user)
        expected = (
            (reason.slug, "local") if reason is Reason.REMOTE_SIGNAL else ("remote", good.host + ",lzo")
        )
        job = user.last_job()
        assert (job["reason"], job["host"]) == expected
        assert len(bad.visits) == 2


def test_a_slow_answer_is_an_answer(user: Client) -> None:
    with ScriptedServer(drip) as slow:
        use_hosts(user, slow)
        compile_as_plain(user)
        assert user.last_reason == "remote"


def test_a_whole_answer_before_the_request_is_complete_is_taken(user: Client) -> None:
    user.write("a.c", SOURCE + "".join(f"extern int {'unused' * 170}{n};\n" for n in range(8_000)))
    answer = the_answer(user, 1)

    def script(visit: Visit) -> None:
        visit.connection.recv(1)
        visit.send(answer)
        visit.wait_until_left()

    with ScriptedServer(script) as hasty:
        use_hosts(user, hasty, option="")
        compile_as_plain(user)
        assert user.last_reason == "remote"


def test_bytes_after_the_answer_are_ignored(user: Client) -> None:
    with ScriptedServer(answer_with(the_answer(user) + b"more")) as host:
        use_hosts(user, host)
        compile_as_plain(user)
        assert user.last_reason == "remote"


def test_hosts_that_cannot_be_reached_are_told(user: Client) -> None:
    with ScriptedServer(compile_honestly) as gone:
        pass
    for host, word in (
        (gone.host, "Connection refused"),
        ("no-such-host.invalid", "no-such-host.invalid"),
        ("[::1]:1", "::1 port 1"),
        ("@nowhere", "cannot run '/nonexistent/ssh'"),
    ):
        user.environment |= {"FLEETCC_HOSTS": host, "FLEETCC_SSH": "/nonexistent/ssh"}
        compile_as_plain(user)
        job = user.last_job()
        assert job["reason"] == Reason.ALL_HOSTS_FAILING.slug
        assert word in job["detail"]


# ---- debug information: only a fleetccd can do it exactly

DEBUG = ("gcc", "-g", "-O2", "-c", "a.c", "-o", "a.o")


def test_debug_information_is_exact_on_a_fleetccd(user: Client, tmp_path: Path) -> None:
    server = start_fleetccd(tmp_path / "server")
    user.environment |= {"FLEETCC_HOSTS": f"127.0.0.1:{server.port}", "FLEETCC_MODE": "preprocessed"}
    with stopping(server):
        user.same_as_plain(*DEBUG, outputs=["a.o"])
        assert user.last_reason == "remote"
        user.write("a.c", SOURCE + "const char *when = __TIMESTAMP__;\n")
        user.same_as_plain(*DEBUG, outputs=["a.o"])
        assert user.last_reason == Reason.SOURCE_NEEDED.slug


def unfit(session: Session) -> None:
    session.welcome()
    while True:
        number, job, _ = session.grant_one()
        assert job.form == "directives"
        session.send(Error("unfit", "no"), job=number)


def nothing(session: Session) -> None:
    session.wait_until_left()


def talk_on(session: Session) -> None:
    session.send_bytes(b"FLEETCC/1" + b"x" * 100_000)
    session.wait_until_left()


DEBUG_FAILURES: list[tuple[str, FleetScript, Reason]] = [
    ("cannot", unfit, Reason.SOURCE_NEEDED),
    ("talks on", talk_on, Reason.ALL_HOSTS_FAILING),
    ("never answers", nothing, Reason.DEBUG_COLUMNS),
]


@pytest.mark.parametrize(
    ("script", "reason"), [row[1:] for row in DEBUG_FAILURES], ids=[row[0] for row in DEBUG_FAILURES]
)
def test_debug_information_is_exact_when_the_fleet_host_fails(
    user: Client, good: ScriptedServer, script: FleetScript, reason: Reason
) -> None:
    user.environment["FLEETCC_CONNECT_TIMEOUT"] = "1"
    with ScriptedFleet(script) as bad:
        compile_with_debug(user, bad.host, reason)
        # A stock host is no way out.
        compile_with_debug(user, f"{bad.host} {good.host}", None)
        assert good.visits == []


def test_debug_information_stays_here_when_there_is_only_a_stock_host(
    user: Client, good: ScriptedServer
) -> None:
    compile_with_debug(user, good.host, Reason.DEBUG_COLUMNS)
    assert good.visits == []


def compile_with_debug(user: Client, hosts: str, reason: Reason | None) -> None:
    """Compile with -g; soon, exactly, and here for this reason."""
    user.environment["FLEETCC_HOSTS"] = hosts
    result = user.same_as_plain(*DEBUG, outputs=["a.o"])
    assert result.seconds < SOON_SECONDS
    job = user.last_job()
    assert job["host"] == "local"
    if reason is not None:
        assert job["reason"] == reason.slug


def test_debug_information_with_nobody_there(user: Client) -> None:
    user.environment["FLEETCC_HOSTS"] = "127.0.0.1:1"
    user.same_as_plain(*DEBUG, outputs=["a.o"])
    assert user.last_reason == Reason.ALL_HOSTS_FAILING.slug
