"""Blocking calls in threads that nobody waits for."""

import asyncio
import threading

import pytest

from fleetcc.hosts.threads import in_thread


async def test_the_result_of_a_call_and_its_exception_come_back():
    assert await in_thread(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)


def test_a_call_that_outlives_its_loop_disturbs_nobody():
    go_on = threading.Event()

    async def main():
        async with asyncio.TaskGroup() as group:
            task = group.create_task(in_thread(lambda: go_on.wait(10)))
            await asyncio.sleep(0)
            task.cancel()

    before = set(threading.enumerate())
    asyncio.run(main())
    (thread,) = set(threading.enumerate()) - before
    assert thread.daemon
    go_on.set()
    thread.join(10)
    assert not thread.is_alive()
