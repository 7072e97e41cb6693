"""What each word of a command line does to a walk: one function per part, and the looking up of words.

Most words of a real command line are ordinary, and every build repeats its words, so what a word means is
looked up whole and kept.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from fleetcc.command.options import STAGES, takes_next
from fleetcc.command.replica_options import MEANINGS, Part, Use
from fleetcc.command.replica_programs import (
    assembler,
    assembler_list,
    clang,
    llvm,
    ordinary,
    preprocessor,
    preprocessor_list,
    uses,
)
from fleetcc.command.replica_walk import Found, Handler, ReplicaWalk, Spelled, path_in
from fleetcc.model import Family, Reason


def walk_through(words: Sequence[bytes], family: Family) -> ReplicaWalk:
    """What all words after the compiler's name come to."""
    walk = ReplicaWalk(_FINDERS[family])
    walk.run(words)
    return walk


# -- one function per part


def _open(walk: ReplicaWalk, found: Found, spelled: Spelled, value: bytes) -> None:
    walk.use(found.use, spelled, value)
    walk.may_be_file(value)


def _written(walk: ReplicaWalk, _found: Found, _spelled: Spelled, value: bytes) -> None:
    walk.writes.append(value)


def _stays(walk: ReplicaWalk, found: Found, spelled: Spelled, _value: bytes) -> None:
    assert found.reason is not None
    walk.stop(found.reason, spelled[0])


def _stage(walk: ReplicaWalk, found: Found, _spelled: Spelled, _value: bytes) -> None:
    walk.stages.append(STAGES[found.name])


def _syntax(walk: ReplicaWalk, _found: Found, _spelled: Spelled, _value: bytes) -> None:
    walk.syntax_only = True


def _output(walk: ReplicaWalk, _found: Found, spelled: Spelled, value: bytes) -> None:
    if walk.output is not None:
        walk.stop(Reason.UNKNOWN_OPTION, spelled[0])
    walk.output = value


def _language(walk: ReplicaWalk, _found: Found, _spelled: Spelled, value: bytes) -> None:
    walk.named_language = None if value == b"none" else value


def _dependencies(walk: ReplicaWalk, _found: Found, _spelled: Spelled, _value: bytes) -> None:
    walk.asks_dependencies = True


def _dependency_file(walk: ReplicaWalk, _found: Found, _spelled: Spelled, value: bytes) -> None:
    walk.depfile = value


def _definition(walk: ReplicaWalk, _found: Found, _spelled: Spelled, value: bytes) -> None:
    walk.definitions.append(value)


def _forced(walk: ReplicaWalk, _found: Found, _spelled: Spelled, value: bytes) -> None:
    walk.forced.append(value)


# From these on the strict dialects have no trigraphs either.
_NO_TRIGRAPHS: Final = frozenset(
    (b"c++17", b"c++1z", b"c++20", b"c++2a", b"c++23", b"c++2b", b"c++26", b"c++2c", b"c23", b"c2x", b"c2y")
)


def _standard(walk: ReplicaWalk, _found: Found, _spelled: Spelled, value: bytes) -> None:
    walk.strict = not value.startswith(b"gnu") and value not in _NO_TRIGRAPHS


def _trigraphs(walk: ReplicaWalk, _found: Found, _spelled: Spelled, _value: bytes) -> None:
    walk.trigraphs = True


def _native(walk: ReplicaWalk, found: Found, spelled: Spelled, value: bytes) -> None:
    walk.native = True
    walk.use(found.use, spelled, value)


def _architecture(walk: ReplicaWalk, found: Found, spelled: Spelled, value: bytes) -> None:
    walk.architectures += 1
    if walk.architectures > 1:
        walk.stop(Reason.SEVERAL_ARCHITECTURES, value)
    walk.use(found.use, spelled, value)


def _bitcode(walk: ReplicaWalk, _found: Found, _spelled: Spelled, _value: bytes) -> None:
    walk.bitcode = True


def _records(walk: ReplicaWalk, _found: Found, _spelled: Spelled, _value: bytes) -> None:
    walk.records = True


def _profile(walk: ReplicaWalk, _found: Found, _spelled: Spelled, _value: bytes) -> None:
    walk.profile = True


def _profile_file(walk: ReplicaWalk, _found: Found, _spelled: Spelled, value: bytes) -> None:
    usual = b"default.profdata"
    walk.files += (value, value + b"/" + usual) if value else (usual,)


def _profile_place(walk: ReplicaWalk, found: Found, spelled: Spelled, value: bytes) -> None:
    walk.profile_place = True
    walk.use(found.use, spelled, value)


def _auxiliary(walk: ReplicaWalk, found: Found, spelled: Spelled, value: bytes) -> None:
    walk.auxiliary = True
    walk.use(found.use, spelled, value)


def _end_of_options(walk: ReplicaWalk, _found: Found, _spelled: Spelled, _value: bytes) -> None:
    walk.no_more_options = True


_HANDLERS: Final[dict[Part, Handler]] = {
    Part.ORDINARY: ordinary,
    Part.USES: uses,
    Part.OPEN: _open,
    Part.WRITTEN: _written,
    Part.STAGE: _stage,
    Part.SYNTAX: _syntax,
    Part.OUTPUT: _output,
    Part.LANGUAGE: _language,
    Part.DEPENDENCIES: _dependencies,
    Part.DEPENDENCY_FILE: _dependency_file,
    Part.DEFINITION: _definition,
    Part.FORCED: _forced,
    Part.STANDARD: _standard,
    Part.TRIGRAPHS: _trigraphs,
    Part.NATIVE: _native,
    Part.ARCHITECTURE: _architecture,
    Part.BITCODE: _bitcode,
    Part.RECORDS: _records,
    Part.PROFILE: _profile,
    Part.PROFILE_FILE: _profile_file,
    Part.PROFILE_PLACE: _profile_place,
    Part.AUXILIARY: _auxiliary,
    Part.STAYS: _stays,
    Part.FOR_PREPROCESSOR: preprocessor,
    Part.FOR_PREPROCESSOR_LIST: preprocessor_list,
    Part.FOR_ASSEMBLER: assembler,
    Part.FOR_ASSEMBLER_LIST: assembler_list,
    Part.FOR_CLANG: clang,
    Part.FOR_LLVM: llvm,
    Part.END_OF_OPTIONS: _end_of_options,
}


def _finder(family: Family) -> Callable[[bytes], Found | None]:
    table = MEANINGS[family]

    def find(word: bytes) -> Found | None:
        """What a word that begins with a hyphen is; None when it can be passed over."""
        known = table.find(word)
        if known is None:
            path = path_in(word) if b"=" in word else b""
            return (
                Found(_open, Part.OPEN, word, separate=False, value=path, use=0, reason=None)
                if path
                else None
            )
        row, meaning = known
        separate = takes_next(row, word)
        value = word[len(row.name) :]
        if meaning.part in {Part.OPEN, Part.WRITTEN}:
            value = path_in(value) if b"=" in value else b""
            if not value and meaning.use is Use.NONE:
                return None
        elif meaning.part is Part.ORDINARY and not separate:
            return None
        return Found(
            _HANDLERS[meaning.part], meaning.part, row.name, separate, value, int(meaning.use), meaning.reason
        )

    return lru_cache(maxsize=16384)(find)


_FINDERS: Final = {family: _finder(family) for family in MEANINGS}
