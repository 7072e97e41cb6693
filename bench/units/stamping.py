"""A compiler that costs nothing, and that travels to servers with all the files of a real one."""

import subprocess
from pathlib import Path
from typing import Final

STAMP: Final = "-DSTAMP"  # with it, it only writes down when it was started
_SOURCE: Final = Path(__file__).resolve().parent / "stamping_compiler.c"


def make_stamping(folder: Path, name: str) -> None:
    """`gcc` or `g++`, to be put before the real one on PATH."""
    folder.mkdir(exist_ok=True)
    real = f'-DREAL="/usr/bin/{name}"'
    subprocess.run(["/usr/bin/gcc", "-O2", "-static", real, _SOURCE, "-o", folder / name], check=True)
