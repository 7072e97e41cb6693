"""From an environment and two config.toml files to one Settings.

Every job brings its own environment, so this runs for every job: a result is kept for as long as the
variables that matter and both files are what they were.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from fleetcc.errors import UsageError
from fleetcc.settings import places
from fleetcc.settings.files import Stamp, read_snapshot, stamp_of
from fleetcc.settings.places import DEFAULT, SYSTEM_DIRECTORY
from fleetcc.settings.table import RELEVANT_VARIABLES, TABLE, Setting, nearest
from fleetcc.settings.values import SWITCH, Value, found_in_toml, printable, shortened

Priority = Literal["interactive", "normal", "ci"]
Mode = Literal["auto", "replica", "preprocessed", "local"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What one job's environment asks for; table.py says what each field means."""

    hosts: str | None
    hosts_variable: str | None  # the variable that `hosts` came from
    host_files: tuple[str, ...]
    agent_dir: str
    state_dir: str
    mode: Mode
    exact: bool
    fallback: bool
    skip_local_retry: bool
    rewrite_names: bool
    verbose: bool
    log: str | None
    backoff_seconds: float
    io_timeout_seconds: float
    connect_timeout_seconds: float
    dns: tuple[str, ...]
    priority: Priority
    verify: float
    ssh: tuple[str, ...]
    local_slots: int | None
    preprocess_slots: int | None
    idle_exit_seconds: float


@dataclass(frozen=True, slots=True)
class SettingValue:
    """One setting as it stands, and where that came from."""

    name: str
    value: Value
    origin: str  # FLEETCC_HOSTS, DISTCC_HOSTS, "/etc/fleetcc/config.toml: fallback", default
    help: str


@dataclass(frozen=True, slots=True)
class _Loaded:
    settings: Settings
    first_path: str
    first_stamp: Stamp
    second_path: str
    second_stamp: Stamp


@dataclass(frozen=True, slots=True)
class _ConfigFile:
    path: str
    stamp: Stamp
    values: Mapping[str, Value]


# Builds that run at the same time under one agent differ in few ways; more than this is not a build.
_CACHE_ENTRIES: Final = 64
_cache: Final[dict[tuple[str, tuple[bytes | None, ...]], _Loaded]] = {}


def load_settings(environment: Mapping[bytes, bytes], *, system: str = SYSTEM_DIRECTORY) -> Settings:
    """The settings of this environment; raises UsageError for a value that cannot be used."""
    key = (system, tuple(map(environment.get, RELEVANT_VARIABLES)))
    cached = _cache.get(key)
    if (
        cached is not None
        and stamp_of(cached.first_path) == cached.first_stamp
        and stamp_of(cached.second_path) == cached.second_stamp
    ):
        return cached.settings
    first, second = _read_config_files(environment, system)
    found = _resolve(environment, system, (first, second))
    settings = _to_settings(found)
    if len(_cache) >= _CACHE_ENTRIES:
        _cache.clear()
    _cache[key] = _Loaded(settings, first.path, first.stamp, second.path, second.stamp)
    return settings


def explain_settings(
    environment: Mapping[bytes, bytes], *, system: str = SYSTEM_DIRECTORY
) -> list[SettingValue]:
    """Every setting with the place that its value came from; raises UsageError as load_settings does."""
    return _resolve(environment, system, _read_config_files(environment, system))


def _to_settings(found: list[SettingValue]) -> Settings:
    values: dict[str, Any] = {setting.name: setting.value for setting in found}
    origins = {setting.name: setting.origin for setting in found}
    return Settings(hosts_variable=None if values["hosts"] is None else origins["hosts"], **values)


def _resolve(
    environment: Mapping[bytes, bytes], system: str, files: tuple[_ConfigFile, ...]
) -> list[SettingValue]:
    found = []
    for setting in TABLE:
        if setting.derive is not None:
            value, origin = setting.derive(environment, system)
        else:
            value, origin = (
                _from_variable(setting, environment)
                or _from_twin(setting, environment)
                or _from_files(setting, files)
                or (setting.default, DEFAULT)
            )
        found.append(SettingValue(setting.name, value, printable(origin), setting.help))
    return found


def _from_variable(setting: Setting, environment: Mapping[bytes, bytes]) -> tuple[Value, str] | None:
    return _from_text(setting, setting.variable, environment)


def _from_twin(setting: Setting, environment: Mapping[bytes, bytes]) -> tuple[Value, str] | None:
    """distcc's variable, by distcc's rules."""
    twin = setting.twin
    if twin is None or twin.encode() not in environment:
        return None
    if setting.twin_when_set is not None:
        return setting.twin_when_set, twin
    if setting.kind is SWITCH and environment[twin.encode()] not in (b"0", b"1"):
        return None
    return _from_text(setting, twin, environment)


def _from_text(
    setting: Setting, variable: str | None, environment: Mapping[bytes, bytes]
) -> tuple[Value, str] | None:
    found = environment.get(variable.encode()) if variable is not None else None
    if found is None or variable is None or (not found and not setting.empty_counts):
        return None
    text = os.fsdecode(found)
    try:
        return setting.kind.from_text(text), variable
    except ValueError:
        raise UsageError(
            f"{variable}: found {shortened(text)}; expected {setting.kind.in_text}; correct it or unset it"
        ) from None


def _from_files(setting: Setting, files: tuple[_ConfigFile, ...]) -> tuple[Value, str] | None:
    for file in files:
        if setting.name in file.values:
            return file.values[setting.name], f"{file.path}: {setting.name}"
    return None


def _read_config_files(environment: Mapping[bytes, bytes], system: str) -> tuple[_ConfigFile, _ConfigFile]:
    first, second = places.config_files(environment, system)
    return _read_config(first), _read_config(second)


def _read_config(path: str) -> _ConfigFile:
    snapshot = read_snapshot(path)
    if snapshot.content is None:
        return _ConfigFile(path, snapshot.stamp, {})
    try:
        document = tomllib.loads(snapshot.content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{printable(path)}: not TOML: {printable(str(error))}") from error
    values = {key: _from_toml(path, key, value) for key, value in document.items()}
    return _ConfigFile(path, snapshot.stamp, values)


def _from_toml(path: str, key: str, value: object) -> Value:
    setting = _TOML_KEYS.get(key)
    if setting is None:
        raise UsageError(f"{printable(path)}: unknown key {shortened(key)}; {_remedy(key)}")
    try:
        return setting.kind.from_toml(value)
    except ValueError:
        raise UsageError(
            f"{printable(path)}: {key}: found {found_in_toml(value)}; expected {setting.kind.in_toml}"
        ) from None


def _remedy(key: str) -> str:
    for setting in TABLE:
        if setting.name == key:
            return f"set {setting.variable or setting.twin} instead"
    meant = nearest(key, list(_TOML_KEYS))
    return f"did you mean {meant}?" if meant else f"known are {', '.join(_TOML_KEYS)}"


_TOML_KEYS: Final = {setting.name: setting for setting in TABLE if setting.in_toml}
