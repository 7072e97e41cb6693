"""What the head of preprocessed text tells: whether it has line markers and names its directory."""

import re
from typing import Final

_MARKER: Final = re.compile(rb'#(?: |line )\d+ "')
_DIRECTORY_MARKER: Final = re.compile(rb'^# \d+ "[^"\n]*//"', re.MULTILINE)


def has_line_markers(head: bytes) -> bool:
    """Does the text name its files itself? Otherwise a server's name would enter the object."""
    return _MARKER.match(head) is not None


def names_directory(head: bytes) -> bool:
    """Does it say where it was preprocessed (`# 1 "/cwd//"`), which debug information records?"""
    return _DIRECTORY_MARKER.search(head) is not None
