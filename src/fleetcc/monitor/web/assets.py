"""The page's files, read once from the package."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
PAGE: Final = "index.html"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to be sent."""

    content: bytes
    content_type: str
    etag: str  # quoted, as the header has it


@cache
def load_assets() -> dict[str, Asset]:
    """Every file of `static` by its name; a kind that is not known here is not served."""
    assets = {}
    for file in (resources.files(__package__) / "static").iterdir():
        suffix = "." + file.name.rpartition(".")[2]
        if suffix in _TYPES:
            content = file.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:20]
            assets[file.name] = Asset(content, _TYPES[suffix], f'"{digest}"')
    return assets
