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

**The question.** To say the *k* of *knowledge*, one must know that an n follows, that a word begins here, and which letters have
been said already. One attention gives one weighted mean: if it looks at three places, it gets their mixture, and cannot
tell which part came from where. How can a position fetch several things at once and keep them apart?

**You will be able to**

- cut vectors into heads and put them together by hand
- count the parameters, and say why the number of heads does not change them
- take a head away and measure what it was worth
- say why "heads learn different things" is half of the truth

**Time:** 35 minutes. **Before it:** [lesson 3](03_attention.ipynb).
"""

# %% tags=["hide-input"]
import torch
from einops import rearrange

from lessons.experiments.attention import weight_on_the_next_letter
from lessons.experiments.multi_head_attention import (
    ONLY,
    X,
    cores_of,
    error,
    heads_apart,
    heads_reordered,
    identity_attention,
    maps_of,
    score_rank,
    silenced,
    together,
    worse_without,
)
from lessons.experiments.multi_head_attention_figures import (
    draw_cross,
    draw_heads,
    draw_together,
    draw_two_heads,
    draw_worse,
)
from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.machine import set_threads
from lessons.task.scoring import predict
from lessons.teaching import (
    claim,
    exercises_of,
    lit_diagram,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from transformer import MultiHeadAttention

set_threads()
torch.manual_seed(0)
lit_diagram("attention")
base = load_base()

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_two_heads(),
    title="Each head has its own part of the features, and looks where it likes",
    alt="Two positions a = (1, 2, 3, 4) and b = (5, 6, 7, 8). Head 0 has their first two features and looks at a, so it fetches "
    "(1, 2). Head 1 has the last two and looks at b: (7, 8). Side by side they are (1, 2, 7, 8).",
)

# %% [markdown]
# ## The idea
#
# Several attentions run side by side: the **heads**. Each makes its own queries, keys and values from the whole vector, but
# short ones, and its own weights. One head may look at the next letter while another looks at the beginning of the word. Their
# results are written one behind the other, so that nothing is mixed, and a last matrix $W_O$ makes one vector of them.
#
# With one head, looking at $a$ and $b$ gives a mixture of $a$ and $b$. With two, a part of $a$ *and* a part of $b$ arrive
# unmixed.
#
# It costs no parameters. With $h$ heads each one has $d / h$ features, so that all of them together are as wide as one was.
# What a head gives up is width: it compares short queries with short keys.

# %% [markdown]
# ## The formula
#
# $$\mathrm{head}_i = \mathrm{Attention}(X_q W_Q^i,\; X_k W_K^i,\; X_v W_V^i) \qquad
# \mathrm{MultiHead} = \mathrm{Concat}(\mathrm{head}_1, \dots, \mathrm{head}_h)\, W_O$$
#
# $X_q, X_k, X_v$ are the same vectors in self-attention; in cross-attention $X_q$ is the decoder's and the others are the
# encoder's. With $h$ heads each has $d_{head} = d / h$ features. In the code the $W_Q^i$ are one matrix `q_proj`, whose
# rows are cut into $h$ blocks. So there are $4(d^2 + d)$ parameters, however many heads there are.

# %% [markdown]
# ## The code

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
small = identity_attention()
print("heads of the first position:", small.split_heads(X)[0, :, 0].tolist())
print("result at both positions:", small(X, X, X, ONLY)[0].tolist())
for heads in (1, 2, 4):
    print(heads, "heads:", sum(p.numel() for p in MultiHeadAttention(4, heads).parameters()), "parameters")

# %% [markdown]
# Heads have no order: exchange two heads' rows in `q_proj`, `k_proj`, `v_proj` and their columns in `out_proj`, and the function
# is the same. And $W_O$ is no ornament: without it head $i$ could write into its own block of features only.

# %%
attention, states = base.encoder.layers[1].self_attention, torch.randn(1, 9, base.config.d_model)
shuffled = heads_reordered(attention, [2, 0, 3, 1])
with torch.no_grad():
    difference = (attention(states, states, states) - shuffled(states, states, states)).abs().max()
print(f"heads in another order change the result by {difference:.0e}")

# %% [markdown]
# ## Experiment: the heads on a real word
#
# All heads of the base's encoder while it reads *knowledge*: who looks (downwards) at what (across). Each row sums to 1.

# %% tags=["hide-input"]
WORD = "knowledge"
maps = maps_of(base, WORD)
show_figure(
    draw_heads(maps, WORD),
    title="Heads of one layer look at different places",
    alt="A grid of maps of attention on the word knowledge, one row for each encoder layer and one column for each head. "
    "Dark fields lie beside the diagonal in some, in columns in others.",
)

# %% [markdown]
# Lines beside the diagonal are heads for neighbours. Columns are heads that look at one place, from everywhere. And while
# it *decodes* the word, the heads of one cross-attention:

# %% tags=["hide-input"]
cross = maps["decoder.layers.1.cross_attention"]
apart = max(len(set(letters)) for letters in cross.argmax(-1).T.tolist())
claim(apart > 1, "the heads look at different letters for one symbol", apart=apart)
show_figure(
    draw_cross(cross, WORD, predict(base, [WORD])[WORD]),
    title="For one symbol the {heads} heads of a cross-attention look most at up to {apart} different letters",
    alt="Maps of the heads of decoder layer 1: sounds downwards, letters across.",
    heads=len(cross),
    apart=apart,
)

# %% [markdown]
# ## Experiment: do heads do different things?
#
# How much two heads differ on a word: half the sum of $|w_{ij} - w'_{ij}|$ over the keys, a mean over the queries. 0 is the
# same map, 1 is no weight in common.

# %%
apart = heads_apart(base, words("american", "development", 20 if quick() else 60))
for name, distance in apart.items():
    print(f"{name:<36} heads differ by {distance:.2f}")

# %% [markdown]
# ## Experiment: take one head away
#
# Different is not the same as useful. We silence one head at a time (its output is set to 0 before `out_proj`), and measure how
# much the base's errors grow. This is called an *ablation*.

# %%
cores = cores_of(base)
if quick():
    cores = {name: core for name, core in cores.items() if "layers.1" in name}
listened = words("american", "development", 40 if quick() else 100)
whole = error(base, listened)
worse = worse_without(base, cores, listened)

# %% tags=["hide-input"]
row, head = divmod(int(worse.argmax()), worse.shape[1])
names = [name.replace(".layers.", " ").replace(".", " ").replace("_", "-") for name in cores]
heads = {
    "whole": whole,
    "all": worse.numel(),
    "spared": int((worse <= 1).sum()),
    "most": float(worse.max()),
    "head": head,
    "where": names[row],
}
claim(heads["most"] > 1, "some head is missed", most=heads["most"])
show_figure(
    draw_worse(worse, names),
    title="{spared} of {all} heads can go, one at a time, for at most one point; the worst loss is {most:.1f}",
    alt="A grid of numbers, one row for each attention and one column for each head: the points of phoneme error that are added to "
    "{whole:.1f} % without this head. The largest is {most:.1f}, head {head} of {where}.",
    **heads,
)

# %% [markdown]
# What does the base say without the head that matters most? Words of the test that come out otherwise:

# %%
said = predict(base, listened)
with silenced((list(cores.values())[row], head)):
    lost = predict(base, listened)
for word in [word for word in listened if said[word] != lost[word]][:6]:
    print(f"  {word:<16}{said[word]:<18} without the head: {lost[word]}")

# %% tags=["hide-input"]
encoder = [place for place, name in enumerate(cores) if name.startswith("encoder")]
at, best = divmod(int(worse[encoder].argmax()), worse.shape[1])
layer = int(list(cores)[encoder[at]].split(".")[2])
shares = weight_on_the_next_letter(base, listened[:40])
claim(shares[layer, best] == max(shares.values()), "the head that is missed most looks at the next letter")
prose(
    "In the encoder the head that is missed most is head {head} of layer {layer}, with {points:.1f} points. Of its weight {share:.0f} % "
    "lies on the next letter, more than of any other; the mean is {mean:.0f} %. It is the head of lesson 3.",
    head=best,
    layer=layer,
    points=float(worse[encoder].max()),
    share=shares[layer, best],
    mean=sum(shares.values()) / len(shares),
)

# %% [markdown]
# Can the others go *together*? A head that can be spared alone may be spared because another one does the same.

# %%
counts = [0, 2, 4, 6] if quick() else [0, 4, 8, 12, 16, 20, 24]
errors = together(base, cores, worse, counts, listened)

# %% tags=["hide-input"]
numbers = {
    "some": counts[2],
    "some_cost": errors[counts[2]] - whole,
    "many": counts[-1],
    "many_cost": errors[counts[-1]] - whole,
    "alone": float(worse.flatten().sort().values[: counts[-1]].sum()),
    "least": min(apart.values()),
    "largest": max(apart.values()),
}
claim(numbers["many_cost"] > 2 * numbers["alone"] + 5, "together they cost far more than one at a time", **numbers)
show_figure(
    draw_together(errors),
    title="{many} heads that cost {alone:.1f} points one at a time, added up, cost {many_cost:.0f} together",
    alt="Phoneme error over the number of heads taken away: {some} cost {some_cost:.1f} points, {many} cost {many_cost:.0f}.",
    **numbers,
)
said_and_so(
    said="Several heads learn different representations of the input, in parallel.",
    so="Different: yes. Two heads of one attention differ by {least:.2f} to {largest:.2f} on a scale from 0 to 1. Needed: not each. "
    "{spared} of {all} can be taken away one at a time for at most one point of phoneme error. But {some} together cost "
    "{some_cost:.1f} points and {many} cost {many_cost:.0f}, where their losses one at a time add up to {alone:.1f}: a head that can "
    "be spared alone may be one that another replaces. Nothing in the loss asks heads to differ.",
    shown_by="the two figures above, and the table of differences",
    **numbers,
    spared=heads["spared"],
    all=heads["all"],
)

# %% [markdown]
# **To be exact.** Heads do not see different inputs: each reads the whole vector through its own $W^i$. What is small is the
# width of what it compares, $d_{head}$: the matrix $W_Q^i W_K^{i\top}$ that scores two vectors has rank at most $d_{head}$.

# %% tags=["hide-input"]
numbers = {"d": base.config.d_model, "d_head": base.config.d_head}
numbers["rank"] = score_rank(base.encoder.layers[0].self_attention)
claim(numbers["rank"] == numbers["d_head"], "the rank is d_head", **numbers)
prose(
    "In the base this matrix is {d} by {d}, and in the first head its rank is {rank}.",
    d=numbers["d"],
    rank=numbers["rank"],
)

# %% [markdown]
# ## The usual mistakes
#
# - **`view` where an axis must move.** `x.view(batch, heads, time, d_head)` has the right shape and mixes time and features. Ours
#   is one einops line that says what moves.
# - **`(d_head heads)` for `(heads d_head)`**: it works, trains, and loads no checkpoint rightly.
# - **One mask for each head** where one for all is meant: a mask is `(batch, 1, query, key)` and broadcasts.
# - **Keys viewed with the query's length**: right for self-attention, an error for cross-attention of 5 and 7. Test with
#   unequal lengths.
# - **Square projections hide a transpose.** `W` and `W.T` have one shape; only values tell.

# %%
x = torch.arange(12.0).reshape(1, 3, 4)
right = rearrange(x, "batch time (heads d_head) -> batch heads time d_head", heads=2)
print("three positions:", x[0].tolist())
print("head 0, right:", right[0, 0].tolist(), "  by view alone:", x.view(1, 2, 3, 2)[0, 0].tolist())

# %% [markdown]
# ## Three questions
#
# <details><summary>Twice as many heads, with the same d. What changes in the number of parameters, and what in a head?</summary>
#
# The number stays: the same matrices are cut into more blocks. Each head has half the features, so its scores come from
# shorter queries and keys.
#
# </details>
#
# <details><summary>Why does W_O stand behind the heads?</summary>
#
# Written one behind the other, head 0 fills the first features and head 1 the next ones. Only $W_O$ lets each head write into
# all features, and lets results of several heads be added up.
#
# </details>
#
# <details><summary>Each of ten heads can be taken away without harm. May all ten go?</summary>
#
# Not for that reason. Each was measured while the other nine were there and could stand in for it.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(4)

# %% [markdown]
# ## Summary
#
# - Heads are attentions side by side on short queries, keys and values; together they have the parameters of one.
# - Their results are kept apart and then joined by $W_O$.
# - In the base heads do look at different places. Many can be spared alone, and not together.

# %% [markdown]
# ## Where to read on
#
# - Vaswani et al., [*Attention Is All You Need*, arXiv 1706.03762](https://arxiv.org/abs/1706.03762), section 3.2.2, and table 3
#   on the number of heads
# - Michel, Levy and Neubig, [*Are Sixteen Heads Really Better than One?*, arXiv
#   1905.10650](https://arxiv.org/abs/1905.10650)
# - Voita et al., [*Analyzing Multi-Head Self-Attention*, arXiv 1905.09418](https://arxiv.org/abs/1905.09418): heads for
#   position, for syntax, for rare words
# - Shazeer, [*Fast Transformer Decoding: One Write-Head is All You Need*, arXiv
#   1911.02150](https://arxiv.org/abs/1911.02150), and Ainslie et al., [*GQA*, arXiv
#   2305.13245](https://arxiv.org/abs/2305.13245): fewer keys and values than queries
# - Next: [lesson 5](05_add_norm.ipynb), Add & Norm. In the code: [`transformer/attention.py`](../../transformer/attention.py)
