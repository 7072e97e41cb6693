"""Both launchers, against an agent whose answers are written here: requests, X, R, P and broken answers."""

import os
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleetcc import __version__
from fleetcc.errors import ExitCode
from fleetcc.wire.launcher import (
    PREPROCESSED,
    encode_answer,
    encode_preprocess,
    encode_result,
)
from tests.support.fake_agent import Session, execute
from tests.support.launcher import World, compile_launcher, is_alive, write_program


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_sources_have_no_warning(compiler: str, tmp_path: Path) -> None:
    compile_launcher(compiler, tmp_path / "fleetcc")


# ---- the request


def test_the_request_says_what_was_typed_and_where(world: World) -> None:
    with world.agent() as agent:
        assert world.run("probe", "-c", "x.c", "", env={"EXTRA": "1"}, umask=0o27).returncode == 7
        request = agent.request

    here = world.work.stat()
    assert request.version == __version__.encode()
    assert request.program == os.fsencode(world.probe)
    assert request.argv == (b"probe", b"-c", b"x.c", b"")
    assert request.cwd == os.fsencode(world.work)
    assert request.cwd_identity == (here.st_dev, here.st_ino)
    assert request.umask == 0o27
    wanted = world.environment | {"EXTRA": "1"}
    assert sorted(request.environment) == sorted(os.fsencode(f"{name}={wanted[name]}") for name in wanted)


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_descriptors_stay_closed(world: World, closed: tuple[int, ...]) -> None:
    write_program(
        world.probe,
        f"#!{sys.executable} -SE\nimport os\n"
        "found = [n for n in range(3) if os.path.exists(f'/proc/self/fd/{n}')]\n"
        "open('seen', 'w').write(str(found))\n",
    )

    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    with world.agent():
        world.run("probe", stdin=subprocess.PIPE, preexec_fn=close)

    expected = [number for number in range(3) if number not in closed]
    assert (world.work / "seen").read_text() == str(expected)


def test_an_environment_of_two_megabytes_arrives(world: World) -> None:
    large = {f"LARGE{number}": "x" * 100_000 for number in range(20)}
    with world.agent() as agent:
        assert world.run("probe", env=large).returncode == 7
        assert os.fsencode("LARGE19=" + "x" * 100_000) in agent.request.environment


def test_names_may_be_any_bytes(world: World) -> None:
    folder = os.fsencode(world.work) + b"/new\nline \xff"
    os.mkdir(folder)
    with world.agent() as agent:
        done = world.run("probe", b"\xff\n.c", cwd=folder)
        request = agent.request

    assert b"\xff\n.c\n" in done.stdout
    assert request.argv == (b"probe", b"\xff\n.c")
    assert request.cwd == folder


# ---- X: the compiler itself


def test_the_compiler_gets_the_terminal_and_its_status_is_ours(world: World) -> None:
    write_program(world.probe, "#!/bin/sh\nread line\necho got $line\necho bad >&2\nexit 3\n")
    with world.agent(), world.popen("probe", stdin=subprocess.PIPE) as process:
        out, err = process.communicate(b"words\n")

    assert (out, err, process.returncode) == (b"got words\n", b"bad\n", 3)


def test_the_open_socket_is_the_lease(world: World) -> None:
    write_program(world.probe, "#!/bin/sh\necho started\nread line\n")
    gone: list[bool] = []

    def lease(session: Session) -> None:
        execute(session)
        gone.append(session.is_gone())

    with world.agent(lease), world.popen("probe", stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        assert gone == []
        process.communicate(b"\n")
    assert gone == [True]


def test_a_script_without_an_interpreter_line_runs_as_in_a_shell(world: World) -> None:
    write_program(world.probe, "echo $0 $1\n")
    with world.agent():
        assert world.run("probe", "a").stdout == os.fsencode(f"{world.probe} a\n")


def test_a_compiler_that_went_away_is_named(world: World) -> None:
    def lease(session: Session) -> None:
        world.probe.unlink()
        execute(session)

    with world.agent(lease):
        done = world.run("probe")

    assert done.returncode == ExitCode.COMPILER_MISSING
    assert done.stderr == os.fsencode(f"fleetcc: {world.probe}: No such file or directory\n")


def test_a_compiler_finds_signals_and_locale_as_without_us(world: World) -> None:
    """Python ignores SIGPIPE and sets LC_CTYPE; gcc would write other quotation marks."""
    write_program(world.probe, "#!/bin/sh\ngrep SigIgn /proc/self/status; echo ${LC_CTYPE-unset}\n")
    with world.agent():
        done = world.run("probe", env={"LC_ALL": ""})
    plain = subprocess.run(
        [world.probe], env=world.environment | {"LC_ALL": ""}, capture_output=True, check=True
    )
    assert done.stdout == plain.stdout


# ---- R: a result


def test_streams_and_status_are_the_compilers(world: World) -> None:
    def script(session: Session) -> None:
        session.send(encode_result(5 << 8, b"out" * 100_000, b"err\xff"))
        assert session.receive() == (b"w", b"", [])

    with world.agent(script):
        done = world.run("probe")

    assert (done.returncode, done.stdout, done.stderr) == (5, b"out" * 100_000, b"err\xff")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM, signal.SIGPIPE])
