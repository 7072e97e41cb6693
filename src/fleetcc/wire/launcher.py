"""The launcher's protocol with the agent, over a Unix stream socket. The other end is native/launcher, or
fleetcc.launcher where that could not be compiled.

Both ends run on one machine, so numbers are in native order; launcher and agent of different versions
meet, so the first twelve bytes never change.

Request (launcher to agent), header of 48 bytes, then `length` bytes:

    4s  magic b"FLC1"
    I   length of what follows the header
    B   kind: b"J" a job, b"C" a control request (JSON)
    B   bit n set: descriptor n (0..2) is attached (SCM_RIGHTS, ascending). Launchers attach none: in the
        socket of an agent that hangs they would keep make and ninja waiting
    H   bit 0 set: the launcher's stderr is a terminal
    I   umask
    I   argument count
    I   environment count
    Q   st_dev of the working directory
    Q   st_ino of the working directory
    II  0

    job:      version NUL program NUL cwd NUL arguments, each NUL, environment, each NUL
    control:  version NUL JSON

Answer (agent to launcher), header of 8 bytes `B kind, B flag, H count, I length`, then `length` bytes:

    X  exec the program with its arguments as typed; the open socket is the lease of the local slot
    A  the agent is leaving: connect again, to the next one
    V  write the text to stderr (only when the user asked for such messages)
    P  preprocess: `count` arguments, each NUL (argv[0] included, run as `program`); flag bit 0: also give
       the child a memory file as descriptor 3 for its dependencies. Answered by p.
    O  write an output: path NUL content, to a temporary file in the same folder
    D  write the dependencies of the last P to this path (no NUL), in the same way
    R  result: i wait status, I stderr length, then stderr, then stdout. The launcher first renames what O
       and D wrote into place, answers w (or f and waits on), writes both streams, ends as the compiler did.
       For a moment the n-th of them has a name of its own (`temporary_name`) beside its place; what is left
       of a launcher that was killed just then the agent removes.
    F  fail loudly: write `fleetcc: text` to stderr, exit with `flag`
    C  the JSON answer to a control request

Launcher to agent after the request, the same 8-byte header:

    p  i wait status, Q stdout size, Q stderr size; attached: two memory files with them
    w  the outputs are in place
    f  an output could not be written: I errno, path. Nothing was put in place; the agent answers X or F.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.errors import ProtocolError

REQUEST_HEADER: Final = struct.Struct("=4sIBBHIIIQQII")
ANSWER_HEADER: Final = struct.Struct("=BBHI")
PREPROCESSED: Final = struct.Struct("=iQQ")
RESULT: Final = struct.Struct("=iI")
WRITE_FAILED: Final = struct.Struct("=I")

MAGIC: Final = b"FLC1"

# Linux allows 6 MiB of arguments and environment at the default stack limit; four times that is never real.
MAX_REQUEST_BYTES: Final = 24 << 20
# Launcher-side answers are a header, a few numbers and at most one path.
MAX_LAUNCHER_ANSWER_BYTES: Final = 64 << 10

DEPENDENCY_DESCRIPTOR: Final = 3


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """The fixed part of a request."""

    length: int
    kind: bytes
    descriptors: int
    umask: int
    argument_count: int
    environment_count: int
    cwd_device: int
    cwd_inode: int
    is_terminal: bool = False


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One invocation as the launcher saw it."""

    version: bytes
    program: bytes  # the real compiler's path
    cwd: bytes
    argv: tuple[bytes, ...]  # as typed; argv[0] is the compiler's name
    environment: tuple[bytes, ...]  # NAME=value
    umask: int
    cwd_identity: tuple[int, int]  # st_dev, st_ino
    is_terminal: bool = False  # what its stderr is


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """A question from the CLI; the body is JSON."""

    version: bytes
    body: bytes


def decode_request_header(data: bytes) -> RequestHeader:
    """Check and take apart the first 48 bytes; raises ProtocolError."""
    fields = REQUEST_HEADER.unpack_from(data)
    magic, length, kind, descriptors, bits, umask, argc, envc, device, inode, _, _ = fields
    if magic != MAGIC:
        raise ProtocolError(f"launcher greeting {magic!r} where {MAGIC!r} was expected")
    if length > MAX_REQUEST_BYTES:
        raise ProtocolError(f"launcher request of {length} bytes; the limit is {MAX_REQUEST_BYTES}")
    if kind not in b"JC":
        raise ProtocolError(f"launcher request of kind {kind!r}; J and C are known")
    return RequestHeader(
        length, bytes((kind,)), descriptors, umask, argc, envc, device, inode, bool(bits & 1)
    )


def decode_request(header: RequestHeader, body: bytes) -> JobRequest | ControlRequest:
    """Take apart a request's body; raises ProtocolError."""
    if header.kind == b"C":
        version, separator, rest = body.partition(b"\0")
        if not separator:
            raise ProtocolError("a control request without its version")
        return ControlRequest(version, rest)
    expected = 3 + header.argument_count + header.environment_count
    strings = body.count(b"\0")
    if strings != expected or not body.endswith(b"\0"):
        raise ProtocolError(f"a job request with {strings} strings where {expected} were announced")
    fields = body.split(b"\0")
    if header.argument_count == 0:
        raise ProtocolError("a job request without a compiler")
    first_variable = 3 + header.argument_count
    return JobRequest(
        version=fields[0],
        program=fields[1],
        cwd=fields[2],
        argv=tuple(fields[3:first_variable]),
        environment=tuple(fields[first_variable:-1]),
        umask=header.umask,
        cwd_identity=(header.cwd_device, header.cwd_inode),
        is_terminal=header.is_terminal,
    )


def encode_job_request(request: JobRequest, descriptors: int) -> bytes:
    """The launcher's side, for the Python launcher and for tests."""
    strings = (request.version, request.program, request.cwd, *request.argv, *request.environment)
    body = b"\0".join(strings) + b"\0"
    return (
        REQUEST_HEADER.pack(
            MAGIC, len(body), ord("J"), descriptors, int(request.is_terminal), request.umask,
            len(request.argv), len(request.environment), *request.cwd_identity, 0, 0,
        )
        + body
    )  # fmt: skip


def encode_control_request(version: bytes, body: bytes) -> bytes:
    """A question from the CLI."""
    payload = version + b"\0" + body
    return REQUEST_HEADER.pack(MAGIC, len(payload), ord("C"), 0, 0, 0, 0, 0, 0, 0, 0, 0) + payload


def encode_answer(kind: bytes, payload: bytes = b"", *, flag: int = 0, count: int = 0) -> bytes:
    """One answer in either direction."""
    return ANSWER_HEADER.pack(kind[0], flag, count, len(payload)) + payload


def encode_preprocess(argv: Sequence[bytes], *, with_dependencies: bool) -> bytes:
    """Ask the launcher to run the preprocessor."""
    payload = b"\0".join(argv) + b"\0"
    return encode_answer(b"P", payload, flag=int(with_dependencies), count=len(argv))


def temporary_name(pid: int, index: int) -> bytes:
    """What the launcher calls its `index`-th output, from 0, between its making and its renaming."""
    return b".fleetcc-%d-%d.tmp" % (pid, index)


def encode_result(status: int, stdout: bytes, stderr: bytes) -> bytes:
    """Tell the launcher how the compiler ended."""
    return encode_answer(b"R", RESULT.pack(status, len(stderr)) + stderr + stdout)
