"""A real build, and what `trace`, `report`, `stats`, `log` and `explain` tell of it afterwards."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cxx_project import FLAGS, FLEET, Project
from tests.support.fleet import installed
from tests.support.replica import Place, helper, own_place, replica_place
from tests.support.trace_format import check_trace

__all__ = ["helper", "installed", "own_place"]  # fixtures

UNITS = 30


@pytest.fixture(scope="module")
def built(installed: Path, helper: Path) -> Iterator[Place]:
    """A build through two servers, a link, and a unit that does not compile; its agent has left."""
    with replica_place(installed, helper, os.geteuid()) as place:
        for _ in range(2):
            place.add_server()
        place.client.environment |= {"FLEETCC_BUILD": "the-build", "FLEETCC_FALLBACK": "1"}
        Project(place.client, UNITS, "make").build(jobs=8)
        place.client.write("main.c", "int main(void) { return 0; }\n")
        place.client.write("bad.c", "int f( { return 0; }\n")
        assert place.client.run("gcc", "main.c", "-o", "main").status == 0
        assert place.client.run("gcc", "-c", "bad.c").status == 1
        place.client.stop()
        yield place


def said(place: Place, *words: str) -> str:
    """What a verb prints; it must succeed."""
    result = place.client.run(*words)
    assert result.status == 0, result
    return result.stdout.decode()


def test_the_trace_of_a_real_build_keeps_the_formats_rules(built: Place) -> None:
    said(built, "trace", "-o", "build.json")

    content = (built.client.work / "build.json").read_bytes()
    events = check_trace(content)
    jobs = {e["args"]["job"]: e for e in events if e.get("cat") == "job" and e["pid"] > 1}
    assert len(jobs) == UNITS + 2
    assert json.loads(content)["otherData"]["builds"] == ["the-build"]
    processes = {e["args"]["name"] for e in events if e["name"] == "process_name"}
    assert {f"127.0.0.1:{server.port}" for server in built.servers} <= processes
    unit = next(e for e in jobs.values() if e["name"] == "src/unit3.cc")
    assert unit["args"]["reason"] == "remote"
    assert unit["args"]["mode"] == "files"
    assert unit["args"]["sent"] > 0
    assert unit["args"]["cpu_seconds"] > 0
    assert unit["args"]["peak_bytes"] > 1 << 20
    flows = [e["ph"] for e in events if e["ph"] in "sf"]
    assert flows.count("s") == flows.count("f") >= UNITS


def test_the_report_of_a_real_build_has_a_verdict_and_a_replay(built: Place) -> None:
    said(built, "report", "-o", "report.html")

    page = (built.client.work / "report.html").read_text()
    assert (
        any(f">{name}-bound<" in page for name in ("client", "network", "tail", "slot"))
        or ">well-used<" in page
    )
    assert "calls the linker" in page
    assert "one more" in page
    assert "Too few jobs" not in page
    assert all(f"127.0.0.1:{server.port}" in page for server in built.servers)


def test_the_figures_of_a_real_build_add_up(built: Place) -> None:
    stats = json.loads(said(built, "stats", "--json"))

    build: dict[str, Any] = stats["build"]
    assert build == stats["today"]
    assert build["jobs"] == build["done"] == UNITS + 2
    assert build["remote"] == build["by_reason"]["remote"] == UNITS + 1
    assert build["by_reason"]["linking"] == 1
    assert sum(host["jobs"] for host in build["by_host"].values()) == UNITS + 2
    assert build["sent"] == sum(host["sent"] for host in build["by_host"].values()) > 0
    assert build["cpu_seconds_remote"] > 0
    assert 0 < build["parallelism"] < 32
    assert "the-build" in said(built, "stats")


def test_the_log_has_every_job_and_finds_what_failed(built: Place) -> None:
    lines = said(built, "log", "-n", "0").splitlines()

    assert len(lines) == UNITS + 2
    assert "bad.c" in lines[-1]
    assert lines == sorted(lines, key=lambda line: line.split()[:2])
    assert [line.split()[-3:] for line in said(built, "log", "--failed").splitlines()] == [
        ["exit", "status", "1"]
    ]
    assert "  main  here (linking)" in said(built, "log", "--reason", "linking")


def test_the_story_of_the_last_job_and_of_one_by_its_number(built: Place) -> None:
    story = said(built, "explain", "--last", "2")

    assert "It ran here because of linking" in story
    assert "it ended with exit status 1" in story
    number = story.rpartition("\njob ")[2].partition(",")[0]
    assert said(built, "explain", "--job", number) == story.partition("\n\n")[2]


def test_explain_knows_what_this_very_command_would_do_now(built: Place) -> None:
    flags = f"{FLAGS} -c src/unit3.cc -o {FLEET}/unit3.o".split()
    lines = [line.split(None, 1) for line in said(built, "explain", "--", "g++", *flags).splitlines()]

    found = {words[0]: words[1] for words in lines}
    assert "last time" in found["predicted"]
    assert found["decision"] == "on a host (remote), as files"
    assert found["host"].startswith("127.0.0.1:")
    assert "can take it (as files); about " in found["host"]
    assert found["last"].startswith("time ")


def test_what_the_agent_has_not_written_yet_is_there_at_once_and_stays(own_place: Place) -> None:
    client = own_place.client
    own_place.add_server()
    with client.popen(client.launcher, "log", "-f", env={"PYTHONUNBUFFERED": "1"}) as process:
        assert process.stdout is not None
        client.write("first.c", "int first;\n")
        assert client.run("gcc", "-c", "first.c").status == 0
        assert b"first.c" in process.stdout.readline()
        client.write("late.c", "int late;\n")
        assert client.run("gcc", "-c", "late.c").status == 0
        client.idle_status()
        assert "late.c" in said(own_place, "log", "-n", "1")
        assert b"late.c" in process.stdout.readline()
        process.terminate()
    before = said(own_place, "log")
    client.stop()
    assert said(own_place, "log") == before


def test_explain_is_told_by_the_agent_what_each_host_lacks_now(own_place: Place) -> None:
    client = own_place.client
    first = own_place.add_server()
    client.write("a.h", "int a;\n")
    client.write("a.c", '#include "a.h"\nint f(void) { return a; }\n')

    def told() -> dict[str, str]:
        lines = said(own_place, "explain", "--", "gcc", "-c", "a.c").splitlines()
        return dict(line.split(None, 1) for line in lines)

    assert "would travel" not in told()["host"]  # no agent runs, and none is started for that
    assert client.agent_pid is None
    assert client.run("gcc", "-c", "a.c").status == 0
    client.idle_status()
    found = told()
    assert found["host"].endswith(" there; only digests would travel")
    assert found["predicted"].endswith(f" on 127.0.0.1:{first.port} last time")  # a moment ago

    client.write("a.h", "int a, b;\n")
    assert told()["host"].endswith("; at most 1 file of 10 B would travel")
    assert told()["host"].endswith("; at most 1 file of 10 B would travel")  # asking changes nothing
    assert client.run("gcc", "-c", "a.c").status == 0
    assert told()["host"].endswith("; only digests would travel")


def test_without_any_job_each_verb_says_so(own_place: Place) -> None:
    client = own_place.client
    for words in (("trace", "-o", "x"), ("report",), ("stats",), ("explain", "--last")):
        result = client.run(*words)
        assert result.status == 101
        assert b"no job has ended yet" in result.stderr
        assert b"Traceback" not in result.stderr
    assert client.run("log").status == 1
