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
r"""
# 3. Attention

**The question.** The *c* of *city* is an s, the *c* of *cactus* is a k. The letter is the same, and so is the vector that
stands for it. What tells the network which of the two it is?

The answer stands beside the *c*: the next letter. So a position must be able to fetch something from another position,
and to find out by itself from which one.

**You will be able to**

- compute attention by hand, for one query and two keys
- say why scores are divided by $\sqrt d$, and what happens when they are not
- read an attention map, and know what it does not show

**Time:** 35 minutes. **Before it:** letters as vectors, from [lesson 2](02_input_embedding.ipynb).
"""

# %% tags=["hide-input"]
import math

import torch

from lessons.experiments.attention import (
    KEYS,
    QUERY,
    VALUES,
    encoder_maps,
    errors_at,
    positions_looked_at,
    saturation,
    weight_on_the_next_letter,
)
from lessons.experiments.attention_figures import (
    draw_errors,
    draw_head,
    draw_letters,
    draw_looking,
    draw_one_query,
    draw_saturation,
)
from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.machine import set_threads
from lessons.task.scoring import predict
from lessons.teaching import (
    claim,
    exercises_of,
    highest,
    lit_diagram,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from transformer import scaled_dot_product_attention

set_threads()
torch.manual_seed(0)
lit_diagram("attention")

# %%
base = load_base()
print(predict(base, ["city", "cactus"]))

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_one_query(),
    title="A query is compared with every key; the result is a mean of the values",
    alt="One query of four numbers is multiplied with two keys. The two products are divided by the root of four. Softmax "
    "makes weights of three quarters and one quarter. The result is the values' mean with these weights, 3 and 2.",
)

# %% [markdown]
# ## The idea
#
# Every position holds three vectors. Its *query* is what it looks for. Its *key* is what it can be found by. Its *value*
# is what it gives to those who find it.
#
# A query is compared with every key by a product. A large product means "this is what I look for". Softmax makes
# weights of the products: they are positive, and they sum to 1. The result is the mean of all values with these weights.
#
# Think of the *c* in *city*. Its query asks for the letter behind it. The key of the *i* fits, so the *i* gets most of the
# weight, and its value says "I am a vowel that softens a c". The result goes back to the *c*, which now knows.
#
# Nothing here says *which* position to look at. It is computed anew for each word, because queries and keys are computed
# from the letters. They come from three matrices that are learnt ([lesson 4](04_multi_head_attention.ipynb)); attention
# itself has no parameters.

# %% [markdown]
# ## The formula
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right) V$$
#
# $Q$ holds a query in each row, $K$ a key, $V$ a value. $Q K^\top$ holds the product of every query with every key: the
# *scores*, once they are divided by $\sqrt d$. $d$ is the length of a query and of a key, `d_head` in the code. Softmax runs
# along each row, over the keys:
#
# $$\mathrm{softmax}(s)_j = \frac{e^{s_j}}{\sum_i e^{s_i}}$$

# %% [markdown]
# ## The code

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
result, weights = scaled_dot_product_attention(QUERY, KEYS, VALUES)
print("weights", weights.numpy().round(4), " result", result.numpy().round(4))

# %% [markdown]
# Three things follow from the formula. A result lies *between* the values: attention can mix them, it cannot make a larger
# one. The order of the keys means nothing. And a query that may attend to nothing gets exactly 0 here, not a NaN.

# %%
order, nothing = torch.tensor([1, 0]), torch.tensor([[False, False]])
print("keys and values in another order:", scaled_dot_product_attention(QUERY, KEYS[order], VALUES[order])[0].tolist())
print("may attend to nothing:", scaled_dot_product_attention(QUERY, KEYS, VALUES, nothing)[0].tolist())

# %% [markdown]
# ## Experiment: why divide by $\sqrt d$?
#
# Let the numbers of $q$ and $k$ be independent, with mean 0 and variance 1. Then each term $q_i k_i$ has variance 1, and the
# sum of $d$ terms has variance $d$. So the products grow like $\sqrt d$. Softmax then puts all its weight on one key; there
# it is flat, and hardly any gradient comes through. Divided by $\sqrt d$ the scores have variance 1, whatever $d$ is.
#
# We draw random queries and keys and look:

# %%
random = saturation(sizes=[2**power for power in range(11)], samples=200 if quick() else 2000)

