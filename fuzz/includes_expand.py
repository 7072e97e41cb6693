"""Invariant: any definitions and any operand give an answer within limits; both ways to it agree."""

import sys
from pathlib import Path
from random import Random
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, only fuzz/ is on it

from fleetcc.includes import expansion
from fleetcc.includes.expansion import MAX_RESULTS, Expander, TooManyWaysError, header_names
from fleetcc.includes.macros import Macro, definitions
from fleetcc.includes.naming import Naming
from fuzz import campaign

SEEDS: Final = (
    b"#define H <a.h>\n#define S(x) T(x)\n#define T(x) #x\n#define D d\n#define D e\n@S(D/H)",
    b'#define C(a, b) a ## b\n#define X1 "x.h"\n#define V(...) W(__VA_ARGS__, ## __VA_ARGS__)\n'
    b"#define W(a, b) a\n@V(C(X, 1), 2)",
    b"#define A B\n#define B A A\n#define F(x) F(x x) G\n#define G(x) F(x)\n"
    b"#define O(a, ...) a __VA_OPT__(b)\n@F(A)(O(A, B))",
)


def check(data: bytes, _: Random) -> None:
    """Expand what stands behind the sign with the definitions before it."""
    text, _sign, operand = data.rpartition(b"@")
    macros = definitions(text)

    def defined(word: bytes) -> list[Macro]:
        return list(macros.get(word, ()))

    def longer(word: bytes) -> list[bytes]:
        return sorted(name for name in macros if name.startswith(word) and name != word)

    try:
        results = Expander(defined).expand(operand)
    except TooManyWaysError:
        results = []
    assert len(results) <= MAX_RESULTS
    answer = Naming(operand, (b"/w/f.h",), defined, longer).answer()
    if answer.too_many or answer.doubt:
        return
    # What expansion finds, the cheaper way to names must find too.
    expected = {
        (b"".join(name.split()), quoted) for result in results for name, quoted in header_names(result)
    }
    assert expected <= {(b"".join(name.split()), quoted) for name, quoted in answer.names}


if __name__ == "__main__":
    expansion.MAX_STEPS = 300  # type: ignore[misc] # what is given up is given up sooner
    campaign.main(check, SEEDS)
