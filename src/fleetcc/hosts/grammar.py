"""The host list: from text to HostList. Pure.

The language is distcc's; the accidents of its parser are not. A keyword must match whole, digits must be
followed by nothing else, a port must exist, and what is not understood is an error that says where it
stands, what was found there and what would be right.

    entry     = localhost | ssh | tcp | global          separated by blanks, tabs, CR, LF, FF
    localhost = "localhost" ["/" LIMIT]                 only this spelling is this machine
    ssh       = [USER] "@" HOST ["/" LIMIT] [":" COMMAND] {"," OPTION}
    tcp       = HOST [":" PORT] ["/" LIMIT] {"," OPTION}    PORT and LIMIT in either order
              | SERVICE ["/" LIMIT] {"," OPTION}        DNS says which hosts and ports
    SERVICE   = ("_fleetcc" | "_distcc") "._tcp" ["." DOMAIN]
    HOST      = name | IPv4 | "[" IPv6 "]"
    OPTION    = "lzo" | "cpp" | "down"                  cpp needs lzo
    global    = "--randomize" | "--localslots" ["=" N] | "--localslots_cpp" ["=" N] | "+zeroconf"

"=" and "/" mean the same before a number. "#" at the start of a word begins a comment.
"""

import re
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final, Literal

from fleetcc.hosts.names import Entry, is_service, parse_name, quoted

DEFAULT_PORT: Final = 3632
# distcc's defaults, for an entry or a global without a number.
REMOTE_LIMIT: Final = 4
LOCALHOST_LIMIT: Final = 2
LOCAL_SLOTS: Final = 4
PREPROCESS_SLOTS: Final = 8

MAX_LIMIT: Final = 10_000
MAX_PORT: Final = 65_535

# Of an entry, and of the TXT records of a service.
OPTIONS: Final = ("lzo", "cpp", "down")


class HostKind(Enum):
    """How a host is reached."""

    LOCAL = "local"
    TCP = "tcp"
    SSH = "ssh"


@dataclass(frozen=True, slots=True)
class HostSpec:
    """One host of the list."""

    kind: HostKind
    name: str  # an IPv6 address is without its brackets
    port: int  # 0 unless TCP; 0 for a service too, whose ports DNS says
    limit: int
    user: str | None  # ssh only; None: whom ssh takes
    command: str | None  # ssh only; None: the other side's default
    protocol: Literal[1, 2, 3]  # 2: compressed; 3: the entry also offers pump mode
    down: bool  # listed as not running
    text: str  # the entry as written


@dataclass(frozen=True, slots=True)
class HostList:
    """A whole list; the slots are None where it does not mention them."""

    hosts: tuple[HostSpec, ...]
    randomize: bool = False
    local_slots: int | None = None
    preprocess_slots: int | None = None
    zeroconf: bool = False


def parse_host_list(text: str, origin: str) -> HostList:
    """Read a list; raises HostListError for the first entry that cannot be read, saying where it stands."""
    hosts: list[HostSpec] = []
    slots: dict[str, int] = {}
    switches: set[str] = set()
    for found in _WORD.finditer(text):
        word = found[0]
        entry = Entry(origin, text, found.start(), word)
        match word[0]:
            case "#":
                continue
            case "-":
                _parse_global(entry, slots, switches)
            case "+":
                switches.add(entry.known(0, word, _PLUS_WORDS))
            case _:
                hosts.append(_parse_host(entry))
    return HostList(
        tuple(hosts),
        randomize="--randomize" in switches,
        local_slots=slots.get("--localslots"),
        preprocess_slots=slots.get("--localslots_cpp"),
        zeroconf="+zeroconf" in switches,
    )


def show_hosts(host_list: HostList, generator: Random) -> list[str]:
    """The entries as written, in the order of this run; for `--show-hosts`."""
    entries = [host.text for host in host_list.hosts]
    if host_list.randomize:
        generator.shuffle(entries)
    return entries


def total_limit(host_list: HostList) -> int:
    """How many jobs the list takes at once, this machine's and those marked down included; for `-j`."""
    return sum(host.limit for host in host_list.hosts)


def protocol_of(options: set[str]) -> Literal[1, 2, 3]:
    """The protocol of a host with these options, which have lzo where they have cpp."""
    return 3 if "cpp" in options else 2 if "lzo" in options else 1


_WORD: Final = re.compile(r"#[^\n]*|[^ \t\r\n\f]+")
_USER: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+$\\-]*")
_COMMAND: Final = re.compile(r"[!-~]+")
_LOCALHOST: Final = re.compile(r"localhost(?:[/=][^:,@]*)?")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")

_MARKS: Final = re.compile(r"[:/=]")
_DEFAULT_SLOTS: Final = {"--localslots": LOCAL_SLOTS, "--localslots_cpp": PREPROCESS_SLOTS}
_MINUS_WORDS: Final = ("--randomize", *_DEFAULT_SLOTS)
_PLUS_WORDS: Final = ("+zeroconf",)


