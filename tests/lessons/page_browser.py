"""The page in a headless Chromium, and what it complained of or asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lessons.site.screenshots import find_chromium


def installed() -> tuple[Any, str]:
    """(playwright, the browser's path); skips the test with a sentence where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]")
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium to open pages in: apt-get install chromium")
    return playwright, program


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser; skips the test with a sentence where there is none."""
    playwright, program = installed()
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def opened(file: Path, **context: Any) -> Iterator[Any]:
    """The page, ready; `complaints` holds errors, warnings and requests."""
    with chromium() as browser:
        tab = browser.new_page(**context)
        tab.set_default_timeout(300_000)
        tab.complaints = []
        tab.on("console", lambda said: tab.complaints.append(said.text) if said.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.on("request", lambda asked: None if is_own(asked.url, file) else tab.complaints.append(asked.url))
        tab.goto(file.as_uri())
        tab.evaluate("ready")
        yield tab


def is_own(address: str, file: Path) -> bool:
    return address == file.as_uri() or address.startswith("data:")
