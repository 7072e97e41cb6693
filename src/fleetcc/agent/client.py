"""Asks the running agent a question: the CLI's end of the control frames."""

import msgspec

from fleetcc import __version__
from fleetcc.agent.folder import Folder
from fleetcc.errors import FleetccError
from fleetcc.wire.launcher import ANSWER_HEADER, encode_control_request

_TIMEOUT_SECONDS = 10.0


def ask_agent(agent_dir: str, verb: str) -> dict[str, object] | None:
    """The agent's answer, None when no agent runs; raises FleetccError."""
    folder = Folder.open(agent_dir)
    try:
        connection = folder.connect()
    finally:
        folder.close()
    if connection is None:
        return None
    with connection:
        connection.settimeout(_TIMEOUT_SECONDS)
        try:
            connection.sendall(
                encode_control_request(__version__.encode(), msgspec.json.encode({"verb": verb}))
            )
            data = b""
            while chunk := connection.recv(1 << 20):
                data += chunk
        except OSError as error:
            raise FleetccError(f"the agent in {agent_dir} does not answer: {error}") from error
    if len(data) < ANSWER_HEADER.size:
        raise FleetccError(f"the agent in {agent_dir} closed without an answer; its log may say why")
    return msgspec.json.decode(data[ANSWER_HEADER.size :], type=dict[str, object])
