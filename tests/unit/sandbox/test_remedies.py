"""Reasons and remedies for people who administer servers."""

import errno

import pytest

from fleetcc.sandbox.outcome import NotStarted, Stage
from fleetcc.sandbox.remedies import explain

APPARMOR = "kernel/apparmor_restrict_unprivileged_userns"
NAMESPACES = NotStarted(Stage.NAMESPACES, errno.EPERM)


@pytest.mark.parametrize(
    ("switch", "value", "remedy"),
    [
        ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
        (APPARMOR, "1", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
    ],
)
def test_a_switch_that_forbids_it_is_named(switch, value, remedy):
    reason, how = explain(NAMESPACES, {switch: value}, is_root=False)

    assert f"{switch.replace('/', '.')}={value}" in reason
    assert how == remedy


def test_a_switch_that_allows_it_is_not_blamed():
    reason, remedy = explain(NAMESPACES, {APPARMOR: "0", "user/max_user_namespaces": "9"}, is_root=False)

    assert reason == "making namespaces: Operation not permitted"
    assert "container" in remedy


def test_root_is_not_concerned_by_switches_for_ordinary_users():
    assert explain(NAMESPACES, {APPARMOR: "1"}, is_root=True)[1].startswith("in a container")


def test_apparmor_may_let_namespaces_be_and_refuse_the_mount():
    failure = NotStarted(Stage.OVERLAY, errno.EACCES)

    assert "apparmor" in explain(failure, {APPARMOR: "1"}, is_root=False)[1]


@pytest.mark.parametrize(
    ("stage", "error", "word"),
    [
        (Stage.NAMESPACES, errno.ENOSYS, "Linux 5.11"),
        (Stage.OVERLAY, errno.EINVAL, "--state-dir"),
        (Stage.PROC, errno.EPERM, "systempaths"),
        (Stage.FILTER, errno.EINVAL, "SECCOMP"),
    ],
)
def test_each_stage_has_its_remedy(stage, error, word):
    assert word in explain(NotStarted(stage, error), {}, is_root=False)[1]
