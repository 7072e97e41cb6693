"""The app on a screen that nobody sees, fed through a real socket by an agent that a test plays."""

import asyncio
import os
from collections.abc import Callable
from typing import TypeAlias

import msgspec
import pytest
from textual.pilot import Pilot as AnyPilot

from fleetcc.agent.client import connect_events
from fleetcc.errors import FleetccError, UsageError
from fleetcc.monitor.events import Job, Lost, encode
from fleetcc.monitor.top.app import Top
from tests.support.event_agent import START, EventAgent, a_hello, some_jobs

Pilot: TypeAlias = AnyPilot[FleetccError | None]
NOBODY = "no agent serves the folder; the first compile starts one"
SMALL, LARGE = (80, 24), (200, 50)


def an_app(tmp_path) -> Top:
    return Top(lambda: connect_events(os.fspath(tmp_path / "agent")), NOBODY, clock=lambda: START + 10)


def an_agent(tmp_path, **fields) -> EventAgent:
    return EventAgent(tmp_path / "agent", a_hello(total=66, **fields))


def screen(pilot: Pilot) -> list[str]:
    return [strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips()]


def window(pilot: Pilot) -> list[str]:
    """The lines of the details, without what is beside them."""
    return [line.split("│")[1].strip() for line in screen(pilot) if line.count("│") == 2]


async def until(pilot: Pilot, is_so: Callable[[], bool]) -> None:
    """Let the app work until it is so."""
    try:
        async with asyncio.timeout(30):
            while not is_so():
                await pilot.pause()
    except TimeoutError:
        pytest.fail("it did not come to that:\n" + "\n".join(screen(pilot)))


async def until_shown(pilot: Pilot, *texts: str) -> None:
    await until(pilot, lambda: all(text in "\n".join(screen(pilot)) for text in texts))


async def until_gone(pilot: Pilot, text: str) -> None:
    await until(pilot, lambda: text not in "\n".join(screen(pilot)))


async def fill(pilot: Pilot, agent: EventAgent) -> None:
    await until(pilot, lambda: bool(agent.viewers))
    agent.tell(*some_jobs())
    await until_shown(pilot, "ui/later.cc")


