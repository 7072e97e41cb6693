"""What fleet clients ask of a server: the events of `fleet_server`, and which jobs are served at all."""

from dataclasses import dataclass
from typing import Final, TypeAlias

from fleetcc.model import Form, Priority
from fleetcc.wire import zstd
from fleetcc.wire.files import Contents, FileJob, Gone, Update
from fleetcc.wire.fleet import Error, ErrorCode, Hello, Job

PREPROCESSED: Final = "preprocessed"
MAX_ARGUMENTS: Final = 20_000  # as in distcc's protocol
_FORMS: Final = tuple(form.value for form in Form)
# What a WELCOME lists: kinds of jobs, forms, and encodings of bodies.
CAPABILITIES: Final = (PREPROCESSED, *_FORMS, zstd.ZSTD)


@dataclass(frozen=True, slots=True)
class Reply:
    """Bytes to send back, caused by what came."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """The client has said who it is; it waits for a WELCOME."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Demanded:
    """So many jobs wait for this server; replaces what was said before."""

    most: int
    priority: Priority


@dataclass(frozen=True, slots=True)
class Declined:
    """So many grants are free again."""

    count: int


@dataclass(frozen=True, slots=True)
class Offered:
    """A job has used up a grant; its source is on its way."""

    number: int
    job: Job


@dataclass(frozen=True, slots=True)
class Uploaded:
    """All of the job's source is here, as it travelled."""

    number: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Nobody waits for the job; it is to be ended, and answered."""

    number: int


@dataclass(frozen=True, slots=True)
class Pinged:
    """The client asks whether this server is there; to be answered at once."""

    token: int


@dataclass(frozen=True, slots=True)
class Complaint:
    """The client tells what it does not like."""

    error: Error


@dataclass(frozen=True, slots=True)
class Updated:
    """The client's replica has changed."""

    update: Update


@dataclass(frozen=True, slots=True)
class FilesOffered:
    """A job made of files has used up a grant; nothing follows it."""

    number: int
    job: FileJob


@dataclass(frozen=True, slots=True)
class ContentsBegin:
    """Blobs that were asked for are on their way."""

    contents: Contents


@dataclass(frozen=True, slots=True)
class ContentsPiece:
    """Some of their bytes, as they travel."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class ContentsEnd:
    """All of their bytes have come; or the client has no more of them, and a GONE follows."""

    is_whole: bool


Event: TypeAlias = (
    Reply | Opened | Demanded | Declined | Offered | Uploaded | Cancelled | Pinged | Complaint
    | Updated | FilesOffered | ContentsBegin | ContentsPiece | ContentsEnd | Gone
)  # fmt: skip


def obstacle(job: Job, max_source_bytes: int) -> tuple[ErrorCode, str, str] | None:
    """Why this is no job for this server, as an ERROR says it."""
    for what, found, served in (
        ("kind", job.kind, (PREPROCESSED,)),
        ("form", job.form, _FORMS),
        ("encoding", job.encoding, zstd.ENCODINGS),
    ):
        if found not in served:
            text = f"{what} {found!r} is not served"
            return ErrorCode.UNSUPPORTED, text, f"this server takes {', '.join(served)}"
    if len(job.argv) > MAX_ARGUMENTS or any(b"\0" in word for word in job.argv):
        text = f"{len(job.argv)} arguments, where at most {MAX_ARGUMENTS} without NUL are run"
        return ErrorCode.REFUSED, text, "compile it locally"
    size = max(job.blob_bytes, job.plain_bytes)
    if size > max_source_bytes:
        text = f"a source of {size} bytes; the limit is {max_source_bytes}"
        return ErrorCode.TOO_LARGE, text, "compile it locally"
    return None
