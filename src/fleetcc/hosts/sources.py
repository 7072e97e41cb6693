"""Where the host list comes from: a variable, else the first hosts file that exists. No merging.

A list is parsed once per version of its text. Looking for changes costs one stat for each file tried;
what was wrong with a list is remembered with it, so a bad list is not parsed again for every job.
"""

from dataclasses import dataclass
from typing import Final

from fleetcc.errors import HostListError, UsageError
from fleetcc.hosts.grammar import HostList, parse_host_list
from fleetcc.settings import Settings, printable
from fleetcc.settings.files import UNSETTLED, Snapshot, Stamp, read_snapshot, stamp_of


@dataclass(frozen=True, slots=True)
class FoundHosts:
    """The list and the variable or file that holds it; host_list None: there is none, anywhere."""

    host_list: HostList | None
    origin: str


NOWHERE: Final = FoundHosts(None, "none")

_CACHE_ENTRIES: Final = 64
# A text in the value is what HostListError says about the list.
_variables: Final[dict[tuple[str, str], FoundHosts | str]] = {}
_files: Final[dict[str, tuple[Stamp, FoundHosts | str]]] = {}


def find_host_list(settings: Settings) -> FoundHosts:
    """The host list that these settings lead to; raises HostListError when it cannot be read."""
    if settings.hosts is not None and settings.hosts_variable is not None:
        return _outcome(_in_variable(settings.hosts_variable, settings.hosts))
    for path in settings.host_files:
        stamp = stamp_of(path)
        if stamp is not None:
            found = _in_file(path, stamp)
            if found is not NOWHERE:
                return _outcome(found)
    return NOWHERE


def _outcome(found: FoundHosts | str) -> FoundHosts:
    if isinstance(found, str):
        raise HostListError(found)
    return found


def _in_variable(variable: str, text: str) -> FoundHosts | str:
    key = (variable, text)
    found = _variables.get(key)
    if found is None:
        found = _parse(text, variable)
        if len(_variables) >= _CACHE_ENTRIES:
            _variables.clear()
        _variables[key] = found
    return found


def _in_file(path: str, stamp: Stamp) -> FoundHosts | str:
    cached = _files.get(path)
    if cached is not None and cached[0] == stamp:
        return cached[1]
    try:
        snapshot = read_snapshot(path)
    except UsageError as error:
        # Not remembered: what it takes to repair it (a folder's mode) need not touch the file's stamp.
        return str(error)
    found = _parse_file(path, snapshot)
    if len(_files) >= _CACHE_ENTRIES:
        _files.clear()
    if snapshot.stamp is not None and snapshot.stamp != UNSETTLED:
        _files[path] = (snapshot.stamp, found)
    return found


def _parse_file(path: str, snapshot: Snapshot) -> FoundHosts | str:
    if snapshot.content is None:  # removed since the stat
        return NOWHERE
    # utf-8-sig: editors of other systems put a mark in front; surrogates become errors with a place.
    text = snapshot.content.decode("utf-8-sig", errors="surrogateescape")
    return _parse(text, path)


def _parse(text: str, origin: str) -> FoundHosts | str:
    try:
        return FoundHosts(parse_host_list(text, printable(origin)), printable(origin))
    except HostListError as error:
        return str(error)
