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
# 2. Input embedding and positions

A network computes with vectors, not with letters: each letter gets one, learnt in training.
Attention does not see order, so where a letter stands is added to what it is.
"""

# %%
from contextlib import contextmanager

import torch
from matplotlib import pyplot as plt

from lessons.task.base import load_base
from lessons.task.dictionary import vocabulary, words
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate, predict
from lessons.teaching import exercises_of, lit_diagram, quick, said_and_so, show_source
from transformer import sinusoidal_positional_encoding
from transformer.embedding import LearnedPositions, SinusoidalPositions, add_positions, embed_tokens
from transformer.token_model import TokenModel

set_threads()
torch.manual_seed(0)
lit_diagram("inputs", "input_embedding", "output_embedding", "positions")

# %% [markdown]
# ## The formula
#
# $$x_t = \sqrt{d}\; E[\text{token}_t] + \mathrm{PE}_t$$
#
# $$\mathrm{PE}[t, 2i] = \sin\frac{t}{10000^{2i/d}} \qquad \mathrm{PE}[t, 2i+1] = \cos\frac{t}{10000^{2i/d}}$$
#
# $E$ is a table with one row of $d$ numbers for each token. Looking up a row is the whole of an embedding. $\mathrm{PE}$
# is a formula: pairs of waves, from fast to slow, like the hands of many clocks. It has no parameters.
# $E$ has $\text{vocab} \times d$; here one table serves three places, for the output uses it too (lesson 8).

# %%
show_source(sinusoidal_positional_encoding, SinusoidalPositions, LearnedPositions)
show_source(embed_tokens, add_positions, TokenModel.embed_source, TokenModel.place_source)

# %% [markdown]
# ## By hand
#
# $d = 4$. Token number 1 has the row $(0.5,\, 0,\, -0.5,\, 1)$ and stands at position $t = 1$. Times $\sqrt 4 = 2$ it is
# $(1, 0, -1, 2)$. There are two waves, $10000^{0} = 1$ and $10000^{2/4} = 100$:
#
# $$\mathrm{PE}_1 = (\sin 1,\, \cos 1,\, \sin 0.01,\, \cos 0.01) \approx (0.84147,\, 0.54030,\, 0.01000,\, 0.99995)$$
#
# $$x_1 \approx (1.84147,\, 0.54030,\, -0.99000,\, 2.99995)$$

# %%
row = torch.tensor([0.5, 0.0, -0.5, 1.0])
by_code = 4**0.5 * row + sinusoidal_positional_encoding(2, 4)[1]
print([round(value, 5) for value in by_code.tolist()])

# %% [markdown]
# ## The waves
#
# A row is what is added at one position. On the left fast waves, which tell neighbours apart; on the right slow ones, which
# tell the beginning from the end.

# %%
base = load_base()
d = base.config.d_model
table = sinusoidal_positional_encoding(40, d)
figure, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
image = axis.imshow(table, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
axis.set_xlabel("feature")
axis.set_ylabel("position")
figure.colorbar(image)
plt.show()

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 2.7), layout="constrained")
for feature in (0, 16, 32, 64):
    axes[0].plot(table[:, feature], label=f"feature {feature}")
axes[0].set(xlabel="position", title="four of the waves")
axes[0].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
for position in (5, 15, 30):
    axes[1].plot(table @ table[position], label=f"PE({position})")
axes[1].set(xlabel="position t", title="PE(t) · PE(5), PE(15), PE(30)")
axes[1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# On the right: the product of two positions depends on their distance alone, and on the whole falls with it. This follows from
# $\sin a \sin b + \cos a \cos b = \cos(a - b)$: it is $\sum_i \cos\bigl((t - s)/10000^{2i/d}\bigr)$. So attention, which
# computes products, can learn "two letters to the left" once for all places. And the step from $t$ to $t + k$ is one
# rotation for all $t$:

# %%
exact = sinusoidal_positional_encoding(60, d, torch.float64)
frequency = 1 / 10000 ** (torch.arange(0, d, 2, dtype=torch.float64) / d)
products = exact @ exact.T
spread = max(float(products.diagonal(k).max() - products.diagonal(k).min()) for k in range(60))
print(f"products at the same distance differ by at most {spread:.0e}; by the formula at distance 3: ", end="")
print(
    f"{float(torch.cos(3 * frequency).sum()):.6f}, in the table {float(products[10, 13]):.6f} and {float(products[40, 43]):.6f}"
)
sine, cosine, k = exact[:, 0::2], exact[:, 1::2], 7
turned = sine * torch.cos(k * frequency) + cosine * torch.sin(k * frequency)
print(f"PE(t) turned by {k} is PE(t + {k}), up to {float((turned[:-k] - sine[k:]).abs().max()):.0e}")

# %% [markdown]
# ## What the base has learnt about letters
#
# An embedding is said to carry meaning. Ours carries what pretraining needed: how letters and sounds behave. We ask for the
# cosine between rows of $E$, after the mean row is taken away.

# %%
vowels, consonants = "aeiouy", "bcdfghjklmnpqrstvwxz"
letters = vowels + consonants
rows = base.source_embedding.weight.detach()
chosen = rows[[vocabulary().letter_ids[letter] for letter in letters]]
centred = torch.nn.functional.normalize(chosen - chosen.mean(dim=0), dim=1)
alike = centred @ centred.T
figure, axis = plt.subplots(figsize=(5.6, 4.8), layout="constrained")
image = axis.imshow(alike.fill_diagonal_(0), cmap="RdBu", vmin=-0.5, vmax=0.5)
axis.set_xticks(range(26), letters, fontsize=8)
axis.set_yticks(range(26), letters, fontsize=8)
axis.set_title("cosine of the letters' vectors; vowels first", fontsize=10)
figure.colorbar(image)
plt.show()
for letter in "aicsfx":
    nearest = alike[letters.index(letter)].topk(3)
    print(
        f"{letter} is nearest to", ", ".join(f"{letters[i]} ({value:.2f})" for value, i in zip(*nearest, strict=True))
    )
inside = alike[:6, :6].sum() / 30
across = alike[:6, 6:].mean()
print(f"mean cosine of two vowels {inside:.2f}, of a vowel and a consonant {across:.2f}")

# %% [markdown]
# The paper multiplies $E$ by $\sqrt d$ and gives no reason. The usual explanation: two parts of a sum must be of like size, or
# one drowns. $\mathrm{PE}_t$ always has the length $\sqrt{d/2}$, because $\sin^2 + \cos^2 = 1$ for each of the $d/2$ pairs:

# %%
lengths = rows[3:29].norm(dim=1)
print(f"‖PE‖ = √(d/2) = {(d / 2) ** 0.5:.2f}; ‖E‖ of letters {lengths.mean():.2f} ± {lengths.std():.2f}", end="")
print(f"; √d · ‖E‖ {base.embedding_scale * lengths.mean():.2f}")

# %% [markdown]
# ## Without positions
#
# The encoder without positions gives the letters of *tab* and *bat* the same vectors in another order: it cannot tell
# which is which. We take the positions away from the real base and look.


# %%
def sources(*texts: str) -> torch.Tensor:
    return torch.tensor([vocabulary().encode_word(text) for text in texts])


@contextmanager
def shifted(model, by: int | None):
    """Positions that begin at `by` instead of 0, in the source; with None all positions are zero."""

    def hook(module, inputs, output):
        length = output.shape[0]
        return torch.zeros_like(output) if by is None else module.table[by : by + length]

    handle = model.source_positions.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def difference() -> float:
    """Between what the encoder makes of t, a, b in "tab" and in "bat"."""
    (tab, bat), _ = base.encode(sources("tab", "bat"))
    return float((tab[:3] - bat[[2, 1, 0]]).abs().max())


with_positions = difference()
with shifted(base, None):
    without = difference()
    blind = predict(base, ["tab", "bat", "stop", "pots", "form", "from"])
print(f"largest difference with positions {with_positions:.2f}, without {without:.1e}")
print("without positions its output is:", ", ".join(f"{word} → {said}" for word, said in blind.items()))

# %% [markdown]
# *tab* and *bat* are now pronounced alike, and so are *stop* and *pots*.
#
# **To be exact.** "The Transformer does not depend on order" holds for attention *without a mask*: shuffle its inputs and
# its outputs are shuffled in the same way. A decoder's causal mask breaks this. Its first position sees one token, its
# second two; so a decoder can know the order without any positions (arXiv 2305.19466).
#
# ## The wrong place
#
# The base only ever saw words that begin at position 0. What if they begin at 1, at 5, at 20? The products above depend
# on distances alone, but the network need not use only these. (The
# positions of the sounds stay where they were.)

# %%
listened = words("american", "development", 40 if quick() else 200)
starts = [0, 1, 2, 5, 20] if quick() else [0, 1, 2, 3, 5, 8, 12, 20, 40]
errors = []
for start in starts:
    with shifted(base, start):
        errors.append(100 * evaluate(base, listened, "american").phoneme_error)
with shifted(base, None):
    none = 100 * evaluate(base, listened, "american").phoneme_error

figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
axis.plot(starts, errors, "o-", label="the first letter stands at position k")
axis.axhline(none, color="C1", linestyle="--", label="no positions at all")
axis.set(xlabel="k", ylabel="phoneme error (%)", ylim=(0, None))
axis.legend()
plt.show()
print(
    "  ".join(f"k={start}: {error:.1f} %" for start, error in zip(starts, errors, strict=True)), f"  none: {none:.1f} %"
)
said_and_so(
    "The positional encoding lets a model use the order of its input.",
    f"It does: without it the phoneme error of the base goes from {errors[0]:.1f} to {none:.0f} %. But it has learnt *these* "
    f"positions, not distances: begin at {starts[1]} and it is {errors[1]:.1f} %, at 5 {errors[starts.index(5)]:.1f} %, at 20 "
    f"{errors[starts.index(20)]:.0f} %. This will matter for prompts, which push the letters to the right (lesson 18).",
    "the figure above; for the formula `tests/transformer/test_embedding.py`",
)

# %% [markdown]
# ## The usual mistakes
#
# - **An odd $d$.** Half of it are sines, half cosines; code that assumes equal halves fails at $d = 7$ (pyaptamer#607). Ours
#   ends with a sine.
# - **$\sqrt d$ forgotten**, or applied after the positions were added. It belongs to the token's vector alone.
# - **The batch and the time mixed.** Positions run along the axis of time. Rows of a batch all get the same ones. The test
#   that finds it: row 0 alone equals row 0 in a batch (Molecule-Generator PR#22).
# - **A learned table read past its end.** It has no row there, and a sinusoidal one has, but the network has never seen it.
# - **The table kept in half precision and made longer later**: `SinusoidalPositions` makes it anew in float64.

# %%
print("d = 5, position 1:", [round(value, 3) for value in sinusoidal_positional_encoding(2, 5)[1].tolist()])

# %%
exercises_of(2)

# %% [markdown]
# ## Where to read on
#
# - Vaswani et al., *Attention Is All You Need*, arXiv 1706.03762, sections 3.4 and 3.5
# - Press and Wolf, *Using the Output Embedding to Improve Language Models*, arXiv 1608.05859: one table for both ends
# - Su et al., *RoFormer: Enhanced Transformer with Rotary Position Embedding*, arXiv 2104.09864: the rotation, put into the
#   attention itself
# - Kazemnejad et al., *The Impact of Positional Encoding on Length Generalization in Transformers*, arXiv 2305.19466
# - Next: lesson 3, attention. In the code: `transformer/embedding.py`, `transformer/token_model.py`
