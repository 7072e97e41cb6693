"""Which source wins, what each source may hold, and what the errors say."""

import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import ExitCode, UsageError
from fleetcc.model import Priority
from fleetcc.settings import TABLE, Settings, explain_settings, files, load_settings


class Machine:
    """A home and an /etc of its own."""

    def __init__(self, root: Path):
        self.home = root / "home"
        self.etc = root / "etc"
        self.user_config = self.home / ".config/fleetcc/config.toml"
        self.system_config = self.etc / "fleetcc/config.toml"
        for file in (self.user_config, self.system_config):
            file.parent.mkdir(parents=True)

    def environment(self, **variables: str) -> dict[bytes, bytes]:
        named = {"HOME": str(self.home)} | variables
        return {name.encode(): os.fsencode(value) for name, value in named.items()}

    def load(self, **variables: str) -> Settings:
        return load_settings(self.environment(**variables), system=str(self.etc))

    def origins(self, **variables: str) -> dict[str, str]:
        found = explain_settings(self.environment(**variables), system=str(self.etc))
        return {setting.name: setting.origin for setting in found}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_set_gives_the_defaults_of_the_table(machine):
    settings = machine.load()
    for setting in TABLE:
        if setting.derive is None:
            assert getattr(settings, setting.name) == setting.default, setting.name


def test_every_row_of_the_table_is_a_field_and_the_other_way_round():
    fields = {field.name for field in dataclasses.fields(Settings)}
    assert {setting.name for setting in TABLE} == fields - {"hosts_variable"}
    assert len({setting.name for setting in TABLE}) == len(TABLE)


def test_each_source_wins_over_the_next(machine):
    expected = []
    machine.system_config.write_text("backoff_seconds = 1\n")
    expected.append((machine.load().backoff_seconds, machine.origins()["backoff_seconds"]))
    machine.user_config.write_text("backoff_seconds = 2.5\n")
    expected.append((machine.load().backoff_seconds, machine.origins()["backoff_seconds"]))
    variables = {"DISTCC_BACKOFF_PERIOD": "3"}
    expected.append(
        (machine.load(**variables).backoff_seconds, machine.origins(**variables)["backoff_seconds"])
    )
    variables["FLEETCC_BACKOFF_PERIOD"] = "4"
    expected.append(
        (machine.load(**variables).backoff_seconds, machine.origins(**variables)["backoff_seconds"])
    )
    assert expected == [
        (1.0, f"{machine.system_config}: backoff_seconds"),
        (2.5, f"{machine.user_config}: backoff_seconds"),
        (3.0, "DISTCC_BACKOFF_PERIOD"),
        (4.0, "FLEETCC_BACKOFF_PERIOD"),
    ]
    assert machine.origins()["io_timeout_seconds"] == "default"


@pytest.mark.parametrize("word", ["0", "false", "No", " off "])
def test_our_switches_take_the_usual_words_for_off(machine, word):
    assert machine.load(FLEETCC_FALLBACK=word).fallback is False


@pytest.mark.parametrize("word", ["1", "TRUE", "yes", "on"])
def test_our_switches_take_the_usual_words_for_on(machine, word):
    assert machine.load(FLEETCC_VERBOSE=word).verbose is True


@pytest.mark.parametrize(
    ("word", "fallback"), [("0", False), ("1", True), ("no", True), ("", True), ("00", True)]
)
def test_switches_of_distcc_understand_0_and_1_only(machine, word, fallback):
    assert machine.load(DISTCC_FALLBACK=word).fallback is fallback


def test_a_switch_of_distcc_that_is_not_understood_leaves_the_word_to_the_files(machine):
    machine.user_config.write_text("fallback = false\n")
    assert machine.load(DISTCC_FALLBACK="maybe").fallback is False


@pytest.mark.parametrize("word", ["", "0", "1", "anything"])
def test_some_variables_of_distcc_count_when_they_exist(machine, word):
    settings = machine.load(DISTCC_SKIP_LOCAL_RETRY=word, DISTCC_NO_REWRITE_CROSS=word)
    assert settings.skip_local_retry is True
    assert settings.rewrite_names is False


