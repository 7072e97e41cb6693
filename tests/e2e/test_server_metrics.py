"""A build that is watched through the server's window: its metrics, its events and the agent agree."""

import itertools
from pathlib import Path

import pytest

from fleetcc.monitor.events import ENDED
from fleetcc.monitor.picture import Picture
from tests.support.cxx_project import Project
from tests.support.fleet import Client, client, installed, objects_made_by, write_project
from tests.support.replica import Place, helper, own_place
from tests.support.scraping import Scrape, scrape, watching
from tests.support.servers import free_port, start_fleetccd, stopping

__all__ = ["client", "helper", "installed", "own_place"]  # fixtures

UNITS = 12


def assert_it_adds_up(found: Scrape, kind: str, count: int) -> None:
    """So many jobs of this kind, all of them good, and no others."""
    assert found.of("fleetccd_jobs_total", kind=kind, outcome="ok") == count
    assert found.sum("fleetccd_jobs_total") == count
    assert found.of("fleetccd_compile_seconds_count", kind=kind) == count
    assert found.of("fleetccd_waiting_seconds_count", kind=kind) == count
    assert found.of("fleetccd_compile_seconds_bucket", kind=kind, le="+Inf") == count
    assert found.of("fleetccd_compiler_cpu_seconds_total", kind=kind) > 0
    assert found.of("fleetccd_compiler_peak_bytes") > 1 << 20
    assert found.sum("fleetccd_refusals_total") == 0
    assert found.of("fleetccd_jobs_running") == found.of("fleetccd_jobs_waiting") == 0


def test_a_build_as_files_adds_up(own_place: Place) -> None:
    port = free_port()
    own_place.add_server("--http", str(port))
    project = Project(own_place.client, UNITS, "make")
    project.build()
    status = own_place.client.idle_status()
    own_place.server.wait_until_idle()
    found = scrape(port)

    assert_it_adds_up(found, "files", status["by_reason"]["remote"])
    assert found.of("fleetccd_grants_total") >= UNITS
    assert (found.of("fleetccd_agents"), found.of("fleetccd_replicas")) == (1, 1)
    assert found.of("fleetccd_sandbox_available") == 1
    assert found.of("fleetccd_store_entries") > UNITS
    assert 0 < found.of("fleetccd_store_bytes") < found.of("fleetccd_store_limit_bytes")
    assert found.of("fleetccd_store_evictions_total") == 0


def test_a_build_as_text_is_seen_by_a_viewer_as_it_is_counted(client: Client, tmp_path: Path) -> None:
    objects = write_project(client, UNITS)
    port = free_port()
    server = start_fleetccd(
        tmp_path / "server",
        "--jobs",
        "2",
        "--http",
        str(port),
        environment={"FLEETCC_SANDBOX": "/nonexistent"},
    )
    with stopping(server), watching(port) as events:
        client.environment["FLEETCC_HOSTS"] = f"127.0.0.1:{server.port}"
        objects_made_by(client, "make", "-s", "-j8", "CC=fleetcc gcc -O1", objects=objects)
        assert client.idle_status()["by_reason"] == {"remote": UNITS}
        server.wait_until_idle()
        found = scrape(port)

        picture = Picture()
        while picture.done < UNITS:
            picture.take(next(events))
    assert_it_adds_up(found, "text", UNITS)
    assert found.of("fleetccd_sandbox_available") == 0
    assert (picture.total, picture.failed, picture.cancelled, len(picture.jobs)) == (UNITS, 0, 0, 0)
    assert {job.label for job in picture.finished} == {f"unit{number}.i" for number in range(UNITS)}
    assert all(job.slot in {0, 1} and job.state in ENDED for job in picture.finished)
    assert sum(job.run_seconds for job in picture.finished) == pytest.approx(
        found.of("fleetccd_compile_seconds_sum", kind="text")
    )
    assert picture.received < found.of("fleetccd_received_bytes_total")
    assert picture.sent < found.of("fleetccd_sent_bytes_total")
    # No slot has two jobs at the same time.
    for slot in (0, 1):
        spans = sorted(
            (next(phase.time for phase in job.phases if phase.state == "compiling"), job.run_seconds)
            for job in picture.finished
            if job.slot == slot
        )
        for (start, seconds), (later, _) in itertools.pairwise(spans):
            assert start + seconds <= later + 0.01
