"""The page under load: 256 slots, 10,000 finished jobs, 300 jobs a second."""

import asyncio
import itertools

import pytest

from tests.support.browser import Browser, browser, missing, rows
from tests.support.web_page import Fleet, serve_page

__all__ = ["browser"]  # fixture

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "a browser is there")

FRAMES = """
    const gaps = [];
    let last = performance.now();
    const end = last + arguments[0];
    return new Promise((done) => requestAnimationFrame(function frame() {
      const now = performance.now();
      gaps.push(now - last);
      last = now;
      if (now < end) requestAnimationFrame(frame);
      else {
        gaps.sort((a, b) => a - b);
        const at = (part) => gaps[Math.floor(part * (gaps.length - 1))];
        done({ frames: gaps.length, p50: at(0.5), p95: at(0.95), longest: at(1) });
      }
    }))
"""
WHEEL = """
    const canvas = document.getElementById("timeline");
    let step = 0;
    setInterval(() => {
      const [deltaY, ctrlKey] = [40 * Math.sin(step++ / 20), Boolean(step % 2)];
      canvas.dispatchEvent(new WheelEvent("wheel", { deltaY, ctrlKey, cancelable: true }));
    }, 16);
"""
MOST_P95_MS = 100  # this may run on a slow machine, beside other tests
MOST_BUSY = 0.6  # of a processor


async def keep_busy(fleet: Fleet, running: dict[tuple[str, int], int], jobs_per_second: int) -> None:
    """Until cancelled: on one slot after the other a job ends and another begins."""
    places = itertools.cycle([(name, slot) for name in fleet.names() for slot in range(fleet.slots)])
    while True:
        for _ in range(jobs_per_second // 20):
            place = next(places)
            if place in running:
                fleet.end(running.pop(place))
            running[place] = fleet.start(*place)
        await asyncio.sleep(0.05)
        fleet.time += 0.05


async def frames_of(browser: Browser, seconds: float) -> dict[str, float]:
    """Milliseconds between frames, and which part of a processor the page's own thread took."""
    before = await thread_seconds(browser)
    figures: dict[str, float] = await browser.run(FRAMES, seconds * 1000)
    return {**figures, "busy": (await thread_seconds(browser) - before) / seconds}


async def thread_seconds(browser: Browser) -> float:
    metrics = (await browser.devtools("Performance.getMetrics"))["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


async def smooth(browser: Browser, name: str, idle: float) -> dict[str, float]:
    """The frames of the best of three attempts: a page that stutters does so each time, machines do not."""
    attempts = []
    for _ in range(3):
        attempts.append(await frames_of(browser, 3))
        if attempts[-1]["p95"] < MOST_P95_MS:
            break
    best = min(attempts, key=lambda figures: figures["p95"])
    print(name, best)
    assert best["busy"] < MOST_BUSY, (name, attempts)
    assert best["p95"] < max(MOST_P95_MS, 3 * idle), (name, attempts)
    return best


async def test_256_slots_and_10000_finished_jobs_do_not_make_it_stutter(
    browser: Browser, record_property
) -> None:
    fleet = Fleet(hosts=32, slots=8)
    running: dict[tuple[str, int], int] = {}
    places = itertools.cycle([(name, slot) for name in fleet.names() for slot in range(fleet.slots)])
    async with serve_page(fleet) as url, asyncio.TaskGroup() as tasks:
        await browser.go(url)
        await browser.devtools("Performance.enable", timeDomain="threadTicks")
        await browser.until("document.body.dataset.state === 'live'")
        idle = (await frames_of(browser, 2))["p95"]
        burst = tasks.create_task(frames_of(browser, 3))
        for number in range(10_300):
            place = next(places)
            if place in running:
                fleet.end(running.pop(place))
            running[place] = fleet.start(*place)
            fleet.time += 0.004
            if number % 250 == 0:
                await asyncio.sleep(0.02)  # else it is more than a viewer may be behind
        frames = {"burst": await burst}
        await browser.until("document.getElementById('figures').innerText.includes('\\n10,0')")
        feeder = tasks.create_task(keep_busy(fleet, running, 300))
        frames["live"] = await smooth(browser, "live", idle)
        await browser.run("document.querySelector('[data-do=whole]').click()")
        frames["whole"] = await smooth(browser, "whole", idle)
        await browser.run(WHEEL)
        frames["wheel"] = await smooth(browser, "wheel", idle)
        feeder.cancel()
        assert await browser.run("return document.querySelectorAll('tbody tr').length") <= 33 + 200 + 100 + 50
        assert len(await rows(browser, "now-table")) == 200
    for name, figures in frames.items():
        record_property(name, figures)
