"""How much the page's colours of text stand out from its colours of paper (WCAG 2.2, success criterion 1.4.3)."""

import re

from lessons.page.words import source

TEXTS, PAPERS = ("ink", "soft", "british", "american"), ("paper", "card")


def contrast(scheme: str) -> dict[tuple[str, str], float]:
    """(text, paper) → the ratio of their luminances, 1 to 21."""
    light, dark = re.findall(r":root \{(.*?)\}", source("page.css"), re.DOTALL)
    colours = dict(re.findall(r"--(\w+): #(\w{6})", light))
    if scheme == "dark":
        colours |= dict(re.findall(r"--(\w+): #(\w{6})", dark))
    pairs = {(text, paper): (luminance(colours[text]), luminance(colours[paper])) for text in TEXTS for paper in PAPERS}
    return {pair: (max(both) + 0.05) / (min(both) + 0.05) for pair, both in pairs.items()}


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
