"""Real translation units: sources that PyPI has, downloaded once, and how each of them is compiled."""

import os
import random
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

ROOT: Final = Path(__file__).resolve().parent.parent.parent
WORK: Final = ROOT / "build" / "units"
# Some of them ask for parts of setuptools that its newest versions do not have any more.
_CONSTRAINT: Final = "setuptools<75\n"
_SUFFIXES: Final = {".c": "C", ".cc": "C++", ".cpp": "C++", ".S": "assembler"}
_COMPILERS: Final = {
    "gcc": {"C": "gcc", "assembler": "gcc", "C++": "g++"},
    "clang": {"C": "clang", "assembler": "clang", "C++": "clang++"},
}


@dataclass(frozen=True, slots=True)
class Unit:
    """One source of one project."""

    project: str
    folder: Path  # where the compiler is called
    source: str  # as the compiler is told
    words: tuple[str, ...]  # -I, -D, -std

    @property
    def language(self) -> str:
        """C, C++ or assembler."""
        return _SUFFIXES[os.path.splitext(self.source)[1]]

    def compiler(self, family: str) -> str:
        """The command of `gcc` or of `clang` for this language."""
        return _COMPILERS[family][self.language]


def all_units(work: Path = WORK) -> list[Unit]:
    """Every unit of every project, always in the same order."""
    work.mkdir(parents=True, exist_ok=True)
    return [unit for project in (_libsodium, _box2d, _zstd, _lz4, _ujson, _grpc) for unit in project(work)]


def spread(things: Iterable[T], count: int) -> list[T]:
    """So many of them, from everywhere, always the same."""
    found = list(things)
    random.Random(0).shuffle(found)
    return found[:count]


# -- the projects


def _libsodium(work: Path) -> Iterator[Unit]:
    package = _unpacked(work, "pynacl==1.5.0", "PyNaCl")
    top = package / "src" / "libsodium"
    if not (top / "config.status").exists():
        _run(["./configure", "-q", "--disable-shared", "--disable-dependency-tracking"], top)
    defined = re.search(r"^DEFS = (.*)$", (top / "src/libsodium/Makefile").read_text(), re.MULTILINE)
    assert defined is not None
    # configure's own DEFS have blanks in quotes for a shell, in the package's name alone.
    words = [word.replace("\\", "") for word in re.findall(r"-D\w+=\d+(?= |$)", defined[1])]
    words += ["-DCONFIGURED=1", "-Iinclude/sodium", "-Iinclude"]
    words += ["-maes", "-mpclmul", "-mavx2", "-mssse3", "-msse4.1"]
    yield from _below(top / "src" / "libsodium", "libsodium", words, "*.c")


def _box2d(work: Path) -> Iterator[Unit]:
    package = _unpacked(work, "box2d-py==2.3.8", "box2d")
    words = ["-std=c++14", "-I.", "-isystem", sysconfig.get_path("include")]
    yield from _below(package, "Box2D", words, "Box2D/**/*.cpp")


def _zstd(work: Path) -> Iterator[Unit]:
    package = _unpacked(work, "zstandard==0.22.0", "zstandard")
    words = ["-Izstd", "-Izstd/common", "-DXXH_NAMESPACE=ZSTD_", "-DZSTD_MULTITHREAD"]
    yield from _below(package, "zstd", words, "zstd/**/*.c")
    words = ["-Izstd", "-Ic-ext", "-isystem", sysconfig.get_path("include")]
    yield from _below(package, "python-zstandard", words, "c-ext/*.c")


def _lz4(work: Path) -> Iterator[Unit]:
    yield from _below(_unpacked(work, "lz4==4.3.3", "lz4"), "lz4", ["-Ilz4libs"], "lz4libs/*.c")


def _ujson(work: Path) -> Iterator[Unit]:
    package = _unpacked(work, "ujson==5.10.0", "ujson")
    words = ["-Ideps/double-conversion/double-conversion"]
    yield from _below(package, "double-conversion", words, "deps/double-conversion/double-conversion/*.cc")
    words = ["-Ilib", "-Ideps/double-conversion/double-conversion"]
    words += ["-isystem", sysconfig.get_path("include")]
    yield from _below(package, "ujson", words, "python/*.c")
    yield from _below(package, "ujson", words, "lib/*.c")


def _grpc(work: Path) -> Iterator[Unit]:
    """gRPC with Abseil, RE2, BoringSSL and others: some 700 units of C++, 660 of C, 130 of assembler."""
    package = _unpacked(work, "grpcio==1.60.1", "grpcio")
    listed = (package / "src/python/grpcio/grpc_core_dependencies.py").read_text()
    third = [
        "abseil-cpp", "address_sorting/include", "cares/cares/include", "cares", "cares/cares",
        "cares/config_linux", "re2", "boringssl-with-bazel/src/include", "upb", "utf8_range", "xxhash",
        "zlib",
    ]  # fmt: skip
    words = ["-Iinclude", "-I.", *(f"-Ithird_party/{name}" for name in third)]
    words += ["-Isrc/core/ext/upb-gen", "-Isrc/core/ext/upbdefs-gen"]
    words += ["-DHAVE_CONFIG_H=1", "-DGRPC_ENABLE_FORK_SUPPORT=1", "-D__STDC_FORMAT_MACROS", "-DNOMINMAX"]
    for source in re.findall(r"'([^']+\.(?:cc|c|S))'", listed):
        standard = ("-std=c++14",) if source.endswith(".cc") else ()
        if (package / source).exists():
            yield Unit(source.split("/")[1] + " (grpc)", package, source, (*words, *standard))


def _below(folder: Path, project: str, words: list[str], pattern: str) -> Iterator[Unit]:
    glob = f"**/{pattern}" if "/" not in pattern else pattern
    for path in sorted(folder.glob(glob)):
        yield Unit(project, folder, str(path.relative_to(folder)), tuple(words))


# -- packages


def _unpacked(work: Path, requirement: str, name: str) -> Path:
    """The folder of a package's sources."""
    place = work / name
    if not place.exists():
        partial = work / f"{name}.new"
        with tarfile.open(_fetched(work / "sources", requirement, name)) as archive:
            archive.extractall(partial, filter="data")
        partial.rename(place)
    return next(path for path in place.iterdir() if path.is_dir())


def _fetched(folder: Path, requirement: str, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    if not list(folder.glob(f"{name}-*.tar.gz")):
        (folder / "constraint.txt").write_text(_CONSTRAINT)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
        _run([*command, requirement], folder, PIP_CONSTRAINT=str(folder / "constraint.txt"))
    return next(folder.glob(f"{name}-*.tar.gz"))


def _run(command: list[str], folder: Path, **variables: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **variables}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace")[-4000:])
        raise SystemExit(f"{' '.join(command)} failed with status {done.returncode} in {folder}")
