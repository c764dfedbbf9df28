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
# 10. Decoding: greedy, beams, the key/value cache

**The question.** A model gives a distribution over the *next* symbol. A pronunciation is a whole sequence. If one takes the
likeliest symbol at every step, does one get the likeliest sequence?

**You will be able to**

- decode greedily, by sampling and by beam search, and say what each looks for
- compute a beam search by hand, and say what a length penalty does to it
- say what the key/value cache saves, and why it must change no answer

**Time:** 35 minutes. **Before it:** softmax and log-probabilities, from [lesson 8](08_output_and_loss.ipynb); masks, from
[lesson 7](07_masks_and_decoder.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.decoding import (
    PROBABILITIES,
    WAYS,
    cuts,
    differing,
    fast_share,
    likelier,
    say,
    spoilt,
    step_by_step,
    times_faster,
    tiny_search,
    word_errors,
)
from lessons.experiments.decoding_figures import (
    draw_cuts,
    draw_faster,
    draw_likelier,
    draw_tree,
    draw_word_errors,
)
from lessons.task.base import load_base
from lessons.task.dictionary import words
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
from transformer.decoding.beam import best_continuations
from transformer.decoding.cache import GrowingCache
from transformer.decoding.generation import token_by_token
from transformer.decoding.sampling import sample, truncate

set_threads()
torch.manual_seed(0)
lit_diagram("linear", "softmax", "decoder")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_tree(),
    title="The likeliest first symbol does not begin the likeliest sequence",
    alt="A tree. From the start A has 0.6 and B 0.4. After A: A 0.4, B 0.3, end 0.3; after B: end 0.9, A and B 0.05 each. The "
    "whole sequences have A A end 0.24, A B end 0.18, A end 0.18, B end 0.36. B end is the likeliest; the greedy way goes to A.",
)

# %% [markdown]
# ## The idea
#
# The probability of a sequence is the product of the probabilities of its symbols. There are too many sequences to try all,
# so that every way to decode looks at a few only.
#
# **Greedy** decoding takes the likeliest symbol, and never looks back. **Beam search** keeps the best few beginnings side by
# side, and drops one only when others are better. **Sampling** draws a symbol as its probability says; so it does not look
# for the likeliest at all. It can be kept to the likely symbols: by a *temperature* below 1, by taking only the $k$ best, or
# by taking the best ones until their mass reaches $p$.
#
# Which is right depends on the task. A pronunciation has one right answer or a few. For a story the likeliest text is dull.
#
# And all of them do the same work again and again: each step reads all symbols so far. The **key/value cache** keeps what was
# computed. It changes the time, and nothing else.

# %% [markdown]
# ## The formula
#
# - **greedy**: $y_t = \arg\max_k\ p(k \mid y_{<t}, x)$
# - **sampling**: $y_t \sim p^{1/T}$, renormalized; after that cut to the $k$ best (top-k), or to the smallest best set whose
#   mass reaches $p$ (top-p)
# - **beam search**: keep the $B$ best beginnings. A finished one scores
#
# $$\frac{1}{n^{\lambda}} \sum_{t=1}^{n} \log p(y_t \mid y_{<t}, x)$$
#
# $n$ counts the end symbol, and $\lambda$ is the length penalty. Logarithms make a sum of the product, because a product of
# many small numbers would soon be too small for a computer.

# %% [markdown]
# ## The code
#
# One step of each. Around them is bookkeeping: which rows have ended, which beams are done
# ([`transformer/decoding/`](../../transformer/decoding)).

# %%
show_source(token_by_token, sample, truncate, best_continuations)

