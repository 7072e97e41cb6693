"""Asks build tools for their version."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Final

from fleetcc.jobserver.tools import Ask

_SECONDS: Final = 10.0


def asker(environment: Mapping[str, str]) -> Ask:
    """Runs `PROGRAM --version`, each program once; programs are those of this environment's PATH."""
    told: dict[str, str] = {}

    def ask(program: str) -> str:
        if program not in told:
            told[program] = _version_line(program, environment)
        return told[program]

    return ask


def _version_line(program: str, environment: Mapping[str, str]) -> str:
    path = shutil.which(program, path=environment.get("PATH", os.defpath))
    if path is None:
        return ""
    plain = {name: value for name, value in environment.items() if name not in {"MAKEFLAGS", "GNUMAKEFLAGS"}}
    try:
        done = subprocess.run(
            [path, "--version"], env={**plain, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").partition("\n")[0]
