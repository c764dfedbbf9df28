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
# 29. From 2017 to today: the blocks of a language model

**The question.** Llama, Mistral, Qwen and SmolLM2 are decoders of the paper's kind. Yet not one of them would run in the
paper's blocks: positions are not added any more, the norm has lost half of its parts, heads share their keys, and the feed
forward has a third matrix. What changed, why, and what does a trained model lose if one part is put back as it was in 2017?

**You will be able to**

- name what differs between the paper's block and today's, and compute each difference by hand
- say why a turned query and a turned key know their distance and nothing else of where they stand
- compute the size of a key/value cache, and what shared heads save
- read the weights of a language model's file, four bits at a time

**Time:** 45 minutes. **Before it:** the blocks of [lesson 2](02_input_embedding.ipynb) to
[lesson 6](06_feed_forward_and_encoder.ipynb), and the cache of [lesson 10](10_decoding.ipynb). `make smollm` fetches SmolLM2, a
language model in 98 MB; without it this lesson shows kept results.
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.language_model import (
    X,
    cache_bytes,
    kept_losses,
    losses,
    measured,
    scores,
)
from lessons.experiments.language_model_figures import (
    MODELS,
    draw_blocks,
    draw_caches,
    draw_distances,
    draw_parts,
    normed,
)
from lessons.task.machine import set_threads
from lessons.teaching import (
    about,
    claim,
    exercises_of,
    lit_diagram,
    prose,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from transformer import GatedFeedForward, RMSNorm
from transformer.attention import for_every_query
from transformer.rotary import rotation, turned

set_threads()
torch.manual_seed(0)
lit_diagram("masked_attention", "decoder_add_norm", "decoder_feed_forward", "positions")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_blocks(),
    title="Every box is still there, and each has changed: the norm moved, positions became turns, a gate came",
    alt="Left, a layer of 2017: x plus position, attention with 4 heads of keys, add and LayerNorm, two matrices with ReLU, "
    "add and LayerNorm. Middle, today: RMSNorm, attention with 1 head of keys and turned queries, add, RMSNorm, a gated feed "
    "forward with SiLU, add. Right, x = (1, 1, 3, 5) becomes (-0.905, -0.905, 0.302, 1.51) in LayerNorm and (0.333, 0.333, "
    "1, 1.67) in RMSNorm; and the pair (1, 0) at positions 0 to 3 is (1, 0), (0.54, 0.84), (-0.42, 0.91), (-0.99, 0.14).",
)

# %% [markdown]
# ## The idea
#
# Six changes, and none of them is large.
#
# **Pre-norm.** The norm stands before the sub-layer, and the residual sum is never normalized on its way
# ([lesson 5](05_add_norm.ipynb) says why).
#
# **RMSNorm.** LayerNorm takes the mean off, divides by the deviation, multiplies by a gain and adds a bias. RMSNorm divides by
# the root of the mean square and multiplies by a gain. That is all.
#
# **Rotary positions.** The paper adds a position to a word, once, at the bottom. Now nothing is added. In every attention the
# numbers of a query and of a key are taken in pairs, and each pair is turned, like the hand of a clock, by an angle that grows
# with the position. The first pairs turn fast, the last ones hardly at all. A product of two hands knows the angle *between*
# them: how far apart two words are.
#
# **Shared heads.** While a model speaks, it keeps keys and values of all that was said. So several heads of queries share one
# head of keys and values: less to keep and less to read for each word.
#
# **A gate.** The feed forward has a third matrix. One half says what could pass, the other how far the gate is open, number by
# number.
#
# **No biases** (some families keep those of queries, keys and values), and one matrix for input and output in the small models (the paper tied its own too).

