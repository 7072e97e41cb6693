"""Each compiler is asked once, however many jobs want to know; the compilers are shell scripts."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from fleetcc.agent import compilers as compilers_module
from fleetcc.agent.compilers import Compilers
from fleetcc.model import Family
from fleetcc.toolchain.identify import UNKNOWN
from fleetcc.toolchain.identity_cache import IdentityCache
from tests.unit.toolchain.fake_compilers import GCC, fake_gcc, path_of, program, times_asked


@pytest.fixture
def compilers():
    with ThreadPoolExecutor(4) as executor:
        yield Compilers(executor, IdentityCache(None))


@pytest.fixture
def gcc(tmp_path):
    return fake_gcc(tmp_path)


@pytest.fixture
def environment(tmp_path):
    return path_of(tmp_path)


async def together(*questions):
    """The answers to questions that are asked in the same moment."""
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(question) for question in questions]
    return [task.result() for task in asked]


async def test_what_a_compiler_is_is_asked_once_for_many_jobs(compilers, gcc, environment, tmp_path):
    found = await together(*(compilers.get(gcc, b"gcc", environment) for _ in range(10)))
    again = await compilers.get(gcc, b"gcc", environment)

    assert {compiler.family for compiler in (*found, again)} == {Family.GCC}
    assert times_asked(tmp_path) == 1


async def test_a_compiler_that_was_replaced_is_asked_again(compilers, gcc, environment, tmp_path):
    await compilers.get(gcc, b"gcc", environment)
    program(tmp_path / "gcc", GCC.replace("12.2.0", "13.1.0"))

    found = await compilers.get(gcc, b"gcc", environment)

    assert found.version == (13, 1, 0)


@pytest.mark.parametrize("name", ["rm", "gcc"])
async def test_what_is_no_compiler_or_not_there_is_not_run(compilers, environment, tmp_path, name):
    assert await compilers.get(bytes(tmp_path / name), name.encode(), environment) is UNKNOWN


async def test_an_identity_is_found_once_for_many_jobs(compilers, gcc, environment, tmp_path):
    digests = await together(*(compilers.identity(gcc, environment) for _ in range(10)))

    assert len(set(digests)) == 1
    assert len(digests[0]) == 64
    assert await compilers.identity(gcc, environment) == digests[0]
    assert times_asked(tmp_path) == 1


async def test_jobs_whose_variables_lead_to_another_compiler_do_not_share_an_answer(
    compilers, gcc, environment, tmp_path
):
    """Even when they ask in the same moment: otherwise one of them would get another compiler's bytes."""
    other = {**environment, b"COMPILER_PATH": bytes(tmp_path / "other")}

    await together(compilers.identity(gcc, environment), compilers.identity(gcc, other))

    assert compilers.identities.lookup(gcc, environment) is not None
    assert compilers.identities.lookup(gcc, other) is not None


async def test_a_compiler_that_is_replaced_in_the_middle_of_a_build_is_noticed_at_the_next_look(
    compilers, gcc, environment, tmp_path, monkeypatch
):
    monkeypatch.setattr(compilers_module, "LOOK_SECONDS", 0.0)
    before = await compilers.identity(gcc, environment)
    program(tmp_path / "lib/cc1", "#!/bin/sh\n# rebuilt\n")

    assert await compilers.identity(gcc, environment) not in {before, None}


async def test_a_compiler_that_cannot_be_identified_has_no_identity(compilers, environment, tmp_path):
    broken = program(tmp_path / "gcc", "#!/bin/sh\nexit 1\n")

    assert await compilers.identity(broken, environment) is None


async def test_a_job_that_is_cancelled_does_not_cancel_the_question_of_the_others(
    compilers, gcc, environment
):
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(compilers.get(gcc, b"gcc", environment))
        second = tasks.create_task(compilers.get(gcc, b"gcc", environment))
        await asyncio.sleep(0)
        first.cancel()

    assert first.cancelled()
    assert second.result().family is Family.GCC
