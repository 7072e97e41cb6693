"""What is asked of the scanner: one translation unit, and where its compiler looks for headers."""

from dataclasses import dataclass

from fleetcc.model import Family


@dataclass(frozen=True, slots=True)
class Search:
    """Directories in the order in which the compiler looks; absolute or relative to cwd, as spelled."""

    quote: tuple[bytes, ...]  # before the angled ones, for "..." only: -iquote, and what -I- makes of -I
    angled: tuple[bytes, ...]  # -I, CPATH, -isystem, built-in, -idirafter
    includer_first: bool = True  # "..." looks beside the includer first; false under -I-
    embed: tuple[bytes, ...] = ()  # --embed-dir, for #embed only


@dataclass(frozen=True, slots=True)
class Unit:
    """One source and the part of its command line that decides which files are read."""

    cwd: bytes
    source: bytes  # as spelled
    search: Search
    language: bytes  # c, c++, objective-c, objective-c++ or assembler-with-cpp
    forced: tuple[bytes, ...]  # -include and -imacros, in order
    definitions: tuple[bytes, ...]  # of -D: b"NAME", b"NAME=VALUE", b"F(x)=VALUE"
    trigraphs: bool = False  # -trigraphs, -ansi or -std=c*
    family: Family = Family.GCC


def absolute(cwd: bytes, path: bytes) -> bytes:
    """The path from the root, as the kernel would take it: without `//` and `/./`, but with every `..`."""
    if path[:1] != b"/":
        path = cwd + b"/" + path
    if b"//" not in path and b"/." not in path and path[-1:] != b"/":
        return path
    return b"/" + b"/".join([part for part in path.split(b"/") if part not in {b"", b"."}])
