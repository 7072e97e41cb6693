"""What a visit tells of a host, as findings. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from fleetcc.hosts.grammar import HostKind
from fleetcc.monitor.doctor.findings import Finding, error, ok, warning
from fleetcc.monitor.doctor.session import ClockSeen
from fleetcc.monitor.doctor.visit import Visit, median
from fleetcc.wire.files import FILES
from fleetcc.wire.greeting import COMPILER_DIGITS

# Beyond this a job's own milliseconds no longer count.
_FAR_SECONDS: Final = 0.05
# 10 Mbit/s: some three units of C++ a second as packed text, and a few processors do more than that.
_SLOW_BYTES: Final = 1.25e6
# What is shown as nothing.
_LEAST_SHOWN_BYTES: Final = 0.1e6
# Clocks that nobody keeps drift by some seconds; by more, somebody will wonder about a date.
_SAME_SECONDS: Final = 1.0
_WRONG_SECONDS: Final = 60.0
_LOOKING: Final = "it is still finding out"


@dataclass(frozen=True, slots=True)
class Ours:
    """What hosts are compared with."""

    version: str
    machine: str  # as os.uname() names it
    compilers: Mapping[str, str]  # names and digests of identities


def judge_host(visit: Visit, ours: Ours) -> list[Finding]:
    """One finding that says what it is, and one for each thing that is wrong."""
    return [*_reached(visit)] or [ok(visit.name, _what(visit, ours)), *_differences(visit, ours)]


def _reached(visit: Visit) -> Iterable[Finding]:
    name = visit.name
    if visit.trouble:
        text = visit.trouble.removeprefix(f"{visit.member.host.text}: ")
        yield error(name, text, _remedy(visit, text))
    elif visit.is_refused:
        text = "closes the connection at once: it does not serve this address, or has too many clients"
        yield error(name, text, "there: --allow this machine's address (its log says which one it refused)")
    elif visit.complaint and visit.frames is None:
        yield error(name, f"is a fleetccd that refuses agents: {visit.complaint}", "see its log")
    elif visit.is_silent:
        text = "is connected and says nothing: a distccd whose workers are all busy, or one that hangs"
        yield warning(name, text, "look there; jobs go elsewhere meanwhile")


def _remedy(visit: Visit, text: str) -> str:
    host = visit.member.host
    if "not a compile server" in text or "broke the fleet protocol" in text:
        return "correct the port in the host list, or see what listens there"
    if host.kind is HostKind.SSH:
        return f"try `ssh {host.name} fleetccd --version` by hand; keys must work without a question"
    if "refused" in text:
        return "start fleetccd there, or correct the port in the host list"
    return f"is it up, and does a firewall let TCP port {host.port} through? Else mark it ,down in the list"


def _what(visit: Visit, ours: Ours) -> str:
    parts = [_server(visit)]
    if visit.greeting is not None:
        greeting = visit.greeting
        parts.append(f"{greeting.running} of {greeting.slots} slots run, {greeting.waiting} wait")
    elif visit.frames is not None:
        parts.append(f"{visit.frames.slots} slots")
    else:
        parts.append(f"text only, limit {visit.member.host.limit}")
    if _takes_files(visit):
        parts.append("takes files")
    same, _ = _compilers(visit, ours)
    if same:
        parts.append(f"has our {' '.join(same)}")
    if visit.frames is not None and visit.frames.machine:
        parts.append(visit.frames.machine)
    return "; ".join([*parts, *_times(visit)])


def _server(visit: Visit) -> str:
    if visit.greeting is not None:
        return visit.greeting.server
    return visit.frames.program if visit.frames is not None else "distccd"


def _times(visit: Visit) -> Iterable[str]:
    if visit.connect_seconds:
        yield f"connects in {_milliseconds(visit.connect_seconds)}"
    if visit.round_trips:
        yield f"round trip {_milliseconds(median(visit.round_trips))}"
    if visit.upload:
        yield f"{_rate(visit.upload)} up"
    if visit.clock is not None:
        yield f"clock {_beside_ours(visit.clock)}"


def _rate(upload: float) -> str:
    if upload < _LEAST_SHOWN_BYTES:
        return f"under {_LEAST_SHOWN_BYTES / 1e6:.1f} MB/s"
    return f"{upload / 1e6:.1f} MB/s" if upload < 10e6 else f"{upload / 1e6:.0f} MB/s"


def _beside_ours(clock: ClockSeen) -> str:
    off = abs(clock.ahead)
    if off <= max(_SAME_SECONDS, clock.error):
        return "agrees"
    return f"{_duration(off)} {'ahead' if clock.ahead > 0 else 'behind'}"


def _duration(seconds: float) -> str:
    """For people: as exact as matters."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _takes_files(visit: Visit) -> bool:
    if visit.frames is not None:
        return FILES in visit.frames.capabilities
    return visit.greeting is not None and visit.greeting.no_files == ""


