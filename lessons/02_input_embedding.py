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

**The question.** A network computes with vectors, and a word is a row of letters. *Tab* and *bat* have the same three
letters and sound different. How does a letter become a vector, and how does the network learn where the letter stands?

**You will be able to**

- compute the vector of a letter at a position by hand
- say what an embedding holds, and see it in a trained one
- say what sines and cosines are good for, and what happens without them
- test whether a model has learnt distances or places

**Time:** 30 minutes. **Before it:** [lesson 1](01_fine_tuning.ipynb), and what sine and cosine are.
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.input_embedding import (
    ROW,
    apart,
    errors_by_start,
    letter_cosines,
    letter_rows,
    letters_moved,
    moved_in_the_card,
    nearest_letters,
    products_depend_on_distance,
    within_and_across,
)
from lessons.experiments.input_embedding_figures import (
    draw_lengths,
    draw_letters,
    draw_moved,
    draw_two_tables,
    draw_waves,
)
from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.machine import set_threads
from lessons.task.scoring import predict
from lessons.teaching import (
    about,
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
from transformer import sinusoidal_positional_encoding
from transformer.embedding import LearnedPositions, SinusoidalPositions, add_positions, embed_tokens

set_threads()
torch.manual_seed(0)
lit_diagram("inputs", "input_embedding", "output_embedding", "positions")

# %%
base = load_base()
pairs = ["tab", "bat", "stop", "pots"]
print("with positions:   ", predict(base, pairs))
with letters_moved(base, None):
    print("without positions:", predict(base, pairs))

# %% [markdown]
# Without positions, two words of the same letters are pronounced alike: the network sees the letters, and not their order.

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_two_tables(),
    title="A row of one table says which letter, a row of another says where; their sum goes into the network",
    alt="The learnt table E has a row for each token. Row 1, (0.5, 0, -0.5, 1), is multiplied by 2. The table PE, a formula, has a "
    "row for each position. Row 1, (0.84, 0.54, 0.01, 1.00), is added. The sum is (1.84, 0.54, -0.99, 3.00).",
)

# %% [markdown]
# ## The idea
#
# An **embedding** is a table, one row of $d$ numbers for each token; here a token is a letter or a sound. Looking up a row is
# all that it does. At the start the rows are random. Training moves them, so that in the end letters that behave alike have
# vectors that point alike.
#
# Attention does not see order: it compares each letter with each other one, wherever they stand
# ([lesson 3](03_attention.ipynb)). So where a letter stands is *added* to what it is. The paper takes a formula: pairs of
# waves, from fast to slow, like the hands of many clocks. The fast hands tell neighbours apart, the slow ones tell the
# beginning from the end. The formula has no parameters, and a row for any position.
#
# One vector, then, holds two things. They do not get in each other's way because there are many directions in $d$
# dimensions; the matrices of the next layers learn to read either.

# %% [markdown]
# ## The formula
#
# $$x_t = \sqrt{d}\; E[\text{token}_t] + \mathrm{PE}_t$$
#
# $$\mathrm{PE}[t, 2i] = \sin\frac{t}{10000^{2i/d}} \qquad \mathrm{PE}[t, 2i+1] = \cos\frac{t}{10000^{2i/d}}$$
#
# $E$ has $\text{vocab} \times d$ parameters. Here one table serves three places: the encoder's input, the decoder's input
# (the *output embedding* of the figure: it embeds what has been put out so far) and the last linear layer
# ([lesson 8](08_output_and_loss.ipynb)). They are *tied*.

# %% [markdown]
# ## The code

# %%
show_source(sinusoidal_positional_encoding, SinusoidalPositions, LearnedPositions)
show_source(embed_tokens, add_positions)

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
by_code = 4**0.5 * ROW + sinusoidal_positional_encoding(2, 4)[1]
print([round(value, 5) for value in by_code.tolist()])

# %% [markdown]
# ## The waves
#
# In the table a row is what is added at one position.

# %% tags=["hide-input"]
d = base.config.d_model
show_figure(
    draw_waves(d),
    title="Fast waves tell neighbours apart, slow ones the beginning from the end",
    alt="Three panels. The table of 40 positions and {d} features, with fast stripes at the left and slow ones at the right. Four "
    "of its columns, waves of growing length. The product of the rows 5, 15 and 30 with all rows: each is highest at its own "
    "position and falls on both sides alike.",
    d=d,
)

# %% [markdown]
# The right panel: the product of two positions depends on their distance alone, and on the whole falls with it. This
# follows from $\sin a \sin b + \cos a \cos b = \cos(a - b)$: it is $\sum_i \cos\bigl((t - s)/10000^{2i/d}\bigr)$. So
# attention, which computes products, *can* learn "two letters to the left" once for all places. And the step from $t$ to
# $t + k$ is one rotation for all $t$:

