"""The host list's language: what distcc takes, without what its parser takes by accident."""

import dataclasses
import random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.errors import ExitCode, HostListError
from fleetcc.hosts.grammar import HostKind, HostList, HostSpec, parse_host_list, show_hosts, total_limit

Protocol = Literal[1, 2, 3]


def only(text: str) -> HostSpec:
    (host,) = parse_host_list(text, "ORIGIN").hosts
    return host


def tcp(
    name: str, port: int = 3632, limit: int = 4, protocol: Protocol = 1, *, down: bool = False
) -> HostSpec:
    return HostSpec(HostKind.TCP, name, port, limit, None, None, protocol, down, "")


def ssh(
    user: str | None,
    name: str,
    *,
    limit: int = 4,
    command: str | None = None,
    protocol: Protocol = 1,
    down: bool = False,
) -> HostSpec:
    return HostSpec(HostKind.SSH, name, 0, limit, user, command, protocol, down, "")


def local(limit: int) -> HostSpec:
    return HostSpec(HostKind.LOCAL, "localhost", 0, limit, None, None, 1, down=False, text="")


ENTRIES = [
    ("localhost", local(2)),
    ("localhost/7", local(7)),
    ("localhost=7", local(7)),
    ("localhost,lzo", tcp("localhost", protocol=2)),
    ("localhost:3632", tcp("localhost")),
    ("localhost/3:3632", tcp("localhost", limit=3)),
    ("LOCALHOST", tcp("LOCALHOST")),
    ("localhost.", tcp("localhost.")),
    ("red", tcp("red")),
    ("red.example.com", tcp("red.example.com")),
    ("_fleetcc._tcp.example.com", tcp("_fleetcc._tcp.example.com", port=0)),
    ("_distcc._tcp.example.com/8,lzo", tcp("_distcc._tcp.example.com", port=0, limit=8, protocol=2)),
    ("_FleetCC._TCP", tcp("_FleetCC._TCP", port=0)),
    ("_red", tcp("_red")),
    ("127.0.0.1", tcp("127.0.0.1")),
    ("red/8", tcp("red", limit=8)),
    ("red=8", tcp("red", limit=8)),
    ("red:4000", tcp("red", port=4000)),
    ("red:4000/8", tcp("red", port=4000, limit=8)),
    ("red/8:4000", tcp("red", port=4000, limit=8)),
    ("red:65535/10000", tcp("red", port=65535, limit=10000)),
    ("red,lzo", tcp("red", protocol=2)),
    ("red,lzo,cpp", tcp("red", protocol=3)),
    ("red,cpp,lzo", tcp("red", protocol=3)),
    ("red/3,down", tcp("red", limit=3, down=True)),
    ("red:1/1,lzo,down,lzo", tcp("red", port=1, limit=1, protocol=2, down=True)),
    ("[::1]", tcp("::1")),
    ("[2001:db8::7]:4000/2,lzo", tcp("2001:db8::7", port=4000, limit=2, protocol=2)),
    ("[fe80::1%eth0]/2", tcp("fe80::1%eth0", limit=2)),
    ("@red", ssh(None, "red")),
    ("u@red", ssh("u", "red")),
    ("u@localhost", ssh("u", "localhost")),
    ("u@red/3", ssh("u", "red", limit=3)),
    ("u@red:/opt/bin/fleetccd", ssh("u", "red", command="/opt/bin/fleetccd")),
    ("u@red/3:fleetccd,lzo", ssh("u", "red", limit=3, command="fleetccd", protocol=2)),
    ("u@red:fleetccd/3", ssh("u", "red", command="fleetccd/3")),
    ("u@red:/opt/x@1=2/d:e,lzo", ssh("u", "red", command="/opt/x@1=2/d:e", protocol=2)),
    ("@[::1]/2:d,down", ssh(None, "::1", limit=2, command="d", down=True)),
    (r"CORP\u@red", ssh(r"CORP\u", "red")),
]


