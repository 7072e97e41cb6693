"""What the user asked for: environment variables and config.toml, as one frozen value.

`table` has a row for everything that can be set; `loading` walks the sources in order of precedence:
FLEETCC_* variables, their DISTCC_* twins, the user's config.toml, the machine's, the default. It knows
nothing of host lists beyond where they may stand; `fleetcc.hosts` reads them.
"""

from fleetcc.settings.loading import Mode, Settings, SettingValue, explain_settings, load_settings
from fleetcc.settings.table import TABLE, Setting, unknown_variables
from fleetcc.settings.values import Value, printable

__all__ = [
    "TABLE",
    "Mode",
    "Setting",
    "SettingValue",
    "Settings",
    "Value",
    "explain_settings",
    "load_settings",
    "printable",
    "unknown_variables",
]
