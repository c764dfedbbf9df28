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
# 6. Feed forward and the encoder

**The question.** Attention can only mix: its result lies between the vectors that are there. But an *s* and an *h* together
are neither an s nor an h, nor something between them. Where in the network is something *new* made of what attention has
brought together? And after how many layers does a letter know how it sounds?

**You will be able to**

- compute a feed forward by hand, and say why it needs its non-linearity
- count the parameters of an encoder layer
- find a hidden number that goes with a spelling pattern, and check it on words that did not choose it
- measure what one sub-layer is worth, by silencing it

**Time:** 40 minutes. **Before it:** [lesson 4](04_multi_head_attention.ipynb) and [lesson 5](05_add_norm.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.feed_forward_and_encoder import (
    PATTERNS,
    X,
    best_match,
    errors_without,
    hidden_numbers,
    letters_c,
    nearest_mean,
    silenced,
    small_feed_forward,
    tracks,
)
from lessons.experiments.feed_forward_and_encoder_figures import (
    draw_activations,
    draw_letters_c,
    draw_silenced,
    draw_tracks,
    draw_two_layers,
)
from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate
from lessons.teaching import (
    about,
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
from transformer import Encoder, EncoderLayer, FeedForward

set_threads()
torch.manual_seed(0)
lit_diagram("encoder_feed_forward", "encoder")
base = load_base()

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_two_layers(),
    title="Three questions about x; what is answered with no is cut off; the rest is written back",
    alt="x = (1, 2) is multiplied with three rows of W1, and b1 is added: 1, 1 and -1. ReLU makes 1, 1 and 0. W2 makes of them "
    "(3, 1), and with b2 the result is (3.5, 1). The third column of W2 is not used.",
)

# %% [markdown]
# ## The idea
#
# The feed forward is a small network of two layers. The first asks questions: each row of $W_1$ is one, and its product
# with the vector is large where the vector has what the row looks for. Then comes the *non-linearity*. ReLU keeps an
# answer that is positive and makes 0 of any other. The second layer writes: each column of $W_2$ is what is added to the vector
# where the answer was yes. So it can say "if there is a c *and* an i behind it, write: soft". A mean cannot say that.
#
# It works at each position alone, with the same numbers everywhere. It cannot look at a neighbour; that is attention's
# part. But it does not work on single letters either: after self-attention the vector of a letter also holds what it has
# fetched from the others. Attention brings together, the feed forward makes something of it, and the next layer begins
# with that. An **encoder layer** is the two, each with its Add & Norm; the **encoder** is a stack of such layers.

# %% [markdown]
# ## The formula
#
# $$\mathrm{FFN}(x) = W_2\,\varphi(W_1 x + b_1) + b_2, \qquad
# W_1 \in \mathbb{R}^{d_{ff} \times d}, \quad W_2 \in \mathbb{R}^{d \times d_{ff}}, \quad \varphi = \mathrm{ReLU}$$
#
# It goes to $d_{ff}$ numbers, more than $d$, through the non-linearity $\varphi$, and back to $d$. A layer of the encoder has
#
# $$\underbrace{4(d^2 + d)}_{\text{attention}} + \underbrace{2\,d\,d_{ff} + d_{ff} + d}_{\text{feed forward}} +
# \underbrace{4d}_{\text{two norms}}$$
#
# parameters.

# %% tags=["hide-input"]
d, d_ff = base.config.d_model, base.config.d_ff
numbers = {
    "d": d,
    "d_ff": d_ff,
    "formula": 4 * (d * d + d) + (2 * d * d_ff + d_ff + d) + 4 * d,
    "counted": sum(parameter.numel() for parameter in base.encoder.layers[0].parameters()),
    "feed_forward": 2 * d * d_ff + d_ff + d,
}
claim(numbers["formula"] == numbers["counted"], "the formula counts rightly", **numbers)
claim(about(numbers["feed_forward"] / numbers["counted"], 2 / 3, within=0.02), "two thirds", **numbers)
prose(
    "In the base $d$ = {d} and $d_{{ff}}$ = {d_ff}: {formula:,} by the formula, {counted:,} counted. The feed forward is "
    "{feed_forward:,} of them, two thirds of the layer.",
    **numbers,
)

# %% [markdown]
# ## The code

# %%
show_source(FeedForward, EncoderLayer, Encoder)

# %% [markdown]
# ## By hand
#
# Two features in, three hidden, two out; $x = (1, 2)$.
#
# $$W_1 = \begin{pmatrix} 1 & 0 \\ 0 & 1 \\ 1 & -1 \end{pmatrix},\;
# b_1 = \begin{pmatrix} 0 \\ -1 \\ 0 \end{pmatrix} \;\Rightarrow\;
# W_1 x + b_1 = \begin{pmatrix} 1 \\ 1 \\ -1 \end{pmatrix} \;\Rightarrow\; \mathrm{ReLU} = \begin{pmatrix} 1 \\ 1 \\ 0 \end{pmatrix}$$
#
# $$W_2 = \begin{pmatrix} 1 & 2 & 3 \\ 0 & 1 & 1 \end{pmatrix},\; b_2 = \begin{pmatrix} 0.5 \\ 0 \end{pmatrix} \;\Rightarrow\;
# \mathrm{FFN}(x) = \begin{pmatrix} 1 + 2 + 0.5 \\ 1 \end{pmatrix} = \begin{pmatrix} 3.5 \\ 1 \end{pmatrix}$$
#
# The third hidden number was negative, so the third column of $W_2$ is not used.

# %%
small = small_feed_forward()
with torch.no_grad():
    print("before ReLU", small.fc1(X).tolist(), "  the result", small(X).tolist())

# %% [markdown]
# Without the non-linearity, two layers are one: $W_2(W_1 x + b_1) + b_2 = (W_2 W_1)\,x + (W_2 b_1 + b_2)$. The first line below
# computes both sides. And when the positions are shuffled, the results are shuffled in the same way and nothing else
# happens: a feed forward cannot look at a neighbour.

# %%
with torch.no_grad():
    fc1, fc2 = small.fc1, small.fc2
    print("without ReLU:", fc2(fc1(X)).tolist(), "=", (fc2.weight @ fc1.weight @ X + fc2(fc1.bias)).tolist())
    feed_forward, states, shuffle = base.encoder.layers[0].feed_forward, torch.randn(1, 7, d), torch.randperm(7)
    difference = (feed_forward(states)[:, shuffle] - feed_forward(states[:, shuffle])).abs().max()
print(f"shuffle, then the feed forward, or the other way round: they differ by {difference:.0e}")

# %% tags=["hide-input"]
show_figure(
    draw_activations(),
    title="Below 0 relu is silent; gelu (BERT, GPT-2) and silu (many of today's models) let a little through",
    alt="Three curves from -3 to 3: relu is 0 and then a straight line, gelu and silu are smooth and dip a little below 0.",
)

# %% [markdown]
# ## Experiment: what the hidden numbers react to
#
# The base reads words. A *hook*, a function that torch calls after a layer, keeps the output of `fc1` after ReLU, for every
# letter of many words, in each encoder layer.

# %%
seen_words = words("american", "train", 500 if quick() else 2000)
new_words = words("american", "development", 400 if quick() else 1500)
seen, new = hidden_numbers(base, seen_words), hidden_numbers(base, new_words)

# %% tags=["hide-input"]
above = [100 * float((matrix > 0).float().mean()) for matrix in seen.layers]
never = [int((matrix.max(dim=0).values == 0).sum()) for matrix in seen.layers]
numbers = {"least": min(above), "most": max(above), "hidden": d_ff, "first": never[0], "last": never[-1]}
numbers["letters"] = len(seen.places)
claim(max(above) < 15, "few are above 0 at a time", **numbers)
claim(never[0] > never[-1], "the first layer has more that never are", **numbers)
prose(
    "At one letter {least:.0f} to {most:.0f} % of a layer's {hidden} numbers are above 0: most questions get the answer no. "
    "Some never get a yes at any of these {letters:,} letters: {first} numbers of the first layer and {last} of the last. Where "
    "ReLU always gives 0 there is no gradient either, so such a number has stopped to learn (a *dead* unit).",
    **numbers,
)

# %% [markdown]
# Which questions are they? We write down some spelling patterns, and take for each the hidden number that goes with it best
# on the *seen* words (by correlation). Then we look at *other* words: if the choice had been luck, the correlation
# would be gone there.

# %%
matches = {name: best_match(pattern, seen, new) for name, pattern in PATTERNS.items()}
print(f"{'pattern':<24}{'layer':>6}{'number':>8}{'seen':>7}{'other':>7}   where it is largest in the other words")
for name, match in matches.items():
    print(f"{name:<24}{match.layer:>6}{match.number:>8}{match.seen:>7.2f}{match.other:>7.2f}   {match.examples}")

# %% tags=["hide-input"]
others = {name: match.other for name, match in matches.items()}
best, worst = highest(others), min(others, key=others.__getitem__)
numbers = {"best": best, "highest": others[best], "worst": worst, "lowest": others[worst]}
claim(numbers["highest"] > 0.85, "a pattern has a number of its own")
claim(numbers["lowest"] < 0.5, "another has none")
claim(all(abs(match.seen - match.other) < 0.15 for match in matches.values()), "it holds on other words too")
shown = list(matches)[:6]
show_figure(
    draw_tracks(tracks(base, ["celery", "cyclone", "machine", "spring"], [matches[name] for name in shown]), shown),
    title="Six hidden numbers on four words: some fire at one place, some also where their name does not fit",
    alt="Four small maps, one for each of celery, cyclone, machine and spring: letters across, six hidden numbers downwards, "
    "dark where a number is far above 0. The last y of celery is dark in the row of a last y.",
)
prose(
    "“{best}” has a number of its own: the correlation is {highest:.2f} on words that did not choose it, and no label asked the "
    "network to look for it. “{worst}” has none (at best {lowest:.2f}): it is spread over many numbers. And look at the c's of the "
    "figure, hard and soft, in the two rows that are named after them, before you believe a name. A name that we give "
    "to a hidden number is a guess.",
    **numbers,
)

# %% tags=["hide-input"]
said_and_so(
    said="Each neuron of the feed forward detects one feature.",
    so="A few do, as far as a correlation shows. On words that did not choose it, the best number for “{best}” has {highest:.2f}; the "
    "best for “{worst}” only {lowest:.2f}, so no single number stands for it. At each letter {least:.0f} to {most:.0f} % of the "
    "{hidden} numbers of a layer are above 0 together.",
    shown_by="the table and the figure above",
    **numbers,
    least=min(above),
    most=max(above),
    hidden=d_ff,
)

# %% [markdown]
# ## Experiment: when does a c know its sound?
#
# At the start the vector of a c is the same in *cat* and in *city*, up to its position. Its sound is not. We follow every c
# through the layers, and draw the two directions in which the vectors differ most. The colour is the rule of thumb: soft
# before e, i, y; those of *ch* are left out.
#
# A simple test says how well they are apart: take the mean vector of the soft and of the hard c's on seen words, and ask of
# each new c which of the two is nearer.

# %%
seen_c, new_c = letters_c(base, seen_words), letters_c(base, new_words)
right = nearest_mean(seen_c, new_c)

# %% tags=["hide-input"]
always = 100 * float((~new_c.soft).float().mean())
numbers = {"embedding": right[0], "first": right[1], "second": right[2], "last": right[-1], "always": always}
numbers |= {"letters": len(new_c.soft)}
claim(right[-1] > 98, "after the last layer the sound is plain", **numbers)
claim(right[0] < always, "on the embeddings the test is no better than always saying hard", **numbers)
show_figure(
    draw_letters_c(seen_c, new_c, right),
    title="A c finds out how it sounds: {embedding:.0f} % right at the start, then {first:.0f}, {second:.0f} and {last:.0f} %",
    alt="Four clouds of {letters} points, hard and soft c's, after each step. At first they lie mixed, at the end in two groups. The "
    "nearest mean is right for {embedding:.0f}, {first:.0f}, {second:.0f} and {last:.0f} %.",
    **numbers,
)
prose(
    "Always saying “hard” would be right for {always:.0f} %. On the embeddings the test can only go by the position. Layer 0 does "
    "look at the neighbours; what this test can read of it is {first:.0f} %. After layer 1 it is {second:.0f} %, after layer 2 "
    "{last:.0f} %. That is what a stack is for: one layer fetches, and the next can use what was fetched.",
    **numbers,
)

# %% tags=["hide-input"]
claim(float(difference) < 1e-5, "shuffled positions give shuffled results")
said_and_so(
    said="The feed forward works on each word by itself.",
    so="On each *position* by itself: shuffled positions give shuffled results. But what stands there is "
    "no single letter any more. At the start nothing in the vector of a c tells its sound ({embedding:.0f} % right, always saying "
    "“hard” {always:.0f} %); after the last layer the vector does ({last:.0f} %). The neighbour that decides it was fetched by "
    "attention.",
    shown_by="the figure above, and the shuffled positions under *By hand*",
    embedding=numbers["embedding"],
    always=always,
    last=numbers["last"],
)

# %% [markdown]
# ## Experiment: which sub-layer does how much?
#
# We silence one sub-layer (its output becomes 0, so the residual passes alone) and count the errors.

# %%
probe = words("american", "development", 100 if quick() else 300)
whole = 100 * evaluate(base, probe, "american").phoneme_error
errors = errors_without(base, probe)

# %% tags=["hide-input"]
bars = {(kind, layer): error for kind, values in errors.items() for layer, error in enumerate(values)}
kind, layer = most = max(bars, key=bars.__getitem__)
numbers = {
    "whole": whole,
    "kind": kind.replace("_", "-"),
    "layer": layer,
    "most": bars[most],
    "least": min(bars.values()),
}
claim(min(bars.values()) > whole, "each sub-layer is needed")
show_figure(
    draw_silenced(errors, whole),
    title="Silent, one sub-layer costs from {least:.0f} to {most:.0f} % phoneme error, against {whole:.0f} % for the whole base",
    alt="Bars of the phoneme error with self-attention or feed forward silent, for each encoder layer. The highest is the "
    "{kind} of layer {layer} with {most:.0f} %; the lowest bar is {least:.0f} %; the whole base has {whole:.1f} %.",
    **numbers,
)
prose(
    "The {kind} of layer {layer} matters most here. This is one small model on one task, and a sub-layer that is taken "
    "from a trained network is missed by all that were trained beside it. In another model the bars stand differently.",
    kind=numbers["kind"],
    layer=layer,
)

# %% [markdown]
# ## The usual mistakes
#
# - **The residual is taken after the norm.** Then a layer whose sub-layers give 0 gives LayerNorm(x), not x. A widely read
#   tutorial has it ([happy-llm#21](https://github.com/datawhalechina/happy-llm/issues/21)). Check: silence both sub-layers of a
#   pre-norm layer, as below.
# - **No non-linearity between the two layers.** It trains, and is one matrix. The code above shows why.
# - **The last norm of a pre-norm stack is forgotten.** The residual sum grows from layer to layer and nobody stops it.
# - **The two widths are swapped**, or one name serves both
#   ([happy-llm#141](https://github.com/datawhalechina/happy-llm/issues/141)). With $d_{ff} = d$ in the test nobody sees it:
#   test with unequal sizes.
# - **Too much is read into one hidden number.** Choose it on some words, check it on others, as above.

# %%
layer, x = base.encoder.layers[0], torch.randn(1, 5, d)
with silenced(layer.self_attention, layer.feed_forward), torch.no_grad():
    print("both sub-layers silent: the layer gives x back exactly:", torch.equal(layer(x), x))

# %% [markdown]
# ## Three questions
#
# <details><summary>Why does the feed forward go to more numbers than it has, and back?</summary>
#
# Each hidden number is one question, and there are more patterns worth asking for than features. The way back has to put all
# answers into $d$ features again, so that the next layer can read them and the residual can add them.
#
# </details>
#
# <details><summary>You leave ReLU out and double the width. Has the network gained anything?</summary>
#
# No. Two linear layers are one linear layer, with a matrix of rank at most $d$, however wide the middle is.
#
# </details>
#
# <details><summary>A hidden number correlates well with a pattern on the words that chose it. What must you still check?</summary>
#
# Other words. There are many hidden numbers, and the best of many looks good on the data that chose it. Then the places
# where it fires without the pattern: they say what it may mean instead.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(6)

# %% [markdown]
# ## Summary
#
# - The feed forward asks, cuts off and writes back, at each position alone. Without its non-linearity it is one matrix.
# - It has two thirds of the parameters of a layer. A few of its hidden numbers go with one spelling pattern; many do not.
# - Attention fetches, the feed forward combines, and the next layer uses it: that is how a c learns whether it is soft.

# %% [markdown]
# ## Where to read on
#
# - Vaswani et al., [*Attention Is All You Need*, arXiv 1706.03762](https://arxiv.org/abs/1706.03762), section 3.1 and section 3.3
# - Geva et al., [*Transformer Feed-Forward Layers Are Key-Value Memories*, arXiv
#   2012.14913](https://arxiv.org/abs/2012.14913): rows of $W_1$ as keys, columns of $W_2$ as values
# - Elhage et al., [*Toy Models of Superposition*, arXiv 2209.10652](https://arxiv.org/abs/2209.10652): why one number answers
#   several questions
# - Shazeer, [*GLU Variants Improve Transformer*, arXiv 2002.05202](https://arxiv.org/abs/2002.05202): the feed forward of
#   today's large models
# - Hendrycks and Gimpel, [*Gaussian Error Linear Units*, arXiv 1606.08415](https://arxiv.org/abs/1606.08415)
# - Next: [lesson 7](07_masks_and_decoder.ipynb), masks and the decoder. In the code:
#   [`transformer/feed_forward.py`](../../transformer/feed_forward.py), [`transformer/encoder.py`](../../transformer/encoder.py)
