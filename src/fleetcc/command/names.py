"""What the file name of a compiler says: target prefix, driver, version suffix."""

import re
from dataclasses import dataclass
from typing import Final

_NAME: Final = re.compile(
    rb"(?P<target>(?:[A-Za-z0-9_.]+-)+)?(?P<driver>gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-(?P<version>\d+(?:\.\d+)*))?"
)


@dataclass(frozen=True, slots=True)
class CompilerName:
    """`x86_64-linux-gnu-g++-12` taken apart."""

    target_prefix: bytes  # b"x86_64-linux-gnu-", with its hyphen
    driver: bytes  # gcc, g++, cc, c++, clang or clang++
    version: bytes  # b"12", or empty


def parse_compiler_name(name: bytes) -> CompilerName | None:
    """Take a bare name apart; None when it is not that of a gcc or clang driver."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return CompilerName(found["target"] or b"", found["driver"], found["version"] or b"")
