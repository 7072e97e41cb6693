"""What -march=native and its kin mean on this machine, in words that mean the same on every other.

gcc's driver replaces them by what its processor has, in a place of cc1's command line where no word of the
user's gets to, and the order is recorded in the debug information. So gcc keeps the user's word and is given
a specs file in which this replacement stands as text. clang records nothing; its words are replaced by a
processor and its features, and the two must give the same intermediate code.

Whatever is found is tried before it is used: raises UnidentifiedError where the result would differ.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Final

from fleetcc.settings.files import replace_file
from fleetcc.toolchain.contents import UnidentifiedError
from fleetcc.toolchain.files_options import NATIVE
from fleetcc.toolchain.files_questions import Command, Compiling

Expansions = Mapping[bytes, tuple[bytes, ...]]

NOTHING: Final[Expansions] = {}

# In gcc's specs: a call of the function that asks the processor.
_DETECT: Final = b"%:local_cpu_detect("
_SPEC: Final = re.compile(rb"^\*(\w+):\n(.*?)\n(?=\n|\Z)", re.MULTILINE | re.DOTALL)
_BEGIN, _END = b"-DFLEETCC_BEGIN", b"-DFLEETCC_END"

_UNKNOWN: Final = re.compile(rb"unknown argument:? '(-m[^']+)'")
_PROBE: Final = b"int probe(int x) { return x; }\n"


def replaced(words: Iterable[bytes], expansions: Expansions) -> tuple[bytes, ...]:
    """A command line with every expansion in place of its word."""
    return tuple(new for word in words for new in expansions.get(word, (word,)))


def expansions_of_gcc(compiling: Compiling, folder: str | None) -> Expansions:
    """For each native word of the options what stands for it; a specs file may be left in `folder`."""
    asked = [word for word in compiling.options if word in NATIVE]
    if not asked:
        return NOTHING
    found = _by_specs(compiling, folder) or _by_words(compiling, asked)
    if _lasting(compiling) != _lasting(_after(compiling, found)):
        raise UnidentifiedError(f"{os.fsdecode(b' '.join(asked))} cannot be said in other words")
    return found


def expansions_of_clang(compiling: Compiling) -> Expansions:
    """For each native word of the options the processor and the features that it stands for."""
    asked = dict.fromkeys(word for word in compiling.options if word in NATIVE)
    if not asked:
        return NOTHING
    found = {word: _words_of_clang(compiling, word) for word in asked}
    if _intermediate(compiling) != _intermediate(_after(compiling, found)):
        raise UnidentifiedError(f"{os.fsdecode(b' '.join(asked))} cannot be said in other words")
    return found


def _after(compiling: Compiling, expansions: Expansions) -> Compiling:
    return Compiling(compiling.asking, compiling.language, replaced(compiling.options, expansions))


def _lasting(compiling: Compiling) -> list[Command]:
    """The commands without the names of temporary files."""
    folder = compiling.asking.folder
    return [
        tuple(word for word in command if not word.startswith(folder)) for command in compiling.commands()
    ]


# -- gcc


def _by_specs(compiling: Compiling, folder: str | None) -> Expansions:
    specs = _SPEC.findall(compiling.asking.ask(b"-dumpspecs").stdout)
    rules = {name: text for name, text in specs if _DETECT in text}
    if not rules:
        return NOTHING
    if folder is None:
        raise UnidentifiedError("there is no folder to keep a specs file in")
    written = b"".join(
        b"*%b:\n%b\n\n" % (name, _detected(compiling, name, text)) for name, text in rules.items()
    )
    path = os.path.join(folder, f"native-{hashlib.sha256(written).hexdigest()[:16]}.specs")
    if not os.path.exists(path):
        replace_file(path, written)
    option = b"-specs=" + os.fsencode(path)
    return {word: (word, option) for word in NATIVE}


def _detected(compiling: Compiling, name: bytes, text: bytes) -> bytes:
    """A rule with the answers in place of the questions."""
    answers: dict[bytes, bytes] = {}
    for call in _calls(text):
        if call not in answers:
            answers[call] = _answer(compiling, name, call)
    for call, answer in answers.items():
        text = text.replace(call, answer)
    return text


def _answer(compiling: Compiling, name: bytes, call: bytes) -> bytes:
    """What one call comes to with the options at hand."""
    path = os.path.join(compiling.asking.folder, b"probe.specs")
    with open(path, "wb") as file:
        file.write(b"*%b:\n%b %b %b\n\n" % (name, _BEGIN, call, _END))
    for command in compiling.commands((b"-specs=" + path,), without=NATIVE):
        if _BEGIN in command and _END in command:
            return b" ".join(command[command.index(_BEGIN) + 1 : command.index(_END)])
    raise UnidentifiedError("its specs ask for the processor in a way that is not known here")


def _calls(text: bytes) -> Iterator[bytes]:
    start = text.find(_DETECT)
    while start >= 0:
        at, depth = start + len(_DETECT), 1
        while depth and at < len(text):
            depth += {b"(": 1, b")": -1}.get(text[at : at + 1], 0)
            at += 1
        yield text[start:at]
        start = text.find(_DETECT, at)


def _by_words(compiling: Compiling, asked: list[bytes]) -> Expansions:
    """Where the replacement is built in, cc1 gets one word for one."""
    others = [word for word in compiling.options if word not in NATIVE]
    without = {word for command in Compiling(compiling.asking, compiling.language, tuple(others)).commands()
               for word in command}  # fmt: skip
    found = {}
    for word in dict.fromkeys(asked):
        alone = Compiling(compiling.asking, compiling.language, (*others, word)).commands()
        new = [
            each
            for command in alone[:1]
            for each in command
            if each not in without and each.startswith(b"-m")
        ]
        found[word] = tuple(new)
    return found


# -- clang


def _words_of_clang(compiling: Compiling, word: bytes) -> tuple[bytes, ...]:
    others = tuple(each for each in compiling.options if each not in NATIVE)
    alone = Compiling(compiling.asking, compiling.language, (*others, word))
    command = next((command for command in alone.commands() if b"-cc1" in command), ())
    name = word.partition(b"=")[0]
    processor = _value(command, b"-tune-cpu" if name == b"-mtune" else b"-target-cpu")
    if name == b"-mtune":
        return (name + b"=" + processor,)
    base = Compiling(compiling.asking, compiling.language, (*others, name + b"=" + processor))
    features = _values(command, b"-target-feature")
    accepted = _accepted(base, [_switch(feature) for feature in features])
    # The driver has no word for what nobody can switch off, such as 64bit; so it may come last.
    raw = (b"-Xclang", b"-target-feature", b"-Xclang")
    switches = [(_switch(each),) if _switch(each) in accepted else (*raw, each) for each in features]
    return (name + b"=" + processor, *(word for words in switches for word in words))


def _accepted(base: Compiling, switches: list[bytes]) -> frozenset[bytes]:
    """Those that the driver knows."""
    words = (*base.options, *switches, b"-###", b"-c", b"-x", base.language, b"/dev/null")
    return frozenset(switches).difference(_UNKNOWN.findall(base.asking.ask(*words).stderr))


def _switch(feature: bytes) -> bytes:
    return (b"-m" if feature.startswith(b"+") else b"-mno-") + feature[1:]


def _values(command: Command, option: bytes) -> list[bytes]:
    return [value for name, value in pairwise(command) if name == option]


def _value(command: Command, option: bytes) -> bytes:
    values = _values(command, option)
    if not values:
        raise UnidentifiedError(f"does not say which processor it compiles for ({os.fsdecode(option)})")
    return values[-1]


def _intermediate(compiling: Compiling) -> bytes:
    """What decides instructions: a small function with its attributes, all macros, and an empty object."""
    asking, options = compiling.asking, compiling.options
    source, output = (os.path.join(asking.folder, name) for name in (b"probe.c", b"probe.o"))
    with open(source, "wb") as file:
        file.write(_PROBE)
    code = asking.ask(*options, b"-S", b"-emit-llvm", b"-o", b"-", b"-x", b"c", source)
    macros = asking.ask(*options, b"-dM", b"-E", b"-x", b"c", source)
    written = asking.ask(*options, b"-c", b"-o", output, b"-x", compiling.language, b"/dev/null")
    if code.status or macros.status or written.status:
        raise UnidentifiedError("does not compile a small function")
    with open(output, "rb") as file:
        return b"".join((code.stdout, macros.stdout, file.read(), code.stderr, written.stderr))
