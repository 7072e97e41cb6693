"""What `fleetccd doctor` has seen, judged: functions that take what was found and say what it means. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Final

from fleetcc import __version__
from fleetcc.monitor.doctor.findings import Finding, error, ok, warning
from fleetcc.monitor.doctor.machine import GB, MB, size
from fleetcc.sandbox.probe import CannotSandbox, Sandbox
from fleetcc.scheduling.capacity import Memory
from fleetcc.server.access import LOOPBACK, AccessList
from fleetcc.wire.greeting import Welcome

# File systems of others' machines: locks and renames are not what they are on a disk.
_NETWORK: Final = frozenset(("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "afs"))
_OVERLAID: Final = "overlay"
_LEAST_FREE: Final = GB
# g++ needs so much for an ordinary unit.
_COMPILER_BYTES: Final = 512 * MB
_DAY: Final = 86_400.0
_MANY_SLOTS_PER_CPU: Final = 2
# What a server needs beside its clients' connections, and for each slot.
_OWN_DESCRIPTORS: Final = 256
_SLOT_DESCRIPTORS: Final = 8
_ALLOW: Final = "--allow 10.0.0.0/8 or whoever shall be served"


@dataclass(frozen=True, slots=True)
class State:
    """The state directory, as the server's user finds it."""

    path: str
    problem: str  # why nothing can be made there; empty: it can
    foreign: tuple[str, ...]  # what is in it and cannot be used
    file_system: str  # its type; empty: not known
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Served:
    """The port, when somebody listens there already."""

    welcome: Welcome | None  # of a fleetccd
    process: str  # "distccd, pid 12"; empty: not known


def judge_user(name: str, *, is_root: bool, was_root: bool) -> list[Finding]:
    """Whose rights the server and its compilers have."""
    if is_root:
        text = "stays root: compilers of text jobs run as root, and clients choose what they read"
        return [warning("user", text, "leave --user root out; make a user: useradd --system fleetccd")]
    if name == "nobody":
        text = "becomes nobody, whose files and processes other programs may share"
        return [warning("user", text, "useradd --system --shell /usr/sbin/nologin fleetccd")]
    return [ok("user", f"becomes {name}" if was_root else f"runs as {name}")]


def judge_installation(name: str, hidden: Sequence[str]) -> list[Finding]:
    """`hidden`: programs and modules of ours that this user cannot read."""
    if not hidden:
        return []
    text = f"{name} cannot read {', '.join(hidden)}: what the server loads or starts later fails"
    return [warning("user", text, "install fleetcc where everybody can read it: /opt, /usr/local")]


def judge_state(state: State, store_bytes: int) -> list[Finding]:
    """Where slots, blobs and replicas are."""
    title = "state directory"
    if state.problem:
        text = f"{state.path}: {state.problem}"
        return [error(title, text, "--state-dir DIR, one that the server's user can write to")]
    found = []
    if state.foreign:
        text = f"{state.path}: the server's user cannot use {', '.join(state.foreign)} in it"
        found.append(error(title, text, "remove them while no server runs: nothing there has to be kept"))
    if state.file_system in _NETWORK:
        text = f"{state.path} is on {state.file_system}: slots are locks, which must be this machine's own"
        found.append(error(title, text, "--state-dir on a local disk"))
    elif state.file_system == _OVERLAID:
        text = f"{state.path} is on an overlay (a container's own layer): it goes with the container"
        found.append(warning(title, text, "put it on a volume, or another --state-dir"))
    found += _space(state, store_bytes)
    where = f" on {state.file_system}" if state.file_system else ""
    return found or [ok(title, f"{state.path}{where}, {size(state.free_bytes)} free")]


def _space(state: State, store_bytes: int) -> Iterable[Finding]:
    free = f"{state.path}: {size(state.free_bytes)} of {size(state.total_bytes)} are free"
    if state.free_bytes < _LEAST_FREE:
        yield error("state directory", f"{free}: jobs made of files will be turned away", "make room")
    elif state.total_bytes < 2 * store_bytes:
        text = f"{free}, and --store-size {size(store_bytes)} may take twice that"
        yield warning("state directory", text, f"--store-size {max(1, state.total_bytes // 4 // MB)}M")


