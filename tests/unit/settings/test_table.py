"""The table against the manual, and names that are nearly right."""

import re
from pathlib import Path

from fleetcc.cli.config import reference
from fleetcc.settings import TABLE, unknown_variables
from fleetcc.settings.table import OTHER_VARIABLES, RELEVANT_VARIABLES

DOCS = Path(__file__).parents[3] / "docs"


def test_the_manual_has_the_table_of_the_code_and_no_other():
    manual = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert reference() in manual, "put the output of `fleetcc config --markdown` there"
    documented = re.findall(r"^\| [`(]([a-z_]+)[`)] \|", manual, re.MULTILINE)
    assert documented == [setting.name for setting in TABLE]


def test_the_manual_names_every_variable():
    manual = (DOCS / "settings.md").read_text(encoding="utf-8")
    for variable in RELEVANT_VARIABLES:
        assert f"`{variable.decode()}`" in manual
    for other in OTHER_VARIABLES:
        assert f"`{other}`" in manual


def test_every_help_is_one_line_and_ends_as_a_sentence():
    for setting in TABLE:
        assert setting.help.endswith(".")
        assert "\n" not in setting.help
        assert "|" not in setting.help


def test_a_variable_that_nothing_reads_is_reported_with_the_nearest_name():
    environment = {
        b"FLEETCC_FALBACK": b"0",
        b"FLEETCC_HOSTS": b"",
        b"FLEETCC_AGENT": b"0",
        b"FLEETCCD_PATH": b"",
    }
    assert unknown_variables(environment) == [("FLEETCC_FALBACK", "FLEETCC_FALLBACK")]
    assert unknown_variables({b"FLEETCC_\xff": b""})[0][0] == "FLEETCC_\\xff"
