"""What Sphinx and furo leave out for people who use a keyboard or a screen reader, put into every page when it is written.

captions of the sidebar    headings need a level
code, formulas, tables     what scrolls sideways must be reached by the keyboard
empty heads of columns     are cells
signatures over lines      a list of `dd` without a `dt` is no list
sidebars                   two landmarks need two names
the theme's own words      are English; the Chinese pages say them in Chinese
the search page            needs a heading
"""

import re
from pathlib import Path
from typing import Any

WORDS = {
    "en": {"pages": "All pages", "on this page": "On this page", "search": "Search"},
    "zh_CN": {"pages": "所有页面", "on this page": "本页内容", "search": "搜索"},
}
FURO = {
    "Toggle site navigation sidebar": "打开或收起全部页面",
    "Toggle table of contents sidebar": "打开或收起本页内容",
    "Toggle Light / Dark / Auto color theme": "切换浅色、深色或自动主题",
    "Skip to content": "跳到正文",
    "Back to top": "回到顶部",
    "On this page": "本页内容",
    "Next": "下一页",
    "Previous": "上一页",
    "Made with": "制作工具：",
    "Please activate JavaScript to enable the search functionality.": "请启用 JavaScript 以使用搜索功能。",
}
"""What the theme says in English whatever the page's language: alone in a tag, or as the name of one."""

PARAMETERS = re.compile(r'<dl>\s*(<dd><em class="sig-param.*?)</dl>', re.DOTALL)


def accessible(page: str, language: str) -> str:
    """The same page, mended."""
    words = WORDS[language]
    for before, after in (
        ('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
        ("<pre>", '<pre tabindex="0">'),
        ('<div class="formula">', '<div class="formula" tabindex="0">'),
        ('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
        ('<th class="head"><p></p></th>', "<td></td>"),
        ('<aside class="sidebar-drawer', f'<aside aria-label="{words["pages"]}" class="sidebar-drawer'),
        ('<aside class="toc-drawer', f'<aside aria-label="{words["on this page"]}" class="toc-drawer'),
        ('<div id="search-results">', f'<h1>{words["search"]}</h1>\n<div id="search-results">'),
    ):
        page = page.replace(before, after)
    if language != "en":
        for english, said in FURO.items():
            page = re.sub(rf"(>\s*|aria-label=\"){re.escape(english)}(?=\s*<|\")", rf"\g<1>{said}", page)
    return PARAMETERS.sub(parameters, page)


def parameters(found: re.Match[str]) -> str:
    inside = found[1].replace("<dd>", '<span class="parameter">').replace("</dd>", "</span>")
    return f'<span class="parameters">{inside}</span>'


def mend(app: Any, error: Exception | None) -> None:
    """Every page of a build that went well."""
    if error is None:
        for file in Path(app.outdir).rglob("*.html"):
            if "_static" not in file.parts:
                file.write_text(accessible(file.read_text(encoding="utf-8"), app.config.language), encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    app.connect("build-finished", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
