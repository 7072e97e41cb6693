"""Which compiler ccache would run: the next one of that name on PATH, unless its settings name another."""

import os
from collections.abc import Mapping
from typing import Final

from fleetcc.toolchain.asking import Asking
from fleetcc.toolchain.contents import UnidentifiedError, is_program
from fleetcc.toolchain.identity import WRAPPERS

CCACHE: Final = b"ccache"

# Folders of links that stand for compilers.
_MASQUERADES: Final = (b"/lib/ccache", b"/lib/distcc", b"/lib/fleetcc", b"/lib/icecc", b"/lib64/ccache")


def is_ccache(program: bytes) -> bool:
    """Is it a compiler's name that leads to ccache?"""
    return os.path.basename(os.path.realpath(program)) == CCACHE


def behind_ccache(program: bytes, environment: Mapping[bytes, bytes], folder: bytes) -> list[bytes]:
    """Where ccache looks for the compiler that it runs under this name, in order (blocking).

    The last one is the compiler. Raises UnidentifiedError.
    """
    asking = Asking(program, {**environment, b"LC_ALL": b"C"}, folder)
    ccache = os.path.realpath(program)
    prefix = _setting(asking, ccache, b"prefix_command")
    if prefix and os.path.basename(prefix.split()[0]) not in WRAPPERS:
        raise UnidentifiedError(f"ccache runs it through {os.fsdecode(prefix)!r}")
    name = _setting(asking, ccache, b"compiler") or os.path.basename(program)
    path = _setting(asking, ccache, b"path") or environment.get(b"PATH", b"")
    folders = [folder for folder in path.split(b":") if os.path.isabs(folder)]
    candidates = [name] if os.path.isabs(name) else [os.path.join(folder, name) for folder in folders]
    for place, candidate in enumerate(candidates):
        if is_program(candidate) and not _is_wrapper(candidate):
            return candidates[: place + 1]
    raise UnidentifiedError(f"ccache would find no compiler {os.fsdecode(name)!r}")


def _setting(asking: Asking, ccache: bytes, name: bytes) -> bytes:
    answer = asking.run(ccache, b"--get-config", name)
    if answer.status == 0:
        return answer.stdout.strip()
    variable = {b"prefix_command": b"CCACHE_PREFIX", b"compiler": b"CCACHE_COMPILER", b"path": b"CCACHE_PATH"}
    return asking.environment.get(variable[name], b"").strip()


def _is_wrapper(path: bytes) -> bool:
    if os.path.dirname(path).rstrip(b"/").endswith(_MASQUERADES):
        return True
    return os.path.basename(os.path.realpath(path)) in WRAPPERS
