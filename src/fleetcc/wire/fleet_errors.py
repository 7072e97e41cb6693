"""The codes of the fleet protocol's errors (docs/protocol.md)."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """What went wrong; the text beside it is for people. Unknown codes come from newer peers."""

    BAD_FRAME = "bad-frame"  # the peer broke the protocol; the connection is closed
    UNKNOWN_MESSAGE = "unknown-message"  # a type from a newer protocol; passed over
    UNSUPPORTED = "unsupported"  # a kind of job, form or encoding that is not served here
    UNKNOWN_COMPILER = "unknown-compiler"  # no such identity here (any more)
    NOT_GRANTED = "not-granted"  # a job without a grant
    REFUSED = "refused"  # an option or a compiler that this server does not run
    UNFIT = "unfit"  # this text cannot be compiled away from its machine with the same bytes
    TOO_LARGE = "too-large"
    TIMED_OUT = "timed-out"  # the peer sent nothing when it was its turn
    TOO_MANY = "too-many"  # connections of one address
    CANCELLED = "cancelled"  # the answer to CANCEL
    DRAINING = "draining"  # the server is leaving
    LIFETIME = "lifetime"  # the compiler ran longer than the server allows
    CHANGED = "changed"  # a file that the job needs has changed at the client meanwhile
    REPLICA_GONE = "replica-gone"  # the replica is not here any more; say everything again
    STORE_FULL = "store-full"  # no room for the files of this job
    LIMITS = "limits"  # it needed more memory or disk than a job may have here
    SANDBOX = "sandbox"  # the compiler cannot be run in a sandbox here (any more)
    FAILED = "failed"  # the server could not: disk, memory, descriptors
