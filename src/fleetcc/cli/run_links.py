"""Folders of links with compilers' names, to be found first on PATH.

A folder is made once for each set of names and stays: CMake writes the path of the compiler that it finds
into its cache, and such a build folder must work tomorrow too. Its name comes from what is in it, so runs
that see the same compilers share one, and nothing in it ever changes.
"""

import contextlib
import hashlib
import os
import shutil
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from fleetcc.cli.run_ccache import CCACHE
from fleetcc.command.names import parse_compiler_name
from fleetcc.errors import FleetccError
from fleetcc.settings import printable

LAUNCHER: Final = "fleetcc"
_LAUNCHERS: Final = ("fleetcc", "distcc")


def find_launcher(path: str) -> str:
    """The program `fleetcc`: beside the one that was called, else beside this Python, else on PATH."""
    beside = os.path.dirname(os.path.realpath(sys.argv[0]))
    for folder in (beside, sysconfig.get_path("scripts")):
        if _is_program(os.path.join(folder, LAUNCHER)):
            return os.path.join(folder, LAUNCHER)
    found = shutil.which(LAUNCHER, path=path)
    if found is None:
        raise FleetccError(f"no program {LAUNCHER} beside fleetcc-cli nor on PATH; reinstall fleetcc")
    return os.path.abspath(found)


@dataclass(frozen=True, slots=True)
class Found:
    """The compilers of a PATH."""

    names: tuple[str, ...]  # that links shall have
    by_ccache: tuple[str, ...]  # those whose first is ccache, which will call us


def find_compilers(path: str) -> Found:
    """Every name of a gcc or clang driver on PATH, by what is found first under it."""
    first: dict[str, str] = {}
    for entry in _entries(path):
        if parse_compiler_name(os.fsencode(entry.name)) is not None and entry.name not in first:
            target = os.path.basename(os.path.realpath(entry.path))
            if target not in _LAUNCHERS and _is_program(entry.path):
                first[entry.name] = target
    by_ccache = sorted(name for name, target in first.items() if target == CCACHE)
    return Found(tuple(sorted(first.keys() - set(by_ccache))), tuple(by_ccache))


def make_folder(parent: str, links: Mapping[str, str], scripts: Mapping[str, str]) -> str:
    """The folder with these links (name to target) and scripts (name to text) in it."""
    content = repr((sorted(links.items()), sorted(scripts.items())))
    folder = os.path.join(parent, hashlib.sha256(os.fsencode(content)).hexdigest()[:16])
    if os.path.isdir(folder):
        return folder
    try:
        # One by one: the mode is that of the last, and an agent takes no folder that others may enter.
        for each in (os.path.dirname(parent), parent):
            os.makedirs(each, mode=0o700, exist_ok=True)
        _build(parent, folder, links, scripts)
    except OSError as error:
        raise FleetccError(
            f"cannot make a folder of compilers' names in {printable(parent)}: {error.strerror}; "
            "FLEETCC_DIR moves it, --variables does without"
        ) from error
    return folder


def _build(parent: str, folder: str, links: Mapping[str, str], scripts: Mapping[str, str]) -> None:
    made = tempfile.mkdtemp(dir=parent, prefix=".new-")
    try:
        for name, target in links.items():
            os.symlink(target, os.path.join(made, name))
        for name, text in scripts.items():
            with open(os.path.join(made, name), "w", opener=_executable, errors="surrogateescape") as file:
                file.write(text)
        with contextlib.suppress(OSError):  # another run was first
            os.rename(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _executable(path: str, flags: int) -> int:
    return os.open(path, flags, 0o755)


def _entries(path: str) -> Iterator["os.DirEntry[str]"]:
    for folder in path.split(":"):
        with contextlib.suppress(OSError):
            yield from os.scandir(folder or ".")


def _is_program(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.X_OK)
    except OSError:
        return False
