"""What a fleet host's answers mean: results unpacked, errors as whose fault they are."""

from typing import Final

from fleetcc.backends.link import (
    MAX_PLAIN_BYTES,
    JobLimitError,
    LeftFile,
    Spoken,
    StaleError,
    UnfitFilesError,
    UnfitTextError,
)
from fleetcc.errors import HostError, HostRefusedError, ProtocolError
from fleetcc.wire import zstd
from fleetcc.wire.files import FILE_PART
from fleetcc.wire.fleet import Error, ErrorCode
from fleetcc.wire.fleet_answers import Finished

# What these say of the job, and not of the host.
_KINDS: Final[dict[str, type[HostError]]] = {
    ErrorCode.UNFIT: UnfitTextError,
    ErrorCode.TOO_LARGE: UnfitTextError,
    ErrorCode.REFUSED: HostRefusedError,
    ErrorCode.UNKNOWN_COMPILER: HostRefusedError,
    ErrorCode.LIMITS: JobLimitError,
    ErrorCode.LIFETIME: JobLimitError,
    ErrorCode.CHANGED: StaleError,
    ErrorCode.REPLICA_GONE: StaleError,
}


def unpacked(event: Finished, sent: int, *, of_files: bool) -> Spoken:
    """Unpack a result; `sent`: bytes that the job took. Raises ProtocolError."""
    size = sum(part.plain_bytes for part in event.result.parts)
    if size > MAX_PLAIN_BYTES:
        raise ProtocolError(f"a result of {size} bytes; the limit is {MAX_PLAIN_BYTES}")
    plain: dict[str, bytes] = {}
    for part, raw in event.parts():
        if part.name == FILE_PART:
            continue
        plain[part.name] = zstd.unpack(part.encoding, raw, part.plain_bytes)
    result = event.result
    files, output = None, b""
    if of_files:
        files = tuple(
            LeftFile(left.path, left.mode, zstd.unpack(part.encoding, raw, part.plain_bytes))
            for left, part, raw in event.files()
        )
    else:
        output = plain.get("object", b"")
        if not result.status and not output:  # no compiler that succeeds leaves nothing
            raise ProtocolError("success without an output")
    return Spoken(
        result.status,
        plain.get("stdout", b""),
        plain.get("stderr", b""),
        output,
        result.run_seconds,
        files,
        result.removed if of_files else (),
        cpu_seconds=result.cpu_seconds,
        peak_bytes=result.peak_bytes,
        sent=sent,
        received=sum(part.raw_bytes for part in result.parts),
    )


def host_error(error: Error, text: str, *, of_files: bool = False) -> HostError:
    """What an ERROR about a job, of files or of text, means for the host of this name."""
    kind = _KINDS.get(error.code, HostError)
    if of_files and kind is UnfitTextError:
        kind = UnfitFilesError
    return kind(f"{text}: {error.sentence}")
