"""A headless Chromium, driven by the W3C's WebDriver protocol: JSON over HTTP, spoken by chromium-driver."""

import asyncio
import base64
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import pytest

_START_SECONDS: Final = 60.0
_STEP_SECONDS: Final = 30.0
KEYS: Final = {
    "Enter": "\ue007", "Tab": "\ue004", "Escape": "\ue00c", "Shift": "\ue008", "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "End": "\ue010", "Home": "\ue011",
    "PageUp": "\ue00e", "PageDown": "\ue00f",
}  # fmt: skip

# The texts of a table's cells, as an expression.
ROWS: Final = "[...document.querySelectorAll('#{} tbody tr')].map((row) => row.innerText.split('\\t'))"


def missing() -> str:
    """Why no browser can be driven here; empty when one can."""
    for program, package in (("chromium", "chromium"), ("chromedriver", "chromium-driver")):
        if shutil.which(program) is None:
            return f"there is no {program}: apt-get install {package}"
    return ""


class Browser:
    """One window. Every method is one command of the protocol, or waits by such commands."""

    def __init__(self, client: aiohttp.ClientSession, session: str) -> None:
        self._client = client
        self._session = session

    async def command(self, path: str, body: object = None) -> Any:
        """POST, or GET without a body; raises RuntimeError with what the driver says."""
        method = "GET" if body is None else "POST"
        async with self._client.request(method, f"{self._session}/{path}", json=body) as answer:
            value = (await answer.json())["value"]
        if answer.status != 200:
            raise RuntimeError(f"{path}: {value.get('error')}: {value.get('message')}")
        return value

    async def go(self, url: str) -> None:
        await self.command("url", {"url": url})

    async def run(self, script: str, *arguments: object) -> Any:
        """What the script returns; a promise is waited for."""
        return await self.command("execute/sync", {"script": script, "args": list(arguments)})

    async def until(self, condition: str, *arguments: object) -> Any:
        """Wait in the page, frame by frame, until this expression is true; its value."""
        return await self.run(
            "const given = arguments; return (async () => {"
            f"const end = performance.now() + {_STEP_SECONDS * 1000};"
            "for (;;) {"
            f"  const value = (function () {{ return {condition}; }}).apply(null, given);"
            "  if (value) return value;"
            "  if (performance.now() > end) {"
            f"    throw new Error({condition!r} + ' is still not so: ' + document.body.innerText);"
            "  }"
            "  await new Promise(requestAnimationFrame);"
            "}})()",
            *arguments,
        )

    async def press(self, *names: str) -> None:
        """These keys, one after the other, to whatever has the focus; `Shift+Tab` holds one."""
        actions = []
        for name in names:
            keys = [KEYS.get(part, part) for part in (name.split("+") if len(name) > 1 else [name])]
            actions += [{"type": "keyDown", "value": key} for key in keys]
            actions += [{"type": "keyUp", "value": key} for key in reversed(keys)]
        await self.command("actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    async def point(self, x: float, y: float, *, clicks: bool = False) -> None:
        """The pointer to this place of the window."""
        actions: list[dict[str, object]] = [
            {"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)}
        ]
        if clicks:
            actions += [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        pointer = {
            "type": "pointer",
            "id": "mouse",
            "parameters": {"pointerType": "mouse"},
            "actions": actions,
        }
        await self.command("actions", {"actions": [pointer]})

    async def screenshot(self) -> bytes:
        return base64.b64decode(await self.command("screenshot"))

    async def devtools(self, method: str, **parameters: object) -> Any:
        return await self.command("goog/cdp/execute", {"cmd": method, "params": parameters})

    async def prefers(self, scheme: str) -> None:
        """`light` or `dark`."""
        await self.devtools(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )

    async def log(self, kind: str) -> list[dict[str, Any]]:
        """Entries since the last call: `browser` (console, refusals) or `performance` (every request)."""
        entries: list[dict[str, Any]] = await self.command("se/log", {"type": kind})
        return entries


async def rows(browser: Browser, table: str) -> list[list[str]]:
    """What is in this table of the page."""
    found: list[list[str]] = await browser.run("return " + ROWS.format(table))
    return found


@contextlib.asynccontextmanager
async def headless_chromium(width: int = 1280, height: int = 900) -> AsyncIterator[Browser]:
    """A new browser with its own profile; both end here."""
    with tempfile.TemporaryDirectory(prefix="fleetcc-browser-", ignore_cleanup_errors=True) as profile:
        driver = await asyncio.create_subprocess_exec(
            "chromedriver", "--port=0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(_START_SECONDS):
                port = await _port_of(driver)
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}/", trust_env=False) as client:
                session = await _session(client, profile, width, height)
                try:
                    yield Browser(client, session)
                finally:
                    async with client.delete(session):
                        pass
        finally:
            driver.terminate()
            await driver.communicate()


async def _port_of(driver: asyncio.subprocess.Process) -> int:
    assert driver.stdout is not None
    async for line in driver.stdout:
        if b"started successfully on port" in line:
            return int(line.rsplit(None, 1)[1].rstrip(b"."))
    raise RuntimeError("chromedriver ended before it listened")


async def _session(client: aiohttp.ClientSession, profile: str, width: int, height: int) -> str:
    arguments = [
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--no-proxy-server",
        "--force-device-scale-factor=1", f"--user-data-dir={profile}", f"--window-size={width},{height}",
    ]  # fmt: skip
    wanted = {
        "browserName": "chrome",
        "goog:chromeOptions": {"args": arguments},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        "timeouts": {"script": 90_000, "pageLoad": 60_000},
    }
    async with client.post("session", json={"capabilities": {"alwaysMatch": wanted}}) as answer:
        value = (await answer.json())["value"]
    if answer.status != 200:
        raise RuntimeError(f"chromium does not start: {value.get('message')}")
    return f"session/{value['sessionId']}"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """One that said nothing on its console and asked nobody but this machine."""
    async with headless_chromium() as made:
        yield made
        complaints = [entry["message"] for entry in await made.log("browser")]
        assert [
            text for text in complaints if "/events - Failed to load resource: net::ERR_" not in text
        ] == []
        asked = await requests_of(made)
        assert asked
        assert {urlsplit(url).hostname for url in asked} == {"127.0.0.1"}


async def requests_of(browser: Browser) -> list[str]:
    """Every address on a network that was asked for."""
    messages = [json.loads(entry["message"])["message"] for entry in await browser.log("performance")]
    sent = (found["params"] for found in messages if found["method"] == "Network.requestWillBeSent")
    urls = [params["request"]["url"] for params in sent]
    return [url for url in urls if urlsplit(url).scheme not in {"data", "chrome", "chrome-untrusted"}]
