"""The table of settings: everything that can be set, one row each. Loading, `fleetcc config` and
docs/settings.md are driven by it."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from fleetcc.settings import places
from fleetcc.settings.values import (
    PATH,
    PERIOD,
    SERVERS,
    SHARE,
    SLOTS,
    SWITCH,
    TEXT,
    TIMEOUT,
    WORDS,
    Kind,
    Value,
    choice,
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One row. `derive` rows are computed by places.py, which reads the variables itself."""

    name: str  # the field of Settings, and the key in config.toml where there is one
    variable: str | None
    twin: str | None  # distcc's variable, read when ours is unset
    kind: Kind
    default: Value
    help: str
    twin_when_set: Value = None  # not None: any value of the twin, even an empty one, means this
    empty_counts: bool = False  # an empty variable is a value, not the same as an unset one
    derive: Callable[[Mapping[bytes, bytes], str], tuple[Value, str]] | None = None
    default_text: str | None = None  # for the manual, when the default is computed

    @property
    def in_toml(self) -> bool:
        """Whether config.toml may set it."""
        return self.kind.in_toml is not None and self.derive is None


PRIORITY: Final = choice("interactive", "normal", "ci")
MODE: Final = choice("auto", "replica", "preprocessed", "local")

TABLE: Final = (
    Setting(
        "hosts", "FLEETCC_HOSTS", "DISTCC_HOSTS", TEXT, None,
        "The host list; even an empty one keeps the hosts files from being read.",
        empty_counts=True, default_text="the first hosts file",
    ),
    Setting(
        "host_files", None, "DISTCC_DIR", TEXT, (),
        "The hosts files, tried in this order when no variable holds the list; DISTCC_DIR moves the second.",
        derive=places.host_files,
        default_text="`~/.config/fleetcc/hosts`, `~/.distcc/hosts`, "
        "`/etc/fleetcc/hosts`, `/etc/distcc/hosts`",
    ),
    Setting(
        "agent_dir", "FLEETCC_DIR", None, PATH, None,
        "The folder of the agent's socket; each folder has an agent of its own.",
        derive=places.agent_dir,
        default_text="`$XDG_RUNTIME_DIR/fleetcc`, else `~/.local/state/fleetcc/run-HOSTNAME`",
    ),
    Setting(
        "state_dir", "FLEETCC_DIR", None, PATH, None,
        "The folder of what outlives the agent: its log and the history of jobs.",
        derive=places.state_dir,
        default_text="`$XDG_STATE_HOME/fleetcc`, else `~/.local/state/fleetcc`",
    ),
    Setting(
        "mode", "FLEETCC_MODE", None, MODE, "auto",
        "How compiles travel; `auto` takes the best that a host can do, `local` sends nothing away.",
    ),
    Setting(
        "exact", "FLEETCC_EXACT", None, SWITCH, default=True,
        help="Send away only what comes back byte for byte as if compiled here; "
        "off accepts other debug columns and remote diagnostics too.",
    ),
    Setting(
        "fallback", "FLEETCC_FALLBACK", "DISTCC_FALLBACK", SWITCH, default=True,
        help="Compile here when no host could; off makes such a job fail.",
    ),
    Setting(
        "skip_local_retry", "FLEETCC_SKIP_LOCAL_RETRY", "DISTCC_SKIP_LOCAL_RETRY", SWITCH, default=False,
        help="Take a host's compile error as final instead of compiling here once more; needs `exact` off.",
        twin_when_set=True,
    ),
    Setting(
        "rewrite_names", "FLEETCC_REWRITE_NAMES", "DISTCC_NO_REWRITE_CROSS", SWITCH, default=True,
        help="Ask hosts for the compiler's most exact name (`x86_64-linux-gnu-g++-12`), not the one typed.",
        twin_when_set=False,
    ),
    Setting(
        "verbose", "FLEETCC_VERBOSE", "DISTCC_VERBOSE", SWITCH, default=False,
        help="Say on standard error where each job ran and why.",
    ),
    Setting(
        "log", "FLEETCC_LOG", "DISTCC_LOG", PATH, None,
        "Append messages to this file; a relative path in a variable starts at the job's directory.",
    ),
    Setting(
        "backoff_seconds", "FLEETCC_BACKOFF_PERIOD", "DISTCC_BACKOFF_PERIOD", PERIOD, 60.0,
        "How long a failing host is left alone at most (1, 2, 4 ... seconds up to this); 0: never.",
    ),
    Setting(
        "io_timeout_seconds", "FLEETCC_IO_TIMEOUT", "DISTCC_IO_TIMEOUT", TIMEOUT, 300.0,
        "How long to wait for a host's next byte before the job goes elsewhere.",
    ),
    Setting(
        "connect_timeout_seconds", "FLEETCC_CONNECT_TIMEOUT", None, TIMEOUT, 4.0,
        "How long one address of a host may take to accept a connection.",
    ),
    Setting(
        "dns", "FLEETCC_DNS", None, SERVERS, (),
        "DNS servers to ask for the host list's names instead of the system's.",
        default_text="those of `/etc/resolv.conf`",
    ),
    Setting(
        "priority", "FLEETCC_PRIORITY", None, PRIORITY, "normal",
        "How urgent the jobs are: hosts give slots to interactive, normal and ci clients as 4 to 2 to 1.",
    ),
    Setting(
        "verify", "FLEETCC_VERIFY", None, SHARE, 0.0,
        "Compile this share of the jobs of hosts here too, compare every byte, and tell what differs.",
    ),
    Setting(
        "ssh", "FLEETCC_SSH", "DISTCC_SSH", WORDS, ("ssh",),
        "The command that reaches `@host` entries, split at blanks; no shell sees it.",
    ),
    Setting(
        "local_slots", "FLEETCC_LOCAL_SLOTS", None, SLOTS, None,
        "How many compilers may run here at once; it wins over the host list's `--localslots`.",
        default_text="the host list's, else the number of processors",
    ),
    Setting(
        "preprocess_slots", "FLEETCC_PREPROCESS_SLOTS", None, SLOTS, None,
        "How many preprocessors may run here at once; it wins over the host list's `--localslots_cpp`.",
        default_text="the host list's, else twice the number of processors",
    ),
    Setting(
        "idle_exit_seconds", "FLEETCC_IDLE_EXIT", None, PERIOD, 600.0,
        "How long the agent stays without work before it leaves; 0 lets it stay.",
    ),
)  # fmt: skip

