"""Which shared libraries a compiler is made of."""

import os
import struct
import sys

import pytest

from fleetcc.toolchain.asking import Asking, asking_environment
from fleetcc.toolchain.contents import UnidentifiedError
from fleetcc.toolchain.libraries import is_decisive, libc_release, loader_of, shared_libraries

LOADER = b"/lib/ld.so.1"


def elf(*, wide: bool, order: str, name: bytes = LOADER) -> bytes:
    """An ELF file that has nothing but two program headers and its loader's name."""
    head = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    start, size = (64, 56) if wide else (52, 32)
    at = start + 2 * size
    if wide:
        head += struct.pack(order + "HHIQQQIHHHHHH", 2, 62, 1, 0, start, 0, 0, 64, size, 2, 0, 0, 0)
        rows = [struct.pack(order + "IIQQQQQQ", kind, 4, at, 0, 0, len(name) + 1, 0, 1) for kind in (6, 3)]
    else:
        head += struct.pack(order + "HHIIIIIHHHHHH", 2, 8, 1, 0, start, 0, 0, 52, size, 2, 0, 0, 0)
        rows = [struct.pack(order + "IIIIIIII", kind, at, 0, 0, len(name) + 1, 0, 4, 1) for kind in (6, 3)]
    return head + b"".join(rows) + name + b"\0"


@pytest.mark.parametrize("wide", [True, False], ids=["64", "32"])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_the_loader_of_every_kind_of_elf_program_is_found(tmp_path, wide, order):
    (tmp_path / "program").write_bytes(elf(wide=wide, order=order))
    assert loader_of(os.fsencode(tmp_path / "program")) == LOADER


@pytest.mark.parametrize("length", range(0, 190, 7))
def test_a_cut_file_has_no_loader_or_part_of_its_name(tmp_path, length):
    (tmp_path / "program").write_bytes(elf(wide=True, order="<")[:length])
    assert LOADER.startswith(loader_of(os.fsencode(tmp_path / "program")))


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n" * 10, b"\x7fELF", b"\x7fELF" + b"\xff" * 200])
def test_what_is_no_elf_program_has_no_loader(tmp_path, content):
    (tmp_path / "program").write_bytes(content)
    assert loader_of(os.fsencode(tmp_path / "program")) == b""


@pytest.fixture
def asking(tmp_path):
    return Asking(b"/usr/bin/gcc", asking_environment(os.environb), os.fsencode(tmp_path))


def test_a_real_programs_libraries_are_listed(asking):
    listed = shared_libraries(asking, os.fsencode(os.path.realpath(sys.executable)))
    assert listed
    assert all(os.path.isfile(path) for path in listed)
    assert not any(is_decisive(path) for path in listed if b"libc.so" in path)


def test_a_script_has_no_libraries(asking, tmp_path):
    (tmp_path / "script").write_text("#!/bin/sh\n")
    assert shared_libraries(asking, os.fsencode(tmp_path / "script")) == []


def test_a_loader_that_fails_is_a_reason(asking, tmp_path):
    broken = tmp_path / "program"
    broken.write_bytes(elf(wide=True, order="<", name=b"/bin/false"))
    with pytest.raises(UnidentifiedError, match="cannot be listed"):
        shared_libraries(asking, os.fsencode(broken))


@pytest.mark.parametrize(
    "name",
    ["libLLVM-14.so.1", "libLLVM.so.18.1", "libLLVMCore.so.17", "libclang-cpp.so.14", "libclangBasic.so.17",
     "libisl.so.23", "libmpc.so.3", "libmpfr.so.6", "libgmp.so.10", "libbfd-2.40-system.so",
     "libopcodes-2.40.so", "libctf.so.0", "libsframe.so.0", "libz.so.1", "libzstd.so.1"],
)  # fmt: skip
def test_what_computes_or_writes_an_object_is_decisive(name):
    assert is_decisive(b"/usr/lib/" + name.encode())


@pytest.mark.parametrize(
    "name",
    ["libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "libz3.so.4",
     "libxml2.so.2", "libtinfo.so.6", "libicuuc.so.72", "libmd.so.0"],
)  # fmt: skip
def test_what_the_machine_shares_with_other_programs_is_not(name):
    assert not is_decisive(b"/usr/lib/" + name.encode())


def test_glibcs_release_is_known_without_its_distributions_revision(tmp_path):
    libc = tmp_path / "libc.so.6"
    libc.write_bytes(
        b"\0GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\nCopyright"
    )
    assert libc_release([b"/lib/libm.so.6", os.fsencode(libc)]) == b"2.36"


def test_another_c_library_has_no_release(tmp_path):
    assert libc_release([b"/lib/ld-musl-x86_64.so.1"]) == b""
