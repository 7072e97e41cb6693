"""How many jobs agent, hosts and this machine can take at once, from the events of the agent. Pure."""

from typing import Final

from fleetcc.monitor.events import Event, Hello, Host, Local

_HERE: Final = "localhost"  # an entry of the list, whose slots Local tells


class Capacity:
    """Starts with this machine alone: an agent knows hosts from the first job that names them."""

    def __init__(self, processors: int) -> None:
        self._processors = max(1, processors)
        self.forget()

    def forget(self) -> None:
        """There is no agent (any more)."""
        self._local = self._processors
        self._hosts: dict[str, int] = {}

    @property
    def total(self) -> int:
        """Slots of the hosts that are up, and of this machine; at least 1."""
        return self._local + sum(self._hosts.values())

    @property
    def hosts(self) -> int:
        """How many hosts are up."""
        return len(self._hosts)

    def take(self, event: Event) -> None:
        """This has happened; a Hello starts anew."""
        match event:
            case Hello():
                self.forget()
                self.take(event.local)
                for host in event.hosts:
                    self.take(host)
            case Local():
                self._local = max(1, event.slots or self._processors)
            case Host() if event.host != _HERE:
                self._hosts.pop(event.host, None)
                if event.state == "up" and event.slots > 0:
                    self._hosts[event.host] = event.slots
            case _:
                pass
