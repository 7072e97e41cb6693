"""Asks a host what it is and how it is: the text greeting of docs/protocol.md, for people's questions."""

import asyncio

from fleetcc.backends.link import HostTimeouts
from fleetcc.backends.stream import Opener, StreamProtocol, explain_silence
from fleetcc.errors import HostError, ProtocolError
from fleetcc.hosts.grammar import HostSpec
from fleetcc.wire.greeting import GREETING, MAX_WELCOME_BYTES, Welcome, is_welcome_complete, parse_welcome


async def greet(opener: Opener, host: HostSpec, timeouts: HostTimeouts) -> Welcome | None:
    """What a fleetccd says of itself; None for a stock distccd, which closes without a word.

    Raises HostError when the host cannot be reached or answers with something else.
    """

    async def talk(transport: asyncio.Transport, greeter: _Greeter) -> bytes:
        try:
            transport.write(GREETING)
            async with asyncio.timeout(timeouts.connect_seconds):
                answer = await greeter.answer
            if not answer:
                await explain_silence(host, greeter)
            return answer
        except TimeoutError:
            # A stock distccd whose workers are all busy accepts us later; as a stock host it is usable.
            return b""
        finally:
            transport.abort()

    answer = await opener.converse(host, timeouts, _Greeter, talk)
    try:
        return parse_welcome(answer) if answer else None
    except ProtocolError as error:
        raise HostError(f"{host.text} is not a compile server: {error}") from error


class _Greeter(StreamProtocol):
    """Collects the answer to a greeting until its blank line or the end."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        if is_welcome_complete(self._data) or len(self._data) > MAX_WELCOME_BYTES:
            self._finish()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._finish()

    def _finish(self) -> None:
        if not self.answer.done():
            self.answer.set_result(self._data)
