"""Which language a source is in: from -x, its suffix and the driver, as gcc and clang decide it."""

from dataclasses import dataclass
from typing import Final

from fleetcc.model import Compiler, Language, Reason


@dataclass(frozen=True, slots=True)
class Kind:
    """What a source is."""

    language: Language
    preprocessed: bool = False


_C: Final = Kind(Language.C)
_CXX: Final = Kind(Language.CXX)

# Files that g++ takes for C++ whatever they say.
_CXX_DRIVER_SUFFIXES: Final = {b"c": _CXX, b"i": _CXX}

SUFFIXES: Final[dict[bytes, Kind | Reason]] = {
    b"c": _C,
    b"i": Kind(Language.C, preprocessed=True),
    b"C": _CXX,
    b"c++": _CXX,
    b"cc": _CXX,
    b"cp": _CXX,
    b"cpp": _CXX,
    b"CPP": _CXX,
    b"cxx": _CXX,
    b"ii": Kind(Language.CXX, preprocessed=True),
    b"m": Kind(Language.OBJC),
    b"mi": Kind(Language.OBJC, preprocessed=True),
    b"M": Kind(Language.OBJCXX),
    b"mm": Kind(Language.OBJCXX),
    b"mii": Kind(Language.OBJCXX, preprocessed=True),
    **dict.fromkeys((b"s", b"S", b"sx", b"asm"), Reason.ASSEMBLER_INPUT),
    **dict.fromkeys((b"h", b"H", b"hh", b"hp", b"hpp", b"HPP", b"hxx", b"h++", b"tcc"), Reason.HEADER_INPUT),
    **dict.fromkeys((b"cppm", b"ccm", b"cxxm", b"c++m", b"ixx", b"pcm"), Reason.MODULES),
}

# What follows -x.
NAMES: Final[dict[bytes, Kind | Reason]] = {
    b"c": _C,
    b"cpp-output": Kind(Language.C, preprocessed=True),
    b"c++": _CXX,
    b"c++-cpp-output": Kind(Language.CXX, preprocessed=True),
    b"objective-c": Kind(Language.OBJC),
    b"objective-c-cpp-output": Kind(Language.OBJC, preprocessed=True),
    b"objective-c++": Kind(Language.OBJCXX),
    b"objective-c++-cpp-output": Kind(Language.OBJCXX, preprocessed=True),
    **dict.fromkeys((b"assembler", b"assembler-with-cpp"), Reason.ASSEMBLER_INPUT),
    **dict.fromkeys(
        (
            b"c-header", b"c++-header", b"c++-system-header", b"c++-user-header", b"objective-c-header",
            b"objective-c++-header",
        ),
        Reason.HEADER_INPUT,
    ),
    b"c++-module": Reason.MODULES,
}  # fmt: skip


def suffix_of(path: bytes) -> bytes:
    """What follows the last dot of the last component; empty without one."""
    base = path.rpartition(b"/")[2]
    stem, dot, suffix = base.rpartition(b".")
    return suffix if dot and stem else b""


def kind_of(source: bytes, named: bytes | None, *, cxx_driver: bool) -> Kind | Reason:
    """The language of a source; `named` is what -x says at its place."""
    if named is not None:
        return NAMES.get(named, Reason.UNKNOWN_LANGUAGE)
    suffix = suffix_of(source)
    if cxx_driver and suffix in _CXX_DRIVER_SUFFIXES:
        return _CXX_DRIVER_SUFFIXES[suffix]
    return SUFFIXES.get(suffix, Reason.UNKNOWN_LANGUAGE)


def is_cxx_driver(name: bytes, compiler: Compiler) -> bool:
    """Does this name make a driver take every source for C++?"""
    return b"++" in name.rpartition(b"/")[2] or b"++" in (compiler.remote_name or b"")
