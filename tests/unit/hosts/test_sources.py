"""Where the list comes from, and that changes are seen."""

import os
from pathlib import Path

import pytest

from fleetcc.errors import HostListError
from fleetcc.hosts.sources import NOWHERE, FoundHosts, find_host_list
from fleetcc.settings import files, load_settings


class Machine:
    """Four places for a hosts file, and settings that point there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = [root / "home/.config/fleetcc/hosts", root / "distcc/hosts"]
        self.files += [root / "etc/fleetcc/hosts", root / "etc/distcc/hosts"]
        for file in self.files:
            file.parent.mkdir(parents=True)

    def find(self, **variables: str) -> FoundHosts:
        named = {"HOME": str(self.root / "home"), "DISTCC_DIR": str(self.root / "distcc")} | variables
        environment = {name.encode(): os.fsencode(value) for name, value in named.items()}
        return find_host_list(load_settings(environment, system=str(self.root / "etc")))

    def names(self, **variables: str) -> list[str]:
        host_list = self.find(**variables).host_list
        assert host_list is not None
        return [host.name for host in host_list.hosts]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_no_list_anywhere_is_a_value_not_an_error(machine):
    assert machine.find() is NOWHERE
    assert NOWHERE.host_list is None


def test_each_place_wins_over_the_next(machine):
    for number, file in reversed(list(enumerate(machine.files))):
        file.write_text(f"h{number}\n")
        assert machine.names() == [f"h{number}"]
        assert machine.find().origin == str(file)
    assert machine.names(DISTCC_HOSTS="theirs") == ["theirs"]
    assert machine.names(DISTCC_HOSTS="theirs", FLEETCC_HOSTS="ours") == ["ours"]
    assert machine.find(DISTCC_HOSTS="theirs").origin == "DISTCC_HOSTS"


@pytest.mark.parametrize("variable", ["FLEETCC_HOSTS", "DISTCC_HOSTS"])
def test_an_empty_variable_is_an_empty_list_and_ends_the_search(machine, variable):
    machine.files[0].write_text("red\n")
    assert machine.names(**{variable: ""}) == []


def test_an_empty_file_is_an_empty_list_and_ends_the_search(machine):
    machine.files[0].write_text("# nobody today\n")
    machine.files[2].write_text("red\n")
    assert machine.names() == []


def test_a_changed_file_is_seen_at_the_next_job(machine, monkeypatch):
    monkeypatch.setattr(files, "SETTLE_NS", -1)  # so that the stamps decide, not the age of the file
    machine.files[2].write_text("red\n")
    assert machine.names() == ["red"]
    machine.files[2].write_text("blue/2\n")
    assert machine.names() == ["blue"]
    machine.files[0].write_text("green\n")
    assert machine.names() == ["green"]
    machine.files[0].unlink()
    assert machine.names() == ["blue"]


def test_a_change_within_one_tick_of_the_clock_is_seen(machine):
    for name in ("red", "sky", "sea", "ink"):  # same size, same inode, perhaps the same time
        machine.files[0].write_text(name)
        assert machine.names() == [name]


def test_an_unchanged_list_is_parsed_once(machine, monkeypatch):
    monkeypatch.setattr(files, "SETTLE_NS", -1)
    machine.files[1].write_text("red\n")
    assert machine.find() is machine.find()
    assert machine.find(FLEETCC_HOSTS="blue") is machine.find(FLEETCC_HOSTS="blue")


def test_an_error_in_a_variable_names_the_variable(machine):
    for _ in range(2):  # the second time out of memory
        with pytest.raises(HostListError, match=r"^DISTCC_HOSTS:1:9: in entry 'b/x': found 'x'"):
            machine.find(DISTCC_HOSTS="red/2 b/x")


def test_an_error_in_a_file_names_the_file_and_the_line(machine, monkeypatch):
    monkeypatch.setattr(files, "SETTLE_NS", -1)
    machine.files[1].write_text("red\nblue,zip\n")
    for _ in range(2):
        with pytest.raises(HostListError) as caught:
            machine.find()
        assert str(caught.value).startswith(
            f"{machine.files[1]}:2:6: in entry 'blue,zip': unknown word 'zip'"
        )
    machine.files[1].write_text("red\nblue,lzo\n")
    assert machine.names() == ["red", "blue"]


def test_an_unreadable_file_is_an_error_and_not_silently_the_next(machine):
    machine.files[0].symlink_to(machine.files[0])
    machine.files[3].write_text("red\n")
    with pytest.raises(HostListError, match=r"fleetcc/hosts: cannot be read: .* \(ELOOP\)"):
        machine.find()
    machine.files[0].unlink()
    assert machine.names() == ["red"]


def test_a_directory_and_a_huge_file_are_refused(machine):
    machine.files[0].mkdir()
    with pytest.raises(HostListError, match=r"hosts: not a regular file"):
        machine.find()
    machine.files[0].rmdir()
    machine.files[0].write_bytes(b" " * (files.MAX_FILE_BYTES + 1))
    with pytest.raises(HostListError, match=r"hosts: larger than 1048576 bytes"):
        machine.find()


def test_bytes_that_are_not_text_are_an_error_with_a_place(machine):
    machine.files[0].write_bytes(b"# gr\xfcn\nred\nbl\xfce\n")
    with pytest.raises(HostListError, match=r"hosts:3:3: in entry 'bl\\udcfce': '\\udcfc'; expected letters"):
        machine.find()


def test_a_byte_order_mark_and_carriage_returns_do_not_matter(machine):
    machine.files[0].write_bytes(b"\xef\xbb\xbfred\r\nblue\r\n")
    assert machine.names() == ["red", "blue"]


def test_two_builds_with_different_lists_each_get_their_own(machine):
    assert machine.names(FLEETCC_HOSTS="red") == ["red"]
    assert machine.names(FLEETCC_HOSTS="blue") == ["blue"]
    assert machine.names(FLEETCC_HOSTS="red") == ["red"]
