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
# 5. Add & Norm

**The question.** Attention and feed forward each turn a vector into another. Put 24 fresh encoder layers of them on top of
each other, and nothing else. The letters of a word enter as different vectors, and come out as one and the same; and of the
gradient that starts at the end hardly anything arrives at the first layer. What must stand between the layers, so that a
deep stack can learn?

**You will be able to**

- compute LayerNorm by hand, and say what it keeps of a vector and what it forgets
- tell post-norm from pre-norm, in a formula and in code
- say which half of Add & Norm keeps the gradient's size, and which half keeps the letters apart
- say why post-norm asks for warm-up

**Time:** 35 minutes. **Before it:** attention, from [lesson 3](03_attention.ipynb) and
[lesson 4](04_multi_head_attention.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.add_norm import ALIKE, SUBLAYER_SAYS, VERSIONS, X, deviation_mistake, end, learn, through
from lessons.experiments.add_norm_streams import stream_of
from lessons.experiments.add_norm_figures import draw_depth, draw_learning, draw_rates, draw_stream, draw_two_orders
from lessons.task.base import load_base
from lessons.task.machine import set_threads
from lessons.teaching import (
    claim,
    exercises_of,
    falls,
    lit_diagram,
    lowest,
    prose,
    quick,
    rises,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from transformer import AddNorm, LayerNorm

set_threads()
torch.manual_seed(0)
lit_diagram("add_norm")

# %%
bare = through("neither", layers=24, seeds=[0])
print(f"24 bare layers: the letters of a word are alike to {bare.alike[-1]:.3f} at the end (1 is the same direction)")
print(f"the gradient at the first layer is {bare.share:.0e} of that at the last")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_two_orders(),
    title="The input goes around the sub-layer and is added; the norm stands after the sum, or before the sub-layer",
    alt="Two rows with x = (0, 0, 4, 4) and a sub-layer that says (2, 0, 0, -2). Post-norm: the sum (2, 0, 4, 2) is "
    "normalized to (0, -1.41, 1.41, 0). Pre-norm: x is normalized to (-1, -1, 1, 1) before the sub-layer, and the result is "
    "the sum itself, (2, 0, 4, 2).",
)

# %% [markdown]
# ## The idea
#
# Two things share the box.
#
# **Add.** The input is added to the sub-layer's output: $x + f(x)$. This is the *residual connection*. The sub-layer
# needs to compute only what it wants to *change*; what it leaves alone comes through. A fresh layer with small outputs is
# nearly the identity, which is a good beginning. And on the way back the gradient has a path around the sub-layer.
#
# **Norm.** Sums grow. So every vector is brought to one size: its mean is taken off, and it is divided by its standard
# deviation (*layer normalization*). This looks at one vector only: not at the batch, not at the other letters of
# the word. What is left of $x$ is the direction of $x - \mathrm{mean}(x)$. Its length is forgotten, and so is its mean.
#
# **In which order?** The famous figure and the paper's text normalize after the sum: *post-norm*. Nearly all that was
# trained since, our base too, normalizes the sub-layer's input and leaves the sum alone: *pre-norm*, with one more norm
# after the whole stack. "The paper says one thing and the code another" has been asked for years
# ([annotated-transformer#1](https://github.com/harvardnlp/annotated-transformer/issues/1),
# [annotated-transformer#13](https://github.com/harvardnlp/annotated-transformer/issues/13),
# [annotated-transformer#92](https://github.com/harvardnlp/annotated-transformer/issues/92),
# [annotated-transformer#110](https://github.com/harvardnlp/annotated-transformer/issues/110)). Here it is one switch.

# %% [markdown]
# ## The formula
#
# $$\mathrm{LayerNorm}(x) = g \odot \frac{x - \mathrm{mean}(x)}{\sqrt{\mathrm{var}(x) + \varepsilon}} + b$$
#
# $$\text{post-norm (the paper)}\quad y = \mathrm{LayerNorm}(x + f(x)) \qquad\qquad
# \text{pre-norm}\quad y = x + f(\mathrm{LayerNorm}(x))$$
#
# $f$ is the sub-layer: attention or feed forward. Mean and variance run over the $d$ features of one vector; the
# variance divides by $d$. Only the gain $g$ and the bias $b$ are learnt, $2d$ numbers. $\varepsilon$ is small, and keeps a
# vector of equal numbers from a division by 0.

# %% [markdown]
# ## The code

# %%
show_source(LayerNorm, AddNorm)

# %% [markdown]
# ## By hand
#
# $x = (0, 0, 4, 4)$: mean 2, differences $(-2, -2, 2, 2)$, variance $\tfrac14 (4 + 4 + 4 + 4) = 4$, its root 2. So
# $\mathrm{LayerNorm}(x) = (-1, -1, 1, 1)$. Ten times $x$ gives the same, and $x$ with 7 added to each number too.
#
# The sub-layer says $f = (2, 0, 0, -2)$. The sum is $(2, 0, 4, 2)$, its mean 2, its variance 2. Post-norm gives
# $(0, -\sqrt2, \sqrt2, 0)$. Pre-norm gives the sum itself.

# %%
norm = LayerNorm(4, eps=1e-12)
for name, vector in (("x", X), ("10 x", 10 * X), ("x + 7", X + 7)):
    print(f"LayerNorm of {name:<6}", norm(vector).tolist())
for order in ("post", "pre"):
    y = AddNorm(4, norm=order)(X[None, None], lambda x: SUBLAYER_SAYS)
    print(f"{order}-norm".ljust(19), [round(value, 4) for value in y.flatten().tolist()])

# %% [markdown]
# ## Experiment: which half does what?
#
# Add & Norm is often said to "prevent vanishing gradients". We take its halves apart: 24 encoder layers with random
# numbers, in five versions. Real words go through, a random gradient comes back from the end. At each layer we ask how
# large the gradient is, and how alike the positions of a word have become: 1 is one and the same direction.

# %%
depth, seeds = 24, range(1 if quick() else 4)
found = {version: through(version, depth, seeds) for version in VERSIONS}

# %% tags=["hide-input"]
share = {version.replace("-", "_").replace(" ", "_"): run.share for version, run in found.items()}
alike = {f"{version.replace('-', '_').replace(' ', '_')}_alike": run.alike[-1] for version, run in found.items()}
merged = {
    version: 1 + next((at for at, cosine in enumerate(run.alike) if cosine > ALIKE), depth)
    for version, run in found.items()
}
at_depth = {
    **share,
    **alike,
    "depth": depth,
    "one": ALIKE,
    "norm_only_merged": merged["norm only"],
    "post_norm_merged": merged["post-norm"],
    "add_only_merged": merged["add only"],
}
claim(share["neither"] < 1e-3, "with neither the gradient vanishes", **share)
claim(share["add_only"] > 1e3, "with the sum alone it explodes", **share)
claim(
    all(0.1 < share[name] < 10 for name in ("pre_norm", "post_norm", "norm_only")), "the norm keeps its size", **share
)
claim(max(merged["norm only"], merged["neither"]) <= 3, "without a residual they merge at once", **at_depth)
claim(4 < merged["post-norm"] < depth / 2, "post-norm merges them later, long before the end", **at_depth)
claim(4 < merged["add only"] < depth / 2, "the sum alone too", **at_depth)
claim(merged["pre-norm"] > depth, "pre-norm keeps them apart to the end", **at_depth)
claim(rises(found["pre-norm"].alike[::4]), "in pre-norm they grow more alike too, slowly")
show_figure(
    draw_depth(found),
    title="The norm keeps the gradient's size; only pre-norm keeps the letters apart",
    alt="Left, the gradient from layer 1 to layer {depth}, against that at the last: near 1 for pre-norm, post-norm and norm "
    "only; {add_only:.0e} at layer 1 with the sum alone, {neither:.0e} with neither. Right, the cosine between the positions: "
    "1 at once for norm only and for neither, 1 by layer {post_norm_merged} for post-norm and {add_only_merged} for add only; "
    "pre-norm ends at {pre_norm_alike:.2f}.",
    **at_depth,
)
prose(
    "**Left.** With *neither* half the gradient fades on its way back. With the sum *alone* it explodes. The norm keeps its "
    "size, with a residual or without.\n\n"
    "**Right.** Attention makes means, and a mean of means forgets who was who. Without a residual the positions of a word "
    "are one direction (cosine above {one}) after {norm_only_merged} layers. The residual keeps each position's own vector in "
    "the sum, which slows this; it does not stop it. Post-norm shrinks that part anew in every layer, and its positions are "
    "one after {post_norm_merged} layers; those of the sum alone after {add_only_merged}. With pre-norm they are still apart at "
    "layer {depth} (cosine {pre_norm_alike:.2f}), because what a layer adds is of one size while the sum grows: each layer "
    "changes its direction by less than the one before.",
    **at_depth,
)

# %% [markdown]
# Does it matter for learning? A task on real words that needs both halves: at each position, name the letter to the
# *right*. Depths of 1, 4 and 12 layers; steps, rate and words are the same for all.

# %%
steps, depths = (15, [1, 6]) if quick() else (60, [1, 4, 12])
compared = ("pre-norm", "post-norm", "norm only", "neither")
curves = {(version, layers): learn(version, layers, steps) for layers in depths for version in compared}

# %% tags=["hide-input"]
ends = {key: end(losses) for key, losses in curves.items()}
deep = depths[-1]
learnt = {
    "steps": steps,
    "deep": deep,
    "pre": ends["pre-norm", deep],
    "post": ends["post-norm", deep],
    "norm_only": ends["norm only", deep],
    "neither_ends": ends["neither", deep],
    "one_pre": ends["pre-norm", 1],
    "one_post": ends["post-norm", 1],
    "one_norm_only": ends["norm only", 1],
    "one_neither": ends["neither", 1],
    "first_post": curves["post-norm", 1][0],
    "first_norm_only": curves["norm only", 1][0],
}
claim(lowest({version: ends[version, deep] for version in compared}) == "pre-norm", "pre-norm learns best", **learnt)
claim(learnt["pre"] < learnt["post"] - 0.5, "far below the others", **learnt)
claim(learnt["post"] > learnt["norm_only"] - 0.4, "post-norm ends hardly below norm only", **learnt)
claim(
    max(learnt["one_norm_only"], learnt["one_neither"]) < min(learnt["one_pre"], learnt["one_post"]),
    "in one layer the versions without a residual are the best",
    **learnt,
)
claim(learnt["first_post"] > learnt["first_norm_only"], "with a residual the first loss is higher", **learnt)
show_figure(
    draw_learning(curves, ends),
    title="With {deep} layers only pre-norm learns at this rate: loss {pre:.2f}, post-norm {post:.2f}, norm only {norm_only:.2f}",
    alt="Left, the loss after {steps} steps over the number of layers: pre-norm falls to {pre:.2f}, the others rise to "
    "{post:.2f} and more. Right, the losses of {deep} layers over the steps.",
    **learnt,
)
prose(
    "With {deep} layers a healthy gradient alone does not help: *norm only* had one, and ends at {norm_only:.2f}, as "
    "*neither* does ({neither_ends:.2f}). Its letters are one vector, so nothing is left to tell which one stands to the right.\n\n"
    "With **one** layer it is the other way round: without a residual the loss is {one_norm_only:.2f} and {one_neither:.2f}, "
    "with it {one_pre:.2f} (pre-norm) and {one_post:.2f} (post-norm). This task asks for the *neighbour*, and the scores are "
    "products with the letters' own embeddings. So the residual, which carries a letter's own vector through, first votes "
    "for the letter itself, and that must be unlearnt: its first loss is {first_post:.1f}, without it {first_norm_only:.1f}. "
    "A residual pays in a deep stack, not in every single layer.",
    **learnt,
)

# %% tags=["hide-input"]
said_and_so(
    said="Residual connections and normalization prevent vanishing gradients and keep training stable.",
    so="In part. Over {depth} fresh layers the gradient at the first is {pre_norm:.1f} (pre-norm) or {post_norm:.1f} (post-norm) "
    "times that at the last; with neither it is {neither:.0e}. The two halves do different things. The *norm* keeps the "
    "gradient's size: {norm_only_share:.1f} with the norm alone, {add_only:.0e} with the residual alone, which explodes. The "
    "*residual* slows the merging of the positions: alike after {norm_only_merged} layers without it, after {post_norm_merged} "
    "in post-norm. Only the order of *pre-norm* keeps them apart over all {depth}. And having both is no promise: at this rate "
    "{deep} layers of post-norm end at a loss of {post:.2f}, hardly below {norm_only:.2f} without a residual; pre-norm ends at "
    "{pre:.2f}.",
    shown_by="the two figures above; `tests/transformer/test_add_norm.py` for the formulas",
    **{**at_depth, "norm_only_share": at_depth["norm_only"], **learnt},
)

# %% [markdown]
# ## Experiment: post or pre?
#
# In pre-norm there is a path from the end to the start that no norm interrupts: the derivative of $x + f(\mathrm{LN}(x))$ is
# $1 + \dots$. In post-norm every layer's norm stands in the path. So post-norm asks for care: for a lower rate, and for the
# paper's *warm-up*, a rate that begins near 0. The same task, 4 layers, several rates, with warm-up and without:

# %%
rates, warm = ([1e-3, 1e-2] if quick() else [1e-3, 3e-3, 1e-2]), steps // 2
orders = [(order, warmed) for order in ("pre-norm", "post-norm") for warmed in (False, True)]
at_rates = {
    (order, warmed): {rate: end(learn(order, 4, steps, warm if warmed else 1, rate)) for rate in rates}
    for order, warmed in orders
}

# %% tags=["hide-input"]
numbers = {
    "low": rates[0],
    "high": rates[-1],
    "warm": warm,
    "pre": at_rates["pre-norm", False][rates[-1]],
    "post": at_rates["post-norm", False][rates[-1]],
    "post_warm": at_rates["post-norm", True][rates[-1]],
    "pre_low": at_rates["pre-norm", False][rates[0]],
    "post_low": at_rates["post-norm", False][rates[0]],
}
claim(abs(numbers["pre_low"] - numbers["post_low"]) < 0.2, "at a low rate the order hardly matters", **numbers)
claim(numbers["post"] > numbers["post_warm"] + 0.3, "at a high one post-norm needs warm-up", **numbers)
claim(numbers["pre"] < numbers["post_warm"] - 0.3, "pre-norm takes it without", **numbers)
claim(falls(list(at_rates["pre-norm", False].values())), "pre-norm learns best at the highest rate")
show_figure(
    draw_rates(at_rates),
    title="At rate {high} post-norm ends at {post:.2f}, with warm-up at {post_warm:.2f}; pre-norm takes it as it comes: {pre:.2f}",
    alt="The loss at the end over three learning rates. Pre-norm falls with the rate, to {pre:.2f}. Post-norm rises to "
    "{post:.2f} at the highest rate, with {warm} steps of warm-up to {post_warm:.2f}.",
    **numbers,
)
prose(
    "At the low rate of {low} the order hardly matters: {pre_low:.2f} and {post_low:.2f}. At a high one post-norm fails without "
    "warm-up. And the rate that pre-norm can bear is the one at which it learns best here.",
    **numbers,
)

# %% [markdown]
# ## Experiment: the residual stream of the base
#
# The base is pre-norm, so its vectors are never normalized on their way: each sub-layer adds to one running sum, the *residual
# stream*. How long is the sum, and how much does each sub-layer add?

# %%
stream = stream_of(load_base())

# %% tags=["hide-input"]
lengths = list(stream.lengths.values())
numbers = {"start": stream.start, "last": lengths[-1], "normed": stream.normed}
claim(rises([stream.start, *lengths]), "the stream only grows", **numbers)
claim(stream.normed < stream.start * 2 < lengths[-1], "the last norm brings it back", **numbers)
show_figure(
    draw_stream(stream),
    title="The stream grows from {start:.0f} to {last:.0f}; the last norm brings it to {normed:.0f}",
    alt="A curve of the stream's mean length, from {start:.1f} at the input up to {last:.1f} after the last feed forward, and "
    "bars for the length of what each sub-layer adds.",
    **numbers,
)

# %% [markdown]
# The stream only grows, and only the last norm brings it back to one size. Without that norm the decoder would read vectors
# of a length that it never saw. This is also why "Norm" after the sub-layer, as the figure draws it, is not where our base has it.

# %% [markdown]
# ## The usual mistakes
#
# - **`std` for the biased deviation.** torch's `std` divides by $d - 1$. For a small $d$ everything is then clearly too small,
#   for a large one too little to see, and enough to fail a comparison
#   ([annotated-transformer#119](https://github.com/harvardnlp/annotated-transformer/pull/119),
#   [annotated-transformer#122](https://github.com/harvardnlp/annotated-transformer/pull/122)).
# - **$\varepsilon$ outside the root**, added to the deviation: not what checkpoints were trained with.
# - **The residual taken after the norm**: $\mathrm{LN}(x) + f(\mathrm{LN}(x))$. Test it with silent sub-layers: the layer must
#   give back $x$ itself ([happy-llm#21](https://github.com/datawhalechina/happy-llm/issues/21)).
# - **Pre-norm without the last norm.** Or post-norm with one.
# - **Normalizing over the batch or the word.** A row alone must give what it gives in a batch.

# %% tags=["hide-input"]
for size in (4, 512):
    prose("`std` at $d = {size}$: everything is {short:.1f} % too small.", **deviation_mistake(size))

# %% [markdown]
# ## Three questions
#
# <details><summary>Two vectors have the same LayerNorm. Are they the same vector?</summary>
#
# No. One may be longer, or have another mean: $x$, $10x$ and $x + 7$ all give the same. Only the direction of
# $x - \mathrm{mean}(x)$ is kept. RMSNorm takes no mean off, so it keeps the direction of $x$ itself.
#
# </details>
#
# <details><summary>A pre-norm layer's sub-layers say nothing but 0. What does the layer give?</summary>
#
# Its input, exactly: $x + 0$. A post-norm layer gives $\mathrm{LayerNorm}(x)$. This is a good test of either.
#
# </details>
#
# <details><summary>A stack has a gradient of the right size at each layer, and does not learn. How can that be?</summary>
#
# Its positions may have become one vector, as in "norm only". The gradient then says which numbers to change, but no
# change makes different outputs of equal inputs. A gradient's size says nothing about what it can reach.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(5)

# %% [markdown]
# ## Summary
#
# - The residual adds a sub-layer's input to its output; the norm brings each vector to mean 0 and variance 1.
# - The norm keeps the gradient's size. The residual slows the merging of the positions; only pre-norm keeps them apart in a
#   deep stack.
# - Post-norm is the paper's order and needs warm-up at a high rate. Pre-norm does not, and needs one more norm at the end.

# %% [markdown]
# ## Where to read on
#
# - Ba, Kiros and Hinton, [*Layer Normalization*, arXiv 1607.06450](https://arxiv.org/abs/1607.06450)
# - Zhang and Sennrich, [*Root Mean Square Layer Normalization*, arXiv 1910.07467](https://arxiv.org/abs/1910.07467): without the
#   mean, as today's large models have it
# - He et al., [*Deep Residual Learning for Image Recognition*, arXiv 1512.03385](https://arxiv.org/abs/1512.03385): where the
#   residual comes from
# - Xiong et al., [*On Layer Normalization in the Transformer Architecture*, arXiv
#   2002.04745](https://arxiv.org/abs/2002.04745): post against pre, and why warm-up
# - Dong, Cordonnier and Loukas, [*Attention is Not All You Need: Pure Attention Loses Rank Doubly Exponentially with Depth*,
#   arXiv 2103.03404](https://arxiv.org/abs/2103.03404): why positions merge
# - Next: [lesson 6](06_feed_forward_and_encoder.ipynb), the feed forward. Only the norms learn:
#   [lesson 12](12_bitfit_and_layernorm.ipynb). In the code: [`transformer/add_norm.py`](../../transformer/add_norm.py)