def _why_no_files(visit: Visit) -> str:
    if visit.frames is not None:
        return visit.frames.sandbox
    return (visit.greeting.no_files or "") if visit.greeting is not None else ""


def _compilers(visit: Visit, ours: Ours) -> tuple[list[str], list[str]]:
    """Those of ours that it has, and those that it has not."""
    told = visit.frames.compilers if visit.frames is not None else ()
    theirs = {digest[:COMPILER_DIGITS] for digest in told}
    if visit.greeting is not None:
        theirs |= set(visit.greeting.compilers)
    same = [name for name, digest in ours.compilers.items() if digest[:COMPILER_DIGITS] in theirs]
    return same, [name for name in ours.compilers if name not in same]


def _differences(visit: Visit, ours: Ours) -> Iterable[Finding]:
    name = visit.name
    if visit.is_stock:
        return
    version = _server(visit).rpartition(" ")[2]
    if version != ours.version:
        text = f"runs {_server(visit)}, and here is fleetcc {ours.version}"
        yield warning(name, text, "both work together; update the older one")
    if visit.drains:
        yield warning(name, f"is leaving: {visit.drains}", "none, if that is meant; jobs go elsewhere")
    yield from _of_files(visit, ours)
    greeting = visit.greeting
    if greeting is not None and greeting.capacity < greeting.slots:
        text = f"runs at most {greeting.capacity} of {greeting.slots} compilers now: load or memory there"
        yield warning(name, text, "see there what else runs (fleetccd doctor)")
    if visit.round_trips and median(visit.round_trips) > _FAR_SECONDS:
        text = f"is far: {_milliseconds(median(visit.round_trips))} for a round trip"
        yield warning(name, text, "small compiles are sooner done nearer")
    yield from _of_measures(visit)


def _of_measures(visit: Visit) -> Iterable[Finding]:
    if 0 < visit.upload < _SLOW_BYTES:
        text = f"gets {_rate(visit.upload)} of what is sent to it, so builds wait for the network"
        again = "; files that it has got are not sent again" if _takes_files(visit) else ""
        yield warning(visit.name, text, f"a faster line to it, or a nearer host{again}")
    clock = visit.clock
    if clock is not None and abs(clock.ahead) > _WRONG_SECONDS + clock.error:
        text = (
            f"has its clock {_beside_ours(clock)}: by it are its log, and __DATE__ and __TIME__ "
            "in what it compiles as files"
        )
        yield warning(visit.name, text, "timedatectl set-ntp true there, or here if this clock is wrong")


def _of_files(visit: Visit, ours: Ours) -> Iterable[Finding]:
    """What it can do with jobs made of files, and if it cannot, with text."""
    name, why = visit.name, _why_no_files(visit)
    machine = visit.frames.machine if visit.frames is not None else ""
    foreign = bool(machine) and machine != ours.machine
    if _takes_files(visit) and not foreign:
        return
    if foreign:
        text = f"is {machine}, and this machine {ours.machine}: it gets no files"
        yield warning(name, text, "only compilers that it has itself can be used there")
    elif _LOOKING in why or (visit.frames is not None and visit.frames.looking):
        yield warning(name, "has just started, and finds out what it can do", "ask again in some seconds")
        return
    elif why:
        text, _, remedy = why.rpartition("; ")
        yield warning(name, f"takes no files: {text or why}", f"there: {remedy}" if text else "see its log")
    same, other = _compilers(visit, ours)
    if other and not same:
        text = f"has none of our compilers ({', '.join(other)}), so it gets nothing to do"
        yield error(name, text, "install the same compiler there, or let it take files")
    elif other:
        remedy = "install the same version there, or let it take files"
        yield warning(name, f"does not have our {' '.join(other)}", remedy)


def judge_by_agent(name: str, known: Mapping[str, object]) -> list[Finding]:
    """What the agent has met there; `known`: the host as it is in the agent's status."""
    alone = known.get("left_alone_seconds")
    if not isinstance(alone, (int, float)) or alone <= 0:
        return []
    text = f"failed lately: the agent leaves it alone for {alone:.0f} s more"
    return [warning(name, text, "its log and `fleetcc log` say what went wrong")]
