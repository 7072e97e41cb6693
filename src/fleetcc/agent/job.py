"""Carries one job from its plan to its outcome.

plan ─▶ remote way: place ─▶ preprocess ─▶ host ─▶ outputs ─▶ result
  │            │
  └────────────┴── any doubt ──▶ the launcher execs the compiler, its open socket leases a local slot
"""

import asyncio
import dataclasses
import logging
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from fleetcc.agent.delivery import verbose_answer
from fleetcc.agent.errand import OnLocalhost, RunLocallyError
from fleetcc.agent.invocation import Invocation
from fleetcc.agent.launcher_connection import LauncherConnection, LauncherGoneError
from fleetcc.agent.local_slots import Use
from fleetcc.agent.plan import RunHere, Send
from fleetcc.agent.remote import RemoteWay
from fleetcc.agent.services import Services
from fleetcc.agent.story import Story
from fleetcc.errors import ExitCode, UsageError
from fleetcc.model import Reason
from fleetcc.scheduling.fleet import Needs
from fleetcc.settings import Settings, load_settings, printable
from fleetcc.wire.launcher import JobRequest, encode_answer

log = logging.getLogger(__name__)

# Without fallback these end the build; everything else that runs here was never for the fleet.
_INFRASTRUCTURE: Final = frozenset(
    {
        Reason.ALL_HOSTS_FAILING,
        Reason.BAD_HOST_LIST,
        Reason.HOSTS_FAILED,
        Reason.NO_GRANT,
        Reason.NO_HOSTS,
        Reason.NO_SAME_COMPILER,
        Reason.NO_SANDBOX,
        Reason.REFUSED,
        Reason.REMOTE_SIGNAL,
    }
)
_PREPROCESSING: Final = frozenset({Reason.PREPROCESS_ONLY, Reason.DEPENDENCIES_ONLY})
# Names the build that the job belongs to; `fleetcc run` sets it.
BUILD_VARIABLE: Final = b"FLEETCC_BUILD"
_LONGEST_BUILD: Final = 100
_SPOKE: Final = frozenset({Reason.COMPILER_SPOKE, Reason.PREPROCESSOR_SPOKE})