@pytest.mark.parametrize(("text", "expected"), ENTRIES, ids=[text for text, _ in ENTRIES])
def test_an_entry_means_what_it_means_to_distcc(text, expected):
    assert only(text) == dataclasses.replace(expected, text=text)


SEPARATED = [
    "red blue",
    "red\tblue",
    "red\r\nblue",
    "red\fblue",
    "\n\n red  # a comment\n blue",
    "red #a\n#b\nblue",
]


@pytest.mark.parametrize("text", SEPARATED)
def test_entries_are_separated_by_blanks_and_comments(text):
    assert [host.name for host in parse_host_list(text, "ORIGIN").hosts] == ["red", "blue"]


def test_a_comment_may_hold_anything_up_to_the_end_of_its_line():
    assert parse_host_list("# 日本 \x00 red\r blue\n", "ORIGIN") == HostList(())


GLOBALS = [
    ("", HostList(())),
    ("--randomize", HostList((), randomize=True)),
    ("--localslots", HostList((), local_slots=4)),
    ("--localslots=7", HostList((), local_slots=7)),
    ("--localslots/7", HostList((), local_slots=7)),
    ("--localslots_cpp", HostList((), preprocess_slots=8)),
    ("--localslots_cpp=9 --localslots=3", HostList((), local_slots=3, preprocess_slots=9)),
    ("--localslots=1 --localslots=2", HostList((), local_slots=2)),
    ("+zeroconf", HostList((), zeroconf=True)),
]


@pytest.mark.parametrize(("text", "expected"), GLOBALS, ids=[text for text, _ in GLOBALS])
def test_a_global_word_is_about_the_whole_list(text, expected):
    assert parse_host_list(text, "ORIGIN") == expected