# %% tags=["hide-input"]
numbers = products_depend_on_distance(d)
claim(max(numbers["spread"], numbers["off"]) < 1e-10, "equal up to rounding", **numbers)
claim(about(numbers["early"], numbers["formula"], within=1e-6), "the formula gives it")
prose(
    "At distance 3 the formula gives {formula:.4f}, the table {early:.4f} at position 10 and {late:.4f} at position 40. All products at "
    "one distance differ by at most {spread:.0e}. The positions turned by {steps} are the positions {steps} further on, up to "
    "{off:.0e}.",
    **numbers,
)

# %% [markdown]
# ## Experiment: what has the base learnt about letters?
#
# An embedding is said to carry meaning. Ours carries what pretraining needed: how letters and sounds behave. We ask for the
# cosine between rows of $E$, after the mean row is taken away.

# %%
cosines = letter_cosines(base)
for letter in "aicsfx":
    print(f"{letter} is nearest to {nearest_letters(cosines, letter)}")

# %% tags=["hide-input"]
within, across = within_and_across(cosines)
numbers = {"within": within, "across": across}
claim(within > across + 0.1, "vowels lie together", **numbers)
show_figure(
    draw_letters(cosines),
    title="Vowels lie together: mean cosine {within:.2f} with each other, {across:.2f} with consonants",
    alt="A square of 26 by 26 cosines between letters, vowels first. The field of vowels with vowels is mostly blue, mean "
    "{within:.2f}; that of vowels with consonants is on the whole a little red, mean {across:.2f}.",
    **numbers,
)
said_and_so(
    said="An embedding carries the meaning of its token.",
    so="It carries what training needed, and here that is sound. Nobody told the base which letters are vowels; the mean cosine "
    "of two of them is {within:.2f}, that of a vowel and a consonant {across:.2f}. Of the meaning of a word it knows nothing: a "
    "letter has none.",
    shown_by="the figure above",
    **numbers,
)

# %% [markdown]
# The factor $\sqrt d$: the paper multiplies $E$ by it and gives no reason. The usual explanation is that two parts of a sum must
# be of like size, or one drowns. $\mathrm{PE}_t$ always has the length $\sqrt{d/2}$, because $\sin^2 + \cos^2 = 1$ for
# each of the $d/2$ pairs. How long are the others in the trained base?

# %% tags=["hide-input"]
row = float(letter_rows(base).norm(dim=1).mean())
lengths = {"a letter's row of E": row, "the same times √d": base.embedding_scale * row, "PE": (d / 2) ** 0.5}
numbers = {"row": row, "scaled": base.embedding_scale * row, "position": (d / 2) ** 0.5}
claim(row < numbers["position"] / 3, "unscaled, the letter is the smaller part", **numbers)
claim(1 / 3 < numbers["scaled"] / numbers["position"] < 3, "scaled, they are of like size", **numbers)
show_figure(
    draw_lengths(lengths),
    title="Without √d a letter ({row:.1f}) would be small beside its position ({position:.1f}); with it, it is {scaled:.1f}",
    alt="Three bars: the mean length of a letter's row {row:.1f}, times the root of d {scaled:.1f}, a position {position:.1f}.",
    **numbers,
)

# %% [markdown]
# ## Experiment: without positions, and at another place
#
# First the proof for *tab* and *bat*: what the encoder makes of their three letters, put side by side.

# %%
with_positions = apart(base)
with letters_moved(base, None):
    without = apart(base)
print(
    f"largest difference between the vectors of tab and bat: with positions {with_positions:.2f}, without {without:.0e}"
)

# %% [markdown]
# **To be exact.** "The Transformer does not depend on order" holds for attention *without a mask*: shuffle its inputs and
# its outputs are shuffled in the same way. A decoder's causal mask breaks this. Its first position sees one token, its
# second two; so a decoder can know the order without any positions ([arXiv
# 2305.19466](https://arxiv.org/abs/2305.19466)).
#
# Now the place. Products of positions depend on distances alone, but a network need not use only these. This base
# was pretrained with the first letter at 0 for half of the words of a batch, and for the others at a random place, drawn anew
# each time. What if it stands there, or further to
# the right? (The positions of the sounds stay where they were.)

# %%
listened = words("american", "development", 40 if quick() else 120)
starts = [0, 5, 15, 30, None] if quick() else [0, 5, 10, 15, 20, 30, 40, None]
errors = errors_by_start(base, starts, listened)

