"""Which compilers a server offers, and what it notices."""

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from fleetcc.server import compilers
from fleetcc.server.compilers import CompilerRules
from fleetcc.server.identities import Identities
from fleetcc.toolchain.identity_cache import IdentityCache
from tests.unit.toolchain.fake_compilers import GCC, fake_clang, fake_gcc, program, times_asked


@pytest.fixture(autouse=True)
def _no_masquerade(tmp_path, monkeypatch):
    monkeypatch.setattr(compilers, "MASQUERADE_DIRECTORIES", (os.fsencode(tmp_path / "masquerade"),))


@pytest.fixture
def changes():
    """How often the server was told that something changed."""
    return []


@pytest.fixture
def new_identities(tmp_path, changes):
    with ThreadPoolExecutor(1) as pool:

        def new(*folders, cache=None, **rules):
            path = b":".join(os.fsencode(tmp_path / folder) for folder in folders or ("bin",))
            changed = lambda: changes.append(len(changes))  # noqa: E731
            known, allowed = cache or IdentityCache(None), CompilerRules(path=path, **rules)
            return Identities(known, allowed, pool, changed, str(tmp_path))

        yield new


@pytest.fixture
def gcc(tmp_path):
    return fake_gcc(tmp_path / "bin")


async def test_nothing_is_offered_before_the_first_look(gcc, new_identities):
    identities = new_identities()
    assert identities.advertised() == ()
    assert identities.program("0" * 64) is None


async def test_every_compiler_on_path_is_offered_once(gcc, new_identities, tmp_path, changes):
    for name in ("cc", "gcc-12", "x86_64-linux-gnu-gcc-12"):
        (tmp_path / "bin" / name).symlink_to("gcc")
    clang = fake_clang(tmp_path / "llvm")
    program(tmp_path / "bin/gcc-ar", "#!/bin/sh\n")
    identities = new_identities("bin", "llvm", "absent")

    await identities.check()

    assert [identities.program(digest) for digest in identities.advertised()] == [gcc, clang]
    assert times_asked(tmp_path / "bin") == 1
    assert len(changes) == 2


async def test_both_kinds_of_driver_are_offered_for_one_file(new_identities, tmp_path):
    fake_clang(tmp_path / "bin")
    (tmp_path / "bin/clang++").symlink_to("clang")
    identities = new_identities()

    await identities.check()

    offered = [identities.program(digest) for digest in identities.advertised()]
    assert [os.path.basename(path or b"") for path in offered] == [b"clang", b"clang++"]


async def test_a_look_at_what_is_the_same_examines_and_tells_nothing(gcc, new_identities, tmp_path, changes):
    identities = new_identities()
    await identities.check()
    before = identities.advertised()

    await identities.check()

    assert identities.advertised() == before
    assert (times_asked(tmp_path / "bin"), len(changes)) == (1, 1)


async def test_a_compiler_that_is_installed_later_is_offered(gcc, new_identities, tmp_path, changes):
    identities = new_identities("bin", "later")
    await identities.check()
    clang = fake_clang(tmp_path / "later")

    await identities.check()

    assert [identities.program(digest) for digest in identities.advertised()] == [gcc, clang]
    assert len(changes) == 2


async def test_a_compiler_that_goes_is_no_longer_offered(gcc, new_identities, changes):
    identities = new_identities()
    await identities.check()
    (digest,) = identities.advertised()
    os.unlink(gcc)

    assert identities.program(digest) is None
    await identities.check()

    assert identities.advertised() == ()
    assert len(changes) == 2


async def test_a_changed_compiler_runs_nothing_until_it_was_examined(gcc, new_identities, tmp_path):
    identities = new_identities()
    await identities.check()
    (before,) = identities.advertised()
    program(tmp_path / "bin/lib/cc1", "#!/bin/sh\n# rebuilt\n")

    assert identities.program(before) is None
    await identities.check()

    (after,) = identities.advertised()
    assert after != before
    assert (identities.program(before), identities.program(after)) == (None, gcc)