async def test_everything_has_its_place_on_eighty_columns(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await fill(pilot, agent)

        assert screen(pilot) == [
            "agent fleetcc 0.1.0, pid 7  build b-17",
            "72 jobs  0.1 jobs/s  3 on 2 hosts with 6 slots  1 waiting  1 here  1 uploading",
            "sent 1.9 MB, 1.9 MB/s  received 2.9 KB, 2.9 KB/s  load 1.5  3.0 GB free",
            "host       slots        jobs  speed    done",
            "localhost  ■·            1/2              0",
            "b1         ■■··          2/4   1.25       1",
            "b2         ▲·            1/2   0.50       0",
            "b3         down: connection refused, tried again after 4.0 s",
            "state         host/slot            s     of  5 jobs, longest first",
            "compiling     b1/0              10.0   12.0  core/main.cc  /src/app",
            "compiling     b1/1               6.0         core/parse.cc  /src/app",
            "uploading     b2/0               2.0         ui/window.cc",
            "compiling     localhost/0        1.0         app  linking",
            "waiting                          1.0         ui/later.cc",
            *[""] * 6,
            "  here  because: 5 of 66 jobs (8 %)",
            "     4  linking                 calls the linker: there is no -c or -S",
            "     1  no-hosts                no host list: set FLEETCC_HOSTS or write ~/.con…",
            "q quit  s sort  / filter  enter details  tab pane  f ended  p pause  ? help",
        ]


async def test_a_large_screen_shows_more(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=LARGE) as pilot:
        await fill(pilot, agent)
        jobs = [Job(job=n, time=START + 9, state="waiting", label=f"unit{n}.cc") for n in range(100, 130)]
        agent.tell(*jobs)
        await until_shown(pilot, "35 jobs, longest first", "unit129.cc")

        shown = screen(pilot)
        assert len(shown) == 50
        assert sum("unit" in line for line in shown) == 30
        assert any("set FLEETCC_HOSTS or write ~/.config/fleetcc/hosts" in line for line in shown)


async def test_an_ended_job_leaves_the_screen(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await fill(pilot, agent)

        agent.tell(Job(job=4, time=START + 10, state="done", status=0))

        await until_shown(pilot, "     5  linking", "localhost  ··            0/2              1")
        assert not any(line.startswith("compiling     localhost") for line in screen(pilot))


async def test_s_goes_through_the_orders(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await fill(pilot, agent)

        for order in ("by state", "by host", "by name"):
            await pilot.press("s")
            await until_shown(pilot, order)
        assert screen(pilot)[9].startswith("compiling     localhost/0")
        await pilot.press("s")
        await until_shown(pilot, "longest first")


async def test_a_filter_follows_the_typing_stays_with_enter_and_goes_with_escape(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await fill(pilot, agent)

        await pilot.press("slash", *"ui q")
        await until_shown(pilot, "0 of 5 jobs, with ui q")
        await pilot.press("backspace", "backspace")
        await until_shown(pilot, "2 of 5 jobs, with ui, longest first")
        await pilot.press("enter")
        await until(pilot, lambda: not pilot.app.query_one("#filter").display)
        assert [line.split()[-1] for line in screen(pilot)[9:11]] == ["ui/window.cc", "ui/later.cc"]
        assert screen(pilot)[11] == ""

        await pilot.press("escape")
        await until_shown(pilot, "  5 jobs", "core/main.cc")


async def test_enter_tells_all_about_the_job_under_the_cursor_and_goes_on_telling(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await fill(pilot, agent)

        await pilot.press("down", "down", "down", "enter")
        await until_shown(pilot, "because     linking: calls the linker: there is no -c or -S")
        await until_shown(pilot, "compiling on localhost")

        agent.tell(Job(job=4, time=START + 12, state="failed", detail="disk full", seconds=3.0))
        await until_shown(
            pilot,
            "state       failed on localhost, slot 0",
            "linking: calls the linker: there is no -c or -S; disk",
        )
        await pilot.press("escape")
        await until_gone(pilot, "because     linking")


async def test_phases_of_a_job_have_their_times(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await fill(pilot, agent)
        agent.tell(Job(job=1, time=START + 9, state="waiting"))
        agent.tell(Job(job=1, time=START + 9.5, state="compiling", host="b2.example.com:3632", slot=1))
        await until_shown(pilot, "compiling     b2/1")

        await pilot.press("home", "enter")

        await until_shown(pilot, "mode        files, 420 files", "predicted   12.0 s")
        await until(pilot, lambda: "after         for  what" in window(pilot))
        lines = window(pilot)
        first = lines.index("after         for  what") + 1
        assert [line.split(maxsplit=4) for line in lines[first : first + 6]] == [
            ["0", "ms", "500", "ms", "planning"],
            ["500", "ms", "500", "ms", "waiting"],
            ["1.0", "s", "1.0", "s", "uploading on b1:3632"],
            ["2.0", "s", "7.0", "s", "compiling on b1:3632"],
            ["9.0", "s", "500", "ms", "waiting"],
            ["9.5", "s", "500", "ms", "compiling on b2.example.com:3632"],
        ]


async def test_the_cursor_stays_with_its_job(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await fill(pilot, agent)
        await pilot.press("down")  # core/parse.cc

        agent.tell(Job(job=1, time=START + 10, state="done", reason="remote"))
        await until_gone(pilot, "core/main.cc")
        await pilot.press("enter")

        await until_shown(pilot, "state       compiling on b1:3632, slot 1")


async def test_tab_leads_through_the_panes_and_enter_tells_of_each(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await fill(pilot, agent)

        await pilot.press("tab", "enter")
        await until_shown(pilot, "meaning     calls the linker")
        await pilot.press("q")
        await until_gone(pilot, "meaning")
        await pilot.press("tab", "down", "enter")
        await until_shown(pilot, "server      fleetccd 0.1.0", "jobs        core/main.cc, core/parse.cc")
        await pilot.press("escape", "shift+tab")
        await until(pilot, lambda: getattr(pilot.app.focused, "id", "") == "reasons")


async def test_f_shows_what_has_ended(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await fill(pilot, agent)

        await pilot.press("f")

        await until_shown(pilot, "ended too", "done          b1/2               6.0         tiny.c")


async def test_a_paused_picture_stands_still_until_p_again(tmp_path):
    app = an_app(tmp_path)
    async with an_agent(tmp_path) as agent, app.run_test(size=SMALL) as pilot:
        await fill(pilot, agent)

        await pilot.press("p")
        await until_shown(pilot, "PAUSED: p goes on")
        news = app.feed.news
        agent.tell(Job(job=50, time=START + 10, state="waiting", label="new.cc"))
        agent.tell(Job(job=5, time=START + 10, state="done"))
        await until(pilot, lambda: app.feed.news == news + 2)
        await pilot.press("s")
        await until_shown(pilot, "by state", "ui/later.cc")
        assert not any("new.cc" in line for line in screen(pilot))

        await pilot.press("p")
        await until_shown(pilot, "new.cc")
        await until_gone(pilot, "ui/later.cc")


async def test_question_mark_helps(tmp_path):
    async with an_agent(tmp_path), an_app(tmp_path).run_test(size=SMALL) as pilot:
        await pilot.press("question_mark")
        await until_shown(pilot, "hold the picture still", "taken under ■ 2 s", "■ longer", "▲ uploading")
        await pilot.press("question_mark")
        await until_gone(pilot, "hold the picture still")


async def test_q_quits(tmp_path):
    app = an_app(tmp_path)
    async with an_agent(tmp_path), app.run_test(size=SMALL) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)

    assert app.return_value is None


async def test_it_waits_for_an_agent_and_for_the_next_one(tmp_path):
    (tmp_path / "agent").mkdir(mode=0o700)
    async with an_app(tmp_path).run_test(size=SMALL) as pilot:
        await until_shown(pilot, NOBODY)

        async with an_agent(tmp_path) as agent:
            await fill(pilot, agent)
            assert screen(pilot)[0].startswith("agent fleetcc 0.1.0, pid 7")
        await until_shown(pilot, NOBODY)  # it says first that the agent has left
        assert "core/main.cc" in "\n".join(screen(pilot))  # how it was

        async with an_agent(tmp_path, pid=8):
            await until_shown(pilot, "pid 8")
            await until_gone(pilot, "core/main.cc")


async def test_lost_events_are_told_and_made_good_by_a_new_picture(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await fill(pilot, agent)
        agent.hello = a_hello(time=START + 20, total=80)  # everything has ended, unseen

        agent.tell(Lost(count=345))
        await until_shown(pilot, "lost 345 events")

        await until_shown(pilot, "80 jobs")
        assert agent.welcomed == 2
        await until_gone(pilot, "core/main.cc")
        assert "lost 345 events" in screen(pilot)[0]


async def test_what_it_does_not_know_is_passed_over(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await until(pilot, lambda: bool(agent.viewers))
        line = msgspec.json.encode({"event": "moon", "phase": "full"}) + b"\n"
        job = encode(Job(job=1, time=START, state="waiting", label="a.cc")).replace(b"{", b'{"new":1,')

        agent.write(line + b"\xff\xfe\n" + job[:10])
        agent.write(job[10:])

        await until_shown(pilot, "a.cc")


async def test_a_stream_of_another_version_is_said_so(tmp_path):
    agent = an_agent(tmp_path)
    agent.hello.version = 99
    async with agent, an_app(tmp_path).run_test(size=(150, 24)) as pilot:
        await until_shown(pilot, "events have version 99 where 1 is known; `fleetcc agent stop`")


async def test_a_folder_that_can_never_be_used_ends_it():
    def connect():
        raise UsageError("cannot use the agent's folder")

    app = Top(connect, NOBODY)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: not app.is_running)

    assert str(app.return_value) == "cannot use the agent's folder"


async def test_names_from_a_build_cannot_change_the_screen(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await until(pilot, lambda: bool(agent.viewers))

        agent.tell(Job(job=1, time=START, state="waiting", label="\x1b[2Jx[bold]y\u202e/建造.cc"))

        await until_shown(pilot, "\\x1b[2Jx[bold]y\\u202e/建造.cc")


async def test_a_terminal_of_another_size_gets_other_rows(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await fill(pilot, agent)

        await pilot.resize_terminal(120, 30)
        await until_shown(pilot, "set FLEETCC_HOSTS or write ~/.config/fleetcc/hosts")
        await pilot.resize_terminal(30, 8)
        await until(pilot, lambda: len(screen(pilot)) == 8)
        await until_shown(pilot, "agent fleetcc 0.1.0, pid 7", "localhost")
        await pilot.resize_terminal(80, 24)
        await until_shown(pilot, "core/main.cc  /src/app", "q quit  s sort")


async def test_more_jobs_than_rows_can_be_walked_through(tmp_path):
    async with an_agent(tmp_path) as agent, an_app(tmp_path).run_test(size=SMALL) as pilot:
        await until(pilot, lambda: bool(agent.viewers))
        agent.tell(*(Job(job=n, time=START + n / 100, state="waiting", label=f"u{n}.cc") for n in range(300)))
        await until_shown(pilot, "300 jobs", "u0.cc")

        await pilot.press("end")
        await until_shown(pilot, "u299.cc")
        await pilot.press("up", "enter")
        await until_shown(pilot, "job         298")
        await pilot.press("escape", "home")
        await until_shown(pilot, "u0.cc")
        await pilot.press("pagedown")
        await until_gone(pilot, "u0.cc")
