"""The greeting: how a client learns that a host runs fleetccd, and how a fleetccd says what it is.

The client sends GREETING and nothing else. A fleetccd answers with a Welcome and closes. distccd reads
the first twelve bytes, finds no `DIST` among them, and closes without an answer.

A welcome is text: a first line `FLEETCC/1`, lines `name: value`, and an empty line. Lines with names
that are not known here, and values that are not known in a list, come from a newer server and are
passed over; so is whatever follows the empty line.
"""

from dataclasses import dataclass
from typing import Final

from fleetcc.errors import InternalError, ProtocolError
from fleetcc.model import Form

_VERSION_LINE: Final = b"FLEETCC/1"
_LINE_END: Final = b"\r\n"
_END: Final = b"\r\n\r\n"

GREETING: Final = _VERSION_LINE + _END

# The one that is sent today has some 150 bytes. Whoever reads one stops here.
MAX_WELCOME_BYTES: Final = 4096
# The versions of the fleet protocol's frames (wire.fleet.OPENING) that this release speaks.
FRAME_VERSIONS: Final = "1"
_MAX_DIGITS: Final = 9
# Enough to tell a machine's compilers apart, and so many that a welcome stays within its limit.
COMPILER_DIGITS: Final = 16
_MOST_COMPILERS: Final = 128
_MOST_WHY: Final = 400

_FORMS: Final = {form.value: form for form in Form}
_NUMBERS: Final = ("slots", "capacity", "running", "waiting")


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a fleetccd says of itself."""

    server: str  # name and version, for people: "fleetccd 0.1.0"
    forms: tuple[Form, ...]
    protocols: tuple[int, ...]  # of distcc
    slots: int  # how many compilers it may run
    capacity: int  # how many it would run now; less than slots when the machine is busy with other things
    running: int
    waiting: int
    compilers: tuple[str, ...] = ()  # the beginnings of their identities, COMPILER_DIGITS long
    no_files: str | None = None  # why it takes no jobs made of files; empty: it does, None: it is an old one


def encode_welcome(welcome: Welcome) -> bytes:
    """The bytes of a welcome."""
    if not welcome.server.isascii() or not welcome.server.isprintable():
        raise InternalError(f"{welcome.server!r} cannot be sent as the name of a server")
    fields = {
        "server": welcome.server,
        "forms": " ".join(form.value for form in welcome.forms),
        "protocols": " ".join(map(str, welcome.protocols)),
        "frames": FRAME_VERSIONS,
        "slots": welcome.slots,
        "capacity": welcome.capacity,
        "running": welcome.running,
        "waiting": welcome.waiting,
    }
    if welcome.no_files is not None:
        why = welcome.no_files.encode("ascii", "replace").decode("ascii")
        fields["files"] = "".join(c if c.isprintable() else "?" for c in why)[:_MOST_WHY] or "yes"
    if welcome.compilers:
        shown = welcome.compilers[:_MOST_COMPILERS]
        fields["compilers"] = " ".join(digest[:COMPILER_DIGITS] for digest in shown)
    lines = [f"{name}: {value}".encode("ascii") for name, value in fields.items()]
    return _LINE_END.join((_VERSION_LINE, *lines)) + _END


def encode_unknown_version(opening: bytes) -> bytes:
    """What a client is told that opens with a version or a word of FLEETCC that is not known here."""
    lines = (
        _VERSION_LINE,
        f"error: {opening[:40]!r} is not an opening that this server knows; update it".encode("ascii"),
        f"frames: {FRAME_VERSIONS}".encode("ascii"),
    )
    return _LINE_END.join(lines) + _END


def is_welcome_complete(data: bytes) -> bool:
    """Whether what has come so far has its empty line; nothing after it matters."""
    return _END in data


def parse_welcome(data: bytes) -> Welcome:
    """Take apart what a host answered to GREETING; raises ProtocolError."""
    text, end, _ = data[:MAX_WELCOME_BYTES].partition(_END)
    if not end:
        raise ProtocolError(f"a welcome without its empty line in {len(data)} bytes: {data[:40]!r}")
    version, *lines = text.split(_LINE_END)
    if version != _VERSION_LINE:
        raise ProtocolError(f"a welcome that begins {version[:40]!r} where {_VERSION_LINE!r} was expected")
    fields = dict(map(_field, lines))
    numbers = {name: _number(name, _value(fields, name)) for name in _NUMBERS}
    return Welcome(
        server=_value(fields, "server"),
        forms=tuple(_FORMS[word] for word in _value(fields, "forms").split() if word in _FORMS),
        protocols=tuple(_number("protocols", word) for word in _value(fields, "protocols").split()),
        compilers=tuple(fields.get("compilers", "").split()),
        no_files="" if fields.get("files") == "yes" else fields.get("files"),
        **numbers,
    )


def _field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not line.isascii() or not line.decode("ascii").isprintable():
        raise ProtocolError(f"the line {line[:40]!r} in a welcome, where `name: value` was expected")
    return name.decode("ascii").lower(), value.decode("ascii").strip()


def _value(fields: dict[str, str], name: str) -> str:
    if name not in fields:
        raise ProtocolError(f"a welcome without {name!r}")
    return fields[name]


def _number(name: str, value: str) -> int:
    if not value.isdigit() or len(value) > _MAX_DIGITS:
        raise ProtocolError(f"{name!r} in a welcome is {value[:40]!r}, where a number was expected")
    return int(value)
