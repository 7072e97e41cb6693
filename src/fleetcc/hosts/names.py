"""A host's name in an entry of the host list, and the entry as what can say where it stands. Pure."""

import difflib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fleetcc.errors import HostListError
from fleetcc.settings.values import shortened

# RFC 1035; resolvers raise strange errors beyond.
MAX_NAME: Final = 253
MAX_LABEL: Final = 63

SERVICES: Final = ("_fleetcc._tcp", "_distcc._tcp")

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_ZONE: Final = re.compile(r"[A-Za-z0-9_.-]+")
_SERVICE: Final = re.compile(r"(_[^.]+\._(?:tcp|udp))(?:\.|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
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
        return HostListError(f"{self.origin}:{line}:{column}: in entry {quoted(self.text)}: {sentence}")

    def known(self, at: int, word: str, known: Iterable[str]) -> str:
        """The word, when it is one of those that are known; otherwise an error with the nearest of them."""
        words = list(known)
        if word in words:
            return word
        meant = difflib.get_close_matches(word[:40], words, n=1)
        remedy = f"did you mean {meant[0]}?" if meant else f"expected {' or '.join(words)}"
        raise self.error(at, f"unknown word {quoted(word)}; {remedy}")


def quoted(text: str) -> str:
    """A found text on one line of plain ASCII, cut when it is long."""
    return shortened(text, 80)


def is_service(name: str) -> bool:
    """Whether DNS is asked for SRV records of this name, rather than for addresses."""
    match = _SERVICE.match(name)
    return match is not None and match[1].lower() in SERVICES


def is_address(name: str) -> bool:
    """Whether this is a literal address, with nothing to look up."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def parse_name(entry: Entry, start: int, end: int) -> tuple[str, int]:
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


def _parse_bracketed(entry: Entry, start: int, end: int) -> tuple[str, int]:
    close = entry.text.find("]", start, end)
    if close < 0:
        raise entry.error(start, "'[' without ']'; expected an IPv6 address such as [::1]")
    name = entry.text[start + 1 : close]
    if not _is_ipv6(name):
        raise entry.error(start + 1, f"{quoted(name)} in brackets; expected an IPv6 address such as [::1]")
    after = close + 1
    if after < end and entry.text[after] not in ":/=":
        raise entry.error(after, f"{_found(entry.text, after, end)} after ']'; expected :, / or a comma")
    return name, after


def _check_name(entry: Entry, start: int, name: str) -> None:
    if name.isdigit():
        raise entry.error(
            start, "a number; expected a host name (a number of slots follows = without a blank)"
        )
    service = _SERVICE.match(name)
    if service is not None:
        entry.known(start, service[1].lower(), SERVICES)
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
    return quoted(text[start]) if start < end else "nothing"
