"""What a compiler's name leads to: folders of links and programs that a test makes."""

import os

import pytest

from fleetcc.monitor.doctor.findings import Level
from fleetcc.monitor.doctor.paths import candidates, compiler_of, judge_path


class Folders:
    """PATH, folder by folder."""

    def __init__(self, root):
        self.root = root
        self.folders = []
        self.launcher = self.program("bin", "fleetcc", on_path=False)

    def program(self, folder, name, *, on_path=True):
        path = self.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        self._add(folder, on_path=on_path)
        return path

    def link(self, folder, name, to):
        path = self.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(to)
        self._add(folder, on_path=True)

    def _add(self, folder, *, on_path):
        if on_path and folder not in self.folders:
            self.folders.append(folder)

    def judge(self, name="g++", **variables):
        path = ":".join(str(self.root / folder) for folder in self.folders)
        environment = {b"PATH": path.encode()}
        environment |= {key.encode(): value.encode() for key, value in variables.items()}
        self.found = candidates(name.encode(), environment, os.fsencode(self.launcher))
        return [
            (
                finding.level,
                finding.text.replace(f"{self.root}/", ""),
                finding.remedy.replace(f"{self.root}/", ""),
            )
            for finding in judge_path(name, self.found, environment)
        ]


@pytest.fixture
def folders(tmp_path):
    return Folders(tmp_path)


def test_a_name_that_leads_straight_to_a_compiler_needs_no_word(folders):
    folders.program("usr", "g++")
    assert folders.judge() == []
    compiler = compiler_of(folders.found)
    assert compiler is not None
    assert compiler.path.endswith(b"/usr/g++")


def test_a_name_that_is_nowhere_needs_none_either(folders):
    assert folders.judge() == []
    assert compiler_of(folders.found) is None


def test_a_link_to_fleetcc_before_the_compiler_is_masquerade_as_it_should_be(folders):
    folders.link("masquerade", "g++", folders.launcher)
    folders.program("usr", "g++")
    assert folders.judge() == [(Level.OK, "leads to fleetcc by masquerade/g++, and that to usr/g++", "")]


def test_a_hard_link_to_fleetcc_is_one_too(folders):
    (folders.root / "masquerade").mkdir()
    os.link(folders.launcher, folders.root / "masquerade/g++")
    folders.folders.append("masquerade")
    folders.program("usr", "g++")
    assert folders.judge()[0][0] is Level.OK


def test_a_link_to_fleetcc_behind_the_compiler_is_never_reached(folders):
    folders.program("usr", "g++")
    folders.link("masquerade", "g++", folders.launcher)
    text = "masquerade/g++, a link to fleetcc, is not reached: usr/g++ comes first on PATH"
    assert folders.judge() == [(Level.WARNING, text, "put masquerade first on PATH")]


@pytest.mark.parametrize("wrapper", ["fleetcc", "distcc"])
def test_links_with_no_compiler_behind_them_would_run_for_ever(folders, wrapper):
    target = folders.launcher if wrapper == "fleetcc" else folders.program("other", "distcc", on_path=False)
    folders.link("masquerade", "g++", target)
    ((level, text, _),) = folders.judge()
    assert level is Level.ERROR
    assert text == f"leads to masquerade/g++ ({wrapper}) and there is no compiler behind it"


def test_ccache_without_its_prefix_is_a_warning(folders):
    folders.link("cache", "g++", folders.program("other", "ccache", on_path=False))
    folders.program("usr", "g++")
    ((level, text, remedy),) = folders.judge()
    assert level is Level.WARNING
    assert "goes past the cache" in text
    assert remedy.startswith("CCACHE_PREFIX=fleetcc")


def test_ccache_with_its_prefix_is_as_it_should_be(folders):
    folders.link("cache", "g++", folders.program("other", "ccache", on_path=False))
    ((level, text, _),) = folders.judge(CCACHE_PREFIX="/usr/bin/fleetcc")
    assert level is Level.OK
    assert "(CCACHE_PREFIX)" in text


@pytest.mark.parametrize("folder", ["lib/icecc", "links"])
def test_a_name_that_leads_to_another_distributor_is_a_warning(folders, folder):
    folders.link(folder, "g++", folders.program("other", "icecc", on_path=False))
    ((level, text, _),) = folders.judge()
    assert level is Level.WARNING
    assert "(icecc), which distributes or wraps it by itself" in text


def test_a_path_is_itself(folders):
    path = os.fsencode(folders.program("usr", "g++"))
    assert [candidate.path for candidate in candidates(path, {b"PATH": b""}, None)] == [path]
