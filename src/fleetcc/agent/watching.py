"""Those who watch this agent: each gets the stream of events over its own connection to the agent's socket.

Nobody watches: jobs and hosts find no watcher and tell nothing. Somebody does: they say only that something
has changed, and a moment later all that has changed is told to all at once, so that many jobs a second do not
wake every viewer many times a second. A viewer that does not read keeps one batch waiting for its socket and
a bounded number of lines (`monitor.bus`); it slows nobody. Viewers do not keep the agent from leaving.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from typing import Final

import msgspec

from fleetcc import __version__
from fleetcc.agent.launcher_connection import LauncherConnection, LauncherGoneError
from fleetcc.agent.local_slots import Use
from fleetcc.agent.services import Services
from fleetcc.agent.story import Story
from fleetcc.agent.telling import events_of, picture_of
from fleetcc.monitor.bus import Bus, Viewer
from fleetcc.monitor.events import Hello, Host, Local
from fleetcc.wire.launcher import encode_answer

log = logging.getLogger(__name__)

# Soon enough for eyes, and seldom enough to cost nothing.
TELL_SECONDS: Final = 0.05
# What changes all the time: this machine's figures, the speeds of hosts.
LOOK_SECONDS: Final = 1.0

# Each costs a descriptor and, where it does not read, a few MB.
MOST_VIEWERS: Final = 32


class Watching:
    """The viewers of one agent; the `Watcher` of its jobs and hosts while there are any."""

    def __init__(self, services: Services, tasks: asyncio.TaskGroup, left: Callable[[], None]) -> None:
        self._services = services
        self._tasks = tasks
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._bus = Bus(self._hello)
        self._viewers: dict[LauncherConnection, asyncio.Task[None]] = {}
        self._told: dict[int, int] = {}  # phases, by the number of the job
        self._moved: dict[int, Story] = {}
        self._changed: dict[str, None] = {}  # hosts
        self._hosts: dict[str, Host] = {}  # as they were told
        self._local = Local(time=0.0)
        self._telling: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None

    @property
    def count(self) -> int:
        """How many watch."""
        return len(self._viewers)

    def welcome(self, connection: LauncherConnection) -> None:
        """A viewer: it has the stream until it goes, or until the agent does."""
        self._viewers[connection] = self._tasks.create_task(self._serve(connection))

    def has_lost(self, connection: LauncherConnection) -> bool:
        """This connection has ended: whether it was a viewer's."""
        task = self._viewers.get(connection)
        if task is None:
            return False
        # Not at once: a task that is cancelled before its first step never gets to its clearing up.
        self._loop.call_soon(task.cancel)
        return True

    async def close(self) -> None:
        """The agent leaves: tell what is to tell to those who read, and close all."""
        self._tell()
        await asyncio.sleep(0)  # what fits into their sockets is on its way now
        for task in self._viewers.values():
            task.cancel()

    # -- the Watcher of jobs and hosts

    def job_moved(self, story: Story) -> None:
        """It is in another state, or at another host."""
        self._moved[story.number] = story
        if self._telling is None:
            self._telling = self._loop.call_later(TELL_SECONDS, self._tell)

    def host_changed(self, host: str) -> None:
        """Something is different about this host."""
        self._changed[host] = None
        if self._telling is None:
            self._telling = self._loop.call_later(TELL_SECONDS, self._tell)

    # -- viewers

    async def _serve(self, connection: LauncherConnection) -> None:
        viewer: Viewer | None = None
        try:
            if len(self._viewers) > MOST_VIEWERS:
                answer = {"error": f"{MOST_VIEWERS} watch already"}
                await connection.send(encode_answer(b"C", msgspec.json.encode(answer)))
                return
            viewer = self._watch()
            await connection.send(encode_answer(b"C"))
            async with contextlib.aclosing(viewer.batches()) as batches:
                async for lines in batches:
                    await connection.send(lines)
        except LauncherGoneError:
            return
        except Exception:  # jobs go on
            log.exception("events for a viewer failed")
        finally:
            if viewer is not None:
                viewer.close()
            del self._viewers[connection]
            connection.close()
            self._rest_if_alone()
            self._left()

    def _watch(self) -> Viewer:
        """With the picture as it is, which has everything that is still to be told to the others."""
        if self._bus.is_watched:
            self._tell()
            self._tell_figures()
        else:
            self._services.stories.watcher = self._services.fleet.watcher = self
            self._looking = self._loop.call_later(LOOK_SECONDS, self._look)
        return self._bus.watch()

    def _rest_if_alone(self) -> None:
        if self._bus.is_watched:
            return
        self._services.stories.watcher = self._services.fleet.watcher = None
        for timer in (self._telling, self._looking):
            if timer is not None:
                timer.cancel()
        self._telling = self._looking = None
        for memory in (self._told, self._moved, self._changed, self._hosts):
            memory.clear()

    # -- what is told

    def _tell(self) -> None:
        """All that has changed."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        now = time.time()
        for host in self._changed:
            self._tell_host(host, now)
        self._changed.clear()
        for number, story in self._moved.items():
            for event in events_of(story, self._told.get(number, 0)):
                self._bus.publish(event)
            if story.ended is None:
                self._told[number] = len(story.phases)
            else:
                self._told.pop(number, None)
        self._moved.clear()

    def _tell_host(self, host: str, now: float) -> None:
        view = self._services.fleet.view(host)
        if view.state == "gone":
            if self._hosts.pop(host, None) is None:
                return
        else:
            self._hosts[host] = view
        self._bus.publish(msgspec.structs.replace(view, time=now))

    def _look(self) -> None:
        """Once a second."""
        self._looking = self._loop.call_later(LOOK_SECONDS, self._look)
        self._tell_figures()

    def _tell_figures(self) -> None:
        """What changes without anybody saying so."""
        now = time.time()
        for host in self._services.fleet.hosts:
            view = self._services.fleet.view(host)
            if _is_news(self._hosts.get(host), view):
                self._hosts[host] = view
                self._bus.publish(msgspec.structs.replace(view, time=now))
        local = self._machine()
        if local != self._local:
            self._local = local
            self._bus.publish(msgspec.structs.replace(local, time=now))

    def _hello(self) -> Hello:
        """How everything is now."""
        services, now = self._services, time.time()
        self._hosts = {host: services.fleet.view(host) for host in services.fleet.hosts}
        self._local = self._machine()
        stories = services.stories
        self._told = {number: len(story.phases) for number, story in stories.running.items()}
        return Hello(
            source="agent", program=f"fleetcc {__version__}", pid=os.getpid(), time=now,
            local=msgspec.structs.replace(self._local, time=now),
            hosts=tuple(msgspec.structs.replace(view, time=now) for view in self._hosts.values()),
            jobs=tuple(picture_of(story) for story in stories.running.values()),
            total=stories.total, by_reason=dict(stories.by_reason),
        )  # fmt: skip

    def _machine(self) -> Local:
        local, processors = self._services.local, self._services.processors
        return Local(
            time=0.0,
            processors=processors,
            slots=local.compile_limit or processors,
            running=local.total_taken,
            waiting=sum(local.waiting_count(use) for use in Use),
            load=round(os.getloadavg()[0], 1),
        )


def _is_news(told: Host | None, now: Host) -> bool:
    """That a pause goes by is none; its begin and its end are."""
    if told is None or bool(told.pause) != bool(now.pause):
        return True
    return msgspec.structs.replace(told, pause=now.pause) != now
