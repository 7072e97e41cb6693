"""Starts one agent process: folder, lock, socket, log, loop."""

import gc
import logging
import os
import resource
import socket
from typing import Final

import uvloop

from fleetcc import __version__
from fleetcc.agent.daemon import Agent
from fleetcc.agent.folder import Folder
from fleetcc.agent.stories import Stories
from fleetcc.errors import UsageError
from fleetcc.monitor.journal import Journal
from fleetcc.settings import Settings

log = logging.getLogger(__name__)

_FIRST_ACTIVATION_DESCRIPTOR: Final = 3  # sd_listen_fds(3)
_MAX_LOG_BYTES: Final = 8 << 20
# New objects that may be cycles before the youngest are looked at; Python's own 700 are two jobs.
_GARBAGE_THRESHOLD: Final = 50_000


def run_agent(settings: Settings, ready_descriptor: int | None) -> bool:
    """Serve until it is time to leave; False when another agent serves already. Raises UsageError."""
    os.umask(0o077)
    folder = Folder.open(settings.agent_dir)
    listener = _activated_listener()
    activated = listener is not None
    if listener is None:
        if not folder.lock():
            _tell_ready(ready_descriptor)
            return False
        listener = folder.listen()
    _open_log(settings.state_dir)
    _raise_descriptor_limit()
    _relax_garbage_collection()
    log.info("agent %s listens in %s, pid %d", __version__, folder.path, os.getpid())
    _tell_ready(ready_descriptor)
    uvloop.run(
        Agent(settings, folder, listener, activated=activated).run(Stories(Journal(settings.state_dir)))
    )
    log.info("agent left, pid %d", os.getpid())
    return True


def _activated_listener() -> socket.socket | None:
    """The socket that systemd listens on for us, if it started us."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    listener = socket.socket(fileno=_FIRST_ACTIVATION_DESCRIPTOR)
    listener.settimeout(0)
    os.set_inheritable(listener.fileno(), False)  # noqa: FBT003 - takes no keyword
    return listener


def _open_log(state_dir: str) -> None:
    """What goes wrong, and when agents come and go; the previous log is kept once. Raises UsageError."""
    path = os.path.join(state_dir, "agent.log")
    try:
        os.makedirs(state_dir, mode=0o700, exist_ok=True)
        if os.path.exists(path) and os.path.getsize(path) > _MAX_LOG_BYTES:
            os.replace(path, path + ".1")
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(
            f"cannot write the agent's log {path!r}: {error.strerror}; set FLEETCC_DIR"
        ) from error
    stream = os.fdopen(descriptor, "a", encoding="utf-8", errors="surrogateescape")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _raise_descriptor_limit() -> None:
    """A job needs a handful of descriptors; make -j1000 needs them a thousand times."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _relax_garbage_collection() -> None:
    """What was imported stays for good, and what jobs leave is mostly freed by its reference counts."""
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD, 20, 50)


def _tell_ready(descriptor: int | None) -> None:
    if descriptor is not None:
        os.write(descriptor, b"1")
        os.close(descriptor)