def test_a_compiler_that_died_by_a_signal_takes_us_with_it(world: World, number: int) -> None:
    with world.agent(lambda session: session.send(encode_result(number, b"", b""))):
        done = world.run(
            "probe", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
        )

    assert done.returncode == -number
    assert os.listdir(world.work) == []


def test_a_slow_reader_on_a_non_blocking_pipe_gets_everything(world: World) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    text = b"line\n" * 200_000
    with (
        world.agent(lambda session: session.send(encode_result(0, text, b""))),
        world.popen("probe", stdout=writing) as process,
        open(reading, "rb") as stream,
    ):
        os.close(writing)
        assert stream.read() == text
    assert process.returncode == 0


def test_words_for_the_user_go_to_stderr(world: World) -> None:
    with world.agent(
        lambda session: session.send(encode_answer(b"V", b"note\n"), encode_result(0, b"", b"warning\n"))
    ):
        assert world.run("probe").stderr == b"note\nwarning\n"


def test_a_loud_failure_has_its_text_and_status(world: World) -> None:
    with world.agent(lambda session: session.send(encode_answer(b"F", b"no hosts \xff", flag=116))):
        done = world.run("probe")

    assert (done.returncode, done.stdout, done.stderr) == (116, b"", b"fleetcc: no hosts \xff\n")


# ---- P: preprocessing


def test_the_preprocessor_writes_into_memory_files(world: World) -> None:
    write_program(world.probe, "#!/bin/sh\nread x && exit 9\necho out $1 $_DISTCC_SAFEGUARD; echo err >&2\n")

    def script(session: Session) -> None:
        session.send(encode_preprocess([b"probe", b"a b"], with_dependencies=False))
        kind, payload, contents = session.receive()
        assert (kind, contents) == (b"p", [b"out a b 1\n", b"err\n"])
        assert PREPROCESSED.unpack(payload) == (0, len(contents[0]), len(contents[1]))
        session.send(encode_result(0, b"", b""))

    with world.agent(script):
        assert world.run("probe", stdin=subprocess.PIPE).returncode == 0


def test_the_last_preprocessor_wins(world: World) -> None:
    write_program(world.probe, "#!/bin/sh\necho $1; echo $1: x >/dev/fd/3; test $1 != a\n")

    def script(session: Session) -> None:
        for word, status in ((b"a", 1 << 8), (b"b", 0)):
            session.send(encode_preprocess([b"probe", word], with_dependencies=True))
            _, payload, contents = session.receive()
            assert PREPROCESSED.unpack(payload)[0] == status
            assert contents[0] == word + b"\n"
        session.send(encode_answer(b"D", b"x.d"), encode_result(0, b"", b""))
        session.receive()

    with world.agent(script):
        world.run("probe")
    assert (world.work / "x.d").read_bytes() == b"b: x\n"


def test_a_preprocessor_that_dies_says_so(world: World) -> None:
    write_program(world.probe, "#!/bin/sh\nkill -9 $$\n")

    def script(session: Session) -> None:
        session.send(encode_preprocess([b"probe"], with_dependencies=False))
        assert PREPROCESSED.unpack(session.receive()[1]) == (9, 0, 0)
        session.send(encode_result(0, b"", b""))

    with world.agent(script):
        assert world.run("probe").returncode == 0


