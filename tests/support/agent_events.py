"""An agent that answers `events` and `status` alone; a test says what happens."""

import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from fleetcc.monitor.events import Event, Hello, Host, Job, Local, encode
from fleetcc.wire.launcher import (
    REQUEST_HEADER,
    ControlRequest,
    decode_request,
    decode_request_header,
    encode_answer,
)
from tests.support.fleet import eventually

STATUS: Final = {"version": "0", "pid": 1, "jobs": [], "total": 0}


def host(name: str, slots: int = 4, state: Any = "up") -> Host:
    """A host that has this many slots."""
    return Host(host=name, time=time.time(), state=state, slots=slots)


def local(slots: int) -> Local:
    """This machine."""
    return Local(time=time.time(), processors=slots, slots=slots)


class AgentEvents:
    """Serves `folder/socket`; viewers get a Hello with the hosts of now, then what `tell` is given."""

    def __init__(self, folder: Path, slots: int = 2) -> None:
        self._folder = folder
        self._local = local(slots)
        self.hosts: dict[str, Host] = {}
        self._viewers: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / "socket"
        path.unlink(missing_ok=True)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.unlink(self._folder / "socket")
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for viewer in self._viewers:
            viewer.close()

    def wait_for_viewer(self) -> None:
        """Until somebody watches."""
        eventually(lambda: self._viewers)

    def tell(self, *events: Event) -> None:
        """This happens."""
        with self._lock:
            for event in events:
                if isinstance(event, Host):
                    self.hosts[event.host] = event
                for viewer in self._viewers:
                    viewer.sendall(encode(event))

    def tell_job(self, number: int, build: str, reason: str, state: Any = "done") -> None:
        """One job from its beginning to its end."""
        self.tell(Job(job=number, time=time.time(), state="planning", build=build, label=f"{number}.c"))
        self.tell(Job(job=number, time=time.time(), state=state, reason=reason))

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            header = decode_request_header(connection.recv(REQUEST_HEADER.size, socket.MSG_WAITALL))
            request = decode_request(header, connection.recv(header.length, socket.MSG_WAITALL))
            assert isinstance(request, ControlRequest)
            if msgspec.json.decode(request.body)["verb"] != "events":
                connection.sendall(encode_answer(b"C", msgspec.json.encode(STATUS)))
                connection.close()
                continue
            with self._lock:
                hello = Hello(
                    source="agent", program="fleetcc 0", pid=os.getpid(), time=time.time(),
                    local=self._local, hosts=tuple(self.hosts.values()),
                )  # fmt: skip
                connection.sendall(encode_answer(b"C") + encode(hello))
                self._viewers.append(connection)
