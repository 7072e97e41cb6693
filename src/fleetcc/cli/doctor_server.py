"""`fleetccd doctor`: reads the options as the server would, refuses what it would, and has them examined."""

from collections.abc import Sequence

import click

from fleetcc.cli.server_options import check_together, http_place, make_command, program_name
from fleetcc.errors import ExitCode
from fleetcc.server import doctor

_HELP = (
    "Say whether a server with these options would work here, and what to do where it would not. "
    "Takes every option of fleetccd. Exit status 1 when there is an error, 0 when there are at most warnings."
)


def main(arguments: Sequence[str]) -> int:
    """`arguments`: what follows `doctor`; the exit status: 1 when there is an error, else 0.

    Raises click.ClickException and UsageError for options that the server would not take either.
    """
    values = _command().main(list(arguments), prog_name=f"{program_name()} doctor", standalone_mode=False)
    if isinstance(values, int):  # --help, --version
        return values
    check_together(values)
    if values["http"]:
        http_place(values["http"])
    as_objects = values.pop("as_objects")
    try:
        return doctor.examine(values, as_objects=as_objects)
    except KeyboardInterrupt:
        return int(ExitCode.GENERAL)


def _command() -> click.Command:
    command = make_command()
    command.name, command.help, command.epilog = "doctor", _HELP, None
    option = click.Option(["--json", "as_objects"], is_flag=True, help="Print a JSON array of objects.")
    command.params.insert(0, option)
    return command