async def test_a_job_for_a_changed_compiler_starts_the_next_look_at_once(gcc, new_identities, tmp_path):
    identities = new_identities()
    looked = asyncio.Event()
    identities.changed = looked.set
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(identities.run())
        await looked.wait()
        looked.clear()
        program(tmp_path / "bin/lib/cc1", "#!/bin/sh\n# rebuilt\n")
        assert identities.program(identities.advertised()[0]) is None
        await looked.wait()
        running.cancel()
    assert identities.program(identities.advertised()[0]) == gcc


async def test_a_compiler_that_another_directory_hides_is_offered_too(gcc, new_identities, tmp_path):
    hidden = fake_gcc(tmp_path / "other")
    program(tmp_path / "other/lib/cc1", "#!/bin/sh\n# another\n")
    identities = new_identities("bin", "other")

    await identities.check()

    assert [identities.program(digest) for digest in identities.advertised()] == [gcc, hidden]


@pytest.mark.parametrize("wrapper", ["distcc", "ccache"])
async def test_links_to_wrappers_are_not_offered(gcc, new_identities, tmp_path, wrapper):
    program(tmp_path / "first" / wrapper, GCC)
    (tmp_path / "first/gcc").symlink_to(wrapper)
    identities = new_identities("first", "bin")

    await identities.check()

    assert [identities.program(digest) for digest in identities.advertised()] == [gcc]


async def test_only_the_listed_compilers_are_offered_where_there_is_a_list(gcc, new_identities, tmp_path):
    listed = fake_clang(tmp_path / "opt")
    listing = tmp_path / "list"
    listing.write_bytes(listed + b"\nrelative/gcc\n/bin/sh\n/no/such/gcc\n")
    identities = new_identities(command_list=str(listing))

    await identities.check()
    assert [identities.program(digest) for digest in identities.advertised()] == [listed]

    listing.write_bytes(gcc)
    await identities.check()
    assert [identities.program(digest) for digest in identities.advertised()] == [gcc]


async def test_a_list_that_cannot_be_read_offers_nothing(gcc, new_identities, tmp_path):
    identities = new_identities(command_list=str(tmp_path / "absent"))
    await identities.check()
    assert identities.advertised() == ()


async def test_a_restarted_server_offers_without_asking(gcc, new_identities, tmp_path):
    await new_identities(cache=IdentityCache(str(tmp_path / "identities"))).check()
    restarted = new_identities(cache=IdentityCache(str(tmp_path / "identities")))

    await restarted.check()

    assert len(restarted.advertised()) == 1
    assert times_asked(tmp_path / "bin") == 1


async def test_why_a_compiler_is_not_offered_is_logged_once(new_identities, tmp_path, caplog):
    program(tmp_path / "bin/gcc", "#!/bin/sh\n")
    identities = new_identities()
    with caplog.at_level(logging.INFO, "fleetcc.server.identities"):
        await identities.check()
        await identities.check()

    assert caplog.text.count("neither gcc nor clang") == 1


async def test_compilers_are_asked_in_a_folder_of_the_server_which_is_removed(
    new_identities, tmp_path, monkeypatch
):
    monkeypatch.setenv("TMPDIR", "/nowhere")
    (tmp_path / "here").mkdir()
    fake_gcc(tmp_path / "bin")
    driver = tmp_path / "bin/gcc"
    driver.write_text(driver.read_text().replace("-v)", f"-v)\n    pwd > {tmp_path}/asked_in"))
    identities = new_identities()
    identities.folder = str(tmp_path / "here")

    await identities.check()

    assert len(identities.advertised()) == 1
    assert (tmp_path / "asked_in").read_text().startswith(f"{tmp_path}/here/fleetcc-")
    assert os.listdir(tmp_path / "here") == []
