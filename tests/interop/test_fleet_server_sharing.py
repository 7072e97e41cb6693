"""Fleet clients and slots: how many run, who is next, and that nobody else starves."""

import socket
import time
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.support.fleet_client import FleetClient, connect
from tests.support.servers import (
    START_SECONDS,
    FakeCompilers,
    Fleetccd,
    read_response,
    request,
    start_fleetccd,
    start_inetd,
    stopping,
)

SLOTS = 4
ALLOW = ("--allow", "127.0.0.0/8")


@pytest.fixture
def fake(tmp_path):
    return FakeCompilers(tmp_path / "compilers")


@pytest.fixture
def lock(fake):
    found = fake.add_blocking("gcc-99")
    yield found
    found.close()


def start(fake: FakeCompilers, directory, *options: str, state_dir=None) -> Fleetccd:
    environment = {"FLEETCCD_PATH": fake.path_alone}
    return start_fleetccd(directory, *ALLOW, *options, environment=environment, state_dir=state_dir)


def argv(name: str) -> tuple[bytes, ...]:
    return (b"gcc-99", b"-c", name.encode() + b".i", b"-o", b"x.o")


def distcc_job(name: str) -> bytes:
    return request(argv(name), b"int x;\n")


def send_granted(client: FleetClient, compiler: str, name: str) -> list[int]:
    """Use every grant that is here."""
    return [client.run(compiler, argv(name)) for _ in range(client.grants)]


def wait_for_done(client: FleetClient, count: int) -> None:
    client.wait_until(lambda: len(client.done) == count)


def starts(fake: FakeCompilers) -> list[str]:
    return [line.split()[1].removesuffix(".i") for line in fake.journal if line.startswith("start")]


def feed(
    fake: FakeCompilers, lock, clients: Sequence[tuple[str, FleetClient]], compiler: str, total: int
) -> list[str]:
    """Let one compiler end at a time until so many have started; every grant is used at once."""
    while (before := len(starts(fake))) < total:
        deadline = time.monotonic() + START_SECONDS
        begun = sum(starts(fake).count(name) for name, _ in clients)
        while sum(client.last_id for _, client in clients) <= begun:
            assert time.monotonic() < deadline, "nothing is granted"
            for name, client in clients:
                client.barrier()
                send_granted(client, compiler, name)
        lock.let_go()
        fake.wait_for(before + 1)
    return starts(fake)


