# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
"""
# 8. Output, softmax and loss

The decoder's last vector becomes one number for each symbol, softmax makes probabilities of them, and the loss says how
surprised the model was by the right symbol. This lesson computes all of it by hand, and asks whether the base's
probabilities can be trusted.
"""

# %%
import math
from dataclasses import replace

import torch
from matplotlib import pyplot as plt

from lessons.task.base import load_base
from lessons.task.dictionary import pairs, unseen_symbols, vocabulary, words
from lessons.task.machine import set_threads
from lessons.teaching import exercises_of, lit_diagram, quick, said_and_so, show_source
from transformer import TrainingConfig, Transformer, collate, label_smoothed_cross_entropy, train

set_threads()
lit_diagram("output_embedding", "linear", "softmax")

# %% [markdown]
# ## The formula
#
# $$z = W_{out}\,h, \qquad p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}, \qquad
# L = -\log p_y \quad \text{for the right symbol } y$$
#
# With label smoothing, a share $\varepsilon$ of the target goes to all $K$ allowed symbols alike:
#
# $$L_\varepsilon = (1-\varepsilon)\,(-\log p_y) + \varepsilon \cdot \frac{1}{K} \sum_{k} (-\log p_k)$$
#
# The loss of a batch is the mean over the *real* symbols: padding counts for nothing.
#
# The output matrix is the embedding matrix: one row for each symbol, as input and as output ("tied").

# %%
show_source(Transformer.decode, Transformer.tie_weights, label_smoothed_cross_entropy)

# %% [markdown]
# ## By hand
#
# Three symbols with logits $\ln 1, \ln 2, \ln 5$. Then $e^z$ is 1, 2, 5, the sum is 8, and $p = (1/8,\ 2/8,\ 5/8)$.
#
# - The right symbol is the second: $L = -\ln(2/8) = \ln 4 = 1.386$.
# - Smoothing $\varepsilon = 0.1$: $L = 0.9 \ln 4 + 0.1 \cdot \frac{1}{3}(\ln 8 + \ln 4 + \ln 1.6) = 1.248 + 0.131 = 1.379$.
# - The first symbol is declared *never* to occur (`never=(0,)`): the sum is 7, $p = (0,\ 2/7,\ 5/7)$, and the smoothing has two
#   symbols to share among: $L = 0.9 \ln 3.5 + 0.1 \cdot \frac{1}{2}(\ln 3.5 + \ln 1.4) = 1.207$.

# %%
logits = torch.tensor([1.0, 2.0, 5.0]).log()[None, None]  # (batch, target, vocab)
right = torch.tensor([[1]])
for name, settings in (
    ("plain", {}),
    ("smoothed", {"smoothing": 0.1}),
    ("smoothed, 0 never", {"smoothing": 0.1, "never": (0,)}),
):
    print(f"{name:<20}{float(label_smoothed_cross_entropy(logits, right, pad_id=-1, **settings)):.3f}")
by_hand = (
    math.log(4),
    0.9 * math.log(4) + 0.1 * (math.log(8) + math.log(4) + math.log(1.6)) / 3,
    0.9 * math.log(3.5) + 0.1 * (math.log(3.5) + math.log(1.4)) / 2,
)
print("by hand             " + "  ".join(f"{value:.3f}" for value in by_hand))

# %% [markdown]
# Two facts about softmax that save much trouble:
#
# - A number added to all logits changes nothing. So one may subtract the largest; then $e^z$ never overflows.
# - The gradient of $-\log p_y$ with respect to the logits is $p$ minus the one-hot target: here
#   $(1/8,\ 2/8 - 1,\ 5/8)$. What is too likely is pushed down, the right one is pulled up, and it all sums to 0.
#   A symbol of `never` has $p = 0$: no push at all.

