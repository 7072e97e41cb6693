"""LZO1X, the compression of distcc protocol 2: whole buffers, no header, no size, no checksum.

Two implementations: liblzo2 through ctypes, and the wheel `lzallright`, which every installation has.
liblzo2 compresses more than ten times faster, so it is used where the machine has it. Both release the
interpreter's lock while they work: big bodies belong in a thread.

A stream does not say how long its plain text is, and a hostile one grows 255-fold. So every call of
`decompress` names a limit: no buffer is ever larger than that. (The result is a copy as long as the
plain text, so that for one moment the plain text can be in memory twice.)

The empty text is the empty stream, by distcc's rule; LZO itself would write an end marker.
"""

import ctypes
from typing import Any, Final, Protocol

from lzallright import InputNotConsumed, LZOCompressor, LZOError

from fleetcc.errors import InternalError, ProtocolError

_LIBRARY: Final = "liblzo2.so.2"  # the soname since 2003; by name, because ctypes.util runs programs

# lzo1xconf.h: LZO1X_1_MEM_COMPRESS is 16384 pointers.
_WORK_BYTES: Final = 16384 * ctypes.sizeof(ctypes.c_void_p)

_OK: Final = 0
_OUTPUT_OVERRUN: Final = -5
_TRUNCATED: Final = "the stream ends before its end marker"
_TRAILING: Final = "bytes follow the end marker"
_BAD_REFERENCE: Final = "a reference points before the start"
_LIBRARY_ERRORS: Final = {-4: _TRUNCATED, -6: _BAD_REFERENCE, -7: _TRUNCATED, -8: _TRAILING}
# By name, because the wheel's type stubs give its members no type.
_WHEEL_ERRORS: Final = {"EResult.InputOverrun": _TRUNCATED, "EResult.LookbehindOverrun": _BAD_REFERENCE}

# Source text shrinks to between a fifth and an eighth; distcc's first guess is the same.
_FIRST_GUESS_FACTOR: Final = 8
_SMALLEST_GUESS: Final = 4096

# One zero byte of a length adds 255 bytes of plain text; every other byte of a stream adds less.
_MAX_EXPANSION: Final = 255


class Codec(Protocol):
    """One implementation of LZO1X. Neither method is called with an empty buffer."""

    name: str

    def compress(self, plain: bytes) -> bytes:
        """Compress one buffer."""

    def decompress(self, stream: bytes, max_size: int) -> bytes:
        """Expand one stream; raises ProtocolError."""


def compress(plain: bytes | bytearray | memoryview) -> bytes:
    """Compress one buffer; the empty one stays empty."""
    return _BEST.compress(bytes(plain)) if len(plain) else b""


def decompress(stream: bytes, max_size: int) -> bytes:
    """Expand one stream that must end exactly at its end marker; raises ProtocolError."""
    return _BEST.decompress(stream, max_size) if stream else b""


def implementation() -> str:
    """The name of the implementation in use, for `--version` and the log."""
    return _BEST.name


def implementations() -> tuple[Codec, ...]:
    """Every implementation that this machine has, best first."""
    return _CODECS


