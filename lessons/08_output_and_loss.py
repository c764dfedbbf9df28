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

**The question.** The decoder ends with a vector; what is asked for is a symbol. And when the model is sure of its symbol, nine
to one, is it then right in nine of ten cases?

**You will be able to**

- say what the output embedding is, and what it is not
- compute logits, softmax, the loss and its gradient by hand, with label smoothing and without
- say why a symbol that never occurs is left out of the softmax
- measure whether a model's probabilities can be trusted, and repair them with one number

**Time:** 35 minutes. **Before it:** the decoder, from [lesson 7](07_masks_and_decoder.ipynb), and the embedding, from
[lesson 2](02_input_embedding.ipynb).
"""

# %% tags=["hide-input"]
import math

import torch

from lessons.experiments.output_and_loss import (
    LOGITS,
    SETTINGS,
    best_temperature,
    by_formula,
    calibration,
    choices,
    gradient,
    guesses,
    loss_of,
    most_likely,
    unseen_over_training,
)
from lessons.experiments.output_and_loss_figures import (
    draw_calibration,
    draw_choices,
    draw_output,
    draw_softmax_and_smoothing,
    draw_unseen,
)
from lessons.task.base import load_base
from lessons.task.dictionary import load, vocabulary, words
from lessons.task.machine import set_threads
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
from transformer import Transformer, label_smoothed_cross_entropy

set_threads()
lit_diagram("output_embedding", "linear", "softmax")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_output(),
    title="From the last vector to the loss; below, the same matrix reads the symbol in again",
    alt="The learnt matrix W out has the rows (0, 0), (1, 0), (0, 1) for a, b, c. Times h = (0.693, 1.61) it gives the logits 0, 0.693, 1.61. "
    "Their exponentials are 1, 2, 5, with the sum 8, so that p = (0.125, 0.25, 0.625). For b the loss is 1.386. An arrow from the matrix "
    "leads to the row of b, (1, 0), which the decoder is given at the next step.",
)

# %% [markdown]
# ## The idea
#
# The decoder's last vector $h$ says in $d$ numbers what should come next. Each symbol of the vocabulary has a vector of its own.
# The **linear layer** compares $h$ with all of them by dot products: one number for each symbol, its **logit**. **Softmax** makes
# probabilities of the logits. The **loss** is the surprise at the right symbol: small if it was likely, large if it was not.
#
# **The output embedding.** In the figure of 2017 this name stands at the decoder's *foot*, not at its head. It means: the outputs so
# far, made into vectors, which the decoder reads. It is an input embedding as in [lesson 2](02_input_embedding.ipynb): one row of
# a table for each symbol, times $\sqrt d$, plus a position. It begins with the sign *begin*, so it is one place behind the labels
# ("shifted right"). The model's answer comes out at the top, and goes in again at the foot at the next step.
#
# Others call the linear layer's matrix the output embedding, because it too has a row for each symbol. The two meet: one matrix
# can serve at both ends ("tied"). The row with which a symbol is read is then the row with which it is recognized. That
# is the case here.

# %% [markdown]
# ## The formula
#
# $$x_i = \sqrt d\, E[y_{i-1}] + P[i] \quad \text{(in, at the foot)} \qquad\qquad z = W_{out}\,h, \quad W_{out} = E \quad \text{(out, if tied)}$$
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}, \qquad L = -\log p_y \quad \text{for the right symbol } y$$
#
# With label smoothing, a share $\varepsilon$ of the target goes to all $K$ allowed symbols alike:
#
# $$L_\varepsilon = (1-\varepsilon)\,(-\log p_y) + \varepsilon \cdot \frac{1}{K} \sum_{k} (-\log p_k)$$
#
# The loss of a batch is the mean over the *real* symbols: padding counts for nothing.

# %% [markdown]
# ## The code

# %%
show_source(
    Transformer.read,
    Transformer.decode,
    Transformer.token_matrices,
    Transformer.tie_weights,
    label_smoothed_cross_entropy,
)

# %% [markdown]
# ## By hand
#
# Three symbols a, b, c with the rows (0, 0), (1, 0), (0, 1), and $h = (\ln 2, \ln 5)$. The logits are $0 = \ln 1$, $\ln 2$, $\ln 5$.
# So $e^z$ is 1, 2, 5, the sum is 8, and $p = (1/8,\ 2/8,\ 5/8)$.
#
# - The right symbol is b: $L = -\ln(2/8) = \ln 4 = 1.386$.
# - Smoothing $\varepsilon = 0.1$: $L = 0.9 \ln 4 + 0.1 \cdot \frac{1}{3}(\ln 8 + \ln 4 + \ln 1.6) = 1.248 + 0.131 = 1.379$.
# - The symbol a is declared *never* to occur (`never=(0,)`): the sum is 7, $p = (0,\ 2/7,\ 5/7)$, and the smoothing has two
#   symbols to share among: $L = 0.9 \ln 3.5 + 0.1 \cdot \frac{1}{2}(\ln 3.5 + \ln 1.4) = 1.207$.

# %%
for name, (smoothing, never) in SETTINGS.items():
    print(f"{name:<20}{float(loss_of(LOGITS, smoothing, never)):.3f}   by hand {by_formula()[name]:.3f}")

# %% [markdown]
# Two facts about softmax that save much trouble:
#
# - A number added to all logits changes nothing. So one may subtract the largest; then $e^z$ never overflows.
# - The gradient of $-\log p_y$ with respect to the logits is $p$ minus the one-hot target: here
#   $(1/8,\ 2/8 - 1,\ 5/8)$. What is too likely is pushed down, the right one is pulled up, and it all sums to 0.
#   A symbol of `never` has $p = 0$: no push at all.

# %%
print("z + 1000 gives the same:", (LOGITS + 1000).softmax(-1).tolist(), "  naive:", (LOGITS + 1000).exp().tolist())
for never in ((), (0,)):
    print(f"gradient, never {never}:", [round(value, 4) for value in gradient(never)])

# %% tags=["hide-input"]
show_figure(
    draw_softmax_and_smoothing(temperatures=(0.5, 1, 2), smoothings=(0, 0.1, 0.3)),
    title="Without smoothing the loss wants an endless lead; with it the best lead is {lead:.2f} (ε = {epsilon:g})",
    alt="Left: bars of the example's softmax; at T = {cold:g} the largest has {sharp:.2f} of the probability, at T = {warm:g} only {flat:.2f}. Right: the "
    "loss falls for ever without smoothing; with it, it rises again behind a lowest point.",
    lead=math.log((0.9 + 0.1 / 3) / (0.1 / 3)),
    epsilon=0.1,
    cold=0.5,
    warm=2,
    sharp=float((LOGITS / 0.5).softmax(-1).max()),
    flat=float((LOGITS / 2).softmax(-1).max()),
)

# %% [markdown]
# With smoothing the best target is $1 - \varepsilon + \varepsilon/K$ for the right symbol and $\varepsilon/K$ for each other; so the best
# lead is the logarithm of their ratio. For $\varepsilon = 0.1$ and $K = 3$ it is $\ln(0.9333 / 0.0333) = \ln 28 = 3.33$: the first dot.

# %% [markdown]
# ## Experiment: one matrix at both ends
#
# We take the base's last vectors for a word, and compute the logits with the matrix that reads symbols in.

# %%
base, tokens = load_base(), vocabulary()
source = torch.tensor([tokens.encode_word("tomato")])
target = torch.tensor([[tokens.bos_id, *tokens.encode_pronunciation(load("american")["tomato"][0])[:-1]]])
with torch.no_grad():
    hidden, logits = base.states(source, target), base(source, target)
    by_embedding = hidden @ base.target_embedding.weight.T

# %% tags=["hide-input"]
one_matrix = base.output.weight is base.target_embedding.weight is base.source_embedding.weight
far = float((logits - by_embedding).abs().max())
claim(one_matrix and far < 1e-4, "the output's matrix is the embedding", far=far)
prose(
    "The two agree up to rounding: the largest difference is {far:.0e}. One matrix of {rows} × {columns} serves three times, as the letters' embedding, as "
    "the output embedding and as the linear layer. Untied, the three would hold {untied:,} numbers instead of {tied:,}.",
    far=far,
    rows=len(tokens),
    columns=base.config.d_model,
    tied=base.output.weight.numel(),
    untied=3 * base.output.weight.numel(),
)
claim(len(tokens) < base.config.d_model, "fewer symbols than d_model")
said_and_so(
    said="The linear layer maps the decoder's output to a larger vocabulary space.",
    so="It maps to as many numbers as there are symbols. In large models that is more than d_model; here {symbols} "
    "symbols are fewer than d_model = {width}.",
    shown_by="the shape of `base.output.weight`: {symbols} × {width}",
    symbols=len(tokens),
    width=base.config.d_model,
)

# %% [markdown]
# ## Experiment: the real model's choices
#
# *Overcalls* is a word from the card game bridge, and the base was not trained on it. We give it the letters and, step by step, the
# symbols of one pronunciation that the dictionary has. Each column is one softmax.

# %%
word = "overcalls"
pronunciations = load("american")[word]
found = choices(base, word, pronunciations[1])
known = choices(base, "either", load("american")["either"][0])

# %% tags=["hide-input"]
(one, one_share), (other, other_share) = most_likely(found, place=0)
claim(word in words("american", "development"), "overcalls is held out")
claim((one, other) == ("ˈ", "ˌ"), "primary stress first, secondary stress second")
claim({one, other} == {each[0] for each in pronunciations}, "the dictionary has both beginnings")
claim(other_share > 25 and one_share + other_share > 95, "the mass lies on two symbols", other=other_share)
claim(min(known.steps) > 0.99, "a word of the training set has one answer", least=min(known.steps))
show_figure(
    draw_choices(found),
    title="Only the first step hesitates: {one_share:.0f} % for primary stress ({one}), {other_share:.0f} % for secondary ({other})",
    alt="A column for each step of the pronunciation, a row for each symbol that is likely somewhere. In the first column {one} has "
    "{one_share:.0f} % and {other} {other_share:.0f} %; in most others one symbol has nearly everything.",
    one=one,
    other=other,
    one_share=one_share,
    other_share=other_share,
)
prose(
    "At the first step the mass lies on two symbols, primary stress and secondary stress. The dictionary has both, {first} and "
    "{second}. A distribution can express that; a single answer cannot. Once the first stress is said, the rest follows from it.",
    first=pronunciations[0],
    second=pronunciations[1],
)
prose(
    "The probability of a whole word is the product of its steps: {product:.2f} for this one. Its loss is the mean of −log p: {loss:.3f}. "
    "For *either*, a word of the training set, no step is below {least:.3f}: of the two ways to say it the base knows the one that its "
    "dictionary has, and is sure of it.",
    product=math.prod(found.steps),
    loss=-sum(math.log(step) for step in found.steps) / len(found.steps),
    least=min(known.steps),
)

# %% [markdown]
# ## Experiment: nine to one, right in nine of ten?
#
# A model is *calibrated* when, among all the symbols that it gives nine to one, nine in ten are right. We look at every symbol of
# many held-out words (the model reads the right symbols so far), sort its best guesses by their probability into ten bins, and
# count how many were right. We do it in American, which the base was trained on, and in British, which it was not.

# %%
count = 200 if quick() else 800
measured = {accent: guesses(base, accent, count) for accent in ("american", "british")}
calibrated = {accent: calibration(*each) for accent, each in measured.items()}
temperatures = {accent: best_temperature(*each) for accent, each in measured.items()}

# %% tags=["hide-input"]
american, british = calibrated["american"], calibrated["british"]
numbers = {
    "american": american.gap,
    "british": british.gap,
    "american_right": american.share,
    "british_right": british.share,
    "american_sure": american.mean_sure,
    "british_sure": british.mean_sure,
    "sure_last": 100 * american.sure[-1],
    "right_last": 100 * american.right[-1],
    "words": count,
}
claim(british.gap > 3 * american.gap, "in British it is off by far more", **numbers)
claim(british.mean_sure > british.share and american.mean_sure > american.share, "too sure of itself", **numbers)
claim(abs(british.mean_sure - american.mean_sure) < 2, "as sure in British as in American", **numbers)
last_bin = numbers["sure_last"] - numbers["right_last"]
claim(american.gap / 2 < last_bin < 2, "the last bin's gap is small, and most of the total", **numbers)
claim(american.mean_sure - american.share > last_bin, "the others are too sure by more, on the whole", **numbers)
show_figure(
    draw_calibration(calibrated),
    title="As sure in British as in American, and right far less often: off by {british:.0f} points, not {american:.0f}",
    alt="Two panels, how often the base is right over how sure it is, with a dashed diagonal. American: the last point lies just below the line. "
    "British: the whole curve lies below it. On average American is off by {american:.1f} points, British by {british:.1f}.",
    **numbers,
)
prose(
    "Below the line means *too sure of itself*. In American the base says {american_sure:.1f} % on average and {american_right:.1f} % are "
    "right. Nearly all its guesses lie in the last bin: there it says {sure_last:.1f} % and {right_last:.1f} % are right, a small gap that makes "
    "most of the total. The few less sure ones are on the whole right less often than it says. "
    "In British it is as sure ({british_sure:.1f} %), and {british_right:.1f} % are right. It does not know that it is asked about "
    "another accent: a probability says how sure the model is **about the world that it was trained on**.",
    **numbers,
)

# %% [markdown]
# The usual repair is one number, the temperature: divide all logits by $T$, and choose $T$ for the smallest loss on half of
# the words. The best symbol stays the best; only the sureness changes.

# %% tags=["hide-input"]
numbers |= {
    f"{accent}_{name}": value
    for accent, each in temperatures.items()
    for name, value in zip(("best", "before", "after"), each, strict=True)
}
claim(numbers["british_best"] > numbers["american_best"] > 1, "British needs the higher temperature", **numbers)
claim(numbers["british_after"] < numbers["british_before"] / 2, "one number repairs more than half", **numbers)
prose(
    "American: the best temperature is {american_best:.1f}; on the other half of the words the base was off by {american_before:.1f} points, "
    "and is then by {american_after:.1f}. British: {british_best:.1f}, from {british_before:.1f} to {british_after:.1f}. So the number that "
    "suits one accent does not suit the other, and one must have right answers of the new one to find it.",
    **numbers,
)
said_and_so(
    said="Softmax turns the decoder's output into a probability distribution.",
    so="Its numbers are positive and sum to 1; that alone makes them no trustworthy probabilities. On the accent that the base was "
    "trained on they are off by {american:.1f} points on average, on another by {british:.1f}.",
    shown_by="the figure above: {words} held-out words of each accent",
    **numbers,
)

# %% [markdown]
# ## Experiment: the symbol that never occurs
#
# American English has no ɒ (the vowel of British *hot*). Pretraining left it out of the softmax with `never`. Why? A symbol
# that is never right is pushed away at every step, and fine-tuning would first have to undo it. We train two small models
# from the same random weights, with and without `never`, and watch the mean probability of ɒ on some words.

# %%
steps = 60 if quick() else 200
seen = {name: unseen_over_training(out, steps) for name, out in (("left out (never)", True), ("takes part", False))}

# %% tags=["hide-input"]
left_out, takes_part = (list(each.values()) for each in seen.values())
claim(takes_part[-1] < left_out[-1] / 5, "who takes part is pushed away", out=left_out[-1], part=takes_part[-1])
show_figure(
    draw_unseen(seen, "ɒ"),
    title="A symbol that is never right is pushed away: after {steps} steps {part:.0e}; left out, {out:.0e}",
    alt="The mean probability of ɒ over the steps on a logarithmic scale. Both begin at {begin:.0e}. Left out it ends at {out:.0e}, as one "
    "symbol among the others at {part:.0e}.",
    steps=steps,
    begin=left_out[0],
    out=left_out[-1],
    part=takes_part[-1],
)
prose(
    "Left out, it becomes less likely too, as the symbols that do occur take their share. But nothing pushes it: the one that takes "
    "part is {times:.0f} times less likely by then.",
    times=left_out[-1] / takes_part[-1],
)

# %% [markdown]
# ## The usual mistakes
#
# - **0 · (-∞) in label smoothing.** A masked symbol has log-probability -∞; times a weight of 0 it is NaN. The own
#   example of the annotated Transformer has this on today's torch
#   ([harvardnlp/annotated-transformer#38](https://github.com/harvardnlp/annotated-transformer/issues/38)). Select, do not multiply:
#   the source above fills such places with 0 before it sums.
# - **Softmax twice.** `log_softmax` of something that is already a `log_softmax` changes nothing, but `softmax` of a softmax
#   is nearly uniform, and training crawls.
# - **Padding in the mean.** Then a batch with more padding has a smaller loss. Divide by the number of real symbols.
# - **Labels that are not shifted.** If the label is the input itself, the loss goes to 0 and nothing was learnt
#   ([lesson 7](07_masks_and_decoder.ipynb)).
# - **A loss with smoothing compared with one without.** They have different lowest values.
# - **The mean of batch means.** Batches of unequal size weigh the same then; sum, and divide once.
# - **A tied matrix trained at one end.** Who fine-tunes "only the output layer" of a tied model changes how symbols are read, too.

# %%
masked = torch.tensor([float("-inf"), math.log(2 / 7), math.log(5 / 7)])
smooth_target = torch.tensor([0.0, 0.95, 0.05])
print("multiplied:", float(-(smooth_target * masked).sum()), "  selected:", float(-(smooth_target * masked)[1:].sum()))
print("softmax of a softmax:", [round(value, 3) for value in LOGITS.softmax(-1).softmax(-1).tolist()])

# %% [markdown]
# ## Three questions
#
# <details><summary>Where in the figure does the output embedding stand, and what does it read?</summary>
#
# At the decoder's foot. It reads the symbols so far, one place behind the labels, and gives a vector for each.
#
# </details>
#
# <details><summary>All three logits grow by 5. What happens to p, to the loss and to its gradient?</summary>
#
# Nothing. Numerator and denominator of the softmax are both multiplied by $e^5$.
#
# </details>
#
# <details><summary>A model divides all its logits by 2. Are its best symbols others? Is its calibration another?</summary>
#
# The order of the logits stays, so the best symbols are the same and greedy decoding says the same words. The probabilities are
# nearer to each other: it is less sure, so its calibration is another.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(8)

# %% [markdown]
# ## Summary
#
# - The output embedding reads the symbols so far into the decoder; the linear layer compares its last vector with every symbol.
#   Tied, both use one matrix.
# - The loss is −log of the right symbol's probability, a mean over real symbols; its gradient is p minus the target.
# - Softmax alone makes no trustworthy probabilities. Away from its training data the base is as sure as before, and more often wrong.
# - A symbol that never occurs is left out, because otherwise it is pushed away at every step.

# %% [markdown]
# ## Where to read on
#
# - Press and Wolf, [*Using the Output Embedding to Improve Language Models*, arXiv
#   1608.05859](https://arxiv.org/abs/1608.05859): why the matrices may be one
# - Szegedy et al., [*Rethinking the Inception Architecture*, arXiv 1512.00567](https://arxiv.org/abs/1512.00567): section 7, label
#   smoothing
# - Müller, Kornblith and Hinton, [*When Does Label Smoothing Help?*, arXiv 1906.02629](https://arxiv.org/abs/1906.02629)
# - Guo et al., [*On Calibration of Modern Neural Networks*, arXiv 1706.04599](https://arxiv.org/abs/1706.04599): the figure and the
#   temperature
# - Ott et al., [*Analyzing Uncertainty in Neural Machine Translation*, arXiv
#   1803.00047](https://arxiv.org/abs/1803.00047): several right answers
# - Next: [lesson 9](09_pretraining.ipynb), where the base comes from. In the code:
#   [`transformer/learning/loss.py`](../../transformer/learning/loss.py)
