"""Where a compiler looks for headers, asked from the compiler itself.

`cc OPTIONS -E -v -x LANGUAGE /dev/null` lists the directories in the order in which it looks, with all its
own rules applied: sysroots, prefixes, variables, duplicates, what does not exist. An answer holds as long as
each directory in it, and each that it left out, is what it was: the compiler leaves out what does not exist
and what is the same directory as another one. If one comes to exist, goes, or changes places, it is asked
again.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.files.disk import RealDisk
from fleetcc.files.folders import Marks
from fleetcc.includes.disk import Stamp
from fleetcc.includes.unit import Search, absolute
from fleetcc.toolchain.asking import settings_files
from fleetcc.toolchain.contents import UnidentifiedError
from fleetcc.toolchain.search_run import complaint, run

# What may change the answer; the rest of an environment is passed on, but makes no other question.
VARIABLES: Final = (
    b"CPATH", b"C_INCLUDE_PATH", b"CPLUS_INCLUDE_PATH", b"OBJC_INCLUDE_PATH", b"OBJCPLUS_INCLUDE_PATH",
    b"GCC_EXEC_PREFIX", b"COMPILER_PATH", b"PATH", b"LD_LIBRARY_PATH", b"SDKROOT", b"CCC_OVERRIDE_OPTIONS",
    b"GCC_ROOT",
)  # fmt: skip

# A build has some hundred sets of options; a CMake target with directories of its own is one.
_MOST_ANSWERS: Final = 20_000

_LISTS: Final = re.compile(
    rb'^#include "\.\.\." search starts here:\n((?: .*\n)*)'
    rb"#include <\.\.\.> search starts here:\n((?: .*\n)*)"
    rb"(?:#embed <\.\.\.> search starts here:\n((?: .*\n)*))?"
    rb"End of search list\.$",
    re.MULTILINE,
)
_IGNORED: Final = re.compile(rb'^ignoring (?:nonexistent|duplicate) directory "(.*)"$', re.MULTILINE)
_NO_DIRECTORY: Final = re.compile(rb"^cc1\w*: \w+: (.*): not a directory$", re.MULTILINE)
_FRAMEWORKS: Final = b" (framework directory)"
_HEADER_MAP: Final = b" (headermap)"
_EMBED: Final = b"--embed-dir="

# Options whose value cannot be a relative path, and paths that are none.
_ANYWHERE: Final = re.compile(
    rb"/.*|-(?:I|F|B|isystem|iquote|idirafter|isysroot|imultilib|imultiarch|iprefix)/.*"
    rb"|--?(?:sysroot|embed-dir|gcc-toolchain|gcc-install-dir)=/.*|-I-?|-B|-F|--sysroot"
    rb"|-(?:isystem|iquote|idirafter|isysroot|nostdinc|nostdinc\+\+|nostdlibinc|nobuiltininc|ansi|undef)"
    rb"|-(?:std|stdlib)=.*|-m[^/]*|-f[^/=]*|--target=.*|-pthread|-O\w*",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Question:
    """What decides where headers are looked for. `cwd` is empty when nothing in it is relative."""

    program: bytes  # absolute
    argv0: bytes
    variables: tuple[bytes, ...]  # values of VARIABLES
    language: bytes  # as -x names it
    words: tuple[bytes, ...]  # the command's options that bear on it, in order
    cwd: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the compiler said: directories as it spells them, and what it left out or read on the way."""

    search: Search
    left_out: tuple[bytes, ...]
    settings: tuple[bytes, ...]


@dataclass(slots=True)
class _Kept:
    search: Search
    program: Stamp | None
    directories: tuple[tuple[bytes, tuple[int, int] | None], ...]
    marks: Marks  # while the directories have these, they are what they are
    settings: tuple[tuple[bytes, Stamp | None], ...]


def question(
    program: bytes,
    argv0: bytes,
    environment: Mapping[bytes, bytes],
    language: bytes,
    words: Sequence[bytes],
    cwd: bytes,
) -> Question:
    """The question that a command raises; commands of different directories mostly raise the same one."""
    variables = tuple([environment.get(name, b"") for name in VARIABLES])
    anywhere = all(map(_ANYWHERE.fullmatch, words)) and not any(map(_is_relative, variables[:5]))
    return Question(program, argv0, variables, language, tuple(words), b"" if anywhere else cwd)


