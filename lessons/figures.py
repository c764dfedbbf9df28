"""The comparison's figures: what was learnt, at what price, what was forgotten, how the loss fell, where attention lies."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from lessons.attention_map import draw_attention, letter_attention
from lessons.base import load_base
from lessons.compare_row import SCRATCH
from lessons.report import Row, by_method, percent, spread
from peft import PeftModel, recipe

# Okabe and Ito's colours: they differ for colour-blind eyes too. Families differ in their marker as well.
BRITISH, AMERICAN, BEFORE = "#0072B2", "#D55E00", "#8c8c8c"
FAMILIES = {
    "own parameters": (("full", "bitfit", "ln_tuning"), "#000000", "o"),
    "LoRA family": (("lora", "rslora", "lora_plus", "dora", "pissa", "vera"), "#0072B2", "s"),
    "scaled features": (("ia3", "ssf", "pill"), "#E69F00", "^"),
    "adapters": (("adapter_houlsby", "adapter_pfeiffer", "adapter_parallel"), "#009E73", "D"),
    "prompts, prefixes": (("prompt_tuning", "p_tuning", "prefix_tuning", "p_tuning_v2"), "#CC79A7", "v"),
    "4-bit base": (("qlora", "lora_fp4", "lora_int4"), "#56B4E9", "P"),
    "no base": ((SCRATCH,), "#D55E00", "X"),
}
OTHER = ("other", "#8c8c8c", "*")
WORD = "schedule"
STYLE = {
    "figure.dpi": 150,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def draw_all(report: Mapping[str, Any], rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draws every figure into `folder`. Without a single finished row there is only the attention of the base."""
    with matplotlib.rc_context(STYLE):
        drawn = [draw_attention(attention_maps(report, folder), folder / "attention.png")]
        if not report["rows"]:
            return drawn
        return [
            draw_errors(report, folder / "errors.png"),
            draw_price(report, folder / "parameters.png"),
            draw_forgetting(report, folder / "forgetting.png"),
            draw_learning(report, folder / "learning.png"),
            *drawn,
        ]


def family(method: str) -> tuple[str, str, str]:
    """(name, colour, marker) of the family that a technique is shown with."""
    found = [(name, colour, marker) for name, (methods, colour, marker) in FAMILIES.items() if method in methods]
    return found[0] if found else OTHER


def draw_errors(report: Mapping[str, Any], path: Path) -> Path:
    """Word error before and after, an accent a panel: a bar starts at the base and ends at the technique."""
    methods = by_method(report)
    figure, panels = plt.subplots(1, 2, figsize=(9, 1.6 + 0.27 * len(methods)), sharey=True, layout="constrained")
    for axis, accent, colour, meaning in zip(
        panels, ("british", "american"), (BRITISH, AMERICAN), ("learnt", "forgotten"), strict=True
    ):
        before = 100 * report["base"][accent]["word_error"]
        for place, rows in enumerate(methods.values()):
            after, deviation = spread(rows, percent(accent, "word_error")) or (before, 0.0)
            axis.plot([before, after], [place, place], color=colour, alpha=0.35, linewidth=4, solid_capstyle="butt")
            axis.errorbar(after, place, xerr=deviation or None, fmt="o", color=colour, markersize=6, capsize=2)
            axis.annotate(f"{after:.0f}", (after, place), (7, 0), textcoords="offset points", va="center", fontsize=8)
        axis.axvline(before, color=BEFORE, linestyle="--", linewidth=1.2)
        axis.set_title(f"{accent.capitalize()}: {meaning}\ndashed: the base before, {before:.0f} %", fontsize=11)
        axis.set_xlabel("word error, %")
        axis.set_xlim(0, 106)
    panels[0].set_yticks(range(len(methods)), methods)
    panels[0].invert_yaxis()
    return saved(figure, path)


def draw_price(report: Mapping[str, Any], path: Path) -> Path:
    """British word error against the number of trained parameters, on a logarithmic axis."""
    figure, axis = plt.subplots(figsize=(9, 5.5), layout="constrained")
    before = 100 * report["base"]["british"]["word_error"]
    axis.axhline(before, color=BEFORE, linestyle="--", linewidth=1.2)
    axis.annotate("base, not adapted", (0.01, before), (0, 4), xycoords=("axes fraction", "data"), color="#555555",
                  textcoords="offset points", fontsize=9)  # fmt: skip
    axis.set_xscale("log")
    scatter(axis, report, lambda row: row["trainable_parameters"], percent("british", "word_error"))
    axis.set_xlabel("trained parameters (logarithmic)")
    axis.set_ylabel("British word error, %")
    axis.set_title("What a trained parameter buys: down is better, left is cheaper")
    return saved(figure, path)


