"""Debian's distcc in pump mode, without its include server: the mirror of files is made here.

distcc takes the list of mirror files from INCLUDE_SERVER_STUB (distcc-compat.md 2.2). What belongs into it is
asked from `cc -M`, and put into the mirror as the include server does it (2.3).
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fleetcc.wire import lzo

# How much deeper than any server's root the links to system directories climb.
_EXTRA_CLIMB = 20
FORCING_NAME = "forcing_technique_271828"
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


@dataclass
class Mirror:
    """A folder with the client's files, as distcc's include server leaves them."""

    root: Path
    entries: list[str] = field(default_factory=list)

    def file(self, path: str, *, called: str | None = None) -> None:
        """A file; `called`: by this absolute name."""
        text = Path(path).read_bytes()
        if called is not None:
            text = f'#line 1 "{called}"\n'.encode() + text
        self.content(path + (".lzo" if called is None else ".lzo.abs"), lzo.compress(text))

    def content(self, path: str, data: bytes) -> None:
        """A file of the mirror, just so."""
        place = self._place(path)
        place.write_bytes(data)

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._place(path).symlink_to(target)

    def own(self, path: str) -> None:
        """A directory that the server has itself."""
        self.link(path, "../" * (_EXTRA_CLIMB + path.count("/")) + path[1:])

    def directory(self, path: str) -> None:
        """A directory in which nothing is read."""
        self.content(f"{path}/{FORCING_NAME}", b"")

    def _place(self, path: str) -> Path:
        place = Path(f"{self.root}{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        if str(place) not in self.entries:
            self.entries.append(str(place))
        place.unlink(missing_ok=True)
        return place


@contextmanager
def new_mirror() -> Iterator[Mirror]:
    """An empty mirror; its root has three components, which is what distcc takes off."""
    with tempfile.TemporaryDirectory(prefix="pump-", dir="/dev/shm") as root:
        yield Mirror(Path(root))


def fill(mirror: Mirror, directory: Path, *command: str) -> None:
    """Everything that this compile reads."""
    own = system_directories(directory, command[0])
    names = read_files(directory, *command)
    is_absolute = names[0].startswith("/")
    for name in names:
        spelled = os.path.join(directory, name)
        for path, target in links_on_the_way(spelled):
            mirror.link(path, target)
        for path in left_again(spelled):
            mirror.directory(path)
        real = os.path.realpath(spelled)
        if not real.startswith(tuple(f"{top}/" for top in own)):
            absolute = is_absolute or name.startswith("/")
            mirror.file(real, called=spelled if absolute else None)
    for path in own:
        mirror.own(path)


def read_files(directory: Path, *command: str) -> list[str]:
    """The files that a compile reads, as the compiler calls them, the source first."""
    listed: list[str] = []
    rest = iter(command)
    for word in rest:
        if word in ("-MF", "-MT", "-MQ", "-o"):
            next(rest)
        elif not word.startswith(("-M", "-Wp,")) and word not in ("-c", "-S"):
            listed.append(word)
    done = subprocess.run(
        [*listed, "-M"], cwd=directory, env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    return done.stdout.replace("\\\n", " ").split()[1:]


def system_directories(directory: Path, compiler: str) -> list[str]:
    """Where this compiler looks by itself; what is below another is left out."""
    language = "c++" if "++" in compiler else "c"
    done = subprocess.run(
        [compiler, "-x", language, "-v", "-E", "/dev/null"],
        cwd=directory,
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
        text=True,
    )
    listed = re.search(r"<\.\.\.> search starts here:\n(.*?)End of search", done.stderr, re.DOTALL)
    assert listed is not None
    found = sorted({os.path.realpath(line.strip()) for line in listed[1].splitlines()})
    return [path for path in found if not any(path.startswith(f"{top}/") for top in found)]


def pump(
    directory: Path, server: str, mirror: Mirror, *command: str, **environment: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run distcc in pump mode; without a server that answers it fails."""
    folder = directory / ".distcc"
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["distcc", *command],
        cwd=directory,
        env={
            **ENVIRONMENT,
            "DISTCC_DIR": str(folder),
            "DISTCC_HOSTS": f"{server},lzo,cpp",
            "DISTCC_FALLBACK": "0",
            "DISTCC_SKIP_LOCAL_RETRY": "1",
            "DISTCC_BACKOFF_PERIOD": "1",
            "TMPDIR": str(folder),
            "INCLUDE_SERVER_PORT": str(folder / "socket"),
            "INCLUDE_SERVER_STUB": " ".join(mirror.entries),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    lines = done.stderr.splitlines(keepends=True)
    stderr = b"".join(line for line in lines if not line.startswith(b"distcc["))
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout, stderr)


@dataclass(frozen=True)
class Result:
    """What one compile left."""

    status: int
    stderr: bytes
    files: Mapping[str, bytes]

    def same_words(self, name: str, other: "Result") -> bool:
        """Whether a dependency file says the same, however its lines are broken."""
        return words(self.files[name]) == words(other.files[name])


def words(rule: bytes) -> list[bytes]:
    """The words of a dependency file."""
    return rule.replace(b"\\\n", b" ").split()


def collect(directory: Path, done: "subprocess.CompletedProcess[bytes]", *names: str) -> Result:
    """What it left; the files are taken away."""
    found = {}
    for name in names:
        path = directory / name
        if path.exists():
            found[name] = path.read_bytes()
            path.unlink()
    return Result(done.returncode, done.stderr, found)


def compile_here(directory: Path, *command: str, names: tuple[str, ...]) -> Result:
    """The local compiler's own."""
    done = subprocess.run(command, cwd=directory, env=ENVIRONMENT, capture_output=True, check=False)
    return collect(directory, done, *names)


def links_on_the_way(path: str) -> Iterator[tuple[str, str]]:
    """The symbolic links that the kernel follows, each at its real place, with what they say."""
    done = "/"
    left = path.split("/")[::-1]
    while left:
        part = left.pop()
        if part in ("", "."):
            continue
        if part == "..":
            done = os.path.dirname(done)
            continue
        place = os.path.join(done, part)
        if not os.path.islink(place):
            done = place
            continue
        target = os.readlink(place)
        if not place.startswith(("/usr/", "/lib", "/bin")):
            yield place, target
        done = "/" if target.startswith("/") else done
        left += target.split("/")[::-1]


def left_again(path: str) -> Iterator[str]:
    """The directories of `x/../y`."""
    parts = path.split("/")
    for index, part in enumerate(parts):
        if part == "..":
            yield os.path.realpath("/".join(parts[:index]))


def has_distcc() -> bool:
    """Whether there is a distcc here."""
    return shutil.which("distcc") is not None
