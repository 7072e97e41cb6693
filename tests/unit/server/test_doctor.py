"""`fleetccd doctor`: figures in, findings out; and what it looks at, on this machine."""

import os
import socket
from dataclasses import replace

import pytest

from fleetcc import __version__
from fleetcc.monitor.doctor.findings import Level
from fleetcc.monitor.doctor.machine import GB, MB
from fleetcc.sandbox.outcome import Stage
from fleetcc.sandbox.probe import CannotSandbox, Sandbox
from fleetcc.scheduling.capacity import Memory, parse_size
from fleetcc.server import doctor_checks as checks
from fleetcc.server.access import parse_access_list
from fleetcc.server.doctor_looks import Subject, file_system, missing_packages, process_at, who_serves
from fleetcc.wire.greeting import Welcome

STATE = checks.State("/state", "", (), "ext4", 100 * GB, 50 * GB)
MEMORY = Memory(16 * GB, 8 * GB, 0.0)
SERVED = Welcome(f"fleetccd {__version__}", (), (1,), 4, 4, 1, 0)


def only(findings):
    (finding,) = findings
    assert bool(finding.remedy) == (finding.level is not Level.OK)
    return finding


@pytest.mark.parametrize(
    ("name", "is_root", "was_root", "level"),
    [
        ("fleetccd", False, True, Level.OK),
        ("ann", False, False, Level.OK),
        ("nobody", False, True, Level.WARNING),
        ("root", True, True, Level.WARNING),
    ],
)
def test_whom_the_server_becomes(name, is_root, was_root, level):
    assert only(checks.judge_user(name, is_root=is_root, was_root=was_root)).level is level


def test_an_installation_that_its_user_cannot_read_is_a_warning():
    assert checks.judge_installation("ann", []) == []
    assert "/root/python" in only(checks.judge_installation("ann", ["/root/python"])).text


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({}, Level.OK, "on ext4, 50 GB free"),
        ({"file_system": ""}, Level.OK, "/state, 50 GB free"),
        ({"problem": "nothing can be made"}, Level.ERROR, "nothing can be made"),
        ({"foreign": ("slots",)}, Level.ERROR, "cannot use slots in it"),
        ({"file_system": "nfs4"}, Level.ERROR, "is on nfs4"),
        ({"file_system": "overlay"}, Level.WARNING, "is on an overlay"),
        ({"free_bytes": 100 * MB}, Level.ERROR, "100 MB of 100 GB are free"),
        ({"total_bytes": 15 * GB, "free_bytes": 9 * GB}, Level.WARNING, "may take twice that"),
    ],
)
def test_the_state_directory(changes, level, words):
    finding = only(checks.judge_state(replace(STATE, **changes), 10 * GB))
    assert finding.level is level
    assert words in finding.text


def test_a_store_that_is_too_big_is_told_the_option_for_one_that_fits():
    state = replace(STATE, total_bytes=15 * GB, free_bytes=9 * GB)
    option, value = only(checks.judge_state(state, 10 * GB)).remedy.split(" ")
    assert option == "--store-size"
    assert parse_size(option, value, 0) == 3840 * MB


def test_the_sandbox_says_what_is_missing_and_what_helps():
    works, partly = Sandbox(b"/helper", ()), Sandbox(b"/helper", ())
    partly.shows_own = False
    cannot = CannotSandbox("user namespaces are switched off", "sysctl -w x=1", Stage.NAMESPACES)
    assert only(checks.judge_sandbox(works)).level is Level.OK
    assert only(checks.judge_sandbox(partly)).level is Level.OK
    finding = only(checks.judge_sandbox(cannot))
    assert (finding.level, finding.remedy) == (Level.WARNING, "sysctl -w x=1")
    assert "switched off (stage namespaces)" in finding.text


@pytest.mark.parametrize(
    ("served", "refusal", "level", "words"),
    [
        (None, "", Level.OK, "is free"),
        (None, "Permission denied", Level.ERROR, "Permission denied"),
        (checks.Served(SERVED, "python, pid 3"), "in use", Level.OK, "(python, pid 3) already: 1 of 4 run"),
        (checks.Served(replace(SERVED, server="fleetccd 0.0"), ""), "in use", Level.WARNING, "installed is"),
        (checks.Served(None, "distccd, pid 9"), "in use", Level.ERROR, "(distccd, pid 9)"),
        (checks.Served(None, "fleetccd, pid 9"), "in use", Level.OK, "already (fleetccd, pid 9), but not to"),
    ],
)
def test_the_port(served, refusal, level, words):
    finding = only(checks.judge_port("port 3632", served, refusal))
    assert finding.level is level
    assert words in finding.text


