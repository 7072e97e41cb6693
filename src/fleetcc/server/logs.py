"""Where the server's log goes: a file, standard error, or syslog as distccd; with distccd's level names."""

import logging
import logging.handlers
import os
import sys
from typing import Final

from fleetcc.errors import ExitCode, UsageError

NOTICE: Final = 25
LEVELS: Final = {
    "emerg": logging.CRITICAL,
    "alert": logging.CRITICAL,
    "crit": logging.CRITICAL,
    "critical": logging.CRITICAL,
    "err": logging.ERROR,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "note": NOTICE,
    "notice": NOTICE,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}
_SYSLOG: Final = "/dev/log"


class LogFileError(UsageError):
    """The log file cannot be opened."""

    exit_code = ExitCode.IO_ERROR


def set_up(level: int, file: str | None, *, to_stderr: bool) -> None:
    """Send the log of this program there. Raises LogFileError."""
    logging.addLevelName(NOTICE, "NOTICE")
    logging.raiseExceptions = False  # a full disk under the log must not end the server
    root = logging.getLogger()
    root.setLevel(level)
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(_handler(file, to_stderr=to_stderr))


def reopen() -> None:
    """After a log file was renamed by its rotation."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.close()  # it opens its file again with the next record


def _handler(file: str | None, *, to_stderr: bool) -> logging.Handler:
    stamped = logging.Formatter(
        "%(asctime)s.%(msecs)03d fleetccd[%(process)d] %(levelname)s %(message)s", "%F %T"
    )
    if file is not None and not to_stderr:
        try:
            handler: logging.Handler = logging.FileHandler(file)
        except OSError as error:
            raise LogFileError(f"--log-file {file}: {error.strerror}") from error
        handler.setFormatter(stamped)
        return handler
    if not to_stderr and os.path.exists(_SYSLOG):
        try:
            handler = logging.handlers.SysLogHandler(
                _SYSLOG, facility=logging.handlers.SysLogHandler.LOG_DAEMON
            )
        except OSError:
            pass
        else:
            handler.setFormatter(logging.Formatter("fleetccd[%(process)d]: %(message)s"))
            return handler
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(stamped)
    return handler


def warn(sentence: str) -> None:
    """A warning about the server's own options."""
    logging.getLogger("fleetccd").warning(sentence)
