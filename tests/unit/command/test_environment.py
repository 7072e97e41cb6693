"""Which variables travel."""

from fleetcc.command.environment import NAMES, STAYING, travelling


def test_what_a_compiler_reads_travels_in_the_order_of_names() -> None:
    environment = {
        b"PWD": b"/src", b"LC_ALL": b"C.UTF-8", b"CPATH": b"/inc", b"GCC_COLORS": b"",
        b"SOURCE_DATE_EPOCH": b"1", b"MACOSX_DEPLOYMENT_TARGET": b"13", b"LC_CTYPE": b"C",
    }  # fmt: skip
    assert travelling(environment) == (
        b"CPATH=/inc", b"GCC_COLORS=", b"LC_ALL=C.UTF-8", b"LC_CTYPE=C", b"MACOSX_DEPLOYMENT_TARGET=13",
        b"PWD=/src", b"SOURCE_DATE_EPOCH=1",
    )  # fmt: skip


def test_secrets_and_what_would_only_disturb_stay_at_home() -> None:
    environment = dict.fromkeys(
        (
            b"AWS_SECRET_ACCESS_KEY", b"GITHUB_TOKEN", b"SSH_AUTH_SOCK", b"TMPDIR", b"LD_PRELOAD",
            b"MAKEFLAGS", b"FLEETCC_HOSTS", b"LC", b"USER", b"",
        ),
        b"x",
    )  # fmt: skip
    assert travelling(environment) == ()


def test_a_variable_that_keeps_a_job_here_needs_no_place_in_the_table() -> None:
    assert not NAMES & STAYING.keys()
