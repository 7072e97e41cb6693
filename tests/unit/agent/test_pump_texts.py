"""What the text of a file says of a compile elsewhere, and what is kept of it."""

import hashlib

import pytest

from fleetcc.agent import pump_texts
from fleetcc.agent.pump_texts import Findings, PumpTexts, findings
from fleetcc.wire import lzo

OBSTACLES = [
    b"char *t = __TIME__;",
    b"char *t = __DATE__;",
    b"char *t = __TIMESTAMP__;",
    b"char *t = __BASE_FILE__;",
    b'asm(".incbin \\"x\\"");',
    b"#embed <x>",
    b"# \\\n embed <x>",
    b'#include "/abs.h"',
    b"  #  include_next </abs.h>",
    b'%:include "/abs.h"',
    b'#import "/abs.h"',
    b'#/* why */include/* not */"/abs.h"',
    b'#\\\ninclude "/abs.h"',
]


@pytest.mark.parametrize("text", OBSTACLES)
def test_what_a_host_would_make_something_else_of_is_found(text: bytes) -> None:
    assert findings(b"int x;\n" + text + b"\nint y;\n").obstacle


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'#include "a.h"\n#include <b/c.h>\nint incbin;\n', Findings("")),
        (b'#include NAME\nchar *p = "/etc";\n', Findings("", computes=True, has_absolute=True)),
        (b"#pragma once\n", Findings("", is_once=True)),
        (b"#include", Findings("", computes=True)),
        (b'#include "./a.h"\n', Findings("", is_odd=True)),
        (b"#include <a/./b.h>\n", Findings("", is_odd=True)),
        (b'#include "a//b.h"\n', Findings("", is_odd=True)),
        (b'#include "../a/../b.h" // ./c\nchar *p = "./q";\n', Findings("")),
        (b'#define NAME "./a.h"\n#include NAME\n', Findings("", computes=True, is_odd=True)),
    ],
)
def test_the_rest_is_told_by_its_parts(text: bytes, expected: Findings) -> None:
    assert findings(text) == expected


def digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def test_a_text_is_read_once_for_each_name() -> None:
    text = b"int x;\n"
    asked: list[bytes] = []

    def content(wanted: bytes) -> bytes | None:
        asked.append(wanted)
        return {digest(text): text}.get(wanted)

    texts = PumpTexts(content)
    for _ in range(2):
        assert lzo.decompress(texts.packed(digest(text), None) or b"", 100) == text
        assert lzo.decompress(texts.packed(digest(text), b"/a") or b"", 100) == b'#line 1 "/a"\n' + text
        assert texts.findings(digest(text)) == Findings("")
    assert len(asked) == 3
    assert texts.packed(b"gone", None) is None
    assert texts.findings(b"gone") is None


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump_texts, "_MOST_BYTES", 300)
    monkeypatch.setattr(pump_texts, "_MOST_FINDINGS", 4)
    asked: list[bytes] = []

    def content(wanted: bytes) -> bytes:
        asked.append(wanted)
        return wanted * 100

    texts = PumpTexts(content)
    for number in range(100):
        texts.packed(b"%d" % number, None)
        texts.findings(b"%d" % number)
    asked.clear()
    texts.packed(b"99", None)
    texts.findings(b"99")
    assert asked == []
    texts.packed(b"0", None)
    texts.findings(b"0")
    assert len(asked) == 2
