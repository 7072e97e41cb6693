"""The names that a compiler derives when the command line does not give them."""

from typing import Final

_STAGE_SUFFIX: Final = {b"-c": b".o", b"-S": b".s"}


def derived_output(source: bytes, stage: bytes) -> bytes:
    """The output without -o: the source's name in the working directory."""
    return _stem(source.rpartition(b"/")[2]) + _STAGE_SUFFIX[stage]


def derived_depfile(source: bytes, output: bytes | None) -> bytes:
    """The dependency file without -MF: beside the output given with -o, else in the working directory."""
    if output is None:
        return _stem(source.rpartition(b"/")[2]) + b".d"
    directory, slash, base = output.rpartition(b"/")
    return directory + slash + _stem(base) + b".d"


def _stem(base: bytes) -> bytes:
    stem, dot, _ = base.rpartition(b".")
    return stem if dot else base
