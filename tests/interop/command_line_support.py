"""Runs one command line with the plain compiler and in preprocessed mode, without agent or server."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fleetcc.command.analysis import Compilation, LocalOnly, analyze, has_line_markers, names_directory
from fleetcc.command.directives import Refusal, included_files, loses_pragmas, prepare
from fleetcc.command.preprocess import preprocess_argv, remote_argv
from fleetcc.command.serverside import Refused, server_argv, understand
from fleetcc.model import Compiler, Form, Reason
from fleetcc.toolchain.identify import identify

_COMPILERS: dict[bytes, Compiler] = {}


@dataclass(frozen=True, slots=True)
class Ran:
    """What one compiler run left."""

    status: int
    spoken: bytes
    files: dict[bytes, bytes]


def compiler_of(name: bytes) -> Compiler:
    """What the machine's compiler of this name is, asked once."""
    if name not in _COMPILERS:
        _COMPILERS[name] = identify(b"/usr/bin/" + name, name, dict(os.environb))
    return _COMPILERS[name]


def verdict_of(argv: Sequence[bytes], folder: Path) -> Compilation | LocalOnly:
    """The analysis of a command that would run in this folder, with what the agent checks in files."""

    def read_file(name: bytes) -> bytes | None:
        try:
            return (folder / os.fsdecode(name)).read_bytes()
        except OSError:
            return None

    verdict = analyze(argv, compiler_of(argv[0]), {}, read_file)
    if isinstance(verdict, Compilation) and verdict.preprocessed_input:
        head = read_file(verdict.source) or b""
        if not has_line_markers(head) or (verdict.debug and not names_directory(head)):
            return LocalOnly(Reason.NO_LINE_MARKERS, verdict.source)
    return verdict


def run_plainly(argv: Sequence[bytes], folder: Path) -> Ran:
    """The plain compiler; its new and changed files are taken away again."""
    before = _contents(folder)
    done = subprocess.run(argv, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    after = _contents(folder)
    new = {name: data for name, data in after.items() if before.get(name) != data}
    for name in new:
        os.unlink(os.path.join(os.fsencode(folder), name))
    return Ran(done.returncode, done.stdout + done.stderr, new)


def run_remotely(compilation: Compilation, form: Form, folder: Path, server: Path) -> Ran:
    """Preprocess in the folder, compile in the server's, as agent and server would."""
    dependencies = b""
    if compilation.preprocessed_input:
        text = (folder / os.fsdecode(compilation.source)).read_bytes()
    else:
        status, text, spoken, dependencies = _preprocess(compilation, form, folder, server)
        if status or spoken:
            return Ran(status, b"preprocessor: " + spoken, {})
    name = compiler_of(compilation.argv[0]).remote_name
    assert name is not None
    sent = remote_argv(compilation, form, name, os.fsencode(folder))
    if form is Form.EXPANDED:
        assert stock_scanner_takes(sent), sent
    command = understand(sent, form)
    assert not isinstance(command, Refused), command.sentence
    prepared = None
    if form is Form.DIRECTIVES:
        for file in included_files(text):
            if loses_pragmas((folder / os.fsdecode(file)).read_bytes()):
                return Ran(120, b"loses a pragma in " + file, {})
        outcome = prepare(text)
        if isinstance(outcome, Refusal):
            return Ran(120, outcome.sentence.encode(), {})
        prepared, text = outcome, outcome.text
    job = server / "job"
    job.mkdir()
    stem = os.path.basename(command.source).removesuffix(b"." + command.suffix)
    source = os.fsencode(job) + b"/" + stem + b"." + command.suffix
    Path(os.fsdecode(source)).write_bytes(text)
    argv = server_argv(command, b"/usr/bin/" + command.compiler, source, b"output.o", prepared)
    done = subprocess.run(argv, cwd=job, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    files = {}
    if not done.returncode:
        assert set(os.listdir(job)) == {"output.o", os.path.basename(os.fsdecode(source))}
        files[os.path.normpath(compilation.output)] = (job / "output.o").read_bytes()
        if compilation.depfile is not None:
            files[os.path.normpath(compilation.depfile.path)] = dependencies
    return Ran(done.returncode, done.stdout + done.stderr, files)


def _preprocess(
    compilation: Compilation, form: Form, folder: Path, server: Path
) -> tuple[int, bytes, bytes, bytes]:
    before = _contents(folder)
    # The shell gives descriptor 3, as the launcher does.
    wrapper = [b"sh", b"-c", b'exec "$@" 3>"$0"', os.fsencode(server / "dependencies")]
    with open(server / "text", "wb") as text:
        done = subprocess.run(
            wrapper + preprocess_argv(compilation, form),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=text,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert _contents(folder) == before, "the preprocessor wrote beside its output"
    text_bytes, dependencies = ((server / name).read_bytes() for name in ("text", "dependencies"))
    return done.returncode, text_bytes, done.stderr, dependencies


def _contents(folder: Path) -> dict[bytes, bytes]:
    top = os.fsencode(folder)
    found = {}
    for directory, _, names in os.walk(top):
        for name in names:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, top)] = file.read()
    return found


_SOURCE_SUFFIXES = tuple(b"." + s for s in b"i ii c cc cpp cxx cp c++ C m mm mi mii M".split())
_SCANNER_LOCAL = (b"-E", b"-flto", b"-march=native", b"-mtune=native", b"-frepo", b"--coverage")


def stock_scanner_takes(argv: Sequence[bytes]) -> bool:
    """distcc-compat.md 5.1 to 5.3: would a stock distccd find one source and one output in this?"""
    sources, outputs, stage = 0, 0, False
    words = iter(argv)
    for word in words:
        if word.startswith(b"-"):
            if word in _SCANNER_LOCAL or word.startswith((b"-M", b"-specs=", b"-dr", b"-x")):
                return False
            if word.startswith(b"-Wa,") and (b",-a" in word or b"--MD" in word):
                return False
            stage = stage or word in {b"-c", b"-S"}
            if word == b"-o":
                next(words)
                outputs += 1
        elif word.endswith(_SOURCE_SUFFIXES):
            sources += 1
        elif word.endswith(b".o"):
            outputs += 1
    return (sources, outputs, stage) == (1, 1, True)
