"""Where the agent, its state and the hosts files are; native/launcher has the first rule too."""

import os
import pwd

import pytest

from fleetcc.settings import load_settings, places

RUN = f"run-{os.uname().nodename}"
STATE = "/home/u/.local/state/fleetcc"

AGENT_DIRS = [
    ({}, f"{STATE}/{RUN}", "default"),
    ({b"XDG_STATE_HOME": b"/s"}, f"/s/fleetcc/{RUN}", "XDG_STATE_HOME"),
    ({b"XDG_STATE_HOME": b"s"}, f"{STATE}/{RUN}", "default"),
    ({b"XDG_RUNTIME_DIR": b"/run/user/7"}, "/run/user/7/fleetcc", "XDG_RUNTIME_DIR"),
    ({b"XDG_RUNTIME_DIR": b""}, f"{STATE}/{RUN}", "default"),
    ({b"XDG_RUNTIME_DIR": b"/run/user/7", b"FLEETCC_DIR": b"/f"}, "/f", "FLEETCC_DIR"),
    ({b"FLEETCC_DIR": b""}, f"{STATE}/{RUN}", "default"),
    ({b"XDG_RUNTIME_DIR": b"/run/user/7", b"FLEETCC_DIR": b"f"}, "f", "FLEETCC_DIR"),
    ({b"FLEETCC_DIR": b"/f/\xff"}, "/f/\udcff", "FLEETCC_DIR"),
]


@pytest.mark.parametrize(("variables", "folder", "origin"), AGENT_DIRS)
def test_the_agents_folder(variables, folder, origin):
    assert places.agent_dir({b"HOME": b"/home/u"} | variables, "/etc") == (folder, origin)


STATE_DIRS = [
    ({}, STATE, "default"),
    ({b"XDG_STATE_HOME": b"/s"}, "/s/fleetcc", "XDG_STATE_HOME"),
    ({b"XDG_RUNTIME_DIR": b"/run/user/7"}, STATE, "default"),
    ({b"FLEETCC_DIR": b"/f"}, "/f", "FLEETCC_DIR"),
]


@pytest.mark.parametrize(("variables", "folder", "origin"), STATE_DIRS)
def test_the_state_folder(variables, folder, origin):
    assert places.state_dir({b"HOME": b"/home/u"} | variables, "/etc") == (folder, origin)


def test_without_home_the_password_file_says_where_home_is():
    home = pwd.getpwuid(os.geteuid()).pw_dir
    assert places.state_dir({}, "/etc")[0] == os.path.join(home, ".local/state/fleetcc")
    assert places.state_dir({b"HOME": b""}, "/etc")[0] == os.path.join(home, ".local/state/fleetcc")


def test_the_hosts_files_in_their_order():
    files, origin = places.host_files({b"HOME": b"/home/u"}, "/etc")
    assert files == (
        "/home/u/.config/fleetcc/hosts",
        "/home/u/.distcc/hosts",
        "/etc/fleetcc/hosts",
        "/etc/distcc/hosts",
    )
    assert origin == "default"


def test_distcc_dir_and_xdg_config_home_move_the_users_hosts_files():
    environment = {b"HOME": b"/home/u", b"DISTCC_DIR": b"/d", b"XDG_CONFIG_HOME": b"/c"}
    files, origin = places.host_files(environment, "/etc")
    assert files[:2] == ("/c/fleetcc/hosts", "/d/hosts")
    assert origin == "DISTCC_DIR"


@pytest.mark.parametrize("variable", places.PLACE_VARIABLES)
def test_every_variable_that_moves_a_place_makes_cached_settings_stale(variable):
    environment = {b"HOME": b"/home/u"}
    before = load_settings(environment, system="/nonexistent")
    assert load_settings(environment | {variable: b"/elsewhere"}, system="/nonexistent") != before
