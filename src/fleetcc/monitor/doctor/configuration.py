"""Are the settings and the host list as their user means them?"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from fleetcc.errors import HostListError, UsageError
from fleetcc.hosts.grammar import HostKind
from fleetcc.hosts.sources import FoundHosts, find_host_list
from fleetcc.monitor.doctor.findings import Finding, error, ok, warning
from fleetcc.settings import TABLE, Settings, explain_settings, load_settings, printable, unknown_variables
from fleetcc.settings.files import stamp_of
from fleetcc.settings.places import PLACE_VARIABLES, SYSTEM_DIRECTORY, host_files
from fleetcc.settings.table import nearest

# Where there is no config.toml.
_NO_FOLDER: Final = "/dev/null"

# What others of our programs read.
_OTHERS: Final = frozenset(
    (
        "FLEETCC_BUILD",
        "FLEETCC_SANDBOX",
        "FLEETCC_CMDLIST",
        "FLEETCC_CMDLIST_NUMWORDS",
    )
)
_WITHOUT_EFFECT: Final = frozenset(
    (
        "DISTCC_PAUSE_TIME_MSEC",
        "DISTCC_TCP_CORK",
        "DISTCC_SAVE_TEMPS",
        "DISTCC_PRINCIPAL",
        "DISTCC_MAX_DISCREPANCY",
        "DISTCC_POTENTIAL_HOSTS",
        "DISTCC_ENABLE_DISCREPANCY_EMAIL",
        "DISTCC_EMAILLOG_WHOM_TO_BLAME",
    )
)
_OF_DISTCC: Final = _WITHOUT_EFFECT | {
    "DISTCC_CMDLIST",
    "DISTCC_CMDLIST_NUMWORDS",
    "DISTCC_MODE",
    *(setting.twin for setting in TABLE if setting.twin is not None),
}


def check_settings(environment: Mapping[bytes, bytes], *, system: str = SYSTEM_DIRECTORY) -> list[Finding]:
    """Every value that cannot be used, not only the first, and every name that nothing reads."""
    found = [*_bad_values(environment, system), *_strange_names(environment)]
    return found or [ok("settings", _where_from(environment, system))]


def readable_settings(environment: Mapping[bytes, bytes], *, system: str = SYSTEM_DIRECTORY) -> Settings:
    """What can be read of settings that cannot be read as a whole."""
    kept = _places(environment)
    for variable, alone in _each_alone(environment):
        if not any(_refusal(variable, alone, _NO_FOLDER)):
            kept[variable.encode()] = environment[variable.encode()]
    try:
        return load_settings(kept, system=system)
    except UsageError:  # a config.toml
        settings = load_settings(_without_files(kept), system=_NO_FOLDER)
        return replace(settings, host_files=host_files(kept, system)[0])


def _bad_values(environment: Mapping[bytes, bytes], system: str) -> Iterable[Finding]:
    for variable, alone in _each_alone(environment):
        yield from _refusal(variable, alone, _NO_FOLDER)
    places = _places(environment)
    yield from _refusal("config.toml", places, _NO_FOLDER)
    yield from _refusal("config.toml", _without_files(places), system)


def _places(environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    return {name: environment[name] for name in PLACE_VARIABLES if name in environment}


def _without_files(environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    return {**environment, b"XDG_CONFIG_HOME": _NO_FOLDER.encode()}


def _each_alone(environment: Mapping[bytes, bytes]) -> Iterable[tuple[str, dict[bytes, bytes]]]:
    """Each variable of a setting, and an environment without the others."""
    places = _without_files(_places(environment))
    for setting in TABLE:
        for variable in filter(None, (setting.variable, setting.twin)):
            name = variable.encode()
            if name in environment and name not in PLACE_VARIABLES:
                yield variable, {**places, name: environment[name]}


def _refusal(title: str, environment: Mapping[bytes, bytes], system: str) -> Iterable[Finding]:
    try:
        explain_settings(environment, system=system)
    except UsageError as problem:
        text = str(problem).removeprefix(f"{title}: ")
        remedy = "correct it; until then compiles run here (docs/settings.md has all values)"
        yield error(title, text, remedy)


def _strange_names(environment: Mapping[bytes, bytes]) -> Iterable[Finding]:
    for name, meant in unknown_variables(environment):
        if name not in _OTHERS:
            yield _strange(name, meant)
    names = sorted(name.decode(errors="backslashreplace") for name in environment if name[:7] == b"DISTCC_")
    for name in names:
        if name in _WITHOUT_EFFECT:
            yield ok(name, "is set, and has no effect on fleetcc")
        elif name not in _OF_DISTCC:
            yield _strange(name, nearest(name, sorted(_OF_DISTCC)))


def _strange(name: str, meant: str | None) -> Finding:
    remedy = f"did you mean {meant}?" if meant else "unset it; `fleetcc config` lists what there is"
    return warning(printable(name), "is set, but nothing reads it", remedy)


def _where_from(environment: Mapping[bytes, bytes], system: str) -> str:
    chosen = [
        f"{setting.name} from {setting.origin}"
        for setting in explain_settings(environment, system=system)
        if setting.origin != "default"
    ]
    return f"all can be read; {', '.join(chosen) or 'every one has its default'}"


def check_host_list(settings: Settings) -> list[Finding]:
    """Where the list comes from, and whether it names anybody."""
    try:
        found = find_host_list(settings)
    except HostListError as problem:
        remedy = "correct the entry; docs/hosts.md has the grammar, and until then compiles run here"
        return [error("host list", str(problem), remedy)]
    return [*_judge_list(found, settings), *_passed_over(found, settings)]


def _judge_list(found: FoundHosts, settings: Settings) -> Iterable[Finding]:
    write = f"set FLEETCC_HOSTS, or write one of {', '.join(settings.host_files)}"
    hosts = found.host_list
    if hosts is None:
        yield error("host list", "there is none, so every compile runs here", write)
        return
    remote = [host for host in hosts.hosts if host.kind is not HostKind.LOCAL]
    if not hosts.hosts and not hosts.zeroconf:
        yield error("host list", f"{found.origin} names no host, so every compile runs here", write)
    elif not remote and not hosts.zeroconf:
        yield warning("host list", f"{found.origin} names only this machine", "add hosts to it")
    else:
        nearby = " and the local network" if hosts.zeroconf else ""
        yield ok("host list", f"{_entries(len(hosts.hosts))}{nearby}, from {found.origin}")
    if remote and all(host.down for host in remote) and not hosts.zeroconf:
        yield warning("host list", "every host of it is marked ,down", "remove the mark where they run")


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _passed_over(found: FoundHosts, settings: Settings) -> Iterable[Finding]:
    """Files that somebody may take for the list in force; nothing is merged."""
    others = [path for path in settings.host_files if path != found.origin and stamp_of(path) is not None]
    if found.host_list is not None and others:
        yield ok("host list", f"not read, because {found.origin} comes first: {', '.join(others)}")
