"""DNS servers: ADDRESS[:PORT], several separated by blanks."""

import os
from pathlib import Path

import pytest

from fleetcc.errors import UsageError
from fleetcc.settings import load_settings
from fleetcc.settings.values import parse_server


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("10.0.0.53", ("10.0.0.53", 53)),
        ("10.0.0.53:5353", ("10.0.0.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
        ("[fe80::1%eth0]:5353", ("fe80::1%eth0", 5353)),
    ],
)
def test_a_server_is_an_address_with_or_without_a_port(text, server):
    assert parse_server(text) == server


@pytest.mark.parametrize(
    "text",
    [
        "",
        "red",
        "red:53",
        "10.0.0.53:",
        "10.0.0.53:0",
        "10.0.0.53:65536",
        "[::1]:x",
        "[::1",
        "::1]",
        "[::1]x",
        "10.0.0",
    ],
)
def test_anything_else_is_an_error_that_says_what_is_expected(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the message is made where the setting is read
        parse_server(text)
    if text:
        with pytest.raises(
            UsageError, match=r"^FLEETCC_DNS: found .*; expected addresses, each ADDRESS\[:PORT\]"
        ):
            load_settings({b"FLEETCC_DNS": b"10.0.0.1 " + os.fsencode(text)})


def test_servers_come_from_the_variable_or_the_file_and_are_none_by_default(tmp_path: Path):
    environment = {b"HOME": os.fsencode(tmp_path)}
    assert load_settings(environment, system=str(tmp_path)).dns == ()
    config = tmp_path / ".config/fleetcc/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('dns = ["10.0.0.1", "[::1]:54"]')
    assert load_settings(environment, system=str(tmp_path)).dns == ("10.0.0.1", "[::1]:54")
    environment[b"FLEETCC_DNS"] = b" 10.0.0.2  10.0.0.3:53 "
    assert load_settings(environment, system=str(tmp_path)).dns == ("10.0.0.2", "10.0.0.3:53")


@pytest.mark.parametrize("value", ["[]", "[1]", '["red"]', '""', "1"])
def test_a_bad_value_in_the_file_is_named(tmp_path: Path, value):
    config = tmp_path / ".config/fleetcc/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f"dns = {value}")
    with pytest.raises(UsageError, match=r"dns: found .*; expected a string or an array of addresses"):
        load_settings({b"HOME": os.fsencode(tmp_path)}, system=str(tmp_path))
