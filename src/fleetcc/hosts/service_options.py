"""TXT records beside a service's SRV records: options for its hosts, as RFC 6763 keys or words. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from fleetcc.hosts.grammar import MAX_LIMIT, OPTIONS, HostSpec, protocol_of
from fleetcc.hosts.names import quoted

_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_OWN_LIMIT: Final = re.compile(r"[/=]")
_OWN_PROTOCOL: Final = re.compile(r",(lzo|cpp)(?:,|$)")
# `jobs` is what mDNS announcements call it.
_LIMIT_KEYS: Final = ("limit", "jobs")
_IGNORED_KEYS: Final = ("txtvers",)


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """What the TXT records ask for; None: they do not say."""

    limit: int | None = None
    protocol: Literal[1, 2, 3] = 1
    down: bool = False
    troubles: tuple[str, ...] = ()  # words that are not understood


def read_service_options(strings: Iterable[str]) -> ServiceOptions:
    """Read `limit=8 lzo cpp down`, one word a string or several."""
    limit: int | None = None
    words: set[str] = set()
    troubles: list[str] = []
    for word in (word for string in strings for word in string.split()):
        key, _, value = word.partition("=")
        key = key.lower()
        number = int(value) if _NUMBER.fullmatch(value) else 0
        if key in _LIMIT_KEYS and 1 <= number <= MAX_LIMIT:
            limit = number
        elif key in _LIMIT_KEYS:
            troubles.append(f"TXT has {quoted(word)}; expected {key}= and a number from 1 to {MAX_LIMIT}")
        elif word.lower() in OPTIONS:
            words.add(key)
        elif key not in _IGNORED_KEYS:
            troubles.append(f"TXT has {quoted(word)}; expected limit=N, lzo, cpp or down")
    if "cpp" in words and "lzo" not in words:
        troubles.append("TXT has cpp without lzo; expected both")
        words.remove("cpp")
    return ServiceOptions(limit, protocol_of(words), "down" in words, tuple(troubles))


def with_options(host: HostSpec, options: ServiceOptions) -> HostSpec:
    """The entry, completed by the options of its service; what the entry says itself wins."""
    before_options = host.text.partition(",")[0]
    own_limit = options.limit is None or _OWN_LIMIT.search(before_options) is not None
    own_protocol = _OWN_PROTOCOL.search(host.text) is not None
    return replace(
        host,
        limit=host.limit if own_limit or options.limit is None else options.limit,
        protocol=host.protocol if own_protocol else options.protocol,
        down=host.down or options.down,
    )
