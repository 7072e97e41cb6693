"""`fleetcc verify`: compiles on hosts and here, counts, and finds what differs."""

import re

from fleetcc.errors import ExitCode
from tests.support.cxx_project import LOCAL, Project
from tests.support.fleet import client, installed
from tests.support.launcher import write_program
from tests.support.replica import Place, helper, own_place
from tests.support.scripted_fleet import ScriptedFleet, Session

__all__ = ["client", "helper", "installed", "own_place"]  # fixtures


def test_a_compile_is_verified(own_place: Place) -> None:
    own_place.add_server()
    client = own_place.client
    client.write("a.c", "int a(int x) { return x; }\n")
    done = client.run("verify", "--", "gcc", "-g", "-MD", "-c", "a.c")
    assert done.spoken == (0, b"1 compile verified, 0 differed\n", b"")
    assert client.last_reason == "verified"
    assert client.files() == ["a.c", "a.d", "a.o"]
    made = (client.work / "a.o").read_bytes()
    assert client.plain("gcc", "-g", "-MD", "-c", "a.c").status == 0
    assert (client.work / "a.o").read_bytes() == made


def test_the_compilers_status_and_words_are_verified_and_handed_on(own_place: Place) -> None:
    own_place.add_server()
    client = own_place.client
    client.write("a.c", "int f(void) { return nothing; }\n")
    plain = client.plain("gcc", "-c", "a.c")
    done = client.run("verify", "--", "gcc", "-c", "a.c")
    assert done.spoken == (1, b"1 compile verified, 0 differed\n", plain.stderr)


def test_a_share_of_a_build_is_verified(own_place: Place) -> None:
    own_place.add_server()
    project = Project(own_place.client, 40, "make")
    done = own_place.client.run("verify", "--verify", "50%", "--", *project.command("by-fleet", 8))
    assert done.status == 0, done
    verified, differed = map(int, re.findall(rb"\d+", done.stdout.splitlines()[-1]))
    # Of 40 coins: outside of this once in 100 million runs.
    assert (3 <= verified <= 37, differed) == (True, 0)
    by_reason = own_place.client.idle_status()["by_reason"]
    assert by_reason == {"verified": verified, "remote": 40 - verified}
    project.build(LOCAL)
    assert project.outputs("by-fleet") == project.outputs(LOCAL)


# Runs the job, and then says a word more than the compiler did.
CHATTY = """#!/bin/sh
[ "$1" = run ] || exec {helper} "$@"
{helper} "$@"
status=$?
echo planted >&2
exit $status
"""


def test_a_word_that_only_a_server_says_is_reported(own_place: Place) -> None:
    chatty = write_program(own_place.root / "chatty", CHATTY.format(helper=own_place.helper))
    server = own_place.add_server(FLEETCC_SANDBOX=str(chatty))
    client = own_place.client
    client.write("a.c", "int a;\n")
    done = client.run("verify", "--", "gcc", "-c", "a.c")
    assert done.status == 1
    differs, summary = done.stdout.decode().splitlines()
    assert differs.startswith(f"differs: a.c on 127.0.0.1:{server.port}: stderr:")
    assert summary == "1 compile verified, 1 differed"
    assert client.status()["differences"] == [differs.removeprefix("differs: ")]
    assert client.run("verify", "--", "gcc", "-c", "a.c").status == 1
    assert client.idle_status()["differed"] == 2


def test_an_object_that_is_another_is_reported_and_not_used(own_place: Place) -> None:
    def lie(session: Session) -> None:
        session.welcome()
        while True:
            number, _, _ = session.grant_one()
            session.result(number, 0, b"", b"no object")

    client = own_place.client
    client.write("a.c", "int a;\n")
    with ScriptedFleet(lie) as server:
        client.environment |= {"FLEETCC_HOSTS": server.host, "FLEETCC_MODE": "preprocessed"}
        done = client.run("verify", "--", "gcc", "-c", "a.c")
    assert done.status == 1
    differs, summary = done.stdout.decode().splitlines()
    assert differs.startswith(f"differs: a.c on {server.host}: a.o: ")
    assert summary == "1 compile verified, 1 differed"
    assert (client.work / "a.o").read_bytes().startswith(b"\x7fELF")


def test_a_command_that_sends_nothing_says_so(own_place: Place) -> None:
    own_place.add_server()
    done = own_place.client.run("verify", "--", "false")
    assert (done.status, done.stderr) == (1, b"")
    assert done.stdout.startswith(b"nothing was verified: ")
    assert own_place.client.run("verify", "--verify", "200%", "--", "true").status == ExitCode.BAD_ARGUMENTS
