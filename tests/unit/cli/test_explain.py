"""`fleetcc explain`, with this machine's gcc and hosts that are listeners on loopback."""

import os
import shutil
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fleetcc.agent.history_file import encode_history, write_history
from fleetcc.cli.explain import command
from fleetcc.model import Form
from fleetcc.scheduling.history import History, Record
from fleetcc.toolchain.identity import Identity, compute_identity
from fleetcc.wire.greeting import Welcome, encode_welcome
from tests.support.past_builds import local, remote, write_journal
from tests.support.past_cli import sentence, verb
from tests.unit.cli.test_hosts import host

__all__ = ["host", "verb"]  # fixtures

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")


def answer(no_files: str | None = "", *compilers: str) -> bytes:
    welcome = Welcome("fleetccd 9", tuple(Form), (1, 2), 8, 8, 0, 0, compilers, no_files)
    return encode_welcome(welcome)


def _gcc_here() -> str:
    program = shutil.which("gcc")
    identity = compute_identity(os.fsencode(program), os.environb) if program is not None else None
    return identity.digest if isinstance(identity, Identity) else ""


FILES = answer()
TEXT = answer("no namespaces", _gcc_here())
OTHER = answer("no namespaces", "f" * 16)
STOCK = b""


@pytest.fixture
def explain(bare: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Any) -> Any:
    monkeypatch.chdir(tmp_path)

    def invoke(line: str, *answers: bytes | str, **variables: str) -> tuple[dict[str, str], list[str]]:
        hosts = [each if isinstance(each, str) else host(each).entry for each in answers]
        monkeypatch.setenv("FLEETCC_HOSTS", " ".join(hosts))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        result = CliRunner().invoke(command, ["--", *line.split()], catch_exceptions=False)
        assert result.exit_code == 0
        lines = [tuple(text.split(None, 1)) for text in result.output.splitlines()]
        told = [text for name, text in lines if name == "host"]
        for entry, short in zip(hosts, "ABC", strict=False):
            told = [text.replace(entry.partition(",")[0], short) for text in told]
        return {name: text for name, text in lines if name not in {"host", "and", "runs"}}, told

    return invoke


def test_a_host_that_takes_files_gets_files(explain: Any) -> None:
    told, hosts = explain("gcc -O2 -MD -c a.c -o out/a.o", FILES)

    assert told["decision"] == "on a host (remote), as files"
    assert (told["source"], told["output"]) == ("a.c", "out/a.o")
    assert hosts == ["A: can take it (as files)"]
    assert "depfile" not in told  # the compiler there writes it


def test_a_host_without_a_sandbox_gets_text(explain: Any) -> None:
    told, hosts = explain("gcc -O2 -MD -c a.c -o out/a.o", TEXT, STOCK)

    assert told["decision"] == "on a host (remote), as preprocessed text"
    assert hosts == ["A: can take it (expanded)", "B: can take it (expanded)"]
    assert told["depfile"] == "out/a.d (written by the preprocessor here)"


def test_each_host_gets_what_it_can_take(explain: Any) -> None:
    _, hosts = explain("gcc -g -c a.c", FILES, TEXT, STOCK)

    assert hosts[:2] == ["A: can take it (as files)", "B: can take it (directives)"]
    assert hosts[2].startswith(
        "C: cannot: it takes no files: it runs no fleetccd; it takes text only in a form"
    )


def test_what_only_files_carry_stays_where_no_host_takes_them(explain: Any) -> None:
    told, hosts = explain("gcc -march=native -c a.c", TEXT)

    assert told["decision"] == "here (native-cpu)"
    assert hosts == ["A: cannot: it takes no files: no namespaces; the job may not go as text"]


@pytest.mark.parametrize(
    ("mode", "decision"),
    [
        ("auto", "on a host (remote), as files"),
        ("replica", "on a host (remote), as files"),
        ("preprocessed", "on a host (remote), as preprocessed text"),
        ("local", "here (mode-local)"),
    ],
)
def test_the_mode_is_obeyed(explain: Any, mode: str, decision: str) -> None:
    told, _ = explain("gcc -c a.c", answer("", _gcc_here()), FLEETCC_MODE=mode)

    assert told["decision"] == decision


