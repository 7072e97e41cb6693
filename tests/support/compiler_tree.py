"""A root made by hand that holds one compiler, and what one compile reads."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path


def libraries(program: str) -> Iterator[str]:
    """The loader and the shared libraries of a program."""
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    yield from re.findall(r"(/\S+) \(0x", told)


def files_of(compiler: str, source: Path) -> Iterator[str]:
    """Every file that this compile reads."""
    programs = [str(Path("/usr/bin", compiler))]
    for name in ("cc1", "as", "ld"):
        ask = [compiler, f"-print-prog-name={name}"]
        found = shutil.which(subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip())
        programs += [found] if found else []
    for program in programs:
        yield program
        yield from libraries(program)
    headers = subprocess.run(
        [compiler, "-O2", "-M", source], capture_output=True, text=True, check=True
    ).stdout
    yield from (word for word in headers.replace("\\\n", " ").split()[1:] if word.startswith("/"))


def copy_into(tree: Path, paths: Iterable[str]) -> None:
    """Files at the same absolute paths, and the links on the way to them."""
    for path in paths:
        where = "/"
        names = path.split("/")[::-1]
        while names:
            name = names.pop()
            where = os.path.normpath(os.path.join(where, name))
            target = tree / where.lstrip("/")
            if os.path.islink(where):
                link = os.readlink(where)
                if not os.path.lexists(target):
                    target.symlink_to(link)
                names += link.split("/")[::-1]
                where = "/" if link.startswith("/") else os.path.dirname(where)
            elif os.path.isdir(where):
                target.mkdir(exist_ok=True)
            elif not target.exists():
                shutil.copy2(where, target)
