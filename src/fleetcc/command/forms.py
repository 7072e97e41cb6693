"""In which forms the text may travel so that the object keeps its bytes."""

from collections.abc import Iterable
from typing import Final

from fleetcc.command.languages import Kind
from fleetcc.command.options import Trait
from fleetcc.model import Compiler, Family, Form, Language, Reason

# The first gcc whose debug information can be given the client's names for a text of this form.
_FIRST_DIRECTIVES_GCC: Final = (11,)

Forms = tuple[tuple[Form, ...], tuple[Form, ...]]

_EXPANDED: Final = (Form.EXPANDED,)
_DIRECTIVES: Final = (Form.DIRECTIVES,)
_EITHER: Final = (Form.DIRECTIVES, Form.EXPANDED)

_OBJECTIVE: Final = (Language.OBJC, Language.OBJCXX)


class Wishes:
    """The traits of all options, the last one of each kind counting."""

    __slots__ = ("all", "debug", "sanitizer")

    def __init__(self, traits: Iterable[Trait]) -> None:
        together = Trait.NONE
        debug = sanitizer = False
        for trait in traits:
            together |= trait
            if trait & (Trait.DEBUG | Trait.NO_DEBUG):
                debug = bool(trait & Trait.DEBUG)
            elif trait & (Trait.SANITIZER | Trait.NO_SANITIZER):
                sanitizer = bool(trait & Trait.SANITIZER)
        self.all = together
        self.debug = debug
        self.sanitizer = sanitizer


def choose_forms(wishes: Wishes, kind: Kind, *, plain_language: bool, compiler: Compiler) -> Forms | Reason:
    """Exact and approximate forms, best first; a Reason when none will do."""
    if compiler.family is Family.CLANG and kind.language in _OBJECTIVE:
        # Its objects name the file that the compiler was given.
        return Reason.UNKNOWN_LANGUAGE
    if kind.preprocessed:
        # The server compiles the very text that the local compiler would.
        return _EXPANDED, ()
    directives = plain_language and _can_do_directives(wishes, compiler)
    if wishes.all & Trait.NOT_EXPANDED:
        return (_DIRECTIVES, ()) if directives else Reason.SOURCE_NEEDED
    if wishes.debug or wishes.sanitizer:
        # Expanded macros have other columns, and without columns (-gno-column-info) other line entries still.
        return (_DIRECTIVES if directives else (), _EXPANDED)
    if directives and wishes.all & Trait.WARNS:
        return _EITHER, ()
    return _EXPANDED, ()


def _can_do_directives(wishes: Wishes, compiler: Compiler) -> bool:
    return (
        compiler.family is Family.GCC
        and compiler.version >= _FIRST_DIRECTIVES_GCC
        and not wishes.all & Trait.NOT_DIRECTIVES
    )
