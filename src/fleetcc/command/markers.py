"""What preprocessed text tells: does it name its files and directory, may it be compiled elsewhere?"""

import re
from typing import Final

from fleetcc.model import Reason

_MARKER: Final = re.compile(rb'#(?: |line )\d+ "')
_COLUMNS: Final = re.compile(rb"__builtin_(?:source_location|COLUMN)\b")
_DIRECTORY_MARKER: Final = re.compile(rb'^# \d+ "[^"\n]*//"', re.MULTILINE)


def has_line_markers(head: bytes) -> bool:
    """Does the text name its files itself? Otherwise a server's name would enter the object."""
    return _MARKER.match(head) is not None


def names_directory(head: bytes) -> bool:
    """Does it say where it was preprocessed (`# 1 "/cwd//"`), which debug information records?"""
    return _DIRECTORY_MARKER.search(head) is not None


def expanded_obstacle(text: bytes) -> Reason | None:
    """Why an expanded text cannot be compiled elsewhere, or not with the same bytes; None when it can."""
    if _COLUMNS.search(text) is not None:
        # Their value is a column, and expansion has moved it.
        return Reason.SOURCE_NEEDED
    if b".incbin" in text:
        return Reason.LOCAL_FILES
    return None