def test_ours_win_over_twins_that_count_when_they_exist(machine):
    settings = machine.load(
        DISTCC_SKIP_LOCAL_RETRY="1",
        FLEETCC_SKIP_LOCAL_RETRY="0",
        DISTCC_NO_REWRITE_CROSS="1",
        FLEETCC_REWRITE_NAMES="1",
    )
    assert (settings.skip_local_retry, settings.rewrite_names) == (False, True)


def test_an_empty_variable_counts_as_unset_except_for_hosts(machine):
    settings = machine.load(FLEETCC_FALLBACK="", DISTCC_FALLBACK="0", FLEETCC_HOSTS="", DISTCC_HOSTS="red")
    assert settings.fallback is False
    assert (settings.hosts, settings.hosts_variable) == ("", "FLEETCC_HOSTS")


def test_the_hosts_of_distcc_are_taken_when_ours_are_unset(machine):
    settings = machine.load(DISTCC_HOSTS="red blue")
    assert (settings.hosts, settings.hosts_variable) == ("red blue", "DISTCC_HOSTS")


def test_the_ssh_command_is_split_at_blanks(machine):
    assert machine.load(DISTCC_SSH=" ssh  -p 2222\t-q ").ssh == ("ssh", "-p", "2222", "-q")
    machine.user_config.write_text('ssh = ["ssh", "-o", "User name=x"]\n')
    assert machine.load().ssh == ("ssh", "-o", "User name=x")


@pytest.mark.parametrize("word", [priority.slug for priority in Priority])
def test_every_priority_that_hosts_know_can_be_set(machine, word):
    assert machine.load().priority == "normal"
    assert machine.load(FLEETCC_PRIORITY=word).priority == word
    machine.user_config.write_text(f'priority = "{word}"\n')
    assert machine.load().priority == word


BAD_VARIABLES = [
    ("FLEETCC_FALLBACK", "maybe", "0 or 1"),
    ("FLEETCC_MODE", "remote", "auto, replica, preprocessed or local"),
    ("FLEETCC_PRIORITY", "urgent", "interactive, normal or ci"),
    ("FLEETCC_IO_TIMEOUT", "0", "seconds, more than 0"),
    ("DISTCC_IO_TIMEOUT", "0", "seconds, more than 0"),
    ("DISTCC_IO_TIMEOUT", "-5", "seconds, more than 0"),
    ("DISTCC_IO_TIMEOUT", "nan", "seconds, more than 0"),
    ("DISTCC_BACKOFF_PERIOD", "1e9", "seconds, 0 or more"),
    ("FLEETCC_CONNECT_TIMEOUT", "99999999999", "seconds, more than 0"),
    ("FLEETCC_LOCAL_SLOTS", "0", "a number from 1 to 10000"),
    ("FLEETCC_LOCAL_SLOTS", "٣", "a number from 1 to 10000"),
    ("FLEETCC_PREPROCESS_SLOTS", "4" * 9, "a number from 1 to 10000"),
    ("FLEETCC_SSH", "  ", "a command"),
]


@pytest.mark.parametrize(("variable", "value", "expected"), BAD_VARIABLES)
def test_a_bad_variable_is_named_with_its_value_and_the_remedy(machine, variable, value, expected):
    with pytest.raises(UsageError) as caught:
        machine.load(**{variable: value})
    message = str(caught.value)
    assert message.startswith(f"{variable}: found {value!a}; expected {expected}")
    assert message.endswith("; correct it or unset it")
    assert caught.value.exit_code == ExitCode.BAD_ARGUMENTS


