"""The pictures of the page and of the site that README shows.

python -m lessons.site.screenshots SITE      SITE: the folder that `make site` made
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from lessons.teaching.notebooks import LESSONS

RESULTS = LESSONS / "results"
SHOTS = {"page.png": "en/_static/page.html", "site.png": "en/source/peft-lora.html"}
"""Picture → page of the site."""

WIDTH, HEIGHT = 1200, 760


def find_chromium() -> str | None:
    """The browser's program, by whichever of its names it is installed."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def main(arguments: Sequence[str]) -> int:
    """Raises ValueError without a site, Playwright or Chromium."""
    site = Path(arguments[0] if arguments else "site")
    if lacking := [page for page in SHOTS.values() if not (site / page).is_file()]:
        raise ValueError(f"there is no {site / lacking[0]}: `make site` makes it")
    chromium = find_chromium()
    if chromium is None:
        raise ValueError("there is no Chromium to open the pages in: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        for name, page in SHOTS.items():
            tab.goto((site / page).resolve().as_uri())
            tab.wait_for_timeout(4000)
            tab.screenshot(path=RESULTS / name)
            print(f"wrote {RESULTS / name}")
        browser.close()
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except ValueError as error:
        print(f"python -m lessons.site.screenshots: {error}", file=sys.stderr)
        raise SystemExit(2) from None
