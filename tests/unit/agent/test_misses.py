"""Which files the words of real compilers mean; all were taken down from gcc 12, GNU as 2.40 and clang 14."""

import pytest

from fleetcc.agent.misses import named_files

ENGLISH = "No such file or directory"
GERMAN = "Datei oder Verzeichnis nicht gefunden"
JAPANESE = "そのようなファイルやディレクトリはありません"
FRENCH = "Aucun fichier ou dossier de ce type"

NOT_FOUND = [
    (f"a.c:1:10: fatal error: sub/foo.h: {ENGLISH}\n    1 | #include <sub/foo.h>", "sub/foo.h"),
    (f"a.c:1:10: schwerwiegender Fehler: sub/foo.h: {GERMAN}\nKompilierung beendet.", "sub/foo.h"),
    (f"a.c:1:10: 致命的エラー: sub/foo.h: {JAPANESE}\nコンパイルを停止しました。", "sub/foo.h"),
    (f"a.c:1:10: erreur fatale: sub/foo.h : {FRENCH}", "sub/foo.h"),
    (f"In file included from b.c:1:\nin.h:1:10: fatal error: gone.h: {ENGLISH}", "gone.h"),
    (f"a.c:1:10: fatal error: größe.h: {ENGLISH}", "größe.h"),
    (f"a.c:1:10: 致命的エラー: größe.h: {JAPANESE}", "größe.h"),
    (f"a.c:1:10: schwerwiegender Fehler: my header.h: {GERMAN}", "my header.h"),
    (f"<command-line>: fatal error: pre.h: {ENGLISH}", "pre.h"),
    (f"<コマンドライン>: 致命的エラー: pre.h: {JAPANESE}", "pre.h"),
    ("i.s: Assembler messages:\ni.s:1: Error: file not found: data.bin", "data.bin"),
    ("/tmp/ccrm8pet.s:4: Erreur: fichier non trouvé: data.bin", "data.bin"),
    (f"j.s:1: Error: can't open mac.inc for reading: {ENGLISH}", "mac.inc"),
    (f"j.s:1: Error: can't open mac.inc for reading: {JAPANESE}", "mac.inc"),
    (f"j.s:1: Erreur: ne peut ouvrir mac.inc en lecture: {FRENCH}", "mac.inc"),
    ("a.c:1:10: fatal error: 'sub/foo.h' file not found\n#include <sub/foo.h>", "sub/foo.h"),
    ("a.c:1:10: fatal error: 'größe.h' file not found", "größe.h"),
    ("a.c:1:10: fatal error: 'my header.h' file not found", "my header.h"),
    ("i.s:1:9: error: Could not find incbin file 'my data.bin'", "my data.bin"),
    ("j.s:1:10: error: Could not find include file 'mac.inc'", "mac.inc"),
    (f"error: unable to read PCH file x.pch: '{ENGLISH}'", "x.pch"),
    (f"error: Could not read profile nope.profdata: {ENGLISH}", "nope.profdata"),
    ("clang: error: no such file or directory: 'bl.txt'", "bl.txt"),
]

OF_THE_USER = [
    "e.c: In function 'f':\ne.c:1:18: error: 'x' undeclared (first use in this function)",
    "e.c: In Funktion »f«:\ne.c:1:18: Fehler: »x« nicht deklariert (erste Verwendung in dieser Funktion)",
    "e.c: 関数 ‘f’ 内:\ne.c:1:18: エラー: ‘x’ が宣言されていません (この関数内での最初の使用)",  # noqa: RUF001
    "e.c:2:22: error: expected expression\nint g(void) { return }\n            ^\n1 error generated.",
    "e.cc:9:3: error: no matching function for call to 'std::vector<int>::at(const char*)'\n"
    "/usr/include/c++/12/bits/stl_vector.h:1154:7: note: candidate: 'std::vector<_Tp>::at(size_type)'",
    "i.s: Assembler messages:\ni.s:3: Error: no such instruction: `frobnicate %eax'",
]


@pytest.mark.parametrize(("message", "name"), NOT_FOUND)
def test_what_was_not_found_is_named_wherever_it_may_be(message: str, name: str) -> None:
    found = set(named_files(message.encode() + b"\n", b"/src", [b"include", b"/usr/include"]))

    assert {f"{root}/{name}".encode() for root in ("/src", "/src/include", "/usr/include")} <= found


def test_an_absolute_name_is_itself() -> None:
    found = named_files(b"a.c:1:10: schwerwiegender Fehler: /opt/x.h: nicht da", b"/src", [b"include"])

    assert list(found) == [b"/opt/x.h"]


@pytest.mark.parametrize("message", OF_THE_USER)
def test_errors_of_the_user_name_no_files_that_were_not_sent(message: str) -> None:
    """Sources that they are about have been sent; no other header or source is meant."""
    found = {path.rpartition(b"/")[2] for path in named_files(message.encode(), b"/src", [b"/usr/include"])}

    sent = {b"e.c", b"e.cc", b"i.s", b"stl_vector.h"}
    assert [name for name in found - sent if name.endswith((b".h", b".c", b".cc", b".s", b".bin"))] == []


@pytest.mark.parametrize("message", [b"", b": \n", b"\0: \0: x\n", b"\xff\xfe: \x80: \xe2\n", b"a: " * 9999])
def test_anything_else_is_passed_over(message: bytes) -> None:
    assert all(b"\0" not in path for path in named_files(message, b"/src", []))


def test_of_a_flood_only_the_beginning_is_read() -> None:
    flood = b"".join(b"a.c:1: error: x%d.h: gone\n" % number for number in range(100_000))

    assert sum(1 for _ in named_files(flood, b"/src", [])) < 5_000
