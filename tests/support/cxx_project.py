"""A generated C++ project of many small units, built side by side through fleetcc and by the compiler alone.

Both builds read the same sources in the same place and differ in the folder of their outputs, which an object
does not name; so every file in the two folders must be the same.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.fleet import Client, Result

MODULES: Final = 15
FLEET: Final = "by-fleet"
LOCAL: Final = "by-local"  # as long as the other: depfiles have lines of a certain width
FLAGS: Final = "-g -O1 -Ifirst -Isecond -Igen -MD -MP"

_MAKEFILE: Final = """\
OBJECTS = {objects}
all: $(OBJECTS:%=$(OUT)/%.o)
gen/version.h: version.txt
\t@mkdir -p gen && sed 's/^/#define VERSION /' version.txt >$@
$(OUT)/%.o: src/%.cc gen/version.h
\t$(CXX) {flags} -c $< -o $@
-include $(wildcard $(OUT)/*.d)
"""
_NINJA: Final = """\
rule cxx
  command = {cxx} {flags} -c $in -o $out
  depfile = {out}/$name.d
"""
# Only for one of the two: a ninja knows nothing of what another has made.
_GENERATED: Final = """\
rule version
  command = mkdir -p gen && sed 's/^/#define VERSION /' version.txt >gen/version.h
build gen/version.h: version version.txt
"""


@dataclass
class Project:
    """`count` units in 15 modules; each includes its module's header, common ones and a generated one."""

    client: Client
    count: int
    tool: str  # "make" or "ninja"

    def __post_init__(self) -> None:
        write = self.client.write
        write("first/.keep", "")
        write("second/common.h", "#pragma once\n#define COMMON 1\n#include <stddef.h>\n")
        for module in range(MODULES):
            header = f'#pragma once\n#include "common.h"\nstruct m{module} {{ int value = COMMON; }};\n'
            write(f"second/mod{module}.h", header)
        write("version.txt", "1\n")
        for unit in range(self.count):
            write(f"src/unit{unit}.cc", self._unit(unit))
        for out in (FLEET, LOCAL):
            write(f"{out}/.keep", "").unlink()
            write(f"{out}.ninja", self._ninja(out))
        names = " ".join(f"unit{unit}" for unit in range(self.count))
        write("Makefile", _MAKEFILE.format(objects=names, flags=FLAGS))

    @staticmethod
    def _unit(unit: int) -> str:
        module = unit % MODULES
        return (
            f'#include "mod{module}.h"\n#include "version.h"\n'
            '#if __has_include("extra.h")\n#include "extra.h"\n#else\n#define EXTRA 0\n#endif\n'
            f"int unit{unit}(int x) {{ return m{module}().value * x + VERSION + EXTRA + {unit}; }}\n"
            f"const char *file{unit} = __FILE__;\n"
        )

    def _ninja(self, out: str) -> str:
        cxx = "fleetcc g++" if out == FLEET else "g++"
        builds = [
            f"build {out}/unit{unit}.o: cxx src/unit{unit}.cc || gen/version.h\n  name = unit{unit}\n"
            for unit in range(self.count)
        ]
        rules = _NINJA.format(cxx=cxx, flags=FLAGS, out=out) + (_GENERATED if out == FLEET else "")
        return f"builddir = {out}\n" + rules + "".join(builds)

    def command(self, out: str, jobs: int) -> list[str]:
        """What builds into this folder."""
        if self.tool == "ninja":
            return shlex.split(f"ninja -f {out}.ninja -j{jobs}")
        cxx = "fleetcc g++" if out == FLEET else "g++"
        return ["make", "-s", f"-j{jobs}", f"OUT={out}", f"CXX={cxx}"]

    def build(self, out: str = FLEET, jobs: int = 64) -> Result:
        """Build; it must succeed."""
        done = self.client.plain(*self.command(out, jobs))
        assert done.status == 0, done
        return done

    def outputs(self, out: str) -> dict[str, bytes]:
        """What one build has made; depfiles without the name of its folder."""
        return {
            path.name: path.read_bytes().replace(out.encode(), b"OUT")
            for path in sorted((self.client.work / out).iterdir())
            if path.suffix in {".o", ".d"}
        }

    def is_as_built_here(self) -> int:
        """Build through fleetcc, then alone; all files must be equal. How many units were compiled."""
        before = self.client.idle_status()["total"] if self.client.agent_pid is not None else 0
        self.build(FLEET)
        self.build(LOCAL, jobs=4)
        fleet, local = self.outputs(FLEET), self.outputs(LOCAL)
        assert len(fleet) == 2 * self.count
        assert fleet == local
        return int(self.client.idle_status()["total"]) - before

    @property
    def made(self) -> list[Path]:
        """The objects of the build through fleetcc so far."""
        return list((self.client.work / FLEET).glob("*.o"))

    def clean(self) -> None:
        """Remove what the build through fleetcc has made."""
        for path in (self.client.work / FLEET).iterdir():
            path.unlink()

    def forget_unit(self, unit: int) -> None:
        """Have both builds compile it again, for what no build system notices."""
        for out in (FLEET, LOCAL):
            (self.client.work / out / f"unit{unit}.o").unlink()
