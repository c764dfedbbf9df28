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

A model gives a distribution over the next symbol. Decoding makes a sequence of it. This lesson compares the ways on real
words, computes a beam by hand, and shows that the cache changes the time and nothing else.
"""

# %%
import time
from unittest.mock import patch

import torch
from matplotlib import pyplot as plt

from lessons.task.base import load_base
from lessons.task.dictionary import load, vocabulary, words
from lessons.task.machine import set_threads
from lessons.task.scoring import score, source_batch
from lessons.teaching import exercises_of, lit_diagram, quick, show_source
from transformer import KeyValueCache, TransformerConfig, generate
from transformer.decoding.beam import beam_search
from transformer.decoding.cache import GrowingCache
from transformer.decoding.fast_blocks import SelfAttention
from transformer.decoding.generation import token_by_token
from transformer.decoding.sampling import sample, truncate

set_threads()
lit_diagram("linear", "softmax", "decoder")

# %% [markdown]
# ## The formula
#
# - **greedy**: $y_t = \arg\max_k\ p(k \mid y_{<t}, x)$
# - **sampling**: $y_t \sim p^{1/T}$, renormalized; before that cut to the $k$ best (top-k), or to the smallest best set whose
#   mass reaches $p$ (top-p)
# - **beam search**: keep the $B$ best beginnings. A finished one scores
#
# $$\frac{1}{n^{\lambda}} \sum_{t=1}^{n} \log p(y_t \mid y_{<t}, x) \qquad n \text{ counts the end symbol, } \lambda \text{ is the length penalty}$$

# %%
show_source(token_by_token, generate, sample, truncate)

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

# %%
logits = torch.tensor([[0.5, 0.25, 0.15, 0.1]]).log()
cuts = {
    "as it is": logits,
    "top-k 2": truncate(logits, top_k=2),
    "top-p 0.8": truncate(logits, top_p=0.8),
    "temperature 0.5": logits / 0.5,
    "temperature 2": logits / 2,
}
figure, axes = plt.subplots(1, len(cuts), figsize=(10, 2.1), sharey=True, layout="constrained")
for axis, (title, cut) in zip(axes, cuts.items()):
    probabilities = cut.softmax(-1)[0]
    axis.bar_label(axis.bar(range(4), probabilities), [f"{p:.2f}" for p in probabilities], fontsize=8)
    axis.set_title(title, fontsize=10)
    axis.set_xticks(range(4), "ABCD")
    axis.set_ylim(0, 1)
plt.show()

# %% [markdown]
# ## By hand: where the greedy way goes wrong
#
# A tiny language: symbols A, B and the end. At the start A has 0.6, B 0.4. After A everything is open: A 0.4, B 0.3, end
# 0.3. After B the end has 0.9 (A and B 0.05 each). After two symbols it always ends.
#
# | sequence | probability | log | n | log / n |
# |---|---|---|---|---|
# | A A end (greedy) | 0.6 · 0.4 · 1 = 0.24 | -1.427 | 3 | -0.476 |
# | A end | 0.6 · 0.3 = 0.18 | -1.715 | 2 | -0.857 |
# | **B end** | 0.4 · 0.9 = **0.36** | -1.022 | 2 | -0.511 |
#
# The greedy way takes A, the better first symbol, and never sees that B leads to the better whole. Two beams find it when
# the score is the plain sum ($\lambda = 0$). With $\lambda = 1$ longer sequences get their sum divided by more, and *A A end*
# wins again: the length penalty is a choice, not a detail.

# %%
END, A, B = 2, 3, 4
table = {(): [0.0, 0.6, 0.4], (A,): [0.3, 0.4, 0.3], (B,): [0.9, 0.05, 0.05]}  # end, A, B
tiny = TransformerConfig(
    vocab_size=5,
    d_model=8,
    num_heads=1,
    num_encoder_layers=1,
    num_decoder_layers=1,
    d_ff=8,
    dropout=0.0,
    max_length=4,
)


def tiny_logits(prefixes: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor:
    likely = [table.get(tuple(prefix[1:].tolist()), [1.0, 0.0, 0.0]) for prefix in prefixes]
    return torch.tensor([[0.0, 0.0, *chances] for chances in likely]).clamp(min=1e-12).log()


names = {END: "end", A: "A", B: "B"}
for beams, penalty in ((1, 0.0), (2, 0.0), (2, 1.0)):
    found = beam_search(
        tiny_logits, tiny, torch.tensor([[1]]), max_new_tokens=3, num_beams=beams, length_penalty=penalty
    )
    print(f"{beams} beam(s), length penalty {penalty:.0f}:", " ".join(names[token] for token in found[0, 1:].tolist()))

# %%
show_source(beam_search)

# %% [markdown]
# ## Real words
#
# Words that the base never saw and is not sure of. Sampling is random: with the same seed it gives the same again.

# %%
base, tokens = load_base(), vocabulary()


def say(chosen: list[str], model: torch.nn.Module = base, **settings) -> list[str]:
    """The pronunciation of each word, decoded in any way that `generate` knows."""
    source = source_batch(chosen)
    with torch.no_grad():
        return [tokens.decode_pronunciation(row[1:].tolist()) for row in generate(model, source, 32, **settings)]


ways = {
    "greedy": {},
    "4 beams": {"num_beams": 4},
    "sampling": {"do_sample": True},
    "temperature 2": {"do_sample": True, "temperature": 2.0},
    "the same, top-k 3": {"do_sample": True, "temperature": 2.0, "top_k": 3},
    "the same, top-p 0.8": {"do_sample": True, "temperature": 2.0, "top_p": 0.8},
}


def seeded(settings: dict, seed: int = 0) -> dict:
    return {**settings, "generator": torch.Generator().manual_seed(seed)} if "do_sample" in settings else settings


shown = ["gamboge", "regolith", "tonkatsu", "serac"]  # held out of the training
for name, settings in ways.items():
    print(f"{name:<22}" + "".join(f"{said:<16}" for said in say(shown, **seeded(settings))))

# %% [markdown]
# Which way makes the fewest mistakes? The task has one right answer, or a few. So drawing at random can only hurt, unless it is
# kept to the likeliest symbols. For a story it is the other way round: there the likeliest text is dull.

# %%
exam = words("american", "development", 60 if quick() else 250)
word_errors, answers = {}, {}
for name, settings in ways.items():
    answers[name] = say(exam, **seeded(settings))
    word_errors[name] = 100 * score(dict(zip(exam, answers[name])), "american").word_error
figure, axis = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
axis.bar_label(axis.barh(list(word_errors), list(word_errors.values())), fmt="%.0f", padding=3)
axis.invert_yaxis()
axis.set_xlabel("words wrong, %")
axis.set_xlim(0, 108)
plt.show()

# %% [markdown]
# Beam search looks for a *likelier* sequence, not for a *better* one. It does not even promise that: the greedy beginning can
# fall out of the beams on the way. We look: the sum of log-probabilities of its answer against that of the greedy answer, for
# every word where the two differ.

# %%


@torch.no_grad()
def log_probability(word: str, said: str) -> float:
    labels = tokens.encode_pronunciation(said)
    source, inputs = torch.tensor([tokens.encode_word(word)]), torch.tensor([[tokens.bos_id, *labels[:-1]]])
    return float(base(source, inputs)[0].log_softmax(-1)[range(len(labels)), labels].sum())


plain_sum = say(exam, num_beams=4, length_penalty=0.0)
differing = [(w, g, b) for w, g, b in zip(exam, answers["greedy"], plain_sum) if g != b and g and b]
listed = load("american")
figure, axis = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
for word, greedy, beam in differing:
    won, lost = beam in listed[word], greedy in listed[word]
    colour = "C2" if won and not lost else "C5" if lost and not won else "#999999"
    axis.scatter(log_probability(word, greedy), log_probability(word, beam), color=colour, s=22)
axis.axline((-2, -2), slope=1, color="#cccccc", linewidth=1)
axis.set_xlabel("log p of the greedy answer")
axis.set_ylabel("log p of the beam's answer")
axis.set_title(
    f"{len(differing)} of {len(exam)} words differ\ngreen: the beam is right, dark red: greedy is", fontsize=10
)
plt.show()
likelier = sum(log_probability(w, b) >= log_probability(w, g) - 1e-4 for w, g, b in differing)
print(f"the beam's answer is at least as likely for {likelier} of {len(differing)}")

# %% [markdown]
# ## The key/value cache
#
# Step $t$ needs the keys and values of all positions up to $t$. Those of the past do not change. So keep them, and project one
# position at each step: for $n$ symbols $n$ projections instead of $1 + 2 + \dots + n = n(n+1)/2$. For $n = 32$: 32, not 528.

# %%
show_source(GrowingCache)

# %%
with_cache, without = say(exam), say(exam, use_cache=False)
print("the same words with and without the cache:", with_cache == without)

source = torch.tensor([tokens.encode_word("extraordinary")])
target = torch.tensor([[tokens.bos_id, *tokens.encode_pronunciation("ɪkstɹˈɔɹdənˌɛɹi")[:-1]]])
with torch.no_grad():
    memory, mask = base.encode(source)
    at_once = base.decode(target, memory, mask)
    cache = base.new_cache(target.shape[1])
    one_by_one = torch.cat(
        [base.decode(target[:, t : t + 1], memory, mask, cache) for t in range(target.shape[1])], dim=1
    )
print(f"largest difference between the logits: {(at_once - one_by_one).abs().max():.1e} (rounding)")

# %% [markdown]
# Now the time. We let the decoder read random symbols of growing length, with and without a cache, one after the other in
# each round, and take the ratio. A busy machine slows both sides.

# %%


@torch.no_grad()
def seconds(length: int, cached: bool) -> float:
    ids = torch.randint(3, len(tokens), (16, length), generator=torch.Generator().manual_seed(0))
    memory, mask = base.encode(ids[:, :12])
    cache = base.new_cache(length)
    start = time.perf_counter()
    for t in range(length):
        if cached:
            base.decode(ids[:, t : t + 1], memory, mask, cache)
        else:
            base.decode(ids[:, : t + 1], memory, mask)
    return time.perf_counter() - start


lengths = [8, 16, 32] if quick() else [8, 16, 32, 64, 90]
ratios = []
for length in lengths:
    rounds = sorted(seconds(length, False) / seconds(length, True) for _ in range(3))
    ratios.append(rounds[1])
figure, axis = plt.subplots(figsize=(5, 2.7), layout="constrained")
axis.plot(lengths, ratios, "o-")
axis.axhline(1, color="#999999", linestyle=":")
axis.set_xlabel("symbols to decode")
axis.set_ylabel("times faster with the cache")
plt.show()
print({length: f"{ratio:.1f} times" for length, ratio in zip(lengths, ratios)})

# %% [markdown]
# The gain grows with the length; at short lengths other costs hide it. Its price is memory:
# $2 \cdot \text{layers} \cdot \text{batch} \cdot (\text{room} + \text{source}) \cdot d$ numbers, where the room is that for the longest
# answer allowed: it is reserved at the first step.
#
# ## What is left of a step
#
# With the cache, a step for one word is hardly arithmetic. Calling modules, checking masks and moving axes takes longer than
# the products. `generate(..., fast=True)` takes the same step with fewer calls: query, key and value are one product, and
# with one position splitting the heads is only another view of the same numbers.

# %%
show_source(SelfAttention)

# %%
took, said = {}, {}
for fast in (False, True, False, True):  # the first two warm up
    start = time.perf_counter()
    said[fast] = [say([word], fast=fast) for word in exam[:25]]
    took[fast] = time.perf_counter() - start
print("the same words:", said[True] == said[False])
print(f"word by word, the fast step takes {took[True] / took[False]:.2f} of the time")

# %% [markdown]
# ## The usual mistakes
#
# - **The beams move, the cache does not.** When beam 0 becomes a copy of beam 2, its keys and values must come along. Below
#   we leave that out. Nothing crashes and most words come out right, since the beams agree on most of what came before.
#   That is why such a bug lives long: compare with the uncached run, word by word, and not by a score.
# - **The position of a cached step.** The new symbol stands at place $t$, not at 0; and its mask is a row of $t + 1$ Trues.
#   x-transformers, a library full of options, had junk text from its cache more than once (its issues 174, 187, 219, 311, 322).
# - **Rows that are finished go on.** After its end symbol a row must be padded, whatever the others still add.
# - **Top-p that may keep nothing**: the symbol that crosses the line belongs to the set. With $p = 0.1$ the best stays.
# - **Beam scores without a thought about length.** A sum of logs is biased towards short sequences: each further symbol can only
#   lower it.
# - **Temperature 0** is a division by 0. Greedy is what is meant.

# %%
uncached = say(exam, num_beams=4, use_cache=False)
print("4 beams, cached as uncached:", answers["4 beams"] == uncached)
with patch.object(KeyValueCache, "reorder", lambda self, rows: None):
    stale = say(exam, num_beams=4)
spoilt = {word: (good, bad) for word, good, bad in zip(exam, uncached, stale) if good != bad}
print(f"a cache that does not follow its beams spoils {len(spoilt)} of {len(exam)} words: {spoilt}")
print("top-p 0.1 keeps", int(truncate(logits, top_p=0.1).isfinite().sum()), "symbol")

# %%
exercises_of(10)

# %% [markdown]
# ## Where to read on
#
# - *The Curious Case of Neural Text Degeneration* (arXiv 1904.09751): top-p, and why the likeliest text is dull.
# - *Hierarchical Neural Story Generation* (arXiv 1805.04833): top-k.
# - *Google's Neural Machine Translation System*, section 7 (arXiv 1609.08144): length penalty.
# - *If Beam Search is the Answer, What was the Question?* (arXiv 2010.02650).
# - *Fast Transformer Decoding* (arXiv 1911.02150): a smaller cache.
