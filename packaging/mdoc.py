"""Text as mdoc, the language of manual pages: words, lists, and what Markdown docs/ has."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

# What a manual page says instead: one width for every terminal, and no characters that a console may lack.
_ASCII: Final = str.maketrans(
    {"\u2013": "-", "\u2014": "-", "…": "...", "≥": ">=", "≤": "<=", "\xd7": "x", "\u2019": "'"}
)
_INLINE: Final = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)]*)\)|\*([^*\s][^*]*)\*")
_FENCE: Final = "```"
# Sections that manual pages have under another name.
_SECTIONS: Final = {"Errors": "DIAGNOSTICS"}


def escaped(text: str) -> str:
    """Text that is nobody's macro: no escape, and no line that begins as a request."""
    text = text.translate(_ASCII).replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def inline(text: str) -> str:
    """A paragraph of Markdown: code and bold become bold, emphasis italic, links their text."""
    out, at = [], 0
    for found in _INLINE.finditer(text):
        out.append(escaped_within(text[at : found.start()]))
        code, bold, link, _, emphasis = found.groups()
        if code or bold:
            out.append(f"\\fB{escaped_within(code or bold)}\\fP")
        elif link:
            out.append(inline(link))
        else:
            out.append(f"\\fI{escaped_within(emphasis)}\\fP")
        at = found.end()
    out.append(escaped_within(text[at:]))
    joined = "".join(out)
    return f"\\&{joined}" if joined.startswith((".", "'")) else joined


def escaped_within(text: str) -> str:
    """A piece of a line, which does not begin it."""
    return text.translate(_ASCII).replace("\\", "\\e").replace("-", "\\-")


def paragraphs(texts: Iterable[str]) -> Iterator[str]:
    """Each as a paragraph, one sentence a line as mdoc wants it."""
    for number, text in enumerate(texts):
        if number:
            yield ".Pp"
        yield from sentences(text)


def sentences(text: str) -> Iterator[str]:
    """One line for each sentence: a formatter then sets the space after it."""
    for sentence in re.split(r"(?<=[\w+`)\"*][.?!]) +", text):
        if sentence:
            yield inline(sentence)


def tagged(rows: Iterable[tuple[str, Sequence[str]]]) -> Iterator[str]:
    """A list of words (already mdoc) and what they mean (lines of mdoc)."""
    yield ".Bl -tag -width Ds"
    for tag, lines in rows:
        yield f".It {tag}"
        yield from lines
    yield ".El"


def code(lines: Iterable[str]) -> Iterator[str]:
    """Lines as they are."""
    yield ".Bd -literal -offset indent"
    for line in lines:
        yield escaped(line) if line.strip() else "\\&"
    yield ".Ed"


def markdown(text: str) -> Iterator[str]:
    """The body of a document: headings, paragraphs, lists, tables and code; its title is left out."""
    lines = text.splitlines()
    at, begun = 0, False
    while at < len(lines):
        line = lines[at]
        end = at + 1
        if line.startswith("# ") or not line.strip():
            pass
        elif line.startswith("#"):
            yield (".Sh " if line.startswith("## ") else ".Ss ") + _heading(line)
            begun = False
            at = end
            continue
        else:
            end = _end_of_block(lines, at)
            block = list(_block(lines[at:end]))
            if begun and not block[0].startswith(".B"):  # lists and displays begin with a space of their own
                yield ".Pp"
            yield from block
            begun = True
        at = end


def _heading(line: str) -> str:
    text = escaped_within(line.lstrip("# ").replace("`", ""))
    if not line.startswith("## "):
        return text
    return _SECTIONS.get(text, text.upper())


def _end_of_block(lines: Sequence[str], start: int) -> int:
    if lines[start].startswith(_FENCE):
        return next(at for at in range(start + 1, len(lines)) if lines[at].startswith(_FENCE)) + 1
    at = start
    while at < len(lines) and lines[at].strip() and not (at > start and lines[at].startswith(("#", _FENCE))):
        at += 1
    return at


def _block(lines: Sequence[str]) -> Iterator[str]:
    if lines[0].startswith(_FENCE):
        yield from code(lines[1:-1])
    elif lines[0].startswith("    "):
        yield from code(line[4:] for line in lines)
    elif lines[0].startswith("|"):
        yield from _table(lines)
    elif re.match(r"\* |\d+\. ", lines[0]):
        yield from _items(lines)
    else:
        yield from sentences(" ".join(line.strip() for line in lines))


def _items(lines: Sequence[str]) -> Iterator[str]:
    items: list[str] = []
    for line in lines:
        found = re.match(r"(?:\* |\d+\. )(.*)", line)
        if found:
            items.append(found[1])
        else:
            items[-1] += " " + line.strip()
    yield ".Bl -enum" if lines[0][0].isdigit() else ".Bl -bullet"
    for item in items:
        yield ".It"
        yield from sentences(item)
    yield ".El"


def _table(lines: Sequence[str]) -> Iterator[str]:
    """A row is a word and its meaning; of wide tables each cell says which column it is of."""
    head, rows = _cells(lines[0]), [_cells(line) for line in lines[2:]]
    yield ".Bl -tag -width Ds"
    for row in rows:
        yield ".It " + (inline(row[0]) or "\\&")
        for number, cell in enumerate(row[1:], 1):
            if cell:
                text = cell if len(row) == 2 or not head[number] else f"{head[number]}: {cell}"
                if number > 1:
                    yield ".br"
                yield from sentences(text)
    yield ".El"


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
