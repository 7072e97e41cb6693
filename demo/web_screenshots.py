"""Pictures of the page for the documentation: docs/images/web-light.png and web-dark.png.

python -m demo.web_screenshots [FOLDER]        needs chromium and chromium-driver
"""

import asyncio
import sys
from pathlib import Path

from tests.support.browser import headless_chromium, missing
from tests.support.web_page import Fleet, busy_build, serve_page

IMAGES = Path(__file__).parents[1] / "docs" / "images"


async def main(folder: Path) -> None:
    """A build of 60 seconds on five hosts, as its viewer sees it at its end."""
    folder.mkdir(parents=True, exist_ok=True)
    fleet = Fleet(hosts=5, slots=6)
    async with serve_page(fleet) as url, headless_chromium(1280, 1100) as browser:
        await browser.go(url)
        await browser.until("document.body.dataset.state === 'live'")
        busy_build(fleet)
        fleet.bus.publish(fleet.host("build4", "draining"))
        await browser.until("document.querySelectorAll('#ended-table tbody tr').length === 100")
        await browser.until("document.querySelector('#host-table').innerText.includes('draining')")
        await browser.run("document.querySelector('[data-do=whole]').click()")
        for scheme in ("light", "dark"):
            await browser.prefers(scheme)
            await browser.run(
                "return new Promise((done) => requestAnimationFrame(() => setTimeout(done, 200)))"
            )
            path = folder / f"web-{scheme}.png"
            path.write_bytes(await browser.screenshot())
            print(path)


if __name__ == "__main__":
    sys.exit(missing() or asyncio.run(main(Path(sys.argv[1]) if sys.argv[1:] else IMAGES)))
