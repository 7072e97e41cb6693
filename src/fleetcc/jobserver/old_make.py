"""A `make` or `gmake` to be found first on PATH, for the builds of ninja that call a make older than 4.4.

Such a make stops at a jobserver that has a path. The script opens the named pipe and says the descriptor's
number instead, so that both draw from one pool; everything else is left to the make found before.
"""

from typing import Final

NAMES: Final = ("make", "gmake")

# One digit: dash knows no other. The name of the pipe holds nothing that a shell would expand.
_SCRIPT: Final = """\
#!/bin/sh
# Written by fleetcc run: {make} reads descriptors only.
mark=--jobserver-auth=
case "$MAKEFLAGS" in
*"$mark"fifo:*)
    rest=${{MAKEFLAGS#*"$mark"fifo:}}
    pipe=${{rest%% *}}
    if [ -p "$pipe" ]; then
        exec 9<>"$pipe"
        MAKEFLAGS="${{MAKEFLAGS%%"$mark"*}}${{mark}}9,9${{rest#"$pipe"}}"
        export MAKEFLAGS
    fi
    ;;
esac
exec {quoted} "$@"
"""


def make_script(make: str) -> str:
    """The script for the make with this path."""
    quoted = "'" + make.replace("'", "'\\''") + "'"
    return _SCRIPT.format(make=ascii(make), quoted=quoted)
