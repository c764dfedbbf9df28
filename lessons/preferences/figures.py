"""The figures of learning from preferences: frontier, curves, inside PPO, DPO's ratios, real words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, GREEN, INDIGO, ORANGE, PINK, SKY, STYLE, WINE, saved
from lessons.preferences.calibration import draw_calibration
from lessons.preferences.tables import rows_by_arm

COLOURS = {
    "PPO β=0": WINE,
    "PPO β=0.1": INDIGO,
    "PPO β=0.4": SKY,
    "GRPO β=0": PINK,
    "GRPO β=0.1": GREEN,
    "DPO β=0.1": ORANGE,
}
INSIDE = {
    "ratio": "mean ratio π / π_old",
    "clipped": "share of clipped ratios",
    "approx_kl": "divergence from π_old",
    "entropy": "entropy of a token, nats",
    "explained": "variance explained by V",
    "kl": "KL to the reference, nats",
}


def draw_all(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draws every figure that the report has rows for into `folder`."""
    arms = {world: found for world in ("notes", "words") if (found := rows_by_arm(report, world))}
    with matplotlib.rc_context(STYLE):
        figures = {"calibration": draw_calibration(arms)}
        if "notes" in arms:
            of_notes = {"frontier": draw_frontier, "curves": draw_curves, "inside": draw_inside, "ratios": draw_ratios}
            figures |= {name: draw(arms["notes"]) for name, draw in of_notes.items()}
        if "words" in arms:
            figures["words"] = draw_words(arms["words"])
        return [saved(figure, folder / f"{name}.png") for name, figure in figures.items()]


def colour(arm: str) -> str:
    return COLOURS.get(arm, BEFORE)


def history(rows: Sequence[Mapping[str, Any]], column: str) -> list[float]:
    """A column step by step, the mean over the seeds."""
    return [mean(steps) for steps in zip(*([record[column] for record in row["history"]] for row in rows), strict=True)]


def online(arms: Mapping[str, Any]) -> dict[str, Any]:
    """The arms that sample while they learn."""
    return {arm: rows for arm, rows in arms.items() if rows[0]["technique"] in ("PPO", "GRPO")}


def draw_frontier(arms: Mapping[str, Any]) -> Figure:
    """Proxy and gold against the distance from the reference: the proxy climbs on where the truth turns over."""
    figure, panels = plt.subplots(1, 2, figsize=(9, 4), sharex=True, layout="constrained")
    for axis, column, final, title in zip(
        panels, ("reward", "gold"), ("proxy", "gold"), ("proxy: what is followed", "gold: what is meant"), strict=True
    ):
        for arm, rows in online(arms).items():
            distance = np.sqrt(np.maximum(history(rows, "kl"), 0.0))
            axis.plot(distance, history(rows, column), ".-", color=colour(arm), label=arm, markersize=4, linewidth=1)
        for arm, rows in arms.items():
            if rows[0]["technique"] == "DPO":
                end = [mean(row["final"][name] for row in rows) for name in ("kl", final)]
                axis.plot(max(end[0], 0.0) ** 0.5, end[1], "D", color=colour(arm), label=arm)
        axis.set(title=title, xlabel="√KL to the reference (√nats)")
    legend_below(figure, panels[0])
    return figure


def draw_curves(arms: Mapping[str, Any]) -> Figure:
    figure, panels = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
    for axis, (column, title) in zip(
        panels, {"reward": "proxy", "gold": "gold", "kl": "KL, nats", "length": "length"}.items(), strict=True
    ):
        for arm, rows in online(arms).items():
            values = history(rows, column)
            axis.plot(range(1, len(values) + 1), values, color=colour(arm), label=arm, linewidth=1.4)
        axis.set(title=title, xlabel="step")
    legend_below(figure, panels[0])
    return figure


def draw_inside(arms: Mapping[str, Any]) -> Figure:
    """What one watches while PPO runs."""
    figure, panels = plt.subplots(2, 3, figsize=(10, 5), layout="constrained")
    for axis, (column, title) in zip(panels.flat, INSIDE.items(), strict=True):
        for arm, rows in arms.items():
            if rows[0]["technique"] == "PPO":
                values = history(rows, column)
                axis.plot(range(1, len(values) + 1), values, color=colour(arm), label=arm, linewidth=1.4)
        axis.set(title=title, xlabel="step")
    legend_below(figure, panels.flat[0])
    return figure


def draw_ratios(arms: Mapping[str, Any]) -> Figure:
    """DPO: the margin grows although both sides may become less likely."""
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    rows = next(rows for rows in arms.values() if rows[0]["technique"] == "DPO")
    for column, shade in (("chosen_log_ratio", GREEN), ("rejected_log_ratio", WINE)):
        values = history(rows, column)
        axis.plot(range(1, len(values) + 1), values, color=shade, label=column.split("_")[0])
    axis.axhline(0.0, color=BEFORE, linewidth=0.8)
    axis.set(title="DPO: the chosen answers lose likelihood too", xlabel="step", ylabel="log π / ref, nats per answer")
    legend_below(figure, axis)
    return figure


def draw_words(arms: Mapping[str, Any]) -> Figure:
    figure, panels = plt.subplots(1, 2, figsize=(9, 0.9 + 0.45 * len(arms)), sharey=True, layout="constrained")
    for axis, column, title, scale in zip(
        panels,
        ("proxy", "phoneme_error"),
        ("proxy of sampled answers", "British phoneme error, greedy, %"),
        (1, 100),
        strict=True,
    ):
        for place, (arm, rows) in enumerate(arms.items()):
            values = [scale * row["final"][column] for row in rows if column in row["final"]]
            if values:
                axis.barh(place, mean(values), color=colour(arm), alpha=0.6)
                axis.plot(values, [place] * len(values), "k.", markersize=4)
        axis.set_title(title)
    panels[0].set_yticks(range(len(arms)), arms)
    panels[0].invert_yaxis()
    return figure
