"""Invariant: any bytes are parsed in every dialect, to names within one line."""

import sys
from pathlib import Path
from random import Random
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, only fuzz/ is on it

from fleetcc.includes.directives import parse
from fleetcc.includes.macros import definitions, uses
from fleetcc.includes.parsed import Dialect
from fuzz import campaign

SEEDS: Final = (
    b'#include "a.h"\n/* c */ # /**/ include <b.h> // d\n#include\\\n_next <c.h>\n#if __has_include(<d.h>)\n',
    b'auto s = R"x(\n#include "a.h"\n)x"; asm(".incbin \\"a\\""); %:include <b>\n',
    b'??=include "c"\r\n"it\'s" 1\'000\n#embed <e> limit(2)\n\xef\xbb\xbf\0\f\v',
    b"#define HAS(x) __has_include(x)\n#define A(x, ...) B(x ## y, #x, __VA_ARGS__) /* c\n */ <z.h>\n"
    b"#include A(b)\n",
    b'import <vector>;\nexport module a.b;\n#pragma GCC dependency "p.y"\n',
)


def check(data: bytes, _: Random) -> None:
    """Parse the input as everything that it could be."""
    for dialect in Dialect:
        parsed = parse(data, dialect)
        names = [*parsed.quoted, *parsed.angled, *(name for _, name, _ in parsed.others)]
        assert not any(b"\n" in name for name in names)
    for macros in definitions(data).values():
        assert all(isinstance(macro.pieces, tuple) for macro in macros)
    uses(data, b"HAS")


if __name__ == "__main__":
    campaign.main(check, SEEDS)
