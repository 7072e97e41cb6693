"""The trial on machines that can sandbox, and on some that cannot: made of this one with unshare(1)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fleetcc.sandbox.probe import CannotSandbox, Sandbox, probe
from tests.interop.sandbox_support import ROOT, compile_helper

TRY = """
import sys
from fleetcc.sandbox.probe import probe
print(probe(sys.argv[1], sys.argv[2]))
"""


@pytest.fixture(scope="module")
def helper(tmp_path_factory):
    """A helper, compiled once."""
    path = tmp_path_factory.mktemp("helper") / "fleetcc-sandbox"
    compile_helper(path)
    return path


def try_after(preparation: str, helper: Path, state: Path) -> str:
    """What a trial says in namespaces that were prepared so by a shell."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare(1) here")
    command = [
        unshare,
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-ec",
        f'{preparation}\nexec "$@"',
        "sh",
    ]
    done = subprocess.run(
        [*command, sys.executable, "-c", TRY, str(state), str(helper)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_works_here_and_leaves_nothing(helper, tmp_path):
    before = set(os.listdir("/proc/self/fd"))

    sandbox = probe(str(tmp_path / "state"), str(helper))

    assert isinstance(sandbox, Sandbox), sandbox
    sandbox.close()
    assert os.listdir(tmp_path / "state") == []
    assert set(os.listdir("/proc/self/fd")) == before


def test_it_works_in_a_user_namespace(helper, tmp_path):
    assert "Sandbox object" in try_after("true", helper, tmp_path)


def test_switched_off_namespaces_are_named(helper, tmp_path):
    told = try_after("echo 0 > /proc/sys/user/max_user_namespaces", helper, tmp_path)

    assert "user.max_user_namespaces=0; making namespaces: No space left on device" in told
    assert "sysctl -w user.max_user_namespaces=" in told


def test_a_masked_proc_is_named(helper, tmp_path):
    told = try_after("mount -t tmpfs none /proc/irq", helper, tmp_path)

    assert "mounting /proc: Operation not permitted" in told
    assert "unmask" in told


def test_a_state_directory_that_is_no_overlays_file_system(helper):
    found = probe("/proc/self", str(helper))

    assert isinstance(found, CannotSandbox)
