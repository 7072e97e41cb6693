"""A disk in memory: files, links and directories, with ticks as coarse as a kernel's clock."""

from collections.abc import Mapping

from fleetcc.includes.disk import Listing, Stamp

_MAX_LINKS = 40


class MemoryDisk:
    """What the scanner asks, and edits for tests.

    `begin` starts a new moment: only then are edits seen. A file that was written in the tick of the moment
    that looks at it has a stamp that no later moment gives again: it could be written once more unnoticed.
    """

    def __init__(self, files: Mapping[str, str | bytes] | None = None) -> None:
        self._nodes: dict[bytes, bytes | None] = {}  # content; None: a directory
        self._links: dict[bytes, bytes] = {}
        self._written: dict[bytes, int] = {}  # tick
        self._inodes: dict[bytes, int] = {}
        self._serial = 0
        self._tick = 0
        self._moment = 0
        self._answers: dict[tuple[str, bytes], object] = {}
        self._listings: dict[bytes, Listing] = {}
        self.reads: list[bytes] = []
        for path, content in (files or {}).items():
            self.write(path, content)
        self.tick()

    # -- edits

    def begin(self) -> None:
        """A new moment: what has been edited is seen."""
        self._moment += 1
        self._answers.clear()

    def tick(self) -> None:
        """The clock goes on, so that what was written before is old; and a new moment begins."""
        self._tick += 1
        self.begin()

    def write(self, path: str, content: str | bytes = b"") -> None:
        """Make a file, and its directories."""
        where = path.encode()
        self.make_directory(path.rpartition("/")[0])
        self._nodes[where] = content.encode() if isinstance(content, str) else content
        self._serial += 1
        self._written[where] = self._tick
        self._inodes[where] = self._serial

    def make_directory(self, path: str) -> None:
        """Make a directory and those above."""
        where = path.encode()
        while where:
            if where not in self._links:
                assert self._nodes.setdefault(where, None) is None, f"{where!r} is a file"
            where = where.rpartition(b"/")[0]

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link."""
        self.make_directory(path.rpartition("/")[0])
        self._links[path.encode()] = target.encode()

    def remove(self, path: str) -> None:
        """Remove a file, a link, or a directory with all in it."""
        where = path.encode()
        for each in [
            each for each in (*self._nodes, *self._links) if each == where or each.startswith(where + b"/")
        ]:
            self._nodes.pop(each, None)
            self._links.pop(each, None)

    def move(self, path: str, target: str) -> None:
        """Rename a file or a link, over what is there; nothing when there is none. Its time stays."""
        where, there = path.encode(), target.encode()
        if where == there or (where not in self._links and self._nodes.get(where) is None):
            return
        self.remove(target)
        if where in self._links:
            self._links[there] = self._links.pop(where)
        else:
            self._nodes[there] = self._nodes.pop(where)
            self._written[there] = self._written.pop(where)
            self._inodes[there] = self._inodes.pop(where)

    # -- what the scanner asks

    def file(self, path: bytes) -> Stamp | None:
        """The version of a regular file."""
        return self._answer("file", path, self._file)  # type: ignore[no-any-return]

    def listing(self, directory: bytes) -> Listing | None:
        """A directory, the same object as long as its names are the same."""
        return self._answer("listing", directory, self._listing)  # type: ignore[no-any-return]

    def identity(self, directory: bytes) -> bytes | None:
        """The directory's path without links."""
        return None if self.listing(directory) is None else self._real(directory)

    def read(self, path: bytes) -> bytes:
        """A file's content."""
        self.reads.append(path)
        where = self._real(path)
        content = None if where is None else self._nodes.get(where)
        if content is None:
            raise FileNotFoundError(path)
        return content

    def still(self, files: Mapping[bytes, Stamp], listings: Mapping[bytes, Listing | None]) -> bool:
        """Whether nothing has changed."""
        return all(self.file(path) == stamp for path, stamp in files.items()) and all(
            self.listing(directory) is listing for directory, listing in listings.items()
        )

    def _answer(self, kind, path, ask):
        key = (kind, path)
        if key not in self._answers:
            self._answers[key] = ask(path)
        return self._answers[key]

    def _file(self, path: bytes) -> Stamp | None:
        where = self._real(path)
        content = None if where is None else self._nodes.get(where)
        if where is None or content is None:
            return None
        written = self._written[where]
        return self._inodes[where], written, self._moment if written == self._tick else None

    def _listing(self, directory: bytes) -> Listing | None:
        where = self._real(directory)
        if where is None or (where and self._nodes.get(where, b"") is not None):
            return None
        prefix = where + b"/"
        everything = (*self._nodes, *self._links)
        names = frozenset(
            each[len(prefix) :]
            for each in everything
            if each.startswith(prefix) and b"/" not in each[len(prefix) :]
        )
        last = self._listings.get(directory)
        if last is None or last.names != names:
            last = self._listings[directory] = Listing(names)
        return last

    def _real(self, path: bytes) -> bytes | None:
        """The path without links and dots, b"" for the root; None when there is nothing there."""
        here, rest, links = b"", path.split(b"/"), 0
        while rest:
            part = rest.pop(0)
            if part in {b"", b"."}:
                continue
            if here and self._nodes.get(here, b"") is not None:
                return None
            if part == b"..":
                here = here.rpartition(b"/")[0]
                continue
            target = self._links.get(here + b"/" + part)
            if target is None:
                here += b"/" + part
                continue
            links += 1
            if links > _MAX_LINKS:
                return None
            here = b"" if target[:1] == b"/" else here
            rest = target.split(b"/") + rest
        return here if not here or here in self._nodes else None
