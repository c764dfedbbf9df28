"""The Chinese letters of the figures: the characters in daily use and those of the course, out of the font Noto Sans CJK SC.

python -m lessons.data.font NotoSansCJK-Regular.ttc     writes lessons/data/NotoSansSC-part.otf

The whole font is Debian's package fonts-noto-cjk, version 1:20220127+repack1-1. Its licence, SIL Open Font License 1.1
(LICENSE-noto.txt), lets a part of it be given away under the same licence.
"""

import re
import sys
from pathlib import Path

from fontTools import subset  # type: ignore[import-untyped]
from fontTools.ttLib import TTCollection  # type: ignore[import-untyped]

from lessons.language.po import ZH

WHOLE, PART = "Noto Sans CJK SC", Path(__file__).with_name("NotoSansSC-part.otf")
MARKS = "，。；：？！、（）“”‘’《》〈〉【】—…·％＝＋－×÷～"
FIRST_LEVEL = range(0xB0, 0xD8), range(0xA1, 0xFF)
"""Rows and columns of GB 2312 with its 3,755 characters in daily use."""


def characters() -> str:
    rows, columns = FIRST_LEVEL
    daily = "".join(bytes([row, column]).decode("gb2312", errors="ignore") for row in rows for column in columns)
    course = "".join(path.read_text(encoding="utf-8") for path in sorted(ZH.glob("*.po")))
    return daily + MARKS + "".join(re.findall(r"[\u4e00-\u9fff]", course))


def main(path: str) -> None:
    """Raises StopIteration where the collection holds no font of that name."""
    font = next(font for font in TTCollection(path).fonts if font["name"].getDebugName(1) == WHOLE)
    options = subset.Options(layout_features=[], hinting=False, notdef_outline=True, glyph_names=False)
    cutter = subset.Subsetter(options)
    cutter.populate(text=characters())
    cutter.subset(font)
    font.save(PART)


if __name__ == "__main__":
    main(*sys.argv[1:])
