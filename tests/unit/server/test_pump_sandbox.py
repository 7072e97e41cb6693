"""What a compiler in pump mode may see of the server."""

import os

from fleetcc.server.pump_sandbox import own_paths

SYSTEM = own_paths(b"/usr/bin/gcc", ())


def test_a_systems_compiler_needs_the_system_and_nothing_else():
    assert {b"/usr", b"/lib64", b"/etc/ld.so.cache"} <= set(SYSTEM)
    assert not {b"/etc", b"/home", b"/root", b"/tmp", b"/var", b"/"} & set(SYSTEM)


def test_a_compiler_of_its_own_brings_what_was_installed_with_it(tmp_path):
    program = os.fsencode(tmp_path / "bin" / "arm-none-eabi-gcc-13")

    found = own_paths(program, ())[len(SYSTEM) :]

    names = {os.path.relpath(path, os.fsencode(tmp_path)) for path in found}
    assert {b"bin", b"lib", b"libexec", b"include", b"arm-none-eabi"} <= names
    assert b"." not in names


def test_a_compiler_that_is_a_link_brings_both_places(tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "gcc").symlink_to(tmp_path / "bin" / "gcc")

    found = own_paths(os.fsencode(tmp_path / "links" / "gcc"), ())

    assert {os.fsencode(tmp_path / "links"), os.fsencode(tmp_path / "bin")} <= set(found)


def test_what_lies_below_another_is_not_said_twice():
    assert own_paths(b"/usr/bin/gcc", [b"/usr/include", b"/opt/x/include"]) == (*SYSTEM, b"/opt/x/include")
