"""One client and its builds: `make -j` with its own home, agent and sources, timed and checked."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from bench.fleets.machines import CLIENT, COMPILER, Site
from bench.fleets.processes import agent_processes
from bench.fleets.work import MAKEFILE, Job, object_head, work_seconds, write_sources
from bench.support import BIN

# A client may help out in an emergency; beyond this share a figure says nothing about the fleet.
MOST_LOCAL: Final = 0.05
# What no schedule of ours takes; a build that hangs must not stop the figures of all others.
_MOST_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Service:
    """How a client uses some servers: words before the compiler's, and variables."""

    words: tuple[str, ...]
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Built:
    """One build that has ended."""

    began: float  # on the monotonic clock
    ended: float
    cpu_seconds: float  # of make and all that it waited for, and the agent
    places: Counter[str]  # objects by the host that made them
    failure: str | None = None

    @property
    def seconds(self) -> float:
        """The makespan."""
        return self.ended - self.began

    @property
    def local(self) -> int:
        """How many objects were made on the client."""
        return self.places[CLIENT]


@dataclass(slots=True)
class Client:
    """One user: a folder of sources and a home."""

    site: Site
    name: str
    jobs: Sequence[Job]
    service: Service
    _process: "subprocess.Popen[bytes] | None" = None
    _thread: threading.Thread | None = None
    _times: list[float] = field(default_factory=list)
    _status: int = 0
    _agent_cpu: float = 0.0

    def __post_init__(self) -> None:
        """Write the sources."""
        (self.folder / "home" / "distcc").mkdir(parents=True)
        write_sources(self.folder, self.jobs)

    @property
    def folder(self) -> Path:
        """Where it works."""
        return self.site.folder / "clients" / self.name

    @property
    def agent_folder(self) -> Path:
        """Of its fleetcc agent."""
        return self.folder / "home" / "agent"

    def environment(self) -> dict[str, str]:
        """All that its compilers and their wrappers see."""
        home = self.folder / "home"
        return {
            "PATH": f"{self.site.compilers(CLIENT)}:{BIN}:/usr/bin:/bin",
            "HOME": str(home),
            "LC_ALL": "C",
            "DISTCC_DIR": str(home / "distcc"),
            "DISTCC_NO_REWRITE_CROSS": "1",
            "FLEETCC_DIR": str(self.agent_folder),
            **self.service.variables,
        }

    def start(self, parallel: int, only: Sequence[Job] = ()) -> None:
        """Begin a build of everything, or of these alone."""
        for job in self.jobs:
            (self.folder / f"{job.name}.o").unlink(missing_ok=True)
        self._agent_cpu = self._agent_cpu_seconds()
        self._times = [time.monotonic()]
        command = ["make", "-s", f"-j{parallel}", "-f", MAKEFILE]
        command.append(f"COMMAND={' '.join((*self.service.words, COMPILER))}")
        command += [f"{job.name}.o" for job in only]
        with (self.folder / "errors").open("wb") as errors:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                stdout=errors, stderr=errors, start_new_session=True,
            )  # fmt: skip
        self._thread = threading.Thread(target=self._reap, args=(self._process,))
        self._thread.start()

    def wait(self, most_seconds: float = _MOST_SECONDS) -> Built:
        """Until the build has ended, or that long."""
        assert self._thread is not None
        self._thread.join(most_seconds)
        late = self._thread.is_alive()
        self.stop_build()
        _, ended, cpu = self._times
        places, wrong = self._look_at_objects()
        failure = f"stopped after {most_seconds:.0f} s" if late else self._failure(wrong)
        cpu += self._agent_cpu_seconds() - self._agent_cpu
        return Built(self._times[0], ended, cpu, places, failure)

    def is_building(self) -> bool:
        """Has a build begun that has not ended?"""
        return self._thread is not None and self._thread.is_alive()

    def interrupt(self) -> None:
        """Ctrl-C, as the terminal's foreground group gets it."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGINT)

    def stop_build(self) -> None:
        """End a build that still runs."""
        if self._process is None or self._thread is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._thread.is_alive():
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                self._thread.join(10)

    def leave(self) -> None:
        """Stop the build and the agent, and remove everything."""
        self.stop_build()
        if self.agent_folder.exists():
            with suppress(subprocess.TimeoutExpired):  # then it is killed
                subprocess.run(
                    [BIN / "fleetcc", "agent", "stop"], env=self.environment(), check=False, timeout=30,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
        for process in agent_processes(self.agent_folder):
            with suppress(psutil.Error):
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _reap(self, process: "subprocess.Popen[bytes]") -> None:
        _, status, usage = os.wait4(process.pid, 0)
        self._times += [time.monotonic(), usage.ru_utime + usage.ru_stime]
        self._status = process.returncode = os.waitstatus_to_exitcode(status)

    def _look_at_objects(self) -> tuple[Counter[str], int]:
        """Who made the objects, and how many are missing or wrong."""
        places: Counter[str] = Counter()
        wrong = 0
        for job in self.jobs:
            path = self.folder / f"{job.name}.o"
            head, _, rest = path.read_text().partition("\n") if path.exists() else ("", "", "")
            if head == object_head(job):
                places[rest.removeprefix("made by ").strip()] += 1
            else:
                wrong += 1
        return places, wrong

    def _failure(self, wrong: int) -> str | None:
        if not self._status and not wrong:
            return None
        lines = (self.folder / "errors").read_text(errors="replace").strip().splitlines()
        return f"make: status {self._status}, {wrong} objects missing or wrong; {lines[0] if lines else ''}"

    def _agent_cpu_seconds(self) -> float:
        total = 0.0
        for process in agent_processes(self.agent_folder):
            with suppress(psutil.Error):
                total += sum(process.cpu_times()[:4])
        return total


def build_together(clients: Sequence[Client], parallel: int) -> Built:
    """Start all builds at once; the sum of them, from the first start to the last end."""
    for client in clients:
        client.start(parallel)
    built = [client.wait() for client in clients]
    places: Counter[str] = Counter()
    for each in built:
        places += each.places
    failures = [each.failure for each in built if each.failure]
    return Built(
        min(each.began for each in built),
        max(each.ended for each in built),
        sum(each.cpu_seconds for each in built),
        places,
        failures[0] if failures else None,
    )


def stretch(built: Built, bound: float, jobs: Sequence[Job]) -> float | None:
    """Makespan by its lower bound; None and a message when the build failed, or ran elsewhere."""
    failure = built.failure
    if failure is None and built.local > MOST_LOCAL * len(jobs):
        failure = f"{built.local} of {len(jobs)} jobs ran on the client, which the bound does not count"
    if failure is not None:
        print(f"  FAILED ({len(jobs)} jobs, {work_seconds(jobs):.0f} s): {failure}", file=sys.stderr)
        return None
    return built.seconds / bound
