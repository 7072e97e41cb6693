"""Settings and host lists, good and bad; `system` is a folder of the test's own."""

from dataclasses import replace

import pytest

from fleetcc.monitor.doctor.configuration import check_host_list, check_settings, readable_settings
from fleetcc.monitor.doctor.findings import Level
from fleetcc.settings import load_settings


@pytest.fixture
def check(tmp_path):
    def invoke(config="", **variables):
        (tmp_path / "home/.config/fleetcc").mkdir(parents=True, exist_ok=True)
        (tmp_path / "home/.config/fleetcc/config.toml").write_text(config)
        environment = {b"HOME": bytes(tmp_path / "home")}
        environment |= {name.encode(): value.encode() for name, value in variables.items()}
        found = check_settings(environment, system=str(tmp_path / "etc"))
        return [(finding.level, finding.title, finding.text, finding.remedy) for finding in found]

    return invoke


def test_settings_in_order_are_one_finding_that_says_where_they_are_from(check):
    ((level, _, text, _),) = check("fallback = false\n", FLEETCC_MODE="replica")

    assert level is Level.OK
    assert "mode from FLEETCC_MODE" in text
    assert "config.toml: fallback" in text
    assert "every one has its default" in check()[0][2]


def test_every_bad_value_is_told_not_only_the_first(check):
    found = check("verbose = 7\n", FLEETCC_MODE="fast", FLEETCC_EXACT="maybe", DISTCC_IO_TIMEOUT="soon")

    assert [title for _, title, _, _ in found] == [
        "FLEETCC_MODE",
        "FLEETCC_EXACT",
        "DISTCC_IO_TIMEOUT",
        "config.toml",
    ]
    assert {level for level, _, _, _ in found} == {Level.ERROR}
    assert found[0][2].startswith("found 'fast'; expected auto, replica, preprocessed or local")
    assert "verbose" in found[3][2]


def test_what_can_be_read_is_read(tmp_path):
    (tmp_path / "fleetcc").mkdir()
    (tmp_path / "fleetcc/config.toml").write_text("verbose = true\n")
    environment = {b"HOME": b"/h", b"FLEETCC_HOSTS": b"red", b"FLEETCC_MODE": b"fast"}

    settings = readable_settings(environment, system=str(tmp_path))
    assert (settings.hosts, settings.mode, settings.verbose) == ("red", "auto", True)

    (tmp_path / "fleetcc/config.toml").write_text("no toml")
    settings = readable_settings(environment, system=str(tmp_path))
    assert (settings.hosts, settings.verbose) == ("red", False)
    assert settings.host_files[0] == "/h/.config/fleetcc/hosts"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("FLEETCC_HOST", "did you mean FLEETCC_HOSTS?"),
        ("DISTCC_HOST", "did you mean DISTCC_HOSTS?"),
        ("FLEETCC_QQQQQQQQ", "unset it; `fleetcc config` lists what there is"),
    ],
)
def test_a_name_that_nothing_reads_is_a_warning(check, name, remedy):
    assert check(**{name: "1"}) == [(Level.WARNING, name, "is set, but nothing reads it", remedy)]


def test_names_that_others_of_our_programs_read_are_none_of_these(check):
    found = check(FLEETCC_BUILD="b", FLEETCC_SANDBOX="/s", FLEETCC_CMDLIST="/l", DISTCC_CMDLIST="/l")
    assert [level for level, _, _, _ in found] == [Level.OK]


def test_a_variable_of_distcc_without_effect_is_told(check):
    found = check(DISTCC_PAUSE_TIME_MSEC="10")
    assert found == [(Level.OK, "DISTCC_PAUSE_TIME_MSEC", "is set, and has no effect on fleetcc", "")]


@pytest.fixture
def check_list(tmp_path):
    def invoke(hosts, files=()):
        environment = {b"HOME": bytes(tmp_path)}
        settings = load_settings(environment, system=str(tmp_path / "etc"))
        paths = []
        for number, text in enumerate(files):
            paths.append(str(tmp_path / f"hosts{number}"))
            (tmp_path / f"hosts{number}").write_text(text)
        variable = "FLEETCC_HOSTS" if hosts is not None else None
        found = check_host_list(
            replace(settings, hosts=hosts, hosts_variable=variable, host_files=tuple(paths))
        )
        return [(finding.level, finding.text) for finding in found]

    return invoke


def test_a_list_with_hosts_says_where_it_is_from(check_list):
    assert check_list("red blue/3") == [(Level.OK, "2 entries, from FLEETCC_HOSTS")]
    assert check_list("+zeroconf") == [(Level.OK, "0 entries and the local network, from FLEETCC_HOSTS")]


def test_the_first_file_counts_and_the_others_are_named(check_list):
    (first, second) = check_list(None, ["red", "blue"])
    assert first[0] is Level.OK
    assert first[1].endswith("hosts0")
    assert second[1].endswith("hosts1")
    assert "comes first" in second[1]


@pytest.mark.parametrize(
    ("hosts", "level", "words"),
    [
        (None, Level.ERROR, "there is none"),
        ("", Level.ERROR, "FLEETCC_HOSTS names no host"),
        ("red:port", Level.ERROR, "FLEETCC_HOSTS:1:5: in entry"),
        ("localhost/4", Level.WARNING, "names only this machine"),
    ],
)
def test_a_list_without_hosts_or_with_errors(check_list, hosts, level, words):
    ((found, text),) = check_list(hosts)
    assert found is level
    assert words in text


def test_a_list_whose_hosts_are_all_down_is_a_warning(check_list):
    assert (Level.WARNING, "every host of it is marked ,down") in check_list("red,down blue,down")