def draw_forgetting(report: Mapping[str, Any], path: Path) -> Path:
    """British against American word error while the adapter is on."""
    figure, axis = plt.subplots(figsize=(9, 5.5), layout="constrained")
    base = report["base"]
    x, y = 100 * base["british"]["word_error"], 100 * base["american"]["word_error"]
    axis.axhline(y, color=BEFORE, linestyle="--", linewidth=1.2)
    axis.scatter([x], [y], marker="*", s=180, color=BEFORE, zorder=4)
    axis.annotate("base; and every technique, switched off", (x, y), (0, 8), textcoords="offset points", ha="right",
                  color="#555555", fontsize=9)  # fmt: skip
    scatter(axis, report, percent("british", "word_error"), percent("american", "word_error"))
    axis.set_xlabel("British word error, % (left: more was learnt)")
    axis.set_ylabel("American word error, % (up: more was forgotten)")
    axis.set_title("Learning one accent, forgetting the other, while the adapter is on")
    return saved(figure, path)


def scatter(axis: Axes, report: Mapping[str, Any], across: Any, up: Any) -> None:
    """A point for each technique with its name beside it, and a legend of the families."""
    named: set[str] = set()
    points = []
    for method, rows in by_method(report).items():
        name, colour, marker = family(method)
        (x, _), (y, deviation) = spread(rows, across) or (0.0, 0.0), spread(rows, up) or (0.0, 0.0)
        label = None if name in named else name
        axis.errorbar(x, y, yerr=deviation or None, fmt=marker, color=colour, markersize=7, capsize=2, label=label)
        named.add(name)
        points.append((x, y, method))
    axis.margins(x=0.12, y=0.1)
    axis.legend(fontsize=8, loc="best")
    write_names(axis, points)


def write_names(axis: Axes, points: Sequence[tuple[float, float, str]], height: float = 9.0) -> None:
    """Names to the right of their points, moved up where they would lie on one another."""
    scale = 72.0 / axis.figure.dpi
    axis.figure.canvas.draw()
    taken: list[tuple[float, float, float]] = []
    for x, y, name in sorted(points, key=lambda point: point[1]):
        left, bottom = (float(value) * scale for value in axis.transData.transform((x, y)))
        left, right, level = left + 6, left + 6 + 5.2 * len(name), bottom
        while any(left < other[1] and other[0] < right and abs(level - other[2]) < height for other in taken):
            level += 1.0
        taken.append((left, right, level))
        axis.annotate(name, (x, y), (6, level - bottom - 3), textcoords="offset points", fontsize=8)


def draw_learning(report: Mapping[str, Any], path: Path) -> Path:
    """The training loss of every technique, a family a panel, the others in grey behind it."""
    methods = by_method(report)
    present = list(dict.fromkeys(family(method)[0] for method in methods))
    columns = min(3, len(present))
    lines = -(-len(present) // columns)
    figure, panels = plt.subplots(
        lines, columns, figsize=(9, 0.6 + 2.7 * lines), squeeze=False, sharex=True, sharey=True, layout="constrained"
    )
    styles = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
    for axis in panels.flat[len(present) :]:
        axis.set_axis_off()
    for axis, name in zip(panels.flat, present, strict=False):
        members = [method for method in methods if family(method)[0] == name]
        for method, rows in methods.items():
            steps, losses = zip(*rows[0]["loss_curve"], strict=True)
            if method in members:
                style = styles[members.index(method) % len(styles)]
                axis.plot(steps, losses, color=family(method)[1], linestyle=style, linewidth=1.6, label=method, zorder=3)
            else:
                axis.plot(steps, losses, color="#d9d9d9", linewidth=0.8)
        axis.set_yscale("log")
        axis.set_title(name, fontsize=10)
        axis.legend(fontsize=7)
    figure.supxlabel("step")
    figure.supylabel("training loss (logarithmic)")
    return saved(figure, path)


def attention_maps(report: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The base on one word, and the same word said by LoRA or the first adapter that there is."""
    base = load_base()
    maps = {"base, American": letter_attention(base, WORD)}
    methods = [method for method in by_method(report) if method != SCRATCH]
    if methods:
        method = "lora" if "lora" in methods else methods[0]
        seed = by_method(report)[method][0]["seed"]
        prepared = recipe(method).prepare(base)
        model = PeftModel.from_pretrained(prepared, folder / "adapters" / f"{method}-{seed}")
        maps[f"{method}, British"] = letter_attention(model, WORD)
    return maps


def saved(figure: Any, path: Path) -> Path:
    figure.savefig(path)
    plt.close(figure)
    return path
