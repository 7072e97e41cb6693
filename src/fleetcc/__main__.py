"""`python -m fleetcc` is the CLI."""

from fleetcc.cli.main import main

main()
