"""What this machine lets a client do: descriptors, inotify, space, memory. Looking and judging are apart."""

import errno
import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import psutil

from fleetcc.files.kernel import FileSystem, Inotify, file_system_of
from fleetcc.monitor.doctor.findings import Finding, error, ok, warning
from fleetcc.settings.values import printable

MB: Final = 1 << 20
GB: Final = 1 << 30

# What an agent holds for a job that is under way, and for itself.
_DESCRIPTORS_PER_JOB: Final = 8
_OWN_DESCRIPTORS: Final = 256
# A large project has some thousand directories with headers, each one watch; 1 KB of the kernel's memory.
_FEW_WATCHES: Final = 16_384
# The journal of jobs may have two files of 32 MB, beside logs and what compilers are.
STATE_BYTES: Final = 100 * MB
BUILD_BYTES: Final = GB
_FEW_FILES: Final = 1000
# g++ needs so much for an ordinary unit.
_COMPILER_BYTES: Final = 300 * MB


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that something is written to."""

    title: str
    path: str
    wanted_bytes: int  # a tenth of it is an error
    free_bytes: int | None = None  # None: it cannot be asked
    free_files: int | None = None  # None: the file system does not count them
    is_writable: bool = True


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found."""

    most_descriptors: int | None  # the hard limit; None: there is none
    jobs: int  # that the host list and this machine take together
    watches: int | None  # None: the kernel does not tell
    inotify_error: int  # errno of making one; 0: it can be made
    build: FileSystem
    memory_available: int
    local_slots: int


def check_machine(
    places: Iterable[tuple[str, str, int]], jobs: int, local_slots: int | None
) -> list[Finding]:
    """Look at this machine; `places`: title and path of what is written to, and the bytes that it wants."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    slots = local_slots or len(os.sched_getaffinity(0))
    machine = Machine(
        most_descriptors=None if hard == resource.RLIM_INFINITY else hard,
        jobs=jobs + slots,
        watches=_watches(),
        inotify_error=_inotify_error(),
        build=file_system_of(os.fsencode(os.getcwd())),
        memory_available=psutil.virtual_memory().available,
        local_slots=slots,
    )
    return [*judge_machine(machine), *(judge_place(look_at(*place)) for place in places)]


def look_at(title: str, path: str, wanted_bytes: int) -> Place:
    """The folder, or the nearest above it that exists."""
    there = path
    while not os.path.isdir(there) and os.path.dirname(there) != there:
        there = os.path.dirname(there)
    try:
        status = os.statvfs(there)
    except OSError:
        return Place(title, path, wanted_bytes, is_writable=False)
    files = status.f_favail if status.f_files else None
    is_writable = os.access(there, os.W_OK | os.X_OK, effective_ids=True)
    return Place(title, path, wanted_bytes, status.f_bavail * status.f_frsize, files, is_writable)


def judge_place(place: Place) -> Finding:
    """Space to write into. Pure."""
    path = printable(place.path)
    if not place.is_writable:
        return error(place.title, f"{path} cannot be written to", "choose another folder, or its permissions")
    if place.free_bytes is None:
        return ok(place.title, f"{path}: how much is free cannot be told")
    free = f"{path}: {size(place.free_bytes)} are free"
    if place.free_files is not None and place.free_files < _FEW_FILES:
        return error(place.title, f"{path}: only {place.free_files} more files can be made", "remove some")
    if place.free_bytes < place.wanted_bytes:
        judge = error if place.free_bytes < place.wanted_bytes // 10 else warning
        return judge(place.title, free, f"make room: {size(place.wanted_bytes)} are wanted")
    return ok(place.title, free)


def judge_machine(machine: Machine) -> list[Finding]:
    """Limits and memory. Pure."""
    return [_descriptors(machine), *_inotify(machine), _build(machine.build), _memory(machine)]


def _descriptors(machine: Machine) -> Finding:
    most, title = machine.most_descriptors, "descriptors"
    needed = _OWN_DESCRIPTORS + _DESCRIPTORS_PER_JOB * machine.jobs
    if most is None or most >= needed:
        limit = "without limit" if most is None else f"{most} allowed"
        return ok(title, f"{limit}; {machine.jobs} jobs at once need {needed}")
    text = f"at most {most} may be open; {machine.jobs} jobs at once need {needed}, and others wait"
    return warning(title, text, f"raise the hard limit: ulimit -Hn {needed}, or limits.conf (nofile)")


def _inotify(machine: Machine) -> Iterable[Finding]:
    title = "inotify"
    if machine.inotify_error:
        remedy = "allow inotify_init1: the kernel or a container's profile forbids it"
        if machine.inotify_error == errno.EMFILE:
            remedy = "sysctl -w fs.inotify.max_user_instances=512, or end programs that watch files"
        why = os.strerror(machine.inotify_error)
        yield warning(title, f"cannot be used ({why}): each job looks at each header again", remedy)
    elif machine.watches is not None and machine.watches < _FEW_WATCHES:
        text = f"{machine.watches} watches for each user are few: headers beyond are looked at for each job"
        yield warning(title, text, "sysctl -w fs.inotify.max_user_watches=524288")
    else:
        many = "as many watches as wanted" if machine.watches is None else f"{machine.watches} watches"
        yield ok(title, f"{many}; files are looked at again when they change")


def _build(system: FileSystem) -> Finding:
    title = "file system"
    if system.watched:
        return ok(title, "that of the build directory tells of every change")
    if system.fine:
        return ok(
            title, "its file system (an overlay) does not tell of changes, so files are looked at again"
        )
    text = (
        "its file system does not tell of changes, and may be on a network: files are looked at for each job"
    )
    return warning(title, text, "build on a local disk (ext4, xfs, btrfs, tmpfs)")


def _memory(machine: Machine) -> Finding:
    available, slots = machine.memory_available, machine.local_slots
    text = f"{size(available)} available for {slots} local slots"
    if available < slots * _COMPILER_BYTES:
        remedy = f"FLEETCC_LOCAL_SLOTS={max(1, available // _COMPILER_BYTES)}, or close something"
        return warning("memory", text, remedy)
    return ok("memory", text)


def _watches() -> int | None:
    try:
        with open("/proc/sys/fs/inotify/max_user_watches", "rb") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _inotify_error() -> int:
    try:
        Inotify().close()
    except OSError as problem:
        return problem.errno or errno.ENOSYS
    return 0


def size(count: int) -> str:
    """A number of bytes for people."""
    if count >= 10 * GB:
        return f"{count / GB:.0f} GB"
    return f"{count / GB:.1f} GB" if count >= GB else f"{count / MB:.0f} MB"