# %% [markdown]
# ## By hand: where the greedy way goes wrong
#
# The tiny language of the picture: symbols A, B and the end. At the start A has 0.6, B 0.4. After A everything is open: A
# 0.4, B 0.3, end 0.3. After B the end has 0.9, A and B 0.05 each. After two symbols it always ends.
#
# | sequence | probability | log | n | log / n |
# |---|---|---|---|---|
# | A A end (greedy) | 0.6 · 0.4 · 1 = 0.24 | -1.427 | 3 | -0.476 |
# | A end | 0.6 · 0.3 = 0.18 | -1.715 | 2 | -0.857 |
# | **B end** | 0.4 · 0.9 = **0.36** | -1.022 | 2 | -0.511 |
#
# The greedy way takes A, and never sees that B leads to the better whole. Two beams find it when the score is the plain sum
# ($\lambda = 0$). With $\lambda = 1$ the sums of longer sequences are divided by more, and *A A end* wins again: the length
# penalty is a choice, not a detail.
#
# Each further symbol can only lower a sum of logs, so a plain sum is *biased* to short sequences. Biased, not bound: *A A end*
# is longer than *A end*, and stands above it.

# %%
for beams, penalty in ((1, 0.0), (2, 0.0), (2, 1.0)):
    print(f"{beams} beam(s), length penalty {penalty:.0f}: {tiny_search(beams, penalty)}")

# %% [markdown]
# ## By hand: cutting a distribution
#
# Four symbols with $p = (0.5,\ 0.25,\ 0.15,\ 0.1)$.
#
# | | kept | new probabilities |
# |---|---|---|
# | top-k, $k = 2$ | 0.5, 0.25 | 2/3, 1/3 |
# | top-p, $p = 0.8$ | 0.5 + 0.25 = 0.75 is not enough, so the third too | 5/9, 2.5/9, 1.5/9 |
# | temperature 0.5 | all, squared: 0.25, 0.0625, 0.0225, 0.01 | divided by 0.345: 0.725, 0.181, 0.065, 0.029 |

# %% tags=["hide-input"]
cut = cuts()
show_figure(
    draw_cuts(cut),
    title="Cutting takes away the tail; a temperature below 1 lowers it, one above 1 raises it",
    alt="Five bar charts of the probabilities of A, B, C and D: as they are; with top-k two of them; with top-p three; with "
    "temperature a half A rises to {cold:.2f}; with temperature two it falls to {hot:.2f}.",
    cold=cut["temperature 0.5"][0],
    hot=cut["temperature 2"][0],
)

# %% [markdown]
# ## Experiment: real words
#
# Words that the base never saw and is not sure of. What is drawn at random is drawn with a seed, so that it comes out the
# same again.

# %%
base = load_base()
for name, settings in WAYS.items():
    print(f"{name:<22}" + "".join(f"{said:<16}" for said in say(base, ["gamboge", "regolith", "tonkatsu"], **settings)))
tested = words("american", "development", 60 if quick() else 250)
answers = {name: say(base, tested, **settings) for name, settings in WAYS.items()}
wrong = word_errors(answers, tested)

# %% tags=["hide-input"]
numbers = {
    "greedy": wrong["greedy"],
    "beams": wrong["4 beams"],
    "sampling": wrong["sampling"],
    "hot": wrong["temperature 2"],
    "cut": wrong["the same, top-p 0.8"],
}
claim(numbers["greedy"] < numbers["sampling"] < numbers["hot"], "drawing at random hurts, heat more", **numbers)
claim(numbers["cut"] < numbers["hot"], "a cut helps", **numbers)
show_figure(
    draw_word_errors(wrong),
    title="Drawing at random hurts where there is one right answer: {greedy:.0f} % of words wrong become {sampling:.0f} %",
    alt="Bars of words said wrong. Greedy {greedy:.0f} %, four beams {beams:.0f} %, sampling {sampling:.0f} %, with temperature "
    "two {hot:.0f} %, cut to the mass of top-p {cut:.0f} %.",
    **numbers,
)

# %% [markdown]
# Draws hurt here; keeping them to the likeliest symbols makes the harm smaller. For a story it is the other way round.
#
# ## Experiment: is a beam's answer likelier, and is it better?
#
# Beam search looks for a *likelier* sequence, not for a *better* one. And it promises neither: the greedy beginning may fall
# out of the beams, and what follows it is then never seen. We look at the words where the two answers differ.

