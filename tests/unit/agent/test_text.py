"""Which texts may travel; memory files are real ones."""

import os

import pytest

from fleetcc.agent.text import LZO, Packer, PragmaMemory, Text, Unfit
from fleetcc.agent.text import pack as pack_as
from fleetcc.errors import FleetccError
from fleetcc.model import Form, Reason
from fleetcc.wire import lzo, zstd


@pytest.fixture
def pack(tmp_path):
    memory = PragmaMemory()

    def pack(text: str, form: Form, *, exact: bool = True, encoding: str = "zstd"):
        descriptor = os.memfd_create("text")
        try:
            os.write(descriptor, text.encode())
            return Packer(os.fsencode(tmp_path), encoding, form, exact, memory).pack(descriptor, len(text))
        finally:
            os.close(descriptor)

    return pack


PLAIN = '# 0 "a.c"\n' + "int x;\n" * 200


@pytest.mark.parametrize("encoding", ["zstd", "lzo", "raw"])
def test_a_plain_text_is_packed_as_was_asked(pack, encoding):
    text = pack(PLAIN, Form.EXPANDED, encoding=encoding)

    assert (text.form, text.plain_bytes) == (Form.EXPANDED, len(PLAIN))
    ((packed_as, body),) = text.bodies.items()
    assert packed_as == encoding
    assert unpacked(encoding, body, len(PLAIN)) == PLAIN.encode()


def unpacked(encoding: str, body: bytes, size: int) -> bytes:
    return lzo.decompress(body, size) if encoding == LZO else zstd.unpack(encoding, body, size)


@pytest.mark.parametrize("first", ["zstd", "lzo", "raw"])
@pytest.mark.parametrize("second", ["zstd", "lzo", "raw"])
def test_a_text_can_be_packed_again_for_another_kind_of_host(pack, first, second):
    text = pack(PLAIN, Form.EXPANDED, encoding=first)

    body = text.repack(second)

    assert unpacked(second, body, len(PLAIN)) == PLAIN.encode()
    assert text.bodies.keys() == {first, second}


def test_the_best_packing_that_is_there_is_taken_in_the_hosts_order():
    text = Text(Form.EXPANDED, 3, {"raw": b"abc", "lzo": b"..."})

    assert text.body_in(("zstd", "raw")) == ("raw", b"abc")
    assert text.body_in(("lzo", "raw")) == ("lzo", b"...")
    assert text.body_in(("zstd",)) is None


def test_a_text_that_zstd_does_not_shorten_travels_as_it_is():
    assert pack_as("zstd", b"int x;\n") == ("raw", b"int x;\n")
    text = Text(Form.EXPANDED, 7, dict([pack_as("lzo", b"int x;\n")]))

    text.repack("zstd")

    assert text.body_in(("zstd", "raw")) == ("raw", b"int x;\n")


def test_an_expanded_text_that_asks_for_its_column_stays_unless_exactness_is_off(pack):
    text = '# 0 "a.cc"\nint x = __builtin_COLUMN();\n'

    assert pack(text, Form.EXPANDED).reason is Reason.SOURCE_NEEDED
    assert isinstance(pack(text, Form.EXPANDED, exact=False), Text)


def test_an_expanded_text_that_includes_a_file_of_this_machine_stays_always(pack):
    text = '# 0 "a.c"\n__asm__(".incbin \\"logo.png\\"");\n'

    assert pack(text, Form.EXPANDED, exact=False).reason is Reason.LOCAL_FILES


DIRECTIVES = '# 0 "a.c"\n# 1 "/w//"\n# 0 "<built-in>"\n# 0 "<command-line>"\n# 1 "a.c"\n# 1 "h.h" 1\nint x;\n'


def test_a_header_whose_pragma_gcc_drops_forbids_the_directives_form_until_it_is_edited(pack, tmp_path):
    (tmp_path / "a.c").write_text('#include "h.h"\n')
    (tmp_path / "h.h").write_text('#pragma push_macro("x")\nint x;\n')

    assert pack(DIRECTIVES, Form.DIRECTIVES) == Unfit(Reason.SOURCE_NEEDED, "a pragma in h.h")
    (tmp_path / "h.h").write_text("int x;\n")
    assert isinstance(pack(DIRECTIVES, Form.DIRECTIVES), Text)


def test_a_file_that_cannot_be_read_again_forbids_it_too(pack):
    assert pack(DIRECTIVES, Form.DIRECTIVES).reason is Reason.SOURCE_NEEDED


def test_a_memory_file_that_shrank_is_an_error():
    descriptor = os.memfd_create("short")
    with pytest.raises(FleetccError, match="shrank"):
        Packer(b"/", "raw", Form.EXPANDED, exact=True, pragmas=PragmaMemory()).pack(descriptor, 5)
    os.close(descriptor)


def test_preprocessed_input_is_the_same_text_on_both_sides_so_only_files_of_this_machine_matter(tmp_path):
    source = tmp_path / "a.i"
    packer = Packer(
        os.fsencode(tmp_path),
        "raw",
        Form.EXPANDED,
        exact=True,
        pragmas=PragmaMemory(),
        is_expanded_here=False,
    )

    source.write_text('# 0 "a.cc"\nint x = __builtin_COLUMN();\n')
    assert packer.pack_file(os.fsencode(source)) == Text(Form.EXPANDED, 39, {"raw": source.read_bytes()})
    source.write_text('# 0 "a.c"\n__asm__(".incbin \\"logo.png\\"");\n')
    assert packer.pack_file(os.fsencode(source)) == Unfit(Reason.LOCAL_FILES, "")


def test_preprocessed_input_that_cannot_be_read_is_left_to_the_compiler(tmp_path):
    packer = Packer(os.fsencode(tmp_path), "raw", Form.EXPANDED, exact=True, pragmas=PragmaMemory())

    unfit = packer.pack_file(os.fsencode(tmp_path / "gone.i"))

    assert isinstance(unfit, Unfit)
    assert unfit.reason is Reason.NO_INPUT
