"""`fleetcc trace`: a build as a Chrome or Perfetto trace."""

import gzip
import os
import sys

import click

from fleetcc import __version__
from fleetcc.cli.past import jobs_of_build, past_jobs
from fleetcc.errors import UsageError
from fleetcc.monitor.amounts import jobs_text
from fleetcc.monitor.trace import trace_json
from fleetcc.settings import load_settings, printable
from fleetcc.settings.files import replace_file


@click.command(name="trace")
@click.option(
    "-o", "output", metavar="FILE", help="Where it goes; - or nothing: standard output. .gz: packed."
)
@click.option("--build", metavar="ID", help="Which build, by the beginning of its name; else the last one.")
@click.option("--all", "every", is_flag=True, help="All jobs that the journal has.")
def command(*, output: str | None, build: str | None, every: bool) -> None:
    """Write what the jobs of a build did, and when, for https://ui.perfetto.dev or chrome://tracing.

    \b
    Example: fleetcc trace -o build.json
    """
    if every and build is not None:
        raise UsageError("--all and --build exclude each other: name one")
    if output in {None, "-"} and sys.stdout.isatty():
        raise UsageError("a trace is not for a terminal: name a file, as in `fleetcc trace -o build.json`")
    records = past_jobs(load_settings(os.environb))
    chosen = records if every else jobs_of_build(records, build)
    trace = trace_json(chosen, f"fleetcc {__version__}")
    if output is None or output == "-":
        sys.stdout.buffer.write(trace + b"\n")
        return
    write_result(output, gzip.compress(trace, 6) if output.endswith(".gz") else trace)
    click.echo(f"{printable(output)}: {jobs_text(len(chosen))}; open it in https://ui.perfetto.dev", err=True)


def write_result(path: str, content: bytes) -> None:
    """A file that the user has named; raises UsageError."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # /dev/stdout, a pipe
            with open(path, "wb") as file:
                file.write(content)
        else:
            replace_file(path, content)
    except OSError as error:
        raise UsageError(
            f"-o {printable(path)}: cannot be written: {error.strerror}; name another file"
        ) from error
