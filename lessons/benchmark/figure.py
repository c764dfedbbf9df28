"""The benchmark's figure: the word error while the model learnt, and where it ended among the others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot as plt

from lessons.drawing.style import AMERICAN, BEFORE, STYLE, saved


def draw_benchmark(result: Mapping[str, Any], path: Path) -> Path:
    with matplotlib.rc_context(STYLE):
        figure, (learning, ranking) = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
        steps, errors = zip(*result["development_curve"], strict=True)
        learning.plot(steps, [100 * error for error in errors], color=AMERICAN)
        learning.set(xlabel="step", ylabel="word error, %", title="Development words", ylim=(0, None))
        learning.locator_params(axis="x", nbins=5)
        rows = [(f"ours, {result['parameters'] / 1e6:.1f} M parameters", result["test"]["word_error"], AMERICAN)]
        rows += [(f"{row['model']}\nsplit: {row['split']}", row["word_error"], BEFORE) for row in result["beside"]]
        for place, (_, error, colour) in enumerate(sorted(rows, key=lambda row: row[1])):
            ranking.barh(place, 100 * error, color=colour)
            ranking.annotate(
                f"{100 * error:.1f}", (100 * error, place), (4, 0), textcoords="offset points", va="center"
            )
        ranking.set_yticks(range(len(rows)), [name for name, *_ in sorted(rows, key=lambda row: row[1])], fontsize=8)
        ranking.set(xlabel="word error, %", title="Held-out words", xlim=(0, 100 * 1.15 * max(row[1] for row in rows)))
        ranking.invert_yaxis()
        return saved(figure, path)
