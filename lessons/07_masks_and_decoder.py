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

**The question.** In training the decoder is given the right answer, all of it at once, and has to predict each symbol of it.
The next symbol stands one place further on. What keeps the model from simply reading it there?

**You will be able to**

- build a padding mask and a causal mask, and say what True means
- compute a masked attention by hand
- name the decoder's three sub-layers, and say where queries, keys and values come from in each
- test a mask on a real model, and recognize a model that cheats

**Time:** 35 minutes. **Before it:** attention, from [lesson 3](03_attention.ipynb), and the encoder, from
[lesson 6](06_feed_forward_and_encoder.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.masks_and_decoder import (
    KEY,
    MASKS,
    QUERY,
    VALUE,
    by_hand,
    least_looked,
    most_looked,
    padding_differences,
    reach,
    trained_with,
)
from lessons.experiments.masks_and_decoder_figures import (
    draw_cheat,
    draw_maps,
    draw_masked_attention,
    draw_masks,
    draw_reach,
)
from lessons.task.attention_map import letter_attention
from lessons.task.base import load_base
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
from transformer import (
    Decoder,
    DecoderLayer,
    DecoderOnly,
    TransformerConfig,
    causal_mask,
    padding_mask,
    scaled_dot_product_attention,
)

set_threads()
lit_diagram("masked_attention", "cross_attention", "decoder_add_norm", "decoder_feed_forward", "decoder")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_masked_attention(),
    title="A hidden key counts for nothing: each row is shared among the keys that it may look at",
    alt="Three queries, three keys. Every row of the exponentials is 1, 3, 4. The causal mask lets query 0 look at key 0, query 1 "
    "at keys 0 and 1, query 2 at all. The weights are (1, 0, 0), (1/4, 3/4, 0), (1/8, 3/8, 4/8). With the values 4, 8, 100 the "
    "outputs are 4, 7 and 53.5.",
)

# %% [markdown]
# ## The idea
#
# A **mask** says who may look at whom. It is a table of True and False, a row for each query and a column for each key. Two
# rules make such tables:
#
# - **Padding.** Words of one batch have unequal lengths, so the short ones are filled up. Nobody may look at the filling,
#   because it means nothing.
# - **Causality.** While the decoder works on symbol $i$, it may look at the symbols up to $i$ and at none that is still to come.
#   When it decodes alone, these do not exist yet. In training they do, because the right answer is given as input, one step
#   behind (*teacher forcing*). The mask makes training as blind as use will be.
#
# With the mask one pass trains all places at once: every row of it is an exercise of its own, "given so much, what comes next?".
#
# A **decoder layer** has three sub-layers, each with its Add & Norm:
#
# | sub-layer | queries from | keys and values from | mask |
# |---|---|---|---|
# | masked self-attention: it looks back at the output so far | the decoder | the decoder | causal |
# | cross-attention: it looks across at the source | the decoder | the encoder's output, the *memory* | padding of the source |
# | feed forward: it works on what it found, each place alone | | | none |
#
# The target's padding stands behind its symbols, so the causal mask hides it already, and the loss leaves it out. Where
# padding stands in front, the two rules are joined with `&`.
#
# The first one keeps the order of decoding: what is predicted depends on the outputs before it only. Otherwise it is the
# multi-head attention of the encoder.

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
# A decoder layer is, with a norm for each line:
#
# $$\begin{aligned}
# x &\leftarrow x + \mathrm{SelfAttention}(x, x, x;\ \text{causal}) \\
# x &\leftarrow x + \mathrm{CrossAttention}(x, \mathit{memory}, \mathit{memory};\ \text{padding}) \\
# x &\leftarrow x + \mathrm{FFN}(x)
# \end{aligned}$$

# %% [markdown]
# ## The code

# %%
show_source(padding_mask, causal_mask, DecoderLayer, Decoder)

# %% tags=["hide-input"]
some = ["cat", "spring", "go"]
show_figure(
    draw_masks(some),
    title="Two rules joined with &: a place may look (blue) only where both say True",
    alt="Left: the letters of cat, spring and go with their ends are blue, the padding behind them is white. Middle: the causal mask, "
    "blue on and below the diagonal. Right: the causal mask of cat's pronunciation, whose columns of padding are white as well.",
)

# %% tags=["hide-input"]
said_and_so(
    said="The decoder's three sub-layers are masked multi-head self-attention, multi-head self-attention and feed forward.",
    so="The second one is not self-attention: its queries come from the decoder, its keys and values from the encoder's "
    "memory. That is why source and target may differ in length.",
    shown_by="`DecoderLayer.forward` calls `cross_attention` with the memory as keys and values; the maps below have sounds on one "
    "side and letters on the other",
)

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
output, weights = by_hand()
open_to_all, _ = scaled_dot_product_attention(QUERY, KEY, VALUE)
print("weights\n", weights)
print("causal ", [round(value, 4) for value in output.flatten().tolist()])
print("no mask", [round(value, 4) for value in open_to_all.flatten().tolist()])

# %% [markdown]
# What if a query may look at nothing at all? There are three answers in use. Only the last is a rule that you can rely on.

