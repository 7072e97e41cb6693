"""The page in a real browser, fed with events made by hand."""

from urllib.parse import urlsplit

import pytest

from fleetcc.monitor.events import Host, Job, Local, Lost, State
from tests.support.browser import ROWS, Browser, browser, missing, requests_of, rows
from tests.support.web_page import Fleet, busy_build, serve_page

__all__ = ["browser"]  # fixture

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "a browser is there")

PIXELS = """
    const timeline = document.getElementById("timeline");
    const { width, height } = timeline;
    const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(timeline, 0, 0);
    const data = copy.getImageData(0, 0, width, height).data;
"""
COLOURS = f"""{PIXELS}
    const found = {{}};
    for (let at = 0; at < data.length; at += 4) {{
      const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
      found[colour] = (found[colour] ?? 0) + 1;
    }}
    return found;
"""
# The middle, in the window, of the frame around the job that is chosen.
CHOSEN = f"""{PIXELS}
    const [xs, ys] = [[], []];
    for (let at = 0; at < data.length; at += 4) {{
      if (((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]) !== 0xc2410c) continue;
      xs.push((at / 4) % width);
      ys.push(Math.floor(at / 4 / width));
    }}
    const box = timeline.getBoundingClientRect();
    const middle = (all) => (Math.min(...all) + Math.max(...all)) / 2;
    return [box.left + middle(xs), box.top + middle(ys)];
"""


async def focused(browser: Browser) -> str:
    """What has the focus, in words."""
    text: str = await browser.run(
        "const e = document.activeElement;"
        "return `${e.id || e.localName} ${e.localName === 'main' ? '' : e.innerText}`"
    )
    return text.strip()


async def test_hosts_jobs_and_reasons_are_shown_as_they_change(browser: Browser) -> None:
    fleet = Fleet(hosts=3, slots=2)
    async with serve_page(fleet) as url:
        await browser.go(url)
        await browser.until("document.querySelectorAll('#host-table tbody tr').length === 4")
        first, second = fleet.start("build2", 0, "src/parse/lexer.cc"), fleet.start("localhost", 1, "main.c")
        fleet.wait("late.c")
        await browser.until(ROWS.format("now-table") + ".length === 3")
        assert [row[:3] for row in await rows(browser, "now-table")] == [
            ["src/parse/lexer.cc", "compiling", "build2, slot 1"],
            ["main.c", "compiling", "here, slot 2"],
            ["late.c", "waiting", ""],
        ]
        fleet.time += 2
        fleet.end(first, cpu_seconds=1.9)
        fleet.end(second, "failed", "linking")
        fleet.bus.publish(
            Host(host="build3", time=fleet.time, state="down", slots=2, why="connection refused", pause=4.0)
        )
        await browser.until(ROWS.format("ended-table") + ".length === 2")
        ended = await rows(browser, "ended-table")
        assert [row[:5] for row in ended] == [
            ["main.c", "failed, status 1", "here, slot 2", "linking", "2.4 s"],
            ["src/parse/lexer.cc", "done", "build2, slot 1", "remote", "2.4 s"],
        ]
        await browser.until(ROWS.format("host-table") + "[3][1].includes('connection refused')")
        hosts = {row[0]: row[1:] for row in await rows(browser, "host-table")}
        assert hosts["build2"][:4] == ["up", "0 jobs on 2", "1", "0"]
        assert hosts["here (this machine)"][:4] == ["up", "0 jobs on 4", "0", "1"]
        assert hosts["build3"][0] == "down, left alone 4.0 s: connection refused"
        await browser.until(ROWS.format("reason-table") + ".length === 1")
        [[count, reason, text]] = await rows(browser, "reason-table")
        assert (count, reason) == ("1", "linking")
        assert text == "calls the linker: there is no -c or -S"
        figures = await browser.run(
            "return Object.fromEntries([...document.querySelectorAll('#figures div')].map("
            "(pair) => [...pair.children].map((each) => each.innerText)))"
        )
        expected = {"Running": "0", "Here": "0", "Waiting": "1", "Done": "1", "Failed": "1", "Sent": "80 kB"}
        assert expected.items() <= figures.items()


