"""The files that a compiler itself lists for a source (`cc -M`): for what the scanner cannot resolve."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleetcc.toolchain.contents import UnidentifiedError
from fleetcc.toolchain.search_run import complaint, run

# A name ends at a blank that no backslash escapes; a rule's end is a line's end.
_NAME: Final = re.compile(rb"(?:\\[ \t#\\:]|\\(?=[^ \t\r\n])|[^ \t\r\n\\])+")
_CONTINUED: Final = re.compile(rb"\\\r?\n")
_TARGET: Final = re.compile(rb"^(?:\\.|[^\\\n])*?:(?=[ \t\r\n]|$)", re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\([ \t#:])|\$(\$)")
_BACKSLASHES: Final = re.compile(rb"(\\+)([ \t])")


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The files, as the compiler spells them, or why it lists none."""

    paths: tuple[bytes, ...] | None
    error: str = ""


def dependencies(
    program: bytes, argv: Sequence[bytes], environment: Mapping[bytes, bytes], cwd: bytes
) -> Dependencies:
    """Run a command with -M in it, which writes its rule to standard output (blocking)."""
    try:
        answer = run(program, argv, environment, cwd)
    except UnidentifiedError as error:
        return Dependencies(None, error.sentence)
    if answer.status != 0:
        return Dependencies(None, complaint(answer))
    paths = parse_rule(answer.stdout)
    return Dependencies(paths) if paths else Dependencies(None, "its -M printed no rule")


def parse_rule(text: bytes) -> tuple[bytes, ...]:
    """The prerequisites of the first rule of a makefile that a compiler has written; each once."""
    text = _CONTINUED.sub(b" ", text)
    target = _TARGET.match(text)
    if target is None:
        return ()
    rule = text[target.end() :].partition(b"\n")[0]
    return tuple(dict.fromkeys(map(_plain, _NAME.findall(rule))))


def _plain(name: bytes) -> bytes:
    # Before a blank, gcc doubles the backslashes that are in the name.
    name = _BACKSLASHES.sub(lambda found: found[1][: len(found[1]) // 2] + b"\\" + found[2], name)
    return _ESCAPED.sub(lambda found: found[1] or found[2], name)
