"""The lesson's figure: every technique in every domain, among what VADER's paper reports and what one person reaches."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot as plt

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, BLACK, INDIGO, ORANGE, STYLE, saved
from lessons.sentiment.measures import PEOPLE, VADER


def draw_sentiment(result: Mapping[str, Any], path: Path) -> Path:
    rows, domains = result["rows"], list(result["people"])
    trained_on = result["run"]["domain"]
    lines = {PEOPLE: (BLACK, "-"), VADER: (BEFORE, ":"), f"best trained on {trained_on}": (BEFORE, "--")}
    with matplotlib.rc_context(STYLE):
        figure, panels = plt.subplots(
            1, len(domains), figsize=(10, 1.6 + 0.3 * len(rows)), sharey=True, layout="constrained"
        )
        for axis, domain in zip(panels, domains, strict=True):
            colour = ORANGE if domain == trained_on else INDIGO
            for place, row in enumerate(rows):
                f1 = row["tested"][domain]["f1"]
                axis.plot(f1, place, "o", color=colour)
                axis.annotate(f"{f1:.2f}"[1:], (f1, place), (6, -3), textcoords="offset points", fontsize=8)
            for name, (shade, style) in lines.items():
                axis.axvline(result["published"][name][domain], color=shade, linestyle=style, linewidth=1.2, label=name)
            axis.set(title=domain + (", trained on" if domain == trained_on else ""), xlabel="F1", xlim=(0.4, 1.0))
        panels[0].set_yticks(range(len(rows)), [row["method"] for row in rows])
        panels[0].invert_yaxis()
        legend_below(figure, panels[0])
        return saved(figure, path)
