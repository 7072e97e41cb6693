"""The system's resolver: /etc/hosts, the name services of nsswitch.conf, and DNS as the system asks it."""

import asyncio
import socket
from typing import Any, Final

from fleetcc.hosts.standing import Absent, Failure, Question, Records, Reply
from fleetcc.hosts.threads import in_thread

# It tells no TTL.
SYSTEM_TTL: Final = 30.0
# The C library may try dead name servers for half a minute.
SYSTEM_SECONDS: Final = 4.0
# Dead name servers must not keep names in /etc/hosts waiting; more threads than this would be a burden.
_MOST_THREADS: Final = 32

_NOBODY: Final = (socket.EAI_NONAME, socket.EAI_NODATA)


class SystemLookup:
    """Asks getaddrinfo."""

    def __init__(self) -> None:
        self._threads = asyncio.Semaphore(_MOST_THREADS)

    async def ask(self, question: Question) -> Reply:
        """All addresses of a name; never raises."""
        async with self._threads:
            try:
                async with asyncio.timeout(SYSTEM_SECONDS):
                    return await in_thread(lambda: _look_up(question.name))
            except TimeoutError:
                return Failure(f"no answer within {SYSTEM_SECONDS:g} s")
            except RuntimeError as error:  # no thread can be started
                return Failure(str(error))


def _look_up(name: str) -> Reply:
    try:
        # Bytes, because text would go through IDNA, which has errors of its own.
        found = socket.getaddrinfo(name.encode(), 0, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        sentence = (error.strerror or str(error)).lower()
        return Absent(sentence, SYSTEM_TTL) if error.errno in _NOBODY else Failure(sentence)
    except (OSError, ValueError) as error:
        return Failure(str(error))
    return Records(tuple(dict.fromkeys(_address(family, to) for family, _, _, _, to in found)), SYSTEM_TTL)


def _address(family: int, to: Any) -> str:
    address = str(to[0])
    if family != socket.AF_INET6 or "%" in address or not to[3]:
        return address
    try:
        return f"{address}%{socket.if_indextoname(to[3])}"
    except OSError:  # the interface has gone since
        return f"{address}%{to[3]}"
