"""Search in Chinese without a dictionary: a run of characters is found by each of its parts of two to four.

Sphinx's own needs a package that cuts Chinese into words; a reader who types 低秩 looks for these two characters together.
"""

import re
from typing import Any

from sphinx.search import SearchLanguage

RUN = re.compile(r"[\u4e00-\u9fff]+|[A-Za-z0-9_]+")
LONGEST = 4


class Chinese(SearchLanguage):
    """Parts of Chinese runs, and Latin words in lower case."""

    lang = "zh"
    language_name = "Chinese"

    def split(self, input: str) -> list[str]:
        return [part for run in RUN.findall(input) for part in parts(run)]

    def stem(self, word: str) -> str:
        return word.lower()

    def word_filter(self, word: str) -> bool:
        return len(word) > 1


def parts(run: str) -> list[str]:
    if run.isascii():
        return [run]
    return [run[start : start + size] for size in range(2, LONGEST + 1) for start in range(len(run) - size + 1)] or [
        run
    ]


def setup(app: Any) -> dict[str, bool]:
    app.add_search_language(Chinese)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
