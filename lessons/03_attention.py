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
# 3. Attention

A letter's sound depends on its neighbours: the *c* of *city* is not that of *cat*.
Attention lets every position fetch from every other what it needs, and how much from each is computed, not fixed.
"""

# %%
import math
from contextlib import contextmanager

import torch
from matplotlib import pyplot as plt

from lessons.task.attention_map import draw_panel, letter_attention
from lessons.task.base import load_base
from lessons.task.dictionary import vocabulary, words
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate
from lessons.teaching import exercises_of, lit_diagram, quick, said_and_so, show_source
from transformer import record_attention, scaled_dot_product_attention
from transformer.attention import Attend

set_threads()
torch.manual_seed(0)
lit_diagram("attention")

# %% [markdown]
# ## The formula
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right) V$$
#
# Each position asks a question, its *query*. Each position has a *key*, by which it is found, and a *value*, which it
# gives. A query's product with every key is its score; softmax turns the scores into weights that are positive and sum
# to 1; the result is the mean of the values with these weights. $d$ is the length of a query and of a key (`d_head`).
# There are no parameters here: queries, keys and values come from three matrices (lesson 4).

# %%
show_source(scaled_dot_product_attention)

# %% [markdown]
# ## By hand
#
# One query, two keys, $d = 4$, so $\sqrt d = 2$:
#
# $$q = (1, 0, 0, 0), \quad k_1 = (2\ln 3, 0, 0, 0), \quad k_2 = (0, 5, 0, 0), \quad v_1 = (4, 0), \quad v_2 = (0, 8)$$
#
# The products are $2 \ln 3$ and $0$; divided by 2 they are $\ln 3$ and $0$. Softmax: $e^{\ln 3} = 3$ and $e^0 = 1$, so the
# weights are $\tfrac34$ and $\tfrac14$. The result is $\tfrac34 (4, 0) + \tfrac14 (0, 8) = (3, 2)$.
# (Without the division the weights are $\tfrac{9}{10}$ and $\tfrac1{10}$.)

# %%
query = torch.tensor([[1.0, 0, 0, 0]])
keys = torch.tensor([[2 * math.log(3), 0, 0, 0], [0, 5, 0, 0]])
values = torch.tensor([[4.0, 0], [0, 8]])
result, weights = scaled_dot_product_attention(query, keys, values)
print("weights", weights.tolist(), " result", result.tolist())

# %% [markdown]
# What follows from the formula: a result lies *between* the values; attention can mix them, and cannot make a larger one.
# The order of the keys means nothing. And a query that may attend to nothing gets exactly 0, not a NaN: our contract,
# since $0/0$ has no answer of its own.

# %%
order = torch.tensor([1, 0])
print("keys and values in another order:", scaled_dot_product_attention(query, keys[order], values[order])[0].tolist())
nothing = torch.tensor([[False, False]])
print("may attend to nothing:", scaled_dot_product_attention(query, keys, values, nothing)[0].tolist())

# %% [markdown]
# ## Why $\sqrt d$
#
# If the numbers of $q$ and $k$ are independent, with mean 0 and variance 1, then each term $q_i k_i$ has variance 1 and their
# sum has variance $d$. So scores grow like $\sqrt d$, softmax puts all its weight on one key, and where it is flat no
# gradient comes through. Divided by $\sqrt d$ the scores have variance 1, whatever $d$ is. Measured:

# %%
sizes = [2**power for power in range(11)]
samples, keys_each = 200 if quick() else 2000, 16
measured = {"spread": [], "largest": {False: [], True: []}, "gradient": {False: [], True: []}}
for size in sizes:
    q, k = torch.randn(samples, 1, size), torch.randn(samples, keys_each, size)
    products = (q @ k.transpose(1, 2))[:, 0]
    measured["spread"].append(products.std().item())
    for scaled in (False, True):
        scores = (products / math.sqrt(size) if scaled else products).clone().requires_grad_()
        weights = scores.softmax(dim=-1)
        (gradient,) = torch.autograd.grad(weights[:, 0].sum(), scores)
        measured["largest"][scaled].append(weights.max(dim=-1).values.mean().item())
        measured["gradient"][scaled].append(gradient.norm(dim=-1).mean().item())

figure, axes = plt.subplots(1, 3, figsize=(10, 2.9), layout="constrained")
axes[0].plot(sizes, measured["spread"], "o", label="measured")
axes[0].plot(sizes, [size**0.5 for size in sizes], label="√d")
axes[0].set(title="spread of q · k", xscale="log", yscale="log", xlabel="d")
for axis, name, title in (
    (axes[1], "largest", "largest of 16 weights"),
    (axes[2], "gradient", "gradient through softmax"),
):
    axis.plot(sizes, measured[name][False], "o-", label="q · k")
    axis.plot(sizes, measured[name][True], "o-", label="q · k / √d")
    axis.set(title=title, xscale="log", xlabel="d", ylim=(0, None))
for axis in axes:
    axis.legend(fontsize=8)
plt.show()
said_and_so(
    "Without 1/√d softmax saturates and the gradient vanishes.",
    f"For random queries and keys it is so: at d = 1024 the largest of 16 weights is {measured['largest'][False][-1]:.2f} on "
    f"average, with the scale {measured['largest'][True][-1]:.2f}; the gradient is {measured['gradient'][False][-1]:.3f} "
    f"against {measured['gradient'][True][-1]:.3f}. The argument is about the *start* of training. A trained model's queries "
    "are not random, as the next figure shows.",
    "the figure above",
)

# %% [markdown]
# ## The real model's scores
#
# The base has `d_head` = 32. How large are its scores after the division, and what if the scale were another? We multiply
# all scores by a factor: $\sqrt{32} \approx 5.7$ is the mistake "scale forgotten", $1/\sqrt{32}$ is "divided by $d$".

# %%
base = load_base()
spread = []


@contextmanager
def scores_times(factor: float):
    """Every query of the base is multiplied, which multiplies its scores."""

    def hook(module, inputs):
        query, key, *rest = inputs
        scores = factor * query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        spread.append(scores.std(dim=-1, correction=0).mean().item())
        return (factor * query, key, *rest)

    handles = [module.register_forward_pre_hook(hook) for module in base.modules() if isinstance(module, Attend)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


listened = words("american", "development", 30 if quick() else 120)
with torch.no_grad(), scores_times(1.0):
    longest = [word for word in listened if len(word) >= 10]
    for word in longest:
        base.encode(torch.tensor([vocabulary().encode_word(word)]))
print(
    f"scores of a query in the encoder differ by {sum(spread) / len(spread):.2f} (standard deviation; random ones by 1)"
)

root = math.sqrt(base.config.d_head)
factors = [1 / root, 0.8, 1.0, 1.25, root] if quick() else [1 / root, 0.35, 0.6, 0.8, 1.0, 1.25, 1.7, 2.8, root]
errors = []
for factor in factors:
    with scores_times(factor):
        errors.append(100 * evaluate(base, listened, "american").phoneme_error)
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
axis.plot(factors, errors, "o-")
for factor, name in ((1 / root, "divided by d"), (1.0, "by √d"), (root, "not divided")):
    axis.annotate(
        name,
        (factor, errors[factors.index(factor)]),
        xytext=(0, 8),
        ha="center",
        textcoords="offset points",
        fontsize=9,
    )
axis.set(xscale="log", xlabel="all scores times", ylabel="phoneme error (%)", ylim=(0, 55), xlim=(0.12, 9))
axis.set_xticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
axis.minorticks_off()
plt.show()
print("  ".join(f"×{factor:.2f}: {error:.1f} %" for factor, error in zip(factors, errors, strict=True)))

# %% [markdown]
# A wrong scale is a mistake that does not crash. A model that was *trained* with it learns to live with it; a loaded
# checkpoint does not forgive it. That is why a test compares values.
#
# ## Over letters
#
# While the base decodes each sound, its decoder looks at the letters (cross-attention, lesson 7). Sounds downwards, letters
# across, dark where the weight lies. A row sums to 1.

# %%
figure, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
for axis, word in zip(axes, ("knight", "nation", "exploit"), strict=True):
    draw_panel(axis, "base", letter_attention(base, word))
axes[0].set_ylabel("sounds")
plt.show()

# %% [markdown]
# No training example says which letters make which sound: it had only whole words and whole pronunciations.
#
# **To be exact.** The place of a letter is not the letter. After three encoder layers it also holds what it has fetched from
# its neighbours: the *n* of *knight* is read off at the *k*. So the map shows where the model looks, not what it finds there.
#
# Inside the encoder, the letters look at each other. Attention runs several times side by side, in heads (lesson 4). Here is
# the head of the base that looks most at the *next* letter, which is what one must know to pronounce a *c* (found by
# measuring all of them on a hundred words):


# %%
def encoder_maps(word: str) -> dict[tuple[int, int], torch.Tensor]:
    """(layer, head) → who looks where, for each head of the encoder."""
    with torch.no_grad(), record_attention(base) as maps:
        base.encode(torch.tensor([vocabulary().encode_word(word)]))
    return {
        (layer, head): weights
        for layer in range(base.config.num_encoder_layers)
        for head, weights in enumerate(maps[f"encoder.layers.{layer}.self_attention"][0][0])
    }


on_the_next: dict[tuple[int, int], float] = {}
for word in words("american", "development", 100):
    for place, weights in encoder_maps(word).items():
        on_the_next[place] = on_the_next.get(place, 0.0) + weights.diagonal(1).mean().item() / 100
layer, head = max(on_the_next, key=on_the_next.get)
print(f"layer {layer}, head {head}: {100 * on_the_next[layer, head]:.0f} % of a letter's weight lies on the next one")
print(f"of all {len(on_the_next)} heads: {100 * sum(on_the_next.values()) / len(on_the_next):.0f} % on average")

figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.6), layout="constrained")
for axis, word in zip(axes, ("city", "cactus"), strict=True):
    names = [*word, "end"]
    axis.imshow(encoder_maps(word)[layer, head], cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks(range(len(names)), names)
    axis.set_yticks(range(len(names)), names)
    axis.set_title(f"{word}: layer {layer}, head {head}", fontsize=10)
axes[0].set_ylabel("who looks")
axes[0].set_xlabel("at what")
plt.show()

# %% [markdown]
# ## How many letters does a query look at?
#
# If a query had equal weight on $n$ letters, its entropy would be $\ln n$. So $e^{\text{entropy}}$ counts the letters it
# really looks at.

# %%
kinds = {"encoder": [], "decoder, itself": [], "decoder, letters": []}
available = {name: [] for name in kinds}
for word in longest:
    source, said = torch.tensor([vocabulary().encode_word(word)]), letter_attention(base, word).said
    target = torch.tensor([[vocabulary().bos_id, *vocabulary().encode_pronunciation(said)[:-1]]])
    with torch.no_grad(), record_attention(base) as maps:
        base(source, target)
    for name, recorded in maps.items():
        kind = (
            "encoder" if name.startswith("encoder") else ("decoder, letters" if "cross" in name else "decoder, itself")
        )
        weights = recorded[0][0]
        entropy = -(weights * weights.clamp_min(1e-12).log()).sum(dim=-1)
        kinds[kind] += entropy.exp().flatten().tolist()
        available[kind] += (weights > 0).sum(dim=-1).flatten().tolist()
figure, axis = plt.subplots(figsize=(6, 2.9), layout="constrained")
axis.hist(list(kinds.values()), bins=[value / 2 for value in range(2, 31)], density=True, label=list(kinds))
axis.set(
    xlabel=f"positions that a query looks at (words of {min(map(len, longest))} letters or more)",
    ylabel="share of queries",
)
axis.legend()
plt.show()
mean = {kind: sum(found) / len(found) for kind, found in kinds.items()}
there = {kind: sum(found) / len(found) for kind, found in available.items()}
for kind in kinds:
    print(f"{kind:<18} looks at {mean[kind]:.1f} of {there[kind]:.1f} positions")
said_and_so(
    "Attention considers all words of the input for each word.",
    "It *may*: no weight of a softmax is 0. In fact a query of this base puts its weight on the equivalent of "
    f"{mean['encoder']:.1f} letters of {there['encoder']:.1f} in the encoder, and {mean['decoder, letters']:.1f} of "
    f"{there['decoder, letters']:.1f} in the cross-attention. What is masked has a weight of exactly 0.",
    "the figure above",
)

# %% [markdown]
# ## The usual mistakes
#
# - **The scale** forgotten, or $d$ in place of $\sqrt d$, or `d_model` in place of `d_head`. Measured above.
# - **Softmax over the wrong axis.** The weights of one *query* sum to 1: the last axis, the keys.
# - **The mask read the other way round.** Here True = may be attended to, as in torch's
#   `scaled_dot_product_attention`. In `nn.MultiheadAttention` True = may *not* (pytorch#118972; a course's notebook passed the wrong
#   one, rasbt/LLMs-from-scratch#1061).
# - **-1e9 for forbidden scores**: a row with nothing to attend to then gives *equal weights to what is forbidden*; -inf
#   gives NaN. (d2l PR#2423.) Both are silent until such a row comes.
# - **A mask on the wrong axis**, hidden by a finite fill (hyunwoongko/transformer PR#40).
#
# What the three do with a row that may attend to nothing:

# %%
scores = torch.zeros(1, 3)
forbidden = torch.ones(1, 3, dtype=torch.bool)
print("-1e9:", [round(weight, 3) for weight in scores.masked_fill(forbidden, -1e9).softmax(dim=-1)[0].tolist()])
print("-inf:", scores.masked_fill(forbidden, float("-inf")).softmax(dim=-1)[0].tolist())
print(
    "ours:",
    scaled_dot_product_attention(torch.ones(1, 2), torch.ones(3, 2), torch.ones(3, 2), ~forbidden)[1][0].tolist(),
)

# %%
exercises_of(3)

# %% [markdown]
# ## Where to read on
#
# - Bahdanau, Cho and Bengio, *Neural Machine Translation by Jointly Learning to Align and Translate*, arXiv 1409.0473: where
#   attention comes from
# - Vaswani et al., *Attention Is All You Need*, arXiv 1706.03762, section 3.2.1; the argument for the scale is its footnote 4
# - Jain and Wallace, *Attention is not Explanation*, arXiv 1902.10186: a weight is not a reason
# - Dao et al., *FlashAttention*, arXiv 2205.14135: the same numbers without the matrix of weights in memory
# - Next: lesson 4, several attentions side by side. In the code: `transformer/attention.py`