def ask(asked: Question, environment: Mapping[bytes, bytes], cwd: bytes) -> Answer:
    """Ask the compiler (blocking, some 10 ms, for a thread); raises UnidentifiedError."""
    argv = (asked.argv0, *asked.words, b"-E", b"-v", b"-x", asked.language, b"/dev/null")
    answer = run(asked.program, argv, environment, asked.cwd or cwd)
    if answer.status != 0:
        raise UnidentifiedError(f"the search directories are not to be had: {complaint(answer)}")
    return understand(answer.stderr, asked.words)


def understand(text: bytes, words: Sequence[bytes] = ()) -> Answer:
    """The lists in an answer to `-E -v`; raises UnidentifiedError when there are none."""
    found = _LISTS.search(text)
    if found is None:
        raise UnidentifiedError("the compiler's -v names no search directories")
    quote, angled, embed = (_directories(part or b"") for part in found.groups())
    given = tuple([word[len(_EMBED) :] for word in words if word.startswith(_EMBED)])
    search = Search(quote, angled, includer_first=b"-I-" not in words, embed=embed or given)
    left_out = dict.fromkeys([*_IGNORED.findall(text), *_NO_DIRECTORY.findall(text)])
    return Answer(search, tuple(left_out), tuple(settings_files(text)))


class Searches:
    """The answers so far, each for as long as it holds. Not for use in several threads, like its disk."""

    def __init__(self, disk: RealDisk) -> None:
        self._disk = disk
        self._kept: dict[Question, _Kept] = {}

    def lookup(self, asked: Question) -> Search | None:
        """The answer, if it is known and holds in this moment; the same object as long as it is equal."""
        kept = self._kept.get(asked)
        if kept is None or self._disk.file(asked.program) != kept.program:
            return None
        disk, file = self._disk, self._disk.file
        if not disk.unchanged(kept.marks):
            for path, known in kept.directories:
                if disk.identity(path) != known:
                    return None
            kept.marks = disk.tokens(path for path, _ in kept.directories)
        return kept.search if all(file(path) == stamp for path, stamp in kept.settings) else None

    def learn(self, asked: Question, answer: Answer, cwd: bytes) -> Search:
        """Keep an answer, unless what it says has changed since: then it is only good for now."""
        search, base, disk = answer.search, asked.cwd or cwd, self._disk
        used = [absolute(base, path) for path in (*search.quote, *search.angled)]
        unused = [absolute(base, path) for path in answer.left_out]
        directories = {path: disk.identity(path) for path in (*used, *unused)}
        if any(directories[path] is None and disk.file(path) is None for path in used):
            return search
        known = self._kept.get(asked)
        if known is not None and known.search == search:
            search = known.search
        if len(self._kept) >= _MOST_ANSWERS:
            self._kept.clear()
        settings = tuple([(path, disk.file(absolute(base, path))) for path in answer.settings])
        self._kept[asked] = _Kept(
            search, disk.file(asked.program), tuple(directories.items()), disk.tokens(directories), settings
        )
        return search

    def find(self, asked: Question, environment: Mapping[bytes, bytes], cwd: bytes) -> Search:
        """Look it up, or ask (blocking); raises UnidentifiedError."""
        known = self.lookup(asked)
        return known if known is not None else self.learn(asked, ask(asked, environment, cwd), cwd)


def _directories(lines: bytes) -> tuple[bytes, ...]:
    paths = (line[1:].removesuffix(_HEADER_MAP) for line in lines.splitlines())
    return tuple([path for path in paths if not path.endswith(_FRAMEWORKS)])


def _is_relative(value: bytes) -> bool:
    """Does a variable's list of directories have one that is not absolute? An empty one is `.`."""
    return bool(value) and _any_relative(value.split(b":"))


def _any_relative(paths: Iterable[bytes]) -> bool:
    return any(path[:1] != b"/" for path in paths)
