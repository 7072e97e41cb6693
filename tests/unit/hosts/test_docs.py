"""docs/hosts.md against the grammar: its numbers and its examples."""

import re
from pathlib import Path

from fleetcc.hosts import grammar, standing
from fleetcc.hosts.grammar import parse_host_list
from fleetcc.hosts.members import MAX_ADDRESSES
from fleetcc.hosts.membership import READY_SECONDS
from fleetcc.hosts.system_lookup import SYSTEM_TTL

MANUAL = (Path(__file__).parents[3] / "docs/hosts.md").read_text(encoding="utf-8")


def test_every_example_of_the_manual_can_be_parsed():
    examples = re.findall(r"```hosts\n(.*?)```", MANUAL, re.DOTALL)
    assert len(examples) >= 3
    for example in examples:
        assert parse_host_list(example, "docs/hosts.md").hosts


def test_the_numbers_of_the_manual_are_those_of_the_code():
    limits = f"default {grammar.REMOTE_LIMIT}, for `localhost` {grammar.LOCALHOST_LIMIT}"
    retry, empty = f"1, 2, 4 … {standing.MAX_RETRY:g} seconds", f"at most {standing.MAX_EMPTY_TTL:g} seconds"
    for sentence in (
        f"At most {MAX_ADDRESSES} addresses of one entry",
        f"at least {standing.MIN_TTL:g} second and at most {standing.MAX_TTL / 3600:g} hour",
        f"resolver for {SYSTEM_TTL:g}\n  seconds",
        retry,
        empty,
        f"for more than {READY_SECONDS:g} seconds",
        f"PORT, 1 to {grammar.MAX_PORT}, default {grammar.DEFAULT_PORT}",
        f"LIMIT, 1 to {grammar.MAX_LIMIT}, {limits}",
        f"`--localslots` without a number means {grammar.LOCAL_SLOTS}",
        f"`--localslots_cpp` without a number means {grammar.PREPROCESS_SLOTS}",
    ):
        assert sentence in MANUAL


def test_every_word_of_the_language_is_in_the_manual():
    for word in (
        "--randomize",
        "_fleetcc._tcp",
        "_distcc._tcp",
        "limit=N",
        "jobs=N",
        "--localslots",
        "--localslots_cpp",
        "+zeroconf",
        ",lzo",
        ",cpp",
        ",down",
        ",auth",
    ):
        assert f"`{word}" in MANUAL
