"""What is remembered of compilers, for how long, and by whom."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fleetcc.toolchain import identity_cache
from fleetcc.toolchain.identity_cache import IdentityCache
from tests.unit.toolchain.fake_compilers import GCC, fake_gcc, path_of, program, times_asked


@pytest.fixture
def gcc(tmp_path):
    return fake_gcc(tmp_path)


@pytest.fixture
def environment(tmp_path):
    return path_of(tmp_path)


@pytest.fixture
def file(tmp_path):
    return str(tmp_path / "identities")


def test_a_compiler_is_examined_once(gcc, environment, tmp_path):
    cache = IdentityCache(None)
    assert cache.lookup(gcc, environment) is None

    found = cache.find(gcc, environment)

    assert found is not None
    assert cache.lookup(gcc, environment) is cache.find(gcc, environment) is found
    assert times_asked(tmp_path) == 1


def test_a_changed_compiler_is_examined_again(gcc, environment, tmp_path):
    cache = IdentityCache(None)
    before = cache.find(gcc, environment)
    program(tmp_path / "lib/cc1", "#!/bin/sh\n# rebuilt\n")

    assert cache.lookup(gcc, environment) is None
    after = cache.find(gcc, environment)

    assert before is not None
    assert after is not None
    assert after.digest != before.digest


def test_another_compiler_path_is_another_compiler(gcc, environment, tmp_path):
    cache = IdentityCache(None)
    cache.find(gcc, environment)

    assert cache.lookup(gcc, {**environment, b"COMPILER_PATH": b"/opt"}) is None
    assert cache.lookup(gcc, {**environment, b"LANG": b"de_DE"}) is not None


def test_it_is_remembered_over_a_restart(gcc, environment, file, tmp_path):
    found = IdentityCache(file).find(gcc, environment)

    assert IdentityCache(file).lookup(gcc, environment) == found
    assert times_asked(tmp_path) == 1


def test_what_changed_between_two_runs_is_noticed(gcc, environment, file, tmp_path):
    IdentityCache(file).find(gcc, environment)
    os.utime(tmp_path / "as")

    assert IdentityCache(file).lookup(gcc, environment) is None


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"\x00" * 100, b"\x82\xa6scheme\xa1x\xa7entries\x90", b"\x93" * 10_000]
)
def test_a_file_that_means_nothing_is_an_empty_one(gcc, environment, file, content):
    with open(file, "wb") as stream:
        stream.write(content)

    cache = IdentityCache(file)

    assert cache.lookup(gcc, environment) is None
    assert cache.find(gcc, environment) is not None
    assert IdentityCache(file).lookup(gcc, environment) is not None


def test_identities_of_another_scheme_are_not_used(gcc, environment, file, monkeypatch):
    IdentityCache(file).find(gcc, environment)
    monkeypatch.setattr(identity_cache, "SCHEME", "fleetcc compiler identity 2")

    assert IdentityCache(file).lookup(gcc, environment) is None


@pytest.mark.parametrize("path", ["no/such/folder/identities", "."])
def test_a_file_that_cannot_be_written_does_no_harm(gcc, environment, tmp_path, path):
    cache = IdentityCache(str(tmp_path / path))

    assert cache.find(gcc, environment) is not None
    assert cache.lookup(gcc, environment) is not None


def test_one_process_uses_what_another_has_found_meanwhile(gcc, environment, file, tmp_path):
    ours, other = IdentityCache(file), IdentityCache(file)
    found = other.find(gcc, environment)

    assert ours.find(gcc, environment) == found
    assert times_asked(tmp_path) == 1


def test_two_processes_keep_what_each_other_wrote(environment, file, tmp_path):
    compilers = [fake_gcc(tmp_path / name) for name in "ab"]
    for compiler, cache in zip(compilers, [IdentityCache(file), IdentityCache(file)], strict=True):
        cache.find(compiler, environment)

    restarted = IdentityCache(file)
    assert all(restarted.lookup(compiler, environment) for compiler in compilers)
    assert [name for name in os.listdir(tmp_path) if name.startswith("identities")] == ["identities"]


def test_many_threads_and_two_caches_share_one_file(environment, file, tmp_path):
    compilers = [fake_gcc(tmp_path / str(number)) for number in range(3)]
    caches = [IdentityCache(file), IdentityCache(file)]
    with ThreadPoolExecutor(12) as pool:
        found = list(
            pool.map(lambda number: caches[number % 2].find(compilers[number % 3], environment), range(24))
        )

    assert all(found)
    assert all(times_asked(tmp_path / str(number)) <= 2 for number in range(3))
    assert any(IdentityCache(file).lookup(compiler, environment) for compiler in compilers)


def test_no_more_than_the_newest_are_kept(environment, file, tmp_path, monkeypatch):
    monkeypatch.setattr(identity_cache, "MAX_ENTRIES", 2)
    compilers = [fake_gcc(tmp_path / name) for name in "abc"]
    cache = IdentityCache(file)
    for compiler in compilers:
        cache.find(compiler, environment)

    for known in (cache, IdentityCache(file)):
        assert [known.lookup(compiler, environment) is not None for compiler in compilers] == [
            False,
            True,
            True,
        ]


def test_what_is_no_compiler_is_asked_once_and_says_why(environment, tmp_path):
    no_compiler = program(tmp_path / "gcc", '#!/bin/sh\necho asked >> "${0%/*}/asked"\n')
    cache = IdentityCache(None)
    assert cache.reason(no_compiler, environment) is None

    assert cache.find(no_compiler, environment) is cache.find(no_compiler, environment) is None

    assert times_asked(tmp_path) == 1
    assert "neither gcc nor clang" in (cache.reason(no_compiler, environment) or "")


def test_another_file_under_the_name_is_asked_again(environment, tmp_path):
    no_compiler = program(tmp_path / "gcc", "#!/bin/sh\n")
    cache = IdentityCache(None)
    assert cache.find(no_compiler, environment) is None

    assert cache.find(fake_gcc(tmp_path), environment) is not None
    assert cache.reason(no_compiler, environment) is None


def test_a_failure_of_the_moment_is_forgotten_after_a_while(environment, tmp_path, monkeypatch):
    gcc = fake_gcc(tmp_path)
    trouble = tmp_path / "trouble"
    trouble.touch()
    program(tmp_path / "gcc", GCC.replace("*-dM*c++*)", f"*-dM*c++*) [ -e {trouble} ] && exit 1;"))
    cache, now = IdentityCache(None), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert cache.find(gcc, environment) is None

    trouble.unlink()
    assert cache.find(gcc, environment) is None
    now[0] += 61
    assert cache.find(gcc, environment) is not None