def judge_sandbox(found: Sandbox | CannotSandbox) -> list[Finding]:
    """Whether jobs made of files can run here."""
    if isinstance(found, CannotSandbox):
        stage = f" (stage {found.stage.name.lower()})" if found.stage is not None else ""
        text = f"no jobs made of files: {found.reason}{stage}"
        return [warning("sandbox", text, found.remedy)]
    if not found.shows_own:
        return [ok("sandbox", "works; it cannot show this machine's own files, so clients send theirs")]
    return [ok("sandbox", "works: jobs made of files can run here")]


def judge_port(places: str, served: Served | None, refusal: str) -> list[Finding]:
    """`refusal`: why it could not be listened on; empty: it could."""
    title = "port"
    if not refusal:
        return [ok(title, f"{places} is free")]
    if served is None:
        return [error(title, f"{places} cannot be listened on: {refusal}", "--listen or --port another")]
    process = f" ({served.process})" if served.process else ""
    if served.welcome is None and served.process.startswith("fleetccd"):
        return [ok(title, f"{places} is served already{process}, but not to this machine itself")]
    if served.welcome is None:
        unseen = "" if process else ", or by a fleetccd that does not serve this machine"
        text = f"{places} is taken by another program{process}{unseen}"
        return [error(title, text, "stop that (systemctl disable --now distcc), or choose another --port")]
    welcome = served.welcome
    text = (
        f"{places} is served by {welcome.server}{process} already: {welcome.running} of {welcome.slots} run"
    )
    if welcome.server.rpartition(" ")[2] != __version__:
        return [warning(title, f"{text}; installed is {__version__}", "restart it")]
    return [ok(title, text)]


def judge_access(access: AccessList, *, insecure: bool) -> list[Finding]:
    """Who may connect, and what they may do."""
    loopback = {ip_network(text) for text in LOOPBACK}
    strangers = [network for network in access.networks if network not in loopback]
    shown = " ".join(map(str, access.networks))
    found = []
    if not strangers:
        found.append(warning("allow", f"only this machine may connect ({shown})", _ALLOW))
    elif any(network.prefixlen == 0 for network in strangers):
        text = f"everybody may connect ({shown}), and there is no encryption"
        found.append(warning("allow", text, "name your networks, or use ssh hosts"))
    if insecure and strangers:
        text = "--enable-tcp-insecure: whoever may connect can run any program as the server's user"
        found.append(warning("allow", text, "leave it out: compilers are found without it"))
    return found or [ok("allow", shown)]


def judge_slots(slots: int, cpus: int, machine_cpus: int) -> list[Finding]:
    """How many compilers run."""
    cut = f" (of {machine_cpus}; the rest is not ours)" if cpus < machine_cpus else ""
    text = f"{slots} for {cpus} processors{cut}"
    if slots > _MANY_SLOTS_PER_CPU * cpus:
        return [warning("slots", f"{text}: each compiler gets a part of one", f"--jobs {cpus}")]
    return [ok("slots", text)]


def judge_load(load: float, limit: float) -> list[Finding]:
    """What others do with the processors."""
    if limit == 0:
        return [ok("load", f"{load:.1f} now; not minded")]
    if load >= limit:
        text = f"{load:.1f} now, and --load-limit is {limit:g}: fewer compilers run, if that is not ours"
        return [warning("load", text, "see what else runs, or raise --load-limit")]
    return [ok("load", f"{load:.1f} now, limit {limit:g}")]


