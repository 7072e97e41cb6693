import os
import subprocess
import sys

import pytest

from fleetcc.files.mounts import Mounts

# Runs in a mount namespace of its own: a file is mounted over another while both are watched.
SCRIPT = """
import subprocess, sys, time
from fleetcc.files.disk import RealDisk
header, other = (path.encode() for path in sys.argv[1:])
disk = RealDisk(clock=lambda: time.time_ns() + 10**9)
disk.begin()
before = disk.file(header)
assert disk.still({header: before}, {})
subprocess.run(["mount", "--bind", other, header], check=True)
disk.begin()
assert not disk.still({header: before}, {})
mounted = disk.file(header)
assert mounted != before
assert mounted == disk.file(other)
disk.begin()
assert disk.still({header: mounted}, {})
open(other, "a").write("more")
disk.begin()
assert not disk.still({header: mounted}, {})
subprocess.run(["umount", header], check=True)
disk.begin()
assert disk.file(header) == before
print("seen")
"""


def test_nothing_is_told_where_nothing_was_mounted() -> None:
    mounts = Mounts()
    assert mounts.known
    assert not mounts.changed()
    mounts.close()
    mounts.close()
    assert not mounts.known
    assert not mounts.changed()


def test_a_file_that_is_mounted_over_a_header_is_seen(tmp_path) -> None:
    in_namespace = (
        ["unshare", "--user", "--map-root-user", "--mount"] if os.getuid() else ["unshare", "--mount"]
    )
    if subprocess.run([*in_namespace, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    (tmp_path / "x.h").write_text("header")
    (tmp_path / "other.h").write_text("header")
    paths = [os.fspath(tmp_path / name) for name in ("x.h", "other.h")]
    answer = subprocess.run(
        [*in_namespace, sys.executable, "-c", SCRIPT, *paths], capture_output=True, text=True, check=False
    )
    assert answer.stdout == "seen\n", answer.stderr
