"""What clients are called, in the fair order and in the log."""

import re
from typing import Final

_NOT_IN_NAMES: Final = re.compile(r"[^\w.@+-]", re.ASCII)
_MAX_NAME: Final = 64
_MAX_SAID: Final = 200


def client_key(address: str, agent: str) -> str:
    """Who shares with whom: the agents of one address do; an agent chooses its own name."""
    return f"{address}/{_NOT_IN_NAMES.sub('_', agent)[:_MAX_NAME]}"


def printable(said: str) -> str:
    """What a client says of itself, as a part of one line."""
    return said[:_MAX_SAID] if said.isprintable() else repr(said[:_MAX_SAID])
