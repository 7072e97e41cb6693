"""Units in systemd's check, the image's health check on a real server, a Service's records in real DNS."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fleetcc.hosts.grammar import parse_host_list
from fleetcc.hosts.membership import Membership
from fleetcc.hosts.resolver import Resolver
from tests.support.checkout import PACKAGING
from tests.support.dns import DNSMASQ, Dnsmasq
from tests.support.servers import free_port, start_fleetccd

SECONDS = 60.0
UNITS = sorted((PACKAGING / "systemd" / "system").iterdir())
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@needs_systemd
@pytest.mark.parametrize("user", [False, True], ids=["system", "user"])
def test_systemd_knows_every_setting_of_the_units(tmp_path, user):
    units = sorted((PACKAGING / "systemd" / "user").iterdir()) if user else UNITS
    copies = []
    for unit in units:
        # As on a machine where the programs are installed.
        text = re.sub(
            r"^ExecStart=(\S+)",
            f"ExecStart={shutil.which('true')}",
            unit.read_text("utf-8"),
            flags=re.MULTILINE,
        )
        copy = tmp_path / unit.name.replace("@.", "@one.")
        copy.write_text(text)
        (tmp_path / unit.name).write_text(text)
        copies.append(copy)
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    done = subprocess.run(
        ["systemd-analyze", *(["--user"] if user else []), "--man=no", "verify", *copies],
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime), "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    complaints = [line for line in done.stderr.splitlines() if "fleetcc" in line]
    assert (done.returncode, complaints) == (0, []), done.stderr


@needs_systemd
@pytest.mark.parametrize("name", ["fleetccd.service", "fleetccd@.service"])
def test_the_server_is_exposed_no_more_than_its_sandbox_needs(name):
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=35", "--no-pager",
         PACKAGING / "systemd" / "system" / name],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def dockerfile(instruction: str) -> list[str]:
    """The array of this instruction."""
    text = re.sub(r"\\\n\s*", " ", (PACKAGING / "docker" / "Dockerfile").read_text("utf-8"))
    found = re.search(rf"^{instruction} .*?(\[.*\])$", text, re.MULTILINE)
    assert found
    words: list[str] = json.loads(found[1])
    return words


def test_the_images_health_check_follows_the_images_server(tmp_path: Path):
    pytest.importorskip("aiohttp")
    pytest.importorskip("prometheus_client")
    http = f"127.0.0.1:{free_port()}"
    options = dockerfile("ENTRYPOINT")[1:]
    options[options.index("--http") + 1] = http
    options[options.index("--state-dir") + 1] = str(tmp_path / "state")
    check = [word.replace("127.0.0.1:3634", http) for word in dockerfile("HEALTHCHECK")]
    check[0] = sys.executable
    assert http in check[-1]
    server = start_fleetccd(tmp_path / "server", *options, "--allow", "10.0.0.0/8")
    try:
        assert subprocess.run(check, check=False, timeout=SECONDS).returncode == 0
    finally:
        assert server.stop() == 0
    assert subprocess.run(check, check=False, timeout=SECONDS, stderr=subprocess.DEVNULL).returncode != 0


@pytest.mark.skipif(DNSMASQ is None, reason="dnsmasq is not installed")
@pytest.mark.parametrize("record", ["SRV", "A"])
def test_the_pods_of_the_service_are_the_host_list(tmp_path: Path, record: str):
    """What CoreDNS answers for a headless service: a name for each pod, and the service's for all."""
    service = yaml.safe_load((PACKAGING / "kubernetes" / "service.yaml").read_text("utf-8"))
    (port,) = service["spec"]["ports"]
    zone = f"{service['metadata']['name']}.builds.svc.cluster.local"
    pods = ("127.0.0.21", "127.0.0.22")
    names = {pod: f"{pod.replace('.', '-')}.{zone}" for pod in pods}
    server = Dnsmasq(
        tmp_path,
        "--local=/cluster.local/",
        *(f"--host-record={zone},{pod}" for pod in pods),
        *(f"--host-record={name},{pod}" for pod, name in names.items()),
        *(f"--srv-host=_{port['name']}._tcp.{zone},{name},{port['port']}" for name in names.values()),
    )
    text = f"_fleetcc._tcp.{zone}" if record == "SRV" else zone

    async def found() -> set[tuple[str, int]]:
        membership = Membership(
            parse_host_list(text, "FLEETCC_HOSTS"), "FLEETCC_HOSTS", Resolver(server.setting), lambda: None
        )
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
            task = group.create_task(membership.run())
            await membership.ready()
            members = {(member.host.name, member.host.port) for member in membership.members}
            task.cancel()
        return members

    server.start()
    try:
        assert asyncio.run(found()) == {(pod, port["port"]) for pod in pods}
    finally:
        server.stop()
