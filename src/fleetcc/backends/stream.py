"""Opens the byte stream to a host: TCP, or the standard input and output of an ssh command.

Foreign exceptions end here: whatever goes wrong while opening is a HostError with a sentence.
"""

import asyncio
import os
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from fleetcc.errors import HostError
from fleetcc.hosts.grammar import HostKind, HostSpec

# Names are asked again after this long; a fleet whose addresses change is followed soon enough, and a
# build of thousands of short jobs does not ask for each.
RESOLVE_SECONDS: Final = 30.0

# The server's command when an `@host` entry names none; the second where the first is not installed.
SSH_SERVERS: Final = ("fleetccd", "distccd")


class StreamProtocol(asyncio.Protocol):
    """A protocol that also learns how the ssh command ended, where there is one."""

    ssh_ended: asyncio.Future[int] | None = None


P = TypeVar("P", bound=StreamProtocol)


@dataclass(slots=True)
class Resolver:
    """Addresses of names, remembered for RESOLVE_SECONDS."""

    _known: dict[tuple[str, int], tuple[float, list[str]]] = field(default_factory=dict)

    async def addresses(self, name: str, port: int) -> list[str]:
        """Every address of the name, in the resolver's order; raises HostError."""
        loop = asyncio.get_running_loop()
        known = self._known.get((name, port))
        if known is not None and loop.time() < known[0]:
            return known[1]
        try:
            answers = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise HostError(f"cannot look up {name!r}: {error.strerror or error}") from error
        addresses = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
        self._known[name, port] = loop.time() + RESOLVE_SECONDS, addresses
        return addresses


async def open_stream(
    host: HostSpec,
    protocol_factory: Callable[[], P],
    *,
    resolver: Resolver,
    connect_timeout_seconds: float,
    ssh: tuple[str, ...],
    ssh_server: str = SSH_SERVERS[0],
) -> tuple[asyncio.Transport, P]:
    """Connect to a host; raises HostError."""
    if host.kind is HostKind.SSH:
        return await _open_ssh(host, protocol_factory, ssh_command(host, ssh, ssh_server))
    failures: list[str] = []
    loop = asyncio.get_running_loop()
    for address in await resolver.addresses(host.name, host.port):
        try:
            async with asyncio.timeout(connect_timeout_seconds):
                return await loop.create_connection(protocol_factory, address, host.port)
        except TimeoutError:
            failures.append(f"{address}: no answer in {connect_timeout_seconds:g} s")
        except OSError as error:
            failures.append(f"{address}: {os.strerror(error.errno) if error.errno else error}")
    raise HostError(f"cannot connect to {host.name} port {host.port} ({'; '.join(failures) or 'no address'})")


def ssh_command(host: HostSpec, ssh: tuple[str, ...], server: str = SSH_SERVERS[0]) -> list[str]:
    """The command that distcc runs for an `@host` entry (distcc-compat.md 4.2)."""
    user = ["-l", host.user] if host.user else []
    return [*ssh, *user, host.name, host.command or server, "--inetd", "--enable-tcp-insecure"]


async def _open_ssh(
    host: HostSpec, protocol_factory: Callable[[], P], command: list[str]
) -> tuple[asyncio.Transport, P]:
    """One ssh process on one end of a socket pair; closing the other end ends it."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 - returns once ssh is exec'd
                command, stdin=theirs.fileno(), stdout=theirs.fileno(), start_new_session=True
            )  # fmt: skip
        except OSError as error:
            ours.close()
            raise HostError(
                f"cannot run {command[0]!r} for {host.text}: {error.strerror or error}"
            ) from error
    ssh_ended = _reap_when_done(process)
    ours.settimeout(0)
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(protocol_factory, sock=ours)
    protocol.ssh_ended = ssh_ended
    return transport, protocol


def _reap_when_done(process: "subprocess.Popen[bytes]") -> asyncio.Future[int]:
    """Collect the ssh process when it ends, without a thread and without a child watcher; its status."""
    loop = asyncio.get_running_loop()
    descriptor = os.pidfd_open(process.pid)
    status: asyncio.Future[int] = loop.create_future()

    def ended() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        status.set_result(process.wait())

    loop.add_reader(descriptor, ended)
    return status