# Read elsewhere: the launcher obeys the first without asking anybody, and sets the second.
OTHER_VARIABLES: Final = (
    "FLEETCC_AGENT", "FLEETCC_BUILD", "FLEETCC_CMDLIST", "FLEETCC_CMDLIST_NUMWORDS", "FLEETCC_LAUNCHER",
    "FLEETCC_SANDBOX",
)  # fmt: skip

RELEVANT_VARIABLES: Final = tuple(
    dict.fromkeys(
        [
            variable.encode()
            for setting in TABLE
            for variable in (setting.variable, setting.twin)
            if variable is not None
        ]
        + list(places.PLACE_VARIABLES)
    )
)


def unknown_variables(environment: Mapping[bytes, bytes]) -> list[tuple[str, str | None]]:
    """FLEETCC_* variables that nothing reads, each with the name that was perhaps meant."""
    known = [setting.variable for setting in TABLE if setting.variable] + list(OTHER_VARIABLES)
    found = sorted(
        name.decode(errors="backslashreplace") for name in environment if name.startswith(b"FLEETCC_")
    )
    return [(name, nearest(name, known)) for name in found if name not in known]


def nearest(word: str, known: list[str]) -> str | None:
    """The known word that was perhaps meant."""
    return next(iter(difflib.get_close_matches(word, known, n=1)), None)
