"""What preprocessed text tells about itself."""

import pytest

from fleetcc.command.markers import expanded_obstacle, has_line_markers, names_directory
from fleetcc.model import Reason


@pytest.mark.parametrize("head", [b'# 0 "a.c"\n', b'# 1 "a.c" 1\n', b'#line 3 "x"\n'])
def test_text_with_line_markers_names_its_files(head: bytes) -> None:
    assert has_line_markers(head)


@pytest.mark.parametrize("head", [b"", b"int a;\n", b"#define X\n", b'\n# 1 "late.c"\n'])
def test_text_without_a_first_line_marker_has_none(head: bytes) -> None:
    assert not has_line_markers(head)


def test_a_directory_is_named_by_two_slashes() -> None:
    assert names_directory(b'# 0 "a.c"\n# 1 "/home/me//"\n')
    assert not names_directory(b'# 0 "a.c"\n# 0 "<built-in>"\n')


def test_columns_and_included_binaries_keep_a_text_here() -> None:
    assert expanded_obstacle(b"int a = __builtin_COLUMN();") is Reason.SOURCE_NEEDED
    assert expanded_obstacle(b"__builtin_source_location()") is Reason.SOURCE_NEEDED
    assert expanded_obstacle(b'asm(".incbin \\"x\\"");') is Reason.LOCAL_FILES
    assert expanded_obstacle(b"__builtin_LINE();") is None
