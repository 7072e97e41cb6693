"""DNS, asked with dnspython: the servers and search domains of /etc/resolv.conf, or servers of a setting.

Import it late: dnspython takes 100 ms. It measures time-outs by the wall clock; when that jumps, a question
fails early, which is a failure like any other, or waits longer, which is cut off here.
"""

import asyncio
import struct
from collections.abc import Iterable, Sequence
from typing import Final

from dns.asyncbackend import get_backend
from dns.asyncresolver import Resolver
from dns.exception import DNSException, Timeout
from dns.message import QueryMessage
from dns.nameserver import Do53Nameserver
from dns.rdata import Rdata
from dns.resolver import NXDOMAIN, Answer, NoAnswer, NoNameservers, NoResolverConfiguration

from fleetcc.hosts.standing import MAX_EMPTY_TTL, Absent, Failure, Question, Records, Reply
from fleetcc.settings.files import Stamp, stamp_of
from fleetcc.settings.values import parse_server, printable

# All servers and search domains together; one silent server leaves time to ask the next two.
DNS_SECONDS: Final = 4.0
SERVER_SECONDS: Final = 1.3
_GRACE_SECONDS: Final = 0.5

# A host list of hundreds of names must neither flood a name server nor use up all descriptors.
_MOST_QUESTIONS: Final = 64

_CONFIGURATION: Final = "/etc/resolv.conf"


class DnsLookup:
    """Asks DNS servers."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._servers = servers  # "ADDRESS[:PORT]"; none: those of resolv.conf
        self._questions = asyncio.Semaphore(_MOST_QUESTIONS)
        self._backend = get_backend("asyncio")
        self._resolver: Resolver | None = None
        self._stamp: Stamp = None

    async def ask(self, question: Question) -> Reply:
        """The records of a name; never raises."""
        async with self._questions:
            try:
                async with asyncio.timeout(DNS_SECONDS + _GRACE_SECONDS):
                    return await self._ask(question)
            except TimeoutError:
                return Failure(f"no answer within {DNS_SECONDS:g} s")

    async def _ask(self, question: Question) -> Reply:
        try:
            answer = await self._current_resolver().resolve(
                question.name, question.kind.value, search=True, backend=self._backend
            )
        except NXDOMAIN as error:
            responses: dict[object, QueryMessage] = error.kwargs["responses"]
            return Absent("no such name", min(map(_ttl, responses.values()), default=MAX_EMPTY_TTL))
        except NoAnswer as error:
            return Absent(f"no {question.kind.value} record", _ttl(error.kwargs["response"]))
        except NoNameservers as error:
            return Failure(_refusals(error.kwargs.get("errors") or ()))
        except Timeout as error:
            servers = _names(one[0] for one in error.kwargs.get("errors") or ())
            return Failure(f"no answer within {DNS_SECONDS:g} s" + (f" from {servers}" if servers else ""))
        # The last three: what a parser may make of bytes that are no DNS.
        except (DNSException, OSError, EOFError, ValueError, IndexError, struct.error) as error:
            return Failure(printable(str(error)) or type(error).__name__)
        return _records(answer)

    def _current_resolver(self) -> Resolver:
        """The resolver, made anew when resolv.conf has changed: laptops travel, agents stay."""
        stamp = stamp_of(_CONFIGURATION)
        if self._resolver is None or stamp != self._stamp:
            self._resolver = _resolver(self._servers)
            self._stamp = stamp
        return self._resolver


def _resolver(servers: Sequence[str]) -> Resolver:
    try:
        resolver = Resolver()
    except NoResolverConfiguration:
        if not servers:
            raise
        resolver = Resolver(configure=False)  # without search domains, then
    if servers:
        resolver.nameservers = [Do53Nameserver(address, port) for address, port in map(parse_server, servers)]
    resolver.lifetime = DNS_SECONDS
    resolver.timeout = SERVER_SECONDS
    return resolver


def _records(answer: Answer) -> Reply:
    values = tuple(dict.fromkeys(text for record in answer for text in _texts(record)))
    return Records(values, float(answer.chaining_result.minimum_ttl))


def _texts(record: Rdata) -> list[str]:
    strings = getattr(record, "strings", None)
    if strings is None:
        return [record.to_text()]
    return [string.decode("ascii", errors="backslashreplace") for string in strings]


def _ttl(response: QueryMessage) -> float:
    """How long an empty answer counts: by the zone's SOA, where the server sends it."""
    try:
        return float(response.resolve_chaining().minimum_ttl)
    except DNSException:
        return MAX_EMPTY_TTL


def _refusals(errors: Iterable[Sequence[object]]) -> str:
    found = dict.fromkeys(f"{_reason(error[3])} from {_server(error[0])}" for error in errors)
    return ", ".join(found) or "no name server is left to ask"


def _reason(what: object) -> str:
    """An rcode's name, or what an exception says."""
    return printable(str(what)) or type(what).__name__


def _names(servers: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(_server(server) for server in servers))


def _server(server: object) -> str:
    """One server for people; dnspython writes Do53:127.0.0.1@53."""
    address, _, port = str(server).removeprefix("Do53:").rpartition("@")
    return address if port == "53" else f"{address} port {port}"
