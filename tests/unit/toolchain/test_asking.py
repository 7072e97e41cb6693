"""What of a compiler's answer is the same on every machine."""

from fleetcc.toolchain.asking import (
    asking_environment,
    cc1_of_clang,
    settings_files,
    sorted_lines,
    without_places,
)

GCC_SAYS = b"""Using built-in specs.
COLLECT_GCC=/opt/bin/gcc
COLLECT_LTO_WRAPPER=/usr/lib/gcc/x86_64-linux-gnu/12/lto-wrapper
OFFLOAD_TARGET_NAMES=nvptx-none:amdgcn-amdhsa
OFFLOAD_TARGET_DEFAULT=1
Target: x86_64-linux-gnu
Configured with: ../src/configure -v --prefix=/usr
Thread model: posix
gcc version 12.2.0 (Debian 12.2.0-14)\x20
"""
CLANG_SAYS = b"""Debian clang version 14.0.6
Target: x86_64-pc-linux-gnu
Thread model: posix
InstalledDir: /usr/bin
Found candidate GCC installation: /usr/bin/../lib/gcc/x86_64-linux-gnu/12
Selected GCC installation: /usr/bin/../lib/gcc/x86_64-linux-gnu/12
Candidate multilib: .;@m64
Selected multilib: .;@m64
"""


def test_places_of_this_machine_are_left_out_of_what_gcc_says():
    assert without_places(GCC_SAYS).splitlines() == [
        b"Using built-in specs.",
        b"Target: x86_64-linux-gnu",
        b"Configured with: ../src/configure -v --prefix=/usr",
        b"Thread model: posix",
        b"gcc version 12.2.0 (Debian 12.2.0-14)",
    ]


def test_the_gcc_beside_it_is_left_out_of_what_clang_says():
    assert without_places(CLANG_SAYS).splitlines() == [
        b"Debian clang version 14.0.6",
        b"Target: x86_64-pc-linux-gnu",
        b"Thread model: posix",
    ]


def test_specs_and_configuration_files_are_found():
    said = b"Reading specs from /opt/my gcc/specs\nConfiguration file: /etc/clang/x.cfg\nTarget: x\n"
    assert settings_files(said) == [b"/opt/my gcc/specs", b"/etc/clang/x.cfg"]
    assert without_places(said) == b"Target: x"
    assert settings_files(GCC_SAYS) == []


def test_the_program_behind_clang_is_found_with_its_quotes_removed():
    assert (
        cc1_of_clang(b' (in-process)\n "/opt/a \\"b\\"/clang-14" "-cc1" "-triple"\n')
        == b'/opt/a "b"/clang-14'
    )
    assert cc1_of_clang(b"clang: error: unknown argument\n") == b""


def test_lines_are_sorted():
    assert sorted_lines(b"#define B 1\n#define A 1\n") == b"#define A 1\n#define B 1"


def test_a_compiler_is_asked_in_little_more_than_the_jobs_path():
    asked_in = asking_environment(
        {b"PATH": b"/bin", b"LANG": b"de_DE", b"COMPILER_PATH": b"/x", b"TZ": b"Mars"}
    )
    assert asked_in == {
        b"PATH": b"/bin",
        b"COMPILER_PATH": b"/x",
        b"LC_ALL": b"C",
        b"_DISTCC_SAFEGUARD": b"1",
    }