# %% tags=["hide-input"]
card = moved_in_the_card()
trained, last = card["first_position"], starts[-2]
moved = [error for start, error in errors.items() if start is not None and start <= trained]
numbers = {"here": errors[0], "none": errors[None], "far": errors[last], "last": last, "trained": trained}
numbers["worst"] = max(moved)
claim(max(moved) < 1.25 * errors[0] + 0.5, "moved within the trained places it costs next to nothing", **numbers)
claim(errors[None] > 3 * errors[0], "without positions the error is far higher", **numbers)
claim(errors[last] > 1.5 * errors[0], "beyond the trained places it rises", **numbers)
show_figure(
    draw_moved(errors, trained),
    title="Where the base has seen a first letter, it reads as well ({worst:.1f} % at most); further out it does not",
    alt="Phoneme error over the position of the first letter. It stays near {here:.1f} % up to {trained} and is {far:.0f} % at "
    "{last}. A dashed line shows the error without positions, {none:.0f} %.",
    **numbers,
)
said_and_so(
    said="The positional encoding lets a model use the order of its input.",
    so="It does: without it the phoneme error of the base goes from {here:.1f} to {none:.0f} % on these words. Whether a model "
    "learns distances or places is a matter of its training, not of the formula. This one was pretrained with first letters at "
    "0 to {first_position}, and there it does not care: on all {words:,} test words the word error is {unmoved:.1f} %, and "
    "{lowest:.1f} to {highest:.1f} % with the letters moved. At {last}, where no first letter ever stood, the phoneme error is "
    "{far:.0f} %. This matters for prompts, which push the letters to the right (lesson 18).",
    shown_by="the figure above; the base's model card; for the formula `tests/transformer/test_embedding.py`",
    **numbers,
    **card,
)

# %% [markdown]
# ## The usual mistakes
#
# - **An odd $d$.** Half of it are sines, half cosines; code that assumes equal halves fails at $d = 7$
#   ([pyaptamer#607](https://github.com/gc-os-ai/pyaptamer/issues/607)). Ours ends with a sine.
# - **$\sqrt d$ forgotten**, or applied after the positions were added. It belongs to the token's vector alone.
# - **The batch and the time mixed.** Positions run along the axis of time. Rows of a batch all get the same ones. The test
#   that finds it: row 0 alone equals row 0 in a batch.
# - **A learned table read past its end.** It has no row there. A sinusoidal one has, but the network may never have seen it:
#   the figure above.
# - **The table kept in half precision and made longer later**: `SinusoidalPositions` makes it anew in float64.

# %%
print("d = 5, position 1:", [round(value, 3) for value in sinusoidal_positional_encoding(2, 5)[1].tolist()])

# %% [markdown]
# ## Three questions
#
# <details><summary>Why are positions added, and not written behind the letter's vector?</summary>
#
# Written behind, they would need more features, and each matrix after them more numbers. Added, they share the features; the
# next matrices learn directions that read the one or the other.
#
# </details>
#
# <details><summary>Would one slow wave be enough to say where a letter stands?</summary>
#
# In exact numbers yes. But neighbours would have nearly the same value, and their products with a query nearly the same
# size. Fast waves make neighbours clearly different, and slow ones keep far places from looking alike.
#
# </details>
#
# <details><summary>A model was trained with all words beginning at 0. May one put five vectors in front of the letters?</summary>
#
# One may, but the letters then stand at places where the model never saw a word begin, and it may read them badly. The formula
# allows it; only a model that was trained at many places bears it.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(2)

# %% [markdown]
# ## Summary
#
# - An embedding is a learnt table; a letter's row holds what training needed to know about it.
# - Positions are added, because attention without a mask sees no order.
# - With sines and cosines, products depend on the distance alone. Whether the network relies on that is learnt: the base
#   reads well wherever it has seen words begin.

# %% [markdown]
# ## Where to read on
#
# - Vaswani et al., [*Attention Is All You Need*, arXiv 1706.03762](https://arxiv.org/abs/1706.03762), section 3.4 and section 3.5
# - Press and Wolf, [*Using the Output Embedding to Improve Language Models*, arXiv
#   1608.05859](https://arxiv.org/abs/1608.05859): one table for both ends
# - Su et al., [*RoFormer: Enhanced Transformer with Rotary Position Embedding*, arXiv
#   2104.09864](https://arxiv.org/abs/2104.09864): the rotation, put into the attention itself
# - Kazemnejad et al., [*The Impact of Positional Encoding on Length Generalization in Transformers*, arXiv
#   2305.19466](https://arxiv.org/abs/2305.19466)
# - Next: [lesson 3](03_attention.ipynb), attention. In the code:
#   [`transformer/embedding.py`](../../transformer/embedding.py), [`transformer/token_model.py`](../../transformer/token_model.py)
