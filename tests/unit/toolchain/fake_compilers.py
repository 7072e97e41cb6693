"""Compilers that are shell scripts: they answer what an examination asks, and count examinations."""

import os
from pathlib import Path

GCC = r"""#!/bin/sh
here=${0%/*}
case "$*" in
-v)
    echo asked >> "$here/asked"
    printf 'COLLECT_GCC=%s\nTarget: x86_64-linux-gnu\ngcc version 12.2.0 (Fake)\n' "$0" >&2
    ;;
-print-prog-name=as) echo as ;;
-print-prog-name=*)
    name=${1#*=}
    if [ -e "$here/lib/$name" ]; then echo "$here/lib/$name"; else echo "$name"; fi
    ;;
*-dM*c++*) [ -e "$here/lib/cc1plus" ] && printf '#define B 1\n#define A 1\n' ;;
*-dM*) printf '#define A 1\n' ;;
esac
"""

CLANG = r"""#!/bin/sh
here=${0%/*}
case "$*" in
-v) printf 'Fake clang version 14.0.6\nTarget: x86_64-pc-linux-gnu\nInstalledDir: %s\n' "$here" >&2 ;;
-print-prog-name=as) echo "$here/as" ;;
*'-###'*) printf ' (in-process)\n "%s/lib/clang" "-cc1" "-triple" "x86_64"\n' "$here" >&2 ;;
*-dM*) printf '#define A 1\n' ;;
esac
"""

# Answers -v and compiles; whatever else it is asked, it takes for a compile.
STATIC_GCC = r"""#!/bin/sh
case "$1" in
-v) printf 'Target: x86_64-linux-gnu\ngcc version 12.2.0 (free)\n' >&2 ;;
*) echo object > x.o ;;
esac
"""


def program(path: Path, text: str) -> bytes:
    """Make a file that can be run; returns its path as compilers' paths are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return os.fsencode(path)


def fake_gcc(folder: Path) -> bytes:
    """gcc, cc1, cc1plus and as in one folder; returns the driver."""
    for name in ("lib/cc1", "lib/cc1plus", "as"):
        program(folder / name, f"#!/bin/sh\n# {name}\n")
    return program(folder / "gcc", GCC)


def fake_clang(folder: Path) -> bytes:
    """A clang that is a script around the real one; returns the script."""
    for name in ("lib/clang", "as"):
        program(folder / name, f"#!/bin/sh\n# {name}\n")
    return program(folder / "clang", CLANG)


def path_of(*folders: Path) -> dict[bytes, bytes]:
    """An environment with these folders on PATH."""
    return {b"PATH": b":".join(os.fsencode(folder) for folder in folders)}


def times_asked(folder: Path) -> int:
    """How often the fake gcc of this folder was examined."""
    log = folder / "asked"
    return len(log.read_text().splitlines()) if log.exists() else 0
