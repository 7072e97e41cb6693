"""Two kinds of use, one count."""

import asyncio

import pytest

from fleetcc.agent.local_slots import LocalSlots, Use


async def acquired(slots: LocalSlots, use: Use, limit: int) -> bool:
    """Does it get a slot without anyone releasing one?"""
    async with asyncio.timeout(0):
        await slots.acquire(use, limit)
    return True


async def test_slots_are_given_up_to_the_limit_and_no_further():
    slots = LocalSlots()
    await slots.acquire(Use.COMPILE, 2)
    await slots.acquire(Use.COMPILE, 2)

    with pytest.raises(TimeoutError):
        await acquired(slots, Use.COMPILE, 2)

    assert slots.total_taken == 2
    assert slots.waiting_count(Use.COMPILE) == 0


async def test_a_preprocessor_may_start_where_a_compiler_must_wait():
    slots = LocalSlots()
    await slots.acquire(Use.COMPILE, 1)

    assert await acquired(slots, Use.PREPROCESS, 2)


async def test_waiting_preprocessors_go_before_waiting_compilers():
    slots = LocalSlots()
    await slots.acquire(Use.COMPILE, 1)
    order = []

    async def want(use: Use) -> None:
        await slots.acquire(use, 1)
        order.append(use)
        slots.release(use)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(want(Use.COMPILE))
        tasks.create_task(want(Use.PREPROCESS))
        await asyncio.sleep(0)
        slots.release(Use.COMPILE)

    assert order == [Use.PREPROCESS, Use.COMPILE]
    assert slots.total_taken == 0


async def test_a_slot_given_to_a_job_that_is_cancelled_in_the_same_moment_comes_back():
    slots = LocalSlots()
    await slots.acquire(Use.COMPILE, 1)
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(slots.acquire(Use.COMPILE, 1))
        await asyncio.sleep(0)
        slots.release(Use.COMPILE)
        waiting.cancel()

    assert slots.total_taken == 0
    assert await acquired(slots, Use.COMPILE, 1)