def test_replica_mode_without_a_sandbox_says_why_it_stays(explain: Any) -> None:
    told, _ = explain("gcc -c a.c", TEXT, FLEETCC_MODE="replica")

    assert told["decision"] == "here (no-sandbox)"


def test_what_stays_in_any_case_asks_no_host(explain: Any) -> None:
    told, _ = explain("gcc a.c", FILES)

    assert told["decision"] == "here (linking)"


def source(text: str = "int x;\n", name: str = "a.c") -> None:
    Path(name).write_text(text)


def test_its_files_and_its_toolchain_are_counted(explain: Any) -> None:
    Path("a.h").write_text("int y;\n")
    source('#include "a.h"\n')

    told, _ = explain("gcc -O2 -c a.c", FILES)

    assert told["inputs"] == "3 files of source and headers, 2.4 KB"  # gcc has one of its own
    assert told["toolchain"].startswith("can be sent as files: ")
    assert told["travels"].startswith("at most ")
    assert "asks" not in told


def test_what_the_scanner_cannot_tell_the_compiler_is_asked(explain: Any) -> None:
    Path("a.h").write_text("int y;\n")
    source("#define Q(x) #x\n#define S(x) Q(x)\n#include S(gcc-__GNUC__.h)\n")

    told, _ = explain("gcc -O2 -c a.c", FILES)

    assert told["asks"].startswith("`cc -M`: the scanner cannot tell all by itself (")


def test_a_toolchain_that_cannot_be_sent_is_said(explain: Any) -> None:
    source()

    told, hosts = explain("gcc -O2 -c a.c", FILES, TEXT, LD_PRELOAD="/nonexistent.so")

    assert told["as"].startswith("files  impossible: the compiler cannot be sent as files: ")
    assert hosts == [
        "A: cannot: the job cannot go as files; as text it needs this very compiler there",
        "B: can take it (expanded)",
    ]
    assert told["decision"] == "on a host (remote), as preprocessed text"


def test_a_host_with_another_compiler_cannot_take_text(explain: Any) -> None:
    told, hosts = explain("gcc -c a.c", OTHER)

    assert told["decision"] == "here (no-same-compiler)"
    assert hosts == ["A: cannot: it takes no files: no namespaces; as text it needs this very compiler there"]


def test_hosts_that_are_away_are_named_with_their_trouble(explain: Any) -> None:
    told, hosts = explain("gcc -c a.c", "127.0.0.1:1", FILES)

    assert told["decision"] == "on a host (remote), as files"
    assert "Connection refused" in hosts[0]
    told, _ = explain("gcc -c a.c", "127.0.0.1:1")
    assert told["decision"] == "here (all-hosts-failing)"


def test_this_machine_takes_it_when_its_entry_is_free_first(explain: Any) -> None:
    told, hosts = explain("gcc -c a.c", "localhost", FILES)

    assert told["decision"] == "on a host (remote), as files"
    assert hosts[0] == "A: takes it when it is free first"


def test_a_stock_host_that_preprocesses_gets_files_of_another_kind(explain: Any, host: Any) -> None:
    source()

    told, hosts = explain("gcc -O2 -c a.c", host(STOCK).entry + ",lzo,cpp")

    assert told["decision"] == "on a host (remote), in pump mode"
    assert hosts == ["A: can take it (in pump mode)"]
    assert told["pump"] == "it would go in pump mode to hosts with `,cpp`"


def test_what_pump_mode_cannot_carry_is_said(explain: Any, host: Any) -> None:
    source("char *s = __TIME__;\n")

    told, hosts = explain("gcc -O2 -c a.c", host(STOCK).entry + ",lzo,cpp")

    assert told["decision"] == "on a host (remote), as preprocessed text"
    assert told["pump"].startswith("it would not go in pump mode: ")
    assert hosts == ["A: can take it (expanded)"]


