"""What compilers say of themselves, and the names servers are asked for."""

import os

import pytest

from fleetcc.model import Family
from fleetcc.toolchain.identify import identify, looks_like_a_compiler, understand

GCC_SAYS = b"Using built-in specs.\nTarget: x86_64-linux-gnu\ngcc version 12.2.0 (Debian 12.2.0-14)\n"
CLANG_SAYS = b"Debian clang version 14.0.6\nTarget: x86_64-pc-linux-gnu\nThread model: posix\n"


def test_gcc_is_known_by_its_answer():
    assert understand(GCC_SAYS) == (Family.GCC, (12, 2, 0), b"x86_64-linux-gnu")


def test_clang_is_known_by_its_answer():
    assert understand(CLANG_SAYS) == (Family.CLANG, (14, 0, 6), b"x86_64-pc-linux-gnu")


def test_anything_else_is_unknown():
    assert understand(b"hello")[0] is Family.UNKNOWN


@pytest.mark.parametrize("name", [b"/bin/sh", b"./build.sh", b"nvcc", b"gcc-ar-12", b"ccache", b"rm"])
def test_programs_that_are_not_compilers_by_name_are_never_run(name):
    assert not looks_like_a_compiler(name)


def test_a_program_that_only_has_the_name_is_unknown(tmp_path):
    fake = tmp_path / "gcc"
    fake.write_text("#!/bin/sh\necho no compiler\n")
    fake.chmod(0o755)

    assert identify(os.fsencode(fake), b"gcc", os.environb).family is Family.UNKNOWN


@pytest.fixture
def links(tmp_path):
    """A bin directory as Debian lays it out: cc -> gcc -> gcc-12 -> x86_64-linux-gnu-gcc-12."""
    real = tmp_path / "x86_64-linux-gnu-gcc-12"
    real.write_bytes(b"#!/bin/sh\nprintf 'Target: x86_64-linux-gnu\\ngcc version 12.2.0\\n' >&2\n")
    real.chmod(0o755)
    for link, target in (("gcc-12", real.name), ("gcc", "gcc-12"), ("cc", "gcc")):
        (tmp_path / link).symlink_to(target)
    return tmp_path


def test_the_most_exact_name_of_the_same_file_is_asked_for(links, monkeypatch):
    monkeypatch.setattr("fleetcc.toolchain.identify.STANDARD_DIRECTORIES", (os.fsencode(links),))

    for typed in (b"cc", b"gcc", b"gcc-12"):
        compiler = identify(os.path.join(os.fsencode(links), typed), typed, os.environb)
        assert compiler.remote_name == b"x86_64-linux-gnu-gcc-12"


def test_a_compiler_typed_with_its_path_outside_the_standard_directories_has_no_name_elsewhere(links):
    program = os.fsencode(links / "gcc")

    assert identify(program, program, os.environb).remote_name is None


def test_a_compiler_found_on_path_outside_the_standard_directories_keeps_its_name(links):
    assert identify(os.fsencode(links / "gcc"), b"gcc", os.environb).remote_name == b"gcc"
