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
# 7. Masks, the decoder, cross-attention

A mask says who may look at whom: nobody at padding, and in the decoder nobody at what is still to come.
The decoder then has three sub-layers: it looks back at its own output so far, across at the source, and works on what it found.
"""

# %%
from dataclasses import replace
from unittest.mock import patch

import torch
from matplotlib import pyplot as plt

from lessons.task.attention_map import draw_panel, letter_attention
from lessons.task.base import load_base
from lessons.task.dictionary import pairs, vocabulary, words
from lessons.task.machine import set_threads
from lessons.task.pretrain import base_config
from lessons.task.scoring import evaluate, predict
from lessons.teaching import exercises_of, lit_diagram, quick, said_and_so, show_source
from transformer import (
    Decoder,
    DecoderLayer,
    DecoderOnly,
    TrainingConfig,
    Transformer,
    TransformerConfig,
    causal_mask,
    collate,
    padding_mask,
    scaled_dot_product_attention,
    train,
)

set_threads()
lit_diagram("masked_attention", "cross_attention", "decoder_add_norm", "decoder_feed_forward", "decoder")

# %% [markdown]
# ## The formula
#
# $$m_{ij} = \text{True} \iff \text{query } i \text{ may attend to key } j$$
#
# $$w_{ij} = \frac{m_{ij}\,e^{s_{ij}}}{\sum_k m_{ik}\,e^{s_{ik}}}, \qquad s_{ij} = \frac{q_i \cdot k_j}{\sqrt{d_{head}}}
# \qquad\qquad \text{causal: } m_{ij} = (j \le i)$$
#
# Say the polarity in words, always: **True = may look**. Half of the libraries have it the other way round.
#
# A decoder layer: $x \leftarrow x + \mathrm{SelfAttention}(x, x, x;\ \text{causal})$, then
# $x \leftarrow x + \mathrm{CrossAttention}(x, \mathit{memory}, \mathit{memory};\ \text{padding})$, then
# $x \leftarrow x + \mathrm{FFN}(x)$, each with its norm. The memory is the encoder's output. It gives keys and values;
# the decoder gives the queries.

# %%
show_source(padding_mask, causal_mask, DecoderLayer, Decoder)

# %% [markdown]
# ## The masks as pictures
#
# Three sources of unequal length in one batch, padded on the right; and the target side of a word with five sounds.

# %%
tokens = vocabulary()
batch = collate(pairs("american", ["cat", "spring", "go"]), tokens.pad_id, tokens.bos_id)
memory_mask = padding_mask(batch.source, tokens.pad_id)
steps = 6
figure, axes = plt.subplots(1, 3, figsize=(10, 2.9), layout="constrained", width_ratios=[1.1, 1, 1])
axes[0].imshow(memory_mask[:, 0, 0], cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
for row, ids in enumerate(batch.source):
    letters = list(tokens.decode(ids)) + ["end"]
    for column, letter in enumerate(letters + ["pad"] * (len(ids) - len(letters))):
        axes[0].text(column, row, letter, ha="center", va="center", fontsize=9)
axes[0].set_yticks(range(3), ["row 0", "row 1", "row 2"])
axes[0].set_title("padding: one row for each word\n(the same for every query)", fontsize=10)
axes[1].imshow(causal_mask(steps), cmap="Blues", vmin=0, vmax=1.4)
axes[1].set_title("causal: query i (row), key j (column)", fontsize=10)
real = padding_mask(batch.inputs, tokens.pad_id)[0, 0]
both = real & causal_mask(batch.inputs.shape[1])
axes[2].imshow(both, cmap="Blues", vmin=0, vmax=1.4)
axes[2].set_title("both, joined with &:\nnot ahead, and not at padding", fontsize=10)
for axis in axes[1:]:
    axis.set_xlabel("key")
    axis.set_ylabel("query")
figure.suptitle("blue = True = may look", fontsize=11)
plt.show()

# %% [markdown]
# ## By hand
#
# Three queries, all equal to 1, with $d_{head} = 1$. The keys are $\ln 1, \ln 3, \ln 4$, so that $e^{s}$ is 1, 3, 4.
# The values are 4, 8, 100. With the causal mask:
#
# | query | may look at | weights | output |
# |---|---|---|---|
# | 0 | key 0 | 1 | 4 |
# | 1 | keys 0, 1 | 1/4, 3/4 | 1 + 6 = 7 |
# | 2 | keys 0, 1, 2 | 1/8, 3/8, 4/8 | 0.5 + 3 + 50 = 53.5 |
#
# Without the mask all three would be 53.5: the 100 of the future leaks into every row.

# %%
query, key = torch.ones(3, 1), torch.tensor([[1.0], [3.0], [4.0]]).log()
value = torch.tensor([[4.0], [8.0], [100.0]])
masked, weights = scaled_dot_product_attention(query, key, value, causal_mask(3))
open_to_all, _ = scaled_dot_product_attention(query, key, value)
print("weights\n", weights)
print("causal", [round(float(x), 4) for x in masked], "  no mask", [round(float(x), 4) for x in open_to_all])

# %% [markdown]
# What if a query may look at nothing at all? There are three answers in use. Only one is a rule that you can
# rely on.

# %%
scores, nobody = torch.tensor([[1.0, 2.0, 3.0]]), torch.zeros(1, 3, dtype=torch.bool)
print("filled with -1e9 :", scores.masked_fill(~nobody, -1e9).softmax(-1).tolist(), " it looks at everything, equally")
print("filled with -inf :", scores.masked_fill(~nobody, float("-inf")).softmax(-1).tolist())
_, ours = scaled_dot_product_attention(query[:1], key, value, nobody)
print("ours             :", ours.tolist(), " it looks at nothing, and its output is 0")

# %% [markdown]
# ## Does it hold? Two checks on the real model
#
# **Causality.** Change one input of the decoder. Everything before it must stay the same *to the last bit*; not "almost".
# In the encoder, which has no causal mask, a changed letter is seen everywhere.

# %%
base = load_base()
source = torch.tensor([tokens.encode_word("physics")])
said = predict(base, ["physics"])["physics"]
inputs = torch.tensor([[tokens.bos_id, *tokens.encode_pronunciation(said)[:-1]]])
changed, place = inputs.clone(), 4
changed[0, place] = tokens.symbol_ids["m"]
with torch.no_grad():
    moved_logits = (base(source, inputs) - base(source, changed)).abs().amax(dim=-1)[0]
    other = source.clone()
    other[0, place] = tokens.letter_ids["z"]
    moved_memory = (base.encode(source)[0] - base.encode(other)[0]).abs().amax(dim=-1)[0]
figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
labels = (["begin", *said], [*"physics", "end"])
titles = ("decoder: input 4 changed", "encoder: letter 4 changed")
for axis, moved, names, title in zip(axes, (moved_logits, moved_memory), labels, titles):
    axis.bar(range(len(moved)), moved, color=["C1" if index == place else "C0" for index in range(len(moved))])
    axis.set_xticks(range(len(moved)), names)
    axis.set_title(title)
    axis.set_ylabel("largest change")
plt.show()
print("largest change before place 4, in the decoder:", float(moved_logits[:place].max()), " (exactly 0)")

# %% [markdown]
# **Padding.** A word alone, and the same word in a batch with a longer one, must get the same logits. (The order of sums
# may differ inside the matrix product, so here "the same" means up to rounding.) Without the padding mask they differ.

# %%
together = collate(pairs("american", ["cat", "internationalization"]), tokens.pad_id, tokens.bos_id)
alone = collate(pairs("american", ["cat"]), tokens.pad_id, tokens.bos_id)
length = alone.inputs.shape[1]
with torch.no_grad():
    right = base(together.source, together.inputs)[0, :length]
    with patch(
        "transformer.token_model.padding_mask", lambda ids, pad_id: torch.ones_like(ids, dtype=bool)[:, None, None]
    ):
        wrong = base(together.source, together.inputs)[0, :length]
    wanted = base(alone.source, alone.inputs)[0]
print(f"with the padding mask: {(right - wanted).abs().max():.1e}   without it: {(wrong - wanted).abs().max():.1f}")

# %% [markdown]
# ## Cross-attention: which letter is read while a sound is decoded?
#
# Rows are sounds in the order in which they are decoded, columns are letters. No label says which letter makes which
# sound. The model was trained on whole words only.

# %%
shown = ["knight", "physics", "school"]
maps = [letter_attention(base, word) for word in shown]
figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
for axis, found in zip(axes, maps):
    draw_panel(axis, "", found)
axes[0].set_ylabel("sounds")
plt.show()
for found in maps:
    looked = found.weights.sum(dim=0) / len(found.sounds)
    least = int(looked[:-1].argmin())
    print(
        f"{found.word}: the least looked-at letter is {found.letters[least]!r} (place {least}), {100 * looked[least]:.1f} %"
    )

# %% [markdown]
# The dark path runs from the top left to the bottom right, and jumps where several letters make one sound. Look at
# *knight*: the n is decoded while the model looks at the silent k. The encoder has already put its neighbours into k's vector
# (lesson 6). So a map shows where the model *looks*, in one layer, as a mean over its heads. It does not prove *why* the
# model's output is what it is (see the papers below).

# %%
said_and_so(
    said="The decoder's three sub-layers are masked multi-head self-attention, multi-head self-attention and feed forward.",
    so="The second one is not self-attention: its queries come from the decoder, its keys and values from the encoder's "
    "memory. That is why source and target may differ in length.",
    shown_by="The map of physics above has sounds on one side and letters on the other; DecoderLayer.forward calls "
    "cross_attention(x, memory, memory).",
)
said_and_so(
    said="GPT's Transformer has an encoder on the left and a decoder on the right.",
    so="The figure is that of the 2017 paper. GPT keeps the decoder only, without cross-attention: its prompt and its "
    "answer are one sequence under one causal mask.",
    shown_by="transformer/decoder_only.py; the line below.",
)

# %%
gpt = DecoderOnly(
    TransformerConfig(
        vocab_size=20,
        d_model=16,
        num_heads=2,
        num_encoder_layers=0,
        num_decoder_layers=2,
        d_ff=32,
        dropout=0.0,
        max_length=8,
    )
)
print("cross-attentions in a GPT:", sum("cross_attention" in name for name, _ in gpt.named_modules()))

# %% [markdown]
# ## The model that cheats
#
# In training the decoder reads the right answer, one step behind (teacher forcing). The causal mask is all that keeps it
# from reading one step *ahead*. We train the same small model twice, on the same words, with the same seed: once with the
# mask, once with a mask of nothing but Trues.

# %%
count = 100 if quick() else 300
small = replace(base_config(), d_model=64, num_encoder_layers=2, num_decoder_layers=2, d_ff=256, dropout=0.0)
examples = pairs("american", words("american", "train", 4000))
held_out = words("american", "development", 100)
exam = collate(pairs("american", held_out), tokens.pad_id, tokens.bos_id)


def see_all(length: int, past: int = 0, device: torch.device | None = None) -> torch.Tensor:
    return torch.ones(length, past + length, dtype=torch.bool, device=device)


losses, results = {}, {}
for name, mask in (("causal mask", causal_mask), ("leaked mask", see_all)):
    torch.manual_seed(0)
    model = Transformer(small)
    with patch("transformer.decoder.causal_mask", mask):
        settings = TrainingConfig(steps=count, learning_rate=3e-3, warmup=20, max_tokens=1200)
        losses[name] = train(model, examples, settings)
        with torch.no_grad():
            guess = model(exam.source, exam.inputs).argmax(dim=-1)
    real = exam.labels != tokens.pad_id
    reading = float((guess == exam.labels)[real].float().mean())
    saying = evaluate(model, held_out, "american").phoneme_error
    results[name] = (100 * reading, 100 * saying)
    print(
        f"{name}: next symbol right while reading the answer {100 * reading:.0f} %; "
        f"phoneme error when it decodes alone {100 * saying:.0f} %"
    )

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 2.9), layout="constrained")
for name, values in losses.items():
    axes[0].plot(range(1, count + 1), values, label=name)
axes[0].set_xlabel("step")
axes[0].set_ylabel("training loss")
axes[0].legend()
for shift, (name, values) in zip((-0.2, 0.2), results.items()):
    axes[1].bar_label(axes[1].bar([shift, 1 + shift], values, width=0.38, label=name), fmt="%.0f", fontsize=8)
axes[1].set_ylim(0, 1.15 * max(max(pair) for pair in results.values()))
axes[1].set_xticks([0, 1], ["reads the answer:\nright, %", "decodes alone:\nphoneme error, %"])
axes[1].legend(fontsize=8, loc="upper left")
figure.suptitle("a loss that is too good to be true")
plt.show()

# %% [markdown]
# The leaked model's loss falls faster than any honest one's: it copies the next symbol from its own input. When it must
# decode alone, there is nothing to copy (an error above 100 % means that its words are also too long). So: **never trust a
# teacher-forced loss alone. Let the model decode, and count.**
#
# ## The usual mistakes
#
# - **The polarity is the other way round.** `nn.MultiheadAttention` says True = *hidden*, `scaled_dot_product_attention` says
#   True = *may look* (pytorch, issue 118972). A well-known book's notebook passed an upper triangle of Trues to the latter:
#   every position looked only at itself and its future (LLMs-from-scratch, issue 1061).
# - **The padding mask lies on the query axis instead of the key axis**, and a finite fill such as -10000 hides it
#   (hyunwoongko/transformer, pull request 40). Or the source's pad id is used for the target (issue 11 there).
# - **A broken mask looks like success**: 98 % accuracy (attention-is-all-you-need-pytorch, issue 19).
# - **A whole row is hidden**: -inf gives NaN, -1e9 gives the mean of everything (d2l, pull request 2423).
# - **The past is forgotten with a cache**: one new query may look at *all* the old keys; `causal_mask(1, past=3)` is a row
#   of four Trues.
# - **Cross-attention is tested with equal lengths only.** Then keys that were cut to the query's length go unseen.

# %%
print("causal_mask(1, past=3):", causal_mask(1, past=3).tolist())
print("causal_mask(2, past=3):", causal_mask(2, past=3).tolist())

# %%
exercises_of(7)

# %% [markdown]
# ## Where to read on
#
# - *Attention Is All You Need*, sections 3.1 and 3.2.3 (arXiv 1706.03762).
# - *Neural Machine Translation by Jointly Learning to Align and Translate* (arXiv 1409.0473): where cross-attention comes from.
# - *Attention is not Explanation* (arXiv 1902.10186), and the answer, *Attention is not not Explanation* (arXiv 1908.04626).
# - *Scheduled Sampling* (arXiv 1506.03099): the gap between reading the answer and decoding alone.
