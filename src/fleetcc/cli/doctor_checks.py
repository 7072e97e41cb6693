"""The table of `fleetcc doctor`, and what its checks share."""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from fleetcc import __version__
from fleetcc.agent.client import ask_agent
from fleetcc.agent.groups import host_id, timeouts_of
from fleetcc.cli.doctor_agent import check_agent, check_launcher
from fleetcc.errors import FleetccError, HostListError, UsageError
from fleetcc.hosts.grammar import HostList, parse_host_list, total_limit
from fleetcc.hosts.sources import NOWHERE, FoundHosts, find_host_list
from fleetcc.monitor.doctor import compilers
from fleetcc.monitor.doctor.configuration import check_host_list, check_settings, readable_settings
from fleetcc.monitor.doctor.findings import Check, Finding, ok
from fleetcc.monitor.doctor.hosts import Ours, judge_by_agent, judge_host
from fleetcc.monitor.doctor.machine import BUILD_BYTES, STATE_BYTES, check_machine
from fleetcc.monitor.doctor.names import judge_names
from fleetcc.monitor.doctor.paths import compiler_of
from fleetcc.monitor.doctor.pitfalls import check_pitfalls
from fleetcc.monitor.doctor.running import Once
from fleetcc.monitor.doctor.survey import Survey, is_visited, survey
from fleetcc.settings import Settings, load_settings
from fleetcc.toolchain.identity_cache import IdentityCache

# The first time that a compiler is seen it is run some twenty times.
_COMPILER_SECONDS: Final = 10.0
# Names and hosts have SURVEY_SECONDS; identities of compilers are compared afterwards.
_HOSTS_SECONDS: Final = 10.0
_NAMES_SECONDS: Final = 8.0


@dataclass(frozen=True, slots=True)
class Context:
    """What the checks share."""

    environment: Mapping[bytes, bytes]
    settings: Settings
    are_settings_read: bool  # else there are defaults where a value is bad
    found: FoundHosts
    named: tuple[compilers.Named, ...]
    identities: IdentityCache
    survey: Once[Survey]
    is_quick: bool


def make_context(environment: Mapping[bytes, bytes], host: str | None, *, is_quick: bool) -> Context:
    """Whatever is wrong with settings or list, its check says; `host`: of the list, only this one.

    Raises HostListError for a `host` that is in no list and no entry of one.
    """
    settings, are_read = _settings(environment)
    found = _host_list(settings)
    if host is not None:
        found = _only(found, host)
    servers, timeouts = settings.dns, timeouts_of(settings)
    return Context(
        environment=environment,
        settings=settings,
        are_settings_read=are_read,
        found=found,
        named=tuple(compilers.named_compilers(environment)),
        identities=IdentityCache(os.path.join(settings.state_dir, "identities")),
        survey=Once(lambda: asyncio.run(survey(found, servers, timeouts, host_id))),
        is_quick=is_quick,
    )


def _settings(environment: Mapping[bytes, bytes]) -> tuple[Settings, bool]:
    try:
        return load_settings(environment), True
    except UsageError:
        return readable_settings(environment), False


def _host_list(settings: Settings) -> FoundHosts:
    try:
        return find_host_list(settings)
    except HostListError:
        return NOWHERE


def _only(found: FoundHosts, host: str) -> FoundHosts:
    """The entries with that name or id; else the words as a list of their own."""
    listed = found.host_list.hosts if found.host_list is not None else ()
    chosen = tuple(one for one in listed if host in {one.name, one.text, host_id(one)})
    if chosen:
        assert found.host_list is not None
        return FoundHosts(replace(found.host_list, hosts=chosen, zeroconf=False), found.origin)
    named = parse_host_list(host, "--host")
    if _names_nobody(named):
        raise HostListError(f"--host {host!r} names no host")
    return FoundHosts(named, "--host")


