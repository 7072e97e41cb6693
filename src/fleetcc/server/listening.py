"""The sockets that a daemon listens on."""

import errno
import socket
from collections.abc import Sequence
from typing import Any, Final

from fleetcc.errors import ExitCode, UsageError

DEFAULT_PORT: Final = 3632
# Clients connect in bursts of `make -j`; the kernel cuts this to its own maximum.
BACKLOG: Final = 4096


class BindError(UsageError):
    """An address that cannot be listened on."""

    exit_code = ExitCode.BIND_FAILED


def listen(addresses: Sequence[str], port: int, option: str = "--listen") -> list[socket.socket]:
    """Listen on each address; on every interface of both families when none is named. Raises BindError.

    `option` is what named them.
    """
    if not addresses:
        return [_listen_everywhere(port)]
    opened: list[socket.socket] = []
    try:
        for name in addresses:
            opened += [_bound(family, address, name) for family, address in _look_up(name, port, option)]
    except BindError:
        for sock in opened:
            sock.close()
        raise
    return opened


def _listen_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return _bound(socket.AF_INET6, ("::", port), "::", dual=True)
        except BindError as error:
            # The kernel may know IPv6 and yet have no address of it.
            if not isinstance(error.__cause__, OSError) or error.__cause__.errno not in _NO_ADDRESS:
                raise
    return _bound(socket.AF_INET, ("0.0.0.0", port), "0.0.0.0")


_NO_ADDRESS: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def _look_up(name: str, port: int, option: str) -> list[tuple[int, Any]]:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise BindError(f"{option} {name}: {error}") from error
    return [(info[0], info[4]) for info in found]


def _bound(family: int, address: Any, name: str, *, dual: bool = False) -> socket.socket:
    sock: socket.socket | None = None
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        if sock is not None:
            sock.close()
        raise BindError(f"cannot listen on {name} port {address[1]}: {error.strerror}") from error
    return sock
