"""What the first bytes of a connection to a server begin."""

from enum import Enum
from typing import Final

from fleetcc.wire.fleet import OPENING
from fleetcc.wire.greeting import GREETING


class Opening(Enum):
    """Which protocol a client speaks."""

    UNDECIDED = "undecided"  # more bytes will tell
    DISTCC = "distcc"
    GREETING = "greeting"
    FLEET = "fleet"
    OTHER_VERSION = "other-version"  # of ours; its whole line is there
    UNKNOWN = "unknown"


_KNOWN: Final = {b"DIST": Opening.DISTCC, GREETING: Opening.GREETING, OPENING: Opening.FLEET}
_OURS: Final = b"FLEETCC/"
# Every opening of ours is one line, and that a short one.
_MAX_LINE_BYTES: Final = 64


def recognise(data: bytes) -> Opening:
    """What these bytes, the first of a connection, are the beginning of."""
    for start, opening in _KNOWN.items():
        if data.startswith(start):
            return opening
    if any(start.startswith(data) for start in _KNOWN):
        return Opening.UNDECIDED
    if not data.startswith(_OURS):
        return Opening.UNKNOWN
    is_whole = b"\n" in data or len(data) > _MAX_LINE_BYTES
    return Opening.OTHER_VERSION if is_whole else Opening.UNDECIDED
