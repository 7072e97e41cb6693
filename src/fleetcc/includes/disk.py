"""What the scanner sees of a disk. `fleetcc.files` has the real one, tests have one in memory."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

# One version of one file. Equal stamps: the same content; a file too young to be sure of never equals itself
# of another moment.
Stamp: TypeAlias = Hashable


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """One version of a directory: the names in it, of files and directories alike."""

    names: frozenset[bytes]


class Disk(Protocol):
    """Files and directories by the paths that a compiler would use; links and `..` as the kernel takes them.

    All answers are of one moment; whoever owns the disk says when the next one begins. Paths are absolute.
    """

    def file(self, path: bytes) -> Stamp | None:
        """The version of the regular file there; None when there is none."""

    def listing(self, directory: bytes) -> Listing | None:
        """The directory there; the very same object as long as its names are the same. None: no such one."""

    def identity(self, directory: bytes) -> Hashable | None:
        """What two paths of one directory have in common, and those of two do not; None: no such one."""

    def read(self, path: bytes) -> bytes:
        """The file's content; raises OSError."""

    def still(self, files: Mapping[bytes, Stamp], listings: Mapping[bytes, Listing | None]) -> bool:
        """Whether all of these are what `file` and `listing` would answer now.

        Neither mapping may be changed afterwards.
        """