async def test_the_keyboard_reaches_everything(browser: Browser) -> None:
    fleet = Fleet(hosts=12, slots=2)
    async with serve_page(fleet) as url:
        await browser.go(url)
        fleet.start("build2", 1, "deep/in/a.cc")
        await browser.until(ROWS.format("now-table") + ".length === 1")
        await browser.until(ROWS.format("host-table") + ".length === 13")
        await browser.press("Tab")
        assert await focused(browser) == "skip Skip to the content"
        await browser.press("Enter")
        assert await focused(browser) == "main"
        assert await browser.run("return location.hash") == ""
        await browser.press("Tab")
        assert (await focused(browser)).startswith("button Host")
        await browser.press("Enter")  # by name, ascending
        assert await browser.run("return document.querySelector('#host-table th').ariaSort") == "ascending"
        await browser.press(*["Tab"] * 7, "ArrowDown", "ArrowDown")
        assert (await focused(browser)).startswith("tr build3")
        outline = await browser.run("return getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        await browser.press("End")
        assert (await focused(browser)).startswith("tr here")
        await browser.press("Home", "ArrowDown", "Enter")
        await browser.until("document.getElementById('title').innerText === 'build2'")
        assert await browser.run("return location.hash") == "#/host/build2"
        assert await browser.run("return document.title") == "build2 - fleetcc"
        assert await focused(browser) == "main"
        assert await browser.run("return document.getElementById('hosts').hidden")
        await browser.run("document.querySelector('#now-table tbody tr').focus()")
        await browser.press("Enter")
        assert (await focused(browser)).startswith("details a.cc")
        await browser.press("Escape")
        assert (await focused(browser)).startswith("tr deep/in/a.cc")


async def test_a_host_has_a_page_of_its_own(browser: Browser) -> None:
    fleet = Fleet(hosts=3, slots=2)
    async with serve_page(fleet) as url:
        fleet.bus.publish(fleet.host("build1"))
        await browser.go(f"{url}#/host/build2")
        await browser.until("document.body.dataset.state === 'live'")
        other, mine = fleet.start("build1", 0, "other.cc"), fleet.start("build2", 1, "mine.cc")
        fleet.start("build2", 0, "now.cc")
        fleet.time += 3
        fleet.end(other)
        fleet.end(mine)
        fleet.bus.publish(fleet.host("build2", "draining", why="it was told to leave"))
        await browser.until(ROWS.format("ended-table") + ".length === 1")
        assert [row[0] for row in await rows(browser, "ended-table")] == ["mine.cc"]
        await browser.until(ROWS.format("now-table") + ".length === 1")
        assert [row[0] for row in await rows(browser, "now-table")] == ["now.cc"]
        await browser.until("document.getElementById('place').innerText.includes('draining')")
        place = await browser.run("return document.getElementById('place').innerText")
        assert place == "draining: it was told to leave · fleetccd 0.6.0"
        figures = await browser.run("return document.getElementById('figures').innerText.split('\\n')")
        assert [figures[figures.index(name) + 1] for name in ("Slots", "Done", "Speed", "Takes")] == [
            "2", "1", "1.25", "files",
        ]  # fmt: skip
        await browser.go(f"{url}#/host/nobody%2F%25")
        await browser.until("document.getElementById('place').innerText === 'No host of this name is known.'")
        assert await browser.run("return document.getElementById('title').innerText") == "nobody/%"


async def test_a_client_that_nobody_has_seen_is_told(browser: Browser) -> None:
    async with serve_page(Fleet(source="server")) as url:
        await browser.go(f"{url}#/client/nobody")
        await browser.until("document.getElementById('place').innerText.startsWith('No job of this client')")


async def test_on_a_phone_tables_scroll_in_their_frames_and_nothing_overlaps(browser: Browser) -> None:
    fleet = Fleet()
    async with serve_page(fleet) as url:
        await browser.devtools(
            "Emulation.setDeviceMetricsOverride", width=375, height=812, deviceScaleFactor=1, mobile=True
        )
        await browser.go(url)
        await browser.until("document.body.dataset.state === 'live'")
        busy_build(fleet, rounds=2)
        await browser.until(ROWS.format("host-table") + ".length === 5")

        assert await browser.run("return document.documentElement.scrollWidth") == 375
        assert await browser.run(
            "return [...document.querySelectorAll('th')].filter((cell) => cell.offsetParent"
            " && cell.scrollWidth > cell.clientWidth).map((cell) => cell.innerText)"
        ) == []  # fmt: skip
        assert await browser.run(
            "const [title, find] = ['ended-title', 'find'].map((id) => document.getElementById(id));"
            "return title.getBoundingClientRect().bottom <= find.getBoundingClientRect().top"
        )


async def test_the_timeline_tells_of_each_job_to_pointer_and_keys(browser: Browser) -> None:
    fleet = Fleet(hosts=2, slots=2)
    async with serve_page(fleet) as url:
        await browser.go(url)
        await browser.until("document.body.dataset.state === 'live'")
        first, bad = fleet.start("build1", 0, "src/first.cc"), fleet.start("build1", 1, "src/bad.cc")
        fleet.time += 10
        fleet.end(first)
        second = fleet.start("build1", 0, "src/second.cc", detail="after first")
        fleet.time += 10
        fleet.end(second)
        fleet.end(bad, "failed")
        await browser.until(ROWS.format("ended-table") + ".length === 3")
        canvas = "document.getElementById('timeline')"
        await browser.run(f"{canvas}.scrollIntoView(); {canvas}.focus()")
        await browser.press("ArrowRight")
        said = "document.getElementById('said').innerText"
        assert await browser.run(f"return {said}") == "second.cc · done · build1, slot 1 · 10 s"
        await browser.press("ArrowLeft")
        assert (await browser.run(f"return {said}")).startswith("first.cc · done")
        await browser.press("ArrowLeft", "ArrowDown")
        assert (await browser.run(f"return {said}")).startswith("bad.cc · failed")
        await browser.press("ArrowUp", "ArrowRight", "Enter")
        details = await browser.run("return document.getElementById('details').innerText")
        assert await focused(browser) == f"details {details}".strip()
        for expected in ("second.cc", "after first", "/home/me/project", "compiling (build1): 10 s", "40 kB"):
            assert expected in details
        await browser.press("Escape")
        assert (await focused(browser)).startswith("timeline")
        assert (await browser.run(COLOURS)).get(str(0xC62828), 0) > 500  # bad.cc is red
        await browser.point(*await browser.run(CHOSEN))
        await browser.until("document.getElementById('tip').innerText.startsWith('second.cc')")
        await browser.press("+", "+", "PageUp", "0", "-", "PageDown", "End")
        pressed = await browser.run("return document.querySelector('[data-do=now]').ariaPressed")
        assert pressed == "true"


async def test_dark_and_light_follow_what_the_user_prefers(browser: Browser) -> None:
    fleet = Fleet(hosts=3, slots=3)
    async with serve_page(fleet) as url:
        await browser.go(url)
        await browser.until("document.body.dataset.state === 'live'")
        busy_build(fleet, 8)
        await browser.until(ROWS.format("ended-table") + ".length > 20")
        shots, grounds = [], []
        for scheme in ("light", "dark"):
            await browser.prefers(scheme)
            await browser.until("matchMedia(`(prefers-color-scheme: ${arguments[0]})`).matches", scheme)
            shots.append(await browser.screenshot())
            grounds.append(await browser.run("return getComputedStyle(document.body).backgroundColor"))
            colours = await browser.run(COLOURS)
            assert int(max(colours, key=lambda colour: colours[colour])) == (
                0xFFFFFF if scheme == "light" else 0x12161B
            )
        assert shots[0] != shots[1]
        assert grounds == ["rgb(255, 255, 255)", "rgb(18, 22, 27)"]


async def test_it_says_that_it_is_disconnected_and_connects_again(browser: Browser) -> None:
    before = Fleet(hosts=1)
    before.start("build1", 0, "before.cc")
    async with serve_page(before) as url:
        await browser.go(url)
        await browser.until(ROWS.format("now-table") + ".length === 1")
    await browser.until("document.getElementById('banner').innerText.startsWith('Disconnected')")
    after = Fleet(hosts=2, pid=4712)
    async with serve_page(after, urlsplit(url).port or 0):
        await browser.until("document.getElementById('banner').hidden")
        await browser.until(ROWS.format("host-table") + ".length === 3")
        await browser.until(ROWS.format("now-table") + ".length === 0")
        who = await browser.run("return document.getElementById('who').innerText")
        assert who == "fleetcc 0.6.0, agent with pid 4712"


async def test_events_that_were_lost_are_told_and_the_picture_is_asked_for_anew(browser: Browser) -> None:
    fleet = Fleet(hosts=1)
    async with serve_page(fleet) as url:
        await browser.go(url)
        await browser.until("document.body.dataset.state === 'live'")
        fleet.bus.publish(
            Job(job=900, time=fleet.time, state="compiling", label="gone.cc", host="build1", slot=0)
        )
        await browser.until(ROWS.format("now-table") + ".length === 1")
        fleet.bus.publish(Lost(count=1234))
        await browser.until("document.getElementById('lost').innerText.includes('1,234 events lost')")
        await browser.until(ROWS.format("now-table") + ".length === 0")
        assert len([url for url in await requests_of(browser) if url.endswith("/events")]) == 2
        await browser.go(url)


async def test_of_a_server_it_shows_the_clients(browser: Browser) -> None:
    fleet = Fleet(hosts=1, slots=3, source="server")
    async with serve_page(fleet) as url:
        await browser.go(url)
        await browser.until("document.body.dataset.state === 'live'")
        fleet.bus.publish(Local(time=fleet.time, slots=3, waiting=1, load=9.5, limited_by="load"))
        lives: list[tuple[str, State, int]] = [
            ("10.0.0.1", "compiling", 0), ("10.0.0.2", "compiling", 2), ("10.0.0.2", "waiting", -1),
        ]  # fmt: skip
        for number, (client, state, slot) in enumerate(lives):
            label = f"unit{number}.cc"
            fleet.bus.publish(
                Job(job=number, time=fleet.time, state=state, client=client, slot=slot, label=label)
            )
        fleet.bus.publish(Job(job=0, time=fleet.time + 2, state="done", run_seconds=1.8))
        await browser.until(ROWS.format("ended-table") + ".length === 1")
        await browser.until(ROWS.format("host-table") + ".length === 2")
        assert await rows(browser, "host-table") == [
            ["10.0.0.1", "0", "0", "1", "0", "1.8 s"],
            ["10.0.0.2", "1", "1", "0", "0", "0 ms"],
        ]
        await browser.until("document.getElementById('figures').innerText.includes('Limited by\\nload')")
        await browser.go(f"{url}#/client/10.0.0.2")
        await browser.until("document.getElementById('title').innerText === '10.0.0.2'")
        await browser.until(ROWS.format("now-table") + ".length === 2")
        assert [row[0] for row in await rows(browser, "now-table")] == ["unit1.cc", "unit2.cc"]
        assert await rows(browser, "ended-table") == []
