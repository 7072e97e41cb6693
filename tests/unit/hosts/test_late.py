"""Packages that are loaded late, or are not there."""

import sys

from fleetcc.hosts.late import LateDns, browse_network
from fleetcc.hosts.members import Nearby
from fleetcc.hosts.standing import Failure, Question, RecordKind


async def test_without_the_zeroconf_package_the_trouble_says_how_to_install_it(monkeypatch):
    for name in [
        name for name in sys.modules if name.startswith(("zeroconf", "fleetcc.hosts.local_network"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "fleetcc.hosts.mdns", raising=False)
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    reports: list[Nearby] = []
    await browse_network(reports.append)
    (nearby,) = reports
    assert nearby.is_browsed
    assert "pip install 'fleetcc[zeroconf]'" in (nearby.trouble or "")


async def test_without_dnspython_names_fail_and_say_why(monkeypatch):
    monkeypatch.delitem(sys.modules, "fleetcc.hosts.dns_lookup", raising=False)
    monkeypatch.setitem(sys.modules, "dns", None)
    for name in [name for name in sys.modules if name.startswith("dns.")]:
        monkeypatch.delitem(sys.modules, name)
    reply = await LateDns(()).ask(Question("red", RecordKind.A))
    assert isinstance(reply, Failure)
    assert "DNS cannot be asked" in reply.sentence
