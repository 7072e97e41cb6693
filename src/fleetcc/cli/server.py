"""`fleetccd`: the options of distccd, with its names, and the start of a server process."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

import click
import uvloop

from fleetcc.cli.server_options import STATS_PORT, check_together, http_place, make_command, program_name
from fleetcc.errors import ExitCode, FleetccError, UsageError
from fleetcc.monitor.web.assets import load_assets
from fleetcc.scheduling.capacity import default_load_limit, default_reserve, parse_size
from fleetcc.server import detach, inetd, listening, logs, machine, privileges
from fleetcc.server.access import parse_access_list
from fleetcc.server.compilers import CompilerRules, parse_words
from fleetcc.server.notify import Notifier, is_listening, passed_sockets
from fleetcc.server.options import ServerOptions

_DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
# Descriptors beside those of clients: slots, logs, streams and pidfds of running compilers.
_OWN_DESCRIPTORS: Final = 256

Values = Mapping[str, Any]
_T = TypeVar("_T")


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point; ends the process."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _examine(arguments[1:]) if arguments[:1] == ["doctor"] else _serve(arguments)
    except click.ClickException as error:
        error.show()
        status = ExitCode.BAD_ARGUMENTS
    except click.Abort:
        status = ExitCode.GENERAL
    except FleetccError as error:
        click.echo(f"{program_name()}: {error}", err=True)
        status = error.exit_code
    except OSError as error:
        click.echo(f"{program_name()}: {error}", err=True)
        status = ExitCode.IO_ERROR
    detach.fail(status)
    sys.exit(int(status))


def _examine(arguments: Sequence[str]) -> int:
    from fleetcc.cli import doctor_server  # noqa: PLC0415 - nothing of it is needed to serve

    return doctor_server.main(arguments)


def _serve(arguments: list[str]) -> int:
    values = make_command().main(arguments, prog_name=program_name(), standalone_mode=False)
    return values if isinstance(values, int) else _run(values, os.environ)


def _run(values: Values, environment: Mapping[str, str]) -> int:
    check_together(values)
    sockets = passed_sockets(environment)
    if _serves_one(values, sockets):
        return _run_once(values, environment, sockets)
    return _run_daemon(values, environment, sockets)


def _serves_one(values: Values, sockets: Sequence[Any]) -> bool:
    if sockets:
        return not is_listening(sockets[0])
    return bool(values["inetd"]) or (not values["daemon"] and inetd.is_socket(0))


def _run_once(values: Values, environment: Mapping[str, str], sockets: Sequence[Any]) -> int:
    if values["http"]:
        raise UsageError("--http: a server of one connection (--inetd, ssh) has no page; run a daemon for it")
    options = _options(values, environment)
    _set_up_log(values, to_stderr=bool(values["log_stderr"]) and not inetd.is_socket(2))
    if _has_stats(values):
        logs.warn("--stats: a server of one connection (--inetd) has no statistics; run a daemon for them")
    _prepare_directories(options, values)
    privileges.set_limits()
    client = inetd.ssh_client(environment)
    return _loop_run(lambda: inetd.serve_one(options, client, sockets[0] if sockets else None))


def _run_daemon(values: Values, environment: Mapping[str, str], passed: Sequence[Any]) -> int:
    # Here, because what it announces by takes 14 ms to load, and ssh starts a process for each connection.
    from fleetcc.server.daemon import Daemon, Listeners  # noqa: PLC0415 - see above

    options = _options(values, environment)
    wizard = bool(values["wizard"])
    _set_up_log(values, to_stderr=bool(values["log_stderr"]) or wizard)
    _warn_about(values)
    http_sockets, http_names = _http(values["http"])
    listeners = Listeners(
        passed or listening.listen(values["listen"], values["port"]),
        http_sockets,
        http_names,
        _stats_sockets(values),
    )
    ready = (lambda: None) if values["no_detach"] or wizard else detach.detach()
    pid_file = values["pid_file"] and os.path.abspath(values["pid_file"])
    _write_pid(pid_file)
    try:
        _prepare_directories(options, values, pid_file)
        privileges.set_limits()
        os.chdir("/")
        notifier = Notifier(environment.get("NOTIFY_SOCKET"))
        _loop_run(lambda: Daemon(options, listeners, notifier, ready).run())
    finally:
        _remove_pid(pid_file)
    return 0


def _http(place: str | None) -> tuple[list[socket.socket], list[str]]:
    """The sockets of --http, and the name of this machine that it has, if it is one."""
    if place is None:
        return [], []
    try:
        from fleetcc.server import http  # noqa: F401, PLC0415 - needs extras
    except ImportError as error:
        raise UsageError(
            f"--http needs {error.name}: pip install 'fleetcc[web,metrics]', or leave --http out"
        ) from error
    load_assets()  # now: as another user they may be out of reach
    address, port = http_place(place)
    return listening.listen([address], port, "--http"), [address]


def _has_stats(values: Values) -> bool:
    return bool(values["stats"] or values["stats_port"])


def _stats_sockets(values: Values) -> list[socket.socket]:
    if not _has_stats(values):
        return []
    return listening.listen(values["listen"], values["stats_port"] or STATS_PORT, "--stats-port")


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
        else parse_size("--memory-reserve", reserve, memory),
        queue_timeout_seconds=values["queue_timeout"],
        io_timeout_seconds=values["io_timeout"],
        ping_seconds=values["ping_interval"],
        job_lifetime_seconds=values["job_lifetime"],
        drain_timeout_seconds=values["drain_timeout"],
        lifetime_seconds=values["lifetime"],
        is_announced=values["zeroconf"],
        is_watched=bool(values["http"]) or _has_stats(values),
        max_waiting=max(1, min(values["max_waiting"], descriptors - _OWN_DESCRIPTORS - 8 * slots)),
    )


def _compiler_rules(values: Values, environment: Mapping[str, str]) -> CompilerRules:
    def first(*names: str) -> str | None:
        return next((environment[name] for name in names if environment.get(name)), None)

    path = first("FLEETCCD_PATH", "DISTCCD_PATH", "PATH") or _DEFAULT_PATH
    return CompilerRules(
        path=os.fsencode(path),
        command_list=first("FLEETCC_CMDLIST", "DISTCC_CMDLIST"),
        command_list_words=parse_words(first("FLEETCC_CMDLIST_NUMWORDS", "DISTCC_CMDLIST_NUMWORDS")),
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
