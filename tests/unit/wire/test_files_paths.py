"""Which paths, entries and jobs the fleet protocol takes."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcc.wire.files import MAX_NAME_BYTES, Directory, Entry, File, FileJob, Link
from fleetcc.wire.files_paths import entry_fault, is_below, job_fault, path_fault

LONGEST_NAME = b"n" * MAX_NAME_BYTES
LONGEST_PATH = b"/a" * 2047 + b"b"

JOB = FileJob(bytes(16), 0, b"/usr/bin/cc", (b"cc",), (), b"/w", 0o22, (b"/w",))


def job(**fields: object) -> FileJob:
    told = {name: getattr(JOB, name) for name in JOB.__struct_fields__} | fields
    return FileJob(**told)


@pytest.mark.parametrize(
    "path",
    [
        b"/a",
        b"/usr/include/c++/12",
        b"/...",
        b"/..a",
        b"/.a/b.",
        b"/a b\n\xff",
        b"/" + LONGEST_NAME,
        LONGEST_PATH,
    ],
    ids=lambda path: repr(path)[:20],
)
def test_a_clean_path_has_no_fault(path: bytes) -> None:
    assert path_fault(path) is None
    assert posixpath.normpath(path) == path


@pytest.mark.parametrize(
    "path",
    [
        b"", b"a", b"./a", b"/", b"//", b"//a", b"/a/", b"/a//b", b"/.", b"/..", b"/../a", b"/a/..",
        b"/a/../b", b"/a/./b", b"/a/.", b"/a\0b", b"/" + LONGEST_NAME + b"n", LONGEST_PATH + b"b",
    ],
    ids=lambda path: repr(path)[:20],
)  # fmt: skip
def test_any_other_path_is_told_with_its_fault(path: bytes) -> None:
    fault = path_fault(path)

    assert fault is not None
    assert len(fault) < 1000


@given(st.lists(st.sampled_from([b"/", b".", b"..", b"a", b"\0", b"\n", b"-"]), max_size=8).map(b"".join))
def test_a_path_is_clean_if_it_is_absolute_normal_and_without_nul(path: bytes) -> None:
    is_normal = path.startswith(b"/") and not path.startswith(b"//") and posixpath.normpath(path) == path
    expected = is_normal and path != b"/" and b"\0" not in path

    assert (path_fault(path) is None) == expected


@pytest.mark.parametrize(
    ("path", "entry", "is_good"),
    [
        (b"/a", File(bytes(32), 1, 2), True),
        (b"/a", Link(b"../../anywhere"), True),
        (b"/a", Link(b"b\0c"), False),
        (b"/", Directory(), True),
        (b"/", Link(b"/a"), False),
        (b"/", File(bytes(32), 1, 2), False),
        (b"/a/../b", Directory(), False),
    ],
)
def test_entries_are_put_at_clean_paths_and_links_lead_anywhere(
    path: bytes, entry: Entry, is_good: bool
) -> None:
    assert (entry_fault(path, entry) is None) == is_good


@pytest.mark.parametrize(
    ("path", "directories", "expected"),
    [
        (b"/w/x.o", (b"/w",), True),
        (b"/w/a/b/x.o", (b"/v", b"/w"), True),
        (b"/w/x.o", (b"/",), True),
        (b"/w", (b"/w",), False),
        (b"/words/x.o", (b"/w",), False),
        (b"/w/x.o", (), False),
    ],
)
def test_below_a_directory_is_in_it_at_any_depth(
    path: bytes, directories: tuple[bytes, ...], expected: bool
) -> None:
    assert is_below(path, directories) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"program": b"/opt/x/../bin/cc"},
        {"cwd": b"/"},
        {"cwd": b"/w/.."},
        {"returns": (b"/", b"/w")},
        {"existing": (b"/w/x.o", b"/elsewhere/x.d")},
        {"environment": (b"LANG=", b"A=b=c")},
    ],
)
def test_a_job_may_be_spelled_as_its_user_does(fields: dict[str, object]) -> None:
    assert job_fault(job(**fields)) is None


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"program": b"cc"}, "program"),
        ({"program": b"/cc\0"}, "program"),
        ({"cwd": b"w"}, "directory"),
        ({"cwd": b"/w\0"}, "directory"),
        ({"argv": (b"cc", b"a\0b")}, "NUL"),
        ({"environment": (b"A=\0",)}, "NUL"),
        ({"environment": (b"LANG",)}, "NAME=value"),
        ({"environment": (b"=x",)}, "NAME=value"),
        ({"returns": (b"/w", b"/w/..")}, "/w/.."),
        ({"returns": (b"w",)}, "path b'w'"),
        ({"existing": (b"/w/x.o", b"/w/../x.o")}, "/w/../x.o"),
        ({"existing": (b"/",)}, "path b'/'"),
    ],
)
def test_a_job_that_nobody_could_run_is_told_why(fields: dict[str, object], word: str) -> None:
    fault = job_fault(job(**fields))

    assert fault is not None
    assert word in fault
