"""Files that are read again only when they changed."""

import os

import pytest

from fleetcc.errors import UsageError
from fleetcc.settings import files


def test_an_absent_file_has_no_stamp_and_no_content(tmp_path):
    path = str(tmp_path / "hosts")
    assert files.stamp_of(path) is None
    assert files.read_snapshot(path) == files.Snapshot(None, None)
    (tmp_path / "plain").write_text("")
    assert files.stamp_of(str(tmp_path / "plain/hosts")) is None
    assert files.read_snapshot(str(tmp_path / "plain/hosts")).content is None


def test_a_file_changed_a_moment_ago_has_a_stamp_that_never_matches(tmp_path, monkeypatch):
    path = tmp_path / "hosts"
    path.write_text("red")
    monkeypatch.setattr(files, "SETTLE_NS", 1 << 62)
    assert files.read_snapshot(str(path)) == files.Snapshot(files.UNSETTLED, b"red")
    assert files.stamp_of(str(path)) != files.UNSETTLED


def test_a_settled_file_keeps_its_stamp_until_it_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "SETTLE_NS", -1)
    path = tmp_path / "hosts"
    path.write_text("red")
    stamp = files.read_snapshot(str(path)).stamp
    assert files.stamp_of(str(path)) == stamp
    (tmp_path / "new").write_text("sky")
    os.utime(tmp_path / "new", ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    (tmp_path / "new").rename(path)
    assert files.stamp_of(str(path)) != stamp


def test_a_file_of_a_mebibyte_is_read_and_a_larger_one_refused(tmp_path):
    path = tmp_path / "hosts"
    path.write_bytes(b"\n" * files.MAX_FILE_BYTES)
    assert len(files.read_snapshot(str(path)).content or b"") == files.MAX_FILE_BYTES
    path.write_bytes(b"\n" * (files.MAX_FILE_BYTES + 1))
    with pytest.raises(UsageError, match="hosts: larger than 1048576 bytes"):
        files.read_snapshot(str(path))


def test_a_fifo_is_refused_and_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "hosts")
    with pytest.raises(UsageError, match="hosts: not a regular file"):
        files.read_snapshot(str(tmp_path / "hosts"))


def test_an_unreadable_file_is_an_error_with_the_errno(tmp_path):
    loop = tmp_path / "hosts"
    loop.symlink_to(loop)
    assert files.stamp_of(str(loop)) is not None
    with pytest.raises(
        UsageError, match=r"hosts: cannot be read: .* \(ELOOP\); make it readable or remove it"
    ):
        files.read_snapshot(str(loop))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_an_error_with_the_errno(tmp_path):
    (tmp_path / "hosts").write_text("red")
    (tmp_path / "hosts").chmod(0)
    with pytest.raises(UsageError, match=r"\(EACCES\)"):
        files.read_snapshot(str(tmp_path / "hosts"))
