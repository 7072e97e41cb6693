"""The options of `fleetccd`, as a table: those that distccd has keep their names and meaning."""

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import click

from fleetcc import __version__
from fleetcc.errors import UsageError
from fleetcc.server import listening, privileges

HTTP_ADDRESS: Final = "127.0.0.1"
STATS_PORT: Final = 3633  # distccd's
# Stock clients give up after 300 s of silence; one that is told earlier tries its next host.
_QUEUE_TIMEOUT: Final = 240.0
_IO_TIMEOUT: Final = 30.0
# Long enough for a machine that swaps, short enough for jobs whose laptop was closed.
_PING_SECONDS: Final = 10.0
_DRAIN_TIMEOUT: Final = 60.0
_MAX_WAITING: Final = 4000

_EPILOG: Final = """
\b
Environment: FLEETCCD_STATE_DIR, FLEETCCD_PATH (else DISTCCD_PATH, else PATH), FLEETCC_CMDLIST (else
DISTCC_CMDLIST) with FLEETCC_CMDLIST_NUMWORDS, TMPDIR. SIGTERM lets running jobs end, a second one does not.

`fleetccd doctor [OPTIONS]` says whether a server with these options would work here.
"""


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table of options."""

    names: tuple[str, ...]
    help: str
    settings: Mapping[str, Any]


def _flag(*names: str, help: str) -> Option:  # noqa: A002 - click's word
    return Option(names, help, {"is_flag": True})


def _value(*names: str, help: str, **settings: Any) -> Option:  # noqa: A002 - click's word
    return Option(names, help, settings)


_SECONDS: Final = click.FloatRange(min=0)
OPTIONS: Final = (
    _flag("--daemon", help="Listen on the network (the default unless standard input is a socket)."),
    _flag("--inetd", help="Serve one connection on standard input and output: inetd, systemd, ssh."),
    _flag("--no-detach", help="Stay in the foreground."),
    _value("-p", "--port", type=click.IntRange(1, 65535), default=listening.DEFAULT_PORT,
           help="Port to listen on."),
    _value("--listen", multiple=True, metavar="ADDR",
           help="Address to listen on; repeatable. Default: every interface, IPv6 and IPv4."),
    _value("-a", "--allow", multiple=True, metavar="IP[/BITS]|NAME",
           help="Who may connect; repeatable. Default: this machine only."),
    _flag("--allow-private", help="Allow the private networks of IPv4 and IPv6."),
    _value("-j", "--jobs", type=click.IntRange(1, 4096), metavar="N",
           help="Compilers that run at most, all processes of this state directory together. Default: CPUs."),
    _value("--load-limit", type=_SECONDS, metavar="LOAD",
           help="Run fewer while others' load leaves less than this; 0: never mind. Default: CPUs * 5/4."),
    _value("--memory-reserve", metavar="SIZE",
           help="Start no compiler while less memory is available: 500M, 2G, 10%; 0: never mind. "
           "Default: 5%, at least 256M."),
    _value("--store-size", metavar="SIZE", default="10G",
           help="Keep at most so many bytes of clients' files, and once more as many of copies in their "
           "replicas: 500M, 20G."),
    _value("--job-memory", metavar="SIZE", default="50%",
           help="Memory that each process of a job made of files may have: 4G, or a share of the "
           "machine's as 50%; 0: no limit."),
    _value("--job-disk", metavar="SIZE", default="4G",
           help="What a job made of files may write, all together; it is held in memory."),
    _value("--queue-timeout", type=click.FloatRange(min=1), default=_QUEUE_TIMEOUT, metavar="SECONDS",
           help="Close requests that waited this long for a slot."),
    _value("--io-timeout", type=click.FloatRange(min=0, min_open=True), default=_IO_TIMEOUT,
           metavar="SECONDS",
           help="Close clients that send nothing of an unfinished request, or take nothing of an answer."),
    _value("--ping-interval", type=click.FloatRange(min=0.2, max=3600), default=_PING_SECONDS,
           metavar="SECONDS",
           help="Take fleetcc agents from which nothing comes for so long for gone, and end their jobs."),
    _value("--max-waiting", type=click.IntRange(1, 100_000), default=_MAX_WAITING, metavar="N",
           help="Connections that may wait; more are closed."),
    _value("-N", "--nice", type=click.IntRange(0, 19), default=5,
           help="Run less urgently than other programs, compilers and server."),
    _value("--job-lifetime", type=_SECONDS, default=0.0, metavar="SECONDS",
           help="Stop compilers that run longer; 0: never."),
    _value("--drain-timeout", type=_SECONDS, default=_DRAIN_TIMEOUT, metavar="SECONDS",
           help="How long SIGTERM waits for running jobs."),
    _value("--lifetime", type=_SECONDS, default=0.0, metavar="SECONDS",
           help="Leave after this time; 0: never."),
    _value("--user", metavar="NAME", help="Whom to become when started by root. Default: "
           + ", ".join(privileges.DEFAULT_USERS) + ", the first that exists."),
    _value("--state-dir", metavar="DIR",
           help="Where slots are shared with other processes, and clients' files are kept. "
           "Default: /var/lib/fleetccd for root, else ~/.local/state/fleetccd."),
    _value("-P", "--pid-file", metavar="FILE", help="Write the daemon's process id here."),
    _value("--log-file", metavar="FILE", help="Log to this file. Default: syslog."),
    _flag("--log-stderr", help="Log to standard error."),
    _value("--log-level", metavar="LEVEL", default="info",
           help="emerg, alert, crit, err, warning, notice, info (one line per job) or debug."),
    _flag("--verbose", help="Log at level debug."),
    _flag("-W", "--wizard", help="Debug: --verbose --log-stderr --no-detach."),
    _flag("--enable-tcp-insecure", "--make-me-a-botnet",
          help="Run any program that an allowed client names. Anybody among them then owns this account."),
    _flag("--no-fork", help="Accepted for distccd's sake: there is one process anyway."),
    _flag("--no-fifo", help="Accepted for distccd's sake; no effect."),
    _value("--http", metavar="[ADDR:]PORT",
           help="Show what goes on in a browser, and metrics for Prometheus, to those in --allow. "
           f"Default address: {HTTP_ADDRESS}. Needs aiohttp and prometheus-client."),
    _flag("--stats", help="Tell distccd's statistics as text, to those in --allow."),
    _value("--stats-port", type=click.IntRange(1, 65535),
           help=f"The port for them, on the addresses of --listen; implies --stats. Default: {STATS_PORT}."),
    _flag("--zeroconf", help="Announce this server on the local network (mDNS); needs the zeroconf package."),
)  # fmt: skip


def make_command() -> click.Command:
    """The command line of `fleetccd`; its callback gives the values back."""
    parameters: list[click.Parameter] = [
        click.Option([*row.names], help=row.help, show_default="default" in row.settings, **row.settings)
        for row in OPTIONS
    ]
    parameters.append(click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False,
                                   callback=_print_version, help="Show the version and exit."))  # fmt: skip
    parameters.append(click.Argument(["ignored"], nargs=-1, expose_value=False))
    return click.Command(
        "fleetccd",
        params=parameters,
        callback=_keep,
        help="Compile server: takes jobs of fleetcc and distcc clients, and runs as many as it has slots.",
        epilog=_EPILOG,
        context_settings={"help_option_names": ["--help"], "max_content_width": 110},
    )


def check_together(values: Mapping[str, Any]) -> None:
    """Raises UsageError for options that exclude each other."""
    if values["inetd"] and values["daemon"]:
        raise UsageError("--inetd and --daemon: choose one")


def http_place(place: str) -> tuple[str, int]:
    """The address and the port of --http; raises UsageError."""
    address, separator, port = place.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 1 << 16 or (separator and not address):
        raise UsageError(f"--http {place}: expected PORT, ADDRESS:PORT or [ADDRESS]:PORT")
    return address.removeprefix("[").removesuffix("]") or HTTP_ADDRESS, int(port)


def _keep(**values: Any) -> Mapping[str, Any]:
    return values


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
    if not value:
        return
    click.echo(f"{program_name()} {__version__} {platform.machine()}-{platform.system().lower()}")
    click.echo("  (protocols 1, 2 and 3) (default port 3632)")
    context.exit(0)


def program_name() -> str:
    """What this program was called by."""
    name = os.path.basename(sys.argv[0])
    return name if name and not name.endswith(".py") else "fleetccd"
