"""What makes ccache call fleetcc for what it lacks, and look past our links for the compiler.

A Makefile may say CC = ccache gcc. With our links first on PATH, ccache would take fleetcc for the compiler:
it would preprocess through us, and answer with an old compiler's objects after the compiler has changed.
"""

import shutil
import subprocess
from collections.abc import Mapping
from typing import Final

CCACHE: Final = "ccache"
_SECONDS: Final = 10.0


def ccache_variables(
    environment: Mapping[str, str], path: str, launcher: str, word: str, folder: str
) -> dict[str, str]:
    """For builds that find our links in `folder` before `path`; empty when there is no ccache on it.

    `word`: what a variable can say of the launcher, its path or a name that is on `path` or in `folder`.
    """
    ccache = shutil.which(CCACHE, path=path)
    if ccache is None:
        return {}
    said = {name: value for name, value in environment.items() if name == "CCACHE_PREFIX"}
    if environment.get("CCACHE_PATH") or _is_set_to_search(ccache, environment):
        # The name may not be found there, and blanks part words.
        return {"CCACHE_PREFIX": launcher} | said if " " not in launcher else said
    # The folder last, because a launcher with an odd path has its name there alone.
    return {"CCACHE_PREFIX": word, "CCACHE_PATH": f"{path}:{folder}"} | said


def _is_set_to_search(ccache: str, environment: Mapping[str, str]) -> bool:
    """Whether its settings say where compilers are, instead of PATH."""
    try:
        done = subprocess.run(
            [ccache, "--get-config", "path"], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return bool(done.stdout.strip())
