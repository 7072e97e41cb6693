"""A compile in pump mode in the sandbox: whose files it sees, and what it may use."""

import contextlib
import shutil

import pytest

from fleetcc.wire.distcc import pack_body, unpack_body
from fleetcc.wire.pump import Content, PumpFile, Target, encode_pump_request
from tests.interop.sandbox_support import USERS, open_folder
from tests.support.fleet import eventually
from tests.support.servers import FakeCompilers, Fleetccd, read_response, start_fleetccd, stopping

OWN = "../" * 30
SECRET = "not for everybody"


def file(name: str, text: str) -> PumpFile:
    return PumpFile(name.encode(), Content(pack_body(3, text.encode())))


def link(name: str, target: str) -> PumpFile:
    return PumpFile(name.encode(), Target(target.encode()))


def own(path: str) -> PumpFile:
    """The include server's word for a directory that the server has itself."""
    return link(path, OWN + path[1:])


class Answer:
    """What a server said, in plain bytes."""

    def __init__(self, server: Fleetccd, *files: PumpFile, argv: str = "gcc -c x.c -o x.o") -> None:
        words = tuple(word.encode() for word in argv.split())
        with server.connect() as sock:
            sock.sendall(b"".join(encode_pump_request(b"/p", words, files)))
            response = read_response(sock, 3)
        self.status = response.status
        self.stderr = unpack_body(3, response.stderr_raw, 1 << 20)
        self.output = unpack_body(3, response.output_raw, 1 << 28)


@pytest.fixture(scope="module", params=USERS, ids=lambda user: "root" if user == 0 else "ordinary")
def server(request):
    """Of root and of an ordinary user."""
    with open_folder() as folder:
        found = start_fleetccd(folder / "server", "--jobs", "2", "--job-disk", "64M", user=request.param)
        with stopping(found):
            yield found
            found.wait_until_idle()
            assert found.files() == []
            assert "Traceback" not in found.log


@pytest.fixture(scope="module")
def secret():
    """A file that every user of this machine can read."""
    with open_folder() as folder:
        (folder / "secret.h").write_text(f'"{SECRET}"\n')
        yield folder / "secret.h"


READS = {
    "by name": 'const char *s =\n#include "{path}"\n;',
    "by assembly": 'asm(".incbin \\"{path}\\"");',
    "through a process": 'const char *s =\n#include "/proc/self/root{path}"\n;',
    "through the first process": 'asm(".incbin \\"/proc/1/root{path}\\"");',
    "through the working directory": 'asm(".incbin \\"/proc/self/cwd/../../../..{path}\\"");',
    "by climbing": 'const char *s =\n#include "../../../../../../../..{path}"\n;',
    "through a link": 'const char *s =\n#include "link"\n;',
}


@pytest.mark.parametrize("source", READS.values(), ids=READS)
@pytest.mark.parametrize("compiler", [name for name in ("gcc", "clang") if shutil.which(name)])
def test_files_of_the_server_cannot_be_read(server, secret, source, compiler):
    for path in ("/etc/passwd", str(secret)):
        text = source.format(path=path)

        answer = Answer(server, file("/p/x.c", text), link("/p/link", path), argv=f"{compiler} -c x.c -o x.o")

        assert answer.status == 1 << 8
        assert any(word in answer.stderr for word in (b"No such file", b"not found", b"not find"))
        assert SECRET.encode() not in answer.stderr + answer.output
        assert b"root:" not in answer.stderr + answer.output


def test_even_whether_a_file_is_there_cannot_be_asked(server):
    text = '#if __has_include("/etc/passwd")\n#error there\n#endif\n'

    assert Answer(server, file("/p/x.c", text)).status == 0


def test_the_servers_own_headers_are_there_and_the_clients_beside_them_count_more(server):
    text = "#include <stdio.h>\n#include <assert.h>\n#include <extra.h>\nint x = ASSERT + EXTRA + EOF;\n"

    answer = Answer(
        server,
        file("/p/x.c", text),
        file("/usr/include/assert.h", "#define ASSERT 1\n"),
        file("/usr/local/lib/fleetcc-test/include/extra.h", "#define EXTRA 1\n"),
        argv="gcc -I/usr/local/lib/fleetcc-test/include -c x.c -o x.o",
    )

    assert (answer.status, answer.stderr) == (0, b"")


