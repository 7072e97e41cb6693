"""Kinds of value: how each is read from a variable's text and from TOML, and how its errors word it."""

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_TYPE_NAMES: Final = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "a table",
}

Value = bool | int | float | str | tuple[str, ...] | None

# The most slots that one host may have; distcc stops counting there too.
MAX_SLOTS: Final = 10_000
DNS_PORT: Final = 53
# Thirty years: more is a typing error, and event loops overflow far above it.
MAX_SECONDS: Final = 1_000_000_000

_SWITCH_WORDS: Final = {
    "0": False, "false": False, "no": False, "off": False,
    "1": True, "true": True, "yes": True, "on": True,
}  # fmt: skip
_DIGITS: Final = re.compile(r"[0-9]{1,9}")
_BRACKETED: Final = re.compile(r"\[([^\[\]]*)\](?::([0-9]*))?")
_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d+)?)(%?)", re.ASCII)
_DECIMAL: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value; both readers raise ValueError for what they cannot take."""

    in_text: str  # what a variable may hold, for error messages and the manual
    in_toml: str | None  # what a TOML key may hold; None: it cannot stand there
    from_text: Callable[[str], Value]
    from_toml: Callable[[object], Value]


def choice(*words: str) -> Kind:
    """One word out of a few."""

    def pick(found: object) -> str:
        if not isinstance(found, str) or found not in words:
            raise ValueError
        return found

    listed = ", ".join(words[:-1]) + " or " + words[-1]
    return Kind(listed, listed, pick, pick)


def found_in_toml(value: object) -> str:
    """Name a TOML value for an error message, by type and text."""
    described = _TYPE_NAMES.get(type(value), "a date or time")
    return described if isinstance(value, (dict, list)) else f"{described}, {shortened(str(value))}"


def shortened(text: str, limit: int = 60) -> str:
    """Quote a found text on one line of plain ASCII, cut when it is long."""
    return ascii(text if len(text) <= limit else text[:limit] + "...")


def printable(text: str | bytes) -> str:
    """Make a path or value safe to print on one line of any terminal."""
    text = os.fsdecode(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _switch(text: str) -> bool:
    word = _SWITCH_WORDS.get(text.strip().lower())
    if word is None:
        raise ValueError
    return word


def _toml_switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError


def _text(text: str) -> str:
    return text


def _absolute(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise ValueError
    return value


def _words(text: str) -> tuple[str, ...]:
    words = tuple(text.split())
    if not words:
        raise ValueError
    return words


def _toml_words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return _words(value)
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
        raise ValueError
    return tuple(value)


def parse_server(text: str) -> tuple[str, int]:
    """Read `ADDRESS[:PORT]`, an IPv6 address with a port in brackets; raises ValueError."""
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed:
        address, digits = bracketed[1], bracketed[2]
    elif text.count(":") == 1:
        address, _, digits = text.partition(":")
    else:
        address, digits = text, None
    port = DNS_PORT if digits is None else int(digits) if _DIGITS.fullmatch(digits) else 0
    if not 1 <= port <= 65_535:
        raise ValueError
    ipaddress.ip_address(address)
    return address, port


def _servers(text: str) -> tuple[str, ...]:
    return _checked_servers(_words(text))


def _toml_servers(value: object) -> tuple[str, ...]:
    return _checked_servers(_toml_words(value))


def _checked_servers(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        parse_server(word)
    return words


def _slots(text: str) -> int:
    if not _DIGITS.fullmatch(text.strip()):
        raise ValueError
    return _toml_slots(int(text))


def _toml_slots(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_SLOTS:
        return value
    raise ValueError


def _seconds(*, zero: bool) -> tuple[Callable[[str], float], Callable[[object], float]]:
    def from_toml(value: object) -> float:
        if type(value) not in (int, float):  # not isinstance: a boolean is an int
            raise ValueError
        seconds = float(str(value))
        if not 0 <= seconds <= MAX_SECONDS or (seconds == 0 and not zero):
            raise ValueError
        return seconds

    def from_text(text: str) -> float:
        if not _DECIMAL.fullmatch(text.strip()):
            raise ValueError
        return from_toml(float(text))

    return from_text, from_toml


def _share(text: str) -> float:
    found = _SHARE.fullmatch(text.strip())
    if found is None:
        raise ValueError
    return _toml_share(float(found[1]) / (100 if found[2] else 1))


def _toml_share(value: object) -> float:
    if isinstance(value, str):
        return _share(value)
    if type(value) not in (int, float) or not 0 <= float(str(value)) <= 1:
        raise ValueError
    return float(str(value))


def _never(_value: object) -> Value:
    raise ValueError


SWITCH: Final = Kind("0 or 1 (or false, true, no, yes, off, on)", "true or false", _switch, _toml_switch)
TEXT: Final = Kind("any text", None, _text, _never)
PATH: Final = Kind("a path", "an absolute path", _text, _absolute)
WORDS: Final = Kind("a command, split at blanks", "a command or an array of its words", _words, _toml_words)
SERVERS: Final = Kind(
    "addresses, each ADDRESS[:PORT], separated by blanks",
    "a string or an array of addresses, each ADDRESS[:PORT]",
    _servers,
    _toml_servers,
)
SHARE: Final = Kind(
    "a share as `1%` or `0.01`", "a share from 0 to 1, or a string as `1%`", _share, _toml_share
)
SLOTS: Final = Kind(
    f"a number from 1 to {MAX_SLOTS}", f"an integer from 1 to {MAX_SLOTS}", _slots, _toml_slots
)
PERIOD: Final = Kind("seconds, 0 or more", "seconds, 0 or more", *_seconds(zero=True))
TIMEOUT: Final = Kind("seconds, more than 0", "seconds, more than 0", *_seconds(zero=False))
