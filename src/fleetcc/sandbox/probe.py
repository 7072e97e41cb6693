"""Finds the helper and tries it once, on the file system that the trees will be on."""

import contextlib
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fleetcc.sandbox.outcome import RECORD_BYTES, Ended, NotStarted, Outcome, Stage, outcome
from fleetcc.sandbox.remedies import SWITCHES, explain
from fleetcc.sandbox.run import Run
from fleetcc.sandbox.scratch import Collected
from fleetcc.sandbox.spec import Spec

HELPER: Final = "fleetcc-sandbox"
# Names another helper; for tests.
VARIABLE: Final = "FLEETCC_SANDBOX"
# It takes 10 ms; a machine that has more to do than it can takes longer.
_PATIENCE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class CannotSandbox:
    """This machine serves no replicas."""

    reason: str
    remedy: str
    stage: Stage | None = None  # that could not be done


class Sandbox:
    """A helper that works here, and the network that all its runs share; `close` gives that back."""

    def __init__(self, helper: bytes, network: tuple[int, ...]) -> None:
        self._helper = helper
        self._network = network
        self.shows_own = True  # whether a Spec may have `own`

    def run(self, spec: Spec, inherited: tuple[int, ...] = ()) -> Run:
        """Prepare one run. Raises ProtocolError for a spec that cannot be run, OSError."""
        return Run(self._helper, self._network, spec, inherited)

    def close(self) -> None:
        """The network goes when the last run in it has ended."""
        while self._network:
            descriptor, *rest = self._network
            self._network = tuple(rest)
            os.close(descriptor)


def find_helper(environment: Mapping[str, str]) -> str | None:
    """Beside this Python, where it is installed, or on PATH."""
    if chosen := environment.get(VARIABLE):
        return chosen
    beside = os.path.join(os.path.dirname(sys.executable), HELPER)
    return beside if os.access(beside, os.X_OK) else shutil.which(HELPER, path=environment.get("PATH"))


def probe(directory: str, helper: str | None) -> Sandbox | CannotSandbox:
    """Run something with a tree in this directory, which is made if need be. Blocks for some 20 ms."""
    if helper is None:
        return CannotSandbox(
            f"{HELPER} is not installed: there was no C compiler when fleetcc was installed",
            "install a C compiler, and then fleetcc again",
        )
    try:
        os.makedirs(directory, exist_ok=True)
        tree = tempfile.mkdtemp(prefix="probe-", dir=directory)
    except OSError as error:
        return CannotSandbox(f"no tree can be made: {error}", "choose another --state-dir")
    try:
        for name in ("folder", "usr"):
            os.mkdir(os.path.join(tree, name), 0o755)
        network = _hold_network(helper)
        if isinstance(network, NotStarted):
            return _explained(network)
        sandbox = Sandbox(os.fsencode(helper), network)
        failure = _try(sandbox, tree)
        if failure is not None and failure.stage is Stage.OWN:
            sandbox.shows_own = False
            failure = _try(sandbox, tree)
    except (OSError, subprocess.SubprocessError) as error:
        return CannotSandbox(f"{helper} cannot be run: {error}", "install fleetcc again")
    finally:
        shutil.rmtree(tree, ignore_errors=True)
    if failure is not None:
        sandbox.close()
    return failure or sandbox


def _hold_network(helper: str) -> tuple[int, ...] | NotStarted:
    """Descriptors of the user namespace and the network namespace. Raises OSError."""
    with subprocess.Popen(
        [helper, "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as holder:
        assert holder.stdout is not None
        ready, _, _ = select.select([holder.stdout], [], [], _PATIENCE_SECONDS)
        record = os.read(holder.stdout.fileno(), RECORD_BYTES) if ready else b""
        if len(record) != RECORD_BYTES:
            holder.kill()
            raise OSError(f"it ended with {holder.wait()}, and has not made a network")
        if isinstance(failure := outcome([record]), NotStarted):
            return failure
        with contextlib.ExitStack() as opened:
            descriptors = []
            for name in ("user", "net"):
                path = f"/proc/{holder.pid}/ns/{name}"
                descriptors.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
                opened.callback(os.close, descriptors[-1])
            opened.pop_all()
        return tuple(descriptors)


def _try(sandbox: Sandbox, tree: str) -> CannotSandbox | None:
    # Without a program the helper writes a file in the current directory, and ends.
    # One of our own directories is also one of the tree, and the other is not.
    own = (b"/usr", b"/var") if sandbox.shows_own else ()
    spec = Spec(os.fsencode(tree), b"", (b"probe",), (), b"/folder", own=own)
    run = sandbox.run(spec)
    try:
        return _judge(run, _carry_out(run), spec)
    finally:
        run.close()


def _carry_out(run: Run) -> Outcome:
    process = subprocess.Popen(
        run.argv, stdin=subprocess.DEVNULL, pass_fds=run.pass_fds, start_new_session=True
    )
    run.started()
    try:
        process.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    return run.outcome()


def _judge(run: Run, found: Outcome, spec: Spec) -> CannotSandbox | None:
    if isinstance(found, NotStarted):
        return _explained(found)
    if isinstance(found, Ended) and found.status == 0 and run.scratch is not None:
        left = run.scratch.collect(spec.tree, [spec.cwd])
        if isinstance(left, Collected) and [file.path for file in left.files] == [b"/folder/proof"]:
            return None
    return CannotSandbox(f"a trial ended unexpectedly: {found}", "report this")


def _explained(failure: NotStarted) -> CannotSandbox:
    switches = {}
    for switch in SWITCHES:
        with contextlib.suppress(OSError), open(f"/proc/sys/{switch}") as file:
            switches[switch] = file.read().strip()
    return CannotSandbox(*explain(failure, switches, is_root=os.geteuid() == 0), failure.stage)
