"""What a server announces of itself."""

import sys

import pytest

from fleetcc.errors import UsageError
from fleetcc.server.announce import AnnouncedCompiler, Offer, announced, chosen_addresses, instances

OFFER = Offer(3632, 12, "0.3.0", [AnnouncedCompiler("x86_64-linux-gnu", "12.2.0")])
SIZES = {"txtvers": "1", "cpus": "8", "jobs": "12"}


def test_it_is_announced_under_our_name_and_under_distcc_s():
    ours, theirs = instances(Offer(3632, 12, "0.3.0"), "red", 8)
    assert (ours.service_type, ours.name) == ("_fleetcc._tcp.local.", "fleetcc@red._fleetcc._tcp.local.")
    assert ours.properties == {**SIZES, "fleetcc": "0.3.0"}
    assert (theirs.service_type, theirs.name) == ("_distcc._tcp.local.", "distcc@red._distcc._tcp.local.")
    assert theirs.properties == {**SIZES, "distcc": "0.3.0"}


def test_each_compiler_has_the_subtype_that_distcc_clients_browse():
    _, theirs, subtype = instances(OFFER, "red", 8)
    assert subtype.service_type == "_x86-64-linux-gnu--12-2-0._sub._distcc._tcp.local."
    assert subtype.name == "distcc@red x86_64-linux-gnu 12-2-0._distcc._tcp.local."
    compiler = {"gnuhost": "x86_64-linux-gnu", "cc_version": "12.2.0", "cc_machine": "x86_64-linux-gnu"}
    assert subtype.properties == theirs.properties == {**SIZES, "distcc": "0.3.0", **compiler}


def test_a_name_that_is_too_long_is_cut_to_one_label():
    for one in instances(OFFER, "r" * 64, 8):
        assert len(one.name.partition("._")[0]) == 63


@pytest.mark.parametrize(
    ("listened_on", "chosen"),
    [
        ([], []),
        (["0.0.0.0"], []),
        (["10.0.0.1", "::"], []),
        (["10.0.0.1", "fe80::1%eth0"], ["10.0.0.1", "fe80::1"]),
    ],
)
def test_only_addresses_that_are_listened_on_are_announced(listened_on, chosen):
    assert chosen_addresses(listened_on) == chosen


async def test_without_the_zeroconf_package_the_error_says_how_to_install_it(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("zeroconf")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "fleetcc.hosts.mdns", raising=False)
    monkeypatch.delattr("fleetcc.hosts.mdns", raising=False)
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    with pytest.raises(UsageError, match=r"pip install 'fleetcc\[zeroconf\]'"):
        async with announced(OFFER, print):
            pytest.fail("announced without the package")
