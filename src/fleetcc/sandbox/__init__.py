"""Runs a compiler that sees nothing but its replica.

`native/sandbox` does it, as `fleetcc-sandbox`; here is how it is found and tried (`probe`), what it is told
(`spec`), how one run is prepared and what came of it (`run`, `outcome`), and what the compiler left
(`scratch`). Whoever starts processes starts it like any other one; nothing here does, but for the trial.
"""
