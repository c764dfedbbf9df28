"""The famous figure as SVG, from the same boxes as the lessons' (lessons/teaching/layout.py); the page lights them.

Paper     "Attention Is All You Need" (arXiv 1706.03762), figure 1; drawn anew
"""

from html import escape

from lessons.page.words import FIGURE, say
from lessons.teaching.layout import BOXES, DECODER, ENCODER, FRAMES, WIDTH, Box

HEIGHT = 13.0
TOPS = {ENCODER: 8.55, DECODER: 12.15}


def figure() -> str:
    """The encoder on the left, the decoder on the right, upwards as in the paper. Each box carries its name."""
    frames = "".join(
        f'<rect class="frame" x="{x - 2:.2f}" y="{HEIGHT - high:.2f}" width="4" height="{high - low:.2f}" rx=".2"/>'
        for x, low, high in FRAMES.values()
    )
    columns = "".join(f'<path d="M{x} {HEIGHT - 0.9:.2f}V{HEIGHT - top:.2f}"/>' for x, top in TOPS.items())
    cross = next(box for box in BOXES if box.name == "cross_attention")
    across = (
        f'<path d="M{ENCODER} {HEIGHT - 8.55:.2f}H5V{HEIGHT - cross.middle:.2f}H{DECODER - WIDTH / 2:.2f}"/>'
        f'<path d="M{DECODER - WIDTH / 2 - 0.15:.2f} {HEIGHT - cross.middle - 0.1:.2f}l.15 .1l-.15 .1"/>'
    )
    boxes = "".join(drawn(box) for box in BOXES)
    return (
        f'<svg id="figure" viewBox="0.6 0 9 {HEIGHT - 1:.1f}" role="img" '
        f'aria-label="{escape(say(FIGURE))}">'
        f"{frames}{columns}{across}{boxes}</svg>"
    )


def drawn(box: Box) -> str:
    lines = say(box.text).split("\n")
    middle = HEIGHT - box.middle + 0.1
    text = "".join(
        f'<text x="{box.x}" y="{middle + 0.31 * (number - (len(lines) - 1) / 2):.2f}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<g class="box" data-place="{box.name}"><rect x="{box.x - WIDTH / 2:.2f}" y="{HEIGHT - box.top:.2f}" '
        f'width="{WIDTH}" height="{box.height}" rx=".1"/>{text}</g>'
    )
