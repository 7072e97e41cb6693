"""What all fleet sessions of a server process share: who may open one, what they are told of the server."""

import asyncio
import fcntl
import os
import re
import secrets
import socket
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from fleetcc import __version__
from fleetcc.server.files import Files
from fleetcc.server.fleet_session import FleetSession
from fleetcc.server.identities import Identities
from fleetcc.server.slots import open_shared_file
from fleetcc.toolchain.identity_cache import IdentityCache
from fleetcc.wire.files import FILES
from fleetcc.wire.fleet import Welcome
from fleetcc.wire.fleet_requests import CAPABILITIES

if TYPE_CHECKING:
    from fleetcc.server.connection import Connection
    from fleetcc.server.service import Service

# Agents of one address, which share by names that they choose themselves: they shall not be endless.
MAX_PER_ADDRESS: Final = 32
_INSTANCE: Final = re.compile(rb"[0-9a-f]{32}")


class FleetSide:
    """The fleet protocol's half of a server."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._directory = service.options.state_directory
        self._sessions: dict[FleetSession, str] = {}  # with their addresses
        self._identities: Identities | None = None
        self._is_looking = True
        self._instance = ""
        self.files = Files(service.options, service.pool)

    def open(self, connection: "Connection", transport: asyncio.WriteTransport) -> FleetSession:
        """A connection that speaks the fleet protocol."""
        session = FleetSession(self._service, connection, transport)
        address = connection.client
        self._sessions[session] = address
        if list(self._sessions.values()).count(address) > MAX_PER_ADDRESS:
            text = f"{MAX_PER_ADDRESS} fleet connections of {address} are open"
            session.refuse(text, "one agent needs one connection")
        else:
            self.identify()
        return session

    def left(self, session: FleetSession) -> None:
        """A session has ended."""
        del self._sessions[session]

    def drain(self, why: str) -> None:
        """Tell everybody that the server is leaving."""
        for session in list(self._sessions):
            session.drain(why)

    @property
    def agents(self) -> int:
        """Agents that are connected."""
        return sum(session.is_open for session in self._sessions)

    @property
    def wanted(self) -> int:
        """Jobs that agents have and would send, if there were slots; some of them go elsewhere."""
        return sum(session.wanted for session in self._sessions)

    @property
    def compilers(self) -> tuple[str, ...]:
        """The identities that are offered now."""
        return self._identities.advertised() if self._identities is not None else ()

    def welcome(self, no_replica: str = "") -> Welcome:
        """What is told to a client that has said who it is; `no_replica`: why it alone can have none."""
        obstacle = no_replica or self.files.obstacle
        return Welcome(
            program=f"fleetccd {__version__}",
            instance=self._instance,
            slots=self._service.gate.slot_count,
            compilers=self.compilers,
            looking=self._is_looking,
            capabilities=CAPABILITIES if obstacle else (*CAPABILITIES, FILES),
            sandbox=obstacle[:4000],
            machine=os.uname().machine,
            ping_seconds=self._service.options.ping_seconds,
            name=socket.gethostname()[:128],
        )

    def program(self, digest: str) -> bytes | None:
        """The program to run for an identity."""
        return self._identities.program(digest) if self._identities is not None else None

    def identify(self) -> None:
        """Begin to find out which compilers are here; the first call counts.

        A process that serves one distcc request never does.
        """
        if self._identities is None:
            self._instance = _instance(os.path.join(self._directory, "instance"))
            cache = IdentityCache(os.path.join(self._directory, "identities"))
            service = self._service  # what is killed while it asks leaves nothing outside of its workspace
            self._identities = Identities(
                cache, service.options.compilers, service.pool, self._changed, service.workspace.path
            )
            self._service.start_background(self._keep_identities(self._identities))

    async def _keep_identities(self, identities: Identities) -> None:
        await self.files.prepare()
        self._service.watch.host_changed()
        if self.files.sandbox is not None:
            self._changed()
        await identities.check()
        self._is_looking = False
        self._changed()
        await identities.run()

    def close(self) -> None:
        """Give everything back."""
        self.files.close()

    def _changed(self) -> None:
        for session in list(self._sessions):
            session.say_welcome()


def _instance(path: str) -> str:
    """One random name for all processes of this state directory; the first one chooses it."""
    descriptor = open_shared_file(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        content = os.pread(descriptor, 100, 0)
        if not _INSTANCE.fullmatch(content):
            content = secrets.token_hex(16).encode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, content, 0)
        return _of_this_machine(content)
    finally:
        os.close(descriptor)


def _of_this_machine(content: bytes) -> str:
    """The name, and what tells machines apart: disks are copied with the state directory on them."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            boot = file.read()
    except OSError:
        boot = b""
    return sha256(b"\0".join((content, boot, os.uname().nodename.encode()))).hexdigest()[:32]
