"""Our requests of protocol 3 at Debian's distccd, and at fleetccd: what they make is what is made here."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcc.agent.pump_rule import local_rule
from fleetcc.backends.distcc import StockLink
from fleetcc.backends.link import HostTimeouts, PumpOrder, PumpUnfitError
from fleetcc.backends.pump import PumpFiles, PumpSpoken
from fleetcc.backends.stream import Opener
from fleetcc.command.pumpclient import pump_words
from fleetcc.errors import HostError
from fleetcc.hosts.grammar import parse_host_list
from fleetcc.model import Family, Priority
from fleetcc.scheduling.fleet import HostType
from tests.support.link_events import LinkEvents
from tests.support.pump_client import (
    ENVIRONMENT,
    compile_here,
    left_again,
    links_on_the_way,
    read_files,
    system_directories,
    words,
)
from tests.support.pump_project import project as project  # noqa: PLC0414 - a fixture
from tests.support.servers import start_fleetccd, stopping
from tests.support.stock_distccd import stock_distccd

COMMANDS = {
    "plain C": "gcc -O2 -Iinc -c src/a.c -o x.o",
    "C++": "g++ -O2 -Iinc -c src/k.cc -o x.o",
    "an absolute search directory": "gcc -O2 -I{here}/inc -c src/a.c -o x.o",
    "an absolute source": "gcc -O2 -I{here}/inc -c {here}/src/a.c -o x.o",
    "a system directory of the project": "gcc -O1 -isystem {here}/inc -c src/a.c -o x.o",
    "an included file": "gcc -include inc/d.h -c src/b.c -o x.o",
    "a way up and down": "gcc -c src/up.c -o x.o",
    "links": "gcc -Isrc -c src/link.c -o x.o",
    "assembly": "gcc -O1 -Iinc -S src/a.c -o x.s",
    "clang": "clang -O2 -Iinc -c src/a.c -o x.o",
    "a definition that looks like a source": "gcc -O2 -D other.c -Iinc -c src/a.c -o x.o",
    "dependencies": "gcc -MD -MF x.d -Iinc -c src/a.c -o x.o",
    "dependencies by default": "gcc -MMD -I{here}/inc -c src/a.c -o x.o",
    "dependencies with targets": "gcc -MD -MP -MT one -MQ two$ -Iinc -c src/a.c -o x.o",
    "dependencies for the preprocessor": "gcc -Wp,-MMD,x.d,-DOTHER=x -Iinc -c src/a.c -o x.o",
    "dependencies of clang": "clang -MD -MF x.d -I{here}/inc -c src/a.c -o x.o",
    "an error": "gcc -Iinc -c src/e.c -o x.o",
}
NAMES = ("x.o", "x.s", "x.d")


@pytest.fixture(scope="module", params=["distccd", "fleetccd"])
def host(request, tmp_path_factory) -> Iterator[str]:
    if request.param == "distccd":
        with stock_distccd(2, ENVIRONMENT) as address:
            yield address
        return
    server = start_fleetccd(tmp_path_factory.mktemp("server"), "--jobs", "2")
    with stopping(server):
        yield f"127.0.0.1:{server.port}"


def order(directory: Path, *argv: str) -> PumpOrder:
    """What the agent would send for this command."""
    output = argv[argv.index("-o") + 1].encode()
    family = Family.CLANG if "clang" in argv[0] else Family.GCC
    sent = pump_words([os.fsencode(word) for word in argv], argv[0].encode(), output, family)
    assert sent is not None
    return PumpOrder(sent, os.fsencode(directory), files(directory, *argv).entries())


def files(directory: Path, *argv: str) -> PumpFiles:
    found = PumpFiles()
    names = read_files(directory, *argv)
    for path in system_directories(directory, argv[0]):
        found.add_system_directory(path.encode())
    for name in names:
        spelled = os.path.join(directory, name)
        for path, target in links_on_the_way(spelled):
            found.add_link(path.encode(), target.encode())
        for path in left_again(spelled):
            found.add_directory(path.encode())
        real = os.path.realpath(spelled)
        absolute = names[0].startswith("/") or name.startswith("/")
        found.add_file(real.encode(), Path(real).read_bytes(), spelled.encode() if absolute else None)
    return found


def new_link(host: str, events: LinkEvents, tasks: asyncio.TaskGroup) -> StockLink:
    (spec,) = parse_host_list(f"{host},lzo,cpp", "test").hosts
    return StockLink("red", spec, Opener(), HostTimeouts(5.0, 20.0, ("ssh",)), events, tasks)


async def run(host: str, wanted: PumpOrder, events: LinkEvents | None = None) -> PumpSpoken | HostError:
    events = events or LinkEvents()
    async with asyncio.TaskGroup() as tasks:
        link = new_link(host, events, tasks)
        link.demand(1, Priority.NORMAL)
        await events.next("granted")
        link.send(7, wanted)
        await events.until(lambda: events.of("finished") or events.of("failed"))
        link.close()
    found: PumpSpoken | HostError = (events.of("finished") or events.of("failed"))[0][2]
    return found


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
async def test_what_comes_back_is_what_is_made_here(host, project, command):
    argv = command.format(here=project).split()
    here = compile_here(project, *argv, names=NAMES)
    there = await run(host, order(project, *argv))
    assert isinstance(there, PumpSpoken), there
    assert (there.status >> 8, there.stderr) == (here.status, here.stderr)
    assert there.output == here.files.get("x.s", here.files.get("x.o", b""))
    if "x.d" in here.files:  # distccd always sends one
        assert words(there.dependencies) == words(here.files["x.d"])
        rule = local_rule(there.dependencies, Family.CLANG if "clang" in argv[0] else Family.GCC)
        assert rule == (None if "$" in command else here.files["x.d"])


async def test_a_stock_hosts_own_folder_in_an_object_is_noticed(project):
    argv = ["gcc", "-g", "-Iinc", "-c", "src/a.c", "-o", "x.o"]
    with stock_distccd(1) as host:
        there = await run(host, order(project, *argv))
    assert isinstance(there, PumpUnfitError)


async def test_a_host_that_closes_gets_no_more_files_unless_it_has_done_some(project):
    wanted = order(project, "gcc", "-Iinc", "-c", "src/a.c", "-o", "x.o")
    refused = PumpOrder((*wanted.argv, b"second.c"), wanted.cwd, wanted.files)
    events = LinkEvents()
    with stock_distccd(1) as host:
        there = await run(host, refused, events)
    assert isinstance(there, PumpUnfitError)
    ((_, facts, _, _),) = events.of("up")
    assert (facts.type, facts.takes_pump) == (HostType.STOCK, False)


async def test_one_job_that_is_refused_says_nothing_of_the_others(project):
    wanted = order(project, "gcc", "-Iinc", "-c", "src/a.c", "-o", "x.o")
    refused = PumpOrder((*wanted.argv, b"second.c"), wanted.cwd, wanted.files)
    events = LinkEvents()
    with stock_distccd(1) as host:
        async with asyncio.TaskGroup() as tasks:
            link = new_link(host, events, tasks)
            for number, each in enumerate((wanted, refused), 1):
                link.demand(1, Priority.NORMAL)
                await events.next("granted", number)
                link.send(number, each)
                await events.until(lambda: events.of("failed") or len(events.of("finished")) == 1)
            await events.until(lambda: events.of("failed"))
            link.close()
    assert isinstance(events.of("failed")[0][2], PumpUnfitError)
    assert link.facts.takes_pump
    assert events.of("up") == []
