"""Local slots: what runs here at once, seen through the real launcher and agent."""

from collections.abc import Iterator

import pytest

from tests.support.blocking_gcc import blocking_gcc, compile_together, end_all, started
from tests.support.fleet import Client, client, eventually, installed
from tests.support.scripted_server import ScriptedServer, compile_honestly

__all__ = ["client", "installed"]  # fixtures


@pytest.fixture
def hosts() -> Iterator[list[ScriptedServer]]:
    """Two hosts that do their work."""
    with ScriptedServer(compile_honestly) as one, ScriptedServer(compile_honestly, "127.0.0.2") as two:
        yield [one, two]


@pytest.mark.parametrize(
    ("variables", "limit"),
    [
        ({"FLEETCC_HOSTS": "--localslots=1"}, 1),
        ({"FLEETCC_HOSTS": "--localslots=3"}, 3),
        ({"FLEETCC_HOSTS": "--localslots=3", "FLEETCC_LOCAL_SLOTS": "2"}, 2),
    ],
)
def test_local_compilers_keep_within_the_local_slots(
    client: Client, variables: dict[str, str], limit: int
) -> None:
    client.environment |= variables
    with blocking_gcc(client) as lock:
        running = compile_together(client, 5)
        for ended in range(5):
            left = 5 - ended
            eventually(lambda ended=ended: started(client) == min(5, ended + limit))  # type: ignore[misc]
            wanted = (min(limit, left), max(0, left - limit))
            eventually(lambda wanted=wanted: local_counts(client, "compiling") == wanted)  # type: ignore[misc]
            lock.let_go()
        end_all(running)


def local_counts(client: Client, use: str) -> tuple[int, int]:
    local = client.status()["local"]
    return local[use], local["waiting"]


def test_preprocessors_keep_within_their_slots(client: Client, hosts: list[ScriptedServer]) -> None:
    client.environment["FLEETCC_HOSTS"] = f"--localslots_cpp=2 {hosts[0].host}/10"
    with blocking_gcc(client) as lock:
        (client.root / "tools" / "block-E").touch()
        running = compile_together(client, 5)
        eventually(lambda: started(client) == 2)
        eventually(lambda: local_counts(client, "preprocessing") == (2, 3))
        assert hosts[0].visits == []
        lock.let_go(5)
        end_all(running)
    assert client.idle_status()["by_reason"] == {"remote": 5}


def test_a_killed_local_compile_gives_its_slot_back(client: Client) -> None:
    client.environment["FLEETCC_HOSTS"] = "--localslots=1"
    with blocking_gcc(client) as lock:
        running = compile_together(client, 2)
        eventually(lambda: started(client) == 1)
        eventually(lambda: local_counts(client, "compiling") == (1, 1))
        victim = next(job for job in client.status()["jobs"] if job["state"] == "compiling")["label"]
        for process in running:
            if process.args[-1] == victim:
                process.kill()
        eventually(lambda: started(client) == 2)
        lock.let_go(2)
        codes = []
        for process in running:
            with process:
                process.communicate(timeout=30)
            codes.append(process.returncode)
    assert sorted(codes) == [-9, 0]


def test_questions_to_the_compiler_need_no_slot(client: Client) -> None:
    client.environment["FLEETCC_HOSTS"] = "--localslots=1"
    with blocking_gcc(client) as lock:
        running = compile_together(client, 1)
        eventually(lambda: started(client) == 1)
        assert client.run("/usr/bin/gcc", "-dumpversion").status == 0
        lock.let_go()
        end_all(running)