# %%
print("z + 1000 gives the same:", (logits + 1000).softmax(-1).tolist(), " naive:", (logits + 1000).exp().tolist())
for never in ((), (0,)):
    z = logits.clone().requires_grad_()
    label_smoothed_cross_entropy(z, right, pad_id=-1, never=never).backward()
    print(f"gradient, never {never}:", [round(float(x), 4) for x in z.grad.flatten()])

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.9), layout="constrained")
for shift, temperature in ((-0.25, 0.5), (0.0, 1.0), (0.25, 2.0)):
    heights = (logits[0, 0] / temperature).softmax(-1)
    axes[0].bar([index + shift for index in range(3)], heights, width=0.24, label=f"temperature {temperature}")
axes[0].set_xticks(range(3), ["ln 1", "ln 2", "ln 5"])
axes[0].set_xlabel("logit")
axes[0].set_ylabel("probability")
axes[0].legend(fontsize=8)
axes[0].set_title("softmax(z / temperature)", fontsize=10)
lead = torch.linspace(-2, 12, 200)
for smoothing in (0.0, 0.1, 0.3):
    table = torch.zeros(200, 1, 3)
    table[:, 0, 1] = lead
    losses = [label_smoothed_cross_entropy(row[None], right, smoothing, pad_id=-1) for row in table]
    (line,) = axes[1].plot(lead, losses, label=f"ε = {smoothing}")
    best = int(torch.stack(losses).argmin())
    if smoothing:
        axes[1].plot(lead[best], losses[best], "o", color=line.get_color())
axes[1].set_xlabel("how far the right logit leads the two others")
axes[1].set_ylabel("loss")
axes[1].legend(fontsize=8)
axes[1].set_title("with smoothing there is a best lead (dots)", fontsize=10)
plt.show()

# %% [markdown]
# Without smoothing the loss wants an endless lead. With it the best target is $1 - \varepsilon + \varepsilon/K$ for the
# right symbol and $\varepsilon/K$ for each other; so the best lead is the logarithm of their ratio. For $\varepsilon = 0.1$
# and $K = 3$ it is $\ln(0.9333 / 0.0333) = \ln 28 = 3.33$: the first dot.
#
# ## The real model's choices
#
# We give the base a word and, step by step, its own best symbols. Each column is one softmax.

# %%
base, tokens = load_base(), vocabulary()


@torch.no_grad()
def next_probabilities(model: torch.nn.Module, word: str, pronunciation: str) -> torch.Tensor:
    """(symbols + 1, vocab): the softmax before each symbol of the pronunciation, and before its end."""
    batch = collate(
        [(tokens.encode_word(word), tokens.encode_pronunciation(pronunciation))], tokens.pad_id, tokens.bos_id
    )
    return model(batch.source, batch.inputs)[0].softmax(dim=-1)


word, said = "either", "ˈiðəɹ"
table = next_probabilities(base, word, said)
names = {token: symbol for symbol, token in tokens.symbol_ids.items()} | {tokens.eos_id: "end"}
likely = [token for token in names if table[:, token].max() > 0.02]
figure, axis = plt.subplots(figsize=(6, 2.9), layout="constrained")
image = axis.imshow(table[:, likely].T, cmap="Greens", vmin=0, vmax=1, aspect="auto")
axis.set_xticks(range(len(said) + 1), [*said, "end"])
axis.set_yticks(range(len(likely)), [names[token] for token in likely])
axis.set_xlabel("the output, symbol by symbol")
axis.set_title(f"{word}: what may come next")
figure.colorbar(image, label="probability")
plt.show()
steps = table[range(len(said) + 1), tokens.encode_pronunciation(said)]
print("probability of each symbol:", [round(float(p), 3) for p in steps])
print(
    f"of the whole word: their product, {float(steps.prod()):.3f}; its loss: the mean of -log p, {float(-steps.log().mean()):.3f}"
)

