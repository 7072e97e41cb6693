"""The table of `fleetccd doctor`: looks at this machine, and has `doctor_checks` judge what it saw."""

import contextlib
import errno
import os
import pwd
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

import psutil

import fleetcc
from fleetcc.errors import ProtocolError, UsageError
from fleetcc.monitor.doctor.findings import Check, Finding
from fleetcc.sandbox.probe import Sandbox, find_helper, probe
from fleetcc.scheduling.capacity import default_load_limit, default_reserve, parse_size
from fleetcc.server import doctor_checks, machine
from fleetcc.server.access import parse_access_list
from fleetcc.server.compilers import CompilerRules, Program, listed_paths, parse_words
from fleetcc.wire.greeting import GREETING, MAX_WELCOME_BYTES, Welcome, parse_welcome

_ASK_SECONDS: Final = 1.5
_DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_COMPILERS: Final = ("cc", "gcc", "g++", "clang", "clang++")
_UNITS: Final = ("fleetccd.service", "fleetccd.socket")
# What processes of a server share in its state directory.
_SHARED: Final = ("blobs", "replicas", "slots", "waiting", "load", "identities", "instance")
_EXTRAS: Final = {
    "http": ("--http", ("aiohttp", "prometheus_client")),
    "zeroconf": ("--zeroconf", ("zeroconf",)),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """The server that would be started."""

    values: Mapping[str, Any]  # of its options
    environment: Mapping[str, str]
    was_root: bool
    missing: tuple[str, ...] = ()  # packages that options need
    trial_folder: str = ""  # where the state directory is or will be; empty: `trial_problem` says why not
    trial_problem: str = ""

    @property
    def state_directory(self) -> str:
        """Chosen as the server chooses it."""
        chosen = self.values["state_dir"] or self.environment.get("FLEETCCD_STATE_DIR")
        if not chosen and self.was_root:
            return "/var/lib/fleetccd"
        base = self.environment.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
        return os.path.abspath(chosen or os.path.join(base, "fleetccd"))

    @property
    def slots(self) -> int:
        """How many compilers it would run."""
        return int(self.values["jobs"] or machine.usable_cpus())

    def size_of(self, option: str) -> int:
        """An option's bytes; raises UsageError."""
        name = "--" + option.replace("_", "-")
        return parse_size(name, self.values[option], machine.memory().total_bytes)

    def first(self, *names: str) -> str | None:
        """The first of these variables that is set."""
        return next((self.environment[name] for name in names if self.environment.get(name)), None)


def _user(subject: Subject) -> Iterable[Finding]:
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's made-up user
        name = f"uid {uid}"
    own = (sys.executable, fleetcc.__file__, find_helper(subject.environment))
    hidden = [path for path in own if path is not None and not os.access(path, os.R_OK, effective_ids=True)]
    return [
        *doctor_checks.judge_user(name, is_root=uid == 0, was_root=subject.was_root),
        *doctor_checks.judge_installation(name, hidden),
    ]


def _state(subject: Subject) -> Iterable[Finding]:
    path = subject.state_directory
    folder = subject.trial_folder or os.path.dirname(path)
    total = free = 0
    with contextlib.suppress(OSError):
        status = os.statvfs(folder)
        total, free = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
    inside = [os.path.join(path, name) for name in _SHARED]
    foreign = [os.path.basename(one) for one in inside if os.path.lexists(one) and not _is_usable(one)]
    state = doctor_checks.State(path, subject.trial_problem, tuple(foreign), file_system(folder), total, free)
    return doctor_checks.judge_state(state, subject.size_of("store_size"))


def _is_usable(path: str) -> bool:
    needed = os.R_OK | os.W_OK | (os.X_OK if os.path.isdir(path) else 0)
    return os.access(path, needed, effective_ids=True)


def file_system(path: str) -> str:
    """The type of the mount that a path lies on; empty when the kernel does not tell."""
    best = ("", "")
    real = os.path.realpath(path)
    with contextlib.suppress(OSError), open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:
        for words in map(str.split, file):
            place = words[1].replace(r"\040", " ")
            inside = real == place or real.startswith(place.rstrip("/") + "/")
            if inside and len(place) >= len(best[0]):
                best = (place, words[2])
    return best[1]


def _sandbox(subject: Subject) -> Iterable[Finding]:
    if not subject.trial_folder:
        return []  # the check of the state directory says why
    found = probe(subject.trial_folder, find_helper(subject.environment))
    if isinstance(found, Sandbox):
        found.close()
    return doctor_checks.judge_sandbox(found)


def _port(subject: Subject) -> Iterable[Finding]:
    if subject.values["inetd"]:
        return []  # somebody else listens
    port, names = subject.values["port"], subject.values["listen"] or ("::", "0.0.0.0")
    places = f"port {port}" + (
        f" on {', '.join(subject.values['listen'])}" if subject.values["listen"] else ""
    )
    refusal, taken = "", None
    for name in names:
        for family, address in _addresses(name, port):
            problem = _bind(family, address)
            if problem is not None and (subject.values["listen"] or problem.errno not in _NO_ADDRESS):
                refusal = refusal or problem.strerror or str(problem)
                taken = taken or (str(address[0]) if problem.errno == errno.EADDRINUSE else None)
    served = doctor_checks.Served(who_serves(taken, port), process_at(port)) if taken else None
    return doctor_checks.judge_port(places, served, refusal)


# The kernel may know IPv6 and yet have no address of it.
_NO_ADDRESS: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def _addresses(name: str, port: int) -> list[tuple[int, Any]]:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as problem:
        raise UsageError(f"--listen {name}: {problem}") from problem
    return [(info[0], info[4]) for info in found]


def _bind(family: int, address: Any) -> OSError | None:
    """Bound and not listened on: clients do not notice."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
    except OSError as problem:
        return problem
    return None


def who_serves(address: str, port: int) -> Welcome | None:
    """What a fleetccd there says of itself; None: it is something else, or does not serve this machine."""
    place = {"::": "::1", "0.0.0.0": "127.0.0.1"}.get(address, address)
    data = b""
    try:
        with socket.create_connection((place, port), _ASK_SECONDS) as sock:
            sock.sendall(GREETING)
            while len(data) <= MAX_WELCOME_BYTES and (more := sock.recv(MAX_WELCOME_BYTES)):
                data += more
        return parse_welcome(data)
    except (OSError, ProtocolError):
        return None


def process_at(port: int) -> str:
    """Which process listens there, where that can be seen."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if not connection.laddr:
                continue
            is_there = connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            if is_there and connection.pid is not None:
                return f"{psutil.Process(connection.pid).name()}, pid {connection.pid}"
    return ""


def _access(subject: Subject) -> Iterable[Finding]:
    values = subject.values
    access = parse_access_list(values["allow"], private=values["allow_private"])
    return doctor_checks.judge_access(access, insecure=values["enable_tcp_insecure"])


def _limits(subject: Subject) -> Iterable[Finding]:
    slots, cpus, memory = subject.slots, machine.usable_cpus(), machine.memory()
    limit = subject.values["load_limit"]
    reserve = subject.values["memory_reserve"]
    bytes_kept = default_reserve(memory.total_bytes) if reserve is None else subject.size_of("memory_reserve")
    subject.size_of("job_disk")  # any size will do, but the server must be able to read it
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [
        *doctor_checks.judge_slots(slots, cpus, os.cpu_count() or cpus),
        *doctor_checks.judge_load(
            machine.load_average(), default_load_limit(slots, cpus) if limit is None else limit
        ),
        *doctor_checks.judge_memory(memory, bytes_kept, slots, subject.size_of("job_memory")),
        *doctor_checks.judge_descriptors(
            None if hard == resource.RLIM_INFINITY else hard, slots, subject.values["max_waiting"]
        ),
    ]


def _compilers(subject: Subject) -> Iterable[Finding]:
    path = subject.first("FLEETCCD_PATH", "DISTCCD_PATH", "PATH") or _DEFAULT_PATH
    command_list = subject.first("FLEETCC_CMDLIST", "DISTCC_CMDLIST")
    parse_words(subject.first("FLEETCC_CMDLIST_NUMWORDS", "DISTCC_CMDLIST_NUMWORDS"))
    found, trouble = {}, ""
    if command_list is not None:
        try:
            listed = [os.fsdecode(one) for one in listed_paths(command_list)]
        except OSError as problem:
            listed, trouble = [], f"{command_list} cannot be read, so nothing is allowed: {problem.strerror}"
        found = {os.path.basename(one): one for one in listed if os.access(one, os.X_OK)}
    else:
        rules = CompilerRules(os.fsencode(path))
        for name in _COMPILERS:
            resolved = rules.resolve(name.encode())
            if isinstance(resolved, Program):
                found[name] = os.fsdecode(resolved.path)
    return doctor_checks.judge_compilers(found, trouble, command_list or path)


def _systemd(_: Subject) -> Iterable[Finding]:
    program = shutil.which("systemctl")
    if program is None or not os.path.isdir("/run/systemd/system"):
        return []
    command = [program, "is-active", *_UNITS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
    return doctor_checks.judge_units(dict(zip(_UNITS, done.stdout.split(), strict=False)))


def _clock(_: Subject) -> Iterable[Finding]:
    installed = 0.0
    with contextlib.suppress(OSError):  # of a folder that this user may not enter `user` tells
        installed = os.stat(fleetcc.__file__).st_mtime
    return doctor_checks.judge_clock(time.time(), installed)


def _extras(subject: Subject) -> Iterable[Finding]:
    return doctor_checks.judge_extras(_wanted(subject.values), subject.missing)


def _wanted(values: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return dict(row for key, row in _EXTRAS.items() if values[key])


def missing_packages(values: Mapping[str, Any]) -> list[str]:
    """Those that these options need and this Python does not have."""
    packages = {package for row in _wanted(values).values() for package in row}
    return sorted(package for package in packages if find_spec(package) is None)


TABLE: Final = (
    Check("user", _user),
    Check("state directory", _state),
    Check("sandbox", _sandbox),
    Check("network", _port),
    Check("network", _access),
    Check("limits", _limits),
    Check("compilers for text", _compilers),
    Check("systemd", _systemd),
    Check("clock", _clock),
    Check("extras", _extras),
)
