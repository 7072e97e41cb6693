"""The words that a driver hands on to another program: -Wp, -Wa, -Xclang, -mllvm.

Unlike in `passthrough`, unknown ones travel as well.
"""

from typing import Final

from fleetcc.command.replica_options import Part, Use
from fleetcc.command.replica_walk import Found, Handler, ReplicaWalk, Spelled, path_in
from fleetcc.model import Reason

# In the hands of another program these would not mean what the driver means by them.
_DRIVER_ONLY: Final = frozenset(
    {
        Part.STAGE, Part.OUTPUT, Part.LANGUAGE, Part.DEPENDENCIES, Part.DEPENDENCY_FILE, Part.ARCHITECTURE,
        Part.FOR_PREPROCESSOR, Part.FOR_PREPROCESSOR_LIST, Part.FOR_ASSEMBLER, Part.FOR_ASSEMBLER_LIST,
        Part.FOR_CLANG, Part.FOR_LLVM, Part.END_OF_OPTIONS,
    }
)  # fmt: skip


def uses(walk: ReplicaWalk, found: Found, spelled: Spelled, value: bytes) -> None:
    """An option of which all is said by its `Use`."""
    walk.use(found.use, spelled, value)


def ordinary(_walk: ReplicaWalk, _found: Found, _spelled: Spelled, _value: bytes) -> None:
    """An option whose value has to be skipped, no more."""


def assembler(walk: ReplicaWalk, _found: Found, _spelled: Spelled, value: bytes) -> None:
    """-Xassembler WORD."""
    _assembler_word(walk, value)


def assembler_list(walk: ReplicaWalk, _found: Found, _spelled: Spelled, value: bytes) -> None:
    """-Wa,WORD,WORD."""
    for word in value.split(b","):
        _assembler_word(walk, word)


def _assembler_word(walk: ReplicaWalk, word: bytes) -> None:
    if walk.assembler is not None:
        walk.use(walk.assembler.use, (), word)
        walk.assembler = None
    elif word.endswith(b"=native"):
        walk.stop(Reason.NATIVE_CPU, word)
    elif word[:1] == b"@":
        walk.files.append(word[1:])
    elif word.startswith(b"-a"):
        # -alh=LISTING; without a name the listing goes to standard output.
        listing = word.partition(b"=")[2]
        if listing:
            walk.writes.append(listing)
    elif word in _ASSEMBLER_SEPARATE:
        walk.assembler = _ASSEMBLER_SEPARATE[word]
    else:
        walk.may_be_file(path_in(word) if b"=" in word and b"-map" not in word else b"")


def preprocessor(walk: ReplicaWalk, _found: Found, spelled: Spelled, value: bytes) -> None:
    """-Xpreprocessor WORD."""
    walk.preprocessor = _handed_on(walk, walk.preprocessor, value, spelled[:1])


def preprocessor_list(walk: ReplicaWalk, _found: Found, _spelled: Spelled, value: bytes) -> None:
    """-Wp,WORD,WORD."""
    for word in value.split(b","):
        walk.preprocessor = _handed_on(walk, walk.preprocessor, word, (b"-Xpreprocessor",))


def clang(walk: ReplicaWalk, _found: Found, spelled: Spelled, value: bytes) -> None:
    """-Xclang WORD."""
    if walk.clang is None and value.startswith((b"-load", b"-plugin", b"-add-plugin")):
        walk.stop(Reason.PLUGIN, value)
    elif value == b"native":
        walk.stop(Reason.NATIVE_CPU, value)
    walk.clang = _handed_on(walk, walk.clang, value, spelled[:1])


def llvm(walk: ReplicaWalk, _found: Found, _spelled: Spelled, value: bytes) -> None:
    """-mllvm WORD."""
    if value.startswith((b"-load", b"--load")):
        walk.stop(Reason.PLUGIN, value)
    walk.may_be_file(path_in(value))


def _handed_on(walk: ReplicaWalk, pending: Found | None, word: bytes, prefix: Spelled) -> Found | None:
    """One word for another program; returns the option whose value the next such word is."""
    if pending is not None:
        pending.handle(walk, pending, (*prefix, pending.name, *prefix, word), word)
        return None
    found = _DEPENDENCY_WORDS.get(word) if prefix == (b"-Xpreprocessor",) else None
    if found is None:
        found = walk.find(word) if word[:1] == b"-" else None
    if found is None:
        walk.may_be_file(path_in(word) if word[:1] != b"-" else b"")
        return None
    if found.part in _DRIVER_ONLY:
        walk.stop(Reason.UNKNOWN_OPTION, word)
        return None  # -Xpreprocessor of -Xpreprocessor has no end
    if found.separate:
        return found
    found.handle(walk, found, (*prefix, word), found.value)
    return None


def _listed_depfile(walk: ReplicaWalk, _found: Found, _spelled: Spelled, value: bytes) -> None:
    walk.listed_depfile = value


def _separate(name: bytes, handle: Handler, use: Use = Use.NONE) -> Found:
    return Found(handle, Part.USES, name, separate=True, value=b"", use=int(use), reason=None)


# The preprocessor itself has the file as the next word.
_DEPENDENCY_WORDS: Final = {
    **{name: _separate(name, _listed_depfile) for name in (b"-MD", b"-MMD", b"-MF")},
    **{name: _separate(name, ordinary) for name in (b"-MT", b"-MQ")},
}
_ASSEMBLER_SEPARATE: Final = {
    b"-o": _separate(b"-o", uses, Use.WRITES),
    b"--MD": _separate(b"--MD", uses, Use.WRITES),
    b"-I": _separate(b"-I", ordinary),
    b"--defsym": _separate(b"--defsym", ordinary),
}
