"""How many tokens the processes of a build can hold at most, by what /proc says of those that have the pipe.

A tool holds a token for each job that it runs beside the first: a child (make, ninja) or a thread (rustc);
besides, one for each thread may be on its way. Make closes the pipe for children that are no makes, so
compilers do not count.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Process:
    """What /proc/PID/stat says."""

    parent: int
    session: int
    threads: int
    is_zombie: bool


def most_held(pipe: str, root: int) -> int:
    """The bound for the process `root`, all that it started, and its session; `pipe` is a Channel's name.

    We do not count ourselves. A process that may not be looked into counts as one that has the pipe.
    """
    processes = _processes()
    children = Counter(process.parent for process in processes.values())
    return sum(
        max(0, children[number] - 1) + processes[number].threads
        for number in _of_build(processes, root)
        if not processes[number].is_zombie and _has_open(number, pipe)
    )


def parse_stat(text: str) -> Process:
    """One line of /proc/PID/stat; the command's name may hold anything, blanks and brackets too."""
    fields = text.rpartition(")")[2].split()
    return Process(int(fields[1]), int(fields[3]), int(fields[17]), fields[0] == "Z")


def _processes() -> dict[int, Process]:
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", errors="replace") as file:
                found[int(name)] = parse_stat(file.read())
        except (OSError, IndexError):  # it has ended
            continue
    return found


def _of_build(processes: Mapping[int, Process], root: int) -> Iterator[int]:
    """The descendants, and the session's: a process whose parent was killed has another one now."""
    session = processes[root].session if root in processes else None
    below = {root: True, 0: False, os.getpid(): False}  # whether it is `root` or below it
    for number, process in processes.items():
        is_ours = _is_below(number, processes, below) or process.session == session
        if is_ours and number != os.getpid():
            yield number


def _is_below(number: int, processes: Mapping[int, Process], below: dict[int, bool]) -> bool:
    path = []
    while number not in below and number in processes:
        path.append(number)
        number = processes[number].parent
    found = below.get(number, False)
    below.update(dict.fromkeys(path, found))
    return found


def _has_open(number: int, pipe: str) -> bool:
    folder = f"/proc/{number}/fd"
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
    return any(_link(f"{folder}/{name}") == pipe for name in names)


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