# %% [markdown]
# ## The formula
#
# $$\mathrm{RMSNorm}(x) = g \odot \frac{x}{\sqrt{\mathrm{mean}(x^2) + \varepsilon}} \qquad\qquad
# \mathrm{FFN}(x) = W_2 \, (\varphi(W_1 x) \odot W_3 x), \quad \varphi(z) = z \cdot \mathrm{sigmoid}(z)$$
#
# $$\begin{pmatrix} x_i \\ x_{i + d/2} \end{pmatrix} \leftarrow
# \begin{pmatrix} \cos t\theta_i & -\sin t\theta_i \\ \sin t\theta_i & \cos t\theta_i \end{pmatrix}
# \begin{pmatrix} x_i \\ x_{i + d/2} \end{pmatrix}, \qquad \theta_i = \mathrm{base}^{-2i/d}$$
#
# $t$ is the position, $d$ the size of a head, and the $\theta_i$ are the frequencies of the paper's own sines. With $R_t$ for
# all turns of position $t$: $(R_t q) \cdot (R_s k) = q \cdot R_{s-t} k$. Only $s - t$ is left. With $h$ heads of queries and $h'$
# of keys, head $j$ reads the keys of head $\lfloor j h' / h \rfloor$.

# %% [markdown]
# ## The code

# %%
show_source(RMSNorm.forward, turned, rotation, for_every_query, GatedFeedForward.forward)

# %% [markdown]
# They are the same pages as the paper's blocks: each is an option whose default is the paper's (`norm_kind`, `positions`,
# `num_kv_heads`, `gated`, `bias`), and no `forward` asks for a family's name.

# %% [markdown]
# ## By hand
#
# $x = (1, 1, 3, 5)$. Its mean square is $\tfrac14 (1 + 1 + 9 + 25) = 9$, the root of it 3. So
# $\mathrm{RMSNorm}(x) = (\tfrac13, \tfrac13, 1, \tfrac53)$. Ten times $x$ gives the same; $x$ with 7 added to each number does not,
# because no mean is taken off. LayerNorm does not see the 7.
#
# A head of 4 numbers has two pairs: number 1 with 3, number 2 with 4. With base 100 they turn by $\theta_0 = 1$ and
# $\theta_1 = 100^{-2/4} = \tfrac1{10}$ for each position. At position 2 the pair $(1, 3)$ becomes
# $(1 \cos 2 - 3 \sin 2,\; 3 \cos 2 + 1 \sin 2)$.
#
# The gate: $\varphi(2)$ is near 2 and lets the 3 through, multiplied; $\varphi(-2)$ is near 0 and hardly lets it through.

# %%
layer_norm, rms_norm = normed()
print("LayerNorm", layer_norm.tolist())
print("RMSNorm  ", rms_norm.tolist(), "  of x + 7:", RMSNorm(4, eps=1e-12)(X + 7).tolist())
angle = torch.tensor([1.0, 0.1]) * 2
print(
    "x at position 2:",
    turned(X[None, None, None], angle.cos()[None, None, None], angle.sin()[None, None, None]).flatten().tolist(),
)
for gate in (2.0, -2.0):
    print(f"gate {gate:+.0f}, what could pass 3:", round(3 * float(torch.nn.functional.silu(torch.tensor(gate))), 3))
print(
    "six heads of queries read the keys",
    for_every_query(torch.arange(2.0)[None, :, None, None], 6).flatten().int().tolist(),
)

# %% [markdown]
# ## Experiment: the paper's parts in a model of today
#
# SmolLM2 has 30 of these layers and was trained on two trillion tokens. We put *one* part back to what it was in 2017,
# in all layers, and leave its weights as they are. How many nats does it lose on each token of an English text? And what does it
# say to "What is the capital of France?"? The last row is no part of the paper's. It is the mistake that is made most often with
# shared heads: they are shared in turns, not by neighbours.

# %%
found, source = measured()
print(source)
for name, loss in found["losses"].items():
    print(f"{name:16}{loss:8.2f} nats   {found['answers'][name]!r}")