# %%
scores, nobody = torch.tensor([[1.0, 2.0, 3.0]]), torch.zeros(1, 3, dtype=torch.bool)
_, ours = scaled_dot_product_attention(QUERY[:1], KEY, VALUE, nobody)
print("filled with -1e9:", scores.masked_fill(~nobody, -1e9).softmax(-1).tolist(), "it looks at everything, equally")
print("filled with -inf:", scores.masked_fill(~nobody, float("-inf")).softmax(-1).tolist())
print("ours:            ", ours.tolist(), "it looks at nothing, and its output is 0")

# %% [markdown]
# ## Experiment: does it hold on the real model?
#
# **Causality.** We change one input of the decoder. Everything before it must stay the same *to the last bit*; not "almost".
# In the encoder, which has no causal mask, a changed letter is seen everywhere.

# %%
base = load_base()
decoder, encoder = reach(base, "physics", place=4)

# %% tags=["hide-input"]
before = max(decoder.moved[: decoder.place])
claim(
    before == 0 and min(encoder.moved) > 0,
    "the decoder's past is untouched, the encoder moves everywhere",
    before=before,
)
show_figure(
    draw_reach(decoder, encoder),
    title="A changed input moves nothing before it in the decoder, and everything in the encoder",
    alt="Two panels of bars, a bar for each place of the word physics; the changed place is orange. Decoder: the bars before the changed "
    "place have the height {before:.0f}. Encoder: every bar is higher than 0, the lowest is {least:.2f}.",
    before=before,
    least=min(encoder.moved),
)

# %% [markdown]
# **Padding.** A word alone, and the same word in a batch with a longer one, must get the same logits. The order of sums
# may differ inside the matrix product, so here "the same" means up to rounding.

# %%
with_mask, without_mask = padding_differences(base, "cat", longer="internationalization")

# %% tags=["hide-input"]
claim(with_mask < 1e-4 and without_mask > 1, "only without the mask padding changes the logits", with_mask=with_mask)
prose(
    "The logits of *cat* beside *internationalization* differ from those of *cat* alone by {with_mask:.0e} with the padding mask, "
    "and by {without_mask:.1f} without it.",
    with_mask=with_mask,
    without_mask=without_mask,
)

# %% [markdown]
# ## Experiment: which letter is read while a sound is decoded?
#
# A row of cross-attention belongs to a sound, a column to a letter. No label says which letter makes which sound. The model
# was trained on whole words only.

# %%
maps = {word: letter_attention(base, word) for word in ("knight", "physics", "school")}

# %% tags=["hide-input"]
at_n = most_looked(maps["knight"])[0]
least = {word: least_looked(found) for word, found in maps.items()}
claim(at_n == "k", "the n of knight is decoded while the model looks at k")
claim(least["physics"][0] == least["school"][0] == "h", "the silent h is looked at least")
show_figure(
    draw_maps(list(maps.values())),
    title="The model finds by itself which letters make a sound: the h of physics and school gets only {physics:.0f} and {school:.0f} %",
    alt="Three maps of attention, sounds downwards, letters across. A dark path runs from the top left to the bottom right. For n in "
    "knight the darkest letter is {at_n}. The h of physics gets {physics:.1f} % of the attention, the h of school {school:.1f} %.",
    at_n=at_n,
    physics=least["physics"][1],
    school=least["school"][1],
)

# %% [markdown]
# The path runs from the top left to the bottom right, and jumps where several letters make one sound. Look at *knight*: the n
# is decoded while the model looks at the silent k. That works because the encoder has already put k's neighbours into k's
# vector ([lesson 6](06_feed_forward_and_encoder.ipynb)). So a map shows where the model *looks*, in one layer, as a mean over its
# heads. It does not prove *why* the model's output is what it is (see the papers at the end).

# %% tags=["hide-input"]
shape = {"d_model": 16, "num_heads": 2, "num_encoder_layers": 0, "num_decoder_layers": 2, "d_ff": 32, "max_length": 8}
gpt = DecoderOnly(TransformerConfig(vocab_size=20, dropout=0.0, **shape))
said_and_so(
    said="GPT's Transformer has an encoder on the left and a decoder on the right.",
    so="The figure is that of the 2017 paper. GPT keeps the decoder only, without cross-attention: its prompt and its "
    "answer are one sequence under one causal mask.",
    shown_by="`transformer/decoder_only.py`: a model of it has {crossing} modules called cross-attention",
    crossing=sum("cross_attention" in name for name, _ in gpt.named_modules()),
)

# %% [markdown]
# ## Experiment: the model that cheats
#
# Back to the question. We train the same small model twice, on the same words, with the same seed: once with the causal mask,
# once with a mask of nothing but Trues. Then each is asked in two ways: to predict the next symbol while it reads the right answer,
# as in training, and to decode alone.

# %%
steps = 100 if quick() else 300
cheat = {mask: trained_with(mask, steps) for mask in MASKS}

