"""mkdocs' hook: a site has only docs/, so links to other files of the checkout become their names."""

import re
from typing import Any, Final

_OUTWARD: Final = re.compile(r"\[([^\]]*)\]\(\.\./([^)#\s]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return _OUTWARD.sub(
        lambda found: found[1] if found[1] == found[2] else f"{found[1]} (`{found[2]}`)", markdown
    )