def test_a_parent_that_ignores_its_children_changes_nothing(world: World) -> None:
    def script(session: Session) -> None:
        session.send(encode_preprocess([b"probe"], with_dependencies=False))
        assert PREPROCESSED.unpack(session.receive()[1])[0] == 7 << 8
        session.send(encode_result(0, b"", b""))

    with world.agent(script):
        done = world.run("probe", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert done.returncode == 0


def test_a_killed_launcher_takes_the_preprocessor_with_it(world: World) -> None:
    write_program(world.probe, "#!/bin/sh\necho $$ >pid.new; mv pid.new pid; exec sleep 100\n")
    os.mkfifo(world.work / "ready")
    write_program(world.probe, "#!/bin/sh\necho $$ >ready\nexec sleep 100\n")

    def script(session: Session) -> None:
        session.send(encode_preprocess([b"probe"], with_dependencies=False))
        assert session.is_gone()

    with world.agent(script), world.popen("probe") as process:
        pid = int((world.work / "ready").read_text())
        child = os.pidfd_open(pid)
        process.kill()
        assert select.select([child], [], [], 10)[0] == [child]
        os.close(child)
    assert not is_alive(pid)


# ---- anything doubtful

WHOLE = encode_answer(b"O", b"x.o\0content") + encode_result(0, b"out", b"err")
BROKEN = {
    "nothing at all": b"",
    "an unknown kind": encode_answer(b"?", b""),
    "a preprocessor without arguments": encode_answer(b"P", b""),
    "fewer arguments than announced": encode_answer(b"P", b"probe\0", count=2),
    "an output without a name": encode_answer(b"O", b"x.o"),
    "dependencies that nobody wrote": encode_answer(b"D", b"x.d"),
    "a result without a status": encode_answer(b"R", b"1234"),
    "a result with more stderr than there is": encode_answer(b"R", bytes(4) + b"\xff\0\0\0"),
    **{
        f"{size} of {len(WHOLE)} bytes": WHOLE[:size]
        for size in (1, 7, 8, 10, 12, 15, 19, 20, 27, 30, len(WHOLE) - 1)
    },
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_means_the_compiler_itself(world: World, answer: bytes) -> None:
    with world.agent(lambda session: session.send(answer)):
        done = world.run("probe", "a")

    assert (done.returncode, done.stdout, done.stderr) == (
        7,
        os.fsencode(f"{world.probe}\na\nlevel 1\n"),
        b"",
    )
    assert os.listdir(world.work) == []


@pytest.mark.parametrize("variable", ["FLEETCC_FALLBACK", "DISTCC_FALLBACK"])
def test_without_fallback_a_broken_answer_fails_loudly(world: World, variable: str) -> None:
    with world.agent(lambda session: None):
        done = world.run("probe", env={variable: "0"})

    assert (done.returncode, done.stdout) == (ExitCode.NO_HOSTS, b"")
    assert done.stderr.startswith(b"fleetcc: the agent broke off, and compiling here instead is switched off")


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (["--no-fallback"], {b"FLEETCC_FALLBACK=0"}),
        (["--priority=ci"], {b"FLEETCC_PRIORITY=ci"}),
        (["--priority=ci", "--no-fallback"], {b"FLEETCC_FALLBACK=0", b"FLEETCC_PRIORITY=ci"}),
    ],
)
def test_our_options_are_sent_as_variables(world: World, options: list[str], variables: set[bytes]) -> None:
    with world.agent() as agent:
        world.run(*options, "probe", "a")
        assert agent.request.argv == (b"probe", b"a")
        assert variables <= set(agent.request.environment)


def test_verbose_says_why_the_compiler_runs_here(world: World) -> None:
    with world.agent(lambda session: None):
        done = world.run("probe", env={"FLEETCC_VERBOSE": "1"})
    assert done.stderr == b"fleetcc: the agent broke off: running probe here\n"


def test_an_agent_that_is_leaving_is_left(world: World) -> None:
    answers = [encode_answer(b"A"), encode_result(0, b"second", b"")]
    with world.agent(lambda session: session.send(answers.pop(0))) as agent:
        assert world.run("probe").stdout == b"second"
    assert len({session.request for session in agent.sessions}) == 1


def test_two_leaving_agents_are_enough(world: World) -> None:
    with world.agent(lambda session: session.send(encode_answer(b"A"))) as agent:
        assert world.run("probe").returncode == 7
    assert len(agent.sessions) == 2