# %% tags=["hide-input"]
lost = {**kept_losses(), **losses(found), "source": source}
show_figure(
    draw_parts(found["losses"]),
    title="With LayerNorm SmolLM2 loses {layernorm:.2f} nats; with any other part put back, {no_positions:.1f} or more",
    alt="Bars: the loss as it is is {whole:.2f} nats. With LayerNorm {layernorm:.2f} more, without positions {no_positions:.1f} "
    "more, with the paper's sines added {sines_added:.1f}, with ReLU {relu:.1f}, without the gate {no_gate:.1f}, in post-norm "
    "order {post_norm:.1f}, with heads shared in turns {heads_in_turns:.1f} more.",
    **lost,
)
prose(
    "({source}; {tokens} tokens.) As it is, the model says *{as_it_is_says}* With **LayerNorm** it loses {layernorm:.2f} nats and "
    "still says it: the mean that LayerNorm takes off is small in these vectors, so that the two norms nearly agree.\n\n"
    "**Without positions** it loses {no_positions:.1f} nats: it still sees which words there are, and what came before (the "
    "causal mask), but not in which order. With the paper's **sines added** (and its factor √d_model on the words) it loses {sines_added:.1f}. With **ReLU** for SiLU "
    "{relu:.1f}: from the outside the two curves are alike, and over 30 layers the small difference is not small.\n\n"
    "**Without the gate**, and in **post-norm** order, it is worse than a model that guesses blindly, which would have "
    "{most:.1f} nats: it is sure, and wrong. The same holds for the heads that are shared **in turns**: no shape is wrong, "
    "nothing warns, and the model babbles.",
    **lost,
)

# %% tags=["hide-input"]
said_and_so(
    said="Today's language models have a better architecture than the Transformer of 2017.",
    so="This experiment cannot say so, and it is often read as if it did. The weights were trained *with* these parts; that they "
    "fail with others ({relu:.1f} nats more with ReLU) shows that weights and blocks belong together, not that one is better. "
    "What it does show is which part hardly matters to them: with LayerNorm {layernorm:.2f} nats. Whether a part is better is "
    "answered by training both; the papers below did it, and found small gains at equal cost. The largest gain is not in "
    "the loss at all but in the cache, as the last figure shows.",
    shown_by="the figure above",
    **lost,
)

# %% [markdown]
# ## Experiment: only the distance counts
#
# Two equal vectors, as query and as key: their score over the distance. The key stands at position 0, at 100 or at 1,000.

# %%
starts, d_head, distances = (0, 100, 1000), 64, 200
lines = {start: scores(100_000.0, d_head, start, distances) for start in starts}

# %% tags=["hide-input"]
apart = max(float((line - lines[0]).abs().max()) for line in lines.values())
numbers = {"apart": apart, "first": float(lines[0][0]), "far": float(lines[0][-1]), "distance": distances - 1}
claim(apart < 1e-9, "the lines lie on each other", **numbers)
claim(about(numbers["first"], 1) and numbers["far"] < 0.7, "the score falls with the distance", **numbers)
show_figure(
    draw_distances({10_000.0: "base 10,000", 100_000.0: "base 100,000"}, starts, d_head, distances),
    title="The three lines of a base lie on each other; the score falls from {first:.0f} to {far:.2f} at distance {distance}",
    alt="The score of two equal vectors over their distance, for two bases and three places of the key. It falls from "
    "{first:.0f} to {far:.2f} at distance {distance} with the larger base, and lower with the smaller one. Where the key stands "
    "makes no difference: at most {apart:.0e}.",
    **numbers,
)

# %% tags=["hide-input"]
shifted = {f"at_{first}": loss for first, loss in found["shifted"].items()}
prose(
    "The larger base turns more slowly, so that far words still meet; models with a long context have a large one. And the real "
    "model? We let its text begin at position 0, 10, 100 and 1,000. The loss is {at_0:.4f}, {at_10:.4f}, {at_100:.4f} and "
    "{at_1000:.4f}: {apart:.0e} apart, which is rounding. A prefix or a prompt in front of a text moves it, and it does not mind.",
    **shifted,
    apart=lost["apart"],
)

# %% [markdown]
# ## Experiment: what shared heads save
#
# The cache holds keys and values of every layer, every head and every token: $2 \cdot \text{layers} \cdot h' \cdot d_\text{head}$
# numbers for each token. It is read whole for every new token.

# %%
length = 8192
for name, (layers, heads, kv_heads, size) in MODELS.items():
    print(
        f"{name:14}{cache_bytes(layers, kv_heads, size, 1):8,} bytes a token; with {heads} heads {cache_bytes(layers, heads, size, 1):8,}"
    )

