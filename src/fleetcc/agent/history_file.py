"""Keeps what was learned of jobs and hosts over restarts of the agent: one file in the state folder.

A file that cannot be read, or is of another version, is no history.
"""

import logging
from typing import Annotated, Final, TypeAlias

import msgspec

from fleetcc.scheduling.history import History, HostSpeed, Record
from fleetcc.settings.files import replace_file

log = logging.getLogger(__name__)

_VERSION: Final = 1
_MOST_BYTES: Final = 64 << 20


# One NaN or infinity would spoil everything that is computed with it.
_Seconds: TypeAlias = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
_LogSpeed: TypeAlias = Annotated[float, msgspec.Meta(ge=-100, le=100)]
_Variance: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class _File(msgspec.Struct, frozen=True):
    version: int
    records: list[tuple[bytes, _Seconds, str]]  # key, seconds, host; the newest last
    speeds: dict[str, tuple[_LogSpeed, _Variance]]


def load_history(path: str) -> History:
    """What an earlier agent learned."""
    history = History()
    try:
        with open(path, "rb") as file:
            stored = msgspec.msgpack.decode(file.read(_MOST_BYTES), type=_File)
    except FileNotFoundError:
        return history
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("the history of durations in %s cannot be read and starts anew: %s", path, error)
        return history
    if stored.version == _VERSION:
        history.restore(
            [(key, Record(seconds, host)) for key, seconds, host in stored.records],
            {host: HostSpeed(log_speed, variance) for host, (log_speed, variance) in stored.speeds.items()},
        )
    return history


def encode_history(history: History) -> bytes:
    """What `write_history` writes; taken on the loop, so that no thread sees it change."""
    return msgspec.msgpack.encode(
        _File(
            _VERSION,
            [(key, record.seconds, record.host) for key, record in history.records.items()],
            {host: (speed.log_speed, speed.variance) for host, speed in history.speeds.items()},
        )
    )


def write_history(path: str, content: bytes) -> None:
    """Replace the file; a disk that is full costs the history, not the build."""
    try:
        replace_file(path, content)
    except OSError as error:
        log.warning("the history of durations was not written: %s", error)
