"""One call of a compiler, as all ways of a job see it."""

from collections.abc import Mapping
from dataclasses import dataclass

from fleetcc.model import Reason


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a compiler."""

    program: bytes
    argv: tuple[bytes, ...]
    cwd: bytes
    environment: Mapping[bytes, bytes]
    umask: int
    is_terminal: bool = False  # where its messages go


class CannotShipError(Exception):
    """The job cannot travel as files."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason.text, detail)
        self.reason = reason
        self.detail = detail