def test_the_agents_history_predicts(explain: Any, tmp_path: Path) -> None:
    source()
    state = tmp_path / ".local" / "state" / "fleetcc"
    key = blake2b(b"\0".join((os.fsencode(os.getcwd()), b"a.c", b"a.o")), digest_size=8).digest()
    history = History()
    history.restore([(key, Record(3.0, "b1:3632"))], {})
    state.mkdir(parents=True)
    write_history(str(state / "history"), encode_history(history))

    told, hosts = explain("gcc -O2 -c a.c", FILES)

    assert told["predicted"] == "3.0 s on an ordinary host; it took 3.0 s on b1:3632 last time"
    assert hosts == ["A: can take it (as files); about 3.0 s there"]
    told, _ = explain("gcc -O2 -c b.c", FILES)
    assert told["predicted"].endswith("as others: it is new")


def test_what_travelled_last_time_is_known_from_the_journal(explain: Any, tmp_path: Path) -> None:
    source()
    where = str(Path.cwd())
    jobs = [remote(4, label="a.c", directory=where, sent=700), remote(5, label="a.c", directory="/other")]
    write_journal(tmp_path / ".local" / "state" / "fleetcc", jobs)

    told, _ = explain("gcc -O2 -c a.c", FILES)

    assert told["last"].startswith("time 700 B were sent to b1:3632, whose compiler took 1.0 s (")
    assert "fleetcc explain --job 4" in told["last"]


def test_the_launcher_is_no_compiler(explain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when it is typed, nor when PATH has it first under the compiler's name."""
    launcher, masked = tmp_path / "fleetcc", tmp_path / "masked"
    launcher.write_text("#!/bin/sh\nexit 1\n")
    launcher.chmod(0o755)
    masked.mkdir()
    (masked / "gcc").symlink_to(launcher)
    monkeypatch.setenv("PATH", str(masked), prepend=os.pathsep)

    for line in ("gcc -c a.c", "fleetcc gcc -c a.c", f"{launcher} gcc -c a.c"):
        told, _ = explain(line, FILES)
        assert told["decision"] == "on a host (remote), as files"
        assert not told["compiler"].startswith(str(tmp_path))


# -- the stories of past jobs


@pytest.fixture
def past(tmp_path: Path) -> None:
    jobs = [remote(1), remote(2), local(3, detail="a\x1bb"), remote(1, agent="a2", label="new.cc")]
    (write_journal(tmp_path / "state", jobs).parent).chmod(0o700)


def heads(output: str) -> list[str]:
    return [line.partition(", in ")[0] for line in output.splitlines() if line.startswith("job ")]


@pytest.mark.usefixtures("past")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--last"], ["job 1, new.cc"]),
        (["--last", "2"], ["job 3, app3", "job 1, new.cc"]),
        (["--job", "2"], ["job 2, src/u2.cc"]),
        (["--job", "1"], ["job 1, new.cc"]),  # of the newest agent
    ],
)
def test_past_jobs_are_told(verb: Any, arguments: list[str], told: list[str]) -> None:
    result = verb(command, *arguments)

    assert heads(result.output) == told
    assert "\x1b" not in result.output


@pytest.mark.usefixtures("past")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--job", "99"], "no job 99 has ended, as far as the journal goes back; the last one is 1"),
        (["--last", "--job", "1"], "give one of COMMAND, --last and --job"),
        (["--job", "1", "--", "gcc", "-c", "a.c"], "give one of COMMAND, --last and --job"),
        ([], "what shall be explained?"),
        (["--", "no-such-compiler", "-c", "a.c"], "no-such-compiler: command not found"),
    ],
)
def test_what_cannot_be_told_is_said(verb: Any, arguments: list[str], words: str) -> None:
    assert words in sentence(verb(command, *arguments))