# %% tags=["hide-input"]
numbers = {
    "d": random.sizes[-1],
    "unscaled": random.largest[False][-1],
    "scaled": random.largest[True][-1],
    "lost": random.gradient[False][-1],
    "kept": random.gradient[True][-1],
}
claim(numbers["unscaled"] > 0.9 and numbers["scaled"] < 0.5, "unscaled, softmax saturates")
claim(numbers["kept"] > 3 * numbers["lost"], "unscaled, the gradient is a small part", **numbers)
show_figure(
    draw_saturation(random),
    title="Without 1/√d the largest weight reaches {unscaled:.2f}, with it {scaled:.2f}",
    alt="Three panels over d. The spread of the products grows like the root of d. Without the scale the largest weight "
    "rises to {unscaled:.2f} and the gradient falls to {lost:.3f}; with the scale both stay level for large d.",
    **numbers,
)
said_and_so(
    said="Without 1/√d softmax saturates and the gradient vanishes.",
    so="For random queries and keys it is so: at d = {d} the largest of 16 weights is {unscaled:.2f} on average, with the "
    "scale {scaled:.2f}; the gradient is {lost:.3f} against {kept:.3f}. The argument is about the *start* of training: a "
    "trained model's queries are not random.",
    shown_by="the figure above",
    **numbers,
)

# %% [markdown]
# ## Experiment: another scale in a trained model
#
# The base was trained with the right scale. We multiply all its scores by a factor, in every layer. $\sqrt d$ is then the
# mistake "scale forgotten", $1/\sqrt d$ the mistake "divided by $d$".

# %%
root = math.sqrt(base.config.d_head)
factors = [1 / root, 0.8, 1.0, 1.25, root] if quick() else [1 / root, 0.35, 0.6, 0.8, 1.0, 1.25, 1.7, 2.8, root]
errors = errors_at(base, factors, words("american", "development", 30 if quick() else 120))

# %% tags=["hide-input"]
numbers = {"right": errors[1.0], "divided": errors[1 / root], "forgotten": errors[root], "near": errors[1.25]}
claim(min(numbers["divided"], numbers["forgotten"]) > 1.5 * numbers["right"], "both mistakes cost accuracy", **numbers)
show_figure(
    draw_errors(errors, {1 / root: "divided by d", 1.0: "by √d", root: "not divided"}),
    title="A wrong scale does not crash: the error goes from {right:.0f} % to {forgotten:.0f} % or {divided:.0f} %",
    alt="Phoneme error over the factor on the scores: low near 1, {divided:.0f} % at the left end, where scores are divided "
    "by d, and {forgotten:.0f} % at the right end, where they are not divided.",
    **numbers,
)
prose(
    "A scale that is off by a quarter is hardly noticed ({near:.1f} % against {right:.1f} %). A model that is *trained* with a "
    "wrong scale learns to live with it; a loaded checkpoint does not forgive it. That is why a test compares values.",
    **numbers,
)

# %% [markdown]
# ## Experiment: where the base looks
#
# While the base says each sound, its decoder looks at the letters (cross-attention,
# [lesson 7](07_masks_and_decoder.ipynb)). Sounds run downwards, letters across; a field is dark where the weight lies. Each
# row sums to 1.

# %% tags=["hide-input"]
show_figure(
    draw_letters(base, ["knight", "nation", "exploit"]),
    title="Sounds find their letters, though no example says which letters make which sound",
    alt="Three maps of attention, for knight, nation and exploit: the dark fields run from the upper left to the lower right.",
)

# %% [markdown]
# The training examples were whole words with whole pronunciations. The alignment was learnt because it helps.
#
# **To be exact.** The place of a letter is not the letter. After the encoder's layers it also holds what it has fetched from
# its neighbours. So the map shows where the model looks, not what it finds there.
#
# Inside the encoder, letters look at each other. Attention runs several times side by side, in *heads*. Which head looks
# most at the *next* letter, which one must know to say a *c*?

# %%
shares = weight_on_the_next_letter(base, words("american", "development", 20 if quick() else 100))
layer, head = best = highest(shares)

# %% tags=["hide-input"]
numbers = {"layer": layer, "head": head, "best": shares[best], "mean": sum(shares.values()) / len(shares)}
claim(numbers["best"] > 2 * numbers["mean"], "one head looks at the next letter much more than others", **numbers)
show_figure(
    draw_head({word: encoder_maps(base, word)[best] for word in ("city", "cactus")}),
    title="One head looks at the next letter: {best:.0f} % of its weight lies there",
    alt="Maps of one encoder head on city and cactus: the dark fields lie just right of the diagonal.",
    **numbers,
)
prose(
    "It is head {head} of layer {layer}. The mean of all heads is {mean:.0f} %. Nobody told the model to look there.",
    **numbers,
)

# %% [markdown]
# ## Experiment: how many letters does a query look at?
#
# If a query had equal weights on $n$ letters, the entropy of its weights would be $\ln n$. So $e^{\text{entropy}}$ counts the
# letters that it really looks at.

# %%
long_words = [word for word in words("american", "development", 30 if quick() else 120) if len(word) >= 10]
looking = positions_looked_at(base, long_words)

