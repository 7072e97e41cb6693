"""Short ways to ask a scanner, for tests."""

from collections.abc import Sequence

from fleetcc.includes import Closure, Disk, Scanner, Search, Unit


def unit(
    source: str = "/w/main.c",
    *,
    cwd: str = "/w",
    quote: Sequence[str] = (),
    angled: Sequence[str] = (),
    includer_first: bool = True,
    embed: Sequence[str] = (),
    language: bytes = b"c++",
    forced: Sequence[str] = (),
    definitions: Sequence[str] = (),
) -> Unit:
    """A unit, spelled in strings."""
    return Unit(
        cwd.encode(),
        source.encode(),
        Search(_encoded(quote), _encoded(angled), includer_first, _encoded(embed)),
        language,
        _encoded(forced),
        _encoded(definitions),
    )


def names(closure: Closure) -> set[str]:
    """The files of a closure."""
    return {path.decode() for path in closure.files}


def reasons(closure: Closure) -> set[str]:
    """The kinds of doubts about a closure."""
    return {each.reason.slug for each in closure.unresolved}


def scanned(disk: Disk, **how) -> set[str]:
    """The files that a new scanner finds for a unit that it has no doubts about."""
    closure = Scanner(disk).scan(unit(**how))
    assert closure.unresolved == ()
    return names(closure)


def _encoded(texts: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(text.encode() for text in texts)
