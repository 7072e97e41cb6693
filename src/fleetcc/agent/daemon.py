"""The agent's life: listen, accept, carry, drain, leave.

It leaves when it has been idle, when it is told to, and when a launcher of another version calls; then
its socket disappears first, what is already connected is served to its end, and the next launcher starts
the next agent.
"""

import asyncio
import contextlib
import logging
import math
import os
import pwd
import random
import resource
import secrets
import signal
import socket
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from fleetcc import __version__
from fleetcc.agent.compilers import Compilers
from fleetcc.agent.fleet import Fleet
from fleetcc.agent.folder import Folder
from fleetcc.agent.history_file import load_history
from fleetcc.agent.history_keeper import HistoryKeeper
from fleetcc.agent.inputs import Inputs
from fleetcc.agent.job import Carrier
from fleetcc.agent.journal_keeper import JournalKeeper
from fleetcc.agent.launcher_connection import LauncherConnection, LauncherGoneError, close_all
from fleetcc.agent.local_slots import LocalSlots
from fleetcc.agent.plan import Plans
from fleetcc.agent.pump import PumpMemory
from fleetcc.agent.services import Services
from fleetcc.agent.spoke import SpokeMemory
from fleetcc.agent.status import status_of
from fleetcc.agent.stories import Stories
from fleetcc.agent.text import PragmaMemory
from fleetcc.agent.verification import Verified
from fleetcc.agent.watching import Watching
from fleetcc.backends.link import OurSide
from fleetcc.settings import Settings, printable
from fleetcc.toolchain.identity_cache import IdentityCache
from fleetcc.wire.files import FILES
from fleetcc.wire.fleet import Hello
from fleetcc.wire.launcher import ControlRequest, JobRequest, encode_answer

log = logging.getLogger(__name__)

_PEER_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred: pid, uid, gid
_ACCEPTS_PER_WAKE: Final = 64
_IDLE_CHECK_SECONDS: Final = 5.0
_SAVE_SECONDS: Final = 60.0

# Descriptors: the agent's own, and those of one job (launcher, two memory files, host). Launchers beyond
# what that allows wait in the socket's queue, because a descriptor that cannot be received is lost.
_OWN_DESCRIPTORS: Final = 28
_DESCRIPTORS_PER_JOB: Final = 4
_ACCEPT_AGAIN_SECONDS: Final = 0.1


class _Question(msgspec.Struct, frozen=True):
    """What a control request asks."""

    verb: str = ""
    blobs: dict[bytes, int] = {}  # sizes by digest, of `lacking`


