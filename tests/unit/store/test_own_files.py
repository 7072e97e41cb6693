"""This machine's own files."""

import os

import pytest

from fleetcc.store.own_files import OwnFiles
from tests.unit.store.pictures import digest_of

DATA = b"#define X 1\n"


@pytest.fixture
def usr(tmp_path):
    for path in (tmp_path, *tmp_path.parents):
        os.chmod(path, os.stat(path).st_mode | 0o055)
    folder = tmp_path / "usr"
    (folder / "include").mkdir(parents=True)
    (folder / "include" / "x.h").write_bytes(DATA)
    return folder


@pytest.fixture
def header(usr):
    return usr / "include" / "x.h"


@pytest.fixture
def make(tmp_path, usr):
    made = []

    def build():
        made.append(OwnFiles(os.fsencode(tmp_path / "log"), [os.fsencode(usr)]))
        return made[-1]

    yield build
    for own in made:
        own.close()


def is_offered(own, path, size=12):
    file = own.open(os.fsencode(path), size)
    if file is not None:
        os.close(file)
    return file is not None


def digest(own, path):
    file = own.open(os.fsencode(path), len(DATA))
    try:
        return own.digest(file)
    finally:
        os.close(file)


def test_a_file_that_anybody_may_read_is_offered(make, header):
    own = make()
    assert is_offered(own, header)
    assert digest(own, header) == digest_of(DATA)
    assert not is_offered(own, header, len(DATA) + 1)


def test_other_places_are_not(make, usr, tmp_path, header):
    (tmp_path / "usrx").write_bytes(DATA)
    (tmp_path / "secret").write_bytes(DATA)
    own = make()
    for path in (tmp_path / "usrx", tmp_path / "secret", usr / "absent", usr / "include", f"{usr}/x\0y"):
        assert not is_offered(own, path)
    assert not is_offered(own, f"{usr}/../secret")


def test_a_link_out_of_the_place_leads_nowhere_and_one_within_does(make, usr, tmp_path, header):
    (tmp_path / "secret").write_bytes(DATA)
    (usr / "out").symlink_to(tmp_path / "secret")
    (usr / "away").symlink_to(tmp_path)
    (usr / "within").symlink_to(usr / "include")
    (usr / "round").symlink_to(usr / "round")
    own = make()
    assert not is_offered(own, usr / "out")
    assert not is_offered(own, usr / "away" / "secret")
    assert not is_offered(own, usr / "round")
    assert is_offered(own, usr / "within" / "x.h")


def test_a_link_put_there_after_the_look_is_not_followed(make, usr, tmp_path, header, monkeypatch):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.h").write_bytes(DATA)
    real = os.path.realpath(os.fsencode(header))
    (usr / "include").rename(usr / "was")
    (usr / "include").symlink_to(tmp_path / "other")
    monkeypatch.setattr(os.path, "realpath", lambda _: real)
    assert not is_offered(make(), header)


def test_what_the_world_may_not_read_is_not_offered(make, usr, header):
    own = make()
    os.chmod(header, 0o640)
    assert not is_offered(own, header)
    os.chmod(header, 0o644)
    os.chmod(usr / "include", 0o750)
    assert not is_offered(own, header)


def test_fifos_and_devices_are_not_even_opened(make, usr):
    os.mkfifo(usr / "fifo")
    os.chmod(usr / "fifo", 0o644)
    assert not is_offered(make(), usr / "fifo", 0)


@pytest.fixture
def settled(monkeypatch):
    """Every file is old enough to be known by its stamp."""
    monkeypatch.setattr("fleetcc.store.own_files._SETTLE_NS", 0)


def test_a_digest_is_remembered_by_every_process(make, settled, header, monkeypatch):
    first, second = make(), make()
    assert digest(first, header) == digest_of(DATA)
    monkeypatch.setattr("hashlib.file_digest", None)
    assert digest(first, header) == digest_of(DATA)
    assert digest(second, header) == digest_of(DATA)
    assert digest(make(), header) == digest_of(DATA)


def test_another_version_is_read_again_also_within_a_tick(make, header):
    own = make()
    for index in range(20):
        data = b"%012d" % index
        header.write_bytes(data)
        assert digest(own, header) == digest_of(data)


def test_torn_records_cost_themselves_alone(make, settled, usr, tmp_path, header, monkeypatch):
    digest(make(), header)
    record = (tmp_path / "log").read_bytes()
    (tmp_path / "log").write_bytes(record[:31] + b"\xff" + record + record[:50])
    monkeypatch.setattr("hashlib.file_digest", None)
    assert digest(make(), header) == digest_of(DATA)


def test_a_log_that_is_full_starts_again(make, settled, usr, tmp_path, header, monkeypatch):
    monkeypatch.setattr("fleetcc.store.own_files._MAX_RECORDS", 1)
    other = usr / "y.h"
    other.write_bytes(DATA)
    own, watching = make(), make()
    digest(own, header)
    size = (tmp_path / "log").stat().st_size
    digest(watching, header)
    digest(own, other)
    assert (tmp_path / "log").stat().st_size == size
    assert digest(watching, other) == digest_of(DATA)