ERRORS = [
    # the text, the column, what was found and what is expected
    ("red/3x", 5, "found '3x'; expected a LIMIT from 1 to 10000"),
    ("red/0", 5, "found '0'; expected a LIMIT from 1 to 10000"),
    ("red/", 5, "found nothing; expected a LIMIT from 1 to 10000"),
    ("red/-1", 5, "found '-1'; expected a LIMIT"),
    ("red/10001", 5, "found '10001'; expected a LIMIT"),
    ("red/" + "9" * 5000, 5, "found '999"),
    ("red/٣", 5, "found '\\u0663'; expected a LIMIT"),
    ("red:0", 5, "found '0'; expected a PORT from 1 to 65535"),
    ("red:65536", 5, "found '65536'; expected a PORT"),
    ("red:ssh", 5, "found 'ssh'; expected a PORT"),
    ("red:1:2", 6, "a second PORT; expected at most one"),
    ("red/1:2=3", 8, "a second LIMIT; expected at most one"),
    ("localhost/x", 11, "found 'x'; expected a LIMIT"),
    ("red,lzox", 5, "unknown word 'lzox'; did you mean lzo?"),
    ("red,lzo,", 9, "unknown word ''; expected lzo or cpp or down"),
    ("red,zip", 5, "unknown word 'zip'; "),
    ("red,cpp", 5, "cpp without lzo; expected both, as in HOST,lzo,cpp"),
    ("red,lzo,auth", 9, "auth asks for GSS-API authentication, which is not supported; remove it"),
    ("red,auth=svc@red", 5, "auth asks for GSS-API"),
    ("red#comment", 4, "'#'; put a blank before a comment"),
    ("réd", 2, "'\\xe9'; expected letters, digits"),
    ("r\x00d", 2, "'\\x00'; expected letters"),
    ("r\udcffd", 2, "'\\udcff'; expected letters"),
    ("r\vd", 2, "'\\x0b'; expected letters"),
    (",lzo", 1, "nothing; expected a host name"),
    (":3632", 1, "':'; expected a host name"),
    (".red", 1, "'.'; expected a host name"),
    ("red..blue", 1, "no host has such a name"),
    ("r" * 64, 1, "no host has such a name; expected parts of 1 to 63 letters"),
    (".".join(["red"] * 80), 1, "no host has such a name"),
    ("_fleetcc._tcp.x:3632", 16, "a PORT after the service _fleetcc._tcp.x; DNS says the ports, remove it"),
    ("_fleetcc._tcp.x/8:1", 18, "a PORT after the service"),
    ("_fleetc._tcp.x", 1, "unknown word '_fleetc._tcp'; did you mean _fleetcc._tcp?"),
    ("_distcc._udp.x", 1, "unknown word '_distcc._udp'; did you mean _distcc._tcp?"),
    ("u@_distcc._tcp.x", 3, "the service _distcc._tcp.x after '@'; expected a host name"),
    ("::1", 1, "an IPv6 address without brackets; expected one such as [::1]"),
    ("fe80::1/4", 1, "an IPv6 address without brackets"),
    ("[::1", 1, "'[' without ']'; expected an IPv6 address"),
    ("[red]", 2, "'red' in brackets; expected an IPv6 address"),
    ("[127.0.0.1]", 2, "'127.0.0.1' in brackets; expected an IPv6 address"),
    ("[fe80::1%]", 2, "'fe80::1%' in brackets"),
    ("[fe80::1%a;b]", 2, "'fe80::1%a;b' in brackets"),
    ("[::1]x", 6, "'x' after ']'; expected :, / or a comma"),
    ("--randomizefoo", 1, "unknown word '--randomizefoo'; did you mean --randomize?"),
    ("--randomize=1", 12, "'=1' after --randomize; expected nothing"),
    ("--localslots=0", 14, "found '0'; expected a number from 1 to 10000"),
    ("--localslots=4x", 14, "found '4x'; expected a number"),
    ("--localslots:4", 13, "':' after --localslots; expected = and a number"),
    ("--localslots=", 14, "found nothing; expected a number"),
    ("--localslots 4", 14, "a number; expected a host name (a number of slots follows = without a blank)"),
    ("--zzz", 1, "unknown word '--zzz'; expected --randomize or --localslots or --localslots_cpp"),
    ("-x", 1, "unknown word '-x'; "),
    ("+zeroconfx", 1, "unknown word '+zeroconfx'; did you mean +zeroconf?"),
    ("@", 2, "nothing; expected a host name"),
    ("u@-oProxyCommand", 3, "'-'; expected a host name"),
    ("-u@red", 1, "unknown word '-u@red'"),
    ("u;v@red", 1, "'u;v' before '@'; expected a user name, or nothing"),
    ("u@v@red", 4, "'@'; expected letters"),
    ("u@red:22", 7, "'22' where the server's command was expected; a port belongs into ~/.ssh/config"),
    ("u@red:", 7, "'' after ':'; expected the path of the server's command"),
    ("u@red:-v", 7, "'-v' after ':'; expected the path"),
    ("u@red:d\xe9", 7, "'d\\xe9' after ':'; expected the path"),
    ("u@red/3=4", 7, "found '3=4'; expected a LIMIT"),
]


@pytest.mark.parametrize(("text", "column", "sentence"), ERRORS, ids=range(len(ERRORS)))
def test_an_error_names_the_entry_the_column_and_the_remedy(text, column, sentence):
    with pytest.raises(HostListError) as caught:
        parse_host_list(text, "ORIGIN")
    place, _, said = str(caught.value).partition(": in entry ")
    assert place == f"ORIGIN:1:{column}"
    assert said.partition(": ")[2].startswith(sentence)
    assert str(caught.value).isascii()
    assert caught.value.exit_code == ExitCode.BAD_HOST_LIST


def test_an_error_counts_lines_and_the_columns_of_its_line():
    with pytest.raises(HostListError) as caught:
        parse_host_list("# fleet\nred blue/2\n  green/x yellow\n", "/etc/fleetcc/hosts")
    assert str(caught.value) == (
        "/etc/fleetcc/hosts:3:9: in entry 'green/x': found 'x'; expected a LIMIT from 1 to 10000"
    )


