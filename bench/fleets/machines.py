"""The hosts of a fleet that is really one machine: addresses, slots, speeds, and what each one compiled."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

COMPILER: Final = "gcc"
CLIENT: Final = "client"
_SOURCE: Final = Path(__file__).resolve().parent.parent / "sleeping_compiler.c"


@dataclass(frozen=True, slots=True)
class Host:
    """One server. Its slots and speed are its own affair: clients are told its address."""

    number: int
    slots: int
    speed: float = 1.0

    @property
    def name(self) -> str:
        """Goes into the objects that are made there."""
        return f"host{self.number}"

    @property
    def address(self) -> str:
        """One of the loopback network."""
        return f"127.0.1.{self.number}"


@dataclass(frozen=True, slots=True)
class Ran:
    """One compile that came to its end."""

    host: str
    job: str
    began: float  # on time.monotonic's clock
    ended: float


@dataclass(frozen=True, slots=True)
class Site:
    """Folders of one fleet: the compiler of each host, and the clients' own."""

    folder: Path
    hosts: tuple[Host, ...]

    @property
    def slots(self) -> int:
        """All together."""
        return sum(host.slots for host in self.hosts)

    @property
    def temporary(self) -> Path:
        """What killed servers leave here goes with everything else."""
        return self.folder / "tmp"

    def compilers(self, name: str) -> Path:
        """The folder of this host's compiler, or the clients'."""
        return self.folder / "compilers" / name

    def ran(self, *names: str) -> list[Ran]:
        """What these hosts compiled since the last `forget`; all of them, without a name."""
        chosen = names or tuple(host.name for host in self.hosts)
        return [entry for name in chosen for entry in _read_journal(self.compilers(name) / "journal", name)]

    def forget(self) -> None:
        """Begin all journals anew."""
        for journal in self.folder.glob("compilers/*/journal"):
            journal.write_text("")


def equal_hosts(count: int, slots: int) -> tuple[Host, ...]:
    """So many hosts of speed 1."""
    return tuple(Host(number, slots) for number in range(1, count + 1))


UNEQUAL: Final = (Host(1, 8), Host(2, 4, 0.5), Host(3, 2), Host(4, 1, 0.25))


def make_compiler(folder: Path) -> Path:
    """The sleeping compiler, static: the same bytes on every host, also in a chroot."""
    program = folder / COMPILER
    subprocess.run(["cc", "-O2", "-static", _SOURCE, "-o", program], check=True)
    return program


def lay_out(folder: Path, compiler: Path, hosts: tuple[Host, ...]) -> Site:
    """Give each host and the clients their copy of the compiler with its sidecar files."""
    site = Site(folder, hosts)
    site.temporary.mkdir()
    site.temporary.chmod(0o1777)  # distccd becomes another user
    for name, speed in [(CLIENT, 1.0), *((host.name, host.speed) for host in hosts)]:
        place = site.compilers(name)
        place.mkdir(parents=True)
        shutil.copy(compiler, place / COMPILER)
        (place / "speed").write_text(f"{speed}\n")
        (place / "name").write_text(f"{name}\n")
        (place / "journal").touch()
        (place / "journal").chmod(0o666)
    return site


def _read_journal(path: Path, host: str) -> list[Ran]:
    entries = []
    for line in path.read_text().splitlines():
        began, ended, job = line.split(" ", 2)
        entries.append(Ran(host, job, int(began) / 1e9, int(ended) / 1e9))
    return entries