def test_own_directories_may_be_asked_for_too(server):
    answer = Answer(server, file("/p/x.c", "#include <stdio.h>\n"), own("/usr/include"), own("/opt/none"))

    assert (answer.status, answer.stderr) == (0, b"")


def test_names_in_objects_are_the_clients(server):
    text = '#include "/q/inc.h"\nconst char *f(void) { return __FILE__; }\n'

    files = (file("/p/x.c", text), file("/q/inc.h", "int y;\n"))
    answer = Answer(server, *files, argv="gcc -g -c /p/x.c -o x.o")

    assert answer.status == 0
    assert b"/p/x.c" in answer.output
    assert b"inc.h" in answer.output
    assert b"fleetccd" not in answer.output


def test_a_lack_of_disk_is_not_the_compilers_answer(server):
    answer = Answer(server, file("/p/x.c", 'asm(".data\\n.fill 90000000, 1, 7");\n'))

    assert (answer.status, b"--job-disk" in answer.stderr, answer.output) == (105 << 8, True, b"")


def test_the_users_words_about_a_lack_are_the_users(server):
    answer = Answer(server, file("/p/x.c", "#error No space left on device\n"))

    assert answer.status == 1 << 8
    assert b"No space left on device" in answer.stderr


def test_a_client_that_leaves_takes_its_compiler_with_it(server):
    text = "constexpr long f() { for (long i = 0;; ++i) ; }\nstatic_assert(f());\n"
    limits = b"-fconstexpr-loop-limit=2147483647 -fconstexpr-ops-limit=9000000000000"
    words = (b"g++", *limits.split(), b"-c", b"x.cc", b"-o", b"x.o")
    with server.connect() as sock:
        sock.sendall(b"".join(encode_pump_request(b"/p", words, [file("/p/x.cc", text)])))
        eventually(lambda: b"cc1plus" in running_below(server.process.pid))
    eventually(lambda: b"cc1plus" not in running_below(server.process.pid))
    eventually(lambda: not server.files())


def running_below(pid: int) -> set[bytes]:
    """The names of all processes that this one has started, at whatever depth."""
    names: set[bytes] = set()
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        with contextlib.suppress(OSError):
            with open(f"/proc/{each}/comm", "rb") as name:
                names.add(name.read().strip())
            with open(f"/proc/{each}/task/{each}/children", encoding="ascii") as children:
                waiting += map(int, children.read().split())
    return names


def test_a_compiler_in_a_place_of_its_own_is_seen_through_links(tmp_path):
    fake = FakeCompilers(tmp_path / "real" / "bin")
    fake.add("gcc-99", 'cat "$(dirname "$0")/../lib/part" >"$out"\n')
    (tmp_path / "real" / "lib").mkdir()
    (tmp_path / "real" / "lib" / "part").write_text("a part of it")
    (tmp_path / "real" / "private").write_text(SECRET)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gcc-99").symlink_to(tmp_path / "real" / "bin" / "gcc-99")
    path = f"{tmp_path}/real/bin:/usr/bin:/bin"
    server = start_fleetccd(tmp_path / "server", environment={"FLEETCCD_PATH": path})
    with stopping(server):
        answer = Answer(server, file("/p/x.c", "int x;\n"), argv="gcc-99 -c x.c -o x.o")

    assert (answer.status, answer.output) == (0, b"a part of it"), answer.stderr


@pytest.mark.parametrize("name", ["/lib64", "/lib", "/usr", "/bin"])
def test_a_client_that_hides_the_compiler_is_not_served_outside_the_sandbox(server, name):
    answer = Answer(server, file("/p/x.c", '#include "/etc/passwd"\n'), file(name, "no directory\n"))

    assert answer.status >= 100 << 8 or b"/etc/passwd" in answer.stderr
    assert b"root:" not in answer.stderr
