"""What a compile leaves and says, and in what two of them differ."""

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.units.projects import Unit

# Each set goes to the compiler as it is; {out} is the folder of this compile's outputs.
OPTION_SETS: Final = {
    "-O2 -g -MD": ("-O2", "-g", "-MD"),
    "-O0 -Wall -Wextra": ("-O0", "-Wall", "-Wextra"),
    "-gsplit-dwarf -g": ("-gsplit-dwarf", "-g"),
    "-O2 -MMD -MF x.d": ("-O2", "-MMD", "-MF", "{out}/x.d"),
}
_PATIENCE_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Case:
    """One unit, one compiler, one set of options."""

    number: int
    unit: Unit
    family: str
    options: str  # a key of OPTION_SETS

    @property
    def out(self) -> str:
        """Where its outputs go, relative to the unit's folder."""
        return f".out/{self.number}"

    @property
    def argv(self) -> tuple[str, ...]:
        """The plain compile."""
        options = [word.format(out=self.out) for word in OPTION_SETS[self.options]]
        words = (*self.unit.words, *options, "-c", self.unit.source, "-o", f"{self.out}/unit.o")
        return (self.unit.compiler(self.family), *words)

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.unit.project}: {self.argv[0]} {self.options} {self.unit.source}"


@dataclass(frozen=True, slots=True)
class Left:
    """What one compile left and said."""

    status: int
    stdout: bytes
    stderr: bytes
    files: Mapping[str, tuple[int, bytes]]  # mode and content, by the name in the folder of outputs


def run(case: Case, before: Sequence[str], environment: Mapping[str, str]) -> Left:
    """Compile with these words before the compiler's; the outputs are taken away."""
    out = case.unit.folder / case.out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    done = subprocess.run(
        [*before, *case.argv], cwd=case.unit.folder, env=dict(environment), stdin=subprocess.DEVNULL,
        capture_output=True, check=False, timeout=_PATIENCE_SECONDS,
    )  # fmt: skip
    files = {str(path.relative_to(out)): _content(path) for path in sorted(out.rglob("*")) if path.is_file()}
    shutil.rmtree(out)
    return Left(done.returncode, done.stdout, done.stderr, files)


def differences(one: Left, other: Left) -> Iterator[str]:
    """What is not the same, one word for each kind."""
    if one.status != other.status:
        yield "status"
    if (one.stdout, one.stderr) != (other.stdout, other.stderr):
        yield "diagnostics"
    for name in sorted(one.files.keys() | other.files.keys()):
        mine, theirs = one.files.get(name), other.files.get(name)
        if mine is None or theirs is None:
            yield f"{_kind(name)} missing"
        elif mine[1] != theirs[1]:
            yield _kind(name)
        elif mine[0] != theirs[0]:
            yield f"{_kind(name)} mode"


def keep(place: Path, case: Case, **sides: Left) -> None:
    """Write both sides down for whoever wants to know why they differ."""
    shutil.rmtree(place, ignore_errors=True)
    for name, left in sides.items():
        (place / name).mkdir(parents=True)
        for file, (_, content) in left.files.items():
            (place / name / file).parent.mkdir(parents=True, exist_ok=True)
            (place / name / file).write_bytes(content)
        (place / name / "stdout").write_bytes(left.stdout)
        (place / name / "stderr").write_bytes(left.stderr)
        (place / name / "status").write_text(f"{left.status}\n")
    (place / "command").write_text(f"cd {case.unit.folder}\n{' '.join(case.argv)}\n")


def _content(path: Path) -> tuple[int, bytes]:
    return stat.S_IMODE(path.stat().st_mode), path.read_bytes()


def _kind(name: str) -> str:
    return {".o": "object", ".d": "depfile"}.get(os.path.splitext(name)[1], os.path.splitext(name)[1] or name)
