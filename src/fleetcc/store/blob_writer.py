"""One blob on its way into the store."""

import contextlib
import hashlib
import os
from collections.abc import Callable
from types import TracebackType
from typing import Self

from fleetcc.store.copying import write_all
from fleetcc.store.errors import WrongDigestError, store_error
from fleetcc.store.owned import make_private


class BlobWriter:
    """A blob that comes in pieces; as a context it is finished at the end, or abandoned after an error.

    One thread at a time. Every method may raise StoreFullError and StoreError; nothing half-written stays.
    """

    def __init__(
        self, digest: bytes, size: int, temporary: bytes, path: bytes, mode: int, added: Callable[[int], None]
    ) -> None:
        self._digest = digest
        self._size = size
        self._temporary = temporary
        self._path = path
        self._added = added
        self._written = 0
        self._hash = hashlib.sha256()
        self._is_verified = False
        self.file = -1
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self.file = os.open(temporary, flags, mode)
            os.fchmod(self.file, mode)  # whatever the umask is
        except OSError as error:
            self.abandon()
            raise store_error(error, "storing a blob") from error

    def write(self, data: bytes | memoryview) -> None:
        """The next piece; raises WrongDigestError when it is more than the blob has."""
        self._written += len(data)
        if self._written > self._size:
            self.abandon()
            raise WrongDigestError(
                f"blob {self._digest.hex()} is longer than the {self._size} bytes announced"
            )
        self._hash.update(data)
        self._put(data)

    def write_verified(self, data: bytes | memoryview) -> None:
        """All of it, whose digest the caller has compared."""
        self._is_verified = True
        self._put(data)

    def verify_all(self) -> None:
        """Compare what has been put into `file` directly."""
        os.lseek(self.file, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self.file), "rb") as reader:
            found = hashlib.file_digest(reader, "sha256").digest()
        self._is_verified = found == self._digest

    def finish(self) -> None:
        """Compare the digest and give the blob its name; raises WrongDigestError."""
        if not self._is_verified and (self._written != self._size or self._hash.digest() != self._digest):
            self.abandon()
            raise WrongDigestError(
                f"{self._written} bytes that are not the {self._size} of blob {self._digest.hex()}"
            )
        try:
            self._rename()
        except OSError as error:
            self.abandon()
            raise store_error(error, "storing a blob") from error
        self._close()
        self._added(self._size)

    def abandon(self) -> None:
        """Nothing stays of it."""
        self._close()
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abandon()
        elif self.file >= 0:
            self.finish()

    def _put(self, data: bytes | memoryview) -> None:
        try:
            write_all(self.file, data)
        except OSError as error:
            self.abandon()
            raise store_error(error, "storing a blob") from error

    def _rename(self) -> None:
        try:
            os.rename(self._temporary, self._path)
        except FileNotFoundError:  # the first one of its folder
            make_private(os.path.dirname(self._path))
            os.rename(self._temporary, self._path)

    def _close(self) -> None:
        if self.file >= 0:
            os.close(self.file)
            self.file = -1