class Carrier:
    """One job; made when its request has arrived."""

    def __init__(self, services: Services, connection: LauncherConnection, request: JobRequest) -> None:
        self._services = services
        self._connection = connection
        self._environment = _environment_of(request.environment)
        build = self._environment.get(BUILD_VARIABLE, b"")
        if build:  # nothing else of the job depends on it, and what is known of the job must not
            request = _without_build(request)
            self._environment = _environment_of(request.environment)
        self._request = request
        self._settings: Settings | None = None
        self._story: Story = services.stories.begin(request.argv, request.cwd, _name_of_build(build))
        self.leased = False  # the compiler runs here: that the launcher goes is its end, not a cancellation

    async def carry(self) -> None:
        """From argv to outcome; ends with the launcher having been told, or gone."""
        try:
            await self._carry()
        except LauncherGoneError:
            self._story.end("cancelled")
        except asyncio.CancelledError:
            self._story.end("cancelled")
            raise
        except UsageError as error:
            await self._run_here_whatever_happened(Reason.BAD_SETTINGS, str(error))
        except Exception as error:
            log.exception("job failed in the agent: %s", self._story.label)
            await self._run_here_whatever_happened(Reason.INTERNAL_ERROR, repr(error))

    async def _carry(self) -> None:
        request, services, environment = self._request, self._services, self._environment
        settings = self._settings = load_settings(environment)
        if not _same_file_system(request):
            await self._run_here(Reason.OTHER_FILE_SYSTEM, os.fsdecode(request.cwd))
            return
        compiler = await services.compilers.get(request.program, request.argv[0], environment)
        planned = services.plans.plan(
            request.argv, request.cwd, request.environment, environment, compiler, settings
        )
        if isinstance(planned, RunHere):
            await self._run_here_or_fail(planned.reason, planned.detail, settings)
            return
        self._story.source = planned.source
        name = compiler.remote_name if settings.rewrite_names else None
        needs = Needs(
            await services.compilers.identity(request.program, environment),
            name or os.path.basename(request.argv[0]),
            planned.forms,
            files=planned.shipment is not None,
        )
        invocation = Invocation(
            request.program, request.argv, request.cwd, environment, request.umask, request.is_terminal
        )
        await self._send(planned, invocation, needs, settings)

    async def _send(self, planned: Send, invocation: Invocation, needs: Needs, settings: Settings) -> None:
        now = asyncio.get_running_loop().time()
        way = RemoteWay(self._services, self._connection, self._story, invocation, planned, needs, settings)
        try:
            on_localhost = await way.carry()
        except RunLocallyError as error:
            if error.reason in _SPOKE:
                self._services.spoke.remember(self._request.cwd, planned.source, planned.output, now)
            await self._run_here_or_fail(error.reason, error.detail, settings)
            return
        if on_localhost is not None:
            await self._run_on_localhost(on_localhost, settings)
            return
        self._log_if_asked(settings)

    async def _run_on_localhost(self, granted: OnLocalhost, settings: Settings) -> None:
        """`localhost` in the list was free first; its slot is held already."""
        self._story.reason, self._story.detail = Reason.LOCALHOST_ENTRY, ""
        try:
            await self._exec_and_wait(settings)
        finally:
            self._services.fleet.local_is_over(granted)

    async def _run_here_or_fail(self, reason: Reason, detail: str, settings: Settings) -> None:
        """Run here what the fleet could not do, or say loudly that it could not."""
        if settings.fallback or reason not in _INFRASTRUCTURE:
            await self._run_here(reason, detail)
            return
        self._story.end("failed", reason, detail)
        text = f"{self._story.label}: {reason.text}" + (f" ({printable(detail)})" if detail else "")
        await self._connection.send(encode_answer(b"F", os.fsencode(text), flag=ExitCode.NO_HOSTS))

    async def _run_here_whatever_happened(self, reason: Reason, detail: str) -> None:
        try:
            await self._run_here(reason, detail)
        except LauncherGoneError:
            self._story.end("cancelled")

    async def _run_here(self, reason: Reason, detail: str = "") -> None:
        """Lease a local slot and let the launcher exec the compiler."""
        self._story.reason, self._story.detail = reason, detail
        settings = self._settings
        if reason is Reason.NOT_A_COMPILE or settings is None:
            await self._exec_and_wait(settings)
            return
        use = Use.PREPROCESS if reason in _PREPROCESSING else Use.COMPILE
        self._story.waits_here()
        await self._services.acquire_local(use, settings)
        try:
            await self._exec_and_wait(settings)
        finally:
            self._services.local.release(use)

    async def _exec_and_wait(self, settings: Settings | None) -> None:
        self._story.runs_here()
        if settings is not None:
            if settings.verbose:
                await self._connection.send(verbose_answer(self._story))
            self._log_if_asked(settings)
        self.leased = True
        await self._connection.send(encode_answer(b"X"))
        await self._connection.until_gone()
        self._story.end("done")

    def _log_if_asked(self, settings: Settings) -> None:
        if settings.log:
            path = os.path.join(os.fsdecode(self._request.cwd), settings.log)
            self._services.stories.append_to(path, self._story)


@lru_cache(maxsize=64)  # the jobs of a build have a handful of them
def _environment_of(variables: tuple[bytes, ...]) -> Mapping[bytes, bytes]:
    pairs = (variable.partition(b"=") for variable in variables)
    return {name: value for name, _, value in pairs}


def _without_build(request: JobRequest) -> JobRequest:
    prefix = BUILD_VARIABLE + b"="
    kept = tuple(variable for variable in request.environment if not variable.startswith(prefix))
    return dataclasses.replace(request, environment=kept)


@lru_cache(maxsize=64)
def _name_of_build(value: bytes) -> str:
    return printable(value)[:_LONGEST_BUILD]


def _same_file_system(request: JobRequest) -> bool:
    """Does the agent see the launcher's directory under the same name? (Containers may share a socket.)"""
    try:
        status = os.stat(request.cwd)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == request.cwd_identity
