"""What was learned, over restarts."""

import errno
import os

import msgspec
import pytest

from fleetcc.agent.history_file import encode_history, load_history, write_history
from fleetcc.scheduling.history import History, Record


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "history")


def learned() -> History:
    history = History()
    for number in range(20):
        history.learn(b"key %d" % number, 1000 + number, "red", 0.5 + number)
        history.learn(b"key %d" % number, 1000 + number, "blue", 1.0 + 2 * number)
    return history


def test_what_was_learned_survives_the_journey_to_the_disk(path):
    history = learned()

    write_history(path, encode_history(history))
    loaded = load_history(path)

    assert loaded.records == history.records
    assert list(loaded.records) == list(history.records)  # the oldest is still the first to go
    for host in ("red", "blue"):
        assert loaded.speed(host) == pytest.approx(history.speed(host))
    assert loaded.predict(b"key 3", 0).is_known


def test_no_file_is_no_history_and_no_trouble(path, caplog):
    assert load_history(path).records == {}
    assert caplog.records == []


def file_of(**fields: object) -> bytes:
    told = {"version": 1, "records": [], "speeds": {}} | fields
    return msgspec.msgpack.encode(told)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a history",
        b"\xc1",
        encode_history(learned())[:-1],
        file_of(records=[(b"key", "long", "red")]),
        file_of(records=7),
        file_of(speeds={"red": (1.0,)}),
        file_of(records=[(b"key", float("inf"), "red")]),
        file_of(records=[(b"key", float("nan"), "red")]),
        file_of(speeds={"red": (float("nan"), 1.0)}),
        file_of(speeds={"red": (1.0, float("inf"))}),
        b"\x83\xa7version\x01\xa7records\x90\xa6speeds\x81\xa1\xff\x92\xcb" + bytes(8) + b"\xcb" + bytes(8),
    ],
    ids=(
        "empty", "text", "reserved", "cut", "no number", "no list", "half a speed", "infinite", "NaN",
        "no speed", "no variance", "no UTF-8",
    ),
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_no_history_and_is_mentioned(path, caplog, content):
    with open(path, "wb") as file:
        file.write(content)

    history = load_history(path)

    assert history.records == {}
    assert history.speeds == {}
    assert path in caplog.text


def test_a_file_of_another_version_is_no_history(path):
    with open(path, "wb") as file:
        file.write(file_of(version=2, records=[(b"key", 1.0, "red")]))

    assert load_history(path).records == {}


def test_a_folder_in_its_place_is_no_history(path, caplog):
    os.mkdir(path)

    assert load_history(path).records == {}
    assert path in caplog.text


def test_a_file_of_tomorrow_may_have_more_fields(path):
    with open(path, "wb") as file:
        file.write(file_of(records=[(b"key", 1.5, "red")], novelty=[1]))

    assert load_history(path).records == {b"key": Record(1.5, "red")}


def test_a_full_disk_costs_the_new_history_and_not_the_old_one(path, tmp_path, caplog, monkeypatch):
    write_history(path, file_of(records=[(b"key", 1.5, "red")]))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    write_history(path, encode_history(learned()))

    assert "No space left" in caplog.text
    assert load_history(path).records == {b"key": Record(1.5, "red")}
    assert os.listdir(tmp_path) == ["history"]


def test_a_folder_that_is_not_there_is_mentioned(tmp_path, caplog):
    write_history(str(tmp_path / "gone" / "history"), encode_history(learned()))

    assert "was not written" in caplog.text