# %% [markdown]
# At the vowel the mass lies on two symbols: *either* may begin with "ee" or with "eye", and both are in the dictionary.
# A distribution can express that. A single answer cannot.
#
# ## Is 90 % right in 9 of 10 cases?
#
# A model is *calibrated* when, among all the symbols it gives 90 %, nine in ten are right. We look at every symbol of many
# held-out words (the model reads the right symbols so far), sort its best guesses by their probability into ten bins, and
# count how many were right. We do it in American, which the base was trained on, and in British, which it was not.

# %%


@torch.no_grad()
def guesses(accent: str, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits before every real symbol (symbols, vocab), and the right symbols."""
    examples = pairs(accent, words(accent, "development", count))
    batch = collate(examples, tokens.pad_id, tokens.bos_id)
    real = batch.labels != tokens.pad_id
    return base(batch.source, batch.inputs)[real], batch.labels[real]


def reliability(logits: torch.Tensor, labels: torch.Tensor) -> tuple[list[float], list[float], float, float]:
    """Mean probability and share of right ones in each bin; how far apart they are on average; the share of right ones."""
    sure, best = logits.softmax(-1).max(-1)
    right = (best == labels).float()
    bins = (sure * 10).long().clamp(max=9)
    full = [index for index in range(10) if (bins == index).sum() >= 5]
    said_sure = [float(sure[bins == index].mean()) for index in full]
    was_right = [float(right[bins == index].mean()) for index in full]
    sizes = [float((bins == index).float().mean()) for index in full]
    gap = sum(size * abs(a - b) for size, a, b in zip(sizes, said_sure, was_right))
    return said_sure, was_right, gap, float(right.mean())


count = 200 if quick() else 800
measured = {accent: guesses(accent, count) for accent in ("american", "british")}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.3), layout="constrained", sharey=True)
for axis, (accent, (scores, labels)) in zip(axes, measured.items()):
    said_sure, was_right, gap, share = reliability(scores, labels)
    axis.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1, label="calibrated")
    axis.plot(said_sure, was_right, "o-", label="the base")
    axis.set_title(f"{accent}: {100 * share:.1f} % right, off by {100 * gap:.1f} points", fontsize=10)
    axis.set_xlabel("how sure it says it is")
    axis.legend(fontsize=8)
axes[0].set_ylabel("how often it is right")
plt.show()

# %% [markdown]
# Below the line means *too sure of itself*. On American words the curve stays near the line; in British it lies well
# below it. The base does not know that it is being asked about another accent: a probability says how sure the model is
# **about the world that it was trained on**.
#
# The usual repair is one number, the temperature: divide all logits by $T$, and choose $T$ for the smallest loss on half of
# the words. The best symbol stays the best; only the sureness changes.

# %%
temperatures = [0.6 + 0.1 * index for index in range(30)]
for accent, (scores, labels) in measured.items():
    half = len(labels) // 2
    losses = [float(torch.nn.functional.cross_entropy(scores[:half] / t, labels[:half])) for t in temperatures]
    best = temperatures[losses.index(min(losses))]
    before = reliability(scores[half:], labels[half:])[2]
    after = reliability(scores[half:] / best, labels[half:])[2]
    print(
        f"{accent}: best temperature {best:.1f}; on the other half it was off by {100 * before:.1f} points, then by {100 * after:.1f}"
    )

# %%
gap_american, gap_british = (reliability(*measured[accent])[2] for accent in ("american", "british"))
said_and_so(
    said="Softmax turns the decoder's output into a probability distribution.",
    so="Its numbers are positive and sum to 1; that alone makes them no trustworthy probabilities. On the accent that the "
    f"base was trained on they are off by {100 * gap_american:.1f} points on average, on another by {100 * gap_british:.1f}.",
    shown_by="The figure above.",
)
said_and_so(
    said="The linear layer maps the decoder's output to a larger vocabulary space.",
    so=f"It maps to as many numbers as there are symbols. In large models that is more than d_model; here {len(tokens)} "
    f"symbols are fewer than d_model = {base.config.d_model}.",
    shown_by=f"`base.output.weight` has the shape {tuple(base.output.weight.shape)}, and it is the embedding matrix: "
    f"`base.output.weight is base.source_embedding.weight` is {base.output.weight is base.source_embedding.weight}.",
)

# %% [markdown]
# ## The symbol that never occurs
#
# American English has no ɒ (the vowel of British *hot*). Pretraining left it out of the softmax with `never`. Why? A symbol
# that is never right is pushed away at every step, and fine-tuning would first have to undo it. We train two small models
# from the same random weights, with and without `never`, and watch the mean probability of ɒ on some words.

# %%
(unseen,) = unseen_symbols("american")
examples = pairs("american", words("american", "train", 3000))
watched = collate(examples[:40], tokens.pad_id, tokens.bos_id)
real = watched.labels != tokens.pad_id
chance: dict[str, dict[int, float]] = {}
for title, never in (("left out (never)", (unseen,)), ("taken part", ())):
    torch.manual_seed(0)
    model = Transformer(
        replace(base.config, d_model=64, d_ff=128, num_encoder_layers=1, num_decoder_layers=1, dropout=0.0)
    )
    seen = chance[title] = {}

    @torch.no_grad()
    def watch(step: int, loss: float, model: Transformer = model, seen: dict[int, float] = seen) -> None:
        if step % 10 == 0 or step == 1:
            seen[step] = float(model(watched.source, watched.inputs)[real].softmax(-1)[:, unseen].mean())

    settings = TrainingConfig(steps=60 if quick() else 200, learning_rate=2e-3, warmup=20, max_tokens=800, never=never)
    train(model, examples, settings, on_step=watch)
    print(f"{title}: {names[unseen]} ends with probability {list(seen.values())[-1]:.1e}")
figure, axis = plt.subplots(figsize=(5.5, 2.8), layout="constrained")
for title, seen in chance.items():
    axis.plot(seen.keys(), seen.values(), "o-", markersize=3, label=title)
axis.set_yscale("log")
axis.set_xlabel("training step")
axis.set_ylabel(f"mean probability of {names[unseen]}")
axis.legend()
plt.show()

# %% [markdown]
# ## The usual mistakes
#
# - **0 · (-∞) in label smoothing.** A masked symbol has log-probability -∞; times a weight of 0 it is NaN. The own
#   example of the annotated Transformer has this on today's torch (its issues 18, 38, 39). Select, do not multiply:
#   the source above fills such places with 0 before it sums.
# - **Softmax twice.** `log_softmax` of something that is already a `log_softmax` changes nothing, but `softmax` of a softmax
#   is nearly uniform, and training crawls (ARENA, issue 164, had the harmless one).
# - **Padding in the mean.** Then a batch with more padding has a smaller loss. Divide by the number of real symbols.
# - **Labels that are not shifted.** If the label is the input itself, the loss goes to 0 and nothing was learnt (lesson 7).
# - **A loss with smoothing compared with one without.** They have different lowest values.
# - **The mean of batch means.** Batches of unequal size weigh the same then; sum, and divide once.

# %%
masked = torch.tensor([float("-inf"), math.log(2 / 7), math.log(5 / 7)])
smooth_target = torch.tensor([0.0, 0.95, 0.05])
print("multiplied:", float(-(smooth_target * masked).sum()), "  selected:", float(-(smooth_target * masked)[1:].sum()))
print("softmax of a softmax:", [round(float(x), 3) for x in logits[0, 0].softmax(-1).softmax(-1)])

# %%
exercises_of(8)

# %% [markdown]
# ## Where to read on
#
# - *Using the Output Embedding to Improve Language Models* (arXiv 1608.05859): why the matrices may be one.
# - *Rethinking the Inception Architecture*, section 7 (arXiv 1512.00567): label smoothing.
# - *When Does Label Smoothing Help?* (arXiv 1906.02629).
# - *On Calibration of Modern Neural Networks* (arXiv 1706.04599): the figure and the temperature.
# - *Analyzing Uncertainty in Neural Machine Translation* (arXiv 1803.00047): several right answers.
