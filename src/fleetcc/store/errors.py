"""What can go wrong with blobs and replicas.

FleetccError
├── StoreError             the server's disk failed
│   └── StoreFullError     it has no room; nothing half-written stays
├── ReplicaFullError       a replica that has become too big: it begins again with what is needed now
├── ReplicaGoneError       the replica of this id is no more: the client says everything again
└── ProtocolError
    ├── WrongDigestError   a blob is not what its digest says
    └── BadUpdateError     an update that no honest agent sends; the replica is as it was before it
"""

import errno
from typing import Final

from fleetcc.errors import ExitCode, FleetccError, ProtocolError

# EFBIG is what a file size limit (RLIMIT_FSIZE) says; SIGXFSZ is ignored by Python.
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class StoreError(FleetccError):
    """The server's disk failed."""

    exit_code = ExitCode.IO_ERROR


class StoreFullError(StoreError):
    """The server's disk, or our share of it, is full."""


class ReplicaGoneError(FleetccError):
    """A replica that is not there any more, or never was."""


class ReplicaFullError(FleetccError):
    """More than one replica may hold: the agent has told of it all its life."""


class WrongDigestError(ProtocolError):
    """The bytes of a blob do not have its digest."""


class BadUpdateError(ProtocolError):
    """An update of a replica that cannot be applied; none of it was."""


def store_error(error: OSError, doing: str) -> StoreError:
    """The typed error for what the disk said."""
    kind = StoreFullError if error.errno in _FULL else StoreError
    return kind(f"{doing}: {error.strerror or error}")
