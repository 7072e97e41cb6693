"""What it costs a server to bring a replica's tree up to date, and to know a big manifest.

python bench/store.py [DIRECTORY]

DIRECTORY is where the store is made; its file system decides. ext4 does not give an inode number away again
for a minute after its file was removed, and searches longer the more of those there are: figures taken soon
after a big removal on the same file system are several times as high.
"""

import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import islice

from fleetcc.store.blobs import BlobStore
from fleetcc.store.replica import Replica
from fleetcc.store.replicas import Replicas
from fleetcc.wire.files import MAX_DIGESTS, File, Update

MAX_BYTES = 100 << 30
SIZE = 5000  # about the mean of the headers of a system


def main() -> None:
    """Print a line for each figure."""
    parent = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        blobs = BlobStore(f"{folder}/blobs", MAX_BYTES)
        replicas = Replicas(f"{folder}/replicas", blobs, MAX_BYTES, 100)
        print(f"{'milliseconds of wall time':40}{'store':>10}{'accept':>10}{'look up':>10}{'write':>10}")
        for count in (500, 20_000):
            fill(f"{count} new files of {SIZE} bytes", replicas.open(b"%d" % count), blobs, count)
        fork(replicas.open(b"fork"), blobs, 5000)
        replicas.shut()
        blobs.close()
        manifest(folder, 200_000)


def fill(label: str, replica: Replica, blobs: BlobStore, count: int) -> None:
    """Measure an update of new files."""
    contents = {
        b"/home/me/%d/%d.h" % (i // 20, i): (b"%d,%d\n" % (count, i)).ljust(SIZE) for i in range(count)
    }
    digests = {path: hashlib.sha256(data).digest() for path, data in contents.items()}
    stored = milliseconds(lambda: add(blobs, contents.values()))
    entries = {path: File(digest, SIZE, 1_700_000_000_000_000_000) for path, digest in digests.items()}
    accepted = milliseconds(lambda: accept(replica, entries))
    looked_up = milliseconds(replica.look_up)
    written = milliseconds(replica.write)
    print(f"{label:40}{stored:10.1f}{accepted:10.1f}{looked_up:10.1f}{written:10.1f}")


def fork(replica: Replica, blobs: BlobStore, count: int) -> None:
    """Measure the change of one file of a big tree that a job has."""
    fill(f"{count} new files, for a fork", replica, blobs, count)
    job = replica.bind(replica.id, replica.number)
    changed = b"changed".ljust(SIZE)
    digest = hashlib.sha256(changed).digest()
    blobs.add(digest, changed)
    accepted = milliseconds(lambda: accept(replica, {b"/home/me/0/0.h": File(digest, SIZE, 1)}))
    looked_up = milliseconds(replica.look_up)
    written = milliseconds(replica.write)
    print(f"{'fork of it for one changed file':40}{'':10}{accepted:10.1f}{looked_up:10.1f}{written:10.1f}")
    replica.release(job)
    print(f"{'removal of the old tree':40}{'':30}{milliseconds(replica.write):10.1f}")


def manifest(folder: str, count: int) -> None:
    """Measure a manifest as big as a client may send, none of whose blobs has come."""
    blobs = BlobStore(f"{folder}/blobs", MAX_BYTES)
    replica = Replica(f"{folder}/big".encode(), blobs, MAX_BYTES)
    before = resident_bytes()
    paths = (
        b"/home/somebody/src/project/module%d/part%d/file%d.h" % (i // 400, i // 20, i) for i in range(count)
    )
    entries = {path: File(hashlib.sha256(path).digest(), SIZE, 1_700_000_000_000_000_000) for path in paths}
    decoded = resident_bytes()
    accepted = milliseconds(lambda: accept(replica, entries))
    looked_up = milliseconds(replica.look_up)
    own = (decoded - before) >> 20
    beside = (resident_bytes() - decoded) >> 20
    print(f"{count} entries, nothing there: accepted in {accepted:.0f} ms, looked up in {looked_up:.0f} ms")
    print(f"  {own} MB of paths and entries, {beside} MB beside them")
    blobs.close()


def add(blobs: BlobStore, contents: Iterable[bytes]) -> None:
    """Store them; the time includes the check of every digest."""
    for data in contents:
        blobs.add(hashlib.sha256(data).digest(), data)


def accept(replica: Replica, entries: dict[bytes, File]) -> None:
    """All of it, in updates as big as they may be."""
    for part in parts(entries.items()):
        replica.accept(Update(replica.id, replica.number + 1, dict(part)))


def parts(items: Iterable[tuple[bytes, File]]) -> Iterable[list[tuple[bytes, File]]]:
    """Pieces of as many entries as an update takes."""
    rest = iter(items)
    while part := list(islice(rest, MAX_DIGESTS)):
        yield part


def milliseconds(work: Callable[[], object]) -> float:
    """How long one run takes: a second one would find other conditions."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def resident_bytes() -> int:
    """What this process takes of the memory now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
