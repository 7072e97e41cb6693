"""The files of the checkout that tests of packaging and documentation read."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
DOCS = ROOT / "docs"


def script(name: str) -> ModuleType:
    """A module of packaging/, which is no package: PyPI has one of that name."""
    if str(PACKAGING) not in sys.path:
        sys.path.append(str(PACKAGING))
    return importlib.import_module(name)


def pages() -> list[Path]:
    """The documents of docs/, and the README."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


def without_code(text: str) -> str:
    """Markdown without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def programs_named(text: str) -> Iterator[tuple[str, list[str]]]:
    """(`fleetcc` or `fleetccd`, the words behind it) wherever code or a code span calls one of them."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    blocks += re.findall(r"^    (\S.*)$", text, re.MULTILINE)
    blocks += re.findall(r"`([^`\n]+)`", without_code(text))
    for line in (line for block in blocks for line in block.splitlines()):
        for part in re.split(r"\s*(?:&&|\|\||[;|])\s*|\s#\s", line):
            found = re.match(r"(?:\w+=\S+ )*(fleetccd?) (\S.*)$", part.strip())
            if found:
                yield found[1], found[2].split()
