"""The shared libraries that decide what a compiler writes.

The dynamic loader itself is asked (`ld.so --list`): it alone knows run paths, LD_LIBRARY_PATH, its cache and
the processor's own folders, and it maps libraries without running their code or the program's. Which loader
that is stands in the program (PT_INTERP), so a program of another C library is listed by its own.
"""

import os
import re
import struct
from typing import BinaryIO, Final

from fleetcc.toolchain.asking import Asking
from fleetcc.toolchain.contents import UnidentifiedError

# Loading a library from another place than yesterday takes a change of this file or of the program.
LOADER_CACHE: Final = b"/etc/ld.so.cache"

# The compiler's own libraries, those that compute its constants and schedules, and those that write its
# objects. Compression is among the last: with -gz, zlib's and zstd's bytes are in the object. Not libc, libm,
# libstdc++ or the loader: their security updates come one machine at a time and must not split the fleet,
# and nothing that they compute is in an object (but see `libc_release`).
_DECISIVE: Final = re.compile(
    rb"lib(?:LLVM\w*|clang[\w+]*|Polly\w*|isl|cloog|ppl|mpc|mpfr|gmp|bfd|opcodes|ctf|sframe|z|zstd)[-.].*"
)
_LISTED: Final = re.compile(rb"^\s*(?:\S+ => )?(/.+) \(0x[0-9a-f]+\)\s*$", re.MULTILINE)
_GLIBC_RELEASE: Final = re.compile(rb"GNU C Library[^\n]{0,200}? release version (\d+\.\d+)")

_PT_INTERP: Final = 3
_MAX_HEADERS: Final = 1 << 16
_MAX_NAME: Final = 4096
_MAX_OFFSET: Final = 1 << 40  # no compiler is a terabyte; seek refuses what does not fit


def shared_libraries(asking: Asking, program: bytes, *flags: bytes) -> list[bytes]:
    """Paths of all libraries that the program is loaded with; none when it is static or a script.

    `flags` are the loader's own, such as --inhibit-cache.
    """
    loader = loader_of(program)
    if not loader:
        return []
    answer = asking.run(loader, *flags, b"--list", program)
    if answer.status != 0:
        said = answer.stderr.strip().decode(errors="replace")
        raise UnidentifiedError(f"the libraries of {program!r} cannot be listed: {said}")
    return _LISTED.findall(answer.stdout)


def is_decisive(library: bytes) -> bool:
    """Does what this library computes end up in objects?"""
    return _DECISIVE.fullmatch(os.path.basename(library)) is not None


def libc_release(libraries: list[bytes]) -> bytes:
    """glibc's release, without its distribution's revision; empty when it is not loaded.

    clang folds `sin(1.0)` with the libm of its machine, whose last digits change between releases of
    glibc. A security update keeps the release.
    """
    for library in libraries:
        if os.path.basename(library) == b"libc.so.6":
            with open(library, "rb") as file:
                found = _GLIBC_RELEASE.search(file.read())
            return found.group(1) if found else b""
    return b""


def loader_of(program: bytes) -> bytes:
    """The dynamic loader that an ELF program names; empty for anything else."""
    with open(program, "rb") as file:
        head = file.read(64)
        if len(head) < 64 or not head.startswith(b"\x7fELF"):
            return b""
        wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
        (table_at,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)
        size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
        if size < (56 if wide else 32) or size * count > _MAX_HEADERS:
            return b""
        table = _read_at(file, table_at, size * count)
        for at in range(0, len(table) - size + 1, size):
            (kind,) = struct.unpack_from(order + "I", table, at)
            if kind == _PT_INTERP:
                start, length = _place(table, at, order, wide=wide)
                return _read_at(file, start, min(length, _MAX_NAME)).rstrip(b"\0")
    return b""


def _read_at(file: BinaryIO, at: int, length: int) -> bytes:
    if at > _MAX_OFFSET:
        return b""
    file.seek(at)
    return file.read(length)


def _place(table: bytes, at: int, order: str, *, wide: bool) -> tuple[int, int]:
    if wide:
        (start,) = struct.unpack_from(order + "Q", table, at + 8)
        (length,) = struct.unpack_from(order + "Q", table, at + 32)
    else:
        (start,) = struct.unpack_from(order + "I", table, at + 4)
        (length,) = struct.unpack_from(order + "I", table, at + 16)
    return start, length
