"""What a driver would run for a compile, and what its programs are loaded with: its own answers."""

import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fleetcc.toolchain.asking import Asking
from fleetcc.toolchain.contents import UnidentifiedError
from fleetcc.toolchain.libraries import LOADER_CACHE, loader_of, shared_libraries

Command = tuple[bytes, ...]

_ELF: Final = b"\x7fELF"
_CAPABILITIES: Final = re.compile(rb"/glibc-hwcaps/[^/]+(?=/[^/]+\Z)")
_SEARCH_START: Final = b"#include <...> search starts here:"
_SEARCH_END: Final = b"End of search list."
_INSTALLATION: Final = re.compile(rb"^Found candidate GCC installation: (.+?)\s*$", re.MULTILINE)
_CONFIGURED: Final = re.compile(rb"(?:^|\s)'?--(prefix|datarootdir|datadir|localedir)=([^\s']+)")


@dataclass(frozen=True, slots=True)
class Compiling:
    """What questions are about: a compiler, the language of a source, and the options that decide."""

    asking: Asking
    language: bytes
    options: Command

    def commands(self, extra: Command = (), *, without: Iterable[bytes] = ()) -> list[Command]:
        """What the driver would run to compile, each with its words; raises UnidentifiedError."""
        left_out = frozenset(without)
        options = [word for word in self.options if word not in left_out]
        words = (*options, *extra, b"-###", b"-c", b"-x", self.language, b"/dev/null")
        answer = self.asking.ask(*words)
        if answer.status != 0:
            raise UnidentifiedError(f"does not say how it compiles: {_last_line(answer.stderr)}")
        return parse_commands(answer.stderr)

    def story(self) -> bytes:
        """What the driver and its preprocessor say with -v; raises UnidentifiedError."""
        answer = self.asking.ask(*self.options, b"-v", b"-E", b"-x", self.language, b"/dev/null")
        if answer.status != 0:
            raise UnidentifiedError(f"does not preprocess an empty source: {_last_line(answer.stderr)}")
        return answer.stderr


def parse_commands(said: bytes) -> list[Command]:
    """The commands of an answer to -###: gcc and clang begin those lines with a blank, and quote."""
    lines = said.decode(errors="surrogateescape").splitlines()
    told = [line for line in lines if line.startswith(" ") and not line.startswith(" (in-process)")]
    return [tuple(os.fsencode(word) for word in words) for line in told if (words := shlex.split(line))]


def include_directories(story: bytes) -> list[bytes]:
    """The built-in directories of <...>, as the compiler spells them."""
    _, _, after = story.partition(_SEARCH_START)
    listed, end, _ = after.partition(_SEARCH_END)
    return [line.strip() for line in listed.splitlines() if line.strip()] if end else []


def gcc_installations(story: bytes) -> list[bytes]:
    """Where clang found a GCC to take headers from."""
    return list(dict.fromkeys(_INSTALLATION.findall(story)))


def translation_directories(story: bytes) -> tuple[bytes, ...]:
    """Where a gcc that was configured for another place looks for its messages."""
    places = dict(_CONFIGURED.findall(story))
    ending = {
        b"localedir": b"",
        b"datarootdir": b"/locale",
        b"datadir": b"/locale",
        b"prefix": b"/share/locale",
    }
    named = [places[name] + rest for name, rest in ending.items() if name in places]
    return tuple(folder for folder in named if os.path.isdir(folder))


def loaded_files(asking: Asking, program: bytes) -> list[bytes]:
    """A program with its loader and libraries, and the loader's cache where it decides which these are.

    Raises UnidentifiedError for what the kernel does not load by itself: a script's interpreter could run
    anything.
    """
    with open(program, "rb") as file:
        if file.read(4) != _ELF:
            raise UnidentifiedError(
                f"{program!r} is a script or no program of this system; name the compiler itself"
            )
    loader = loader_of(program)
    if not loader:
        return [program]
    needed = shared_libraries(asking, program)
    # A processor of fewer capabilities than ours takes the plain one.
    plain = [path for path in (_CAPABILITIES.sub(b"", each) for each in needed) if os.path.isfile(path)]
    without_cache = asking.run(loader, b"--inhibit-cache", b"--list", program)
    is_same = without_cache.status == 0 and set(shared_libraries(asking, program, b"--inhibit-cache")) == set(
        needed
    )
    return [program, loader, *needed, *plain, *(() if is_same else (LOADER_CACHE,))]


def _last_line(said: bytes) -> str:
    lines = [line for line in said.splitlines() if b"error" in line] or said.splitlines() or [b""]
    return lines[-1].strip().decode(errors="replace")
