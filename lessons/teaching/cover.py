"""The picture at the top of README: where the techniques sit in the Transformer, and what each of their parameters buys.

python -m lessons.teaching.cover        draws lessons/results/cover.png from the kept comparison's figure
"""

from io import BytesIO
from pathlib import Path

import PIL.Image

from lessons.compare.kept import REPORT
from lessons.teaching.diagram import as_png, draw_diagram
from lessons.teaching.layout import TECHNIQUES, lit_places

COVER, PARAMETERS = REPORT.with_name("cover.png"), REPORT.with_name("parameters.png")
GAP = 40


def draw_cover(parameters: Path = PARAMETERS) -> PIL.Image.Image:
    """The lit diagram, and beside it the figure of the parameters, as high."""
    diagram = PIL.Image.open(BytesIO(as_png(draw_diagram(lit_places(tuple(TECHNIQUES)))))).convert("RGB")
    figure = PIL.Image.open(parameters).convert("RGB")
    diagram = diagram.resize((round(diagram.width * figure.height / diagram.height), figure.height))
    cover = PIL.Image.new("RGB", (diagram.width + GAP + figure.width, figure.height), "white")
    cover.paste(diagram, (0, 0))
    cover.paste(figure, (diagram.width + GAP, 0))
    return cover


if __name__ == "__main__":
    draw_cover().quantize(128).save(COVER, format="png", optimize=True)
    print(f"drew {COVER}")