# %% tags=["hide-input"]
llama = MODELS["Llama 3 8B"]
sizes = {
    "length": length,
    "shared": cache_bytes(llama[0], llama[2], llama[3], length) / 1e6,
    "whole": cache_bytes(llama[0], llama[1], llama[3], length) / 1e6,
    "times": llama[1] // llama[2],
}
claim(about(sizes["whole"] / sizes["shared"], sizes["times"]), "as many times smaller as heads share one", **sizes)
show_figure(
    draw_caches(length),
    title="Llama 3 8B keeps {shared:,.0f} MB for {length:,} tokens; with one head of keys for each of queries it would be {whole:,.0f}",
    alt="Bars for three models: the cache of {length:,} tokens with as many heads of keys as of queries, and with shared ones. "
    "For Llama 3 8B {whole:,.0f} and {shared:,.0f} MB.",
    **sizes,
)

# %% [markdown]
# ## The usual mistakes
#
# - **Heads shared in turns** (`repeat` for `repeat_interleave`): the figure above says what it costs.
# - **Pairs of neighbours.** The paper turns $(x_1, x_2)$, Hugging Face's files $(x_1, x_{1 + d/2})$. Both are right with their own
#   weights. GGUF files keep the paper's order for Llama, so their query and key matrices are put in order on reading.
# - **Angles in 16 bits.** At position 1,000 bf16 cannot tell neighbours apart: compute them in float64, and round cosine and
#   sine ([transformers#25681](https://github.com/huggingface/transformers/issues/25681),
#   [transformers#29285](https://github.com/huggingface/transformers/pull/29285)).
# - **Turning the values too.** Only queries and keys are turned.
# - **Padding in front that counts as positions.** It does no harm to rotary positions as long as it is masked (only distances
#   count), but it eats the context.
# - **Gate and up projection exchanged.** The non-linearity is on `gate_proj`, here `fc1`.

# %% [markdown]
# ## Three questions
#
# <details><summary>Why is a prefix of prefix tuning not turned?</summary>
#
# Because it stands nowhere. Its keys are learnt, as lookup: whatever turn would help is learnt with them. Hugging Face PEFT puts
# them into the cache behind the turns as well, so that a folder means the same there ([lesson 20](20_prefix_tuning.ipynb)).
#
# </details>
#
# <details><summary>Llama has no biases. What is left for BitFit to train?</summary>
#
# Nothing, because it trains biases alone: BitFit refuses, and says so. LayerNorm tuning still has the gains
# ([lesson 12](12_bitfit_and_layernorm.ipynb)).
#
# </details>
#
# <details><summary>A gated feed forward has three matrices. Are these models half as large again?</summary>
#
# No, because $d_\mathrm{ff}$ was cut to about two thirds for it: $\tfrac83 d$ and not $4d$ (SmolLM2: 1536 for 576, as exactly
# as it goes). The paper of the gate compared at equal size.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(29)

# %% [markdown]
# ## Summary
#
# - Pre-norm, RMSNorm, rotary positions, shared heads, a gate, few biases or none: six small changes carry the paper's decoder to
#   Llama and Qwen.
# - Rotary positions turn queries and keys; what is left in a score is the distance.
# - Shared heads make the cache as many times smaller as heads share one.
# - Weights and blocks belong together: a part that is exchanged fails in silence, with no wrong shape anywhere.

# %% [markdown]
# ## Where to read on
#
# - Su et al., [*RoFormer: Enhanced Transformer with Rotary Position Embedding*, arXiv
#   2104.09864](https://arxiv.org/abs/2104.09864)
# - Zhang and Sennrich, [*Root Mean Square Layer Normalization*, arXiv 1910.07467](https://arxiv.org/abs/1910.07467)
# - Ainslie et al., [*GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints*, arXiv
#   2305.13245](https://arxiv.org/abs/2305.13245)
# - Shazeer, [*GLU Variants Improve Transformer*, arXiv 2002.05202](https://arxiv.org/abs/2002.05202)
# - Ben Allal et al., [*SmolLM2: When Smol Goes Big*, arXiv 2502.02737](https://arxiv.org/abs/2502.02737)
# - Next: [lesson 30](30_instruction_tuning.ipynb), instruction tuning. In the code:
#   [`transformer/rotary.py`](../../transformer/rotary.py), [`transformer/add_norm.py`](../../transformer/add_norm.py),
#   [`transformer/attention.py`](../../transformer/attention.py), [`transformer/feed_forward.py`](../../transformer/feed_forward.py)