# %%
many = words("american", "development", 60 if quick() else 1500)
found = differing(base, many, say(base, many), say(base, many, num_beams=4, length_penalty=0.0))

# %% tags=["hide-input"]
numbers = {
    "words": len(many),
    "count": len(found),
    "likelier": likelier(found),
    "better": sum(each.beam_right and not each.greedy_right for each in found),
    "worse": sum(each.greedy_right and not each.beam_right for each in found),
}
numbers["neither"] = numbers["count"] - numbers["better"] - numbers["worse"]
claim(numbers["likelier"] > 0.8 * numbers["count"], "likelier as a rule", **numbers)
claim(numbers["count"] < numbers["words"] / 4, "the model is sure of most words", **numbers)
show_figure(
    draw_likelier(found),
    title="Where beams and greedy differ, the beams' answer is at least as likely in {likelier} of {count} words",
    alt="The log-probability of the beams' answer over that of the greedy one, for the {count} of {words} words where they "
    "differ. {likelier} dots lie on or above the diagonal. The beams' answer is right in {better}, the greedy one in {worse}.",
    words=numbers["words"],
    count=numbers["count"],
    likelier=numbers["likelier"],
    better=numbers["better"],
    worse=numbers["worse"],
)
said_and_so(
    said="Beam search finds a better answer than greedy decoding.",
    so="It finds a *likelier* one as a rule, and without a promise. Of {words} words {count} come out otherwise with four beams; "
    "in {likelier} of these the beams' answer is at least as likely. Better is another question: the beams' answer is right "
    "and the greedy one wrong in {better}, the other way round in {worse}, and in {neither} there is no difference. Of most words "
    "the model is sure, and there beams can win nothing.",
    shown_by="the figure above",
    **numbers,
)

# %% [markdown]
# ## The key/value cache
#
# Step $t$ needs the keys and values of all positions up to $t$. Those of the past do not change, because a position never
# looks at later ones. So keep them, and project one position at each step: for $n$ symbols $n$ projections instead of
# $1 + 2 + \dots + n = n(n+1)/2$. For $n = 32$: 32, not 528.

# %%
show_source(GrowingCache.keys_and_values)

# %%
uncached = say(base, tested, use_cache=False)
print("the same words with and without the cache:", answers["greedy"] == uncached)
print(f"largest difference between logits: {step_by_step(base, 'extraordinary', 'ɪkstɹˈɔɹdənˌɛɹi'):.1e} (rounding)")

# %% [markdown]
# ## Experiment: what the cache saves
#
# The decoder reads random symbols of growing length, with and without a cache.

# %%
ratios = times_faster(base, [8, 16, 32] if quick() else [8, 16, 32, 64, 90])
share, same = fast_share(base, tested[:10] if quick() else tested[:25])

# %% tags=["hide-input"]
shortest, longest = min(ratios), max(ratios)
numbers = {"shortest": shortest, "longest": longest, "short": ratios[shortest], "long": ratios[longest]}
claim(numbers["long"] > numbers["short"], "the gain grows with the length", **numbers)
show_figure(
    draw_faster(ratios),
    title="The longer the sequence, the more the cache saves: {long:.1f} times at {longest} symbols",
    alt="How many times faster decoding is with the cache, over the number of symbols: {short:.1f} times at {shortest}, "
    "{long:.1f} times at {longest}.",
    **numbers,
)

# %% [markdown]
# At short lengths other costs hide the gain. Its price is memory:
# $2 \cdot \text{layers} \cdot \text{batch} \cdot (\text{room} + \text{source}) \cdot d$ numbers. The room is that for the
# longest answer allowed: it is reserved at the first step.
#
# With the cache, a step for one word is hardly arithmetic: calling modules, checking masks and moving axes takes longer than
# the products. `generate(..., fast=True)` takes the same step with fewer calls.

