"""Cuts one change of a replica into updates that fit into frames. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from fleetcc.wire.files import MAX_DIGESTS, Entry, Link, Update

# A frame takes 1 MiB; this leaves room for the names of the fields and the replica's id.
_MOST_BYTES: Final = 1_000_000
# The most that a path or a target costs beside its bytes, and an entry beside its path and target:
# bin headers of 3; an array, its tag, a digest in 34, two numbers in 9 each, a flag.
_PATH_BYTES: Final = 3
_ENTRY_BYTES: Final = 64


def updates(
    replica: bytes,
    number: int,
    puts: Mapping[bytes, Entry],
    removes: Iterable[bytes] = (),
    *,
    fork: bool = False,
) -> Sequence[Update]:
    """Updates `number`, `number` + 1 ... that make this change together; none for no change.

    Removals come first. Only the first one has `fork`: jobs that were sent before any of them see none of
    them, and no job comes between them.
    """
    return tuple(
        Update(replica, number + rank, some_puts, tuple(some_removes), fork and not rank)
        for rank, (some_puts, some_removes) in enumerate(_cut(puts, removes))
    )


def _cut(
    puts: Mapping[bytes, Entry], removes: Iterable[bytes]
) -> Iterator[tuple[dict[bytes, Entry], list[bytes]]]:
    some_puts: dict[bytes, Entry] = {}
    some_removes: list[bytes] = []
    size = 0
    for path in removes:
        cost = len(path) + _PATH_BYTES
        if size + cost > _MOST_BYTES or len(some_removes) == MAX_DIGESTS:
            yield some_puts, some_removes
            some_puts, some_removes, size = {}, [], 0
        some_removes.append(path)
        size += cost
    for path, entry in puts.items():
        cost = len(path) + _PATH_BYTES + _ENTRY_BYTES
        if type(entry) is Link:
            cost += len(entry.target)
        if size + cost > _MOST_BYTES or len(some_puts) == MAX_DIGESTS:
            yield some_puts, some_removes
            some_puts, some_removes, size = {}, [], 0
        some_puts[path] = entry
        size += cost
    if some_puts or some_removes:
        yield some_puts, some_removes
