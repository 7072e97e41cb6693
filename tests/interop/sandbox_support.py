"""Sandboxed runs for tests, as root and as an ordinary user: a helper, a tree, and what came of it."""

import os
import pickle
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar, cast

from fleetcc.sandbox.outcome import Outcome
from fleetcc.sandbox.probe import CannotSandbox, Sandbox, probe
from fleetcc.sandbox.run import Run
from fleetcc.sandbox.scratch import Collected, TooMuch
from fleetcc.sandbox.spec import Limits, Spec

_T = TypeVar("_T")

ROOT: Final = Path(__file__).parents[2]
STRICT: Final = ("-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
ORDINARY: Final = 65534
NORMAL: Final = Limits()
# Root and an ordinary user where this is root, else the one that there is.
USERS: Final = (0, ORDINARY) if os.geteuid() == 0 else (os.geteuid(),)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="fleetcc-sandbox-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def compile_helper(target: Path, compiler: str = "gcc") -> None:
    """The helper, every warning an error."""
    sources = sorted(map(str, (ROOT / "native" / "sandbox").glob("*.c")))
    subprocess.run([compiler, *STRICT, "-O2", "-static", *sources, "-o", str(target)], check=True)


def compile_program(target: Path) -> None:
    """The program that is run inside."""
    source = ROOT / "tests" / "interop" / "sandbox_program.c"
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-w", "-static", str(source), "-o", str(target)], check=True)


def make_tree(tree: Path, program: Path) -> None:
    """A root with the program and one input."""
    for folder in ("bin", "work/dir"):
        (tree / folder).mkdir(parents=True)
    shutil.copy(program, tree / "bin" / "program")
    (tree / "work" / "dir" / "input").write_bytes(b"as it was\n")


def hand_over(folder: Path, user: int) -> None:
    """Everything below becomes this user's."""
    if user != os.geteuid():
        for parent, _, names in os.walk(folder):
            for path in (parent, *(os.path.join(parent, name) for name in names)):
                os.chown(path, user, user, follow_symlinks=False)


def as_user(user: int, work: Callable[[], _T]) -> _T:
    """Do it in a child that is this user, for good; what it returns or raises is ours."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork: the child uses no lock of ours
        child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(60)
        with open(writing, "wb") as answer:
            answer.write(_attempt(user, work))
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as question:
        data = question.read()
    os.waitpid(child, 0)
    assert data, "the child died"
    worked, result = pickle.loads(data)
    if not worked:
        raise AssertionError(result)
    return cast("_T", result)


def _attempt(user: int, work: Callable[[], object]) -> bytes:
    try:
        if user != os.geteuid():
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        return pickle.dumps((True, work()))
    except BaseException as error:  # noqa: BLE001 - the parent raises it
        return pickle.dumps((False, repr(error)))


@dataclass(frozen=True)
class Result:
    """What one run came to."""

    outcome: Outcome
    stdout: bytes
    status: int  # of the helper
    files: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)  # mode and content
    others: int = 0
    too_much: str = ""
    removed: tuple[bytes, ...] = ()

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (
            self.outcome, self.stdout, self.status, self.files, self.others, self.too_much, self.removed
        )  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A user with a helper, a tree and a program in it."""

    user: int
    helper: Path
    tree: Path

    def spec(self, *arguments: str | bytes, limits: Limits = NORMAL, **changes: object) -> Spec:
        argv = (b"program", *map(os.fsencode, arguments))
        spec = Spec(os.fsencode(self.tree), b"/bin/program", argv, (), b"/work/dir", 0o022, limits)
        return replace(spec, **changes)  # type: ignore[arg-type]

    def run(self, spec: Spec, returns: tuple[bytes, ...] = (b"/work/dir",)) -> Result:
        """Run it to its end, as the user."""
        return self.act(lambda sandbox: carry_out(sandbox, spec, returns))

    def act(self, work: Callable[[Sandbox], _T]) -> _T:
        """Do this as the user, with a sandbox."""

        def with_sandbox() -> _T:
            sandbox = probe(str(self.tree.parent / "state"), str(self.helper))
            assert not isinstance(sandbox, CannotSandbox), sandbox
            try:
                return work(sandbox)
            finally:
                sandbox.close()

        return as_user(self.user, with_sandbox)


def start(run: Run, stdout: int) -> "subprocess.Popen[bytes]":
    """The process of a run, as a server starts it."""
    process = subprocess.Popen(
        run.argv,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stdout,
        pass_fds=run.pass_fds,
        start_new_session=True,
    )
    run.started()
    return process


def carry_out(
    sandbox: Sandbox, spec: Spec, returns: tuple[bytes, ...], inherited: tuple[int, ...] = ()
) -> Result:
    """Run it to its end, here."""
    stdout = os.memfd_create("stdout")
    run = sandbox.run(spec, inherited)
    try:
        process = start(run, stdout)
        status = process.wait(50)
        result = Result(run.outcome(), os.pread(stdout, 1 << 24, 0), status)
        if run.scratch is None:
            return result
        left = run.scratch.collect(spec.tree, returns, spec.existing)
        if isinstance(left, TooMuch):
            return replace(result, too_much=left.sentence)
        assert isinstance(left, Collected)
        files = {file.path: (file.mode, file.read()) for file in left.files}
        return replace(result, files=files, others=left.others, removed=left.removed)
    finally:
        run.close()
        os.close(stdout)
