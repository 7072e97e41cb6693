"""What one command leaves, as its caller and the file system see it, to compare two ways to run it."""

import os
import shlex
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.fleet import Client


@dataclass
class Seen:
    """What one run did."""

    status: int
    stdout: bytes
    stderr: bytes
    files: dict[str, tuple[bytes, int]]  # new and changed ones: bytes (of a link: its target) and mode


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file and link with its bytes and mode."""
    return {
        str(path.relative_to(folder)): (
            os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes(),
            path.lstat().st_mode,
        )
        for path in folder.rglob("*")
        if path.is_file() or path.is_symlink()
    }


def see(client: Client, folder: Path, argv: Sequence[str], **options: Any) -> Seen:
    """Run a command; what it has changed in the folder is noted and undone."""
    before = contents(folder)
    done = client.plain(*argv, **options)
    after = contents(folder)
    changed = {name: seen for name, seen in after.items() if before.get(name) != seen}
    for name in changed | dict.fromkeys(before.keys() - after.keys(), ()):
        _put_back(client, folder / name, before.get(name))
    return Seen(done.status, done.stdout, done.stderr, changed)


def _put_back(client: Client, path: Path, was: tuple[bytes, int] | None) -> None:
    path.unlink(missing_ok=True)
    if was is not None and stat.S_ISLNK(was[1]):
        path.symlink_to(os.fsdecode(was[0]))
    elif was is not None:
        path.write_bytes(was[0])
        path.chmod(was[1])
        os.chown(path, client.user, -1)


def hide_chance(one: Seen, other: Seen, again: Seen) -> None:
    """Blank what differs between two runs of the compiler alone (`one`, `again`): stamps, temporary names."""
    for name in ("stdout", "stderr"):
        if getattr(one, name) != getattr(again, name):
            for seen in (one, other):
                setattr(seen, name, b"chance")
    for name in one.files.keys() & other.files.keys():
        if one.files[name] != again.files.get(name):
            for seen in (one, other):
                seen.files[name] = b"chance", seen.files[name][1]


@dataclass(frozen=True)
class Line:
    """A command as a test writes it: `cd=DIR umask=MODE NAME=VALUE ... COMPILER WORDS ...`."""

    argv: tuple[str, ...]
    options: Mapping[str, Any]  # of Client.popen


def parse_line(line: str, work: Path) -> Line:
    """Words before the compiler with `=` are its surroundings; $W is the work folder."""
    words = shlex.split(line.replace("$W", str(work)))
    environment: dict[str, str] = {}
    options: dict[str, Any] = {"env": environment}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        if name == "cd":
            options["cwd"] = work / value
            environment["PWD"] = str(work / value)  # as a shell says it, links and all
        elif name == "umask":
            options["umask"] = int(value, 8)
        else:
            environment[name] = value
    return Line(tuple(words), options)


def compare(client: Client, line: str, **extra: str) -> tuple[Seen, Seen]:
    """Run a line without and with fleetcc; what is left to chance is blank in both."""
    parsed = parse_line(line, client.work)
    options = dict(parsed.options)
    plain = see(client, client.work, parsed.argv, **options)
    through_options = options | {"env": options["env"] | extra}
    through = see(client, client.work, [str(client.launcher), *parsed.argv], **through_options)
    if through != plain:
        hide_chance(plain, through, see(client, client.work, parsed.argv, **options))
    return plain, through
