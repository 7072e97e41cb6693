import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetcc.files.disk import RealDisk
from fleetcc.includes.unit import Search
from fleetcc.toolchain.contents import UnidentifiedError
from fleetcc.toolchain.search import Answer, Question, Searches, ask, question, understand

GCC = b"""\
Reading specs from /opt/specs
ignoring nonexistent directory "aft"
ignoring duplicate directory "/usr/include"
cc1plus: warning: /etc/passwd: not a directory
#include "..." search starts here:
 q
 with space
#include <...> search starts here:
 inc
 /usr/include/c++/12
End of search list.
COMPILER_PATH=/usr/lib
"""


def test_the_lists_are_taken_as_they_are_spelled() -> None:
    assert understand(GCC, ()) == Answer(
        Search((b"q", b"with space"), (b"inc", b"/usr/include/c++/12")),
        (b"aft", b"/usr/include", b"/etc/passwd"),
        (b"/opt/specs",),
    )


def test_header_maps_are_files_to_look_into_and_frameworks_are_not_directories_of_headers() -> None:
    text = (
        b'#include "..." search starts here:\n#include <...> search starts here:\n'
        b" a.hmap (headermap)\n /Library/Frameworks (framework directory)\n /x\nEnd of search list.\n"
    )
    assert understand(text, ()).search == Search((), (b"a.hmap", b"/x"))


def test_directories_for_embed_come_from_the_answer_or_from_the_options() -> None:
    head = b'#include "..." search starts here:\n#include <...> search starts here:\n'
    told = head + b"#embed <...> search starts here:\n /e\nEnd of search list.\n"
    assert understand(told, (b"--embed-dir=/e", b"--embed-dir=/none")).search.embed == (b"/e",)
    assert understand(head + b"End of search list.\n", (b"--embed-dir=e",)).search.embed == (b"e",)


def test_the_split_option_leaves_the_includer_out() -> None:
    text = b'#include "..." search starts here:\n#include <...> search starts here:\nEnd of search list.\n'
    assert not understand(text, (b"-Ia", b"-I-")).search.includer_first
    assert understand(text, ()).search == Search((), ())


@pytest.mark.parametrize("text", [b"", GCC.replace(b"End of", b"end of"), GCC.replace(b"<...>", b"<>")])
def test_an_answer_without_lists_is_an_error(text: bytes) -> None:
    with pytest.raises(UnidentifiedError, match="names no search directories"):
        understand(text, ())


@pytest.mark.parametrize(
    ("words", "variables", "anywhere"),
    [
        ([], {}, True),
        ([b"-I/a", b"-isystem", b"/b", b"-std=c++20", b"-m32", b"--sysroot=/c", b"-nostdinc++"], {}, True),
        ([b"-Ia"], {}, False),
        ([b"-I", b"a"], {}, False),
        ([b"-isystema"], {}, False),
        ([b"-fplugin=a"], {}, False),
        ([b"--sysroot=a"], {}, False),
        ([b"-specs=a"], {}, False),
        ([b"-I=/a"], {}, False),
        ([], {b"CPATH": b"/a:/b"}, True),
        ([], {b"CPATH": b"/a:"}, False),
        ([], {b"C_INCLUDE_PATH": b"a"}, False),
    ],
)
def test_the_directory_only_counts_where_something_is_relative(words, variables, anywhere) -> None:
    asked = question(b"/usr/bin/g++", b"g++", variables, b"c++", words, b"/here")
    assert asked.cwd == (b"" if anywhere else b"/here")


class _Compiler:
    """A compiler that answers what it is told to, and counts how often it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "g++"
        self.disk = RealDisk(clock=lambda: time.time_ns() + 10**9)
        self.searches = Searches(self.disk)
        self.answer("inc", ignored="none")

    def answer(self, *directories: str, ignored: str) -> None:
        listed = "".join(f" {directory}\\n" for directory in directories)
        self.program.write_text(
            "#!/bin/sh\n"
            f'printf x >>"{self.folder}/asked"\n'
            f"printf '%b' 'ignoring nonexistent directory \"{ignored}\"\\n"
            '#include "..." search starts here:\\n#include <...> search starts here:\\n'
            f"{listed}End of search list.\\n' >&2\n"
        )
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)

    def find(self) -> Search:
        self.disk.begin()
        environment = {b"PATH": os.fsencode(os.defpath)}
        cwd = os.fsencode(self.folder)
        asked = question(os.fsencode(self.program), b"g++", environment, b"c++", [b"-Iinc"], cwd)
        return self.searches.find(asked, environment, cwd)

    @property
    def times_asked(self) -> int:
        return (self.folder / "asked").stat().st_size


@pytest.fixture
def compiler(tmp_path) -> Iterator[_Compiler]:
    (tmp_path / "inc").mkdir()
    compiler = _Compiler(tmp_path)
    yield compiler
    compiler.disk.close()


def test_a_question_is_asked_once(compiler) -> None:
    search = compiler.find()
    assert search == Search((), (b"inc",))
    (compiler.folder / "inc/new.h").touch()
    assert compiler.find() is search
    assert compiler.times_asked == 1


def test_it_is_asked_again_when_a_directory_comes_or_goes_or_is_another_one(compiler) -> None:
    search = compiler.find()
    (compiler.folder / "none").mkdir()
    assert compiler.find() is search
    assert compiler.times_asked == 2
    (compiler.folder / "inc").rename(compiler.folder / "away")
    (compiler.folder / "inc").symlink_to("none")
    compiler.find()
    assert compiler.times_asked == 3


def test_it_is_asked_again_when_the_compiler_is_another_one(compiler) -> None:
    compiler.find()
    (compiler.folder / "other").mkdir()
    compiler.answer("inc", "other", ignored="none")
    assert compiler.find() == Search((), (b"inc", b"other"))


def test_an_answer_that_does_not_hold_any_more_is_not_kept(compiler) -> None:
    compiler.answer("inc", "gone", ignored="none")
    compiler.find()
    compiler.find()
    assert compiler.times_asked == 2


def test_a_compiler_that_fails_is_quoted(tmp_path) -> None:
    program = tmp_path / "g++"
    program.write_text("#!/bin/sh\necho 'g++: error: no such option: -x' >&2\nexit 1\n")
    program.chmod(0o755)
    asked = Question(os.fsencode(program), b"g++", (), b"c++", (), b"")
    with pytest.raises(UnidentifiedError, match="exit status 1: g\\+\\+: error: no such option: -x"):
        ask(asked, {}, b"/")
    with pytest.raises(UnidentifiedError, match="cannot be run"):
        ask(asked, {}, os.fsencode(tmp_path / "none"))
