"""The name of a toolchain, and what cannot be one."""

import hashlib

from fleetcc.toolchain.files import CannotShip, manifest_digest
from fleetcc.toolchain.files_cache import ToolchainCache
from fleetcc.toolchain.files_search import toolchain_files
from fleetcc.wire.files import Directory, Entry, File, Link
from tests.unit.toolchain.fake_compilers import fake_gcc, path_of, times_asked

ENTRIES: dict[bytes, Entry] = {
    b"/bin": Link(b"usr/bin"),
    b"/usr": Directory(),
    b"/usr/bin/gcc": File(b"d" * 32, 10, 5, executable=True),
}


def test_a_manifest_in_another_order_or_of_another_time_has_the_same_digest():
    others = {**dict(reversed(ENTRIES.items())), b"/usr/bin/gcc": File(b"d" * 32, 10, 6, executable=True)}
    assert manifest_digest(others) == manifest_digest(ENTRIES)


def test_whatever_a_compile_could_notice_is_in_the_digest():
    changes: list[dict[bytes, Entry]] = [
        {b"/usr/bin/gcc": File(b"e" * 32, 10, 5, executable=True)},
        {b"/usr/bin/gcc": File(b"d" * 32, 10, 5)},
        {b"/bin": Link(b"/usr/bin")},
        {b"/bin": Directory()},
        {b"/usr/lib": Directory()},
    ]
    digests = {manifest_digest({**ENTRIES, **change}) for change in changes}
    assert len(digests | {manifest_digest(ENTRIES)}) == len(changes) + 1


def test_the_digest_stays_what_it_is():
    written = b"19:fleetcc toolchain 14:/bin4:link7:usr/bin4:/usr9:directory0:12:/usr/bin/gcc7:program32:"
    assert manifest_digest(ENTRIES) == hashlib.sha256(written + b"d" * 32).hexdigest()


def test_a_compiler_that_is_a_script_cannot_be_shipped(tmp_path):
    answer = toolchain_files(fake_gcc(tmp_path), b"gcc", path_of(tmp_path), b"c")
    assert isinstance(answer, CannotShip)


def test_what_is_no_compiler_cannot_be_shipped(tmp_path):
    for program in (b"gcc", b"/usr/bin/make", b"/no/such/gcc"):
        answer = toolchain_files(program, program, path_of(tmp_path), b"c")
        assert isinstance(answer, CannotShip)
        assert repr(program) in answer.reason


def test_a_refusal_is_remembered_until_the_program_changes(tmp_path):
    cache, gcc, variables = ToolchainCache(None), fake_gcc(tmp_path), path_of(tmp_path)
    first = cache.find(gcc, b"gcc", variables, b"c", [], b"/")
    assert isinstance(first, CannotShip)
    assert cache.lookup(gcc, b"gcc", variables, b"c", [b"-O2"], b"/") is first

    with open(gcc, "ab") as file:
        file.write(b"\n")
    assert cache.lookup(gcc, b"gcc", variables, b"c", [], b"/") is None


def test_a_refusal_that_the_command_alone_explains_asks_no_compiler(tmp_path):
    cache, gcc = ToolchainCache(None), fake_gcc(tmp_path)
    answer = cache.find(gcc, b"gcc", path_of(tmp_path), b"c", [b"-fplugin=x.so"], b"/")
    assert isinstance(answer, CannotShip)
    assert times_asked(tmp_path) == 0
