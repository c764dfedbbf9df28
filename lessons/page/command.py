"""Write one HTML page: type a word, choose a technique, slide its strength.

    python -m lessons page --out page.html
    python -m lessons page --lang zh --out page.html        in Chinese

The page holds the base and every technique whose British adapter ships, and
opens from disk: it asks nothing of any network. Its curves of errors are those
of lessons/results/strength.json (`python -m lessons.page.measure`).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lessons.language.choice import CHINESE, language
from lessons.language.message import in_language
from lessons.language.options import Options
from lessons.page.contents import contents
from lessons.page.figure import figure
from lessons.page.measure import kept_strengths
from lessons.page.voices import page_folders
from lessons.page.words import SCRIPTS, source, template
from lessons.task.machine import set_threads
from lessons.task.outputs import out_file
from transformer.learning.formats import write_bytes

LARGEST = 8_000_000


def main(arguments: list[str]) -> int:
    parser = Options("page", __doc__)
    parser.add_argument("--out", type=out_file, default=Path("page.html"), metavar="FILE.html", help="where it goes")
    parser.add_argument(
        "--adapters", type=Path, metavar="DIR", help="a folder of adapters, in place of the shipped ones"
    )
    options = parser.parse_args(arguments)
    set_threads()
    folders = page_folders(options.adapters)
    data = page(*contents(folders, kept_strengths())).encode()
    if len(data) > LARGEST:
        raise ValueError(f"the page would have {len(data):,} bytes, and {LARGEST:,} are its most: leave adapters out")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(options.out, data)
    print(
        in_language(f"wrote {options.out}: {len(data) / 1e6:.1f} MB, {len(folders)} techniques; open it in a browser")
    )
    return 0


def page(said: Mapping[str, Any], tensors: str) -> str:
    """The whole file. What goes into it is found by its mark, and each mark is there once."""
    known = json.dumps(said, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    parts = {
        "LANGUAGE": "zh-CN" if language() == CHINESE else "en",
        "/*STYLE*/": source("page.css"),
        "<!--FIGURE-->": figure(),
        "<!--CONTENTS-->": known,
        "<!--WEIGHTS-->": tensors,
        "/*SCRIPTS*/": "\n".join(source(name) for name in SCRIPTS),
    }
    whole = template()
    for mark, text in parts.items():
        before, after = whole.split(mark)
        whole = before + text + after
    return whole
