"""Plans: what runs here and why, what may be sent in which forms."""

import os

import pytest

from fleetcc.agent.plan import RunHere, Send, plan
from fleetcc.model import Compiler, Family, Form, Reason
from fleetcc.settings import load_settings

GCC = Compiler(Family.GCC, (12, 2, 0), b"x86_64-linux-gnu", b"gcc-12")
CLANG = Compiler(Family.CLANG, (14, 0, 6), b"x86_64-linux-gnu", b"clang-14")


@pytest.fixture
def make_plan(tmp_path):
    def make(line: str, compiler: Compiler = GCC, **variables: str):
        environment = {"HOME": str(tmp_path), "FLEETCC_HOSTS": "b1 b2"} | variables
        encoded = {os.fsencode(name): os.fsencode(value) for name, value in environment.items()}
        settings = load_settings(encoded, system=str(tmp_path / "etc"))
        argv = [os.fsencode(word) for word in line.split()]
        return plan(argv, os.fsencode(tmp_path), encoded, compiler, settings)

    return make


def reason_of(planned) -> Reason:
    assert isinstance(planned, RunHere)
    return planned.reason


def obstacle_of(planned) -> Reason:
    """Why it travels as files only."""
    assert isinstance(planned, Send)
    assert planned.shipment is not None
    assert (planned.compilation, planned.forms) == (None, ())
    return planned.text_obstacle


def test_a_plain_compile_may_be_sent(make_plan):
    planned = make_plan("gcc -O2 -c a.c")

    assert isinstance(planned, Send)
    assert planned.found.host_list is not None
    assert [host.name for host in planned.found.host_list.hosts] == ["b1", "b2"]
    assert planned.found.origin == "FLEETCC_HOSTS"
    assert planned.forms == (Form.EXPANDED,)
    assert planned.shipment is not None
    assert planned.compilation is not None
    assert (planned.source, planned.output, planned.named) == (b"a.c", b"a.o", (b"a.o",))


@pytest.mark.parametrize("hosts", ["+zeroconf", "localhost/2 +zeroconf", "localhost b1"])
def test_hosts_that_are_not_known_yet_or_stand_beside_this_machine_are_worth_asking(make_plan, hosts):
    assert isinstance(make_plan("gcc -c a.c", FLEETCC_HOSTS=hosts), Send)


def test_debug_information_wants_the_form_that_keeps_columns(make_plan):
    assert make_plan("gcc -g -c a.c").forms == (Form.DIRECTIVES,)


def test_without_exactness_the_expanded_form_will_do(make_plan):
    assert make_plan("gcc -g -c a.c", FLEETCC_EXACT="0").forms == (Form.DIRECTIVES, Form.EXPANDED)


def test_what_has_no_exact_form_travels_as_files_alone(make_plan):
    planned = make_plan("clang -g -c a.c", CLANG)

    assert (planned.forms, planned.compilation) == ((), None)
    assert planned.shipment is not None
    assert planned.text_obstacle is Reason.DEBUG_COLUMNS
    assert reason_of(make_plan("clang -g -c a.c", CLANG, FLEETCC_MODE="preprocessed")) is Reason.DEBUG_COLUMNS
    assert make_plan("clang -g -c a.c", CLANG, FLEETCC_EXACT="0").forms == (Form.EXPANDED,)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"FLEETCC_MODE": "local"}, Reason.MODE_LOCAL),
        ({"FLEETCC_HOSTS": ""}, Reason.NO_HOSTS),
        ({"FLEETCC_HOSTS": "# nobody"}, Reason.NO_HOSTS),
        ({"FLEETCC_HOSTS": "localhost/2"}, Reason.LOCALHOST_ENTRY),
        ({"FLEETCC_HOSTS": "localhost/2 --localslots=3"}, Reason.LOCALHOST_ENTRY),
        ({"FLEETCC_HOSTS": "b1/0"}, Reason.BAD_HOST_LIST),
    ],
)
def test_settings_and_host_lists_can_say_here(make_plan, variables, reason):
    assert reason_of(make_plan("gcc -c a.c", **variables)) is reason


def test_the_command_line_is_asked_before_the_settings(make_plan):
    assert reason_of(make_plan("gcc a.c", FLEETCC_HOSTS="b1/0")) is Reason.LINKING


def test_a_compiler_that_servers_cannot_know_by_name_travels_as_files_alone(make_plan):
    nameless = Compiler(Family.GCC, (12, 2, 0), b"x86_64-linux-gnu", None)

    assert obstacle_of(make_plan("/opt/gcc -c a.c", nameless)) is Reason.COMPILER_NAME
    preprocessed = make_plan("/opt/gcc -c a.c", nameless, FLEETCC_MODE="preprocessed")
    assert reason_of(preprocessed) is Reason.COMPILER_NAME


