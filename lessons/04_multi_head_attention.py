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
# 4. Multi-head attention

One attention makes one weighted mean, and a letter may need several things at once.
So several attentions run side by side, each on its own small part of the features: the heads.
"""

# %%
from contextlib import contextmanager

import torch
from einops import rearrange
from matplotlib import pyplot as plt

from lessons.task.base import load_base
from lessons.task.dictionary import vocabulary, words
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate, predict
from lessons.teaching import exercises_of, lit_diagram, quick, said_and_so, show_source
from transformer import MultiHeadAttention, record_attention
from transformer.attention import Attend

set_threads()
torch.manual_seed(0)
lit_diagram("attention")

# %% [markdown]
# ## The formula
#
# $$\mathrm{head}_i = \mathrm{Attention}(X_q W_Q^i,\; X_k W_K^i,\; X_v W_V^i) \qquad
# \mathrm{MultiHead} = \mathrm{Concat}(\mathrm{head}_1, \dots, \mathrm{head}_h)\, W_O$$
#
# $X_q, X_k, X_v$ are the same vectors in self-attention; in cross-attention $X_q$ is the decoder's and the others are the
# encoder's. With $h$ heads each has $d_{head} = d / h$ features. In the code the $W_Q^i$ are one matrix `q_proj`, whose
# rows are cut into $h$ blocks. So there are $4(d^2 + d)$ parameters, however many heads there are.

# %%
show_source(MultiHeadAttention)

# %% [markdown]
# ## By hand
#
# $d = 4$, two heads. The vector $(1, 2, 3, 4)$ becomes $(1, 2)$ in head 0 and $(3, 4)$ in head 1: blocks of neighbours.
# Putting the heads back is the reverse. Parameters: $4 (16 + 4) = 80$, with one head, two or four.
#
# Take two positions, $a = (1, 2, 3, 4)$ and $b = (5, 6, 7, 8)$, with all four matrices the identity and no bias. If head 0
# looks only at position 0 and head 1 only at position 1, the result at *every* position is $(1, 2, 7, 8)$: half of $a$ and
# half of $b$. One head could only have given a mixture, as $(3, 4, 5, 6)$.

# %%
x = torch.tensor([[[1.0, 2, 3, 4], [5, 6, 7, 8]]])
small = MultiHeadAttention(d_model=4, num_heads=2)
print("heads of the first position:", small.split_heads(x)[0, :, 0].tolist())
with torch.no_grad():
    for projection in (small.q_proj, small.k_proj, small.v_proj, small.out_proj):
        projection.weight.copy_(torch.eye(4))
        projection.bias.zero_()
    only = torch.tensor([[[[True, False]] * 2, [[False, True]] * 2]])  # (batch, heads, query, key)
    print("result:", small(x, x, x, only)[0].tolist())
for heads in (1, 2, 4):
    print(
        heads, "heads:", sum(parameter.numel() for parameter in MultiHeadAttention(4, heads).parameters()), "parameters"
    )

# %% [markdown]
# Heads have no order: exchange two heads' rows in `q_proj`, `k_proj`, `v_proj` and their columns in `out_proj`, and the function
# is the same. And $W_O$ is no ornament: without it head $i$ could write into its own block of features only.

# %%
base = load_base()
d, heads, d_head = base.config.d_model, base.config.num_heads, base.config.d_head
attention = base.encoder.layers[1].self_attention
states = torch.randn(1, 9, d)
with torch.no_grad():
    before = attention(states, states, states)
    order = torch.tensor([2, 0, 3, 1])
    features = rearrange(torch.arange(d), "(heads d_head) -> heads d_head", heads=heads)[order].flatten()
    shuffled = MultiHeadAttention(d, heads)
    for name in ("q_proj", "k_proj", "v_proj"):
        getattr(shuffled, name).weight.copy_(getattr(attention, name).weight[features])
        getattr(shuffled, name).bias.copy_(getattr(attention, name).bias[features])
    shuffled.out_proj.weight.copy_(attention.out_proj.weight[:, features])
    shuffled.out_proj.bias.copy_(attention.out_proj.bias)
    after = shuffled(states, states, states)
print(f"heads in another order change the result by {float((before - after).abs().max()):.1e}")

# %% [markdown]
# ## The heads on a real word
#
# All twelve heads of the base's encoder while it reads *knowledge*: who looks (downwards) at what (across).

# %%
WORD = "knowledge"


@torch.no_grad()
def maps_of(word: str) -> dict[str, torch.Tensor]:
    """The weights of every attention while the base reads and says a word: name → (heads, query, key)."""
    source = torch.tensor([vocabulary().encode_word(word)])
    said = predict(base, [word])[word]
    target = torch.tensor([[vocabulary().bos_id, *vocabulary().encode_pronunciation(said)[:-1]]])
    with record_attention(base) as recorded:
        base(source, target)
    return {name: weights[0][0] for name, weights in recorded.items()}


maps = maps_of(WORD)
letters = [*WORD, "·"]
figure, axes = plt.subplots(3, heads, figsize=(10, 7.6), layout="constrained")
for layer, row in enumerate(axes):
    for head, axis in enumerate(row):
        axis.imshow(maps[f"encoder.layers.{layer}.self_attention"][head], cmap="Blues", vmin=0, vmax=1)
        axis.set_xticks(range(len(letters)), letters, fontsize=7)
        axis.set_yticks(range(len(letters)), letters, fontsize=7)
        axis.set_title(f"layer {layer}, head {head}", fontsize=9)
plt.show()

# %% [markdown]
# Lines beside the diagonal are heads for neighbours. Columns are heads that look at one place, from everywhere.
# And while it *decodes* the word, four heads of one cross-attention (sounds downwards, letters across):

# %%
sounds = [*predict(base, [WORD])[WORD], "·"]
figure, axes = plt.subplots(1, heads, figsize=(11, 3.2), layout="constrained")
for head, axis in enumerate(axes):
    axis.imshow(maps["decoder.layers.1.cross_attention"][head], cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(letters)), letters, fontsize=9)
    axis.set_yticks(range(len(sounds)), sounds, fontsize=9)
    axis.set_title(f"decoder layer 1, head {head}", fontsize=9)
plt.show()

# %% [markdown]
# ## Do heads do different things?
#
# How much two heads differ on a word: half the sum of $|w_{ij} - w'_{ij}|$ over the keys, a mean over the queries. 0 is the
# same map, 1 is no weight in common.

# %%
compared = words("american", "development", 20 if quick() else 100)
distance: dict[str, torch.Tensor] = {}
for word in compared:
    for name, weights in maps_of(word).items():
        apart = (weights[:, None] - weights[None]).abs().sum(dim=-1).mean(dim=-1) / 2
        distance[name] = distance.get(name, 0) + apart / len(compared)
pairs_of_heads = ~torch.eye(heads, dtype=torch.bool)
mean_apart = {name: table[pairs_of_heads].mean().item() for name, table in distance.items()}
for name, apart in mean_apart.items():
    print(
        f"{name:<36} heads differ by {apart:.2f} on average, the nearest two by {distance[name][pairs_of_heads].min():.2f}"
    )

# %% [markdown]
# ## Take one head away
#
# Different is not the same as useful. We silence one head at a time (its output is set to 0 before `out_proj`), and measure how
# much the base's errors grow (an *ablation*).


# %%
@contextmanager
def silenced(core: Attend, head: int):
    def hook(module, inputs, output):
        output = output.clone()
        output[:, head] = 0
        return output

    handle = core.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


cores = {name.removesuffix(".attend"): core for name, core in base.named_modules() if isinstance(core, Attend)}
if quick():
    cores = {name: core for name, core in cores.items() if "layers.1" in name}
listened = words("american", "development", 40 if quick() else 100)
whole = 100 * evaluate(base, listened, "american").phoneme_error
worse = torch.zeros(len(cores), heads)
for row, core in enumerate(cores.values()):
    for head in range(heads):
        with silenced(core, head):
            worse[row, head] = 100 * evaluate(base, listened, "american").phoneme_error - whole

figure, axis = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
image = axis.imshow(worse, cmap="Reds", vmin=0, aspect="auto")
for row in range(len(cores)):
    for head in range(heads):
        dark = worse[row, head] > worse.max() * 0.6
        axis.text(head, row, f"{worse[row, head]:+.1f}", ha="center", va="center", color="white" if dark else "black")
axis.set_xticks(range(heads), [f"head {head}" for head in range(heads)])
axis.set_yticks(
    range(len(cores)), [name.replace(".layers.", " ").replace(".", " ").replace("_", "-") for name in cores]
)
axis.set_title(f"phoneme error without this head, minus {whole:.1f} %", fontsize=10)
plt.show()
spared = int((worse <= 1).sum())
print(
    f"{spared} of {worse.numel()} heads can go, one at a time, for at most one point; the worst loss is {worse.max():.1f}"
)

# %% [markdown]
# The head that mattered most, and the base's output without it:

# %%
row, head = divmod(int(worse.argmax()), heads)
name = list(cores)[row]
examples = ["knowledge", "city", "nation", "thought", "exploit"]
with silenced(cores[name], head):
    lost = predict(base, examples)
print(f"without head {head} of {name}:")
for word, said in predict(base, examples).items():
    print(f"  {word:<12}{said:<14} → {lost[word]}")

# %% [markdown]
# It is the head of lesson 3 that looks at the next letter, and *city* now begins like *kitty*: a *c* that does not
# know what follows.
#
# Can the others go together? A head that can be spared alone may be spared because another does the same.


# %%
@contextmanager
def all_silenced(chosen: list[tuple[Attend, int]]):
    if not chosen:
        yield
        return
    with silenced(*chosen[0]), all_silenced(chosen[1:]):
        yield


places = sorted((worse[row, head].item(), row, head) for row in range(len(cores)) for head in range(heads))
counts = [0, 2, 4, 6] if quick() else [0, 4, 8, 12, 16, 20, 24]
left = []
for count in counts:
    with all_silenced([(list(cores.values())[row], head) for _, row, head in places[:count]]):
        left.append(100 * evaluate(base, listened, "american").phoneme_error)
figure, axis = plt.subplots(figsize=(6, 2.9), layout="constrained")
axis.plot(counts, left, "o-")
axis.set(
    xlabel=f"heads taken away together (of {worse.numel()}), the least important first", ylabel="phoneme error (%)"
)
axis.set_ylim(0, None)
plt.show()
apart = list(mean_apart.values())
said_and_so(
    "Several heads learn different representations of the input, in parallel.",
    f"Different: yes. Two heads of one attention differ by {min(apart):.2f} to {max(apart):.2f} on a scale from 0 to 1. Needed: "
    f"not all. {spared} of {worse.numel()} can be taken away one at a time for at most one point of phoneme error, but "
    f"{counts[2]} together cost {left[2] - whole:.1f} points and {counts[-1]} cost {left[-1] - whole:.0f}. Nothing in the loss asks "
    "heads to differ.",
    "the two figures above, and the table of differences",
)

# %% [markdown]
# **To be exact.** Heads do not see different inputs: each reads the whole vector through its own $W^i$. What is small is the
# width of what it compares, $d_{head}$: the matrix $W_Q^i W_K^{i\top}$ that scores two vectors has rank at most $d_{head}$.

# %%
with torch.no_grad():
    rows = slice(0, d_head)  # head 0
    scores = base.encoder.layers[0].self_attention
    rank = int(torch.linalg.matrix_rank(scores.q_proj.weight[rows].T @ scores.k_proj.weight[rows]))
print(f"the {d} × {d} matrix that scores in head 0 has rank {rank} = d_head")

# %% [markdown]
# ## The usual mistakes
#
# - **`view` where an axis must move.** `x.view(batch, heads, time, d_head)` has the right shape and mixes time and features. Ours
#   is one einops line that says what moves.
# - **`(d_head heads)` for `(heads d_head)`**: it works, trains, and loads no checkpoint rightly.
# - **One mask for each head** where one for all is meant: a mask is `(batch, 1, query, key)` and broadcasts.
# - **Keys viewed with the query's length**: right for self-attention, an error for cross-attention of 5 and 7 (happy-llm). Test with
#   unequal lengths.
# - **Square projections hide a transpose.** `W` and `W.T` have one shape; only values tell (CS336's assignment 1).

# %%
x = torch.arange(12.0).reshape(1, 3, 4)
right = rearrange(x, "batch time (heads d_head) -> batch heads time d_head", heads=2)
wrong = x.view(1, 2, 3, 2)
print("three positions:", x[0].tolist())
print("head 0, right:", right[0, 0].tolist(), "  by view alone:", wrong[0, 0].tolist())

# %%
exercises_of(4)

# %% [markdown]
# ## Where to read on
#
# - Vaswani et al., *Attention Is All You Need*, arXiv 1706.03762, section 3.2.2, and table 3 (A) on the number of heads
# - Michel, Levy and Neubig, *Are Sixteen Heads Really Better than One?*, arXiv 1905.10650
# - Voita et al., *Analyzing Multi-Head Self-Attention*, arXiv 1905.09418: heads for position, for syntax, for rare words
# - Shazeer, *Fast Transformer Decoding: One Write-Head is All You Need*, arXiv 1911.02150; Ainslie et al., *GQA*,
#   arXiv 2305.13245: fewer keys and values than queries
# - Next: lesson 5, Add & Norm. In the code: `transformer/attention.py`
