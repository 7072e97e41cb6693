"""TXT records beside a service, and who wins when the entry says something too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.hosts.grammar import parse_host_list
from fleetcc.hosts.service_options import ServiceOptions, read_service_options, with_options


@pytest.mark.parametrize(
    ("strings", "expected"),
    [
        ([], ServiceOptions()),
        (["limit=8"], ServiceOptions(limit=8)),
        (["limit=8 lzo cpp"], ServiceOptions(limit=8, protocol=3)),
        (["limit=8", "lzo", "down"], ServiceOptions(limit=8, protocol=2, down=True)),
        (["txtvers=1", "JOBS=12", "LZO"], ServiceOptions(limit=12, protocol=2)),
    ],
)
def test_options_are_keys_or_plain_words(strings, expected):
    assert read_service_options(strings) == expected


@pytest.mark.parametrize(
    ("string", "trouble"),
    [
        ("limit=0", "TXT has 'limit=0'; expected limit= and a number from 1 to 10000"),
        ("limit", "TXT has 'limit'; expected limit= and a number"),
        ("limit=99999999999", "TXT has 'limit=99999999999'; expected"),
        ("zip", "TXT has 'zip'; expected limit=N, lzo, cpp or down"),
        ("lzo=0", "TXT has 'lzo=0'; expected limit=N"),
        ("cpp", "TXT has cpp without lzo; expected both"),
        ("\x1b[31m", "TXT has '\\x1b[31m'; expected"),
    ],
)
def test_what_is_not_understood_is_told_and_ignored(string, trouble):
    options = read_service_options([string])
    assert (options.limit, options.protocol, options.down) == (None, 1, False)
    assert options.troubles[0].startswith(trouble)


@given(st.lists(st.text()))
def test_any_text_gives_options(strings):
    assert read_service_options(strings).protocol in (1, 2, 3)


@pytest.mark.parametrize(
    ("entry", "limit", "protocol", "down"),
    [
        ("_fleetcc._tcp.x", 8, 2, True),
        ("_fleetcc._tcp.x/4", 4, 2, True),
        ("_fleetcc._tcp.x=5,lzo,cpp", 5, 3, True),
        ("_fleetcc._tcp.x,lzo,cpp", 8, 3, True),
        ("_fleetcc._tcp.x,down", 8, 2, True),
    ],
)
def test_what_the_entry_says_wins(entry, limit, protocol, down):
    (host,) = parse_host_list(entry, "ORIGIN").hosts
    found = with_options(host, ServiceOptions(limit=8, protocol=2, down=True))
    assert (found.limit, found.protocol, found.down) == (limit, protocol, down)
