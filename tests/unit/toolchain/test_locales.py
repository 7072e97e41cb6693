"""Which files a locale, a language and a time zone stand for."""

import os
from pathlib import Path

import pytest

from fleetcc.toolchain import locales
from fleetcc.toolchain.locales import conversion_files, locale_files, needs_conversion, variants, zone_files


def touch(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return os.fsencode(path)


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Its locales, translations and zones are in a folder of the test's."""
    monkeypatch.setattr(locales, "LOCALES", os.fsencode(tmp_path / "locale"))
    monkeypatch.setattr(locales, "TRANSLATIONS", (os.fsencode(tmp_path / "share"),))
    monkeypatch.setattr(locales, "ZONES", os.fsencode(tmp_path / "zones"))
    monkeypatch.setattr(locales, "LOCAL_TIME", touch(tmp_path / "localtime"))
    for name in (
        "C.utf8/LC_CTYPE",
        "C.utf8/LC_MESSAGES/SYS_LC_MESSAGES",
        "C.utf8/LC_COLLATE",
        "locale-archive",
    ):
        touch(tmp_path / "locale" / name)
    for name in ("gcc-12", "cpplib-12", "gas", "emacs"):
        touch(tmp_path / f"share/de/LC_MESSAGES/{name}.mo")
    touch(tmp_path / "zones/Europe/Berlin")
    touch(tmp_path / "zones/Universal")
    return tmp_path


def relative(paths, folder: Path) -> set[str]:
    return {os.path.relpath(os.fsdecode(path), folder) for path in paths}


@pytest.mark.parametrize("variables", [{}, {b"LANG": b"C"}, {b"LC_ALL": b"POSIX", b"LANG": b"de_DE.UTF-8"}])
def test_the_c_locale_reads_nothing(system, variables):
    assert locale_files({**variables, b"LANGUAGE": b"de"}, ()).paths == ()


def test_a_locale_with_a_folder_of_its_own_needs_no_archive(system):
    found = locale_files({b"LANG": b"C.UTF-8"}, ())
    assert relative(found.paths, system) == {
        "locale/C.utf8",
        "locale/C.utf8/LC_CTYPE",
        "locale/C.utf8/LC_MESSAGES/SYS_LC_MESSAGES",
    }


def test_another_locale_is_in_the_archive_and_has_translations(system):
    found = relative(locale_files({b"LC_ALL": b"de_DE.UTF-8"}, ()).paths, system)
    assert found == {
        "locale/locale-archive",
        "share/de/LC_MESSAGES/cpplib-12.mo",
        "share/de/LC_MESSAGES/gas.mo",
        "share/de/LC_MESSAGES/gcc-12.mo",
    }


def test_the_language_goes_before_the_locale(system):
    found = relative(locale_files({b"LANG": b"C.UTF-8", b"LANGUAGE": b"fr:de"}, ()).paths, system)
    assert "share/de/LC_MESSAGES/gcc-12.mo" in found


def test_a_category_of_its_own_counts(system):
    mixed = {b"LANG": b"C", b"LC_CTYPE": b"C.UTF-8"}
    assert "locale/C.utf8/LC_CTYPE" in relative(locale_files(mixed, ()).paths, system)


def test_an_alias_is_the_locale_that_it_stands_for(system):
    alias = touch(system / "share/locale.alias")
    (system / "share/locale.alias").write_text("# a comment\ngerman  de_DE.ISO-8859-1\n")

    found = locale_files({b"LANG": b"german"}, ()).paths

    assert alias in found


def test_locales_of_another_folder_are_not_looked_for_in_the_archive(system):
    own = system / "own/de_DE.utf8/LC_CTYPE"
    path = touch(own)

    found = locale_files({b"LANG": b"de_DE.UTF-8", b"LOCPATH": os.fsencode(system / "own")}, ()).paths

    assert path in found
    assert not any(each.endswith(b"archive") for each in found)


def test_a_compiler_of_another_place_has_its_translations_there(system):
    path = touch(system / "opt/share/locale/de/LC_MESSAGES/gcc.mo")

    found = locale_files({b"LANG": b"de_DE.UTF-8"}, (os.fsencode(system / "opt/share/locale"),))

    assert path in found.paths
    assert os.fsencode(system / "opt/share/locale") in found.directories


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"de_AT.UTF-8", [b"de_AT.UTF-8", b"de_AT.utf8", b"de_AT", b"de.UTF-8", b"de.utf8", b"de"]),
        (b"C.UTF-8", [b"C.UTF-8", b"C.utf8", b"C"]),
        (b"sr@latin", [b"sr@latin", b"sr"]),
        (b"/etc/x", []),
    ],
)
def test_a_locale_stands_under_several_names(name, expected):
    assert variants(name) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({b"LANG": b"C.UTF-8"}, False),
        ({b"LANG": b"de_DE.utf8"}, False),
        ({b"LANG": b"de_DE"}, True),
        ({b"LANG": b"de_DE.ISO-8859-1"}, True),
        ({b"OUTPUT_CHARSET": b"latin1"}, True),
        ({b"OUTPUT_CHARSET": b"UTF-8"}, False),
    ],
)
def test_other_character_sets_than_utf_8_are_converted(variables, expected):
    assert needs_conversion(variables) is expected


def test_modules_of_character_sets_lie_beside_the_c_library(tmp_path):
    cache = touch(tmp_path / "gconv/gconv-modules.cache")
    module = touch(tmp_path / "gconv/ISO8859-1.so")
    libc = touch(tmp_path / "libc.so.6")

    assert conversion_files(libc, everything=False) == [cache]
    assert set(conversion_files(libc, everything=True)) >= {cache, module}
    assert conversion_files(b"/no/such/libc.so.6", everything=True) == []


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        (None, {"localtime"}),
        (b"Europe/Berlin", {"zones/Europe/Berlin"}),
        (b":Europe/Berlin", {"zones/Europe/Berlin"}),
        (b"", {"zones/Universal"}),
        (b"XYZ-3", set()),
    ],
)
def test_a_time_zone_is_one_file(system, zone, expected):
    variables = {} if zone is None else {b"TZ": zone}
    assert relative(zone_files(variables), system) == expected
