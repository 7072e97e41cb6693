"""The processor of this machine in words, with drivers that know of no other processor."""

import os

import pytest

from fleetcc.toolchain.asking import Asking
from fleetcc.toolchain.contents import UnidentifiedError
from fleetcc.toolchain.files_questions import Compiling
from fleetcc.toolchain.native import NOTHING, expansions_of_clang, expansions_of_gcc, replaced
from tests.unit.toolchain.fake_compilers import program

# Replaces the word in place, as the arm drivers of gcc do.
BUILT_IN = """#!/bin/sh
case "$*" in
-dumpspecs) printf '*cc1:\\n%%{pg:-p}\\n\\n' ;;
*) printf ' /lib/cc1 -quiet' >&2
   for word; do case $word in
   -mcpu=native) printf ' -mcpu=neoverse-n1+crypto' >&2 ;;
   -m*) printf " $word" >&2 ;;
   esac; done
   echo >&2 ;;
esac
"""
# Takes a rule from a specs file; its own asks the processor.
BY_SPECS = """#!/bin/sh
rule='-march=here -mthis'
call='%:local_cpu_detect(arch %{!m32:(64)})'
for word; do case $word in
-dumpspecs) printf '*cc1_cpu:\\n%s\\n\\n' "%{march=native:%>march=native $call}" ;;
-specs=*) rule=$(sed -n 2p "${word#*=}" | sed 's/%:local_cpu_detect([^()]*([^()]*)[^()]*)/-march=here -mthis/;
    s/%{march=native:%>march=native \\(.*\\)}/\\1/') ;;
esac; done
printf ' /lib/cc1 %s -quiet\\n' "$rule" >&2
"""
# Never gives the same twice.
UNRELIABLE = """#!/bin/sh
printf ' /lib/cc1 -mcpu=%s\\n' "$$" >&2
"""


def compiling(tmp_path, text, *options):
    driver = program(tmp_path / "gcc", text)
    return Compiling(Asking(driver, {b"PATH": b"/usr/bin:/bin"}, os.fsencode(tmp_path)), b"c", options)


def test_without_a_native_word_no_compiler_is_asked(tmp_path):
    asked = compiling(tmp_path, "not even a script", b"-mavx")
    assert expansions_of_gcc(asked, None) == expansions_of_clang(asked) == NOTHING


def test_words_are_replaced_where_they_stand():
    expansions = {b"-march=native": (b"-march=x", b"-my")}
    assert replaced((b"-a", b"-march=native", b"-b"), expansions) == (b"-a", b"-march=x", b"-my", b"-b")


def test_a_driver_that_replaces_in_place_is_given_the_replacement(tmp_path):
    asked = compiling(tmp_path, BUILT_IN, b"-mfloat-abi=hard", b"-mcpu=native", b"-mlittle-endian")
    assert expansions_of_gcc(asked, None) == {b"-mcpu=native": (b"-mcpu=neoverse-n1+crypto",)}


def test_a_driver_with_a_rule_is_given_the_rule_with_its_answer(tmp_path):
    found = expansions_of_gcc(compiling(tmp_path, BY_SPECS, b"-march=native"), str(tmp_path))

    word, specs = found[b"-march=native"]
    assert word == b"-march=native"
    with open(specs.removeprefix(b"-specs="), "rb") as file:
        assert file.read() == b"*cc1_cpu:\n%{march=native:%>march=native -march=here -mthis}\n\n"


def test_a_rule_needs_a_folder(tmp_path):
    with pytest.raises(UnidentifiedError, match="no folder"):
        expansions_of_gcc(compiling(tmp_path, BY_SPECS, b"-march=native"), None)


def test_what_does_not_come_to_the_same_is_refused(tmp_path):
    with pytest.raises(UnidentifiedError, match="-mcpu=native cannot be said"):
        expansions_of_gcc(compiling(tmp_path, UNRELIABLE, b"-mcpu=native"), str(tmp_path))
