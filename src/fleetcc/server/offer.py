"""What a daemon announces of itself: where it listens, and the compilers that distcc's clients look for."""

import os
import socket
import tempfile
from collections.abc import Sequence
from typing import Final

from fleetcc import __version__
from fleetcc.server.announce import AnnouncedCompiler, Offer
from fleetcc.server.compilers import CompilerRules, Program
from fleetcc.toolchain.asking import Asking
from fleetcc.toolchain.contents import UnidentifiedError

# `cc` first: it is what a client of distcc compares with its own.
_NAMES: Final = (b"cc", b"gcc", b"clang")


def offer_of(listeners: Sequence[socket.socket], slots: int, rules: CompilerRules) -> Offer | None:
    """What to announce; None when nothing listens on the network. Runs compilers: blocking."""
    names = [sock.getsockname() for sock in listeners if sock.family != socket.AF_UNIX]
    if not names:
        return None
    addresses = [name[0] for name in names]
    return Offer(names[0][1], slots, __version__, announced_compilers(rules), addresses)


def announced_compilers(rules: CompilerRules) -> list[AnnouncedCompiler]:
    """Machine and version of the compilers by their plain names, each once."""
    found: dict[AnnouncedCompiler, None] = {}
    with tempfile.TemporaryDirectory(prefix="fleetccd-ask-", ignore_cleanup_errors=True) as folder:
        for name in _NAMES:
            resolved = rules.resolve(name)
            if isinstance(resolved, Program):
                asking = Asking(resolved.path, {b"PATH": rules.path, b"LC_ALL": b"C"}, os.fsencode(folder))
                try:
                    words = [_word(asking, question) for question in (b"-dumpmachine", b"-dumpversion")]
                except UnidentifiedError:
                    continue
                if all(words):
                    found[AnnouncedCompiler(*words)] = None
    return list(found)


def _word(asking: Asking, question: bytes) -> str:
    words = asking.ask(question).stdout.decode("ascii", errors="replace").split()
    return words[0] if len(words) == 1 else ""
