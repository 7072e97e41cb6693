"""The inputs of a compile in replica mode: their languages, and the files that are made of them.

Other than in preprocessed mode headers (to precompile) and assembler sources count.
"""

from dataclasses import dataclass
from typing import Final

from fleetcc.command.languages import suffix_of
from fleetcc.model import Compiler, Family, Reason

# The languages whose includes have to be found, by the names that follow -x.
SCANNED: Final = frozenset((b"c", b"c++", b"objective-c", b"objective-c++", b"assembler-with-cpp"))
ASSEMBLER: Final = frozenset((b"assembler", b"assembler-with-cpp"))

_CXX_HEADERS: Final = (b"hh", b"H", b"hp", b"hpp", b"HPP", b"hxx", b"h++")
_PRECOMPILED_NAME_SINCE_CLANG: Final = (18,)


@dataclass(frozen=True, slots=True)
class Source:
    """One input: its language by the name that follows -x (`b"cpp-output"`: preprocessed C)."""

    path: bytes
    language: bytes
    header: bool = False


_SUFFIXES: Final[dict[bytes, bytes]] = {
    b"c": b"c",
    b"i": b"cpp-output",
    **dict.fromkeys((b"C", b"c++", b"cc", b"cp", b"cpp", b"CPP", b"cxx"), b"c++"),
    b"ii": b"c++-cpp-output",
    b"m": b"objective-c",
    b"mi": b"objective-c-cpp-output",
    **dict.fromkeys((b"M", b"mm"), b"objective-c++"),
    b"mii": b"objective-c++-cpp-output",
    b"s": b"assembler",
    b"S": b"assembler-with-cpp",
    b"h": b"c-header",
    **dict.fromkeys(_CXX_HEADERS, b"c++-header"),
}
_GCC_SUFFIXES: Final = {b"sx": b"assembler-with-cpp", b"tcc": b"c++-header"}
# g++ takes these for C++ whatever they say.
_CXX_DRIVER: Final = {b"c": b"c++", b"i": b"c++", b"h": b"c++-header"}

_HEADERS: Final = {
    b"c-header": b"c",
    b"c++-header": b"c++",
    b"objective-c-header": b"objective-c",
    b"objective-c++-header": b"objective-c++",
}
_NAMES: Final = frozenset(_SUFFIXES.values()) | frozenset(_HEADERS)
_MODULES: Final = frozenset(
    (
        b"cppm",
        b"ccm",
        b"cxxm",
        b"c++m",
        b"ixx",
        b"pcm",
        b"c++-module",
        b"c++-system-header",
        b"c++-user-header",
    )
)

# configure's and distcc's names for probes, which are too small to travel.
_PROBES: Final = (b"conftest.", b"tmp.conftest.")
_STAGE_SUFFIXES: Final = {b"-c": (b".o", b".bc"), b"-S": (b".s", b".ll")}


def source_of(path: bytes, named: bytes | None, compiler: Compiler, *, cxx_driver: bool) -> Source | Reason:
    """What an input is; `named` is what -x says at its place."""
    obstacle = _obstacle(path)
    if obstacle is not None:
        return obstacle
    language = (
        named if named is not None else _by_suffix(suffix_of(path), compiler.family, cxx_driver=cxx_driver)
    )
    header = _HEADERS.get(language)
    if header is not None:
        return Source(path, header, header=True)
    if language in _NAMES:
        return Source(path, language)
    return Reason.MODULES if language in _MODULES else Reason.UNKNOWN_LANGUAGE


def output_of(source: Source, stage: bytes | None, compiler: Compiler, *, bitcode: bool) -> bytes | Reason:
    """The main output without -o; empty when there is none."""
    if stage is None:
        return b""
    if source.header:
        if stage == b"-S":
            return Reason.HEADER_INPUT
        newer = compiler.family is Family.CLANG and compiler.version >= _PRECOMPILED_NAME_SINCE_CLANG
        return source.path + (b".pch" if newer else b".gch")
    if source.language in ASSEMBLER and stage == b"-S":
        # Nothing is compiled; the text goes to standard output.
        return Reason.ASSEMBLER_INPUT
    base = source.path.rpartition(b"/")[2]
    stem, dot, _ = base.rpartition(b".")
    return (stem if dot else base) + _STAGE_SUFFIXES[stage][bitcode]


def _obstacle(path: bytes) -> Reason | None:
    if path == b"-" or path.startswith((b"/dev/", b"/proc/")):
        return Reason.CONFIGURE_PROBE if path == b"/dev/null" else Reason.STDIN_INPUT
    if path[:1] == b"@":
        return Reason.RESPONSE_FILE
    if path[-1:] in {b"/", b""}:
        return Reason.UNKNOWN_LANGUAGE
    if path.rpartition(b"/")[2].startswith(_PROBES):
        return Reason.CONFIGURE_PROBE
    return None


def _by_suffix(suffix: bytes, family: Family, *, cxx_driver: bool) -> bytes:
    if cxx_driver and suffix in _CXX_DRIVER:
        return _CXX_DRIVER[suffix]
    found = _SUFFIXES.get(suffix)
    if found is None and family is Family.GCC:
        found = _GCC_SUFFIXES.get(suffix)
    return found if found is not None else suffix
