"""Every exception that fleetcc raises on purpose.

    FleetccError
    ├── UsageError            the user must act: argv, settings, host lists, files
    │   └── HostListError     an entry of a host list, with its place
    ├── ProtocolError         the peer broke a protocol; nothing of its message is used
    ├── HostError             a host failed in a way that counts against it (back-off)
    │   └── HostRefusedError  it closed without an answer: not allowed, no such compiler, too busy
    └── InternalError         a promise of our own code was broken

The exit codes are distcc's (distcc-compat.md 4.4): above 100, so they never look like a compiler's.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit statuses of our own programs."""

    GENERAL = 100
    BAD_ARGUMENTS = 101
    BIND_FAILED = 102
    CONNECT_FAILED = 103
    OUT_OF_MEMORY = 105
    BAD_HOST_LIST = 106
    IO_ERROR = 107
    PROTOCOL_ERROR = 109
    COMPILER_MISSING = 110
    RECURSION = 111
    ACCESS_DENIED = 113
    NO_SUCH_FILE = 115
    NO_HOSTS = 116
    TIMEOUT = 118


class FleetccError(Exception):
    """Base of all; the text is a sentence for the person who must act."""

    exit_code: ExitCode = ExitCode.GENERAL


class UsageError(FleetccError):
    """The user gave something that cannot be used."""

    exit_code = ExitCode.BAD_ARGUMENTS


class HostListError(UsageError):
    """A host list that cannot be read; says which entry, where, and the remedy."""

    exit_code = ExitCode.BAD_HOST_LIST


class ProtocolError(FleetccError):
    """The peer sent what its protocol does not allow."""

    exit_code = ExitCode.PROTOCOL_ERROR


class HostError(FleetccError):
    """A host failed before its compiler had spoken."""

    exit_code = ExitCode.IO_ERROR


class HostRefusedError(HostError):
    """A host closed the connection without an answer."""

    exit_code = ExitCode.ACCESS_DENIED


class InternalError(FleetccError):
    """A promise of our own code was broken: a bug to report."""
