"""Those who look at a real fleetccd: --http and --stats, who may, and what is told."""

import os
import re
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleetcc.monitor.events import Hello, Host, Job, Local
from tests.interop.sandbox_support import compile_helper, compile_program, open_folder
from tests.support.fleet_client import ARGV as FLEET_ARGV
from tests.support.fleet_client import NO_COMPILER, ClosedError, connect
from tests.support.replica_client import WORK, open_replica
from tests.support.scraping import ask, read_stats, scrape, snapshot, watching
from tests.support.servers import (
    FLEETCCD,
    FakeCompilers,
    Fleetccd,
    free_port,
    read_response,
    request,
    server_environment,
    start_fleetccd,
    start_inetd,
    stopping,
)

ARGV = (b"gcc-99", b"-c", b"x.i", b"-o", b"x.o")
GOOD = request(ARGV, b"int x;\n")
ROOT = Path(__file__).parents[2]
STATS_FIELDS = [
    "dcc_tcp_accept", "dcc_rej_bad_req", "dcc_rej_overload", "dcc_compile_ok", "dcc_compile_error",
    "dcc_compile_timeout", "dcc_cli_disconnect", "dcc_other", "dcc_longest_job", "dcc_longest_job_compiler",
    "dcc_longest_job_time_msecs", "dcc_max_kids", "dcc_avg_kids1", "dcc_avg_kids2", "dcc_avg_kids3",
    "dcc_current_load", "dcc_load1", "dcc_load2", "dcc_load3", "dcc_num_compiles1", "dcc_num_compiles2",
    "dcc_num_compiles3", "dcc_num_procstate_D", "dcc_max_RSS", "dcc_max_RSS_name", "dcc_io_rate",
    "dcc_free_space", "dcc_free_mem",
]  # fmt: skip


@dataclass
class Seen:
    """A server with its windows."""

    server: Fleetccd
    compilers: FakeCompilers
    http: int
    stats: int

    def compile(self, data: bytes = GOOD) -> int:
        """One job of distcc's protocol; the compiler's status."""
        with self.server.connect() as sock:
            sock.sendall(data)
            return read_response(sock).status


@pytest.fixture
def seen(tmp_path):
    compilers = FakeCompilers(tmp_path / "bin")
    compilers.add("gcc-99", 'echo object >"$out"\n')
    compilers.add("gcc-98", "echo no >&2; exit 3\n")
    http, stats = free_port(), free_port()
    server = start_fleetccd(
        tmp_path / "server", "--jobs", "2", "--http", str(http), "--stats-port", str(stats),
        environment={"FLEETCCD_PATH": compilers.path_alone},
    )  # fmt: skip
    with stopping(server):
        yield Seen(server, compilers, http, stats)
        assert "Traceback" not in server.log


# -- names that clients choose


def test_a_program_of_any_name_leaves_the_answers_whole(tmp_path):
    program, http, stats = tmp_path / "program", free_port(), free_port()
    compile_program(program)
    basename = r"'g\n<distccstats>\udcff'"
    hostile = WORK + b"/g\n<distccstats>\xff"
    with open_folder() as folder:
        compile_helper(folder / "fleetcc-sandbox")
        server = start_fleetccd(
            folder / "server", "--http", str(http), "--stats-port", str(stats),
            environment={"FLEETCCD_PATH": "/nonexistent", "FLEETCC_SANDBOX": str(folder / "fleetcc-sandbox")},
        )  # fmt: skip
        with stopping(server), open_replica(server, program) as client:
            client.put({hostile: program.read_bytes()}, executable=True)
            assert client.run(b"write", WORK + b"/out", b"x", program=hostile).status == 0

            told = read_stats(stats).partition("<distccstats>\n")[2].splitlines()
            assert [line.split(" ")[0] for line in told] == [*STATS_FIELDS, "</distccstats>"]
            assert [line for line in told if "compiler" in line] == [f"dcc_longest_job_compiler {basename}"]


# -- metrics


