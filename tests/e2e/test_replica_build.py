"""Builds as files that meet trouble: killed servers, Ctrl-C, restarts, cut uploads, full stores."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetcc.wire.files import Contents
from tests.support.cxx_project import FLEET, Project
from tests.support.fleet import client, eventually, installed, small_disk
from tests.support.proxy import CutError, Proxy
from tests.support.replica import Place, assert_at_rest, helper, own_place, place

__all__ = ["client", "helper", "installed", "own_place", "place", "small_disk"]  # fixtures

SMALL = 40


@pytest.fixture
def proxied(own_place: Place) -> Iterator[tuple[Place, Proxy]]:
    """A server behind a proxy."""
    server = own_place.add_server()
    with Proxy(server.port) as proxy:
        own_place.client.environment |= {"FLEETCC_HOSTS": proxy.host, "FLEETCC_BACKOFF_PERIOD": "0"}
        yield own_place, proxy


def test_a_server_that_is_killed_in_the_middle_costs_nothing(place: Place) -> None:
    victim = place.add_server()
    project = Project(place.client, 80, "make")
    with place.client.building(*project.command(FLEET, 16)) as build:
        eventually(lambda: len(project.made) >= 10)
        victim.stop(signal.SIGKILL)
        assert (build.communicate(timeout=60), build.returncode) == ((b"", b""), 0)
    assert project.is_as_built_here() == 0
    assert set(place.client.idle_status()["by_reason"]) == {"remote"}


def test_an_interrupted_build_leaves_nothing_behind(place: Place) -> None:
    project = Project(place.client, 80, "make")
    with place.client.building(*project.command(FLEET, 64)) as build:
        eventually(lambda: len(project.made) >= 5)
        os.killpg(build.pid, signal.SIGINT)
        build.communicate(timeout=20)
        assert build.returncode not in {0, None}
    place.server.wait_until_idle()
    assert_at_rest(place.server)
    assert [name for name in place.client.files() if ".fleetcc" in name] == []
    assert project.is_as_built_here() > 0


def test_a_second_build_uploads_almost_nothing(proxied: tuple[Place, Proxy]) -> None:
    place, proxy = proxied
    project = Project(place.client, SMALL, "make")
    project.build()
    first, contents = proxy.sent, proxy.contents_sent
    assert contents > 2000  # the sources; the server has the compiler itself, if no name for it
    project.clean()
    project.build()
    assert proxy.contents_sent == contents
    assert proxy.sent - first < SMALL * 1500
    assert len(project.made) == SMALL


def test_a_new_agent_says_all_again_and_sends_nothing_again(proxied: tuple[Place, Proxy]) -> None:
    place, proxy = proxied
    project = Project(place.client, SMALL, "make")
    project.build()
    contents = proxy.contents_sent
    place.client.stop()
    project.clean()
    assert project.is_as_built_here() == SMALL
    assert proxy.contents_sent == contents


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restarted_server_has_the_blobs_still(proxied: tuple[Place, Proxy], number: signal.Signals) -> None:
    place, proxy = proxied
    project = Project(place.client, SMALL, "make")
    project.build()
    contents = proxy.contents_sent
    place.server.stop(number)
    proxy.port = place.add_server(state_dir=place.server.state_dir).port
    place.client.environment["FLEETCC_HOSTS"] = proxy.host
    project.clean()
    assert project.is_as_built_here() == SMALL
    assert proxy.contents_sent == contents


def test_an_upload_that_is_cut_sends_the_jobs_to_another_host(proxied: tuple[Place, Proxy]) -> None:
    place, proxy = proxied
    other = place.add_server()
    place.client.environment["FLEETCC_HOSTS"] = f"{proxy.host} 127.0.0.1:{other.port}"
    cuts = iter(range(1))

    def cut_once(message: Any) -> None:
        if isinstance(message, Contents) and next(cuts, None) is not None:
            raise CutError

    proxy.told = cut_once
    project = Project(place.client, SMALL, "make")
    assert project.is_as_built_here() == SMALL
    assert next(cuts, None) is None
    assert place.client.idle_status()["by_reason"] == {"remote": SMALL}


def test_a_server_with_a_full_store_leaves_the_jobs_to_another(own_place: Place) -> None:
    full = own_place.add_server("--store-size", "1M")
    good = own_place.add_server()
    project = Project(own_place.client, SMALL, "make")
    assert project.is_as_built_here() == SMALL
    status = own_place.client.idle_status()
    assert status["by_host"] == {f"127.0.0.1:{good.port}": SMALL}
    assert status["by_reason"] == {"remote": SMALL}
    own_place.use(full)
    project.clean()
    own_place.client.environment["FLEETCC_FALLBACK"] = "1"
    assert project.is_as_built_here() == SMALL
    assert "remote" not in own_place.client.idle_status()["recent"][-1]["reason"]


def test_a_server_whose_disk_is_full_leaves_the_jobs_to_another(own_place: Place, small_disk: Path) -> None:
    full = own_place.add_server(state_dir=small_disk / "state")
    good = own_place.add_server()
    project = Project(own_place.client, SMALL, "make")
    assert project.is_as_built_here() == SMALL
    status = own_place.client.idle_status()
    assert status["by_host"] == {f"127.0.0.1:{good.port}": SMALL}
    assert status["by_reason"] == {"remote": SMALL}
    full.wait_until_idle()
    assert full.files() == []
    assert "Traceback" not in full.log


def test_a_file_that_changes_while_it_is_sent_is_sent_again(proxied: tuple[Place, Proxy]) -> None:
    place, proxy = proxied
    client = place.client
    client.write("b.c", "int b;\n")
    assert client.run("gcc", "-c", "b.c").status == 0  # the compiler is there
    client.write("a.c", '#include "a.h"\nint a = A;\n')
    client.write("a.h", "#define A 1\n")
    edited = threading.Event()

    def edit_once(message: Any) -> None:
        if type(message).__name__ == "Missing" and not edited.is_set():
            edited.set()
            client.write("a.h", "#define A 22\n")

    proxy.asked = edit_once
    assert client.run("gcc", "-c", "a.c", "-o", "there.o").spoken == (0, b"", b"")
    assert edited.is_set()
    assert client.last_reason == "remote"
    assert client.plain("gcc", "-c", "a.c", "-o", "here.o").status == 0
    assert (client.work / "there.o").read_bytes() == (client.work / "here.o").read_bytes()
