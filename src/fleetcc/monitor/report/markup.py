"""HTML that cannot be broken by what a build is called: every text is escaped where it enters. Pure."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

# Characters that XML and HTML do not have, or that turn the direction of a line.
_UNFIT: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127, *range(0x202A, 0x202F)), "\ufffd")


def text(value: object) -> str:
    """Safe in elements and attributes."""
    return escape(str(value).translate(_UNFIT).encode("utf-8", "replace").decode(), quote=True)


def element(tag: str, content: str = "", **attributes: object) -> str:
    """`content` is markup; attributes are texts. `class_` is class, a `_` within a name is a `-`."""
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{text(value)}"' for name, value in attributes.items()
    )
    return f"<{tag}{told}>{content}</{tag}>"


def paragraph(words: str, **attributes: object) -> str:
    """Of plain text; what stands between backquotes is code."""
    parts = words.split("`")
    marked = [element("code", text(part)) if index % 2 else text(part) for index, part in enumerate(parts)]
    return element("p", "".join(marked), **attributes)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int] = ()) -> str:
    """Plain texts; the columns `numbers` are right-aligned."""
    right = frozenset(numbers)

    def cells(tag: str, row: Sequence[object]) -> str:
        classes = ["number" if column in right else "name" for column in range(len(row))]
        more = {"scope": "col"} if tag == "th" else {}
        marked = [
            element(tag, text(value), class_=name, **more) for value, name in zip(row, classes, strict=True)
        ]
        return element("tr", "".join(marked))

    body = "\n".join(cells("td", row) for row in rows)
    whole = element("thead", cells("th", heads)) + element("tbody", body)
    return element("div", element("table", whole), class_="wide")
