"""What is written inside a figure: axes, boxes, bars, legends. It goes with the picture in its record, to be told in another language.

The words are told in Chinese in the picture itself (redrawn.py), or, where it was not drawn so, below it (legend.py).
"""

import re

from matplotlib.figure import Figure
from matplotlib.text import Text

WORD = re.compile(r"[A-Za-z]{2}")


def lettering(figure: Figure) -> list[str]:
    """The texts of a drawn figure that hold a word, each once and on one line; without its title, which stands above it too."""
    title = figure.get_suptitle()
    shown = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    lines = [" ".join(text.get_text().split()) for text in shown if text.get_text() != title]
    return list(dict.fromkeys(line for line in lines if WORD.search(line)))
