"""Reads directives as the standard's phases say, a character at a time: to compare with what is fast."""

_DIRECTIVES = ("include_next", "include", "import", "embed")
_PREFIXES = ("R", "u8R", "uR", "UR", "LR")


def names(text: str, *, raw_strings: bool) -> set[tuple[str, str]]:
    """Directive and name, as `include` and `<a.h>`, of every plain one that is no comment's or string's."""
    found = set()
    for line in _lines(_spliced(text), raw_strings=raw_strings):
        rest = line.lstrip(" ")
        if rest[:1] != "#":
            continue
        rest = rest[1:].lstrip(" ")
        word = next((word for word in _DIRECTIVES if rest.startswith(word)), None)
        if word is None:
            continue
        rest = rest[len(word) :].lstrip(" ")
        end = {"<": ">", '"': '"'}.get(rest[:1])
        if end and end in rest[1:]:
            found.add((word, rest[: rest.index(end, 1) + 1]))
    return found


def _spliced(text: str) -> str:
    out = ""
    at = 0
    while at < len(text):
        here = at
        if text[at] == "\\":
            here += 1
            while text[here : here + 1] == " ":
                here += 1
        if here > at and text[here : here + 1] == "\n":
            at = here + 1
        else:
            out += text[at]
            at += 1
    return out


def _lines(text: str, *, raw_strings: bool) -> list[str]:
    """Lines without comments, raw strings on one line as a sign that is no blank."""
    lines, line, at, word = [], "", 0, ""
    while at < len(text):
        char = text[at]
        directive = line.lstrip(" ").startswith("#")
        names_header = directive and line.lstrip(" #").rstrip(" ") in _DIRECTIVES
        if text.startswith("/*", at):
            end = text.find("*/", at + 2)
            at = len(text) if end < 0 else end + 2
            line, word = line + " ", ""
        elif text.startswith("//", at):
            at = _until(text, at, "\n")
        elif char == "\n":
            lines.append(line)
            line, word, at = "", "", at + 1
        elif char in '<"' and names_header and _ends(text, at, {"<": ">", '"': '"'}[char]):
            end = text.index({"<": ">", '"': '"'}[char], at + 1) + 1
            line, word, at = line + text[at:end], "", end
        elif char == '"' and raw_strings and word in _PREFIXES and _raw_end(text, at) > 0:
            line, word, at = line + "@", "", _raw_end(text, at)
        elif char in "\"'":
            end = _string_end(text, at)
            line, word, at = line + text[at:end], "", end
        else:
            word = word + char if char.isalnum() or char == "_" else ""
            line, at = line + char, at + 1
    return [*lines, line]


def _until(text: str, at: int, what: str) -> int:
    end = text.find(what, at)
    return len(text) if end < 0 else end


def _ends(text: str, at: int, what: str) -> bool:
    return what in text[at + 1 : _until(text, at, "\n")]


def _raw_end(text: str, at: int) -> int:
    """Where the raw string that has its quote here ends; 0 when it is none."""
    opened = _until(text, at, "(")
    ends = text[at + 1 : opened]
    if len(ends) > 16 or any(char in ' )\\"\n' for char in ends):
        return 0
    end = text.find(f'){ends}"', opened)
    return 0 if end < 0 else end + len(ends) + 2


def _string_end(text: str, at: int) -> int:
    end = at + 1
    while end < len(text) and text[end] != "\n":
        if text[end] == "\\" and text[end + 1 : end + 2] not in {"", "\n"}:
            end += 2
        elif text[end] == text[at]:
            return end + 1
        else:
            end += 1
    return end
