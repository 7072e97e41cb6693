"""Which variables of a client's environment a compiler can read, and which must travel with it.

A table of names, because everything else may be a secret: what is not here stays at home. From the manuals
of gcc, clang, glibc (locales, time zones) and binutils. Not here on purpose: TMPDIR and its kin (temporary
names enter no output, and the directory would have to be there), LD_PRELOAD (its libraries would be missing,
and the loader says so), and everything that only linking reads.
"""

from collections.abc import Mapping
from typing import Final

from fleetcc.model import Reason

NAMES: Final = frozenset(
    (
        # who runs, where: drivers find themselves and their programs, objects record the directory
        b"PATH", b"HOME", b"PWD",
        # languages, characters, time
        b"LANG", b"LANGUAGE", b"LC_ALL", b"LOCPATH", b"LOCALE_ARCHIVE", b"NLSPATH", b"OUTPUT_CHARSET",
        b"GCONV_PATH", b"TZ", b"TZDIR", b"SOURCE_DATE_EPOCH",
        # where headers are
        b"CPATH", b"C_INCLUDE_PATH", b"CPLUS_INCLUDE_PATH", b"OBJC_INCLUDE_PATH", b"OBJCPLUS_INCLUDE_PATH",
        b"SDKROOT",
        # where libraries are: those of the compiler, and gcc's specs files
        b"LD_LIBRARY_PATH", b"LIBRARY_PATH",
        # how messages look
        b"TERM", b"TERM_URLS", b"COLORTERM", b"VTE_VERSION", b"COLUMNS", b"NO_COLOR",
        # options by other means
        b"POSIXLY_CORRECT", b"RC_DEBUG_OPTIONS",
    )
)  # fmt: skip
BEGINNINGS: Final = (b"LC_", b"GCC_", b"COLLECT_", b"CLANG_", b"CCC_")
# Which system of Apple's is meant.
_ENDINGS: Final = (b"_DEPLOYMENT_TARGET",)

# Variables with which a command is not what its words say, or writes what nobody could bring back.
STAYING: Final = {
    b"DEPENDENCIES_OUTPUT": Reason.DEPENDENCY_ENVIRONMENT,
    b"SUNPRO_DEPENDENCIES": Reason.DEPENDENCY_ENVIRONMENT,
    b"CCC_OVERRIDE_OPTIONS": Reason.OTHER_PROGRAMS,
    b"CCC_ADD_ARGS": Reason.OTHER_PROGRAMS,
    b"QA_OVERRIDE_GCC3_OPTIONS": Reason.OTHER_PROGRAMS,
    b"GCC_COMPARE_DEBUG": Reason.SIDE_OUTPUT,
    b"GCC_EXEC_PREFIX": Reason.OTHER_PROGRAMS,
    b"COMPILER_PATH": Reason.OTHER_PROGRAMS,
    b"CC_PRINT_OPTIONS": Reason.SIDE_OUTPUT,
    b"CC_PRINT_HEADERS": Reason.SIDE_OUTPUT,
    b"CC_LOG_DIAGNOSTICS": Reason.SIDE_OUTPUT,
    b"CC_PRINT_PROC_STAT": Reason.SIDE_OUTPUT,
    b"CC_PRINT_INTERNAL_STAT": Reason.SIDE_OUTPUT,
    b"EXPERIMENTAL_SARIF_SOCKET": Reason.SIDE_OUTPUT,
}


def travelling(environment: Mapping[bytes, bytes]) -> tuple[bytes, ...]:
    """NAME=value of what a compiler elsewhere must find as it is here, by name."""
    names = [
        name
        for name in environment
        if name in NAMES or name.startswith(BEGINNINGS) or name.endswith(_ENDINGS)
    ]
    return tuple([name + b"=" + environment[name] for name in sorted(names)])
