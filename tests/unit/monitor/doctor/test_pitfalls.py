"""What an environment may hold that keeps compiles here."""

from dataclasses import replace

import pytest

from fleetcc.monitor.doctor.findings import Level
from fleetcc.monitor.doctor.pitfalls import check_pitfalls
from fleetcc.settings import load_settings

SETTINGS = load_settings({b"HOME": b"/nonexistent"}, system="/nonexistent")


def test_an_ordinary_environment_is_in_order():
    (finding,) = check_pitfalls({b"PATH": b"/usr/bin", b"CCACHE_PREFIX": b"fleetcc"}, SETTINGS)
    assert finding.level is Level.OK


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("FLEETCC_AGENT", b"0", "every compile runs here"),
        ("_DISTCC_SAFEGUARD", b"1", "as a launcher sets it"),
        ("LD_PRELOAD", b"/lib/libfakeroot.so", "no compile travels as files"),
        ("LD_AUDIT", b"/lib/audit.so", "no compile travels as files"),
        ("CCACHE_PREFIX", b"/usr/bin/distcc", "hand compiles to distcc"),
        ("FLEETCC_DIR", b"agent", "each directory has an agent of its own"),
    ],
)
def test_a_variable_that_gets_in_the_way_is_a_warning(name, value, words):
    (finding,) = check_pitfalls({name.encode(): value}, SETTINGS)
    assert (finding.level, finding.title) == (Level.WARNING, name)
    assert words in finding.text
    assert finding.remedy


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"mode": "local"}, "mode"),
        ({"fallback": False}, "fallback"),
        ({"skip_local_retry": True}, "skip_local_retry"),
        ({"verify": 1.0}, "verify"),
    ],
)
def test_a_setting_that_gets_in_the_way_is_a_warning(changes, title):
    (finding,) = check_pitfalls({}, replace(SETTINGS, **changes))
    assert (finding.level, finding.title) == (Level.WARNING, title)
    assert finding.remedy


def test_settings_that_cannot_be_read_are_not_looked_at():
    (finding,) = check_pitfalls({}, None)
    assert finding.level is Level.OK


def test_skipping_the_local_retry_counts_once_exactness_is_off():
    (finding,) = check_pitfalls({}, replace(SETTINGS, skip_local_retry=True, exact=False))
    assert finding.level is Level.OK