# %% tags=["hide-input"]
numbers = {
    "letters": min(map(len, long_words)),
    "encoder": looking.mean("encoder"),
    "encoder_all": looking.mean_available("encoder"),
    "cross": looking.mean("decoder, letters"),
    "cross_all": looking.mean_available("decoder, letters"),
}
claim(numbers["encoder"] < numbers["encoder_all"] / 2, "a query looks at less than half of the letters", **numbers)
claim(numbers["cross"] < numbers["encoder"], "the cross-attention looks at fewer than the encoder", **numbers)
show_figure(
    draw_looking(looking),
    title="A query looks at {encoder:.1f} letters of {encoder_all:.1f} in the encoder, at {cross:.1f} in the cross-attention",
    alt="A histogram of how many positions a query looks at, for the encoder, the decoder and the cross-attention: most of "
    "the queries look at few.",
    **numbers,
)
said_and_so(
    said="Attention considers all words of the input for each word.",
    so="It *may*: no weight of a softmax is 0. In words of {letters} letters or more a query of this base puts its weight on "
    "the equivalent of {encoder:.1f} letters of {encoder_all:.1f} in the encoder, and of {cross:.1f} of {cross_all:.1f} in the "
    "cross-attention. What is masked has a weight of exactly 0.",
    shown_by="the figure above",
    **numbers,
)

# %% [markdown]
# ## The usual mistakes
#
# - **The scale** forgotten, or $d$ in place of $\sqrt d$, or `d_model` in place of `d_head`. Measured above.
# - **Softmax over the wrong axis.** The weights of one *query* sum to 1: the last axis, the keys.
# - **The mask read the other way round.** Here True means "may be attended to", as in torch's
#   `scaled_dot_product_attention`. In `nn.MultiheadAttention` True means "may *not*"
#   ([pytorch#118972](https://github.com/pytorch/pytorch/issues/118972); a course's notebook passed the wrong one,
#   [rasbt/LLMs-from-scratch#1061](https://github.com/rasbt/LLMs-from-scratch/issues/1061)).
# - **-1e9 for forbidden scores**: a row with nothing to attend to then gives *equal weights to what is forbidden*; -inf
#   gives NaN ([d2l-en#2423](https://github.com/d2l-ai/d2l-en/pull/2423)). Both are silent until such a row comes.
# - **A mask on the wrong axis**, hidden by a finite fill
#   ([hyunwoongko/transformer#40](https://github.com/hyunwoongko/transformer/pull/40)).
#
# What the three do with a row that may attend to nothing:

# %%
scores, forbidden = torch.zeros(1, 3), torch.ones(1, 3, dtype=torch.bool)
print("-1e9:", [round(weight, 3) for weight in scores.masked_fill(forbidden, -1e9).softmax(dim=-1)[0].tolist()])
print("-inf:", scores.masked_fill(forbidden, float("-inf")).softmax(dim=-1)[0].tolist())
ours = scaled_dot_product_attention(torch.ones(1, 2), torch.ones(3, 2), torch.ones(3, 2), ~forbidden)[1]
print("ours:", ours[0].tolist())

# %% [markdown]
# ## Three questions
#
# <details><summary>All scores of a query grow by the same amount. What changes?</summary>
#
# Nothing. Softmax divides by the sum, so a common factor $e^c$ falls out. Only differences between scores count.
#
# </details>
#
# <details><summary>The values are (4, 0) and (0, 8). Can attention give (4, 8)?</summary>
#
# Not one attention: its weights are positive and sum to 1, so the result lies on the line between the two. Two heads can: one
# fetches the 4, the other the 8 ([lesson 4](04_multi_head_attention.ipynb)).
#
# </details>
#
# <details><summary>Swap two letters of a word, without positional encoding. What changes in the result of a third letter?</summary>
#
# Nothing. The sum over the keys has no order. That is why positions are added to the embeddings.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(3)

# %% [markdown]
# ## Summary
#
# - A query's product with each key, divided by $\sqrt d$, is a score. Softmax makes weights of the scores, and the result is
#   the mean of the values with these weights.
# - The scale keeps softmax from saturating at the start of training. Forgotten in a loaded model, it is a silent mistake.
# - The base finds out by itself which letters a sound comes from, and one of its heads watches the next letter.

# %% [markdown]
# ## Where to read on
#
# - Bahdanau, Cho and Bengio, [*Neural Machine Translation by Jointly Learning to Align and Translate*, arXiv
#   1409.0473](https://arxiv.org/abs/1409.0473): where attention comes from
# - Vaswani et al., [*Attention Is All You Need*, arXiv 1706.03762](https://arxiv.org/abs/1706.03762), section 3.2.1; the
#   argument for the scale is its footnote 4
# - Jay Alammar, [*The Illustrated Transformer*](https://jalammar.github.io/illustrated-transformer/): the same in thirty
#   pictures
# - Jain and Wallace, [*Attention is not Explanation*, arXiv 1902.10186](https://arxiv.org/abs/1902.10186): a weight is not a
#   reason
# - Dao et al., [*FlashAttention*, arXiv 2205.14135](https://arxiv.org/abs/2205.14135): the same numbers without the matrix of
#   weights in memory
# - Next: [lesson 4](04_multi_head_attention.ipynb), several attentions side by side. In the code:
#   [`transformer/attention.py`](../../transformer/attention.py)