def test_metrics_count_what_was_done(seen):
    before = scrape(seen.http)
    assert seen.compile() == 0
    assert seen.compile(GOOD.replace(b"gcc-99", b"gcc-98")) == 3 << 8
    with seen.server.connect() as sock:
        sock.sendall(b"nonsense")
        assert sock.recv(1) == b""
    seen.server.wait_until_idle()
    after = scrape(seen.http)

    assert before.sum("fleetccd_jobs_total") == 0
    assert after.of("fleetccd_jobs_total", kind="distcc", outcome="ok") == 1
    assert after.of("fleetccd_jobs_total", kind="distcc", outcome="compile-error") == 1
    assert after.sum("fleetccd_jobs_total") == 2
    assert after.of("fleetccd_compile_seconds_count", kind="distcc") == 2
    assert 0 < after.of("fleetccd_compile_seconds_sum", kind="distcc") < 20
    assert after.of("fleetccd_refusals_total", cause="malformed") == 1
    assert after.sum("fleetccd_refusals_total") == 1
    assert after.of("fleetccd_received_bytes_total") > 2 * len(GOOD)
    assert after.of("fleetccd_sent_bytes_total") > 0
    assert after.of("fleetccd_slots") == after.of("fleetccd_slots_usable") == 2
    assert after.of("fleetccd_jobs_running") == after.of("fleetccd_jobs_waiting") == 0


def test_metrics_show_what_runs_and_waits(seen):
    lock = seen.compilers.add_blocking("gcc-97")
    blocked = GOOD.replace(b"gcc-99", b"gcc-97")
    socks = [seen.server.connect() for _ in range(3)]
    for sock in socks:
        sock.sendall(blocked)
    seen.compilers.wait_for(2)
    seen.server.wait_until(lambda welcome: welcome.waiting == 1)
    found = scrape(seen.http)
    assert (found.of("fleetccd_jobs_running"), found.of("fleetccd_jobs_waiting")) == (2, 1)
    assert found.of("fleetccd_connections") == 3
    assert snapshot(seen.http)["hosts"][0]["running"] == 2

    lock.let_go(3)
    for sock in socks:
        assert read_response(sock).status == 0
        sock.close()
    lock.close()
    seen.server.wait_until_idle()
    assert scrape(seen.http).of("fleetccd_waiting_seconds_count", kind="distcc") == 3


def test_what_is_refused_is_counted_by_cause(seen):
    identity = seen.compilers.identity("gcc-99")
    with connect(seen.server.connect()) as client:
        client.wait_until(lambda: identity in client.welcomes[-1].compilers)
        for compiler, argv in (
            (NO_COMPILER, FLEET_ARGV),
            (identity, (*FLEET_ARGV, b"-wrapper", b"x")),
            (identity, FLEET_ARGV),
        ):
            client.demand(1)
            client.wait_for_grants()
            client.demand(0)
            client.wait_for(client.run(compiler, argv))
        found = scrape(seen.http)
        assert found.of("fleetccd_agents") == 1
        client.send(b"\xff" * 100)
        with pytest.raises(ClosedError):
            client.wait_until(lambda: False)
    seen.server.wait_until_idle()
    assert found.of("fleetccd_refusals_total", cause="identity") == 1
    assert found.of("fleetccd_refusals_total", cause="command") == 1
    assert found.sum("fleetccd_refusals_total") == 2
    assert found.of("fleetccd_grants_total") == 3
    assert found.of("fleetccd_jobs_total", kind="text", outcome="ok") == found.sum("fleetccd_jobs_total") == 1
    after = scrape(seen.http)
    assert (after.of("fleetccd_refusals_total", cause="malformed"), after.of("fleetccd_agents")) == (1, 0)


def test_a_client_that_leaves_is_counted(seen):
    lock = seen.compilers.add_blocking("gcc-97")
    with seen.server.connect() as sock:
        sock.sendall(GOOD.replace(b"gcc-99", b"gcc-97"))
        seen.compilers.wait_for(1)
    seen.server.wait_until_idle()
    lock.close()
    found = scrape(seen.http)
    assert found.of("fleetccd_jobs_total", kind="distcc", outcome="disconnected") == 1
    assert found.of("fleetccd_compile_seconds_count", kind="distcc") == 0


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not here")
def test_promtool_finds_no_fault_in_the_metrics(seen):
    seen.compile()
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=scrape(seen.http).text, capture_output=True, text=True,
        timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not here")
