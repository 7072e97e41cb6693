"""Names that compilers derive; the interop table shows that they are the compilers' own."""

import pytest

from fleetcc.command.outputs import derived_depfile, derived_output


@pytest.mark.parametrize(
    ("source", "stage", "output"),
    [
        (b"a.c", b"-c", b"a.o"),
        (b"dir/a.b.cc", b"-c", b"a.b.o"),
        (b"/x/y/z.c", b"-S", b"z.s"),
        (b"di.r/plain", b"-c", b"plain.o"),
    ],
)
def test_an_output_takes_the_source_name_into_the_working_directory(
    source: bytes, stage: bytes, output: bytes
) -> None:
    assert derived_output(source, stage) == output


@pytest.mark.parametrize(
    ("output", "depfile"),
    [
        (None, b"a.b.d"),
        (b"obj/t", b"obj/t.d"),
        (b"t.x.o", b"t.x.d"),
        (b"di.r/t", b"di.r/t.d"),
        (b".hid", b".d"),
        (b"t.", b"t.d"),
    ],
)
def test_a_depfile_lies_beside_the_output(output: bytes | None, depfile: bytes) -> None:
    assert derived_depfile(b"src/a.b.c", output) == depfile
