"""One run, around the process that somebody else starts: what it inherits, and what it reports.

    run = Run(helper, network, spec, slot.descriptor)
    try:
        process = Popen(run.argv, pass_fds=run.pass_fds, ...)    # stdin is /dev/null, a session of its own
        run.started()
        ...                                                      # until it has ended
        match run.outcome(): ...
        run.scratch.collect(...)
    finally:
        run.close()

To end it before its time, SIGTERM to the process: it ends everything inside first, and then itself, so that
nothing writes any more when it is reaped. SIGKILL takes everything along too, a moment later.
"""

import os
import socket
from typing import Final

from fleetcc.sandbox.outcome import RECORD_BYTES, Outcome, outcome
from fleetcc.sandbox.scratch import Scratch
from fleetcc.sandbox.spec import Spec, encode

_MAX_RECORDS: Final = 8  # a run has four at most


class Run:
    """Descriptors of one run; `close` gives them back at whatever moment."""

    def __init__(
        self, helper: bytes, network: tuple[int, ...], spec: Spec, inherited: tuple[int, ...] = ()
    ) -> None:
        """`inherited` stay open as long as the helper lives, and do not reach the program.

        Raises ProtocolError for a spec that cannot be run, OSError.
        """
        encoded = encode(spec)
        self.scratch: Scratch | None = None  # known when `outcome` is, if the run came so far
        self._records: list[bytes] = []
        self._status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._status.settimeout(0)
        self._theirs: list[int] = [theirs.detach()]
        try:
            self._theirs.insert(0, _in_memory(encoded))
        except OSError:
            self.close()
            raise
        self.argv = [helper, b"run", *(b"%d" % number for number in (*self._theirs, *network))]
        self.pass_fds = (*self._theirs, *network, *inherited)

    def fileno(self) -> int:
        """Readable whenever the helper has told something, and when it has ended."""
        return self._status.fileno()

    def started(self) -> None:
        """The process is there, or will never be: its ends are not needed here any more."""
        while self._theirs:
            os.close(self._theirs.pop())

    def outcome(self) -> Outcome:
        """What came of it. Ask when the process has ended, once."""
        while len(self._records) < _MAX_RECORDS and (record := self._receive()):
            self._records.append(record)
        return outcome(self._records)

    def close(self) -> None:
        """Everything back; if the helper still runs, it ends the program."""
        self.started()
        self._status.close()
        if self.scratch is not None:
            self.scratch.close()
            self.scratch = None

    def _receive(self) -> bytes:
        try:
            record, descriptors, _, _ = socket.recv_fds(self._status, RECORD_BYTES, 1)
        except (BlockingIOError, ConnectionResetError):
            return b""
        if descriptors:
            self.scratch = Scratch(descriptors[0])
        return record


def _in_memory(data: bytes) -> int:
    """A descriptor of a file with this content. Raises OSError."""
    descriptor = os.memfd_create("spec")
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
