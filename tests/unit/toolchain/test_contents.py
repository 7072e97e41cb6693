"""Digests of files, each version read once."""

import hashlib
import os
from pathlib import Path

import pytest

from fleetcc.toolchain import contents as contents_module
from fleetcc.toolchain.contents import ABSENT, Contents, UnidentifiedError, find_on_path, stamp_of
from tests.unit.toolchain.fake_compilers import path_of, program


def test_the_digest_is_that_of_the_whole_content(tmp_path):
    (tmp_path / "file").write_bytes(b"content" * 100_000)
    path = os.fsencode(tmp_path / "file")

    assert Contents().digest(path) == (stamp_of(path), hashlib.sha256(b"content" * 100_000).hexdigest())


def test_a_file_is_read_once_whatever_its_name_until_it_changes(tmp_path, monkeypatch):
    reads: list[bytes] = []

    def read(path, status):
        reads.append(path)
        return "digest"

    monkeypatch.setattr(contents_module, "_read", read)
    file = tmp_path / "file"
    file.write_text("1")
    (tmp_path / "link").symlink_to("file")
    contents = Contents()

    for name in ("file", "link", "file"):
        contents.digest(os.fsencode(tmp_path / name))
    assert len(reads) == 1
    file.write_text("22")
    contents.digest(os.fsencode(file))
    assert len(reads) == 2


def test_a_file_that_changes_while_it_is_read_has_no_digest(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("1")
    monkeypatch.setattr(contents_module, "_read", lambda path, status: str(file.write_text("changed")))

    with pytest.raises(UnidentifiedError, match="changed") as raised:
        Contents().digest(os.fsencode(file))
    assert raised.value.retry_seconds == 0


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "fifo"])
def test_what_is_no_file_has_no_digest(tmp_path, make):
    make(tmp_path / "odd")
    with pytest.raises(UnidentifiedError, match="not a regular file"):
        Contents().digest(os.fsencode(tmp_path / "odd"))


def test_what_is_not_there_has_no_digest(tmp_path):
    assert stamp_of(os.fsencode(tmp_path / "absent")) == ABSENT
    with pytest.raises(UnidentifiedError, match="No such file"):
        Contents().digest(os.fsencode(tmp_path / "absent"))


def test_a_stamp_tells_a_rewrite_of_the_same_size_and_time(tmp_path):
    file = tmp_path / "file"
    file.write_text("1")
    os.utime(file, ns=(5, 5))
    before = stamp_of(os.fsencode(file))
    other = tmp_path / "other"
    other.write_text("2")
    os.utime(other, ns=(5, 5))
    other.replace(file)

    assert stamp_of(os.fsencode(file)) != before


def test_path_is_searched_as_execvp_does(tmp_path):
    program(tmp_path / "second/as", "")
    (tmp_path / "first/as").mkdir(parents=True)
    (tmp_path / "none").mkdir()
    (tmp_path / "none/as").write_text("not executable")
    environment = path_of(tmp_path / "none", tmp_path / "first", tmp_path / "second")

    assert find_on_path(b"as", environment) == os.fsencode(tmp_path / "second/as")
    assert find_on_path(b"no-such-program", environment) == b""
    assert find_on_path(b"sh", {}) == b"/bin/sh"
    assert find_on_path(b"as", {b"PATH": b"second::."}) == b""
