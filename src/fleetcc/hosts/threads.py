"""Blocking calls that nobody can interrupt, in threads that nobody has to wait for.

The loop's own executor is not for them: its few threads would all hang in the same dead name server, and the
interpreter does not end before they do.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")


async def in_thread(call: Callable[[], _Result]) -> _Result:
    """The result of a blocking call; when this is cancelled the thread ends by itself, unheard."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_Result] = loop.create_future()

    def tell(result: _Result | None, error: BaseException | None) -> None:
        if answer.cancelled():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type] # no error: it is the result

    def run() -> None:
        try:
            outcome: tuple[_Result | None, BaseException | None] = (call(), None)
        except BaseException as error:  # noqa: BLE001 - raised again where the answer is awaited
            outcome = (None, error)
        try:
            loop.call_soon_threadsafe(tell, *outcome)
        except RuntimeError:  # the loop has been closed in the meantime
            return

    threading.Thread(target=run, name="fleetcc-lookup", daemon=True).start()
    return await answer
