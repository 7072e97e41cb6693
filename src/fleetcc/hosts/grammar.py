"""The host list: from text to HostList. Pure.

The language is distcc's; the accidents of its parser are not. A keyword must match whole, digits must be
followed by nothing else, a port must exist, and what is not understood is an error that says where it
stands, what was found there and what would be right.

    entry     = localhost | ssh | tcp | global          separated by blanks, tabs, CR, LF, FF
    localhost = "localhost" ["/" LIMIT]                 only this spelling is this machine
    ssh       = [USER] "@" HOST ["/" LIMIT] [":" COMMAND] {"," OPTION}
    tcp       = HOST [":" PORT] ["/" LIMIT] {"," OPTION}    PORT and LIMIT in either order
    HOST      = name | IPv4 | "[" IPv6 "]"
    OPTION    = "lzo" | "cpp" | "down"                  cpp needs lzo
    global    = "--randomize" | "--localslots" ["=" N] | "--localslots_cpp" ["=" N] | "+zeroconf"

"=" and "/" mean the same before a number. "#" at the start of a word begins a comment.
"""

import difflib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final, Literal

from fleetcc.errors import HostListError

DEFAULT_PORT: Final = 3632
# distcc's defaults, for an entry or a global without a number.
REMOTE_LIMIT: Final = 4
LOCALHOST_LIMIT: Final = 2
LOCAL_SLOTS: Final = 4
PREPROCESS_SLOTS: Final = 8

MAX_LIMIT: Final = 10_000
MAX_PORT: Final = 65_535
# RFC 1035; resolvers raise strange errors beyond.
MAX_NAME: Final = 253
MAX_LABEL: Final = 63


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
    port: int  # 0 unless TCP
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
        entry = _Entry(origin, text, found.start(), word)
        match word[0]:
            case "#":
                continue
            case "-":
                _parse_global(entry, slots, switches)
            case "+":
                switches.add(_known(entry, 0, word, _PLUS_WORDS))
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


_WORD: Final = re.compile(r"#[^\n]*|[^ \t\r\n\f]+")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_USER: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+$\\-]*")
_COMMAND: Final = re.compile(r"[!-~]+")
_ZONE: Final = re.compile(r"[A-Za-z0-9_.-]+")
_LOCALHOST: Final = re.compile(r"localhost(?:[/=][^:,@]*)?")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")

