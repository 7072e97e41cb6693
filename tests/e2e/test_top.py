"""`fleetcc top` on a terminal, over real agents."""

from pathlib import Path

from fleetcc.errors import ExitCode
from tests.support.fleet import Client, client, installed, objects_made_by, write_project
from tests.support.servers import start_fleetccd, stopping
from tests.support.terminal import Terminal

__all__ = ["client", "installed"]  # fixtures


def test_a_build_is_watched_from_before_its_agent_until_after_it(client: Client, tmp_path: Path) -> None:
    server = start_fleetccd(tmp_path / "server", "--jobs", "3")
    with stopping(server):
        client.environment["FLEETCC_HOSTS"] = f"127.0.0.1:{server.port}/3"
        objects = write_project(client, 6)
        with Terminal([client.launcher, "top"], client.environment) as terminal:
            terminal.read_until("no agent serves", "longest first", "q quit")
            terminal.press("f")
            terminal.read_until("ended too")

            objects_made_by(client, "make", "-j4", "CC=fleetcc gcc", objects=objects)

            seen = terminal.read_until("6 jobs", f"127.0.0.1:{server.port}", "done")
            assert "Traceback" not in seen
            terminal.press("\r")
            terminal.read_until("remote: compiled on a host of the fleet", "compiling on")
            terminal.press("\x1b")
            client.stop()
            terminal.read_until("no agent serves")
            terminal.press("q")
            assert terminal.wait() == 0


def test_control_c_ends_it_and_gives_the_terminal_back(client: Client) -> None:
    with Terminal([client.launcher, "top"], client.environment) as terminal:
        terminal.read_until("q quit")
        terminal.press("\x03")
        assert terminal.wait() == 0
        assert "\x1b[?25h" in terminal.raw  # the cursor is there again


def test_without_textual_it_says_what_to_install(client: Client, tmp_path: Path) -> None:
    (tmp_path / "textual.py").write_text("raise ModuleNotFoundError('textual', name='textual')")
    client.environment["PYTHONPATH"] = str(tmp_path)
    with Terminal([client.launcher, "top"], client.environment) as terminal:
        terminal.read_until("fleetcc: fleetcc top needs textual: pip install 'fleetcc[top]'")
        assert terminal.wait() == ExitCode.BAD_ARGUMENTS


def test_a_terminal_that_cannot_draw_gets_one_picture(client: Client) -> None:
    client.run("sh", "-c", ":")
    client.environment["TERM"] = "dumb"
    with Terminal([client.launcher, "top"], client.environment) as terminal:
        terminal.read_until("agent fleetcc", "1 job ")
        assert terminal.wait() == 0


def test_in_a_pipe_it_prints_one_picture(client: Client) -> None:
    client.write("a.c", "int a;\n")
    client.run("gcc", "-c", "a.c")

    shown = client.run("top")

    assert shown.status == 0
    assert b"1 job " in shown.stdout
    assert b"no-hosts" in shown.stdout
    assert b"\x1b" not in shown.stdout