def _parse_global(entry: Entry, slots: dict[str, int], switches: set[str]) -> None:
    mark = _MARKS.search(entry.text)
    end = mark.start() if mark else len(entry.text)
    word = entry.known(0, entry.text[:end], _MINUS_WORDS)
    if word not in _DEFAULT_SLOTS:
        if mark:
            raise entry.error(end, f"{quoted(entry.text[end:])} after {word}; expected nothing")
        switches.add(word)
    elif mark and mark[0] == ":":
        raise entry.error(end, f"':' after {word}; expected = and a number")
    else:
        stop = len(entry.text)
        slots[word] = _number(entry, end + 1, stop, "a number", MAX_LIMIT) if mark else _DEFAULT_SLOTS[word]


def _parse_host(entry: Entry) -> HostSpec:
    text = entry.text
    if _LOCALHOST.fullmatch(text):
        limit = LOCALHOST_LIMIT if text == "localhost" else _limit(entry, len("localhost/"), len(text))
        return HostSpec(HostKind.LOCAL, "localhost", 0, limit, None, None, 1, down=False, text=text)
    comma = text.find(",")
    end = len(text) if comma < 0 else comma
    options = _parse_options(entry, end)
    protocol = protocol_of(options)
    down = "down" in options
    at = text.find("@", 0, end)
    if at < 0:
        name, port, limit = _parse_tcp(entry, end)
        return HostSpec(HostKind.TCP, name, port, limit, None, None, protocol, down, text)
    user = _parse_user(entry, at)
    name, limit, command = _parse_ssh(entry, at + 1, end)
    return HostSpec(HostKind.SSH, name, 0, limit, user, command, protocol, down, text)


def _parse_options(entry: Entry, start: int) -> set[str]:
    """The words after the first comma, which stands at `start`."""
    options: set[str] = set()
    at = start + 1
    for word in entry.text[start:].split(",")[1:]:
        if word == "auth" or word.startswith("auth="):
            raise entry.error(
                at,
                "auth asks for GSS-API authentication, which is not supported; "
                "remove it, or reach the host through ssh as @HOST",
            )
        options.add(entry.known(at, word, OPTIONS))
        at += len(word) + 1
    if "cpp" in options and "lzo" not in options:
        raise entry.error(start + 1, "cpp without lzo; expected both, as in HOST,lzo,cpp")
    return options


def _parse_tcp(entry: Entry, end: int) -> tuple[str, int, int]:
    name, at = parse_name(entry, 0, end)
    numbers: dict[str, int] = {}
    while at < end:
        what, highest = ("PORT", MAX_PORT) if entry.text[at] == ":" else ("LIMIT", MAX_LIMIT)
        if what in numbers:
            raise entry.error(at, f"a second {what}; expected at most one")
        if what == "PORT" and is_service(name):
            raise entry.error(at, f"a PORT after the service {name}; DNS says the ports, remove it")
        following = _MARKS.search(entry.text, at + 1, end)
        stop = following.start() if following else end
        numbers[what] = _number(entry, at + 1, stop, f"a {what}", highest)
        at = stop
    port = 0 if is_service(name) else DEFAULT_PORT
    return name, numbers.get("PORT", port), numbers.get("LIMIT", REMOTE_LIMIT)


def _parse_ssh(entry: Entry, start: int, end: int) -> tuple[str, int, str | None]:
    name, at = parse_name(entry, start, end)
    if is_service(name):
        raise entry.error(start, f"the service {name} after '@'; expected a host name, or the service alone")
    colon = entry.text.find(":", at, end)
    stop = end if colon < 0 else colon
    limit = _limit(entry, at + 1, stop) if at < stop else REMOTE_LIMIT
    return name, limit, None if colon < 0 else _parse_command(entry, colon + 1, end)


def _parse_user(entry: Entry, end: int) -> str | None:
    user = entry.text[:end]
    if user and not _USER.fullmatch(user):
        raise entry.error(0, f"{quoted(user)} before '@'; expected a user name, or nothing")
    return user or None


def _parse_command(entry: Entry, start: int, end: int) -> str:
    command = entry.text[start:end]
    if command.isdigit():
        raise entry.error(
            start,
            f"{quoted(command)} where the server's command was expected; a port belongs into ~/.ssh/config",
        )
    # ssh still reads options after the host's name.
    if not _COMMAND.fullmatch(command) or command.startswith("-"):
        raise entry.error(start, f"{quoted(command)} after ':'; expected the path of the server's command")
    return command


def _limit(entry: Entry, start: int, stop: int) -> int:
    return _number(entry, start, stop, "a LIMIT", MAX_LIMIT)


def _number(entry: Entry, start: int, stop: int, what: str, highest: int) -> int:
    digits = entry.text[start:stop]
    number = int(digits) if _NUMBER.fullmatch(digits) else 0
    if not 1 <= number <= highest:
        found = quoted(digits) if digits else "nothing"
        raise entry.error(start, f"found {found}; expected {what} from 1 to {highest}")
    return number
