"""How long the client thinks about one command line, and how long a server prepares a text.

python bench/command_analysis.py
"""

import shlex
import statistics
import subprocess
import timeit
from collections.abc import Callable

from fleetcc.command.analysis import Compilation, analyze
from fleetcc.command.directives import prepare
from fleetcc.command.preprocess import preprocess_argv, remote_argv
from fleetcc.command.serverside import understand
from fleetcc.model import Compiler, Family, Form

# What CMake writes for one source of a middling project.
LINE = (
    "/usr/bin/c++ -DBOOST_ALL_NO_LIB -DNDEBUG -DUSE_SSL=1 -D_GNU_SOURCE -DVERSION=\\\"1.2\\\" "
    "-I/home/me/src/project/include -I/home/me/src/project/build/generated "
    "-I/home/me/src/project/third_party/fmt/include -isystem /usr/include/eigen3 -isystem "
    "/opt/qt/include -isystem /opt/qt/include/QtCore -O2 -g -Wall -Wextra -Wshadow "
    "-Wno-unused-parameter -Werror=return-type -fPIC -fvisibility=hidden -fvisibility-inlines-hidden "
    "-fno-omit-frame-pointer -ffunction-sections -fdata-sections -fstack-protector-strong "
    "-fdiagnostics-color=always -march=x86-64-v2 -mtune=generic -pthread -std=gnu++20 -MD -MT "
    "CMakeFiles/app.dir/src/main.cc.o -MF CMakeFiles/app.dir/src/main.cc.o.d -o "
    "CMakeFiles/app.dir/src/main.cc.o -c /home/me/src/project/src/main.cc"
)  # fmt: skip

GCC = Compiler(Family.GCC, (12, 2, 0), b"x86_64-linux-gnu", b"x86_64-linux-gnu-g++-12")


def microseconds(function: Callable[[], object], number: int = 2000) -> float:
    """The median of several runs."""
    return statistics.median(timeit.repeat(function, number=number, repeat=7)) / number * 1e6


def main() -> None:
    """Print the figures."""
    argv = [word.encode() for word in shlex.split(LINE)]
    compilation = analyze(argv, GCC, {}, lambda _: None)
    assert isinstance(compilation, Compilation)
    sent = remote_argv(compilation, Form.DIRECTIVES, b"g++")
    print(f"command line of {len(argv)} words")
    time = microseconds(lambda: analyze(argv, GCC, {}, lambda _: None))
    print(f"  analyze                        {time:8.1f} us")

    def both() -> None:
        preprocess_argv(compilation, Form.DIRECTIVES)
        remote_argv(compilation, Form.DIRECTIVES, b"g++")

    print(f"  preprocess_argv + remote_argv  {microseconds(both):8.1f} us")
    print(f"  understand (server)            {microseconds(lambda: understand(sent)):8.1f} us")
    text = _unexpanded_text(2 << 20)
    time = microseconds(lambda: prepare(text), 5)
    print(f"  prepare, {len(text) / 1e6:.1f} MB                {time:8.1f} us")


def _unexpanded_text(size: int) -> bytes:
    source = b"#include <vector>\n#include <string>\n#include <map>\n#include <regex>\n"
    command = ["g++", "-g", "-E", "-fdirectives-only", "-x", "c++", "-"]
    text = subprocess.run(command, input=source, capture_output=True, check=True).stdout
    body = text[text.index(b'"<command-line>"') :].partition(b"\n")[2]
    return text + body * max(0, (size - len(text)) // len(body))


if __name__ == "__main__":
    main()
