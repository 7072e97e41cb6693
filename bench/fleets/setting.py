"""What all sections share: where to work, how much to do, who takes part, where figures go."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from bench.fleets.builds import Client, Service
from bench.fleets.machines import Host, Site, lay_out
from bench.fleets.report import Report
from bench.fleets.systems import System
from bench.fleets.work import Job


@dataclass(frozen=True, slots=True)
class Setting:
    """One run of the benchmark."""

    folder: Path
    compiler: Path
    rounds: int
    quick: bool
    systems: frozenset[str]  # empty: all
    report: Report

    def taking_part(self, systems: Iterable[System]) -> list[System]:
        """Those that were asked for and are installed; the others are named once."""
        chosen = []
        for system in systems:
            missing = system.missing()
            if self.systems and system.name.partition(",")[0] not in self.systems:
                continue
            if missing is None:
                chosen.append(system)
            else:
                self.report.note(f"{system.name}: skipped, {missing}")
        return chosen

    @contextmanager
    def site(self, hosts: tuple[Host, ...]) -> Iterator[Site]:
        """Fresh folders, which are removed afterwards."""
        folder = Path(mkdtemp(prefix="", dir=self.folder))
        folder.chmod(0o755)  # servers may become other users
        try:
            yield lay_out(folder, self.compiler, hosts)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def clients(site: Site, service: Service, works: Sequence[Sequence[Job]]) -> Iterator[list[Client]]:
    """One client for each list of jobs."""
    with ExitStack() as stack:
        found = []
        for number, jobs in enumerate(works):
            found.append(Client(site, f"c{number}", jobs, service))
            stack.callback(found[-1].leave)
        yield found
