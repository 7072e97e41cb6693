"""fleetcc: a distributed C/C++ compiler; see docs/architecture.md for the shape of it."""

from typing import Final

__version__: Final = "0.1.0"
