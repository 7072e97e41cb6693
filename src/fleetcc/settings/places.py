"""Where files stand: the agent's folder, its state, config.toml and hosts files.

native/launcher/agent.c computes the agent's folder by the same rule; both must change together. An empty
variable counts as unset, and an XDG variable that is not an absolute path is ignored, as its
specification asks.
"""

import os
import pwd
from collections.abc import Mapping
from typing import Final

Environment = Mapping[bytes, bytes]

SYSTEM_DIRECTORY: Final = "/etc"
DEFAULT: Final = "default"

# Every variable that this module reads; a change of one of them makes cached settings stale.
PLACE_VARIABLES: Final = (
    b"FLEETCC_DIR",
    b"DISTCC_DIR",
    b"HOME",
    b"XDG_RUNTIME_DIR",
    b"XDG_STATE_HOME",
    b"XDG_CONFIG_HOME",
)


def agent_dir(environment: Environment, _system: str) -> tuple[str, str]:
    """The folder of the agent's socket and lock; and which variable said so."""
    own = _own_dir(environment)
    if own is not None:
        return own, "FLEETCC_DIR"
    runtime = _absolute(environment, b"XDG_RUNTIME_DIR")
    if runtime is not None:
        return os.path.join(runtime, "fleetcc"), "XDG_RUNTIME_DIR"
    state, origin = state_dir(environment, _system)
    # The state folder may be on a file system that several machines share; sockets are not.
    return os.path.join(state, f"run-{os.uname().nodename}"), origin


def state_dir(environment: Environment, _system: str) -> tuple[str, str]:
    """The folder of what outlives the agent: log, history."""
    own = _own_dir(environment)
    if own is not None:
        return own, "FLEETCC_DIR"
    base, origin = _xdg(environment, b"XDG_STATE_HOME", ".local/state")
    return os.path.join(base, "fleetcc"), origin


def host_files(environment: Environment, system: str) -> tuple[tuple[str, ...], str]:
    """The hosts files in the order in which they are tried; the first that exists is the list."""
    config, _ = _xdg(environment, b"XDG_CONFIG_HOME", ".config")
    distcc = environment.get(b"DISTCC_DIR")
    theirs = os.fsdecode(distcc) if distcc else os.path.join(_home(environment), ".distcc")
    folders = (os.path.join(config, "fleetcc"), theirs, f"{system}/fleetcc", f"{system}/distcc")
    return tuple(os.path.join(folder, "hosts") for folder in folders), "DISTCC_DIR" if distcc else DEFAULT


def config_files(environment: Environment, system: str) -> tuple[str, ...]:
    """The config.toml files, the one that wins first."""
    config, _ = _xdg(environment, b"XDG_CONFIG_HOME", ".config")
    return os.path.join(config, "fleetcc", "config.toml"), os.path.join(system, "fleetcc", "config.toml")


def _own_dir(environment: Environment) -> str | None:
    """FLEETCC_DIR as it stands; the launcher has made it absolute before an agent reads it."""
    return os.fsdecode(environment.get(b"FLEETCC_DIR") or b"") or None


def _xdg(environment: Environment, variable: bytes, below_home: str) -> tuple[str, str]:
    found = _absolute(environment, variable)
    if found is not None:
        return found, variable.decode()
    return os.path.join(_home(environment), below_home), DEFAULT


def _absolute(environment: Environment, variable: bytes) -> str | None:
    found = environment.get(variable, b"")
    return os.fsdecode(found) if found.startswith(b"/") else None


def _home(environment: Environment) -> str:
    found = environment.get(b"HOME")
    if found:
        return os.fsdecode(found)
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:  # a container's made-up user
        return "/"
