"""The comparison's figures: what was learnt, at what price, what was forgotten, how the loss fell, where attention lies."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator, NullFormatter

from lessons.compare.clouds import AMERICAN, BEFORE, BRITISH, draw_forgetting, draw_price, family, saved
from lessons.compare.report import Row, by_method, percent, spread
from lessons.compare.row import BASE, SCRATCH
from lessons.task.attention_map import LetterAttention, draw_attention, letter_attention
from lessons.task.base import load_base
from lessons.task.dictionary import load
from lessons.task.finetuning import prepared_base
from peft import PeftModel

# The word whose attention is drawn when no technique has learnt one.
WORD = "forecast"
STYLE: dict[Any, Any] = {
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
        drawn = [draw_attention([attention_maps(report, rows, folder)], folder / "attention.png")]
        if not report["rows"]:
            return drawn
        return [
            draw_errors(report, folder / "errors.png"),
            draw_price(report, folder / "parameters.png"),
            draw_forgetting(report, folder / "forgetting.png"),
            draw_learning(report, folder / "learning.png"),
            *drawn,
        ]


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
            side, align = (7, "left") if after > before else (-7, "right")
            axis.annotate(
                f"{after:.0f}", (after, place), (side, 0), textcoords="offset points", va="center", ha=align, fontsize=8
            )
        axis.axvline(before, color=BEFORE, linestyle="--", linewidth=1.2)
        axis.set_title(f"{accent.capitalize()}: {meaning}\ndashed: the base before, {before:.0f} %", fontsize=11)
        axis.set_xlabel("word error, %")
        axis.set_xlim(0, 106)
    panels[0].set_yticks(range(len(methods)), methods)
    panels[0].invert_yaxis()
    return saved(figure, path)


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
                axis.plot(
                    steps, losses, color=family(method)[1], linestyle=style, linewidth=1.6, label=method, zorder=3
                )
            else:
                axis.plot(steps, losses, color="#d9d9d9", linewidth=0.8)
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axis.tick_params(labelbottom=True)
        axis.set_title(name, fontsize=10)
        axis.legend(fontsize=7)
    figure.supxlabel("step")
    figure.supylabel("training loss (logarithmic)")
    return saved(figure, path)


def attention_maps(report: Mapping[str, Any], rows: Sequence[Row], folder: Path) -> dict[str, LetterAttention]:
    """The base on one word, and the same word said by LoRA or the first adapter that there is."""
    tuned = [row for row in report["rows"] if row["method"] != SCRATCH]
    if not tuned:
        return {"base, American": letter_attention(load_base(), WORD)}
    chosen = next((row for row in tuned if row["method"] == "lora"), tuned[0])
    method, seed = chosen["method"], chosen["seed"]
    before, after = (
        next(row["said"] for row in rows if (row["method"], row["seed"]) == wanted)
        for wanted in ((BASE, 0), (method, seed))
    )
    word = telling_word(before, after)
    model = PeftModel.from_pretrained(prepared_base(method, load_base()), folder / "adapters" / f"{method}-{seed}")
    return {
        "base, American": letter_attention(load_base(), word),
        f"{method}, British": letter_attention(model, word),
    }


def telling_word(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """A word of six to nine letters that was right in American before and is right in British after, and differs."""
    american, british = load("american"), load("british")
    return next(
        (
            word
            for word, said in after.items()
            if 6 <= len(word) <= 9
            and said != before[word]
            and said in british[word]
            and before[word] in american.get(word, ())
        ),
        WORD,
    )
