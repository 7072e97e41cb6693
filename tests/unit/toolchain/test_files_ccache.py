"""Which compiler ccache would run, without ccache."""

import os

import pytest

from fleetcc.toolchain.contents import UnidentifiedError
from fleetcc.toolchain.files_ccache import behind_ccache, is_ccache
from tests.unit.toolchain.fake_compilers import program

SETTINGS = '#!/bin/sh\ncase "$2" in\nprefix_command) echo "$PREFIX" ;;\npath) echo "$WHERE" ;;\nesac\n'


@pytest.fixture
def masquerade(tmp_path):
    """A folder of links to a ccache that tells its settings."""
    program(tmp_path / "ccache", SETTINGS)
    folder = tmp_path / "lib/ccache"
    folder.mkdir(parents=True)
    (folder / "g++").symlink_to(tmp_path / "ccache")
    return folder


def asked(masquerade, *folders, **settings):
    path = b":".join(os.fsencode(folder) for folder in (masquerade, *folders))
    variables = {b"PATH": path, **{os.fsencode(name): value for name, value in settings.items()}}
    return behind_ccache(os.fsencode(masquerade / "g++"), variables, os.fsencode(masquerade))


def test_a_link_to_ccache_is_known(masquerade, tmp_path):
    assert is_ccache(os.fsencode(masquerade / "g++"))
    assert not is_ccache(program(tmp_path / "bin/g++", ""))


def test_the_next_compiler_on_the_path_is_the_one(masquerade, tmp_path):
    real = program(tmp_path / "bin/g++", "")
    wrapper = tmp_path / "lib/distcc"
    wrapper.mkdir()
    program(wrapper / "g++", "")

    looked_at = asked(masquerade, wrapper, tmp_path / "bin")

    assert looked_at[-1] == real
    assert looked_at[0] == os.fsencode(masquerade / "g++")


def test_the_setting_path_goes_before_the_environment(masquerade, tmp_path):
    program(tmp_path / "bin/g++", "")
    other = program(tmp_path / "other/g++", "")
    assert asked(masquerade, tmp_path / "bin", WHERE=os.fsencode(tmp_path / "other"))[-1] == other


def test_a_prefix_that_is_no_launcher_keeps_the_job_here(masquerade, tmp_path):
    program(tmp_path / "bin/g++", "")
    assert asked(masquerade, tmp_path / "bin", PREFIX=b"/usr/bin/distcc")
    with pytest.raises(UnidentifiedError, match="through 'time'"):
        asked(masquerade, tmp_path / "bin", PREFIX=b"time")


def test_without_another_compiler_there_is_none(masquerade):
    with pytest.raises(UnidentifiedError, match="no compiler"):
        asked(masquerade)