# %% tags=["hide-input"]
honest, leaked = cheat["causal mask"], cheat["leaked mask"]
values = {"leaked": leaked.reading, "alone": leaked.alone, "honest": honest.reading, "honest_alone": honest.alone}
claim(
    leaked.losses[-1] < honest.losses[-1] and leaked.reading > honest.reading,
    "in training the leak looks better",
    **values,
)
claim(leaked.alone > honest.alone + 20, "alone the leaked model is worse", **values)
show_figure(
    draw_cheat(cheat),
    title="Without the mask {leaked:.0f} % of the symbols are right in training; alone, the phoneme error is {alone:.0f} %",
    alt="Left: the training loss of the model with the leaked mask ends below that of the honest one. Right: reading the answer, the "
    "honest one has {honest:.0f} % right, the leaked one {leaked:.0f} %; decoding alone, their phoneme errors are {honest_alone:.0f} "
    "and {alone:.0f} %.",
    **values,
)

# %% [markdown]
# The leaked model's loss falls below any honest one's, because it copies the next symbol from its own input. When it must
# decode alone, there is nothing to copy. (An error may exceed a hundred per cent: then the words are also too long.) So: **never
# trust a loss under teacher forcing alone. Let the model decode, and count.**

# %% [markdown]
# ## The usual mistakes
#
# - **The polarity is the other way round.** `nn.MultiheadAttention` says True = *hidden*, `scaled_dot_product_attention` says
#   True = *may look* ([pytorch/pytorch#118972](https://github.com/pytorch/pytorch/issues/118972)). A well-known book's notebook passed
#   an upper triangle of Trues to the latter: every position looked only at itself and its future
#   ([rasbt/LLMs-from-scratch#1061](https://github.com/rasbt/LLMs-from-scratch/issues/1061)).
# - **The padding mask lies on the query axis instead of the key axis**, and a finite fill such as -10000 hides it
#   ([hyunwoongko/transformer#40](https://github.com/hyunwoongko/transformer/pull/40)). Or the source's pad id is used for the target
#   ([hyunwoongko/transformer#11](https://github.com/hyunwoongko/transformer/issues/11)).
# - **A broken mask looks like success**: nearly everything is right in training
#   ([attention-is-all-you-need-pytorch#19](https://github.com/jadore801120/attention-is-all-you-need-pytorch/issues/19)).
# - **A whole row is hidden**: -inf gives NaN, -1e9 gives the mean of everything
#   ([d2l-ai/d2l-en#2423](https://github.com/d2l-ai/d2l-en/pull/2423)).
# - **The past is forgotten with a cache**: one new query may look at *all* the old keys.
# - **Cross-attention is tested with equal lengths only.** Then keys that were cut to the query's length go unseen.

# %%
print("causal_mask(1, past=3):", causal_mask(1, past=3).tolist())
print("causal_mask(2, past=3):", causal_mask(2, past=3).tolist())

# %% [markdown]
# ## Three questions
#
# <details><summary>Why does the encoder have no causal mask?</summary>
#
# Its input is there as a whole, in training and in use. A letter's sound depends on letters behind it as well: the e at the end
# of *made* changes the a.
#
# </details>
#
# <details><summary>The source has 9 letters, the target 6 symbols. Which shape have the weights of a cross-attention head?</summary>
#
# 6 × 9: a row for each query, which is a symbol; a column for each key, which is a letter.
#
# </details>
#
# <details><summary>A decoder decodes alone, one symbol at a time, and its causal mask is missing. What changes in its first
# layer for the newest symbol?</summary>
#
# Nothing: nothing stands behind the newest symbol, so it sees what the mask would let it see. In the layers above something
# may change, if the old positions are computed anew at each step: they then look ahead. With a cache they are not. The great
# harm is done in training.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(7)

# %% [markdown]
# ## Summary
#
# - A mask says who may look at whom. A hidden key gets the weight 0, and the others share the whole.
# - The decoder looks back (masked self-attention), across (cross-attention) and then works on each place (feed forward).
# - Causality is tested to the last bit; padding up to rounding.
# - A leaked mask makes the training loss better and the model useless. Decoding alone shows it.

# %% [markdown]
# ## Where to read on
#
# - Vaswani et al., [*Attention Is All You Need*, arXiv 1706.03762](https://arxiv.org/abs/1706.03762), section 3.2.3
# - Bahdanau, Cho and Bengio, [*Neural Machine Translation by Jointly Learning to Align and Translate*, arXiv
#   1409.0473](https://arxiv.org/abs/1409.0473): where cross-attention comes from
# - Jain and Wallace, [*Attention is not Explanation*, arXiv 1902.10186](https://arxiv.org/abs/1902.10186), and the answer of Wiegreffe
#   and Pinter, [*Attention is not not Explanation*, arXiv 1908.04626](https://arxiv.org/abs/1908.04626)
# - Bengio et al., [*Scheduled Sampling*, arXiv 1506.03099](https://arxiv.org/abs/1506.03099): the gap between reading the answer and
#   decoding alone
# - Next: [lesson 8](08_output_and_loss.ipynb), from the decoder's last vector to a probability. In the code:
#   [`transformer/decoder.py`](../../transformer/decoder.py)
