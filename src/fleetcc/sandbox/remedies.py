"""Why a machine cannot sandbox, and what its administrator can do about it."""

import errno
from collections.abc import Mapping
from typing import Final

from fleetcc.sandbox.outcome import NotStarted, Stage

# Files below /proc/sys whose value can forbid it.
SWITCHES: Final = (
    "kernel/unprivileged_userns_clone",
    "user/max_user_namespaces",
    "kernel/apparmor_restrict_unprivileged_userns",
)
_FORBIDDING: Final = dict(zip(SWITCHES, ("0", "0", "1"), strict=True))
_ALLOWING: Final = dict(zip(SWITCHES, ("1", "15000", "0"), strict=True))

_REFUSALS: Final = (errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EUSERS)
_CONTAINER: Final = (
    "in a container, allow user namespaces (docker run --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined --security-opt systempaths=unconfined; podman run --security-opt "
    "seccomp=unconfined --security-opt unmask=ALL); in a systemd unit, lift RestrictNamespaces, "
    "ProtectHostname, SystemCallFilter (docs/replica.md)"
)
_BY_STAGE: Final = {
    Stage.NETWORK: _CONTAINER,
    Stage.NAMESPACES: _CONTAINER,
    Stage.IDENTITY: _CONTAINER,
    Stage.PROC: "the container hides parts of /proc: docker run --security-opt systempaths=unconfined, "
    "or podman run --security-opt unmask=ALL; in a systemd unit, "
    "lift ProtectKernelTunables and ProtectKernelLogs",
    Stage.OVERLAY: "overlays in user namespaces need Linux 5.11, and a --state-dir on ext4, xfs or btrfs, "
    "which in a container is a volume",
    Stage.TREE: "choose another --state-dir",
    Stage.SCRATCH: "tmpfs in user namespaces must be allowed",
    Stage.FILTER: "the kernel must be built with CONFIG_SECCOMP_FILTER",
}


def explain(failure: NotStarted, switches: Mapping[str, str], *, is_root: bool) -> tuple[str, str]:
    """Reason and remedy; `switches` are the values of those of SWITCHES that this kernel has."""
    if failure.error in _REFUSALS:
        for switch, value in switches.items():
            # The first and the last do not concern root.
            if value == _FORBIDDING[switch] and (not is_root or switch.startswith("user/")):
                name = switch.replace("/", ".")
                return (
                    f"user namespaces are switched off ({name}={value}; {failure.sentence})",
                    f"sysctl -w {name}={_ALLOWING[switch]}",
                )
    if failure.error in (errno.ENOSYS, errno.EINVAL) and failure.stage < Stage.SCRATCH:
        return failure.sentence, "the kernel must be Linux 5.11 or newer, with user namespaces"
    return failure.sentence, _BY_STAGE.get(failure.stage, _CONTAINER)
