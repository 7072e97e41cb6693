"""Debian's distcc in pump mode as the client of a real fleetccd."""

import pytest

from tests.support.pump_client import collect, compile_here, fill, has_distcc, new_mirror, pump
from tests.support.pump_project import project as project  # noqa: PLC0414 - a fixture
from tests.support.servers import start_fleetccd, stopping

pytestmark = pytest.mark.skipif(not has_distcc(), reason="distcc is not installed")

COMMANDS = {
    "plain C": "gcc -O2 -Iinc -c src/a.c -o a.o",
    "C with debug information": "gcc -g -O2 -Iinc -c src/a.c -o a.o",
    "macros in debug information": "gcc -g3 -Iinc -c src/a.c -o a.o",
    "C++ with debug information": "g++ -g -O2 -Iinc -c src/k.cc -o k.o",
    "an absolute search directory": "gcc -g -O2 -I{here}/inc -c src/a.c -o a.o",
    "an absolute source": "gcc -g -O2 -I{here}/inc -c {here}/src/a.c -o a.o",
    "a system directory of the project": "gcc -g -isystem {here}/inc -c src/a.c -o a.o",
    "a definition with quotes": 'gcc -Iinc -DNAME="x\\ y" -c src/a.c -o a.o',
    "warnings in the user's headers": "gcc -Wall -I{here}/inc -c src/w.c -o w.o",
    "an error": "gcc -Iinc -c src/e.c -o e.o",
    "an included file": "gcc -include inc/d.h -c src/b.c -o b.o",
    "the same header twice": "gcc -c src/once.c -o once.o",
    "a way up and down": "gcc -g -c src/up.c -o up.o",
    "links": "gcc -g -Isrc -c src/link.c -o l.o",
    "a mapped prefix": "gcc -g -ffile-prefix-map={here}=/x -I{here}/inc -c src/a.c -o a.o",
    "assembly": "gcc -g -O1 -Iinc -S src/a.c -o a.s",
    "recorded options": "gcc -g -grecord-gcc-switches -Iinc -c src/a.c -o a.o",
    "clang": "clang -O2 -Iinc -c src/a.c -o a.o",
    "clang with debug information": "clang -g -O2 -I{here}/inc -c src/a.c -o a.o",
    "clang and a source with an absolute name": "clang++ -g -I{here}/inc -c {here}/src/k.cc -o k.o",
    "dependencies": "gcc -MD -MF a.d -Iinc -c src/a.c -o a.o",
    "dependencies by default": "gcc -MMD -I{here}/inc -c src/a.c -o a.o",
    "dependencies with targets": "gcc -MD -MP -MT one -MQ two$ -Iinc -c src/a.c -o a.o",
    "dependencies for the preprocessor": "gcc -Wp,-MMD,a.d -Iinc -c src/a.c -o a.o",
    "dependencies of clang": "clang -MD -MF a.d -I{here}/inc -c src/a.c -o a.o",
}
OUTPUTS = ("a.o", "a.s", "a.d", "k.o", "w.o", "e.o", "b.o", "once.o", "up.o", "l.o")


# Where it finds no helper a server has no sandbox, and rewrites instead.
SERVERS = {"in a sandbox": {}, "rewritten": {"FLEETCC_SANDBOX": "/nowhere"}}


@pytest.fixture(scope="module", params=SERVERS.values(), ids=list(SERVERS))
def server(request, tmp_path_factory):
    found = start_fleetccd(tmp_path_factory.mktemp("server"), "--jobs", "2", environment=request.param)
    with stopping(found):
        yield f"127.0.0.1:{found.port}"
        found.wait_until_idle()
        assert found.files() == []


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_everything_is_as_at_home(server, project, command):
    argv = [word.replace("\0", " ") for word in command.format(here=project).replace("\\ ", "\0").split()]
    here = compile_here(project, *argv, names=OUTPUTS)
    with new_mirror() as mirror:
        fill(mirror, project, *argv)
        there = collect(project, pump(project, server, mirror, *argv), *OUTPUTS)
    assert (there.status, there.stderr.decode()) == (here.status, here.stderr.decode())
    assert list(there.files) == list(here.files)
    for name in here.files:
        if name.endswith(".d"):
            assert there.same_words(name, here)
        else:
            assert there.files[name] == here.files[name], name