def table(context: Context, *, host_only: bool) -> list[Check[Context]]:
    """The rows that apply; `host_only`: those of --host."""
    network = [] if context.is_quick or _names_nobody(context.found.host_list) else list(_NETWORK)
    if host_only:
        return network
    each = [Check("compilers", _compiler(named), _COMPILER_SECONDS) for named in context.named]
    return [Check("compilers", _presence), *each, *_HERE, *network]


def _names_nobody(host_list: HostList | None) -> bool:
    return host_list is None or not (host_list.hosts or host_list.zeroconf)


def _presence(context: Context) -> Iterable[Finding]:
    return compilers.check_presence(context.named)


def _compiler(named: compilers.Named) -> Callable[[Context], Iterable[Finding]]:
    def look(context: Context) -> Iterable[Finding]:
        return compilers.check_compiler(
            named, context.environment, context.identities, is_quick=context.is_quick
        )

    return look


def _launcher(context: Context) -> Iterable[Finding]:
    return check_launcher(context.environment)


def _agent(context: Context) -> Iterable[Finding]:
    return check_agent(context.settings, is_quick=context.is_quick)


def _of_settings(context: Context) -> Iterable[Finding]:
    return check_settings(context.environment)


def _list(context: Context) -> Iterable[Finding]:
    return check_host_list(context.settings)


def _pitfalls(context: Context) -> Iterable[Finding]:
    return check_pitfalls(context.environment, context.settings if context.are_settings_read else None)


def _machine(context: Context) -> Iterable[Finding]:
    hosts, settings = context.found.host_list, context.settings
    temporary = os.fsdecode(context.environment.get(b"TMPDIR") or b"/tmp")
    places = (
        ("state directory", settings.state_dir, STATE_BYTES),
        ("build directory", os.getcwd(), BUILD_BYTES),
        ("temporary directory", temporary, STATE_BYTES),
    )
    return check_machine(places, total_limit(hosts) if hosts is not None else 0, settings.local_slots)


def _names(context: Context) -> Iterable[Finding]:
    assert context.found.host_list is not None
    return judge_names(context.found.host_list, context.survey.get())


def _hosts(context: Context) -> Iterable[Finding]:
    surveyed = context.survey.get()
    ours = Ours(__version__, os.uname().machine, _our_identities(context) if surveyed.visits else {})
    for member in surveyed.members:
        if member.host.down:
            yield ok(host_id(member.host), "marked ,down in the list: not visited")
        elif not is_visited(member.host):
            yield ok(host_id(member.host), f"this machine; limit {member.host.limit}")
    for visit in surveyed.visits:
        yield from judge_host(visit, ours)
    # Last, because an agent that hangs must not hold up the rest.
    agents = _what_the_agent_knows(context.settings)
    for visit in surveyed.visits:
        yield from judge_by_agent(visit.name, agents.get(visit.name, {}))


def _our_identities(context: Context) -> dict[str, str]:
    """By the compilers' first names; what the check of compilers has found out is not done again."""
    found = {}
    for named in context.named:
        compiler = compiler_of(named.found)
        if compiler is not None and not compiler.wrapper:
            identity = context.identities.find(compiler.path, context.environment)
            if identity is not None:
                found[named.titles[-1] if named.titles[0] == "cc" else named.titles[0]] = identity.digest
    return found


def _what_the_agent_knows(settings: Settings) -> dict[str, Mapping[str, object]]:
    """Of each host, by its id."""
    if not os.path.isdir(settings.agent_dir):
        return {}
    try:
        status = ask_agent(settings.agent_dir, "status")
    except FleetccError:  # its own check says so
        return {}
    hosts = status.get("hosts") if status is not None else None
    return {str(row["id"]): row for row in hosts} if isinstance(hosts, list) else {}


_HERE: Final = (
    Check("launcher", _launcher),
    Check("agent", _agent, 6.0),
    Check("settings", _of_settings),
    Check("host list", _list),
    Check("environment", _pitfalls),
    Check("this machine", _machine),
)
_NETWORK: Final = (
    Check("names", _names, _NAMES_SECONDS),
    Check("hosts", _hosts, _HOSTS_SECONDS),
)
