"""What an environment may hold that makes builds slow or strange, and that nobody remembers having set."""

from collections.abc import Iterable, Mapping
from typing import Final

from fleetcc.monitor.doctor.findings import Finding, ok, warning
from fleetcc.settings import Settings
from fleetcc.toolchain.files import FOREIGN_CODE

_WRAPPERS_OF_OTHERS: Final = ("distcc", "icecc", "sccache", "nocc", "homcc")
_SAFEGUARD: Final = b"_DISTCC_SAFEGUARD"
_OFF: Final = (b"0", b"false", b"no", b"off")


def check_pitfalls(environment: Mapping[bytes, bytes], settings: Settings | None) -> list[Finding]:
    """Look at variables, and at settings where they can be read."""
    found = [*_of_variables(environment)]
    if settings is not None:
        found += _of_settings(settings)
    return found or [ok("environment", "nothing in it keeps compiles from hosts")]


def _of_variables(environment: Mapping[bytes, bytes]) -> Iterable[Finding]:
    if environment.get(b"FLEETCC_AGENT", b"").lower() in _OFF:
        yield warning("FLEETCC_AGENT", "is off: no agent is asked, and every compile runs here", "unset it")
    if environment.get(_SAFEGUARD):
        text = "is set, as a launcher sets it for what it starts: a compile called from here runs here"
        yield warning(_SAFEGUARD.decode(), text, "unset it, and do not start builds from a compile")
    for name in FOREIGN_CODE:
        if environment.get(name):
            text = "brings code into the compiler that is not part of it, so no compile travels as files"
            yield warning(name.decode(), text, "start builds without it")
    yield from _of_ccache(environment)
    folder = environment.get(b"FLEETCC_DIR", b"")
    if folder and not folder.startswith(b"/"):
        text = "is relative, so that each directory has an agent of its own"
        yield warning("FLEETCC_DIR", text, "give the whole path")


def _of_ccache(environment: Mapping[bytes, bytes]) -> Iterable[Finding]:
    words = environment.get(b"CCACHE_PREFIX", b"").split()
    names = [word.rpartition(b"/")[2].decode(errors="replace") for word in words]
    other = next((name for name in names if name in _WRAPPERS_OF_OTHERS), None)
    if other is not None:
        remedy = "CCACHE_PREFIX=fleetcc"
        yield warning("CCACHE_PREFIX", f"has ccache hand compiles to {other}, not to fleetcc", remedy)


def _of_settings(settings: Settings) -> Iterable[Finding]:
    if settings.mode == "local":
        yield warning("mode", "is local: every compile runs here", "unset FLEETCC_MODE, or set it to auto")
    if not settings.fallback:
        text = "is off: a compile that no host can do fails rather than run here"
        yield warning("fallback", text, "FLEETCC_FALLBACK=1, unless that is meant")
    if settings.skip_local_retry and settings.exact:
        text = "has no effect while `exact` is on"
        yield warning("skip_local_retry", text, "FLEETCC_EXACT=0 too, or unset it")
    if settings.verify >= 1:
        text = "is 100%: everything that hosts compile is compiled here once more"
        yield warning("verify", text, "unset FLEETCC_VERIFY when nothing is left to be compared")
