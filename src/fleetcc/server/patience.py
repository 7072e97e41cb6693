"""How long a client may take to send what it has begun, and to take what it is sent."""

import asyncio
from collections.abc import Callable


class Patience:
    """A time limit that moves while bytes come, up to a limit that does not."""

    def __init__(self, silence_seconds: float, give_up: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._silence = silence_seconds
        self._give_up = give_up
        self._timer: asyncio.TimerHandle | None = None
        self._progress = self._deadline = 0.0

    def expect(self, timeouts: int) -> None:
        """From now on bytes must come, the last of them within so many timeouts."""
        self.rest()
        self._progress = self._loop.time()
        self._deadline = self._progress + timeouts * self._silence
        self._timer = self._loop.call_later(self._silence, self._check)

    def expect_taking(self, transport: asyncio.WriteTransport) -> None:
        """From now on what the transport holds must get less."""
        self.rest()
        self._look_at(transport, -1)

    def rest(self) -> None:
        """Nothing is expected."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def progressed(self) -> None:
        """Bytes have come."""
        self._progress = self._loop.time()

    def _check(self) -> None:
        now = self._loop.time()
        if now >= self._deadline:
            self._give_up("the request did not come in time")
        elif now - self._progress >= self._silence:
            self._give_up(f"no byte of the request came for {self._silence:g} s")
        else:
            silent_until = min(self._progress + self._silence, self._deadline)
            self._timer = self._loop.call_later(silent_until - now, self._check)

    def _look_at(self, transport: asyncio.WriteTransport, last_left: int) -> None:
        left = transport.get_write_buffer_size()
        if left == last_left:
            self._give_up(f"took none of its answer for {self._silence:g} s")
        else:
            self._timer = self._loop.call_later(self._silence, self._look_at, transport, left)
