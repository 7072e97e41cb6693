"""A small project whose compiles read files in every way that pump mode has to get right."""

import os
from pathlib import Path
from typing import Final

import pytest

FILES: Final = {
    "src/a.c": '#include "b.h"\n#include <inner/c.h>\n#include <stdio.h>\n#include <assert.h>\n'
    'int f(int x) { assert(x); puts(__FILE__ NAME); return B + C + x; }\n',
    "src/b.h": "#define B 2\nstatic inline const char *where(void) { return __FILE__; }\n",
    "inc/inner/c.h": '#pragma once\n#include "../d.h"\n#define C D\n'
    '#ifndef NAME\n#define NAME "none"\n#endif\n'
    "static inline const char *here(void) { return __FILE__; }\n",
    "inc/d.h": "#pragma once\n#define D 4\n",
    "src/k.cc": '#include <vector>\n#include <string>\n#include "b.h"\n#include "inner/c.h"\n'
    "std::string g(std::vector<std::string> v) { return v.at(B) + where() + here(); }\n",
    "src/w.c": '#include "inner/warns.h"\nint h(void) { int unused; return 0; }\n',
    "inc/inner/warns.h": "static inline int i(void) { int lost = 1; return 0; }\n",
    "src/e.c": '#include "b.h"\nint j(void) { return undeclared; }\n',
    "src/once.c": '#include "o1.h"\n#include "o2.h"\nint once = N;\n',
    "src/o1.h": "#pragma once\n#ifdef N\n#undef N\n#define N 2\n#else\n#define N 1\n#endif\n",
    "src/o2.h": "#pragma once\n#ifdef N\n#undef N\n#define N 2\n#else\n#define N 1\n#endif\n",
    "src/up.c": '#include "../inc/inner/../d.h"\nint up = D;\n',
    "src/link.c": '#include "linked/c.h"\n#include "b-link.h"\nint l = C + B;\n',
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Its folder."""
    for name, text in FILES.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    here = tmp_path / "project"
    (here / "src/b.c").write_text("int d = D;\n")
    os.utime(here / "src/o2.h", (1, 1))  # else gcc takes it for the other
    (here / "src/linked").symlink_to("../inc/inner")
    (here / "src/b-link.h").symlink_to(here / "src/b.h")
    return here
