"""Who may connect."""

import pytest

from fleetcc.errors import UsageError
from fleetcc.server.access import parse_access_list, peer_address


def admits(address: str, *entries: str, private: bool = False) -> bool:
    return parse_access_list(entries, private=private).admits(peer_address(address))


@pytest.mark.parametrize(
    ("address", "admitted"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("10.0.0.1", False),
     ("::ffff:10.0.0.1", False), ("fe80::1%eth0", False), ("8.8.8.8", False)],
)  # fmt: skip
def test_nobody_but_this_machine_until_somebody_is_named(address, admitted):
    assert admits(address) is admitted


@pytest.mark.parametrize(
    ("entry", "address", "admitted"),
    [
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.4", False),
        ("10.1.0.0/16", "10.1.255.7", True),
        ("10.1.0.0/16", "::ffff:10.1.255.7", True),  # a dual-stack socket's way to say it
        ("::ffff:10.1.0.0", "10.1.0.0", True),
        ("10.1.2.3/16", "10.1.9.9", True),  # bits after the mask do not matter
        ("10.0.0.0/8", "127.0.0.1", False),  # naming somebody ends the default
        ("2001:db8::/32", "2001:db8::7", True),
        ("2001:db8::/32", "32.1.13.184", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("0.0.0.0/0", "8.8.8.8", True),
        ("0.0.0.0/0", "2001:db8::7", False),
        ("localhost", "127.0.0.1", True),
        ("localhost", "127.0.0.2", False),
    ],
)
def test_networks_and_names(entry, address, admitted):
    assert admits(address, entry) is admitted


@pytest.mark.parametrize(
    "address", ["192.168.7.7", "10.0.0.1", "172.16.0.9", "127.0.0.1", "fe80::1", "fd00::1", "::1"]
)
def test_private_networks_in_one_word(address):
    assert admits(address, private=True)
    assert not admits("8.8.8.8", private=True)
    assert not admits("172.32.0.1", private=True)


@pytest.mark.parametrize(
    "entry",
    ["10.0.0.0/33", "10.0.0/8", "10.0.0.300", "", "::/129", "::1::", "no-such-host.invalid", "localhost/8"],
)
def test_an_entry_that_cannot_be_used_is_named(entry):
    with pytest.raises(UsageError, match="--allow"):
        parse_access_list([entry], private=False)
