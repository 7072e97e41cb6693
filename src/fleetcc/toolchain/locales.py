"""Which files of this machine decide the language, the characters and the clock of a compiler.

glibc's rules: LC_ALL before LC_CTYPE and LC_MESSAGES before LANG; a locale's own directory or the archive;
LANGUAGE before the locale where messages are translated at all. In the C locale nothing is read.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

LOCALES: Final = b"/usr/lib/locale"
TRANSLATIONS: Final = (b"/usr/share/locale", b"/usr/share/locale-langpack")
ZONES: Final = b"/usr/share/zoneinfo"
LOCAL_TIME: Final = b"/etc/localtime"

VARIABLES: Final = (
    b"LC_ALL", b"LC_CTYPE", b"LC_MESSAGES", b"LANG", b"LANGUAGE", b"LOCPATH", b"LOCALE_ARCHIVE",
    b"OUTPUT_CHARSET", b"GCONV_PATH", b"TZ", b"TZDIR",
)  # fmt: skip

_UNTRANSLATED: Final = frozenset((b"", b"C", b"POSIX"))
_NAME: Final = re.compile(
    rb"(?P<language>[^_.@/]+)(?P<territory>_[^.@/]+)?(?P<codeset>\.[^@/]+)?(?P<modifier>@[^/]+)?"
)
# What the driver, cc1 and the assembler open of a locale.
_READ: Final = (b"LC_CTYPE", b"LC_MESSAGES/SYS_LC_MESSAGES")
_DOMAIN: Final = re.compile(rb"(?:gcc|cpplib)(?:-.+)?\.mo|(?:gas|bfd|opcodes|binutils|libc)\.mo")


@dataclass(frozen=True, slots=True)
class LocaleFiles:
    """What is read because of the environment, and the directories where more of it could appear."""

    paths: tuple[bytes, ...]
    directories: tuple[bytes, ...]


def locale_files(environment: Mapping[bytes, bytes], translations: tuple[bytes, ...]) -> LocaleFiles:
    """Locales, translations and aliases; `translations` are directories beside the usual ones."""
    wanted = dict.fromkeys(_value(environment, name) for name in (b"LC_CTYPE", b"LC_MESSAGES"))
    names = [name for name in wanted if name not in _UNTRANSLATED]
    if not names:
        return LocaleFiles((), ())
    alias = TRANSLATIONS[0] + b"/locale.alias"
    names += [meant for name in names for meant in _aliases(alias, name)]
    shares = (*TRANSLATIONS, *translations)
    paths = [
        *_locales(names, environment),
        *(() if not os.path.isfile(alias) else (alias,)),
        *(path for language in _languages(environment) for path in _translations(language, shares)),
    ]
    return LocaleFiles(tuple(dict.fromkeys(paths)), tuple(filter(os.path.isdir, (LOCALES, *shares))))


def needs_conversion(environment: Mapping[bytes, bytes]) -> bool:
    """Does the compiler write its messages in another character set than UTF-8?"""
    charset = environment.get(b"OUTPUT_CHARSET", b"")
    names = [_value(environment, name) for name in (b"LC_CTYPE", b"LC_MESSAGES")]
    codesets = [
        _normal(name.partition(b".")[2].partition(b"@")[0]) for name in names if name not in _UNTRANSLATED
    ]
    return any(codeset != b"utf8" for codeset in codesets) or (charset != b"" and _normal(charset) != b"utf8")


def conversion_files(libc: bytes, *, everything: bool) -> list[bytes]:
    """glibc's character sets: the list of them, or with `everything` the modules that convert as well."""
    folder = os.path.dirname(libc) + b"/gconv"
    real = os.path.realpath(folder)
    for candidate in (real, b"/usr" + folder):
        if os.path.isdir(candidate):
            names = sorted(os.listdir(candidate)) if everything else [b"gconv-modules.cache"]
            found = [os.path.join(candidate, name) for name in names]
            inner = candidate + b"/gconv-modules.d"
            if everything and os.path.isdir(inner):
                found += [os.path.join(inner, name) for name in sorted(os.listdir(inner))]
            return [path for path in found if os.path.exists(path)]
    return []


def zone_files(environment: Mapping[bytes, bytes]) -> list[bytes]:
    """What __DATE__ and __TIME__ are computed with; a zone that is spelled out needs no file."""
    zone = environment.get(b"TZ")
    if zone is None:
        named = LOCAL_TIME
    else:
        folder = environment.get(b"TZDIR") or ZONES
        named = os.path.join(folder, zone.removeprefix(b":") or b"Universal")
        if not os.path.isfile(named):
            named = os.path.join(folder, b"posixrules")
    return [named] if os.path.isabs(named) and os.path.isfile(named) else []


def variants(name: bytes) -> list[bytes]:
    """Every directory name under which a locale may stand, the most exact first."""
    parsed = _NAME.fullmatch(name)
    if parsed is None:
        return []
    language, territory, codeset, modifier = (part or b"" for part in parsed.groups())
    normal = b"." + _normal(codeset) if codeset else b""
    return list(
        dict.fromkeys(
            language + place + charset + flavour
            for place in (territory, b"")
            for charset in (codeset, normal, b"")
            for flavour in (modifier, b"")
        )
    )


def _value(environment: Mapping[bytes, bytes], category: bytes) -> bytes:
    return environment.get(b"LC_ALL") or environment.get(category) or environment.get(b"LANG") or b""


def _normal(codeset: bytes) -> bytes:
    plain = re.sub(rb"[^0-9a-z]", b"", codeset.lower())
    return b"iso" + plain if plain.isdigit() else plain


def _aliases(file: bytes, name: bytes) -> list[bytes]:
    try:
        with open(file, "rb") as stream:
            lines = [line.split() for line in stream if not line.startswith(b"#")]
    except OSError:
        return []
    return [words[1] for words in lines if len(words) == 2 and words[0] == name]


def _locales(names: list[bytes], environment: Mapping[bytes, bytes]) -> Iterator[bytes]:
    own = environment.get(b"LOCPATH", b"")
    folders = [folder for folder in own.split(b":") if folder] or [LOCALES]
    is_everything_there = True
    for name in names:
        found = [path for folder in folders for path in _locale(folder, name)]
        yield from found
        is_everything_there &= bool(found)
    archive = environment.get(b"LOCALE_ARCHIVE") or LOCALES + b"/locale-archive"
    if not own and not is_everything_there and os.path.isfile(archive):
        yield archive


def _locale(folder: bytes, name: bytes) -> list[bytes]:
    for variant in variants(name):
        directory = os.path.join(folder, variant)
        if os.path.isdir(directory):
            files = (os.path.join(directory, file) for file in _READ)
            return [directory, *filter(os.path.isfile, files)]
    return []


def _languages(environment: Mapping[bytes, bytes]) -> list[bytes]:
    messages = _value(environment, b"LC_MESSAGES")
    if messages in _UNTRANSLATED:
        return []
    return [name for name in environment.get(b"LANGUAGE", b"").split(b":") if name] + [messages]


def _translations(language: bytes, shares: tuple[bytes, ...]) -> Iterator[bytes]:
    for share in shares:
        for variant in variants(language):
            folder = os.path.join(share, variant, b"LC_MESSAGES")
            try:
                names = sorted(os.listdir(folder))
            except OSError:
                continue
            yield from (os.path.join(folder, name) for name in names if _DOMAIN.fullmatch(name))
