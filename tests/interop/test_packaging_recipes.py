"""What docs/recipes.md says, done as it stands there: every compile of the project goes to a host."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.checkout import DOCS
from tests.support.fleet import Client, client, installed
from tests.support.servers import start_fleetccd, stopping

__all__ = ["client", "installed"]  # fixtures

FILES = {
    "a.cc": "int twice(int x) { return x * 2; }\n",
    "b.c": "int once(int x) { return x; }\n",
    "main.cc": 'int twice(int); extern "C" int once(int);\nint main() { return once(0) + twice(0); }\n',
    "Makefile": "-include config.mk\ndemo: main.o a.o b.o\n\t$(CXX) -o $@ $^\n",
    "CMakeLists.txt": "cmake_minimum_required(VERSION 3.16)\nproject(demo C CXX)\n"
    "add_executable(demo main.cc a.cc b.c)\n",
    "meson.build": "project('demo', 'c', 'cpp')\nexecutable('demo', 'main.cc', 'a.cc', 'b.c')\n",
    "configure": '#!/bin/sh\nfor each; do eval "${each%%=*}=\\${each#*=}"; done\n'
    'printf "CC = %s\\nCXX = %s\\n" "${CC:-cc}" "${CXX:-c++}" > config.mk\n',
    "build.sh": "#!/bin/sh\nexec make\n",
}
SOURCES = 3
PROGRAMS = ("cmake", "meson", "ninja", "ccache", "make")


def section(title: str) -> str:
    """The text below this heading."""
    text = (DOCS / "recipes.md").read_text("utf-8")
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def commands(title: str) -> list[str]:
    """The blocks of commands of a section; those of a language are files."""
    return re.findall(r"^```\n(.*?)^```$", section(title), re.MULTILINE | re.DOTALL)


SHORT = commands("fleetcc run: the short way for all")[0].splitlines()
CASES = [
    *((line, line) for line in SHORT if "ninja" not in line),
    ("ninja", SHORT[1].partition("&&")[0].replace("-S", "-G Ninja -S") + f"&& {SHORT[3]}"),
    *((title, commands(title)[0]) for title in ("make", "CMake", "Meson", "configure (Autoconf)")),
    ("CMake by variables", commands("CMake")[1] + "cmake -S . -B build && cmake --build build"),
    ("links", commands("Anything: links first on PATH")[0]),
    ("ccache with make", "\n".join(commands("ccache")[0].splitlines()[:2])),
    ("ccache with CMake", re.sub(r"\nmake.*", "", commands("ccache")[0]) + "cmake --build build"),
]


@pytest.fixture
def user(client: Client, tmp_path: Path) -> Iterator[Client]:
    """A client with the project, and one host that takes its files."""
    for name, text in FILES.items():
        path = client.write(name, text)
        if text.startswith("#!"):
            path.chmod(0o755)
    server = start_fleetccd(tmp_path / "server", "--jobs", "2")
    client.environment |= {"FLEETCC_HOSTS": f"127.0.0.1:{server.port}", "FLEETCC_FALLBACK": "0"}
    with stopping(server):
        yield client


@pytest.mark.parametrize(("title", "script"), CASES, ids=[title for title, _ in CASES])
def test_the_recipe_sends_every_compile_away(user: Client, title: str, script: str) -> None:
    for program in PROGRAMS:
        if re.search(rf"(^|[\s\"/]){program}\b", script) and not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    done = user.plain("sh", "-e", "-c", script)
    assert done.status == 0, done
    by_reason = user.idle_status()["by_reason"]
    assert by_reason["remote"] == SOURCES, (by_reason, done)
    assert not {"hosts-failed", "all-hosts-failing", "no-hosts", "internal-error"} & set(by_reason)
