"""Completions and manual pages: they are what their generators make, and the generators miss nothing."""

import re

import pytest

from fleetcc.cli.main import HELP, VERBS
from fleetcc.command.names import parse_compiler_name
from fleetcc.errors import ExitCode
from fleetcc.settings.table import TABLE
from tests.support.checkout import script

commands, completions, man, mdoc = map(script, ("commands", "completions", "man", "mdoc"))


@pytest.fixture(scope="module")
def verbs():
    return list(commands.verbs())


@pytest.mark.parametrize("generator", ["completions", "man"])
def test_what_is_checked_in_is_what_the_generator_makes(generator, capsys):
    made = script(generator)
    stale = commands.write_all(made.FOLDER, made.files(), ["--check"])
    assert not stale, capsys.readouterr().out


def test_a_check_names_stale_and_superfluous_files_and_changes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(commands, "ROOT", tmp_path)
    folder = tmp_path / "made"
    wanted = {"a": "one\n", "b/c": "two\n"}
    assert commands.write_all(folder, wanted, []) == 0
    assert commands.write_all(folder, wanted, ["--check"]) == 0
    (folder / "a").write_text("other\n")
    (folder / "old").write_text("left over\n")
    assert commands.write_all(folder, wanted, ["--check"]) == 1
    told = capsys.readouterr().out
    assert "made/a is not" in told
    assert "made/old is not" in told
    assert (folder / "old").exists()
    assert commands.write_all(folder, wanted, []) == 0
    assert {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()} == {
        "a": "one\n",
        "c": "two\n",
    }


def test_every_verb_is_read_with_its_options(verbs):
    assert [verb.words[1] for verb in verbs] == list(VERBS)
    by_name = {verb.words[1]: verb for verb in verbs}
    assert {verb.words[-1] for verb in by_name["agent"].verbs} >= {"run", "start", "status", "stop"}
    assert by_name["run"].takes_command
    assert not by_name["log"].takes_command
    reason = next(option for option in by_name["log"].options if "--reason" in option.names)
    assert "linking" in reason.choices
    for verb in verbs:
        assert verb.paragraphs, verb.name
        assert all(option.help for option in verb.options), verb.name


def test_our_own_options_are_those_of_the_help_text():
    named = re.findall(
        r"^  (-[-\w]+)(?:=[A-Z]+)?(?:, (--\w+))?(?:  |$)", HELP.partition("Options:")[2], re.MULTILINE
    )
    assert sorted(name for pair in named for name in pair if name) == sorted(
        name for option in commands.OWN_OPTIONS for name in option.names
    )


def test_the_servers_doctor_takes_what_the_server_takes():
    server = commands.server_command()
    assert {option.names for option in server.options} < {option.names for option in server.verbs[0].options}


@pytest.mark.parametrize("name", ["gcc", "g++-12", "cc", "x86_64-linux-gnu-c++", "clang++-14", "clang-19.1"])
def test_the_pattern_of_the_completions_knows_compilers(name):
    assert parse_compiler_name(name.encode())
    assert re.fullmatch(completions.compiler_pattern(), name)


@pytest.mark.parametrize("name", ["ccache", "make", "gcc-ar", "c++filt", "clangd"])
def test_the_pattern_of_the_completions_knows_what_is_no_compiler(name):
    assert not parse_compiler_name(name.encode())
    assert not re.fullmatch(completions.compiler_pattern(), name)


def test_each_shell_has_each_verb_and_option(verbs):
    files = completions.files()
    for verb in verbs:
        for name, text in files.items():
            if "fleetccd" not in name:
                assert verb.words[1] in text, (name, verb.name)
        for option in verb.options:
            for flag in option.names:
                assert flag in files["fleetcc.bash"]
                assert flag in files["_fleetcc"]
                assert re.search(rf"-[ls] {re.escape(flag.lstrip('-'))}\b", files["fleetcc.fish"]), flag


def test_the_pages_have_every_verb_option_variable_and_status(verbs):
    pages = man.files()
    main_page = pages["man1/fleetcc.1"]
    for verb in verbs:
        page = pages[f"man1/fleetcc-{verb.words[1]}.1"]
        assert f".Xr fleetcc-{verb.words[1]} 1" in main_page
        for option in (option for each in (verb, *verb.verbs) for option in each.options):
            for flag in option.names:
                assert f"Fl {flag[1:].replace('-', chr(92) + '-')}" in page, (verb.name, flag)
    for setting in TABLE:
        for variable in (setting.variable, setting.twin):
            assert variable is None or f"Ev {variable}" in main_page
    assert {int(number) for number in re.findall(r"^\.It (1\d\d)$", main_page, re.MULTILINE)} == set(ExitCode)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (".d files", "\\&.d files"),
        ("'quoted'", "\\&'quoted'"),
        (r"a\b", r"a\eb"),
        ("--json", r"\-\-json"),
        ("1–2 … ×3", r"1\-2 ... x3"),  # noqa: RUF001 - what documents have
    ],
)
def test_words_cannot_become_requests(text, wanted):
    assert mdoc.inline(text) == wanted


def test_markdown_becomes_lists_tables_and_code():
    text = """# Title

First. Second with `code` and [a link](x.md).

## Errors

* one
  goes on
* two

| word | means |
|---|---|
| `a` | first \\| second |

```text
.code -x
```
"""
    assert list(mdoc.markdown(text)) == [
        "First.",
        "Second with \\fBcode\\fP and a link.",
        ".Sh DIAGNOSTICS",
        ".Bl -bullet", ".It", "one goes on", ".It", "two", ".El",
        ".Bl -tag -width Ds", ".It \\fBa\\fP", "first | second", ".El",
        ".Bd -literal -offset indent", "\\&.code \\-x", ".Ed",
    ]  # fmt: skip
