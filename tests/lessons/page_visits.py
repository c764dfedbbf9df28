"""The page in both languages, and a walk through it that leaves no sentence unsaid."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lessons.language.choice import speaking
from lessons.page.command import page
from lessons.page.contents import contents
from lessons.page.measure import kept_strengths
from lessons.page.voices import page_folders

BAD = {
    "": "Type a word",
    "naïve": "“ï”",
    "b4": "“4”",
    "🙂": "“🙂”",
    "a" * 60: "60 letters",
    "Tomato soup\nis red. " * 40: "the first of 160",
}
"""What is typed → what the answer holds."""

OF_EVERY_KIND = ("lora", "adapter_houlsby", "pill", "prefix_tuning", "prompt_tuning", "qlora")

TEXTS = """() => {
  const found = [document.title], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode())
    if (!walker.currentNode.parentElement.closest("script, style")) found.push(walker.currentNode.data);
  for (const each of document.querySelectorAll("*"))
    for (const name of ["aria-label", "title", "alt", "placeholder", "label"])
      if (each.hasAttribute(name)) found.push(each.getAttribute(name));
  return found.map(text => text.replace(/\\s+/g, " ").trim()).filter(Boolean);
}"""


def written(folder: Path, language: str) -> Path:
    """The whole page in a language, as the command makes it."""
    path = folder / f"{language}.html"
    with speaking(language):
        path.write_text(page(*contents(page_folders(), kept_strengths())), encoding="utf-8")
    return path


def walked(tab: Any) -> Iterator[list[str]]:
    """Every text and label after each thing that a visitor can do."""
    for name in OF_EVERY_KIND:
        tab.select_option("#technique", name)
        for kind in ("encoder", "self_attention", "cross_attention"):
            tab.select_option("#map-kind", kind)
            yield tab.evaluate(TEXTS)
    tab.wait_for_selector(".runs")
    yield tab.evaluate(TEXTS)
    tab.select_option("#map-head", "1")
    tab.check("#silence")
    yield tab.evaluate(TEXTS)
    tab.click("#speak-again")
    tab.click("#tour-start")
    while tab.is_visible("#tour"):
        yield tab.evaluate(TEXTS)
        tab.click("#tour-next")
    for typed in BAD:
        tab.fill("#word", typed)
        yield tab.evaluate(TEXTS)
    tab.fill("#word", "lot")