class Agent:
    """One agent process."""

    def __init__(
        self, settings: Settings, folder: Folder, listener: socket.socket, *, activated: bool
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._listener = listener
        self._activated = activated  # systemd owns the socket: it stays when we leave
        self._connections: dict[LauncherConnection, asyncio.Task[None] | None] = {}
        self._carriers: dict[LauncherConnection, Carrier] = {}
        self._most_connections = _most_connections()
        self._accepting = False
        self._draining = False
        self._left = asyncio.Event()
        self._started = time.time()
        self._last_busy = time.monotonic()

    async def run(self, stories: Stories) -> None:
        """Serve until it is time to leave."""
        loop = asyncio.get_running_loop()
        processors = len(os.sched_getaffinity(0))
        with ThreadPoolExecutor(max_workers=max(2, processors), thread_name_prefix="bulk") as executor:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                local = LocalSlots()
                inputs = Inputs(executor, self._settings.state_dir)
                self._services = Services(
                    fleet=Fleet(
                        tasks,
                        OurSide(_hello(), executor, inputs.content),
                        local,
                        load_history(self._state_file("history")),
                        random.Random(os.getpid()),
                        processors,
                    ),
                    local=local,
                    inputs=inputs,
                    compilers=Compilers(executor, IdentityCache(self._state_file("identities"))),
                    stories=stories,
                    executor=executor,
                    spoke=SpokeMemory(),
                    pragmas=PragmaMemory(),
                    verified=Verified(),
                    pump=PumpMemory(inputs),
                    plans=Plans(),
                    processors=processors,
                )
                stories.slots_of = self._services.slots_of
                self._watching = Watching(self._services, tasks, self._accept_again)
                self._journal = JournalKeeper(stories.journal, executor)
                history = self._services.fleet.history
                self._history = HistoryKeeper(self._state_file("history"), history, stories, executor)
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    loop.add_signal_handler(number, self.drain, f"signal {number.name}")
                self._set_accepting(on=True)
                background = [
                    tasks.create_task(self._watch_idleness()),
                    tasks.create_task(self._keep_inputs(executor)),
                    tasks.create_task(self._journal.keep()),
                    tasks.create_task(self._history.keep()),
                ]
                await self._left.wait()
                await self._watching.close()
                await self._flush()
                for task in background:
                    task.cancel()
                self._services.fleet.close()
                inputs.close()

    def drain(self, why: str) -> None:
        """Stop taking jobs, finish those that run, leave."""
        if self._draining:
            return
        log.info("leaving: %s; %d jobs to finish", why, len(self._connections))
        self._draining = True
        if not self._activated:
            self._folder.remove_socket()
            self._folder.unlock()
            while self._accept():  # those who connected before the name was gone
                pass
        self._set_accepting(on=False)
        self._listener.close()
        self._leave_if_done()

    def _accept(self) -> bool:
        """Take a bounded number of launchers; True when there may be more."""
        for _ in range(_ACCEPTS_PER_WAKE):
            if len(self._connections) + self._watching.count >= self._most_connections:
                self._set_accepting(on=False)  # until one of them has gone
                return False
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:  # the system is out of descriptors: the launcher waits
                log.warning("cannot accept a launcher: %s", error)
                self._set_accepting(on=False)
                asyncio.get_running_loop().call_later(_ACCEPT_AGAIN_SECONDS, self._accept_again)
                return False
            try:
                self._welcome(connection)
            except Exception:  # its own fault: the others shall be served
                log.exception("a launcher's connection could not be served")
                connection.close()
        return True

    def _welcome(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        pid, uid = _peer_of(connection)
        # Only this user (or root) may ask; the folder says so already, the kernel confirms it.
        if uid not in {os.geteuid(), 0}:
            connection.close()
            return
        launcher = LauncherConnection(
            connection, pid, asyncio.get_running_loop(), self._request_arrived, self._launcher_gone
        )
        self._connections[launcher] = None
        launcher.start()

    def _accept_again(self) -> None:
        if not self._draining:
            self._set_accepting(on=True)

    def _set_accepting(self, *, on: bool) -> None:
        if on == self._accepting:
            return
        self._accepting = on
        loop = asyncio.get_running_loop()
        if on:
            loop.add_reader(self._listener.fileno(), self._accept)
        else:
            loop.remove_reader(self._listener.fileno())

    def _request_arrived(self, connection: LauncherConnection, request: JobRequest | ControlRequest) -> None:
        close_all(connection.take_descriptors())
        if isinstance(request, ControlRequest):
            question = _question_of(request)
            if question.verb == "events":
                del self._connections[connection]  # it does not keep the agent
                self._watching.welcome(connection)
                return
            work = self._control(connection, question)
        elif request.version != __version__.encode() and not self._draining:
            work = self._make_way(connection, request.version)
        else:
            carrier = self._carriers[connection] = Carrier(self._services, connection, request)
            work = self._carry(connection, carrier)
        self._connections[connection] = self._tasks.create_task(work)

    def _launcher_gone(self, connection: LauncherConnection) -> None:
        if self._watching.has_lost(connection):
            return
        task = self._connections.get(connection)
        carrier = self._carriers.get(connection)
        if task is None:
            self._finish(connection)
        elif carrier is None or not carrier.leased:
            # Not at once: a task that is cancelled before its first step never gets to its clearing up.
            asyncio.get_running_loop().call_soon(task.cancel)

    async def _carry(self, connection: LauncherConnection, carrier: Carrier) -> None:
        try:
            await carrier.carry()
        finally:
            self._finish(connection)

    async def _make_way(self, connection: LauncherConnection, version: bytes) -> None:
        """A launcher of another version: its own agent shall take over."""
        try:
            answer = b"X" if self._activated else b"A"
            self.drain(f"a launcher of version {os.fsdecode(version)} called, this is {__version__}")
            with contextlib.suppress(LauncherGoneError):
                await connection.send(encode_answer(answer))
        finally:
            self._finish(connection)

    async def _control(self, connection: LauncherConnection, question: _Question) -> None:
        try:
            answer = msgspec.json.encode(await self._answer(question))
            with contextlib.suppress(LauncherGoneError):
                await connection.send(encode_answer(b"C", answer))
        except Exception:  # jobs go on
            log.exception("control request %r failed", question.verb)
        finally:
            self._finish(connection)
        if question.verb == "stop":
            self.drain("told to stop")

    async def _answer(self, question: _Question) -> dict[str, object]:
        match question.verb:
            case "stop":
                return {"leaving": True, "running": len(self._services.stories.running)}
            case "status":
                return {**self._status(), **status_of(self._services)}
            case "flush":
                await self._flush()
                return {"flushed": True}
            case "lacking":
                return {"hosts": self._services.fleet.lacking(question.blobs)}
        known = "events, flush, lacking, status, stop are known"
        return {"error": f"control request {question.verb!r}; {known}"}

    def _status(self) -> dict[str, object]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "folder": printable(self._folder.path),
            "uptime_seconds": round(time.time() - self._started, 1),
            "draining": self._draining,
        }

    def _finish(self, connection: LauncherConnection) -> None:
        connection.close()
        self._carriers.pop(connection, None)
        if self._connections.pop(connection, self) is not self:
            self._last_busy = time.monotonic()
            self._accept_again()
            self._leave_if_done()

    def _leave_if_done(self) -> None:
        if self._draining and not self._connections:
            self._left.set()

    def _state_file(self, name: str) -> str:
        return os.path.join(self._settings.state_dir, name)

    async def _flush(self) -> None:
        """Every job that has ended is in journal and history when this returns."""
        await self._journal.flush()
        await self._history.flush()

    async def _keep_inputs(self, executor: ThreadPoolExecutor) -> None:
        """Write what was hashed every now and then: an agent may be killed."""
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            await asyncio.get_running_loop().run_in_executor(executor, self._services.inputs.save)

    async def _watch_idleness(self) -> None:
        limit = self._settings.idle_exit_seconds or math.inf
        while not self._draining:
            await asyncio.sleep(min(_IDLE_CHECK_SECONDS, max(0.05, limit / 4)))
            if not self._connections and time.monotonic() - self._last_busy > limit:
                self.drain(f"idle for {limit:g} s")


def _hello() -> Hello:
    """Who this agent is, towards servers."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's made-up user
        user = str(os.geteuid())
    return Hello(
        agent=secrets.token_hex(8),
        program=f"fleetcc {__version__}",
        user=f"{user}@{os.uname().nodename}"[:128],
        capabilities=("preprocessed", "zstd", FILES),
        # Random for each agent: what a server keeps of an earlier one is not vouched for by anybody.
        replica=secrets.token_bytes(32),
    )


def _question_of(request: ControlRequest) -> _Question:
    try:
        return msgspec.json.decode(request.body, type=_Question)
    except msgspec.DecodeError:
        return _Question()


def _most_connections() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(1, (limit - _OWN_DESCRIPTORS) // _DESCRIPTORS_PER_JOB)


def _peer_of(connection: socket.socket) -> tuple[int, int]:
    """Its process number, 0 in another container, and user number."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    pid, uid, _ = _PEER_CREDENTIALS.unpack(credentials)
    return pid, uid
