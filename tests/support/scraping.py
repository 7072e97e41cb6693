"""What a server says to those who look: over HTTP, and its metrics as numbers."""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from fleetcc.monitor.events import Event, decode

SECONDS = 20.0


@dataclass(frozen=True)
class Answer:
    """To one request."""

    status: int
    content_type: str
    text: str


def ask(
    port: int,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    source: str = "127.0.0.1",
) -> Answer:
    """One request to this port of loopback, from this address of it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS, source_address=(source, 0))
    with contextlib.closing(connection):
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.getheader("Content-Type", ""), response.read().decode())


@dataclass(frozen=True)
class Scrape:
    """The metrics at one moment."""

    text: str
    samples: Mapping[tuple[str, tuple[tuple[str, str], ...]], float]

    def of(self, name: str, **labels: str) -> float:
        """One sample."""
        return self.samples[name, tuple(sorted(labels.items()))]

    def sum(self, name: str, **labels: str) -> float:
        """All samples of the name that have these labels, and perhaps more."""
        return sum(
            value
            for (found, have), value in self.samples.items()
            if found == name and labels.items() <= dict(have).items()
        )


def scrape(port: int) -> Scrape:
    """As Prometheus does it."""
    answer = ask(port, "/metrics")
    assert answer.status == 200, answer
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    return Scrape(answer.text, samples)


def read_stats(port: int, *, says: bytes = b"") -> str:
    """What the port of distccd's statistics tells whoever says this."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as sock:
        sock.sendall(says)
        answer = b""
        while data := sock.recv(1 << 16):
            answer += data
    return answer.decode()


@contextlib.contextmanager
def watching(port: int) -> Iterator[Iterator[Event]]:
    """The events of a server, as a browser gets them; they end when the server leaves."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", "/events")
        response = connection.getresponse()
        assert response.status == 200
        yield _events(response)


def _events(response: http.client.HTTPResponse) -> Iterator[Event]:
    with contextlib.suppress(ConnectionError, http.client.IncompleteRead):
        for line in response:
            name, _, data = line.partition(b": ")
            if name == b"data" and data.strip():
                yield decode(data)


def snapshot(port: int) -> dict[str, Any]:
    """How things are."""
    found: dict[str, Any] = json.loads(ask(port, "/snapshot.json").text)
    return found
