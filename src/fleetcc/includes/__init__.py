"""Which files a translation unit can read: a superset, without running the preprocessor. Pure."""

from fleetcc.includes.closure import Closure, Doubt, Unresolved
from fleetcc.includes.disk import Disk, Listing, Stamp
from fleetcc.includes.scanner import Scanner
from fleetcc.includes.unit import Search, Unit

__all__ = ["Closure", "Disk", "Doubt", "Listing", "Scanner", "Search", "Stamp", "Unit", "Unresolved"]
