"""Build hook: compiles the launcher and the sandbox helper, the commands `fleetcc` and `fleetcc-sandbox`.

Where no C compiler works, the launcher written in Python takes its place under the same name, there is no
helper (a server then says that it cannot sandbox), and the wheel stays one for every platform.
`CC=false pip install .` asks for that.
"""

import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Each folder of native/ and the command that is made of it.
LAUNCHER: Final = "launcher", "fleetcc"
SANDBOX: Final = "sandbox", "fleetcc-sandbox"
COMPILERS: Final = ("cc", "gcc", "clang")
FLAGS: Final = ("-std=c11", "-O2", "-Wall", "-Wextra")
# Statically linked, a launcher adds 0.4 ms, with the dynamic loader 0.6; not every system has libc.a.
LINKAGES: Final = (("-static",), ())
# What both end with when they are told nothing: the proof that the binary runs here.
USAGE_STATUS: Final = 101
PYTHON_LAUNCHER: Final = """\
#!python
from fleetcc.launcher.main import main

main()
"""


class LauncherBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the commands into every wheel, editable ones included."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Compile, or write the Python launcher, and tell hatchling where it is."""
        self._folder = Path(tempfile.mkdtemp(prefix="fleetcc-build-"))
        if self._compile(LAUNCHER, build_data):
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform_tag()}"
            if not self._compile(SANDBOX, build_data):
                self.app.display_warning("native/sandbox does not compile here: servers cannot sandbox")
            return
        self.app.display_warning("no C compiler works here: installing the launcher written in Python")
        script = self._folder / LAUNCHER[1]
        script.write_text(PYTHON_LAUNCHER)
        script.chmod(0o755)
        build_data["shared_scripts"][str(script)] = script.name

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove what the wheel now holds."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _compile(self, program: tuple[str, str], build_data: dict[str, Any]) -> bool:
        folder, command = program
        script = self._folder / command
        made = compile_program(Path(self.root) / "native" / folder, script, self.metadata.version)
        if made:
            build_data["shared_scripts"][str(script)] = command
        return made


def compile_program(folder: Path, target: Path, version: str) -> bool:
    """Try each compiler and linkage; true when one made a program that runs."""
    sources = sorted(folder.glob("*.c"))
    return any(
        makes_program([*command, *map(str, sources), "-o", str(target)], target)
        for command in compile_commands(version)
    )


def compile_commands(version: str) -> Iterator[list[str]]:
    """Every way to compile, best first."""
    chosen = os.environ.get("CC")
    for compiler in [shlex.split(chosen)] if chosen else [[name] for name in COMPILERS]:
        for linkage in LINKAGES:
            yield [*compiler, *FLAGS, f'-DFLEETCC_VERSION="{version}"', *linkage]


def makes_program(command: list[str], target: Path) -> bool:
    """Run one compile and the result."""
    try:
        subprocess.run(command, check=True, capture_output=True)
        return subprocess.run([target], check=False, capture_output=True).returncode == USAGE_STATUS
    except (OSError, subprocess.CalledProcessError):
        return False


def platform_tag() -> str:
    """This machine's part of a wheel's name, as `linux_x86_64`."""
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
