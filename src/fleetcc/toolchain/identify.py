"""Asks a compiler binary what it is, once per version of the file.

The answer of `-v` is enough: family, version and target are in it for gcc and clang, native and cross.
Only names that look like a compiler's are ever run; `fleetcc ./build.sh` must not start the script twice.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from typing import Final

from fleetcc.command.names import CompilerName, parse_compiler_name
from fleetcc.model import Compiler, Family

UNKNOWN: Final = Compiler(Family.UNKNOWN, (), b"", None)

ASK_TIMEOUT_SECONDS: Final = 10.0

# Directories whose compilers every server of the same distribution has under the same bare name.
STANDARD_DIRECTORIES: Final = (b"/usr/bin", b"/bin", b"/usr/local/bin")

_GCC_VERSION: Final = re.compile(rb"^gcc version (\d+(?:\.\d+)*)", re.MULTILINE)
_CLANG_VERSION: Final = re.compile(rb"clang version (\d+(?:\.\d+)*)")
_TARGET: Final = re.compile(rb"^Target: (\S+)", re.MULTILINE)

FileStamp = tuple[int, int, int, int]


def file_stamp(path: bytes) -> FileStamp | None:
    """What changes when the file does; None when it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def looks_like_a_compiler(program: bytes) -> bool:
    """True for the names of gcc and clang drivers, with any target prefix and version suffix."""
    return parse_compiler_name(os.path.basename(program)) is not None


def ask_environment(environment: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """The environment to ask in: the job's own, without translation of the answer."""
    return {**environment, b"LC_ALL": b"C", b"_DISTCC_SAFEGUARD": b"1"}


def ask(program: bytes, environment: Mapping[bytes, bytes]) -> bytes:
    """What `program -v` says (blocking); empty when it cannot be run."""
    try:
        done = subprocess.run(
            [program, b"-v"],
            env=ask_environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ASK_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stderr + done.stdout


def understand(answer: bytes) -> tuple[Family, tuple[int, ...], bytes]:
    """Family, version and target out of the answer to `-v`."""
    target = _TARGET.search(answer)
    target_name = target.group(1) if target else b""
    for family, pattern in ((Family.CLANG, _CLANG_VERSION), (Family.GCC, _GCC_VERSION)):
        found = pattern.search(answer)
        if found:
            version = tuple(int(part) for part in found.group(1).split(b"."))
            return family, version, target_name
    return Family.UNKNOWN, (), target_name


def remote_name(program: bytes, typed: bytes, family: Family, version: tuple[int, ...]) -> bytes | None:
    """The most exact bare name under which a server has the same compiler; None when there is none.

    `gcc` is whatever a server's distribution calls so; `x86_64-linux-gnu-gcc-12` is this compiler or
    absent. A name with a slash outside the standard directories means nothing to a server.
    """
    name = os.path.basename(program)
    parsed = parse_compiler_name(name)
    if parsed is None:
        return None
    directory = os.path.dirname(program)
    if directory not in STANDARD_DIRECTORIES:
        return None if b"/" in typed else name
    real = os.path.realpath(program)
    for candidate in _exact_names(parsed, real, family, version):
        if candidate != name and os.path.realpath(os.path.join(directory, candidate)) == real:
            return candidate
    return name


def _exact_names(
    parsed: CompilerName, real: bytes, family: Family, version: tuple[int, ...]
) -> Iterable[bytes]:
    yield os.path.basename(real) if _same_driver(parsed, real, family) else b""
    if version and not parsed.version:
        driver = _driver(parsed, family)
        yield parsed.target_prefix + driver + b"-%d" % version[0]


def _same_driver(parsed: CompilerName, real: bytes, family: Family) -> bool:
    """Is the file's own name a driver of the same language? (clang++ is a link to clang.)"""
    of_file = parse_compiler_name(os.path.basename(real))
    return of_file is not None and _driver(of_file, family) == _driver(parsed, family)


def _driver(parsed: CompilerName, family: Family) -> bytes:
    if parsed.driver in {b"cc", b"c++"}:
        plain = {Family.GCC: (b"gcc", b"g++"), Family.CLANG: (b"clang", b"clang++")}
        if family in plain:
            return plain[family][parsed.driver == b"c++"]
    return parsed.driver


def identify(program: bytes, typed: bytes, environment: Mapping[bytes, bytes]) -> Compiler:
    """Learn what `program` is (blocking: it is run once)."""
    if not looks_like_a_compiler(program):
        return UNKNOWN
    family, version, target = understand(ask(program, environment))
    if family is Family.UNKNOWN:
        return UNKNOWN
    return Compiler(family, version, target, remote_name(program, typed, family, version))
