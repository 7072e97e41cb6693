"""What makes two compilers the same, and what does not."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from fleetcc.toolchain import asking
from fleetcc.toolchain.contents import ABSENT, Contents
from fleetcc.toolchain.identity import (
    WRAPPERS,
    Identity,
    Unidentified,
    compute_identity,
    digest_of,
    examine,
)
from tests.unit.toolchain.fake_compilers import (
    CLANG,
    GCC,
    STATIC_GCC,
    fake_clang,
    fake_gcc,
    path_of,
    program,
)


def identity(path: bytes, folder: Path) -> Identity:
    found = examine(path, path_of(folder), Contents())
    assert isinstance(found, Identity), found
    return found


def digest(path: bytes, folder: Path) -> str:
    return identity(path, folder).digest


def reason(path: bytes, folder: Path) -> str:
    found = examine(path, path_of(folder), Contents())
    assert isinstance(found, Unidentified)
    assert compute_identity(path, path_of(folder)) is None
    return found.reason


@pytest.fixture
def gcc(tmp_path):
    return fake_gcc(tmp_path)


def test_a_compiler_is_the_same_under_all_names_of_its_file(gcc, tmp_path):
    names = ["cc", "gcc-12", "x86_64-linux-gnu-gcc-12"]
    for name in names:
        (tmp_path / name).symlink_to("gcc")
    os.link(gcc, tmp_path / "x86_64-redhat-linux-gcc")

    expected = digest(gcc, tmp_path)

    for name in [*names, "x86_64-redhat-linux-gcc"]:
        assert digest(os.fsencode(tmp_path / name), tmp_path) == expected


def test_the_same_files_in_another_folder_are_the_same_compiler(gcc, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    assert digest(fake_gcc(other), other) == digest(gcc, tmp_path)


@pytest.mark.parametrize("changed", ["gcc", "lib/cc1", "lib/cc1plus", "as"])
def test_a_changed_file_is_another_compiler(gcc, tmp_path, changed):
    before = identity(gcc, tmp_path)

    with (tmp_path / changed).open("a") as file:
        file.write("# rebuilt\n")

    assert not before.is_current(path_of(tmp_path))
    assert digest(gcc, tmp_path) != before.digest


@pytest.mark.parametrize("missing", ["lib/cc1", "lib/cc1plus", "as"])
def test_a_part_that_is_not_there_makes_a_difference(gcc, tmp_path, missing):
    before = identity(gcc, tmp_path)

    (tmp_path / missing).unlink()

    assert not before.is_current(path_of(tmp_path))
    assert digest(gcc, tmp_path) != before.digest


@pytest.mark.parametrize("later", ["lib/cc1plus", "as"])
def test_a_part_that_appears_later_is_noticed(gcc, tmp_path, later):
    (tmp_path / later).rename(tmp_path / "away")
    before = identity(gcc, tmp_path)
    assert before.is_current(path_of(tmp_path))

    (tmp_path / "away").rename(tmp_path / later)

    assert not before.is_current(path_of(tmp_path))


def test_specs_that_appear_later_are_noticed(gcc, tmp_path):
    before = identity(gcc, tmp_path)
    assert (os.fsencode(tmp_path / "lib/specs"), ABSENT) in before.files

    (tmp_path / "lib/specs").write_text("%rename")

    assert not before.is_current(path_of(tmp_path))


def test_a_touched_file_is_still_the_same_compiler(gcc, tmp_path):
    before = identity(gcc, tmp_path)

    os.utime(tmp_path / "lib/cc1", ns=(1, 1))

    assert not before.is_current(path_of(tmp_path))
    assert digest(gcc, tmp_path) == before.digest


def test_another_assembler_that_comes_first_on_path_is_noticed(gcc, tmp_path):
    before = identity(gcc, tmp_path)
    program(tmp_path / "first/as", "#!/bin/sh\n")

    elsewhere = path_of(tmp_path / "first", tmp_path)

    assert not before.is_current(elsewhere)
    other = examine(gcc, elsewhere, Contents())
    assert isinstance(other, Identity)
    assert other.digest != before.digest


def test_the_kind_of_driver_makes_a_difference_even_for_one_file(tmp_path):
    clang = fake_clang(tmp_path)
    (tmp_path / "clang++").symlink_to("clang")

    assert digest(clang, tmp_path) != digest(clang + b"++", tmp_path)


def test_the_clang_behind_a_script_goes_in(tmp_path):
    clang = fake_clang(tmp_path)
    before = digest(clang, tmp_path)

    program(tmp_path / "lib/clang", "#!/bin/sh\n# rebuilt\n")

    assert digest(clang, tmp_path) != before


def test_what_specs_hold_goes_in(tmp_path):
    says = GCC.replace("COLLECT_GCC=%s", "Reading specs from %s.specs")
    gcc = program(Path(os.fsdecode(fake_gcc(tmp_path))), says)
    (tmp_path / "gcc.specs").write_text("one")
    before = digest(gcc, tmp_path)

    (tmp_path / "gcc.specs").write_text("two")

    assert digest(gcc, tmp_path) != before


@pytest.mark.parametrize(
    ("said", "same"), [("#define A 1", True), ("#define A 2", False)], ids=["order", "macro"]
)
def test_macros_go_in_whatever_their_order(tmp_path, said, same):
    macros = tmp_path / "macros"
    macros.write_text("#define A 1\n#define B 1\n")
    fake_clang(tmp_path)
    clang = program(tmp_path / "clang", CLANG.replace("printf '#define A 1\\n'", f"/bin/cat {macros}"))
    before = digest(clang, tmp_path)

    macros.write_text(f"#define B 1\n{said}\n")

    assert (digest(clang, tmp_path) == before) is same


def test_a_compiler_that_understands_few_questions_has_an_identity_and_leaves_nothing_behind(
    tmp_path, monkeypatch
):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    gcc = program(tmp_path / "gcc", STATIC_GCC)

    assert digest(gcc, tmp_path)
    assert os.listdir(folder) == []


def test_only_names_of_compilers_are_run(tmp_path):
    ran = tmp_path / "ran"
    build = program(tmp_path / "build.sh", f"#!/bin/sh\ntouch {ran}\n")

    assert "not the name of a gcc or clang driver" in reason(build, tmp_path)
    assert not ran.exists()


def test_a_relative_path_is_no_compiler(tmp_path):
    assert "absolute path" in reason(b"gcc", tmp_path)


@pytest.mark.parametrize("wrapper", sorted(os.fsdecode(name) for name in WRAPPERS))
def test_a_link_to_a_wrapper_is_no_compiler(tmp_path, wrapper):
    program(tmp_path / wrapper, GCC)
    (tmp_path / "gcc").symlink_to(wrapper)

    assert "which is no compiler" in reason(os.fsencode(tmp_path / "gcc"), tmp_path)


def test_something_else_under_the_name_of_a_compiler_is_none(tmp_path):
    assert "neither gcc nor clang" in reason(program(tmp_path / "gcc", "#!/bin/sh\necho hello\n"), tmp_path)


def test_a_compiler_that_is_not_there_has_no_identity(tmp_path):
    assert "No such file" in reason(os.fsencode(tmp_path / "gcc"), tmp_path)


def test_a_compiler_that_cannot_be_run_has_no_identity(tmp_path):
    gcc = program(tmp_path / "gcc", "#!/no/such/interpreter\n")
    assert "cannot be run" in reason(gcc, tmp_path)


def test_a_compiler_that_does_not_answer_has_no_identity(tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "ASK_TIMEOUT_SECONDS", 0.1)
    gcc = program(tmp_path / "gcc", "#!/bin/sh\n/bin/sleep 100\n")  # a child that holds the pipe

    assert "did not end within" in reason(gcc, tmp_path)


def test_a_compiler_that_is_killed_has_no_identity(tmp_path):
    assert "killed by signal 9" in reason(program(tmp_path / "gcc", "#!/bin/sh\nkill -9 $$\n"), tmp_path)


def test_a_cc1_that_fails_just_now_is_not_recorded_as_absent(gcc, tmp_path):
    program(tmp_path / "gcc", GCC.replace("*-dM*c++*)", "*-dM*c++*) exit 1;;\nnever)"))
    assert "does not preprocess" in reason(gcc, tmp_path)


def test_a_compiler_that_changes_while_it_is_examined_is_worth_asking_again_at_once(gcc, tmp_path):
    program(tmp_path / "gcc", GCC.replace("-v)", '-v) echo "# more" >> "$here/lib/cc1plus";')
            .replace("*-dM*c++*)", '*-dM*c++*) echo "# more" >> "$here/lib/cc1plus";'))  # fmt: skip
    found = examine(gcc, path_of(tmp_path), Contents())
    assert isinstance(found, Unidentified)
    assert "changed while it was examined" in found.reason
    assert found.retry_seconds == 0


def test_two_lists_of_parts_never_look_the_same():
    assert digest_of([(b"a", b"b")]) != digest_of([(b"ab", b"")]) != digest_of([(b"a", b"b"), (b"", b"")])
    assert digest_of([(b"a", b"1:b")]) != digest_of([(b"a", b""), (b"b", b"")])


def test_the_form_that_is_digested_is_as_documented():
    assert digest_of([(b"kind", b"c")]) == (
        hashlib.sha256(b"27:fleetcc compiler identity 14:kind1:c").hexdigest()
    )


def test_the_temporary_folder_is_gone(gcc, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    assert digest(gcc, tmp_path)
    assert os.listdir(temporary) == []


def test_without_a_temporary_folder_there_is_a_reason(gcc, tmp_path):
    environment = {**path_of(tmp_path), b"TMPDIR": os.fsencode(tmp_path / "nowhere")}
    found = examine(gcc, environment, Contents())
    assert isinstance(found, Unidentified)
    assert "nowhere" in found.reason


def test_a_copied_tree_keeps_its_identity(gcc, tmp_path):
    shutil.copytree(tmp_path, tmp_path / "copy", ignore=shutil.ignore_patterns("copy"))
    assert digest(os.fsencode(tmp_path / "copy/gcc"), tmp_path / "copy") == digest(gcc, tmp_path)
