"""`fleetccd`: the options of distccd, with its names, and the start of a server process."""

import asyncio
import os
import platform
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click
import uvloop

from fleetcc import __version__
from fleetcc.errors import ExitCode, FleetccError, UsageError
from fleetcc.scheduling.capacity import default_load_limit, default_reserve, parse_size
from fleetcc.server import detach, inetd, listening, logs, machine, privileges
from fleetcc.server.access import parse_access_list
from fleetcc.server.compilers import CompilerRules
from fleetcc.server.notify import Notifier, is_listening, passed_sockets
from fleetcc.server.options import ServerOptions

_DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
# Stock clients give up after 300 s of silence; one that is told earlier tries its next host.
_QUEUE_TIMEOUT: Final = 240.0
_IO_TIMEOUT: Final = 30.0
# Long enough for a machine that swaps, short enough for jobs whose laptop was closed.
_PING_SECONDS: Final = 10.0
_DRAIN_TIMEOUT: Final = 60.0
_MAX_WAITING: Final = 4000
# Descriptors beside those of clients: slots, logs, streams and pidfds of running compilers.
_OWN_DESCRIPTORS: Final = 256

_EPILOG: Final = """
\b
Environment: FLEETCCD_STATE_DIR, FLEETCCD_PATH (else DISTCCD_PATH, else PATH), FLEETCC_CMDLIST (else
DISTCC_CMDLIST) with FLEETCC_CMDLIST_NUMWORDS, TMPDIR. SIGTERM lets running jobs end, a second one does not.
"""

Values = Mapping[str, Any]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Option:
    """One row of the table of options."""

    names: tuple[str, ...]
    help: str
    settings: Mapping[str, Any]


def _flag(*names: str, help: str) -> _Option:  # noqa: A002 - click's word
    return _Option(names, help, {"is_flag": True})


def _value(*names: str, help: str, **settings: Any) -> _Option:  # noqa: A002 - click's word
    return _Option(names, help, settings)


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
    _flag("--stats", help="Accepted for distccd's sake; not served, which the log says."),
    _value("--stats-port", type=click.IntRange(1, 65535), help="Accepted for distccd's sake; not served."),
    _flag("--zeroconf", help="Announce this server on the local network (mDNS); needs the zeroconf package."),
)  # fmt: skip


def _command() -> click.Command:
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


def _keep(**values: Any) -> Values:
    return values


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
    if not value:
        return
    click.echo(f"{_program_name()} {__version__} {platform.machine()}-{platform.system().lower()}")
    click.echo("  (protocols 1, 2 and 3) (default port 3632)")
    context.exit(0)


def _program_name() -> str:
    name = os.path.basename(sys.argv[0])
    return name if name and not name.endswith(".py") else "fleetccd"


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point; ends the process."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        values = _command().main(arguments, prog_name=_program_name(), standalone_mode=False)
        status = values if isinstance(values, int) else _run(values, os.environ)
    except click.ClickException as error:
        error.show()
        status = ExitCode.BAD_ARGUMENTS
    except click.Abort:
        status = ExitCode.GENERAL
    except FleetccError as error:
        click.echo(f"{_program_name()}: {error}", err=True)
        status = error.exit_code
    except OSError as error:
        click.echo(f"{_program_name()}: {error}", err=True)
        status = ExitCode.IO_ERROR
    detach.fail(status)
    sys.exit(int(status))


def _run(values: Values, environment: Mapping[str, str]) -> int:
    sockets = passed_sockets(environment)
    if _serves_one(values, sockets):
        return _run_once(values, environment, sockets)
    return _run_daemon(values, environment, sockets)


def _serves_one(values: Values, sockets: Sequence[Any]) -> bool:
    if values["inetd"] and values["daemon"]:
        raise UsageError("--inetd and --daemon: choose one")
    if sockets:
        return not is_listening(sockets[0])
    return bool(values["inetd"]) or (not values["daemon"] and inetd.is_socket(0))


def _run_once(values: Values, environment: Mapping[str, str], sockets: Sequence[Any]) -> int:
    options = _options(values, environment)
    _set_up_log(values, to_stderr=bool(values["log_stderr"]) and not inetd.is_socket(2))
    _prepare_directories(options, values)
    privileges.set_limits()
    client = inetd.ssh_client(environment)
    return _loop_run(lambda: inetd.serve_one(options, client, sockets[0] if sockets else None))


def _run_daemon(values: Values, environment: Mapping[str, str], passed: Sequence[Any]) -> int:
    # Here, because what it announces by takes 14 ms to load, and ssh starts a process for each connection.
    from fleetcc.server.daemon import Daemon  # noqa: PLC0415 - see above

    options = _options(values, environment)
    wizard = bool(values["wizard"])
    _set_up_log(values, to_stderr=bool(values["log_stderr"]) or wizard)
    _warn_about(values)
    sockets = passed or listening.listen(values["listen"], values["port"])
    ready = (lambda: None) if values["no_detach"] or wizard else detach.detach()
    pid_file = values["pid_file"] and os.path.abspath(values["pid_file"])
    _write_pid(pid_file)
    try:
        _prepare_directories(options, values, pid_file)
        privileges.set_limits()
        os.chdir("/")
        notifier = Notifier(environment.get("NOTIFY_SOCKET"))
        _loop_run(lambda: Daemon(options, sockets, notifier, ready).run())
    finally:
        _remove_pid(pid_file)
    return 0