_MARKS: Final = re.compile(r"[:/=]")
_DEFAULT_SLOTS: Final = {"--localslots": LOCAL_SLOTS, "--localslots_cpp": PREPROCESS_SLOTS}
_MINUS_WORDS: Final = ("--randomize", *_DEFAULT_SLOTS)
_PLUS_WORDS: Final = ("+zeroconf",)
_OPTIONS: Final = ("lzo", "cpp", "down")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One word of the list, able to say where it stands."""

    origin: str
    whole: str
    offset: int
    text: str

    def error(self, at: int, sentence: str) -> HostListError:
        """An error about the character `at` of this entry."""
        position = self.offset + at
        line = self.whole.count("\n", 0, position) + 1
        column = position - self.whole.rfind("\n", 0, position)
        return HostListError(f"{self.origin}:{line}:{column}: in entry {_quoted(self.text)}: {sentence}")


def _quoted(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:80] + "...")


def _known(entry: _Entry, at: int, word: str, known: Iterable[str]) -> str:
    words = list(known)
    if word in words:
        return word
    meant = difflib.get_close_matches(word[:40], words, n=1)
    remedy = f"did you mean {meant[0]}?" if meant else f"expected {' or '.join(words)}"
    raise entry.error(at, f"unknown word {_quoted(word)}; {remedy}")


def _parse_global(entry: _Entry, slots: dict[str, int], switches: set[str]) -> None:
    mark = _MARKS.search(entry.text)
    end = mark.start() if mark else len(entry.text)
    word = _known(entry, 0, entry.text[:end], _MINUS_WORDS)
    if word not in _DEFAULT_SLOTS:
        if mark:
            raise entry.error(end, f"{_quoted(entry.text[end:])} after {word}; expected nothing")
        switches.add(word)
    elif mark and mark[0] == ":":
        raise entry.error(end, f"':' after {word}; expected = and a number")
    else:
        stop = len(entry.text)
        slots[word] = _number(entry, end + 1, stop, "a number", MAX_LIMIT) if mark else _DEFAULT_SLOTS[word]


def _parse_host(entry: _Entry) -> HostSpec:
    text = entry.text
    if _LOCALHOST.fullmatch(text):
        limit = LOCALHOST_LIMIT if text == "localhost" else _limit(entry, len("localhost/"), len(text))
        return HostSpec(HostKind.LOCAL, "localhost", 0, limit, None, None, 1, down=False, text=text)
    comma = text.find(",")
    end = len(text) if comma < 0 else comma
    options = _parse_options(entry, end)
    protocol: Literal[1, 2, 3] = 3 if "cpp" in options else 2 if "lzo" in options else 1
    down = "down" in options
    at = text.find("@", 0, end)
    if at < 0:
        name, port, limit = _parse_tcp(entry, end)
        return HostSpec(HostKind.TCP, name, port, limit, None, None, protocol, down, text)
    user = _parse_user(entry, at)
    name, limit, command = _parse_ssh(entry, at + 1, end)
    return HostSpec(HostKind.SSH, name, 0, limit, user, command, protocol, down, text)


def _parse_options(entry: _Entry, start: int) -> set[str]:
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
        options.add(_known(entry, at, word, _OPTIONS))
        at += len(word) + 1
    if "cpp" in options and "lzo" not in options:
        raise entry.error(start + 1, "cpp without lzo; expected both, as in HOST,lzo,cpp")
    return options


def _parse_tcp(entry: _Entry, end: int) -> tuple[str, int, int]:
    name, at = _parse_name(entry, 0, end)
    numbers: dict[str, int] = {}
    while at < end:
        what, highest = ("PORT", MAX_PORT) if entry.text[at] == ":" else ("LIMIT", MAX_LIMIT)
        if what in numbers:
            raise entry.error(at, f"a second {what}; expected at most one")
        following = _MARKS.search(entry.text, at + 1, end)
        stop = following.start() if following else end
        numbers[what] = _number(entry, at + 1, stop, f"a {what}", highest)
        at = stop
    return name, numbers.get("PORT", DEFAULT_PORT), numbers.get("LIMIT", REMOTE_LIMIT)


def _parse_ssh(entry: _Entry, start: int, end: int) -> tuple[str, int, str | None]:
    name, at = _parse_name(entry, start, end)
    colon = entry.text.find(":", at, end)
    stop = end if colon < 0 else colon
    limit = _limit(entry, at + 1, stop) if at < stop else REMOTE_LIMIT
    return name, limit, None if colon < 0 else _parse_command(entry, colon + 1, end)


def _parse_user(entry: _Entry, end: int) -> str | None:
    user = entry.text[:end]
    if user and not _USER.fullmatch(user):
        raise entry.error(0, f"{_quoted(user)} before '@'; expected a user name, or nothing")
    return user or None


def _parse_command(entry: _Entry, start: int, end: int) -> str:
    command = entry.text[start:end]
    if command.isdigit():
        raise entry.error(
            start,
            f"{_quoted(command)} where the server's command was expected; a port belongs into ~/.ssh/config",
        )
    # ssh still reads options after the host's name.
    if not _COMMAND.fullmatch(command) or command.startswith("-"):
        raise entry.error(start, f"{_quoted(command)} after ':'; expected the path of the server's command")
    return command


def _parse_name(entry: _Entry, start: int, end: int) -> tuple[str, int]:
    """The host's name, and the index after it."""
    text = entry.text
    if text.startswith("[", start, end):
        return _parse_bracketed(entry, start, end)
    if text.count(":", start, end) > 1 and _is_ipv6(re.split("[/=]", text[start:end])[0]):
        raise entry.error(start, "an IPv6 address without brackets; expected one such as [::1]")
    match = _NAME.match(text, start, end)
    if match is None:
        raise entry.error(start, f"{_found(text, start, end)}; expected a host name")
    after = match.end()
    if after < end and text[after] not in ":/=":
        remedy = (
            "put a blank before a comment"
            if text[after] == "#"
            else "expected letters, digits, '.', '-' and '_' in a host name"
        )
        raise entry.error(after, f"{_found(text, after, end)}; {remedy}")
    _check_name(entry, start, match[0])
    return match[0], after


def _parse_bracketed(entry: _Entry, start: int, end: int) -> tuple[str, int]:
    close = entry.text.find("]", start, end)
    if close < 0:
        raise entry.error(start, "'[' without ']'; expected an IPv6 address such as [::1]")
    name = entry.text[start + 1 : close]
    if not _is_ipv6(name):
        raise entry.error(start + 1, f"{_quoted(name)} in brackets; expected an IPv6 address such as [::1]")
    after = close + 1
    if after < end and entry.text[after] not in ":/=":
        raise entry.error(after, f"{_found(entry.text, after, end)} after ']'; expected :, / or a comma")
    return name, after


def _check_name(entry: _Entry, start: int, name: str) -> None:
    if name.isdigit():
        raise entry.error(
            start, "a number; expected a host name (a number of slots follows = without a blank)"
        )
    labels = name.removesuffix(".").split(".")
    if len(name) > MAX_NAME or not all(0 < len(label) <= MAX_LABEL for label in labels):
        raise entry.error(
            start, f"no host has such a name; expected parts of 1 to {MAX_LABEL} letters between dots"
        )


def _is_ipv6(text: str) -> bool:
    address, percent, zone = text.partition("%")
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return not percent or _ZONE.fullmatch(zone) is not None


def _found(text: str, start: int, end: int) -> str:
    return _quoted(text[start]) if start < end else "nothing"


def _limit(entry: _Entry, start: int, stop: int) -> int:
    return _number(entry, start, stop, "a LIMIT", MAX_LIMIT)


def _number(entry: _Entry, start: int, stop: int, what: str, highest: int) -> int:
    digits = entry.text[start:stop]
    number = int(digits) if _NUMBER.fullmatch(digits) else 0
    if not 1 <= number <= highest:
        found = _quoted(digits) if digits else "nothing"
        raise entry.error(start, f"found {found}; expected {what} from 1 to {highest}")
    return number
