"""What a sandboxed program can do, and what it cannot, as root and as an ordinary user."""

import errno
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from fleetcc.sandbox.outcome import Ended, Killed, NotStarted, Stage, outcome
from fleetcc.sandbox.spec import Limits
from tests.interop.sandbox_support import (
    ORDINARY,
    USERS,
    Place,
    carry_out,
    compile_helper,
    compile_program,
    hand_over,
    make_tree,
    open_folder,
)


@pytest.fixture(scope="module")
def programs():
    """The helper and the program, compiled once."""
    with open_folder() as folder:
        compile_helper(folder / "fleetcc-sandbox")
        compile_program(folder / "program")
        yield folder


@pytest.fixture(params=USERS, ids=lambda user: "root" if user == 0 else "ordinary")
def place(request, programs):
    """Each user's own place."""
    with open_folder() as folder:
        make_tree(folder / "tree", programs / "program")
        hand_over(folder, request.param)
        yield Place(request.param, programs / "fleetcc-sandbox", folder / "tree")


def snapshot(tree: Path) -> dict[str, tuple[object, ...]]:
    """Everything that a compiler could see of a tree."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [tree, *tree.rglob("*")]:
        facts = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(facts.st_mode) else b""
        found[str(path)] = (facts.st_mode, facts.st_mtime_ns, facts.st_ino, facts.st_uid, content)
    return found


def status_of(result) -> int:
    assert isinstance(result.outcome, Ended), result
    return result.outcome.status


@pytest.mark.parametrize("status", [0, 1, 4, 125, 255])
def test_the_exit_status_is_the_programs(place, status):
    result = place.run(place.spec("exit", str(status)))

    assert (status_of(result), result.status) == (status << 8, status)


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_is_told_as_one(place, number):
    result = place.run(place.spec("signal", str(int(number))))

    assert os.WTERMSIG(status_of(result)) == number
    assert result.status == -number


def test_what_is_written_is_collected_and_the_tree_stays_as_it_was(place):
    before = snapshot(place.tree)

    result = place.run(place.spec("write", "/work/dir/input", "changed"))

    assert result.files == {b"/work/dir/input": (0o644, b"changed")}
    assert snapshot(place.tree) == before


def test_files_that_are_not_asked_for_are_not_collected(place):
    result = place.run(place.spec("write", "/tmp/x", "x"), returns=(b"/work/dir",))

    assert (status_of(result), result.files) == (0, {})


def test_a_new_file_has_the_mode_that_the_umask_leaves(place):
    result = place.run(place.spec("write", "new.o", "object", umask=0o077))

    assert result.files == {b"/work/dir/new.o": (0o600, b"object")}


def test_what_no_compiler_needs_is_refused(place):
    lines = dict(line.split() for line in place.run(place.spec("forbidden")).stdout.decode().splitlines())

    expected = {"kill-1": "ok", "clone3": "ENOSYS", "setuid": "EINVAL"}  # it is said, and number 1 lives on
    assert {name: lines.pop(name) for name in expected} == expected
    assert len(lines) == 22
    assert set(lines.values()) == {"EACCES", "EPERM", "EROFS", "ENOENT"}, lines


def test_the_program_is_nobody_special(place):
    told = place.run(place.spec("identity")).stdout.decode()

    inside = place.user or 65534
    assert f"uid {inside} {inside}\ngid {inside} {inside}\npid 2\ngroup 1\nhost fleetcc\nnnp 1\n" in told
    capabilities = [line.split()[1] for line in told.splitlines() if line.startswith("Cap")]
    assert [int(each, 16) for each in capabilities] == [0] * 5
    assert "Seccomp:\t2" in told


def test_a_set_uid_program_gains_nothing(place):
    (place.tree / "bin" / "program").chmod(0o6755)

    told = place.run(place.spec("identity")).stdout.decode()

    inside = place.user or 65534
    assert told.startswith(f"uid {inside} {inside}\ngid {inside} {inside}\n")


def test_only_its_own_processes_are_to_be_seen(place):
    names = place.run(place.spec("list", "/proc")).stdout.split()

    assert sorted(name for name in names if name.isdigit()) == [b"1", b"2"]


def test_the_root_is_the_tree_and_little_else(place):
    names = place.run(place.spec("list", "/")).stdout.split()

    assert sorted(names) == [b"bin", b"dev", b"proc", b"tmp", b"work"]


def test_devices_are_there_and_no_terminal(place):
    told = place.run(place.spec("devices")).stdout

    assert told == b"full 1 zero 1 random 1 null 1 stdout 1 tty 0\n"


def test_the_program_holds_three_descriptors_and_the_helper_the_slot(place):
    def work(sandbox):
        slot, other = os.pipe()
        result = carry_out(sandbox, place.spec("descriptors"), (), (slot, other))
        os.close(other)
        return result.stdout, os.read(slot, 1)  # at its end: the helper held `other` no longer than it lived

    assert place.act(work) == (b"0 1 2 stdin 0\n", b"")


def test_argv_and_environment_arrive_exactly(place):
    argv = (b"words", b"", b"a b", b"\xff\n'\"", b"")
    environment = (b"EMPTY=", b"X=\xfe=1", b"no equals sign")

    told = place.run(place.spec(*argv, environment=environment)).stdout

    expected = b"program\0" + b"".join(word + b"\0" for word in argv) + b"--\n"
    assert told == expected + b"".join(word + b"\0" for word in environment)


def test_a_hundred_thousand_arguments_arrive(place):
    argv = ["words", *(str(number) for number in range(100_000))]

    told = place.run(place.spec(*argv)).stdout

    assert told.count(b"\0") == 100_002
    assert told.endswith(b"\x0099999\0--\n")


def test_more_arguments_than_the_kernel_takes_are_told(place):
    result = place.run(place.spec("words", "x" * (200 << 10)))

    assert result.outcome == NotStarted(Stage.EXEC, errno.E2BIG)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"program": b"/bin/missing"}, NotStarted(Stage.EXEC, errno.ENOENT)),
        ({"program": b"/work/dir/input"}, NotStarted(Stage.EXEC, errno.EACCES)),
        ({"cwd": b"/work/missing"}, NotStarted(Stage.CWD, errno.ENOENT)),
        ({"cwd": b"/work/dir/input"}, NotStarted(Stage.CWD, errno.ENOTDIR)),
        ({"tree": b"/missing"}, NotStarted(Stage.TREE, errno.ENOENT)),
    ],
)
def test_what_cannot_be_started_says_why(place, changes, outcome):
    result = place.run(place.spec("exit", "0", **changes))

    assert (result.outcome, result.status) == (outcome, 125)


@pytest.mark.parametrize("name", ["with space", "a:b,c\\d", "line\nline", "\\:", "x" * 255])
def test_a_tree_may_have_any_name(place, name):
    tree = place.tree.rename(place.tree.parent / name)

    result = place.run(place.spec("write", "x", "1", tree=os.fsencode(tree)))

    assert result.files == {b"/work/dir/x": (0o644, b"1")}


def test_paths_may_be_as_long_as_the_kernel_takes_them(place):
    outside = os.fsencode(place.tree.parent)
    fill = b"".join(b"/" + b"y" * 254 for _ in range(16))
    tree = (outside + fill)[: 4095 - 2] + b"/t"
    inside = fill[: 4095 - 1] + b"/"  # the end slash is allowed for directories
    deepest = inside[:4090].rstrip(b"/")
    tree_fd = make_deep(place.tree, deepest)
    move_deep(outside, tree, place.tree)
    hand_over(place.tree.parent, place.user)
    os.close(tree_fd)

    result = place.run(place.spec("exit", "7", tree=tree, cwd=deepest))

    assert status_of(result) == 7 << 8


def make_deep(folder: Path, path: bytes) -> int:
    """Make a path whose whole is longer than a call takes, one directory after the other."""
    top = descriptor = os.open(folder, os.O_RDONLY)
    for name in path.split(b"/")[1:]:
        os.mkdir(name, dir_fd=descriptor)
        os.chmod(name, 0o755, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        if descriptor != top:
            os.close(descriptor)
        descriptor = inner
    if descriptor != top:
        os.close(descriptor)
    return top


def move_deep(outside: bytes, target: bytes, tree: Path) -> None:
    """Move a tree to a path as long as a call takes."""
    os.makedirs(os.path.dirname(target))
    os.rename(tree, target)
    assert os.path.isdir(target)
    assert len(target) == 4095


def test_a_link_of_the_tree_is_followed_where_the_program_followed_it(place):
    (place.tree / "home").symlink_to("/work/../work")
    (place.tree / "tmp").symlink_to("work/dir")

    result = place.run(place.spec("write", "/home/dir/x", "1"), returns=(b"/home/dir", b"/work"))
    through_tmp = place.run(place.spec("write", "/tmp/x", "1"), returns=(b"/tmp",))

    assert result.files == {b"/home/dir/x": (0o644, b"1")}
    assert through_tmp.files == {b"/tmp/x": (0o644, b"1")}


def test_a_daemon_ends_with_the_program(place):
    before = processes_of(place)

    result = place.run(place.spec("daemon"))

    assert (status_of(result), result.stdout) == (0, b"left\n")
    assert processes_of(place) == before


def processes_of(place) -> set[int]:
    """Every process that runs the program of this place, or its helper: told apart by the inode."""
    files = [place.helper.stat(), (place.tree / "bin" / "program").stat()]
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                facts = os.stat(f"/proc/{name}/exe")
            except OSError:
                continue
            if any((facts.st_ino, facts.st_size) == (each.st_ino, each.st_size) for each in files):
                found.add(int(name))
    return found


def test_sigterm_ends_everything_before_the_helper_ends(place):
    def end(process):
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    assert family_ends(place, end) == (True, Killed())


def test_a_killed_helper_takes_everything_along(place):
    def end(process):
        process.kill()
        process.wait(30)

    assert family_ends(place, end) == (True, Killed())


def test_everything_ends_when_nobody_reads_the_status(place):
    assert family_ends(place, None) == (True, None)


def family_ends(place, end):
    """Start a program with children in sessions of their own, end it so, and watch every one of them end."""

    def work(sandbox):
        from tests.interop.sandbox_support import start  # noqa: PLC0415 - in the child

        reading, writing = os.pipe()
        run = sandbox.run(place.spec("family"))
        process = start(run, writing)
        os.close(writing)
        count = 0
        while count < 4:
            count += os.read(reading, 100).count(b"here")
        watched = [os.pidfd_open(number) for number in descendants(process.pid)]
        assert len(watched) == 5, watched  # number 1 inside, and the four
        if end is None:
            run.close()
            process.wait(30)
            found = None
        else:
            end(process)
            found = run.outcome()
            run.close()
        return all(wait_for_end(each) for each in watched), found

    return place.act(work)


def descendants(parent: int) -> list[int]:
    children = [int(each) for each in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return children + [below for child in children for below in descendants(child)]


def wait_for_end(pidfd: int) -> bool:
    import select  # noqa: PLC0415 - in the child

    ready, _, _ = select.select([pidfd], [], [], 30)
    os.close(pidfd)
    return bool(ready)


def test_a_file_beyond_the_limit_ends_the_program(place):
    result = place.run(place.spec("fill", "x", "100", limits=Limits(file_bytes=8 << 20)))

    assert os.WTERMSIG(status_of(result)) == signal.SIGXFSZ


def test_many_files_beyond_the_limit_find_no_room(place):
    result = place.run(place.spec("fill", "x", "100", limits=Limits(scratch_bytes=8 << 20)))

    assert result.stdout == b"fill ENOSPC\n"
    assert isinstance(result.outcome, Ended)
    assert result.outcome.is_full


def test_memory_has_a_limit(place):
    result = place.run(place.spec("eat", "300", limits=Limits(memory_bytes=100 << 20)))

    assert result.stdout == b"eat ENOMEM\n"


def test_processes_have_a_limit(place):
    result = place.run(place.spec("bomb", limits=Limits(processes=50)))

    count, reason = result.stdout.split()
    # Of root's processes the kernel limits the numbers, since Linux 6.14.
    assert int(count) < (50 if place.user else 1024)
    assert reason == b"EAGAIN"


def test_mischief_is_neither_followed_nor_fatal(place):
    result = place.run(place.spec("mischief"))

    assert status_of(result) == 0
    assert result.files == {
        b"/work/dir/plain": (0o644, b"plain"),
        b"/work/dir/secret": (0, b"secret"),
        b"/work/dir/closed/inside": (0o644, b"inside"),
    }
    assert result.others == 5  # two links, a pipe, a removed input, and what lies too deep


def test_the_times_and_the_memory_are_the_programs(place):
    result = place.run(place.spec("eat", "64"))

    assert isinstance(result.outcome, Ended)
    assert 64 << 20 <= result.outcome.peak_bytes < 80 << 20
    assert 0 < result.outcome.cpu_seconds < 10
    assert result.outcome.started > 0


def test_two_at_once_do_not_meet(place):
    def work(sandbox):
        import threading  # noqa: PLC0415 - in the child

        results = {}

        def one(name):
            spec = place.spec("write", "/work/dir/x", name)
            results[name] = carry_out(sandbox, spec, (b"/work/dir",))

        threads = [threading.Thread(target=one, args=(str(number),)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {name: result.files for name, result in results.items()}

    expected = {str(number): {b"/work/dir/x": (0o644, b"%d" % number)} for number in range(8)}
    assert place.act(work) == expected


def test_nothing_is_left_behind(place):
    def work(sandbox):
        carry_out(sandbox, place.spec("mischief"), (b"/work/dir",))
        return sorted(os.listdir("/proc/self/fd")), Path("/proc/self/mounts").read_text()

    first = place.act(
        lambda sandbox: (sorted(os.listdir("/proc/self/fd")), Path("/proc/self/mounts").read_text())
    )

    assert place.act(work) == first
    assert sorted(path.name for path in place.tree.parent.iterdir()) == ["state", "tree"]
    assert list((place.tree.parent / "state").iterdir()) == []


@pytest.mark.parametrize(
    "spec", [b"", b"x", b"\0", b"fleetcc-sandbox 1\0", b"fleetcc-sandbox 2\0/\0/\0/cc\x0022\0", b"\0" * 500]
)
def test_a_spec_that_is_none_is_refused(programs, spec):
    with open(os.memfd_create("spec"), "r+b", buffering=0) as file:
        file.write(spec)
        reading, writing = os.pipe()
        command = [programs / "fleetcc-sandbox", "run", str(file.fileno()), str(writing)]
        done = subprocess.run(command, pass_fds=(file.fileno(), writing), check=False)
        os.close(writing)
        with open(reading, "rb") as status:
            found = outcome([status.read()])

    assert (done.returncode, found) == (125, NotStarted(Stage.SPEC, errno.EBADMSG))


def test_numbers_and_counts_of_a_spec_are_checked(programs):
    counts = (b"1", b"0", b"0", b"0")
    good = [b"fleetcc-sandbox 2", b"/", b"/", b"/cc", b"22", *[b"0"] * 6, *counts, b"cc", b""]
    for place, wrong in [(4, b"9"), (5, b"-1"), (6, b""), (7, b"x"), (8, b"9" * 30), (11, b"2"), (11, b"0"),
                         (12, b"1"), (13, b"1"), (14, b"1"), (11, b"%d" % (1 << 62))]:  # fmt: skip
        test_a_spec_that_is_none_is_refused(programs, b"\0".join([*good[:place], wrong, *good[place + 1 :]]))


def test_a_helper_told_nonsense_refuses(programs):
    helper = programs / "fleetcc-sandbox"
    for argv in ([], ["run"], ["run", "1", "2"], ["run", "x", "y"], ["run", "77", "78"], ["other"]):
        assert subprocess.run([helper, *argv], check=False).returncode == 101


@pytest.mark.skipif(shutil.which("clang") is None, reason="no clang here")
def test_the_helper_compiles_without_warnings_with_clang(tmp_path):
    compile_helper(tmp_path / "helper", "clang")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_tests_ran_as_an_ordinary_user_too():
    assert ORDINARY in USERS
