"""Which letters does the model look at while it says each sound? The decoder's cross-attention on one word, as a figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from torch import Tensor, nn

from lessons.task.dictionary import vocabulary
from lessons.task.scoring import LONGEST_OUTPUT
from transformer import generate, record_attention

END = "end"


@dataclass(frozen=True)
class LetterAttention:
    """`weights` (sounds, letters): how much of each sound's attention lies on each letter; both end with "end"."""

    word: str
    said: str
    letters: list[str]
    sounds: list[str]
    weights: Tensor


@torch.no_grad()
def letter_attention(model: nn.Module, word: str) -> LetterAttention:
    """Says the word greedily and looks, in the layer that aligns most sharply, at the mean over the heads.

    What a prompt or a prefix put in front of the letters is cut off: a row then sums to less than 1.
    """
    tokens = vocabulary()
    source = torch.tensor([tokens.encode_word(word)])
    ids = generate(model, source, min(2 * len(word) + 8, LONGEST_OUTPUT))
    with record_attention(model) as maps:
        model(source, ids[:, :-1])
    layers = [weights[-1][0].mean(0) for name, weights in maps.items() if name.endswith("cross_attention")]
    sharpest = max(layers, key=lambda weights: float(weights.max(dim=-1).values.mean()))
    said = tokens.decode_pronunciation(ids[0, 1:].tolist())
    sounds = [*said, END] if len(said) < ids.shape[1] - 1 else [*said]
    return LetterAttention(word, said, [*word, END], sounds, sharpest[: len(sounds), -source.shape[1] :])


def draw_attention(lines: Sequence[Mapping[str, LetterAttention]]) -> Figure:
    """A panel for each map, with its title: sounds downwards, letters across, dark where attention lies."""
    widest = max(sum(0.42 * len(found.letters) + 1.0 for found in line.values()) for line in lines)
    heights = [max(0.34 * len(found.sounds) + 1.1 for found in line.values()) for line in lines]
    figure, panels = plt.subplots(
        len(lines),
        len(lines[0]),
        figsize=(max(5.0, widest + 1.0), sum(heights)),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for axes, line in zip(panels, lines, strict=True):
        for axis, (title, found) in zip(axes, line.items(), strict=True):
            image = draw_panel(axis, title, found)
        axes[0].set_ylabel("sounds")
    figure.colorbar(image, ax=list(panels.flat), label="attention", shrink=0.8)
    return figure


def draw_panel(axis: Axes, title: str, found: LetterAttention) -> AxesImage:
    image = axis.imshow(found.weights.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(found.letters)), found.letters)
    axis.set_yticks(range(len(found.sounds)), found.sounds, fontsize=12)
    axis.set_xticks([position - 0.5 for position in range(1, len(found.letters))], minor=True)
    axis.set_yticks([position - 0.5 for position in range(1, len(found.sounds))], minor=True)
    axis.grid(False, which="major")
    axis.grid(True, which="minor", color="#dddddd", linewidth=0.6)
    axis.tick_params(which="both", length=0)
    axis.set_title(f"{title}\n{found.word} → {found.said}", fontsize=12)
    axis.set_xlabel("letters")
    return image