class _Library:
    """liblzo2. Raises OSError when it is missing or does not work."""

    name = "liblzo2"

    def __init__(self) -> None:
        library = ctypes.CDLL(_LIBRARY)
        size = ctypes.POINTER(ctypes.c_size_t)
        self._compress: Any = library.lzo1x_1_compress
        self._compress.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, size, ctypes.c_void_p)
        self._decompress: Any = library.lzo1x_decompress_safe
        self._decompress.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, size, ctypes.c_void_p)
        # The header's lzo_init() checks the caller's type sizes this way; -1 means "do not check".
        if library["__lzo_init_v2"](1, *[-1] * 9) != _OK:
            raise OSError(f"{_LIBRARY} refuses to work")

    def compress(self, plain: bytes) -> bytes:
        """Compress one buffer."""
        # lzo/lzo1x.h: incompressible data grows by at most a sixteenth, 64 bytes and the end marker.
        target = bytearray(len(plain) + len(plain) // 16 + 64 + 3)
        size = ctypes.c_size_t(len(target))
        work = ctypes.create_string_buffer(_WORK_BYTES)
        status = self._compress(plain, len(plain), _address(target), ctypes.byref(size), work)
        if status != _OK:
            raise InternalError(f"lzo1x_1_compress answered {status}")
        return bytes(memoryview(target)[: size.value])

    def decompress(self, stream: bytes, max_size: int) -> bytes:
        """Expand one stream; raises ProtocolError."""
        guess = max(_FIRST_GUESS_FACTOR * len(stream), _SMALLEST_GUESS)
        while True:
            target = bytearray(min(guess, max_size))
            size = ctypes.c_size_t(len(target))
            status = self._decompress(stream, len(stream), _address(target), ctypes.byref(size), None)
            if status == _OK:
                return bytes(memoryview(target)[: size.value])
            if status != _OUTPUT_OVERRUN:
                raise _corrupt(_LIBRARY_ERRORS.get(status, f"liblzo2 answered {status}"))
            if guess >= max_size:
                raise _too_long(stream, max_size)
            guess *= 2


class _Wheel:
    """lzallright."""

    name = "lzallright"

    def compress(self, plain: bytes) -> bytes:
        """Compress one buffer."""
        return LZOCompressor().compress(plain)

    def decompress(self, stream: bytes, max_size: int) -> bytes:
        """Expand one stream; raises ProtocolError."""
        # lzallright doubles its buffer without a limit, so the limit must hold before it starts.
        if _MAX_EXPANSION * len(stream) <= max_size:
            return self._expand(stream, _FIRST_GUESS_FACTOR * len(stream))
        size = plain_size(stream)
        if size > max_size:
            raise _too_long(stream, max_size)
        return self._expand(stream, size)

    @staticmethod
    def _expand(stream: bytes, size_hint: int) -> bytes:
        try:
            return LZOCompressor.decompress(stream, size_hint)
        except InputNotConsumed:
            raise _corrupt(_TRAILING) from None
        except LZOError as error:
            code = str(error.args[0])
            raise _corrupt(_WHEEL_ERRORS.get(code, f"lzallright answered {code}")) from None


def plain_size(stream: bytes) -> int:
    """How long the plain text of a stream is, without making it; raises ProtocolError for a truncated one.

    It follows the decoder's rules (distcc-compat 1.5) but checks no references: the expansion does that.
    Some 15 MB of stream per second, so it is for the rare case that nothing cheaper decides.
    """
    size = at = literals = 0  # literals: how many the last instruction copied, 4 for a long run
    try:
        if stream[0] > 17:
            size = stream[0] - 17
            literals = min(size, 4)
            at = 1 + size
        while True:
            code = stream[at]
            at += 1
            if code < 16 and literals == 0:
                run, at = (3 + code, at) if code else _extended(stream, at, 3 + 15)
                size += run
                at += run
                literals = 4
                continue
            match, literals, at = _match(stream, at, code, after_long_run=literals == 4)
            if not match:
                return size
            size += match + literals
            at += literals
    except IndexError:
        raise _corrupt(_TRUNCATED) from None


def _match(stream: bytes, at: int, code: int, *, after_long_run: bool) -> tuple[int, int, int]:
    """One match: its length (0 for the end marker), the literals after it, and where those start."""
    if code >= 64:
        length = 3 + (code >> 5 & 1) if code < 128 else 5 + (code >> 5 & 3)
        return length, code & 3, at + 1
    if code < 16:
        return 3 if after_long_run else 2, code & 3, at + 1
    mask = 31 if code >= 32 else 7
    length, at = (2 + (code & mask), at) if code & mask else _extended(stream, at, 2 + mask)
    low, high = stream[at], stream[at + 1]
    is_end = code < 32 and not code & 8 and low < 4 and not high
    return 0 if is_end else length, low & 3, at + 2


def _extended(stream: bytes, at: int, base: int) -> tuple[int, int]:
    """A length too big for its instruction: 255 for each zero byte, then the first other byte."""
    zeros = 0
    while not stream[at + zeros]:
        zeros += 1
    return base + 255 * zeros + stream[at + zeros], at + zeros + 1


def _address(buffer: bytearray) -> Any:
    return ctypes.byref(ctypes.c_char.from_buffer(buffer)) if buffer else None


def _corrupt(reason: str) -> ProtocolError:
    return ProtocolError(f"a body that is not LZO: {reason}")


def _too_long(stream: bytes, max_size: int) -> ProtocolError:
    return ProtocolError(f"an LZO body of {len(stream)} bytes expands to more than the {max_size} allowed")


def _probe() -> tuple[Codec, ...]:
    """Look once: the library counts only if it can read what it wrote."""
    try:
        library = _Library()
    except (OSError, AttributeError):
        return (_Wheel(),)
    sample = b"int x;\n" * 8
    works = library.decompress(library.compress(sample), len(sample)) == sample
    return (library, _Wheel()) if works else (_Wheel(),)


_CODECS: Final = _probe()
_BEST: Final = _CODECS[0]
