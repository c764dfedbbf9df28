"""A figure once more, with its words in Chinese: what differs, as a picture to lay over the English one.

The lesson runs once, and the drawing stays where it stands; only letters change. So the record of a figure carries both
languages, and which is shown is chosen when the notebook is put together (lessons/translate/assemble.py). The title, which
stands above the Chinese picture as text, is cut off.
"""

import io
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np
import PIL.Image
from matplotlib.figure import Figure
from rich.cells import cell_len

from lessons.drawing.chinese import retell, texts_of, without_remarks
from lessons.drawing.style import DOTS_PER_INCH
from lessons.language.outputs import outputs_in_chinese, told
from lessons.language.wrapping import balanced

Overlay = Mapping[str, Any]
"""`patch` the changed pixels as a PNG, `top` the rows of the title, `words` English → Chinese, as they were drawn."""

COLOURS, PALETTE = 128, 64
"""Of a patch, and of a picture that has a palette."""

CELLS = 2 / 1.72
"""A Chinese character counts two cells of a line, and is 1.72 times as wide as a Latin letter of the usual font."""


def redrawn(figure: Figure) -> Overlay:
    """What to lay over the drawn figure. The figure is Chinese from here on, and its title is gone."""
    figure.set_layout_engine("none")
    figure.set_dpi(DOTS_PER_INCH)
    before, words, top = pixels(figure), dict[str, str](), 0
    for text in texts_of(figure):
        if text.get_text() and text.get_text() == figure.get_suptitle():
            top = round(before.shape[0] * (1 - text.get_window_extent().y0 / figure.bbox.height))
            text.set_text("")
    retell(figure, lambda english: kept(english, words))
    after = pixels(figure)
    changed = (before != after).any(axis=2)
    changed[:top] = False
    return {"patch": patch_of(after, changed) if changed.any() else "", "top": top, "words": words}


def kept(english: str, words: dict[str, str]) -> str:
    """The text in Chinese, in lines no longer than its own; what was told is kept in `words`."""
    chinese, label = in_chinese(english), " ".join(english.split())
    if chinese != english:
        words[label] = told(label, outputs_in_chinese().get)
    return chinese


def in_chinese(english: str) -> str:
    said = told(english, outputs_in_chinese().get)
    lines = [line.strip() for line in english.split("\n")]
    if said == english or len(lines) == 1:
        return said
    return balanced(said, int(CELLS * max(map(cell_len, lines))))


def pixels(figure: Figure) -> np.ndarray:
    file = io.BytesIO()
    with without_remarks():
        figure.savefig(file, format="png", dpi=DOTS_PER_INCH, facecolor="white")
    return np.asarray(PIL.Image.open(file).convert("RGB"))


def patch_of(image: np.ndarray, changed: np.ndarray) -> str:
    """The image where it is changed, in few colours, and nothing elsewhere."""
    inside = PIL.Image.fromarray(image[changed][None]).quantize(COLOURS, method=PIL.Image.Quantize.MAXCOVERAGE)
    places = np.full(changed.shape, COLOURS, dtype=np.uint8)
    places[changed] = np.asarray(inside)[0]
    patch = PIL.Image.fromarray(places)
    palette = inside.getpalette() or []
    patch.putpalette(palette + [255] * (3 * (COLOURS + 1) - len(palette)))
    return encoded(patch, transparency=COLOURS)


def laid_over(png: str, overlay: Overlay) -> str:
    """The Chinese picture of the English one; both as a notebook keeps them."""
    image = decoded(png)
    made = image.convert("RGB")
    if overlay["patch"]:
        patch = decoded(overlay["patch"]).convert("RGBA")
        made.paste(patch, mask=patch.getchannel("A"))
    made = made.crop((0, overlay["top"], *made.size))
    return encoded(made.quantize(PALETTE) if image.mode == "P" else made)


def decoded(png: str) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(b64decode(png)))


def encoded(image: PIL.Image.Image, **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, format="png", optimize=True, **options)
    return b64encode(file.getvalue()).decode("ascii")