@pytest.mark.parametrize(
    ("allowed", "insecure", "level"),
    [
        (["10.0.0.0/8"], False, Level.OK),
        ([], False, Level.WARNING),
        (["0.0.0.0/0"], False, Level.WARNING),
        (["10.0.0.0/8"], True, Level.WARNING),
        (["127.0.0.1"], False, Level.OK),
    ],
)
def test_who_is_allowed(allowed, insecure, level):
    access = parse_access_list(allowed, private=False)
    assert only(checks.judge_access(access, insecure=insecure)).level is level


@pytest.mark.parametrize(("slots", "level"), [(8, Level.OK), (16, Level.OK), (17, Level.WARNING)])
def test_slots_for_processors(slots, level):
    assert only(checks.judge_slots(slots, 8, 16)).level is level


@pytest.mark.parametrize(
    ("load", "limit", "level"), [(2.0, 10.0, Level.OK), (50.0, 0, Level.OK), (12.0, 10.0, Level.WARNING)]
)
def test_the_load_of_others(load, limit, level):
    assert only(checks.judge_load(load, limit)).level is level


@pytest.mark.parametrize(
    ("memory", "reserve", "slots", "job_memory", "level"),
    [
        (MEMORY, GB, 8, 8 * GB, Level.OK),
        (MEMORY, GB, 8, 0, Level.OK),
        (MEMORY, 16 * GB, 8, 0, Level.ERROR),
        (replace(MEMORY, available_bytes=GB // 2), GB, 8, 0, Level.ERROR),
        (MEMORY, GB, 64, 0, Level.WARNING),
        (MEMORY, GB, 8, 100 * MB, Level.WARNING),
    ],
)
def test_memory_for_compilers(memory, reserve, slots, job_memory, level):
    assert only(checks.judge_memory(memory, reserve, slots, job_memory)).level is level


@pytest.mark.parametrize(("hard", "level"), [(None, Level.OK), (65536, Level.OK), (1024, Level.WARNING)])
def test_descriptors(hard, level):
    assert only(checks.judge_descriptors(hard, 8, 4000)).level is level


def test_few_descriptors_are_enough_for_few_that_wait():
    assert only(checks.judge_descriptors(1024, 8, 704)).level is Level.OK
    assert only(checks.judge_descriptors(1024, 8, 705)).remedy.startswith("LimitNOFILE=1025 ")


@pytest.mark.parametrize(
    ("found", "trouble", "level"),
    [
        ({"gcc": "/usr/bin/gcc"}, "", Level.OK),
        ({}, "", Level.WARNING),
        ({}, "/list cannot be read", Level.ERROR),
    ],
)
def test_compilers_of_text(found, trouble, level):
    assert only(checks.judge_compilers(found, trouble, "/usr/bin")).level is level


@pytest.mark.parametrize(
    ("states", "level", "words"),
    [
        (("inactive", "inactive"), Level.OK, "none of its units"),
        (("active", "inactive"), Level.OK, "fleetccd.service is active"),
        (("active", "active"), Level.ERROR, "want the same port"),
        (("failed", "inactive"), Level.ERROR, "fleetccd.service has failed"),
    ],
)
def test_systemd_units(states, level, words):
    finding = only(
        checks.judge_units(dict(zip(("fleetccd.service", "fleetccd.socket"), states, strict=True)))
    )
    assert finding.level is level
    assert words in finding.text


def test_a_clock_from_before_the_installation_is_wrong():
    assert only(checks.judge_clock(2e9, 1.9e9)).level is Level.OK
    assert only(checks.judge_clock(0.0, 1.9e9)).level is Level.WARNING


def test_what_options_need():
    wanted = {"--http": ("aiohttp", "prometheus_client")}
    assert checks.judge_extras({}, []) == []
    assert only(checks.judge_extras(wanted, [])).level is Level.OK
    finding = only(checks.judge_extras(wanted, ["aiohttp"]))
    assert (finding.level, finding.remedy) == (Level.ERROR, "pip install aiohttp")
    assert missing_packages({"http": None, "zeroconf": False}) == []


def test_the_state_directory_is_chosen_as_the_server_chooses_it():
    def chosen(state_dir=None, *, was_root=False, **environment):
        return Subject({"state_dir": state_dir}, environment, was_root).state_directory

    assert chosen("/a/b/../c", FLEETCCD_STATE_DIR="/d") == "/a/c"
    assert chosen(FLEETCCD_STATE_DIR="/d", was_root=True) == "/d"
    assert chosen(was_root=True) == "/var/lib/fleetccd"
    assert chosen(XDG_STATE_HOME="/x") == "/x/fleetccd"


def test_the_file_system_of_a_path_is_that_of_its_mount():
    assert file_system("/proc/self") == "proc"
    assert file_system("/sys/devices") == "sysfs"


def test_who_listens_is_seen():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert process_at(port).endswith(f", pid {os.getpid()}")
    assert who_serves("0.0.0.0", 1) is None