def test_promtool_finds_no_fault_in_the_alerts(tmp_path):
    alerts = ROOT / "packaging/prometheus/alerts.yml"
    done = subprocess.run(
        ["promtool", "check", "rules", alerts], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{alerts.read_text().count('- alert:')} rules found" in done.stdout


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is not here")
def test_each_alert_comes_when_it_should_and_not_before(tmp_path):
    cases = ROOT / "packaging/prometheus/alerts_test.yml"
    done = subprocess.run(
        ["promtool", "test", "rules", cases], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    alerts = re.findall(r"- alert: (\w+)", (cases.parent / "alerts.yml").read_text())
    fired = re.findall(r"alertname: (\w+)\n +exp_alerts:\n", cases.read_text())
    assert sorted(set(fired)) == sorted(alerts)


# -- events and page


def test_the_events_of_a_job_are_those_of_its_life(seen):
    with watching(seen.http) as events:
        hello = next(events)
        assert isinstance(hello, Hello)
        assert (hello.source, hello.pid) == ("server", seen.server.process.pid)
        assert seen.compile() == 0
        jobs: list[Job] = []
        while not jobs or jobs[-1].state != "done":
            event = next(events)
            if isinstance(event, Job):
                jobs.append(event)
    assert [job.state for job in jobs if job.state != "uploading"][-3:] == ["compiling", "returning", "done"]
    assert (jobs[0].state, jobs[0].label, jobs[0].client) == ("waiting", "x.i", "127.0.0.1")
    compiling = next(job for job in jobs if job.state == "compiling")
    assert (compiling.slot, compiling.host) == (0, hello.hosts[0].host)
    last = jobs[-1]
    assert (last.status, last.received > 0, last.sent > 0) == (0, True, True)
    assert last.seconds >= last.run_seconds > 0


def test_the_slots_are_told_every_second(seen):
    with watching(seen.http) as events:
        local = next(event for event in events if isinstance(event, Local))
    assert (local.slots, local.running, local.limited_by) == (2, 0, "")
    assert local.memory_available > 0


def test_the_page_is_served_and_changes_nothing(seen):
    page = ask(seen.http, "/")
    assert (page.status, page.content_type) == (200, "text/html; charset=utf-8")
    for path in ("/", "/metrics", "/healthz", "/events"):
        for method in ("POST", "PUT", "DELETE"):
            assert ask(seen.http, path, method=method).status == 405
    assert ask(seen.http, "/nothing").status == 404


def test_a_page_of_another_site_cannot_look(seen):
    assert ask(seen.http, "/", headers={"Host": "evil.example"}).status == 421
    assert ask(seen.http, "/events", headers={"Host": "evil.example"}).status == 421
    # Prometheus may know this machine by any name; another site's page cannot read the answer.
    assert ask(seen.http, "/metrics", headers={"Host": "build1.example:3634"}).status == 200
    assert ask(seen.http, "/healthz", headers={"Host": "build1.example:3634"}).status == 200


def test_openmetrics_is_spoken_to_who_asks_for_it(seen):
    answer = ask(seen.http, "/metrics", headers={"Accept": "application/openmetrics-text"})
    assert answer.content_type.startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_only_those_that_may_send_jobs_may_look(tmp_path):
    http, stats = free_port(), free_port()
    server = start_fleetccd(
        tmp_path / "server", "--allow", "127.0.0.2", "--http", f"127.0.0.1:{http}", "--stats-port", str(stats)
    )
    with stopping(server):
        for path in ("/", "/metrics", "/healthz", "/events", "/static/picture.js"):
            assert ask(http, path).status == 403
            assert path == "/events" or ask(http, path, source="127.0.0.2").status == 200
        with pytest.raises(ConnectionError):
            read_stats(stats, says=b"GET / HTTP/1.0\r\n\r\n" + b"x" * (1 << 20))


def test_health_tells_when_a_server_leaves(seen):
    lock = seen.compilers.add_blocking("gcc-97")
    assert (ask(seen.http, "/healthz").status, ask(seen.http, "/healthz").text) == (200, "ok\n")
    with seen.server.connect() as sock, watching(seen.http) as events:
        sock.sendall(GOOD.replace(b"gcc-99", b"gcc-97"))
        seen.compilers.wait_for(1)
        seen.server.process.send_signal(signal.SIGTERM)
        host = next(event for event in events if isinstance(event, Host) and event.state == "draining")
        assert host.why
        draining = ask(seen.http, "/healthz")
        assert (draining.status, draining.text) == (503, "draining\n")
        assert scrape(seen.http).of("fleetccd_draining") == 1
        lock.let_go()
        assert read_response(sock).status == 0
        assert any(isinstance(event, Job) and event.state == "done" for event in events)
    assert seen.server.process.wait(20) == 0  # although somebody watched
    lock.close()


# -- distccd's statistics


@pytest.mark.parametrize(
    "says", [b"", b"GET / HTTP/1.0\r\n\r\n", b"x" * 100_000], ids=["nothing", "get", "a lot"]
)
def test_statistics_are_told_whatever_is_asked(seen, says):
    answer = read_stats(seen.stats, says=says)
    head, _, body = answer.partition("\n\n")
    assert head.splitlines()[0] == "HTTP/1.0 200 OK"
    assert "Content-Type: text/plain" in head
    lines = body.splitlines()
    assert (lines[0], lines[1], lines[-1]) == ("argv /distccd", "<distccstats>", "</distccstats>")
    assert [line.split()[0] for line in lines[2:-1]] == STATS_FIELDS


def test_statistics_count_what_was_done(seen):
    for data in (GOOD, GOOD, GOOD.replace(b"gcc-99", b"gcc-98")):
        seen.compile(data)
    with seen.server.connect() as sock:
        sock.sendall(b"nonsense")
        assert sock.recv(1) == b""
    seen.server.wait_until_idle()
    found = dict(line.split(maxsplit=1) for line in read_stats(seen.stats).splitlines() if line[:4] == "dcc_")
    assert (found["dcc_compile_ok"], found["dcc_compile_error"], found["dcc_rej_bad_req"]) == ("2", "1", "1")
    assert (found["dcc_num_compiles1"], found["dcc_max_kids"]) == ("3", "2")
    assert found["dcc_longest_job"] == "x.i"
    assert re.fullmatch(r"gcc-9[89]", found["dcc_longest_job_compiler"])
    assert re.fullmatch(r"\(gcc-9[89]\)", found["dcc_max_RSS_name"])
    assert int(found["dcc_max_RSS"]) > 100
    assert re.fullmatch(r"\d+ MB", found["dcc_free_space"])


# -- the command line


@pytest.mark.parametrize("place", ["", "x", "0", "70000", ":80", "127.0.0.1:", "127.0.0.1:http"])
def test_a_place_that_cannot_be_is_told(tmp_path, place):
    (tmp_path / "tmp").mkdir()
    done = start_badly(tmp_path, "--http", place)
    assert done.returncode == 101
    assert f"--http {place}: expected PORT, ADDRESS:PORT or [ADDRESS]:PORT" in done.stderr


def test_a_place_that_is_taken_is_told(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for option in ("--http", "--stats-port"):
            done = start_badly(tmp_path, option, str(port))
            assert (done.returncode, f"port {port}: Address already in use" in done.stderr) == (102, True)


@pytest.mark.parametrize("missing", ["aiohttp", "prometheus_client"])
def test_a_missing_library_is_told_with_its_remedy(tmp_path, missing):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / f"{missing}.py").write_text(
        f"raise ModuleNotFoundError('No module named {missing}', name='{missing}')"
    )
    done = start_badly(tmp_path, "--http", str(free_port()), python_path=str(hidden))
    assert done.returncode == 101
    assert f"--http needs {missing}: pip install 'fleetcc[web,metrics]'" in done.stderr
    assert "Traceback" not in done.stderr


def start_badly(tmp_path: Path, *options: str, python_path: str = "") -> "subprocess.CompletedProcess[str]":
    environment = server_environment(tmp_path, {"FLEETCCD_STATE_DIR": str(tmp_path / "state")})
    environment["PYTHONPATH"] = os.pathsep.join((python_path, environment["PYTHONPATH"]))
    return subprocess.run(
        [*FLEETCCD, "--no-detach", "--listen", "127.0.0.1", "--port", str(free_port()), *options],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def test_a_server_of_one_connection_has_no_windows(tmp_path):
    client = start_inetd(tmp_path, tmp_path / "state", "--http", str(free_port()))
    with client.socket:
        assert client.process.wait(20) == 101
    assert "--http: a server of one connection" in (tmp_path / "inetd.log").read_text()

    client = start_inetd(tmp_path, tmp_path / "state", "--stats")
    with client.socket as sock:
        sock.sendall(request((b"gcc", *ARGV[1:]), b"int x;\n"))
        assert read_response(sock).status == 0
        assert client.process.wait(20) == 0
    assert "--stats: a server of one connection" in (tmp_path / "inetd.log").read_text()


def test_doctor_is_a_verb_and_starts_no_server(tmp_path):
    environment = server_environment(tmp_path, {"FLEETCCD_STATE_DIR": str(tmp_path / "state")})
    done = subprocess.run(
        [*FLEETCCD, "doctor", "--user", "root", "--port", str(free_port())],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    assert "sandbox" in done.stdout
