"""Whose connection this is: on a machine that several people use, loopback is not private.

The kernel lists every TCP socket of IPv4 with the user that it belongs to, so the other end of a connection
over loopback tells whose browser it is, without a secret in the address of the page.
"""

import os
import socket
import struct
from typing import Final

_TABLE: Final = "/proc/net/tcp"
_LOCAL, _REMOTE, _USER = 1, 2, 7  # columns, counted from 0

Place = tuple[str, int]  # an IPv4 address and a port


def is_own_connection(peer: Place, here: Place, table: str = _TABLE) -> bool:
    """Whether our own user, or root, holds the peer's end; not when it cannot be found."""
    user = user_of(peer, here, table)
    return user is not None and user in {0, os.geteuid()}


def user_of(peer: Place, here: Place, table: str = _TABLE) -> int | None:
    """The user of the socket that is at `peer` and connected to `here`; None when the kernel lists none."""
    wanted = [_column(peer), _column(here)]
    try:
        with open(table, encoding="ascii") as file:
            for line in file:
                columns = line.split()
                if columns[_LOCAL : _REMOTE + 1] == wanted:
                    return int(columns[_USER])
    except OSError:
        return None
    return None


def _column(place: Place) -> str:
    """As the kernel writes it: the address as one number of this machine's byte order."""
    (number,) = struct.unpack("=I", socket.inet_aton(place[0]))
    return f"{number:08X}:{place[1]:04X}"
