"""Two machines on one cable: network namespaces with a veth pair, and programs that run in them."""

import contextlib
import json
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
IP = "/usr/sbin/ip" if Path("/usr/sbin/ip").exists() else "/sbin/ip"


def why_not() -> str | None:
    """Why no network namespace can be made here; None: one can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"fleetcc-{secrets.token_hex(3)}"
    try:
        made = subprocess.run([IP, "netns", "add", name], capture_output=True, text=True, check=False)
    except OSError as error:
        return f"ip cannot be run: {error}"
    if made.returncode:
        return f"ip netns add: {made.stderr.strip()}"
    subprocess.run([IP, "netns", "delete", name], check=False)
    return None


_BUS = """<busconfig>
<type>system</type><listen>{bus}</listen><auth>EXTERNAL</auth>
<policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/>
</policy>
</busconfig>
"""


@dataclass
class Program:
    """A Python program in one of the namespaces, and the JSON lines that it has printed."""

    process: "subprocess.Popen[str]"
    lines: list[Any] = field(default_factory=list)
    fresh: "queue.Queue[Any]" = field(default_factory=queue.Queue)

    def until(self, condition: Callable[[Any], bool], *, seconds: float = 15) -> Any:
        """Wait for a line that is so."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self.fresh.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"not within {seconds} s: {self.lines}") from None
            if condition(line):
                return line

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))
            self.fresh.put(self.lines[-1])

    def end(self) -> None:
        """Ask it to leave, as a service manager does."""
        self.process.terminate()
        assert self.process.wait(10) == 0


@dataclass
class Cable:
    """`red` is 10.77.0.1, `blue` is 10.77.0.2."""

    namespaces: dict[str, str]

    @contextlib.contextmanager
    def running(self, machine: str, code: str, *arguments: str) -> Iterator[Program]:
        command = [IP, "netns", "exec", self.namespaces[machine], sys.executable, "-c", code, *arguments]
        path = f"{ROOT}/src:{ROOT}"
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
        )
        program = Program(process)
        reader = threading.Thread(target=program.read)
        reader.start()
        try:
            yield program
        finally:
            process.kill()
            process.wait()
            reader.join()
            assert process.stdout is not None
            process.stdout.close()

    @contextlib.contextmanager
    def peers(self, machine: str, directory: Path, *distccd: str) -> Iterator[dict[str, str]]:
        """A real distccd --zeroconf with avahi behind it; yields the variables that avahi's clients need."""
        bus = "unix:abstract=fleetcc-test"  # in the namespace, where distccd's user may go too
        (directory / "bus.conf").write_text(_BUS.format(bus=bus))
        # Both keep files in /run; this machine's own are not to be touched.
        private = "mount -t tmpfs none /run && mkdir /run/avahi-daemon && exec "
        commands = [
            f"dbus-daemon --config-file={directory}/bus.conf --nofork --nopidfile",
            "avahi-daemon --no-drop-root --no-rlimits --no-chroot -f /dev/null",
            f"distccd --no-detach --daemon --zeroconf --user nobody {' '.join(distccd)}",
        ]
        environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": bus}
        with contextlib.ExitStack() as stack, (directory / "peers.log").open("w") as log:
            for command in commands:
                words = [IP, "netns", "exec", self.namespaces[machine], "sh", "-c", private + command]
                process = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
                stack.callback(process.wait)
                stack.callback(process.terminate)
                time.sleep(1)  # each serves the next, and none says when
                assert process.poll() is None, (directory / "peers.log").read_text()
            yield environment

    def unplug(self, machine: str) -> None:
        """Take the interface down."""
        subprocess.run([IP, "-n", self.namespaces[machine], "link", "set", "eth0", "down"], check=True)


@contextlib.contextmanager
def cable() -> Iterator[Cable]:
    """Make both machines, and remove them afterwards."""
    token = secrets.token_hex(3)
    names = {machine: f"fleetcc-{machine}-{token}" for machine in ("red", "blue")}
    try:
        for name in names.values():
            _ip("netns", "add", name)
        _ip(
            *("link", "add", "eth0", "netns", names["red"], "type", "veth"),
            *("peer", "name", "eth0", "netns", names["blue"]),
        )
        for number, name in enumerate(names.values(), 1):
            _ip("-n", name, "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            # No duplicate detection: it would keep the IPv6 address from being used for a second.
            _ip("-n", name, "address", "add", f"fd77::{number}/64", "dev", "eth0", "nodad")
            for interface in ("lo", "eth0"):
                _ip("-n", name, "link", "set", interface, "up")
        yield Cable(names)
    finally:
        for name in names.values():
            subprocess.run([IP, "netns", "delete", name], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run([IP, *words], check=True)