def test_a_precompiled_header_beside_a_forced_include_stays_or_travels_along(make_plan, tmp_path):
    assert isinstance(make_plan("gcc -include all.h -c a.c"), Send)
    (tmp_path / "all.h.gch").write_bytes(b"")

    assert obstacle_of(make_plan("gcc -include all.h -c a.c")) is Reason.PRECOMPILED_HEADER
    preprocessed = make_plan("gcc -include all.h -c a.c", FLEETCC_MODE="preprocessed")
    assert reason_of(preprocessed) is Reason.PRECOMPILED_HEADER


def test_preprocessed_input_needs_its_line_markers(make_plan, tmp_path):
    (tmp_path / "bare.i").write_text("int x;\n")
    (tmp_path / "marked.i").write_text('# 0 "a.c"\nint x;\n')

    assert obstacle_of(make_plan("gcc -c bare.i")) is Reason.NO_LINE_MARKERS
    assert obstacle_of(make_plan("gcc -c gone.i")) is Reason.NO_INPUT
    preprocessed = {"FLEETCC_MODE": "preprocessed"}
    assert reason_of(make_plan("gcc -c bare.i", **preprocessed)) is Reason.NO_LINE_MARKERS
    assert reason_of(make_plan("gcc -c gone.i", **preprocessed)) is Reason.NO_INPUT
    assert isinstance(make_plan("gcc -c marked.i"), Send)


def test_response_files_are_read_from_the_directory_of_the_job(make_plan, tmp_path):
    (tmp_path / "args").write_text("-c a.c")

    assert isinstance(make_plan("gcc @args"), Send)
    assert reason_of(make_plan("gcc -c @gone")) is Reason.RESPONSE_FILE


# What may travel as which: a plain compile as both, a native one and several sources as files alone (a text
# would be compiled for another processor), a preprocessed output as neither.
PLAIN, NATIVE, SEVERAL = "gcc -c a.c", "gcc -march=native -c a.c", "gcc -c a.c b.c"


@pytest.mark.parametrize("mode", ["auto", "replica"])
@pytest.mark.parametrize("line", [NATIVE, SEVERAL])
def test_what_text_cannot_carry_travels_as_files(make_plan, mode, line):
    planned = make_plan(line, FLEETCC_MODE=mode)

    assert isinstance(planned, Send)
    assert planned.shipment is not None
    assert (planned.compilation, planned.forms) == (None, ())


@pytest.mark.parametrize(("line", "reason"), [(NATIVE, Reason.NATIVE_CPU), (SEVERAL, Reason.SEVERAL_INPUTS)])
def test_what_text_cannot_carry_stays_where_only_text_may_travel(make_plan, line, reason):
    assert reason_of(make_plan(line, FLEETCC_MODE="preprocessed")) is reason


def test_in_replica_mode_nothing_travels_as_text(make_plan):
    assert obstacle_of(make_plan(PLAIN, FLEETCC_MODE="replica")) is Reason.NO_SANDBOX


def test_in_preprocessed_mode_nothing_travels_as_files(make_plan):
    planned = make_plan(PLAIN, FLEETCC_MODE="preprocessed")

    assert isinstance(planned, Send)
    assert planned.shipment is None
    assert planned.forms == (Form.EXPANDED,)
    assert (planned.source, planned.output, planned.named) == (b"a.c", b"a.o", (b"a.o",))


@pytest.mark.parametrize("mode", ["auto", "replica", "preprocessed", "local"])
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("gcc a.c", Reason.LINKING),
        ("gcc -E a.c", Reason.PREPROCESS_ONLY),
        ("gcc -M a.c", Reason.DEPENDENCIES_ONLY),
        ("gcc --version", Reason.NOT_A_COMPILE),
        ("gcc -c -", Reason.STDIN_INPUT),
        ("gcc -c a.c -o -", Reason.STDOUT_OUTPUT),
    ],
)
def test_what_no_host_can_do_stays_in_every_mode(make_plan, mode, line, reason):
    assert reason_of(make_plan(line, FLEETCC_MODE=mode)) is reason


def test_the_depfile_is_among_the_outputs_that_a_command_names(make_plan):
    planned = make_plan("gcc -MMD -c a.c -o out/a.o")

    assert planned.named == (b"out/a.o", b"out/a.d")


def test_a_job_of_several_sources_is_known_by_the_first(make_plan):
    planned = make_plan(SEVERAL)

    assert (planned.source, planned.output, planned.named) == (b"a.c", b"a.o", (b"a.o", b"b.o"))