# %% tags=["hide-input"]
claim(same, "the fast step says the same")
prose(
    "Word by word, the fast step took {share:.2f} of the time of the plain one here, and said the same words. "
    "([`fast_blocks.py`](../../transformer/decoding/fast_blocks.py): query, key and value are one product.)",
    share=share,
)

# %% [markdown]
# ## The usual mistakes
#
# - **The beams move, the cache does not.** When beam 0 becomes a copy of beam 2, its keys and values must come along. Below
#   we leave that out. Nothing crashes and most words come out right, since the beams agree on most of what came before.
#   That is why such a bug lives long: compare with the uncached run, word by word, and not by a score.
# - **The position of a cached step.** The new symbol stands at place $t$, not at 0; and its mask is a row of $t + 1$ Trues.
#   A library full of options gave other outputs with its cache more than once
#   ([x-transformers#219](https://github.com/lucidrains/x-transformers/issues/219), with junk text,
#   [x-transformers#311](https://github.com/lucidrains/x-transformers/issues/311)).
# - **Rows that are finished go on.** After its end symbol a row must be padded, whatever the others still add.
# - **Top-p that may keep nothing**: the symbol that crosses the line belongs to the set. However small $p$, the best stays.
# - **Beam scores without a thought about length.** See the table by hand.
# - **Temperature 0** is a division by 0. Greedy is what is meant.

# %%
uncached = say(base, tested, **WAYS["4 beams"], use_cache=False)
spoilt_words = spoilt(base, tested, uncached)
print("4 beams, cached as uncached:", answers["4 beams"] == uncached)
print(f"a cache that does not follow its beams spoils {len(spoilt_words)} of {len(tested)} words")
print("top-p 0.1 keeps", int(truncate(PROBABILITIES.log(), top_p=0.1).isfinite().sum()), "symbol")

# %% [markdown]
# ## Three questions
#
# <details><summary>Four beams and a plain sum of logs. Is the answer at least as likely as the greedy one?</summary>
#
# As a rule, not always. Four other beginnings may be better than the greedy one at some step; it is then dropped, though it
# would have ended well.
#
# </details>
#
# <details><summary>Why may keys and values of past positions be kept, and those of the encoder too?</summary>
#
# A decoder position looks only at itself and what came before, so that later symbols do not change it. The encoder has read
# the whole word before the first sound is said.
#
# </details>
#
# <details><summary>With temperature 2, why does top-p help more than it would with temperature 1?</summary>
#
# Heat lifts the tail: many unlikely symbols have some probability each, and one of them is drawn now and then. The cut takes
# them away.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(10)

# %% [markdown]
# ## Summary
#
# - Greedy takes the likeliest symbol; beams look for a likelier sequence; sampling follows the distribution, or its head.
# - A plain sum of logs is biased to short sequences, and the length penalty is a choice.
# - A beam's answer is likelier as a rule, and not therefore better.
# - The cache keeps keys and values. It saves time, costs memory, and must change no word.

# %% [markdown]
# ## Where to read on
#
# - Holtzman et al., [*The Curious Case of Neural Text Degeneration*, arXiv 1904.09751](https://arxiv.org/abs/1904.09751):
#   top-p, and why the likeliest text is dull
# - Fan, Lewis and Dauphin, [*Hierarchical Neural Story Generation*, arXiv 1805.04833](https://arxiv.org/abs/1805.04833): top-k
# - Wu et al., [*Google's Neural Machine Translation System*, arXiv 1609.08144](https://arxiv.org/abs/1609.08144), section 7:
#   the length penalty
# - Meister, Vieira and Cotterell, [*If Beam Search is the Answer, What was the Question?*, arXiv
#   2010.02650](https://arxiv.org/abs/2010.02650)
# - Shazeer, [*Fast Transformer Decoding*, arXiv 1911.02150](https://arxiv.org/abs/1911.02150): a smaller cache
# - Next: [lesson 11](11_full_fine_tuning.ipynb), where fine-tuning begins. In the code:
#   [`transformer/decoding/`](../../transformer/decoding)
