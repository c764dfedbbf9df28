"""axe-core finds nothing on the page: both languages, both colour schemes, on a telephone and on a desk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lessons.accessible import violations
from tests.lessons.page_browser import chromium
from tests.lessons.page_visits import written


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.mark.parametrize(
    ("language", "width"),
    [("en", 380), *(pytest.param(*case, marks=pytest.mark.slow) for case in (("en", 1200), ("zh", 380), ("zh", 1200)))],
)
def test_the_page_breaks_no_rule_of_accessibility(folder: Path, browser: Any, language: str, width: int) -> None:
    file = folder / f"{language}.html"
    tab = browser.new_page(viewport={"width": width, "height": 800})
    tab.goto((file if file.is_file() else written(folder, language)).as_uri())
    tab.evaluate("ready")
    tab.wait_for_selector(".runs")
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        assert violations(tab) == []
        tab.click("#tour-start")
        tab.fill("#word", "b4")
        assert violations(tab) == []
        tab.click("#tour-end")
    tab.close()
