"""Near the end of the queue: would a job end sooner on a slot that is about to be free elsewhere? Pure.

The queue is planned as a list scheduler would: each job, longest first, goes to the slot on which it would
end first. The slot that was offered takes the first job that falls to it, or none.
"""

from collections.abc import Iterable, Sequence
from heapq import heapify, heapreplace
from typing import Final

# A longer queue is no tail.
MOST_PLANNED: Final = 64
# What is gained must be more than what estimates err by.
_BETTER: Final = 0.95


def offered_job(
    here: tuple[float, float], elsewhere: Iterable[tuple[float, Sequence[float]]], jobs: Iterable[float]
) -> int | None:
    """The index of the job that the offered slot should take; None: none of them.

    `here` is the offered slot: in how many seconds it is free, and its speed. `elsewhere` has for each other
    host its speed and in how many seconds its slots are free; `jobs` are standard seconds, longest first.
    """
    free_here, speed_here = here
    slots = []
    for speed, times in elsewhere:
        if times:
            heap = list(times)
            heapify(heap)
            slots.append((speed, heap))
    for index, seconds in enumerate(jobs):
        if index >= MOST_PLANNED:
            return None
        best_end = (free_here + seconds / speed_here) * _BETTER
        best: list[float] | None = None
        for speed, heap in slots:
            end = heap[0] + seconds / speed
            if end < best_end:
                best_end, best = end, heap
        if best is None:
            return index
        heapreplace(best, best_end)
    return None