def judge_memory(memory: Memory, reserve: int, slots: int, job_memory: int) -> list[Finding]:
    """Whether there is enough for that many compilers."""
    total, available = memory.total_bytes, memory.available_bytes
    have = f"{size(available)} of {size(total)} available"
    if reserve >= total:
        text = f"--memory-reserve {size(reserve)} is all that this machine has: nothing ever starts"
        return [error("memory", text, "choose a smaller reserve")]
    if 0 < job_memory < _COMPILER_BYTES:
        text = f"--job-memory {size(job_memory)}: g++ needs more for many sources"
        return [warning("memory", text, "--job-memory 2G and more")]
    if available < reserve:
        text = f"{have}, less than the reserve of {size(reserve)}: no compiler starts now"
        return [error("memory", text, "see what uses it, or a smaller --memory-reserve")]
    if total < slots * _COMPILER_BYTES:
        text = f"{have} for {slots} slots; a compiler of C++ takes {size(_COMPILER_BYTES)}"
        return [warning("memory", text, f"--jobs {max(1, total // _COMPILER_BYTES)}")]
    return [ok("memory", f"{have}; {size(reserve)} stay free")]


def judge_descriptors(hard: int | None, slots: int, waiting: int) -> list[Finding]:
    """`hard`: the limit; None: there is none. `waiting`: connections that may."""
    needed = _OWN_DESCRIPTORS + _SLOT_DESCRIPTORS * slots + waiting
    if hard is None or hard >= needed:
        return [ok("descriptors", "without limit" if hard is None else f"{hard} allowed")]
    text = f"at most {hard} may be open, so fewer connections can wait than --max-waiting says"
    return [warning("descriptors", text, f"LimitNOFILE={needed} in the unit, or ulimit -Hn {needed}")]


def judge_compilers(found: Mapping[str, str], trouble: str, where: str) -> list[Finding]:
    """`found`: names and programs; `trouble`: of the list of commands; `where`: PATH or that list."""
    if trouble:
        return [error("compilers", trouble, "correct FLEETCC_CMDLIST or DISTCC_CMDLIST, or unset it")]
    if not found:
        text = f"none in {where}: no text jobs; jobs made of files bring their own"
        return [warning("compilers", text, "install the compilers of the clients, or set FLEETCCD_PATH")]
    return [ok("compilers", ", ".join(f"{name} ({program})" for name, program in found.items()))]


def judge_units(states: Mapping[str, str]) -> list[Finding]:
    """`states`: of our systemd units, as `systemctl is-active` names them."""
    failed = [unit for unit, state in states.items() if state == "failed"]
    active = [unit for unit, state in states.items() if state in {"active", "activating"}]
    found = [
        error("systemd", f"{unit} has failed", f"journalctl -u {unit}; then systemctl restart {unit}")
        for unit in failed
    ]
    if len(active) > 1:
        text = f"{' and '.join(active)} are active, and want the same port"
        found.append(error("systemd", text, f"systemctl disable --now {active[-1]}"))
    elif active:
        text = f"{active[0]} is active; what its unit forbids cannot be seen from here, `fleetcc hosts` tells"
        found.append(ok("systemd", text))
    return found or [ok("systemd", "none of its units is active")]


def judge_clock(now: float, installed: float) -> list[Finding]:
    """Both in seconds since 1970; `installed`: when this program came here."""
    if now < installed - _DAY:
        text = f"says {_date(now)}, before fleetcc was installed ({_date(installed)})"
        return [warning("clock", text, "set it (timedatectl set-ntp true): __DATE__ and logs go by it")]
    return [ok("clock", f"{_date(now)}; __DATE__ and __TIME__ in jobs made of files go by it")]


def _date(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M UTC")


def judge_extras(wanted: Mapping[str, Sequence[str]], missing: Iterable[str]) -> list[Finding]:
    """`wanted`: options that were given and the packages that they need."""
    lacking = set(missing)
    found = []
    for option, packages in wanted.items():
        absent = [package for package in packages if package in lacking]
        if absent:
            text = f"needs {' and '.join(absent)}, which this Python does not have"
            found.append(error(option, text, f"pip install {' '.join(absent)}"))
        else:
            found.append(ok(option, "has the packages that it needs"))
    return found
