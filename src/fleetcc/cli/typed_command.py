"""A compile that was typed behind `fleetcc explain --` or `fleetcc scan --`, as the launcher takes it."""

import os
import shutil
from typing import Final

from fleetcc.errors import UsageError
from fleetcc.settings import printable

_LAUNCHERS: Final = frozenset(("fleetcc", "distcc"))


def typed_command(words: tuple[str, ...]) -> tuple[bytes, tuple[bytes, ...]]:
    """The compiler's path and the job's argv; raises UsageError. A launcher before the compiler is none."""
    words = words[1:] if len(words) > 1 and os.path.basename(words[0]) in _LAUNCHERS else words
    name, found = _compiler(words[0])
    return os.fsencode(os.path.abspath(found)), tuple(os.fsencode(word) for word in (name, *words[1:]))


def _compiler(name: str) -> tuple[str, str]:
    """Its argv[0] and its path, past launchers under its name on PATH."""
    places = (os.environ.get("PATH") or os.defpath).split(os.pathsep)
    found = [path for place in places if (path := shutil.which(name, path=place))]
    for path in found:
        if os.path.basename(os.path.realpath(path)) not in _LAUNCHERS:
            return (name if path == found[0] else path), path
    raise UsageError(f"{printable(name)}: command not found")
