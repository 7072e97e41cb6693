"""The systemd units: options that exist, and nothing that would forbid the sandbox."""

import configparser
import re

import pytest

from tests.support.checkout import DOCS, PACKAGING, script

SYSTEM = PACKAGING / "systemd" / "system"
SERVICES = [SYSTEM / "fleetccd.service", SYSTEM / "fleetccd@.service"]
commands = script("commands")


class _AsWritten(configparser.RawConfigParser):
    """Names of settings in the letters that they have."""

    def optionxform(self, optionstr):
        return optionstr


def read(path):
    """The sections of a unit; a key that stands twice is an error, none of ours needs that."""
    parser = _AsWritten(delimiters=("=",), comment_prefixes=("#",))
    parser.read_string(path.read_text("utf-8"))
    return parser


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_the_server_is_started_with_options_that_it_has(path):
    known = {name for option in commands.server_command().options for name in option.names}
    program, *words = read(path)["Service"]["ExecStart"].split()
    assert program == "fleetccd"
    assert {word for word in words if word.startswith("-")} <= known


def test_the_agent_is_started_by_a_verb_that_it_has():
    words = read(PACKAGING / "systemd" / "user" / "fleetcc.service")["Service"]["ExecStart"].split()
    verbs = {each.words for verb in commands.verbs() for each in verb.verbs}
    assert words[0] == "fleetcc-cli"
    assert ("fleetcc", *words[1:]) in verbs


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_no_unit_has_a_setting_that_the_manual_says_forbids_the_sandbox(path):
    manual = (DOCS / "replica.md").read_text("utf-8")
    forbidden = re.findall(
        r"`(\w+)=yes`", manual.partition("In a unit of your own")[2].partition("are no obstacle")[0]
    )
    assert {"ProtectKernelTunables", "ProtectHostname"} <= set(forbidden)
    service = read(path)["Service"]
    assert not {name for name in forbidden if service.get(name) == "yes"}
    assert set(service["RestrictNamespaces"].split()) == {"user", "mnt", "pid", "ipc", "uts", "net"}
    assert {"@mount", "sethostname", "seccomp"} <= set(service["SystemCallFilter"].split())


def test_both_services_are_hardened_alike():
    daemon, connection = (dict(read(path)["Service"]) for path in SERVICES)
    own = {"Type", "ExecStart", "Restart", "KillMode", "TimeoutStopSec", "LimitNOFILE"}
    own |= {"StandardInput", "StandardOutput", "StandardError"}
    assert {name: value for name, value in daemon.items() if name not in own} == {
        name: value for name, value in connection.items() if name not in own
    }


def test_systemd_waits_longer_than_the_server_drains():
    drain = next(option for option in commands.server_command().options if "--drain-timeout" in option.names)
    (seconds,) = re.findall(r"default: ([\d.]+)", drain.help)
    assert float(read(SERVICES[0])["Service"]["TimeoutStopSec"]) > float(seconds)
