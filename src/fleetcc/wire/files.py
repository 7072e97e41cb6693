"""The messages of jobs made of files: what a replica holds, its updates, blobs, and what a compiler left.

A manifest says what a compile can read: a file, a symbolic link or a directory at each absolute path. A
replica is a server's partial copy of one agent's file system. UPDATE frames change it, in the order of their
numbers; a FILE_JOB names the last update that it needs. What a server lacks it asks for with MISSING, and
the agent sends it packed, many small blobs in one CONTENTS (docs/protocol.md).
"""

from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

# In a WELCOME: this server takes jobs made of files. In a HELLO: this client sends them.
FILES: Final = "files"
# The name of the parts of a RESULT that are the contents of its `files`.
FILE_PART: Final = "file"
# What one replica may hold, and the longest path and name that Linux takes.
MAX_REPLICA_ENTRIES: Final = 500_000
MAX_PATH_BYTES: Final = 4095
MAX_NAME_BYTES: Final = 255
# One blob. The biggest file of a toolchain, clang's library, has some 200 MB.
MAX_BLOB_BYTES: Final = 2 << 30
# A pack of blobs is closed when it has so many plain bytes; a bigger blob is a pack of its own.
PACK_BYTES: Final = 256 << 10
# What a receiver takes as one pack of several blobs: it may unpack that in memory.
MAX_PACK_BYTES: Final = 1 << 20
# The shortest secret of an agent.
MIN_SECRET_BYTES: Final = 16
# Digests in one MISSING, blobs in one CONTENTS, entries in one UPDATE: all well within a frame.
MAX_DIGESTS: Final = 4096
# Directories in which one job may leave files, and outputs that it may have already.
MAX_JOB_PATHS: Final = 100

RawDigest: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]  # SHA-256
Path: TypeAlias = Annotated[bytes, Meta(min_length=1, max_length=MAX_PATH_BYTES)]
BlobSize: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_BLOB_BYTES)]
UpdateNumber: TypeAlias = Annotated[int, Meta(ge=0, le=0xFFFF_FFFF)]
# A time of a file system: signed, nanoseconds since 1970.
Nanoseconds: TypeAlias = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


class File(Struct, frozen=True, array_like=True, tag="f"):
    """A regular file: its content by digest, and what compilers can see of it beside that."""

    digest: RawDigest
    size: BlobSize
    mtime_ns: Nanoseconds
    executable: bool = False


class Link(Struct, frozen=True, array_like=True, tag="l"):
    """A symbolic link, its target as it is written there."""

    target: Path


class Directory(Struct, frozen=True, array_like=True, tag="d"):
    """A directory that exists; what it holds is said elsewhere."""


Entry: TypeAlias = File | Link | Directory


class Update(Struct, frozen=True):
    """The replica becomes what it was, but for these paths.

    Parents of a path are made as directories. A removal takes everything below the path with it; removals
    come first. With `fork`, jobs that were sent before must not see the change (a server decides the same
    by itself where a path changes or goes).
    """

    replica: Annotated[bytes, Meta(min_length=16, max_length=16)]  # the id that `ReplicaState` told
    number: UpdateNumber  # one more than the last one
    puts: Annotated[dict[Path, Entry], Meta(max_length=MAX_DIGESTS)] = {}
    removes: Annotated[tuple[Path, ...], Meta(max_length=MAX_DIGESTS)] = ()
    fork: bool = False


class ReplicaState(Struct, frozen=True):
    """The server to the client: your replica is this one, and this is the last update it has.

    Said after WELCOME where the HELLO named a secret, and again when the server had to give the old replica
    up (a new id, number 0): whatever was in the old one is not in the new one.
    """

    replica: Annotated[bytes, Meta(min_length=16, max_length=16)]
    number: UpdateNumber = 0


class FileJob(Struct, frozen=True):
    """One compile in the replica; uses up one grant. Nothing follows it."""

    replica: Annotated[bytes, Meta(min_length=16, max_length=16)]
    update: UpdateNumber  # it begins when all updates up to this one are there with their blobs
    program: Path  # absolute, in the replica
    argv: Annotated[tuple[bytes, ...], Meta(min_length=1, max_length=100_000)]
    environment: Annotated[tuple[bytes, ...], Meta(max_length=1000)]  # NAME=value
    cwd: Path
    umask: Annotated[int, Meta(ge=0, le=0o777)]
    # What the compiler leaves below these directories is wanted; what it leaves elsewhere is thrown away.
    returns: Annotated[tuple[Path, ...], Meta(min_length=1, max_length=MAX_JOB_PATHS)]
    label: Annotated[str, Meta(max_length=4096)] = ""  # for people: the source
    # Outputs that are there already: something stands at each, so that a removal of it is seen.
    existing: Annotated[tuple[Path, ...], Meta(max_length=MAX_JOB_PATHS)] = ()


class Missing(Struct, frozen=True):
    """These blobs are not here: send them. About the connection; one upload serves all jobs that wait."""

    digests: Annotated[tuple[RawDigest, ...], Meta(min_length=1, max_length=MAX_DIGESTS)]


class Contents(Struct, frozen=True):
    """Blobs, one after the other, packed as one; BLOB frames of job 0 with `raw_bytes` bytes follow.

    Each answers a MISSING. GONE ends the contents of a single blob before all of it is there.
    """

    blobs: Annotated[tuple[tuple[RawDigest, BlobSize], ...], Meta(min_length=1, max_length=MAX_DIGESTS)]
    raw_bytes: BlobSize
    encoding: Annotated[str, Meta(max_length=128)] = "raw"  # or "zstd"


class Gone(Struct, frozen=True):
    """The answer to MISSING for blobs that the client does not have any more: their files have changed.

    Also in the middle of the CONTENTS of a single blob, which ends there.
    The paths that were to hold them are as if they had been removed. Jobs that wait for them are answered
    with ERROR `changed`.
    """

    digests: Annotated[tuple[RawDigest, ...], Meta(min_length=1, max_length=MAX_DIGESTS)]


class Left(Struct, frozen=True):
    """A regular file that the compiler left. Its content is the `file` part of the same rank in a RESULT."""

    path: Path  # absolute
    mode: Annotated[int, Meta(ge=0, le=0o7777)]
