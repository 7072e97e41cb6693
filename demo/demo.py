"""The main job on real input: libsodium with make, Box2D with ninja and with make, through two servers
that have no compiler: it travels to them as files, like sources and headers (replica mode).

Each project is built twice in the same place, first by the compiler alone, then through fleetcc, and every
object of the second build is compared with the first, byte for byte. Starts and ends its own servers and its
own agent on loopback; exits non-zero when any object differs or any build fails.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCES: Final = {"PyNaCl": "pynacl==1.5.0", "box2d": "box2d-py==2.3.8"}
ROOT: Final = Path(__file__).resolve().parent.parent
BIN: Final = Path(sys.executable).parent

CMAKE: Final = """\
cmake_minimum_required(VERSION 3.16)
project(box2d CXX)
set(CMAKE_CXX_STANDARD 14)
file(GLOB_RECURSE SOURCES ${CMAKE_SOURCE_DIR}/Box2D/*.cpp)
add_library(box2d STATIC ${SOURCES})
target_include_directories(box2d PRIVATE ${CMAKE_SOURCE_DIR})
target_include_directories(box2d SYSTEM PRIVATE ${PYTHON_HEADERS})
"""


@dataclass(frozen=True)
class Outcome:
    """One project, built both ways."""

    name: str
    objects: int
    different: list[str]
    local_seconds: float
    fleet_seconds: float
    status: Mapping[str, object]


def main() -> int:
    """Run the demo; the exit status says whether every object is identical."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "demo", help="where to build")
    parser.add_argument("--jobs", type=int, default=8, help="make -j and ninja -j")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    sources = {name: fetch(name, requirement, work / "sources") for name, requirement in SOURCES.items()}
    with fleet(work) as environment:
        say(f"two servers: {environment['FLEETCC_HOSTS']}")
        outcomes = [
            libsodium(sources["PyNaCl"], work, environment, arguments.jobs),
            box2d(sources["box2d"], work, environment, arguments.jobs, "Ninja"),
            box2d(sources["box2d"], work, environment, arguments.jobs, "Unix Makefiles"),
        ]
    return report(outcomes)


def fetch(name: str, requirement: str, folder: Path) -> Path:
    """The source package, downloaded once."""
    folder.mkdir(exist_ok=True)
    found = sorted(folder.glob(f"{name}*.tar.gz"))
    if not found:
        say(f"downloading {requirement}")
        run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", requirement],
            folder,
            os.environ,
        )
        found = sorted(folder.glob(f"{name}*.tar.gz"))
    return found[0]


# -- the two builds


def libsodium(package: Path, work: Path, environment: Mapping[str, str], jobs: int) -> Outcome:
    """The C project: ./configure && make, with the debug information that it asks for by default."""
    place = unpack(package, work / "libsodium") / "src" / "libsodium"
    say("libsodium: configure")
    run(["./configure", "-q", "--disable-shared", "--disable-dependency-tracking"], place, os.environ)

    def build(variables: Mapping[str, str], compiler: str) -> None:
        run(["make", "-s", f"-j{jobs}", f"CC={compiler}"], place / "src", variables)

    def clean() -> None:
        run(["make", "-s", "clean"], place / "src", os.environ)

    return both("libsodium, C, make", place, environment, build, clean, "gcc")


def box2d(package: Path, work: Path, environment: Mapping[str, str], jobs: int, generator: str) -> Outcome:
    """The C++ project: CMake, RelWithDebInfo, fleetcc as its compiler launcher."""
    tool = "ninja" if generator == "Ninja" else "make"
    headers = sysconfig.get_path("include")  # this packaging of Box2D is made for Python
    if not Path(headers, "Python.h").exists():
        raise SystemExit(f"demo: no Python.h in {headers}; install Python's headers (Debian: python3-dev)")
    place = unpack(package, work / f"box2d-{tool}")
    (place / "CMakeLists.txt").write_text(CMAKE)

    def build(variables: Mapping[str, str], compiler: str) -> None:
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=fleetcc"] if "fleetcc" in compiler else []
        options = ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_CXX_COMPILER=g++", *launcher]
        options.append(f"-DPYTHON_HEADERS={headers}")
        run(["cmake", "-G", generator, "-S", ".", "-B", "out", *options], place, variables)
        run(["cmake", "--build", "out", "-j", str(jobs)], place, variables)

    def clean() -> None:
        shutil.rmtree(place / "out")

    return both(f"Box2D, C++, {tool}", place, environment, build, clean, "g++")


def both(
    name: str,
    place: Path,
    environment: Mapping[str, str],
    build: Callable[[Mapping[str, str], str], None],
    clean: Callable[[], None],
    compiler: str,
) -> Outcome:
    """Build alone, keep the objects aside, build through the fleet in the same place, compare."""
    say(f"{name}: the compiler alone")
    started = time.monotonic()
    build(os.environ, compiler)
    local_seconds = time.monotonic() - started
    wanted = objects_of(place)
    clean()
    before = status(environment)
    say(f"{name}: through the fleet")
    started = time.monotonic()
    build(environment, f"fleetcc {compiler}")
    fleet_seconds = time.monotonic() - started
    made = objects_of(place)
    different = sorted(key for key in wanted.keys() | made.keys() if wanted.get(key) != made.get(key))
    return Outcome(
        name, len(wanted), different, local_seconds, fleet_seconds, since(before, status(environment))
    )


def objects_of(place: Path) -> dict[str, bytes]:
    """Every object below a folder."""
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*.o"))}


# -- the fleet


@contextmanager
def fleet(work: Path) -> Iterator[dict[str, str]]:
    """Two servers and an agent folder of their own; all of them end with the block."""
    servers: list[subprocess.Popen[bytes]] = []
    hosts: list[str] = []
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "FLEETCC_DIR": str(work / "agent")}
    for name in ("FLEETCC_LOG", "FLEETCC_VERBOSE", "DISTCC_HOSTS", "DISTCC_LOG", "DISTCC_VERBOSE"):
        environment.pop(name, None)
    try:
        for number, address in enumerate(("127.0.0.1", "127.0.0.2")):
            port = free_port(address)
            servers.append(start_server(work / f"server{number}", address, port, environment))
            hosts.append(f"{address}:{port}/4,lzo")
        environment["FLEETCC_HOSTS"] = " ".join(hosts)
        yield environment
    finally:
        subprocess.run(
            [BIN / "fleetcc", "agent", "stop"], env=environment, check=False, stdout=subprocess.DEVNULL
        )
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait(timeout=30)


def start_server(
    state: Path, address: str, port: int, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """A fleetccd on a loopback address; returns when it listens."""
    state.mkdir(parents=True, exist_ok=True)
    log = state / "fleetccd.log"
    command: list[str | Path] = [
        BIN / "fleetccd",
        "--no-detach",
        "--listen",
        address,
        "--port",
        str(port),
        "--jobs",
        "2",
    ]
    command += ["--state-dir", state, "--log-file", log]
    # On their PATH there is no compiler at all.
    server = subprocess.Popen(command, env={**environment, "FLEETCCD_PATH": "/nonexistent"})
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return server
    server.terminate()
    raise SystemExit(f"the server on {address}:{port} did not start; {log} may say why")


def free_port(address: str) -> int:
    """A port that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def status(environment: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """How many jobs ended so far, by reason and by host."""
    command: list[str | Path] = [BIN / "fleetcc", "status", "--json"]
    answer = subprocess.run(command, env=dict(environment), capture_output=True, check=False)
    if answer.returncode:
        return {"by_reason": {}, "by_host": {}}
    return {key: value for key, value in json.loads(answer.stdout).items() if key in {"by_reason", "by_host"}}


def since(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """What was added between two answers of `status`."""
    return {
        kind: {
            name: n - before[kind].get(name, 0) for name, n in counts.items() if n > before[kind].get(name, 0)
        }
        for kind, counts in after.items()
    }


# -- odds and ends


def unpack(package: Path, place: Path) -> Path:
    """A fresh copy of the sources; the folder of the package."""
    shutil.rmtree(place, ignore_errors=True)
    with tarfile.open(package) as archive:
        archive.extractall(place, filter="data")
    return next(path for path in place.iterdir() if path.is_dir())


def run(command: list[str], cwd: Path, environment: Mapping[str, str]) -> None:
    """Run to success or end the demo with what was said."""
    done = subprocess.run(
        command, cwd=cwd, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace")[-4000:])
        raise SystemExit(f"demo: {' '.join(command)} failed with status {done.returncode} in {cwd}")


def say(text: str) -> None:
    """Progress, one line."""
    print(f"demo: {text}", flush=True)


def report(outcomes: list[Outcome]) -> int:
    """The summary that a person understands."""
    print()
    for outcome in outcomes:
        same = outcome.objects - len(outcome.different)
        verdict = "all identical" if not outcome.different else "DIFFERENT"
        print(f"{outcome.name}: {same} of {outcome.objects} objects identical to the local build: {verdict}")
        print(f"    {outcome.local_seconds:.1f} s alone, {outcome.fleet_seconds:.1f} s through the fleet")
        for kind, title in (("by_host", "ran on"), ("by_reason", "because")):
            counts = outcome.status[kind]
            assert isinstance(counts, dict)
            print(f"    {title}: " + ", ".join(f"{name} {n}" for name, n in sorted(counts.items())))
        for name in outcome.different:
            print(f"    differs: {name}")
    remote = sum(_remote(outcome) for outcome in outcomes)
    failed = any(outcome.different for outcome in outcomes) or not remote
    total = sum(outcome.objects for outcome in outcomes)
    print(
        f"\n{'FAILED' if failed else 'OK'}: {total} objects compared, {remote} of them compiled by a server"
    )
    return int(failed)


def _remote(outcome: Outcome) -> int:
    reasons = outcome.status["by_reason"]
    assert isinstance(reasons, dict)
    return int(reasons.get("remote", 0))


if __name__ == "__main__":
    sys.exit(main())
