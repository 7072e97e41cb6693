"""Documents: links lead somewhere, and every verb, option, setting and metric that they name exists."""

import re

import pytest
import yaml

from fleetcc.cli.main import VERBS
from fleetcc.errors import ExitCode
from fleetcc.settings.table import OTHER_VARIABLES, RELEVANT_VARIABLES
from tests.support.checkout import DOCS, PACKAGING, ROOT, pages, programs_named, script, without_code

commands = script("commands")
# Words of a document that stand for a verb or an option.
_PLACEHOLDERS = {"VERB", "COMPILER", "...", "…"}
_ANY_PAGE = pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)


def anchors(text: str) -> set[str]:
    """The names that headings have on GitHub and in mkdocs."""
    found = re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in found}


@_ANY_PAGE
def test_links_lead_to_files_and_headings_that_are_there(page):
    text = without_code(page.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{target}: there is no {there}"
        if anchor:
            assert anchor in anchors(there.read_text("utf-8")), f"{target}: no such heading"


@pytest.fixture(scope="module")
def known():
    """The options of each verb, and of the programs themselves."""
    server = commands.server_command()
    found = {("fleetccd",): server, ("fleetccd", "doctor"): server.verbs[0]}
    for verb in commands.verbs():
        found |= {each.words: each for each in (verb, *verb.verbs)}
    return {
        words: {name for option in each.options for name in option.names} for words, each in found.items()
    }


@_ANY_PAGE
def test_verbs_and_options_that_are_named_exist(page, known):
    for program, words in programs_named(page.read_text("utf-8")):
        place: tuple[str, ...] = (program,)
        rest = iter(words)
        for word in rest:
            if (*place, word) in known:
                place = (*place, word)
            elif place == ("fleetcc",):
                assert_own(words)
                break
            elif word == "--":
                break
            elif word.startswith("-") and place in known:
                (flag,) = re.findall(r"^--?[\w-]+", word)
                assert flag in known[place], f"{' '.join((program, *words))}: {word}"


def assert_own(words):
    """`fleetcc` with no verb: its own options, a compiler, or words that stand for them."""
    own = {name for option in commands.OWN_OPTIONS for name in option.names}
    first = words[0].strip("[]").partition("=")[0]
    compilers = r"\S*(gcc|g\+\+|cc|c\+\+|clang)\S*"
    assert (
        first in own
        or first in VERBS
        or first.isupper()
        or first in _PLACEHOLDERS
        or re.fullmatch(compilers, first)
    ), f"fleetcc {' '.join(words)}"


@_ANY_PAGE
def test_variables_of_ours_that_are_named_exist(page):
    ours = {variable.decode() for variable in RELEVANT_VARIABLES} | set(OTHER_VARIABLES)
    servers = {name for pair in script("man")._SERVER_VARIABLES for name in pair[0].split(", ")}
    named = set(re.findall(r"`(FLEETCCD?_[A-Z_]*[A-Z])\b", page.read_text("utf-8")))
    assert named <= ours | servers | {"FLEETCC_BUILD", "FLEETCCD_OPTIONS"}


def test_the_exit_statuses_of_the_reference_are_all():
    listed = re.findall(r"^\| (1\d\d) \|", (DOCS / "reference.md").read_text("utf-8"), re.MULTILINE)
    assert [int(status) for status in listed] == sorted(ExitCode)


def test_the_reference_has_every_verb():
    text = (DOCS / "reference.md").read_text("utf-8")
    assert re.findall(r"^\| `fleetcc (\w+)` \|", text, re.MULTILINE) == list(VERBS)


def test_the_site_has_every_document_once():
    def leaves(node):
        if isinstance(node, str):
            return [node]
        return [
            leaf for child in (node.values() if isinstance(node, dict) else node) for leaf in leaves(child)
        ]

    nav = leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"])
    assert sorted(nav) == sorted(path.name for path in DOCS.glob("*.md"))


def test_links_out_of_the_documents_become_names_on_the_site():
    site = script("docs_site")
    text = "see [README.md](../README.md), [it](../LICENSE#x), [a](b.md)"
    assert site.on_page_markdown(text) == "see README.md, it (`LICENSE`), [a](b.md)"


def test_files_of_packaging_that_documents_name_exist():
    for page in pages():
        for name in re.findall(r"packaging/[\w./@-]*\w", page.read_text("utf-8")):
            assert (ROOT / name).exists(), f"{page.name}: {name}"
    assert (PACKAGING / "docker" / "Dockerfile").exists()