def _loop_run(work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())


def _options(values: Values, environment: Mapping[str, str]) -> ServerOptions:
    cpus = machine.usable_cpus()
    slots = values["jobs"] or cpus
    memory = machine.memory().total_bytes
    reserve = values["memory_reserve"]
    load_limit = values["load_limit"]
    descriptors = privileges.set_limits()
    return ServerOptions(
        access=parse_access_list(values["allow"], private=values["allow_private"]),
        compilers=_compiler_rules(values, environment),
        state_directory=os.path.abspath(_state_directory(values, environment)),
        temporary_directory=os.path.abspath(environment.get("TMPDIR") or "/tmp"),
        slots=slots,
        load_limit=default_load_limit(slots, cpus) if load_limit is None else load_limit,
        store_bytes=parse_size("--store-size", values["store_size"], memory),
        job_memory_bytes=parse_size("--job-memory", values["job_memory"], memory),
        job_disk_bytes=parse_size("--job-disk", values["job_disk"], memory),
        memory_reserve_bytes=default_reserve(memory)
        if reserve is None
        else parse_size("memory reserve", reserve, memory),
        queue_timeout_seconds=values["queue_timeout"],
        io_timeout_seconds=values["io_timeout"],
        ping_seconds=values["ping_interval"],
        job_lifetime_seconds=values["job_lifetime"],
        drain_timeout_seconds=values["drain_timeout"],
        lifetime_seconds=values["lifetime"],
        is_announced=values["zeroconf"],
        max_waiting=max(1, min(values["max_waiting"], descriptors - _OWN_DESCRIPTORS - 8 * slots)),
    )


def _compiler_rules(values: Values, environment: Mapping[str, str]) -> CompilerRules:
    def first(*names: str) -> str | None:
        return next((environment[name] for name in names if environment.get(name)), None)

    words = first("FLEETCC_CMDLIST_NUMWORDS", "DISTCC_CMDLIST_NUMWORDS") or "1"
    if not words.isdigit() or not int(words):
        raise UsageError(f"DISTCC_CMDLIST_NUMWORDS {words!r}: expected a number from 1")
    path = first("FLEETCCD_PATH", "DISTCCD_PATH", "PATH") or _DEFAULT_PATH
    return CompilerRules(
        path=os.fsencode(path),
        command_list=first("FLEETCC_CMDLIST", "DISTCC_CMDLIST"),
        command_list_words=int(words),
        insecure=values["enable_tcp_insecure"],
    )


def _state_directory(values: Values, environment: Mapping[str, str]) -> str:
    chosen = values["state_dir"] or environment.get("FLEETCCD_STATE_DIR")
    if chosen:
        return str(chosen)
    if os.geteuid() == 0:
        return "/var/lib/fleetccd"
    base = environment.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "fleetccd")


def _set_up_log(values: Values, *, to_stderr: bool) -> None:
    debug = values["verbose"] or values["wizard"]
    level = logs.LEVELS.get(values["log_level"].lower())
    file = values["log_file"] and os.path.abspath(values["log_file"])
    logs.set_up(logs.LEVELS["debug"] if debug else level or logs.LEVELS["info"], file, to_stderr=to_stderr)
    if level is None:
        logs.warn(f"--log-level {values['log_level']}: unknown, using info")


def _warn_about(values: Values) -> None:
    if values["enable_tcp_insecure"]:
        logs.warn("--enable-tcp-insecure: every allowed client can run any program as this user")
    if values["stats"] or values["stats_port"]:
        logs.warn("--stats: this version does not serve statistics; ask `fleetcc hosts` or read the log")


def _prepare_directories(options: ServerOptions, values: Values, *owned: str | None) -> None:
    """Make the state directory, then become the user that everything belongs to."""
    os.nice(values["nice"])
    try:
        os.makedirs(options.state_directory, mode=0o700, exist_ok=True)
        user = privileges.choose_user(values["user"])
        if user is not None:
            log_file = values["log_file"] if not values["log_stderr"] else None
            for path in (options.state_directory, log_file, *owned):
                if path:
                    os.chown(path, user.pw_uid, user.pw_gid)
            privileges.become(user)
        privileges.forbid_new_privileges()
        if not os.access(options.state_directory, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(13, "cannot be written", options.state_directory)
    except OSError as error:
        raise UsageError(f"--state-dir {options.state_directory}: {error.strerror}") from error


def _write_pid(path: str | None) -> None:
    if path:
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
        except OSError as error:
            raise UsageError(f"--pid-file {path}: {error.strerror}") from error


def _remove_pid(path: str | None) -> None:
    if path:
        try:
            os.unlink(path)
        except OSError:  # its folder is root's: an empty file names no process
            with open(path, "w", encoding="ascii"):
                pass


if __name__ == "__main__":
    main()
