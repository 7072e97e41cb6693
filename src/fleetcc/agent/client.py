"""Asks the running agent a question, or watches it: the CLI's end of the control frames."""

import contextlib
import socket
from collections.abc import Generator, Mapping
from typing import Final

import msgspec

from fleetcc import __version__
from fleetcc.agent.folder import Folder
from fleetcc.errors import FleetccError
from fleetcc.wire.launcher import ANSWER_HEADER, encode_control_request

_TIMEOUT_SECONDS: Final = 10.0
_READ_BYTES: Final = 1 << 20


class Lacking(msgspec.Struct, frozen=True):
    """What a host was not told of."""

    files: int
    bytes: int


class _Hosts(msgspec.Struct, frozen=True):
    hosts: dict[str, Lacking]


def ask_agent(agent_dir: str, verb: str, **more: object) -> dict[str, object] | None:
    """The agent's answer, None when no agent runs; raises FleetccError."""
    connection = _asked(agent_dir, verb, **more)
    if connection is None:
        return None
    with connection:
        body = _read(connection, agent_dir, _length(connection, agent_dir))
    return msgspec.json.decode(body, type=dict[str, object])


def connect_events(agent_dir: str) -> socket.socket | None:
    """A connection whose next bytes are the lines of the agent's stream; None when no agent runs.

    The caller closes it. Raises FleetccError.
    """
    connection = _asked(agent_dir, "events")
    if connection is None:
        return None
    with contextlib.ExitStack() as stack:
        stack.push(connection)
        _require_stream(connection, agent_dir)
        stack.pop_all()
    connection.settimeout(None)
    return connection


def watch_agent(agent_dir: str) -> Generator[bytes, None, None]:
    """The lines of the agent's stream, each with its end; over when the agent leaves.

    Connects with the first line. Closing the generator closes the connection. Raises FleetccError, also when
    no agent runs.
    """
    connection = connect_events(agent_dir)
    if connection is None:
        raise FleetccError(
            f"no agent serves {agent_dir}; the first compile starts one, or `fleetcc agent start`"
        )
    with connection, connection.makefile("rb") as lines:
        try:
            for line in lines:
                if line.endswith(b"\n"):  # else the agent was killed in the middle of it
                    yield line
        except ConnectionError:
            return


def flush_journal(agent_dir: str) -> None:
    """Let the agent write what its journal lacks; nothing when no agent runs or it does not answer."""
    try:
        ask_agent(agent_dir, "flush")
    except FleetccError:
        return


def ask_lacking(agent_dir: str, blobs: Mapping[bytes, int]) -> Mapping[str, Lacking]:
    """What of these blobs (sizes by digest) each host was not told of, by the id of the host.

    Only of hosts that take files now; of none when no agent runs, or none that knows the answer.
    """
    try:
        return msgspec.convert(ask_agent(agent_dir, "lacking", blobs=blobs), _Hosts).hosts
    except (FleetccError, msgspec.ValidationError):
        return {}


# -- parts


def _asked(agent_dir: str, verb: str, **more: object) -> socket.socket | None:
    folder = Folder.open(agent_dir)
    try:
        connection = folder.connect()
    finally:
        folder.close()
    if connection is None:
        return None
    connection.settimeout(_TIMEOUT_SECONDS)
    body = msgspec.json.encode({"verb": verb, **more})
    try:
        connection.sendall(encode_control_request(__version__.encode(), body))
    except OSError as error:
        connection.close()
        raise FleetccError(f"the agent in {agent_dir} does not answer: {error}") from error
    return connection


def _require_stream(connection: socket.socket, agent_dir: str) -> None:
    length = _length(connection, agent_dir)
    if length:  # no stream, but why there is none
        answer = msgspec.json.decode(_read(connection, agent_dir, length), type=dict[str, object])
        raise FleetccError(f"the agent in {agent_dir} shows no events: {answer.get('error', answer)}")


def _length(connection: socket.socket, agent_dir: str) -> int:
    """Of the answer's body."""
    _, _, _, length = ANSWER_HEADER.unpack(_read(connection, agent_dir, ANSWER_HEADER.size))
    return int(length)


def _read(connection: socket.socket, agent_dir: str, count: int) -> bytes:
    data = bytearray()
    try:
        while len(data) < count:
            chunk = connection.recv(min(_READ_BYTES, count - len(data)))
            if not chunk:
                raise FleetccError(f"the agent in {agent_dir} closed without an answer; its log may say why")
            data += chunk
    except OSError as error:
        raise FleetccError(f"the agent in {agent_dir} does not answer: {error}") from error
    return bytes(data)