def test_as_many_run_as_there_are_slots_and_one_more_is_here(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server", "--jobs", str(SLOTS))
    with stopping(server), connect(server.connect()) as client:
        compiler = fake.identity("gcc-99")
        client.demand(20)
        client.wait_for_grants(SLOTS + 1)
        client.barrier()
        assert client.granted == [SLOTS + 1]  # in one message
        send_granted(client, compiler, "x")
        fake.wait_for(SLOTS)
        client.wait_until(lambda: len(client.started) == SLOTS)
        client.barrier()
        assert client.grants == 0
        welcome = server.welcome()
        assert (welcome.running, welcome.waiting) == (SLOTS, 2)  # the one beyond, and the demand
        for count in range(SLOTS + 1, 15):
            lock.let_go()
            fake.wait_for(count)
            client.wait_for_grants(1)
            client.barrier()
            assert client.grants == 1
            send_granted(client, compiler, "x")
        client.demand(0)
        lock.let_go(20)
        client.wait_until(lambda: len(client.done) == client.last_id)
        assert all(done.result is not None for done in client.done.values())
        client.barrier()
        assert client.grants == 0
    assert fake.most_at_once == SLOTS


def test_no_more_is_granted_than_is_demanded_and_declined_grants_come_back_on_demand(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server", "--jobs", str(SLOTS))
    with stopping(server), connect(server.connect()) as client:
        client.demand(2)
        client.wait_for_grants(2)
        client.barrier()
        assert client.grants == 2
        client.decline(2)
        client.barrier()
        client.barrier()
        assert client.grants == 0
        client.demand(1)
        client.wait_for_grants(1)
        client.decline(1)
        client.barrier()
        server.wait_until_idle()


def test_two_clients_share_the_slots_whatever_they_demand(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server", "--jobs", str(SLOTS))
    with stopping(server), connect(server.connect(), "many") as many, connect(server.connect(), "few") as few:
        compiler = fake.identity("gcc-99")
        many.demand(40)
        many.wait_for_grants(SLOTS + 1)
        send_granted(many, compiler, "many")
        fake.wait_for(SLOTS)
        few.demand(4)
        order = feed(fake, lock, [("many", many), ("few", few)], compiler, 12)
        # One of the first client's was here already; then they take turns until the second one has done.
        assert order[: SLOTS + 1] == ["many"] * (SLOTS + 1)
        assert order[SLOTS + 1 : SLOTS + 4].count("few") >= 2
        assert order.count("few") == 4
        lock.let_go(60)


@pytest.mark.parametrize(("priority", "share"), [("interactive", 4), ("normal", 2)])
def test_a_client_gets_slots_in_proportion_to_its_weight(fake, lock, tmp_path, priority, share):
    server = start(fake, tmp_path / "server", "--jobs", "5")
    with stopping(server), connect(server.connect(), "ci") as ci, connect(server.connect(), "other") as other:
        compiler = fake.identity("gcc-99")
        ci.demand(100, "ci")
        other.demand(100, priority)
        order = feed(fake, lock, [("ci", ci), ("other", other)], compiler, 40)
        counts = Counter(order[10:])
        print(priority, counts)
        assert share * 0.55 <= counts["other"] / counts["ci"] <= share * 1.5
        lock.let_go(100)


def test_no_weight_keeps_others_from_a_single_slot(fake, lock, tmp_path):
    server = start(fake, tmp_path / "server", "--jobs", "1")
    with stopping(server), connect(server.connect(), "ci") as ci, connect(server.connect(), "me") as me:
        compiler = fake.identity("gcc-99")
        ci.demand(100, "ci")
        me.demand(100, "interactive")
        counts = Counter(feed(fake, lock, [("ci", ci), ("me", me)], compiler, 20))
        assert min(counts.values()) >= 8
        lock.let_go(100)


@pytest.mark.parametrize("first", ["stock", "fleet"])
@pytest.mark.parametrize("through_other_daemon", [False, True], ids=["same daemon", "second daemon"])
def test_stock_clients_and_fleet_clients_share_the_slots_evenly(
    fake, lock, tmp_path, first, through_other_daemon
):
    states = tmp_path / "state"
    one = two = start(fake, tmp_path / "one", "--jobs", str(SLOTS), state_dir=states)
    if through_other_daemon:
        two = start(fake, tmp_path / "two", "--jobs", str(SLOTS), state_dir=states)
    with stopping(one, two), connect(one.connect("127.0.0.2")) as client:
        compiler = fake.identity("gcc-99")
        stock: list[socket.socket] = []

        def begin_stock() -> None:
            stock.extend(two.connect("127.0.0.3") for _ in range(60))
            for sock in stock:
                sock.sendall(distcc_job("stock"))

        if first == "stock":
            begin_stock()
            fake.wait_for(SLOTS)
            client.demand(100)
        else:
            client.demand(100)
            client.wait_for_grants(SLOTS + 1)
            send_granted(client, compiler, "fleet")
            fake.wait_for(SLOTS)
            begin_stock()
            two.wait_for_log_count("client=127.0.0.3 upload", 1)
        order = feed(fake, lock, [("fleet", client)], compiler, 40)
        counts = Counter(order[2 * SLOTS :])
        print(first, counts)
        assert 0.6 <= counts["fleet"] / counts["stock"] <= 1.7
        lock.let_go(200)
        for sock in stock:
            assert read_response(sock).status == 0
            sock.close()
    assert fake.most_at_once == SLOTS


def test_daemon_and_inetd_processes_share_the_slots_with_fleet_sessions(fake, tmp_path):
    fake.add("gcc-99", 'note start x\nsleep 0.05\necho object >"$out"\nnote end x\n')
    states = tmp_path / "state"
    server = start(fake, tmp_path / "one", "--jobs", str(SLOTS), state_dir=states)
    compiler = fake.identity("gcc-99")
    environment = {"FLEETCCD_PATH": fake.path_alone}
    with stopping(server):
        options = ("--jobs", str(SLOTS))
        inetd = [start_inetd(tmp_path / "inetd", states, *options, **environment) for _ in range(3)]
        clients = [connect(each.socket, f"inetd{number}") for number, each in enumerate(inetd)]
        clients += [connect(server.connect(), f"daemon{number}") for number in range(3)]
        assert len({client.welcome.instance for client in clients}) == 1
        stock = [server.connect() for _ in range(10)]
        for sock in stock:
            sock.sendall(distcc_job("x"))
        for client in clients:
            client.demand(10)
        while any(client.last_id < 10 for client in clients):
            for client in clients:
                client.barrier()
                send_granted(client, compiler, "x")
        for client in clients:
            wait_for_done(client, 10)
            assert all(done.part("object") == b"object\n" for done in client.done.values())
            client.close()
        for sock in stock:
            assert read_response(sock).status == 0
            sock.close()
        assert [each.process.wait(20) for each in inetd] == [0, 0, 0]
        assert list((tmp_path / "inetd" / "tmp").iterdir()) == []
    assert 2 <= fake.most_at_once <= SLOTS


def test_results_are_sent_when_the_slot_is_free_again(fake, tmp_path):
    """A client that takes nothing of a big object holds no slot."""
    fake.add("gcc-99", 'note start x\ndd if=/dev/urandom of="$out" bs=1M count=8 2>/dev/null\nnote end x\n')
    server = start(fake, tmp_path / "server", "--jobs", "1")
    with stopping(server):
        slow, quick = (
            connect(server.connect("127.0.0.2"), "slow"),
            connect(server.connect("127.0.0.3"), "quick"),
        )
        compiler = fake.identity("gcc-99")
        slow.demand(1)
        slow.wait_for_grants(1)
        job = slow.run(compiler)
        fake.wait_for(1, "end")
        quick.demand(1)
        quick.wait_for_grants(1)
        assert quick.wait_for(quick.run(compiler)).status == 0
        assert len(slow.wait_for(job).part("object")) == 8 << 20
        slow.close()
        quick.close()


def test_a_small_answer_does_not_wait_behind_a_big_one(fake, tmp_path):
    fake.add("gcc-99", 'case "$input" in big*) dd if=/dev/urandom of="$out" bs=1M count=20 2>/dev/null;; '
             '*) echo object >"$out";; esac\n')  # fmt: skip
    server = start(fake, tmp_path / "server", "--jobs", "2")
    with stopping(server), connect(server.connect()) as client:
        compiler = fake.identity("gcc-99")
        client.demand(2)
        client.wait_for_grants(2)
        big = client.run(compiler, argv("big"))
        server.wait_for_log("file=big.i exit=0")
        small = client.run(compiler, argv("small"))
        server.wait_for_log("file=small.i exit=0")  # until here nobody takes more than fits between the two
        assert client.wait_for(small).part("object") == b"object\n"
        assert big not in client.done
        assert len(client.wait_for(big).part("object")) == 20 << 20


def test_a_client_with_much_untaken_output_gets_no_more_grants(fake, tmp_path):
    fake.add("gcc-99", 'note start x\ndd if=/dev/urandom of="$out" bs=1M count=40 2>/dev/null\nnote end x\n')
    server = start(fake, tmp_path / "server", "--jobs", "1")
    with stopping(server), connect(server.connect()) as client:
        compiler = fake.identity("gcc-99")
        client.demand(10)
        client.wait_for_grants(2)
        while client.grants:
            send_granted(client, compiler, "x")
            server.wait_for_log_count("result=ok", client.last_id)
            client.barrier()
        assert client.last_id < 10
        assert server.welcome().waiting == 0  # the demand has left the line
        client.wait_until(lambda: len(client.done) == client.last_id)
        client.wait_for_grants(1)
