"""What name services say about the names of a host list. Pure."""

from collections.abc import Iterable
from typing import Final

from fleetcc.hosts.grammar import HostKind, HostList, HostSpec
from fleetcc.hosts.members import ZEROCONF
from fleetcc.hosts.names import is_address, is_service
from fleetcc.hosts.standing import Question, RecordKind, Records
from fleetcc.monitor.doctor.findings import Finding, error, ok, warning
from fleetcc.monitor.doctor.survey import Survey

_ADDRESSES: Final = (RecordKind.A, RecordKind.AAAA, RecordKind.SYSTEM)
_SHOWN: Final = 6
_NEARBY: Final = "mDNS"

_REMEDY: Final = "correct the name, or add it to DNS or /etc/hosts"
_REMEDY_DNS: Final = "see whether the name server answers (/etc/resolv.conf, FLEETCC_DNS)"


def judge_names(host_list: HostList, survey: Survey) -> list[Finding]:
    """A finding for each name, and more for what is in trouble."""
    found: list[Finding] = []
    for host in host_list.hosts:
        if host.kind is HostKind.TCP and not is_address(host.name) and not host.down:
            found += _of_service(host, survey) if is_service(host.name) else _of_name(host, survey)
    if host_list.zeroconf:
        found += _of_network(survey)
    return found or [ok("names", "the list has none that must be looked up")]


def _of_name(host: HostSpec, survey: Survey) -> Iterable[Finding]:
    told = _told(host.name.lower(), survey)
    yield from _judge(host, told, survey)


def _of_service(host: HostSpec, survey: Survey) -> Iterable[Finding]:
    reply = survey.replies.get(Question(host.name.lower(), RecordKind.SRV))
    if not isinstance(reply, Records):
        yield from _judge(host, "", survey)
        return
    targets = [value.split(" ", 3) for value in reply.values]
    parts: list[str] = []
    for target in targets[:_SHOWN]:
        name = target[3].removesuffix(".")
        addresses = _told(target[3].lower(), survey)
        parts.append(f"{name} port {target[2]} ({addresses or 'no address'})")
    more = [f"{len(targets) - _SHOWN} more"] if len(targets) > _SHOWN else []
    yield from _judge(host, f"{', '.join([*parts, *more])}; SRV, TTL {reply.ttl:.0f} s", survey)


def _judge(host: HostSpec, told: str, survey: Survey) -> Iterable[Finding]:
    trouble = survey.troubles.get(host.text, "")
    if told:
        yield ok(host.name, told)
        if trouble:
            yield warning(host.name, trouble, _REMEDY_DNS)
    else:
        # A trouble that names a remedy of its own has it at its end.
        text = trouble.removesuffix(f"; {_REMEDY}") or f"no answer within {survey.seconds:.0f} s"
        yield error(host.name, text, _REMEDY_DNS if "no answer" in text else _REMEDY)


def _told(name: str, survey: Survey) -> str:
    """`10.0.0.1, 10.0.0.2 (A, TTL 60 s)`; empty when nobody knows the name."""
    parts: list[str] = []
    for kind in _ADDRESSES:
        reply = survey.replies.get(Question(name, kind))
        if isinstance(reply, Records) and reply.values and not (kind is RecordKind.SYSTEM and parts):
            shown = ", ".join(reply.values[:_SHOWN])
            more = f" and {len(reply.values) - _SHOWN} more" if len(reply.values) > _SHOWN else ""
            # The system's resolver tells no TTL.
            where = (
                "/etc/hosts or the like"
                if kind is RecordKind.SYSTEM
                else f"{kind.value}, TTL {reply.ttl:.0f} s"
            )
            parts.append(f"{shown}{more} ({where})")
    return ", ".join(parts)


def _of_network(survey: Survey) -> Iterable[Finding]:
    nearby = [member for member in survey.members if member.origin.startswith(_NEARBY)]
    trouble = survey.troubles.get(ZEROCONF)
    if trouble:
        yield warning(ZEROCONF, trouble, "take +zeroconf out of the list, or let multicast DNS through")
    elif nearby:
        yield ok(ZEROCONF, f"{len(nearby)} servers announce themselves on the local network")
    else:
        text = "nobody announces a server on the local network"
        yield warning(ZEROCONF, text, "start fleetccd --zeroconf there; mDNS does not cross routers")
