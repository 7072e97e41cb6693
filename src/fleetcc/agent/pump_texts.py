"""The files of jobs in pump mode: what of their content speaks against it, and what travels of them.

Both are kept by digest, because the units of a project share their headers. For use in several threads.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fleetcc.backends.pump import packed
from fleetcc.command.pumpclient import SELF_WORDS

_MOST_BYTES: Final = 64 << 20
_MOST_FINDINGS: Final = 200_000

# What may stand within a directive.
_BLANK: Final = rb"(?:[ \t\f\v]|\\\r?\n|/\*.*?\*/)*"
_INCLUDE: Final = re.compile(
    rb"(?:\#|%:|\?\?=)" + _BLANK + rb"(?:include(?:_next)?|import)(?![A-Za-z0-9_])" + _BLANK + rb"([^\n]*)",
    re.DOTALL,
)
_READS_RAW: Final = re.compile(
    rb"\.inc(?:bin|lude)(?![A-Za-z0-9_])|__has_embed|(?:\#|%:|\?\?=)" + _BLANK + rb"embed(?![A-Za-z0-9_])",
    re.DOTALL,
)
_ONCE: Final = re.compile(rb"pragma[ \t]+once|_Pragma|(?:\#|%:)[ \t]*import(?![A-Za-z0-9_])")
_ABSOLUTE: Final = re.compile(rb'["<]/')
# Compilers call what is included as "./a.h" or "b//a.h" so, where they call it by an absolute name.
_ODD: Final = re.compile(rb'["<](?:(?:[^">\n]*/)?\./|[^">\n]*//)')


@dataclass(frozen=True, slots=True)
class Findings:
    """What a file's text says of a compile elsewhere."""

    obstacle: str  # why it would make something else; empty: nothing
    is_once: bool = False  # compilers tell it from others by more than its name
    computes: bool = False  # it includes a name that macros give
    has_absolute: bool = False  # it has what may be an absolute name
    is_odd: bool = False  # it includes something by a name with an empty part, or may do so


def findings(text: bytes) -> Findings:
    """Look at a text; a doubt counts as an obstacle."""
    if SELF_WORDS.search(text):
        return Findings("a macro that tells a time or the source's own name")
    if _READS_RAW.search(text):
        return Findings("a file that is not read as source")
    computes = is_odd = False
    for found in _INCLUDE.finditer(text):
        name = found[1]
        if name[:1] not in {b'"', b"<"}:
            computes = True
        elif name[1:2] == b"/":
            return Findings("an include by an absolute name")
        is_odd = is_odd or _ODD.match(name) is not None
    return Findings(
        "",
        is_once=_ONCE.search(text) is not None,
        computes=computes,
        has_absolute=_ABSOLUTE.search(text) is not None,
        is_odd=is_odd or (computes and _ODD.search(text) is not None),
    )


class PumpTexts:
    """What is known of contents."""

    def __init__(self, content: Callable[[bytes], bytes | None]) -> None:
        self._content = content
        self._findings: dict[bytes, Findings] = {}
        self._packed: OrderedDict[tuple[bytes, bytes | None], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def findings(self, digest: bytes) -> Findings | None:
        """What this text says; None when no file has it any more."""
        found = self._findings.get(digest)
        if found is None:
            text = self._content(digest)
            if text is None:
                return None
            if len(self._findings) >= _MOST_FINDINGS:
                self._findings.clear()
            found = self._findings[digest] = findings(text)
        return found

    def packed(self, digest: bytes, absolute_name: bytes | None) -> bytes | None:
        """What travels of it (`backends.pump`); None when no file has it any more."""
        key = (digest, absolute_name)
        with self._lock:
            raw = self._packed.get(key)
            if raw is not None:
                self._packed.move_to_end(key)
                return raw
        text = self._content(digest)
        if text is None:
            return None
        raw = packed(text, absolute_name)
        self._keep(key, raw)
        return raw

    def _keep(self, key: tuple[bytes, bytes | None], raw: bytes) -> None:
        with self._lock:
            if key not in self._packed:
                self._packed[key] = raw
                self._bytes += len(raw)
            while self._bytes > _MOST_BYTES:
                _, oldest = self._packed.popitem(last=False)
                self._bytes -= len(oldest)