def test_hosts_are_shown_as_written_without_globals_and_comments():
    host_list = parse_host_list("red/3,lzo --localslots=2 @blue:d # green\nlocalhost +zeroconf", "ORIGIN")
    assert show_hosts(host_list, random.Random(1)) == ["red/3,lzo", "@blue:d", "localhost"]


def test_randomize_shows_the_same_hosts_in_an_order_of_the_generator():
    host_list = parse_host_list("--randomize " + " ".join(f"h{n}" for n in range(20)), "ORIGIN")
    first, second = (show_hosts(host_list, random.Random(seed)) for seed in (1, 2))
    assert first != second
    assert sorted(first) == sorted(second)
    assert first == show_hosts(host_list, random.Random(1))


def test_the_total_counts_localhost_and_hosts_that_are_down():
    assert total_limit(parse_host_list("localhost red blue/3,down --localslots=50", "ORIGIN")) == 2 + 4 + 3


LIKELY = "abz019 \t\n,:/=@[]#%+-._lzocpdwnhst"


@given(st.one_of(st.text(), st.text(alphabet=LIKELY), st.text(alphabet=st.characters())))
def test_any_text_gives_a_list_or_one_host_list_error(text):
    message = "ORIGIN:"
    try:
        host_list = parse_host_list(text, "ORIGIN")
    except HostListError as error:
        message = str(error)
    else:
        assert all(1 <= host.limit <= 10_000 for host in host_list.hosts)
    assert message.startswith("ORIGIN:")
    assert message.isprintable()


names = st.from_regex(r"[a-z0-9]{1,8}[a-z](\.[a-z][a-z0-9-]{0,8}){0,2}", fullmatch=True)
addresses = st.ip_addresses(v=6).map(str)
limits = st.none() | st.integers(1, 10_000)
options = st.sampled_from([(1, ""), (2, ",lzo"), (3, ",lzo,cpp"), (3, ",cpp,lzo")])


@st.composite
def entries(draw):
    """A HostSpec and, written out, the entry that means it."""
    name, bare = draw(
        names.filter(lambda n: n != "localhost").map(lambda n: (n, n)) | addresses.map(_bracketed)
    )
    limit, (protocol, words), down = draw(limits), draw(options), draw(st.booleans())
    tail = words + (",down" if down else "")
    limited = "" if limit is None else draw(st.sampled_from("/=")) + str(limit)
    if draw(st.booleans()):
        user = draw(st.none() | st.from_regex(r"[a-z_][a-z0-9_.-]{0,6}", fullmatch=True))
        program = draw(st.none() | st.from_regex(r"/[!-+.-~]{0,12}", fullmatch=True))
        text = f"{user or ''}@{name}{limited}{'' if program is None else ':' + program}{tail}"
        return HostSpec(HostKind.SSH, bare, 0, limit or 4, user, program, protocol, down, text)
    port = draw(st.none() | st.integers(1, 65_535))
    suffixes = draw(st.permutations([limited, "" if port is None else f":{port}"]))
    text = f"{name}{''.join(suffixes)}{tail}"
    return HostSpec(HostKind.TCP, bare, port or 3632, limit or 4, None, None, protocol, down, text)


def _bracketed(address):
    return f"[{address}]", address


@given(
    st.lists(entries()),
    st.booleans(),
    st.booleans(),
    limits,
    limits,
    st.sampled_from([" ", "\n", "\t\r\n", " #x/y\n"]),
)
def test_a_list_written_out_is_read_back(
    hosts, randomize, zeroconf, local_slots, preprocess_slots, separator
):
    words = [host.text for host in hosts]
    if randomize:
        words.insert(0, "--randomize")
    if zeroconf:
        words.append("+zeroconf")
    if local_slots:
        words.insert(len(words) // 2, f"--localslots={local_slots}")
    if preprocess_slots:
        words.append(f"--localslots_cpp/{preprocess_slots}")
    expected = HostList(tuple(hosts), randomize, local_slots, preprocess_slots, zeroconf)
    assert parse_host_list(separator.join(words), "ORIGIN") == expected
