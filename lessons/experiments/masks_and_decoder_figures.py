"""Lesson 7's drawing, masked attention with the by-hand example's numbers, and its figures."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.figure import Figure

from lessons.drawing.labels import legend_below
from lessons.drawing.style import BEFORE, GREEN, INDIGO, ORANGE
from lessons.experiments.masks_and_decoder import EXPONENTIALS, VALUE, Reach, Trained, batch_of, by_hand
from lessons.task.attention_map import LetterAttention, draw_panel
from lessons.task.dictionary import vocabulary
from lessons.teaching import Sketch, new_figure
from transformer import causal_mask, padding_mask

QUERIES = ("query 0", "query 1", "query 2")


def draw_masked_attention() -> Figure:
    """e^s, the mask, what is left of each row divided by its sum, times the values."""
    output, weights = by_hand()
    sketch, low = Sketch(18.6, 5.2), 0.8
    scores = sketch.matrix(2.0, low, EXPONENTIALS.T.expand(3, 3).tolist(), r"$e^s$", rows=QUERIES, largest=8)
    mask = sketch.matrix(6.2, low, causal_mask(3).float().tolist(), "may look", form="")
    for row, column in torch.cartesian_prod(torch.arange(3), torch.arange(3)).tolist():
        sketch.text(6.7 + column, low + 2.5 - row, "yes" if column <= row else "no", 9, zorder=5)
    shares = sketch.matrix(10.2, low, weights.tolist(), "weights", cell=(1.25, 1.0), largest=1.5)
    values = sketch.matrix(14.8, low, VALUE.tolist(), "v", largest=150)
    result = sketch.matrix(16.8, low, output.tolist(), "output", cell=(1.4, 1.0), largest=150)
    for one, other, sign in ((scores, mask, "×"), (shares, values, "·"), (values, result, "=")):
        sketch.text((one.right[0] + other.left[0]) / 2, one.right[1], sign, 13)
    sketch.arrow(mask.right, shares.left)
    sketch.text((mask.right[0] + shares.left[0]) / 2, low + 0.3, "÷ row\nsum", 9)
    return sketch.figure


def draw_masks(some: Sequence[str]) -> Figure:
    """Padding of the sources, the causal mask, and both joined for the first word's pronunciation."""
    tokens, batch = vocabulary(), batch_of(some)
    figure, axes = new_figure(columns=3, height=3.0, width_ratios=[1.3, 1, 1])
    shades = {"cmap": "Blues", "vmin": 0, "vmax": 1.4}
    axes[0].imshow(padding_mask(batch.source, tokens.pad_id)[:, 0, 0], aspect="auto", **shades)
    for row, ids in enumerate(batch.source):
        letters = [*tokens.decode(ids.tolist()), "end"]
        for column, letter in enumerate(letters + ["pad"] * (len(ids) - len(letters))):
            axes[0].text(column, row, letter, ha="center", va="center", fontsize=8)
    axes[0].set_yticks(range(len(some)), some)
    length = batch.inputs.shape[1]
    both = padding_mask(batch.inputs, tokens.pad_id)[0, 0] & causal_mask(length)
    for axis, mask in zip(axes[1:], (causal_mask(length), both), strict=True):
        axis.imshow(mask, **shades)
        axis.set(xlabel="key", ylabel="query", xticks=range(0, length, 2))
    for axis, title in zip(axes, ("padding, a row a word", "causal", f"both, for {some[0]}"), strict=True):
        axis.set_title(title, fontsize=10)
    return figure


def draw_reach(decoder: Reach, encoder: Reach) -> Figure:
    figure, axes = new_figure(columns=2, height=2.8)
    for axis, found, title in zip(axes, (decoder, encoder), ("decoder: logits", "encoder: memory"), strict=True):
        colours = [ORANGE if place == found.place else INDIGO for place in range(len(found.moved))]
        axis.bar(range(len(found.moved)), found.moved, color=colours)
        axis.set_xticks(range(len(found.names)), found.names, fontsize=9)
        axis.set(title=title, ylabel="largest change")
    return figure


def draw_maps(maps: Sequence[LetterAttention]) -> Figure:
    """Sounds downwards, letters across, dark where attention lies."""
    figure, axes = new_figure(columns=len(maps), height=3.4)
    for axis, found in zip(axes, maps, strict=True):
        draw_panel(axis, "", found)
        axis.set_title(f"{found.word} → {found.said}", fontsize=10)
        axis.tick_params(labelsize=9)
    axes[0].set_ylabel("sounds")
    return figure


def draw_cheat(found: Mapping[str, Trained]) -> Figure:
    """Left: the training losses. Right: right symbols while reading the answer, errors while decoding alone."""
    figure, (left, right) = new_figure(columns=2, height=3.4)
    for shift, (name, model), colour in zip((-0.2, 0.2), found.items(), (GREEN, BEFORE), strict=True):
        left.plot(range(1, len(model.losses) + 1), model.losses, color=colour, label=name)
        bars = right.bar([shift, 1 + shift], [model.reading, model.alone], width=0.38, color=colour)
        right.bar_label(bars, fmt="%.0f", fontsize=8)
    left.set(xlabel="step", ylabel="training loss", ylim=(0, None))
    right.set_xticks([0, 1], ["reads the answer:\nright (%)", "decodes alone:\nphoneme error (%)"], fontsize=9)
    right.margins(y=0.15)
    legend_below(figure, left)
    return figure
