"""`fleetcc VERB`: finds the verb's module and calls it; also the options that `fleetcc` itself takes.

The launcher hands over whatever is not a compiler. Verbs are imported when they are called, so that
`fleetcc status` does not pay for the agent.
"""

import errno
import importlib
import os
import platform
import sys
from typing import Final

import click

from fleetcc import __version__
from fleetcc.errors import ExitCode, FleetccError

VERBS: Final = {
    "agent": ("fleetcc.cli.agent", "start, stop or look at the agent of this user"),
    "config": ("fleetcc.cli.config", "each setting, its value and where that came from"),
    "doctor": ("fleetcc.cli.doctor", "is everything in order: compilers, agent, hosts, limits"),
    "events": ("fleetcc.cli.events", "what happens, as it happens (--json: for programs)"),
    "explain": ("fleetcc.cli.explain", "would this command run here or on a host, how, and why"),
    "hosts": ("fleetcc.cli.hosts", "each host of the list: reachable, does it take files, its slots"),
    "log": ("fleetcc.cli.log", "the jobs that have ended, newest last"),
    "report": ("fleetcc.cli.report", "one HTML page about a build: what held it up, what would help"),
    "run": ("fleetcc.cli.run", "run a build with everything set up: fleetcc run -- make"),
    "scan": ("fleetcc.cli.scan", "each file that this compile can read, found as a job's files are found"),
    "simulate": ("fleetcc.cli.simulate", "what a fleet of such hosts would do with such a build"),
    "stats": ("fleetcc.cli.stats", "this build and today: local jobs by reason, slowest units, bytes"),
    "status": ("fleetcc.cli.status", "what the agent is doing now"),
    "top": ("fleetcc.cli.top", "hosts, slots and jobs, live"),
    "trace": ("fleetcc.cli.trace", "a build as a Chrome or Perfetto trace (-o build.json)"),
    "verify": (
        "fleetcc.cli.verify",
        "compile on hosts and here, and compare every byte (--sample 1% -- make …)",
    ),
    "web": ("fleetcc.cli.web", "the same picture in a browser, on loopback"),
}

HELP: Final = """\
Usage: fleetcc COMPILER ARGUMENTS...    compile on whichever host is free first
       fleetcc VERB [OPTIONS]           look at what happens and why
       g++ ARGUMENTS...                 the same, when g++ is a link to fleetcc found first on PATH

With make:   make -j40 CC="fleetcc gcc" CXX="fleetcc g++"
With CMake:  cmake -DCMAKE_C_COMPILER_LAUNCHER=fleetcc -DCMAKE_CXX_COMPILER_LAUNCHER=fleetcc ...
With ccache: CCACHE_PREFIX=fleetcc

Verbs:
{verbs}
Options:
  --no-fallback       before COMPILER: fail when no host can do the job, rather than compile here
  --priority=CLASS    before COMPILER: interactive, normal or ci; hosts serve them as 4 to 2 to 1
  --show-hosts        print the hosts of the list, one to a line
  -j                  print how many jobs the hosts of the list take together (for make -j)
  --version, --help

Hosts come from $FLEETCC_HOSTS, else $DISTCC_HOSTS, else the first of ~/.config/fleetcc/hosts,
~/.distcc/hosts, /etc/fleetcc/hosts, /etc/distcc/hosts: `FLEETCC_HOSTS="build1 build2/8,lzo @build3"`.
`fleetcc config` lists every setting. What the compiler prints and returns is what you get; fleetcc's own
exit statuses are above 100 (116: no host could, and --no-fallback was given).
"""


def version_text(program: str) -> str:
    """What --version prints; the first two lines have distcc's shape, scripts match them."""
    launcher = {
        "c": "C launcher",
        "python": "Python launcher: no C compiler was found at installation, each call is slower",
    }
    how = launcher.get(os.environ.get("FLEETCC_LAUNCHER", ""), "called without its launcher")
    return (
        f"{program} {__version__} {platform.machine()}-{sys.platform}-gnu\n"
        f"  (protocols 1, 2 and 3) (default port 3632)\n"
        f"{how if program == 'fleetcc' else 'server'}; Python {platform.python_version()}\n"
        "Apache-2.0; there is no warranty"
    )


def help_text() -> str:
    """What --help prints."""
    verbs = "".join(f"  {verb:<10} {text}\n" for verb, (_, text) in VERBS.items())
    return HELP.format(verbs=verbs)


def main() -> None:
    """The entry point `fleetcc-cli`."""
    try:
        sys.exit(_run(sys.argv[1:]))
    except FleetccError as error:
        click.echo(f"fleetcc: {error}", err=True)
        sys.exit(int(error.exit_code))
    except OSError as error:
        if error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        if error.errno == errno.ENOSPC:
            what = error.filename or "standard output"
            click.echo(f"fleetcc: {what}: cannot be written: {error.strerror}", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left goes nowhere
        sys.exit(int(ExitCode.IO_ERROR))


def _run(arguments: list[str]) -> int:
    first = arguments[0] if arguments else "--help"
    if first in VERBS:
        command = importlib.import_module(VERBS[first][0]).command
        command.main(args=arguments[1:], prog_name=f"fleetcc {first}", standalone_mode=True)
        return 0
    if first in {"--help", "-h", "help"}:
        click.echo(help_text(), nl=False)
        return 0
    if first == "--version":
        click.echo(version_text("fleetcc"))
        return 0
    if first in {"--show-hosts", "-j"}:
        from fleetcc.cli.hosts import print_list  # noqa: PLC0415 - lazily, like the verbs

        return print_list(first)
    click.echo(
        f"fleetcc: {first!r} is neither a verb nor a compiler; `fleetcc --help` lists the verbs", err=True
    )
    return int(ExitCode.BAD_ARGUMENTS)