BAD_FILES = [
    ("falback = true", "unknown key 'falback'; did you mean fallback?"),
    ("[zzz]\na = 1", "unknown key 'zzz'; known are mode, "),
    ('hosts = "red"', "unknown key 'hosts'; set FLEETCC_HOSTS instead"),
    ('fallback = "no"', "fallback: found a string, 'no'; expected true or false"),
    ("fallback = 0", "fallback: found an integer, '0'; expected true or false"),
    ("io_timeout_seconds = 0", "io_timeout_seconds: found an integer, '0'; expected seconds, more than 0"),
    ("io_timeout_seconds = inf", "io_timeout_seconds: found a number, 'inf'; expected seconds, more than 0"),
    (
        "io_timeout_seconds = true",
        "io_timeout_seconds: found a boolean, 'True'; expected seconds, more than 0",
    ),
    ("local_slots = 1.5", "local_slots: found a number, '1.5'; expected an integer from 1 to 10000"),
    ("ssh = [1]", "ssh: found an array; expected a command or an array of its words"),
    ("ssh = []", "ssh: found an array; expected a command or an array of its words"),
    ('mode = "fast"', "mode: found a string, 'fast'; expected auto, replica, preprocessed or local"),
    ('log = "build.log"', "log: found a string, 'build.log'; expected an absolute path"),
    ("mode = 2026-01-01", "mode: found a date or time, '2026-01-01'; expected auto,"),
    ("mode = ", "not TOML: "),
]


@pytest.mark.parametrize(("text", "expected"), BAD_FILES)
def test_a_bad_file_is_named_with_the_key_and_both_sides(machine, text, expected):
    machine.user_config.write_text(text)
    with pytest.raises(UsageError) as caught:
        machine.load()
    assert str(caught.value).startswith(f"{machine.user_config}: {expected}")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_not_utf_8_in_a_file_are_an_error_about_the_file(machine):
    machine.system_config.write_bytes(b'mode = "\xff"')
    with pytest.raises(UsageError, match=r"config\.toml: not TOML: "):
        machine.load()


def test_a_directory_in_place_of_a_file_is_named(machine):
    machine.user_config.mkdir()
    with pytest.raises(UsageError, match=r"config\.toml: not a regular file"):
        machine.load()


def test_a_change_of_a_file_is_seen_by_the_next_job(machine, monkeypatch):
    monkeypatch.setattr(files, "SETTLE_NS", -1)  # so that the stamps decide, not the age of the file
    assert machine.load().verbose is False
    machine.user_config.write_text("verbose = true\n")
    assert machine.load().verbose is True
    machine.user_config.write_text("verbose = false\n")
    assert machine.load().verbose is False
    machine.user_config.unlink()
    machine.system_config.write_text("verbose = true\n")
    assert machine.load().verbose is True


def test_nothing_changed_gives_the_very_same_object(machine, monkeypatch):
    monkeypatch.setattr(files, "SETTLE_NS", -1)
    machine.user_config.write_text("verbose = true\n")
    first = machine.load(UNRELATED="1")
    assert machine.load(UNRELATED="2") is first
    assert machine.load(FLEETCC_VERBOSE="0") is not first


def test_xdg_config_home_moves_the_users_file_when_it_is_absolute(machine, tmp_path):
    (tmp_path / "elsewhere/fleetcc").mkdir(parents=True)
    (tmp_path / "elsewhere/fleetcc/config.toml").write_text("verbose = true\n")
    assert machine.load(XDG_CONFIG_HOME=str(tmp_path / "elsewhere")).verbose is True
    assert machine.load(XDG_CONFIG_HOME="elsewhere").verbose is False


VARIABLES = sorted({name for setting in TABLE for name in (setting.variable, setting.twin) if name})
VALUES = st.one_of(st.sampled_from([b"0", b"1", b"on", b"5", b"local", b""]), st.binary(max_size=20))


@given(st.dictionaries(st.sampled_from(VARIABLES).map(str.encode), VALUES))
def test_any_environment_gives_settings_or_one_usage_error_of_one_line(variables):
    message = "fine"
    try:
        load_settings({b"HOME": b"/nonexistent"} | variables, system="/nonexistent")
    except UsageError as error:
        message = str(error)
    assert message.isprintable()
