"""Single compiles as files, on a server that has no compiler: every byte is the plain compiler's."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.replica_cases import LINES, LINKS, SOURCES
from tests.support.fleet import Client, installed
from tests.support.replica import BUILDERS, Place, helper, replica_place
from tests.support.seeing import compare, parse_line

__all__ = ["helper", "installed"]  # fixtures

MADE_ONCE = (
    "g++ -O1 -x c++-header pch.hpp -o pre/pch.hpp.gch",
    "gcc cpch.h -o pre/cpch.h.gch",
    "clang++ -x c++-header pch.hpp -o pre/clang.pch",
)


def write_project(client: Client) -> None:
    """The sources, links, precompiled headers, and outputs that nobody may write."""
    for name, text in SOURCES.items():
        client.write(name, text)
    for name, target in LINKS.items():
        (client.work / name).symlink_to(target)
    client.write("pre/pch.hpp", SOURCES["pch.hpp"])
    client.write("pre/cpch.h", SOURCES["cpch.h"])
    for line in MADE_ONCE:
        if shutil.which(line.split()[0]) is not None:
            assert client.plain(*line.split()).spoken == (0, b"", b"")
    for name in ("ro.o", "ro.d"):
        (client.work / name).chmod(0o444)


# The whole table for one user, a part of it for the other.
TABLE = [(user, line) for user, step in zip(BUILDERS, (1, 4), strict=False) for line in LINES[::step]]


class Places:
    """One server and agent for each user's whole table, made when the first line needs it."""

    def __init__(self, installed: Path, helper: Path) -> None:
        self._made = ExitStack()
        self._arguments = (installed, helper)
        self._places: dict[int, Place] = {}

    def of(self, user: int) -> Place:
        if user not in self._places:
            place = self._made.enter_context(replica_place(*self._arguments, user))
            place.add_server()
            write_project(place.client)
            self._places[user] = place
        return self._places[user]

    def close(self) -> None:
        self._made.close()


@pytest.fixture(scope="module")
def places(installed: Path, helper: Path) -> Iterator[Places]:
    made = Places(installed, helper)
    yield made
    made.close()


@pytest.mark.parametrize(("user", "line"), TABLE)
def test_a_compile_leaves_what_it_leaves_here(user: int, line: str, places: Places) -> None:
    everybody = places.of(user)
    compiler = parse_line(line, everybody.client.work).argv[0]
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    plain, through = compare(everybody.client, line)

    assert through == plain
    assert everybody.client.last_reason == "remote"


@pytest.mark.parametrize("user", BUILDERS)
@pytest.mark.parametrize("line", ["gcc -c b.c -o ro.o", "clang -c b.c -o ro.o"])
def test_an_output_that_may_not_be_written_is_the_compilers_business(
    user: int, line: str, places: Places
) -> None:
    everybody = places.of(user)
    plain, through = compare(everybody.client, line)

    assert through == plain
    reason = "output-unwritable" if everybody.client.user else "remote"  # root may write it
    assert everybody.client.last_reason == reason
