"""Opens the byte stream to a host: TCP, or the standard input and output of an ssh command.

Foreign exceptions end here: whatever goes wrong while opening is a HostError with a sentence.
"""

import asyncio
import os
import socket
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from fleetcc.backends.link import HostTimeouts
from fleetcc.errors import HostError
from fleetcc.hosts.grammar import HostKind, HostSpec

# The server's command when an `@host` entry names none; the second where the first is not installed.
SSH_SERVERS: Final = ("fleetccd", "distccd")

# What shells and ssh end with; a server that says no ends with less.
_FIRST_SHELL_STATUS: Final = 126
_COMMAND_NOT_FOUND: Final = 127
# How long after the end of its output a command may take to end itself.
_SSH_END_SECONDS: Final = 2.0


class StreamProtocol(asyncio.Protocol):
    """A protocol that also learns how the ssh command ended, where there is one."""

    ssh_ended: asyncio.Future[int] | None = None


P = TypeVar("P", bound=StreamProtocol)
R = TypeVar("R")


class _NotInstalledError(Exception):
    """The other side's shell does not know the server's command."""


@dataclass(slots=True)
class Opener:
    """Opens streams, and remembers which ssh hosts lack our server."""

    _without_ours: set[str] = field(default_factory=set)

    async def converse(
        self,
        host: HostSpec,
        timeouts: HostTimeouts,
        factory: Callable[[], P],
        talk: Callable[[asyncio.Transport, P], Awaitable[R]],
    ) -> R:
        """Open a stream and talk; over ssh with our server, or with distcc's where ours is not installed.

        `talk` calls `explain_silence` when the other end has closed without a word. Raises HostError.
        """
        try:
            return await talk(*await self._open(host, timeouts, factory))
        except _NotInstalledError:
            self._without_ours.add(host.name)
        try:
            return await talk(*await self._open(host, timeouts, factory))
        except _NotInstalledError as error:
            self._without_ours.discard(host.name)
            raise HostError(f"{host.text}: neither {' nor '.join(SSH_SERVERS)} is on PATH there") from error

    async def _open(
        self, host: HostSpec, timeouts: HostTimeouts, factory: Callable[[], P]
    ) -> tuple[asyncio.Transport, P]:
        if host.kind is HostKind.SSH:
            server = SSH_SERVERS[host.name in self._without_ours]
            return await _open_ssh(host, factory, ssh_command(host, timeouts.ssh, server))
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeouts.connect_seconds):
                return await loop.create_connection(factory, host.name, host.port)
        except TimeoutError:
            failure = f"no answer in {timeouts.connect_seconds:g} s"
        except socket.gaierror as error:  # its numbers are its own
            failure = error.strerror or str(error)
        except OSError as error:
            failure = os.strerror(error.errno) if error.errno else str(error)
        except ValueError as error:  # not a name that could be looked up
            failure = str(error)
        raise HostError(f"{host.text}: cannot connect to {host.name} port {host.port}: {failure}")


async def explain_silence(host: HostSpec, protocol: StreamProtocol) -> None:
    """Raise what the ssh command's status says about a connection that closed without a word."""
    if protocol.ssh_ended is None:
        return
    try:
        async with asyncio.timeout(_SSH_END_SECONDS):
            status = await asyncio.shield(protocol.ssh_ended)
    except TimeoutError:
        return
    if status == _COMMAND_NOT_FOUND and host.command is None:
        raise _NotInstalledError
    if status < 0 or status >= _FIRST_SHELL_STATUS:
        raise HostError(f"{host.text}: the ssh command ended with status {status} and without an answer")


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
