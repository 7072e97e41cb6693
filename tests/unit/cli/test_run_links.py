"""Folders of links with compilers' names."""

import os
import stat
import sys
from pathlib import Path

import pytest

from fleetcc.cli.run_links import find_compilers, find_launcher, make_folder
from fleetcc.errors import FleetccError


def program(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_compilers_are_known_by_their_names(tmp_path: Path) -> None:
    names = ["gcc", "g++-12", "cc", "c++", "clang", "clang++-17", "aarch64-linux-gnu-gcc-12"]
    others = ["gcc-ar", "clang-format-14", "cpp", "ld", "ccache", "make", "gcc.bak"]
    for name in [*names, *others]:
        program(tmp_path / name)
    program(tmp_path / "gcc-9", 0o644)
    (tmp_path / "gcc-8").mkdir()
    (tmp_path / "gcc-7").symlink_to("nowhere")
    assert find_compilers(str(tmp_path)).names == tuple(sorted(names))


def test_what_ccache_is_first_for_is_left_to_it(tmp_path: Path) -> None:
    ccache = program(tmp_path / "bin" / "ccache")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "gcc").symlink_to(ccache)
    for name in ("gcc", "clang"):
        program(tmp_path / "bin" / name)
    both = find_compilers(f"{tmp_path}/links:{tmp_path}/bin")
    assert (both.names, both.by_ccache) == (("clang",), ("gcc",))
    turned = find_compilers(f"{tmp_path}/bin:{tmp_path}/links")
    assert (turned.names, turned.by_ccache) == (("clang", "gcc"), ())


def test_links_to_a_launcher_are_no_compilers(tmp_path: Path) -> None:
    for launcher in ("fleetcc", "distcc"):
        target = program(tmp_path / launcher)
        (tmp_path / f"{launcher}-links").mkdir()
        (tmp_path / f"{launcher}-links" / "gcc-10").symlink_to(target)
    path = f"{tmp_path}/fleetcc-links:{tmp_path}/distcc-links:/nowhere:"
    assert "gcc-10" not in find_compilers(path).names
    program(tmp_path / "bin" / "gcc-10")
    assert "gcc-10" in find_compilers(f"{path}:{tmp_path}/bin").names


def test_equal_content_is_one_folder_that_never_changes(tmp_path: Path) -> None:
    parent = str(tmp_path / "state" / "names")
    first = make_folder(parent, {"gcc": "/x/fleetcc"}, {"make": "#!/bin/sh\n"})
    again = make_folder(parent, {"gcc": "/x/fleetcc"}, {"make": "#!/bin/sh\n"})
    other = make_folder(parent, {"gcc": "/x/fleetcc", "cc": "/x/fleetcc"}, {})
    assert first == again != other
    assert os.readlink(f"{first}/gcc") == "/x/fleetcc"
    assert os.access(f"{first}/make", os.X_OK)
    assert sorted(os.listdir(parent)) == sorted(map(os.path.basename, (first, other)))
    for folder in (parent, os.path.dirname(parent)):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_a_folder_that_cannot_be_made_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FleetccError, match="--variables"):
        make_folder(str(tmp_path / "file" / "names"), {"gcc": "/x/fleetcc"}, {})


def test_the_launcher_is_beside_the_program_that_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = program(tmp_path / "bin" / "fleetcc")
    monkeypatch.setattr(sys, "argv", [str(program(tmp_path / "bin" / "fleetcc-cli"))])
    assert find_launcher("/nowhere") == str(mine)


def test_else_the_launcher_is_found_on_path_or_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "x")])
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    mine = program(tmp_path / "else" / "fleetcc")
    assert find_launcher(f"/nowhere:{mine.parent}") == str(mine)
    with pytest.raises(FleetccError, match="reinstall"):
        find_launcher("/nowhere")
