"""Where the page's events come from."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Protocol

from fleetcc.monitor.bus import Viewer


class Source(Protocol):
    """An agent or a server, as a viewer sees it."""

    def lines(self) -> AsyncIterator[bytes]:
        """One viewer's events: batches of whole lines, Hello first; an async generator, closed by the caller.

        An empty batch says that the source is away; when it is back, Hello comes first again. The end of the
        batches is the end of this viewer's stream.
        """
        ...


class BusSource:
    """The events of this very process; `watch` gives a new viewer of them."""

    def __init__(self, watch: Callable[[], Viewer]) -> None:
        self._watch = watch

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """See Source; never ends by itself."""
        viewer = self._watch()
        try:
            async for batch in viewer.batches():
                yield batch
        finally:
            viewer.close()
