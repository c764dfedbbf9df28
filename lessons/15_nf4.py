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
# 15. Number formats and NF4

**The question.** A weight in 32 bits can be one of four billion numbers. In four bits it can be one of sixteen. All weights of a
model are to be replaced by sixteen numbers, and it shall hardly notice. Which sixteen?

**You will be able to**

- read the bits of fp32, bf16, fp16 and of integers
- round a block of weights to NF4 by hand, and pack it into bytes
- say why blocks have scales of their own, and what double quantization saves
- compare formats by a measure that you name

**Time:** 40 minutes. **Before it:** what a mean and a standard deviation are.
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.nf4 import (
    bits_of,
    BLOCK,
    ONE_SCALE,
    bits_by_block,
    double_quantization,
    errors_by_block,
    errors_of_rounded,
    linear_weights,
    relative,
    usage,
)
from lessons.experiments.nf4_figures import draw_bits, draw_block, draw_blocks, draw_levels, draw_rounded
from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.machine import set_threads
from lessons.teaching import (
    claim,
    exercises_of,
    lit_diagram,
    lowest,
    prose,
    quick,
    rises,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from quant import (
    NF4_CODEBOOK,
    UNIFORM_CODEBOOK,
    decode,
    dequantize_4bit,
    encode,
    normal_float_codebook,
    pack_nibbles,
    quantize_4bit,
    quantize_model,
)
from quant.double_quant import compress_scales
from quant.error import error_table

set_threads()
torch.manual_seed(0)
lit_diagram("attention", "feed_forward", "weights")

# %% [markdown]
# All lit boxes keep large weight matrices. These are what is rounded. Norms and biases are few numbers, and stay. So do the
# embeddings. Here they are few as well; in LLaMA-3-8B embedding and head are a billion numbers, and stay all the same.

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_block(),
    title="A block is divided by its largest weight; each weight is kept as the number of its nearest level",
    alt="The weights 0.5, -0.2, 0.1 and 0 are divided by the scale 0.5: 1, -0.4, 0.2, 0. The nearest of NF4's 16 levels are 1, -0.395, "
    "0.161 and 0, with the codes 15, 3, 9 and 7. Times the scale they come back as 0.5, -0.1975, 0.0805 and 0. Above them a line from "
    "-1 to 1 with the levels, which lie close together near 0.",
)

# %% [markdown]
# ## The idea
#
# Four bits have 16 patterns. A table, the *codebook*, says which number each stands for: these are the **levels**. To keep a weight
# is to keep the number of the nearest level. To read it is to look it up.
#
# The levels lie between -1 and 1, and weights do not. So a block of 64 weights is divided by its largest, the **scale**, which is
# kept beside the codes. That is all. What is left is the choice of the levels. Most weights are near 0, as in a normal
# distribution. So the levels should lie close together there. **NF4** ("normal float") takes them from the normal distribution.

# %% [markdown]
# ### Bits
#
# A floating-point number has a sign, an exponent (how large) and a mantissa (how exact):
# $(-1)^{s} \cdot 2^{e - bias} \cdot 1.mmm\ldots$ An integer format has equal steps, and needs a scale beside it.

# %% tags=["hide-input"]
number = -0.3
largest = {name: torch.finfo(kind).max for name, kind in (("bf16", torch.bfloat16), ("fp16", torch.float16))}
steps = {name: torch.finfo(kind).eps for name, kind in (("bf16", torch.bfloat16), ("fp16", torch.float16))}
claim(largest["bf16"] > 1e30 * largest["fp16"] and steps["bf16"] > steps["fp16"], "bf16: wide and coarse")
show_figure(
    draw_bits(number),
    title="{number} in five formats: bf16 keeps {bf16:.4f}, four bits keep {int4:.3f}",
    alt="The bits of {number} in fp32, bf16, fp16, int8 and int4, coloured by sign, exponent and mantissa, with the number that each "
    "keeps; the integers have steps of 1/127 and 1/7.",
    number=number,
    **{name: bits_of(number, name)[2] for name in ("bf16", "int4")},
)
prose(
    "bf16 is fp32 rounded to its first 16 bits: the same range, up to {range:.1g}, and a coarse step, {coarse:.4f} at 1. fp16 has a finer "
    "step, {fine:.5f}, and a small range, so that it overflows above {small:,.0f}.",
    range=largest["bf16"],
    coarse=steps["bf16"],
    fine=steps["fp16"],
    small=largest["fp16"],
)

# %% [markdown]
# ## The formula
#
# $$s = \max_{\text{block}} |w| \qquad c = \arg\min_i \left| q_i - \tfrac{w}{s} \right| \qquad \hat w = q_c \cdot s
# \qquad \text{(blocks of 64 weights)}$$
#
# The 16 levels $q_i$ are the codebook. NF4 takes them from the normal distribution: with
# $\Phi^{-1}$ its quantile function and $\delta = \tfrac12\left(\tfrac1{32} + \tfrac1{30}\right)$,
#
# $$q^{+} \propto \Phi^{-1}\big(\text{8 equal steps from } 1-\delta \text{ down to } \tfrac12\big), \quad
# q^{-} \propto -\Phi^{-1}\big(\text{7 equal steps}\big), \quad q = 0$$
#
# and all divided by the largest. So weights near 0, which are many, get levels that lie close together.

# %% [markdown]
# ## The code

# %%
show_source(normal_float_codebook, encode, decode, pack_nibbles)

# %%
made = normal_float_codebook()
print("the levels:", [round(level, 4) for level in made.tolist()])
print(
    f"from the quantiles and in the table of the format: they differ by {(made - NF4_CODEBOOK).abs().max():.1e} at most"
)

# %% [markdown]
# ## By hand
#
# A block of 16 weights: 0.5, -0.2, 0.1, 0, and twelve more zeros. (64 would be too many for a hand.)
#
# | weight | / scale 0.5 | nearest level of NF4 | code | back |
# |---|---|---|---|---|
# | 0.5 | 1 | 1 | 15 | 0.5 |
# | -0.2 | -0.4 | -0.3949 | 3 | -0.1975 |
# | 0.1 | 0.2 | 0.1609 (0.2461 is farther) | 9 | 0.0805 |
# | 0 | 0 | 0 | 7 | 0 |
#
# Two codes make a byte, the first in the high half: $15 \cdot 16 + 3 = 243$ and $9 \cdot 16 + 7 = 151$.
# On a grid of 16 equally spaced levels, 0 would not come back: the two in the middle are $\pm\frac{1}{15}$.

# %%
quantized = quantize_4bit(BLOCK, block_size=16)
print("bytes:  ", quantized.codes.tolist()[:2], "  scale:", quantized.scales.tolist())
for name, codebook in (("NF4", NF4_CODEBOOK), ("uniform", UNIFORM_CODEBOOK)):
    back = dequantize_4bit(quantize_4bit(BLOCK, codebook, 16))
    print(f"{name:<8}", [round(value, 4) for value in back.tolist()[:4]])

# %% [markdown]
# ## Experiment: the levels over the base's weights
#
# Every linear layer of the pronunciation model, each block of 64 divided by its own largest weight.

# %%
real = linear_weights()
codes = {name: usage(real, name) for name in ("nf4", "uniform", "int4", "fp4")}
for name, used in codes.items():
    print(f"{name:<8} a code is used for {used['least']:.1f} to {used['most']:.1f} % of the weights")

# %% tags=["hide-input"]
numbers = {"weights": len(real), "nf4": codes["nf4"]["bits"], "uniform": codes["uniform"]["bits"]}
claim(codes["uniform"]["bits"] < codes["nf4"]["bits"] < 4, "NF4's codes carry more, and not all 4 bits", **numbers)
show_figure(
    draw_levels(relative(real).flatten()),
    title="NF4 puts its levels where the base's weights are: of 4 bits {nf4:.2f} carry something, equally spaced {uniform:.2f}",
    alt="Two histograms of the base's {weights:,} weights over the largest of their block, a bell with peaks at -1, 0 and 1. NF4's "
    "levels are close together near 0, the others equally spaced.",
    **numbers,
)

# %% [markdown]
# ## Experiment: what each format loses
#
# On the base's own weights, and on normal ones (as `python -m quant.error` does). RMS is the root of the mean square error; both
# errors are relative to the weights' standard deviation.

# %%
normal = torch.randn(2**18 if quick() else 2**20)
tables = {"the base's weights": error_table(real), "normal weights": error_table(normal)}
for (title, table), weights in zip(tables.items(), (real, normal)):
    print(f"{title + ', blocks of 64':<34}{'bits':>8}{'mean |error|':>14}{'RMS':>9}")
    for name, (bits, error) in table.items():
        spread = weights.std().item()
        print(f"{name:<34}{bits:>8.4f}{error.mean_absolute / spread:>14.4f}{error.root_mean_square / spread:>9.4f}")

# %% tags=["hide-input"]
steps = NF4_CODEBOOK.diff()
named = {"NF4": "nf4", "16 equal levels": "uniform", "INT4, affine": "affine"}
numbers = {
    f"{short}_{measure}": getattr(tables["normal weights"][name][1], measure) / normal.std().item()
    for name, short in named.items()
    for measure in ("mean_absolute", "root_mean_square")
}
numbers |= {"least": steps.min().item(), "largest": steps.max().item()}
numbers |= {short: tables["normal weights"][name][0] for name, short in named.items()}
on_base = {short: tables["the base's weights"][name][1].root_mean_square for name, short in named.items()}
claim(
    numbers["nf4_root_mean_square"] < numbers["uniform_root_mean_square"], "NF4 is better on normal weights", **numbers
)
claim(on_base["nf4"] < on_base["uniform"], "NF4 is better on the base's weights", **on_base)
claim(
    numbers["affine_root_mean_square"] < numbers["nf4_root_mean_square"],
    "affine INT4 has the smaller square",
    **numbers,
)
claim(numbers["nf4_mean_absolute"] < numbers["affine_mean_absolute"], "NF4 has the smaller mean error", **numbers)
said_and_so(
    said="The range from -1 to 1 is cut into 16 intervals, and a weight goes to the nearest of these 16 values.",
    so="That is the grid of 16 equally spaced levels, which has 15 equal steps. NF4 has unequal ones: from {least:.2f} near 0 to "
    "{largest:.2f} at the ends. On normal weights and on the base's own its error is smaller, and it has an exact 0, which the "
    "other lacks. And -1 to 1 is no fixed range: each block of 64 weights has its own scale.",
    shown_by="the two tables above; `tests/quant/test_codebooks.py`",
    least=numbers["least"],
    largest=numbers["largest"],
)
said_and_so(
    said="NF4 is information-theoretically optimal.",
    so="Not in every sense. On normal weights affine INT4, with a minimum and a step for each block ({affine:g} bits in place of "
    "{nf4:g}), has the smaller RMS error, {affine_root_mean_square:.4f} against {nf4_root_mean_square:.4f}; NF4 has the smaller mean "
    "error, {nf4_mean_absolute:.4f} against {affine_mean_absolute:.4f}. And NF4's codes are not used equally often, as an optimal "
    "code's would be: dividing by the block's largest weight changes the distribution (*NF4 Isn't Information Theoretically Optimal*, "
    "below).",
    shown_by="`INT4, affine` in the table above; the usage of the codes in the experiment before",
    **{
        name: numbers[name]
        for name in (
            "affine",
            "nf4",
            "affine_root_mean_square",
            "nf4_root_mean_square",
            "affine_mean_absolute",
            "nf4_mean_absolute",
        )
    },
)

# %% [markdown]
# And the model? We round all linear layers of the base, without any training, and count its errors.

# %%
probe = words("american", "development", 100 if quick() else 400)
scores = errors_of_rounded(probe)

# %% tags=["hide-input"]
numbers = {
    "exact": scores["fp32"],
    "nf4": scores["nf4"],
    "worst": max(scores.values()),
    "one": scores[ONE_SCALE],
    "words": len(probe),
}
claim(abs(numbers["nf4"] - numbers["exact"]) < 1, "the model hardly notices four bits", **numbers)
show_figure(
    draw_rounded(scores),
    title="The base has {exact:.2f} % phoneme error in 32 bits, {nf4:.2f} % in NF4, at worst {worst:.2f} %",
    alt="Bars of the American phoneme error on {words} words: {exact:.2f} % in fp32, {nf4:.2f} % in NF4; with equally spaced levels, INT4 "
    "and FP4 too; {one:.2f} % with one scale for each matrix.",
    **numbers,
)
prose(
    "On {words} words a few tenths of a point are noise: this model hardly notices four bits, whatever their levels. With one scale for "
    "a whole matrix in place of one for 64 weights it comes to {one:.2f} %. The base has outliers: its largest weight is {outlier:.0f} standard "
    "deviations, and {beyond:.2f} % of the weights are beyond five.",
    outlier=float(real.abs().max() / real.std()),
    beyond=100 * float((real.abs() > 5 * real.std()).float().mean()),
    words=numbers["words"],
    one=numbers["one"],
)

# %% [markdown]
# ## Experiment: why blocks? One outlier
#
# The scale is the *largest* weight. One weight of 20 standard deviations among 4,096 makes all its neighbours' levels
# coarse, but only those in its own block.

# %%
sizes = [32, 64, 128, 256, 1024, 4096]
by_block, bits = errors_by_block(sizes, 2**17 if quick() else 2**19), bits_by_block(sizes)

# %% tags=["hide-input"]
spoilt = by_block["with one outlier in 4,096"]
numbers = {"small": spoilt[sizes.index(64)], "whole": spoilt[-1], "plain": by_block["normal weights"][-1]}
claim(rises(spoilt) and numbers["whole"] > 3 * numbers["small"], "large blocks suffer from an outlier", **numbers)
show_figure(
    draw_blocks(by_block, bits, sizes),
    title="One outlier in a block of 4,096 raises its neighbours' error to {whole:.2f}; in blocks of 64 it is {small:.2f}",
    alt="Left, the error of all other weights over the block size: it rises to {plain:.2f} for normal weights and to {whole:.2f} with an "
    "outlier. Right, the bits for each weight fall with the block size, and are fewer with double quantization.",
    **numbers,
)

# %% [markdown]
# Small blocks are exact and expensive; large ones take fewer bits and are coarse. 64 is the usual choice.

# %% [markdown]
# ## By hand: double quantization
#
# A scale in 32 bits for 64 weights: $4 + \frac{32}{64} = 4.5$ bits. But scales are numbers too. They are all positive and
# alike, so their mean is taken off, and each becomes 8 bits; 256 of them share one scale of 32 bits:
#
# $$4 + \frac{8}{64} + \frac{32}{64 \cdot 256} = 4 + 0.125 + 0.001953125 = 4.126953125$$

# %%
show_source(compress_scales)

# %% tags=["hide-input"]
twice = double_quantization()
rounded = quantize_model(load_base())
packed = sum(module.nbytes for module in rounded.modules() if hasattr(module, "dequantized"))
saved = twice["single_bits"] - twice["double_bits"]
claim(twice["double_error"] < 1.02 * twice["single_error"], "the error hardly moves", **twice)
prose(
    "Measured on a matrix of normal weights: {single_bits:g} bits for each weight become {double_bits:g}, and the RMS error goes from "
    "{single_error:.5f} to {double_error:.5f}. That is {saved:.2f} GB less for 65 billion weights. The linear layers of the base take "
    "{whole:.2f} MB in 32 bits and {packed:.2f} MB in NF4, biases included.",
    saved=saved * 65 / 8,
    whole=4 * len(real) / 1e6,
    packed=packed / 1e6,
    **twice,
)

# %% [markdown]
# NF4 trains nothing: it is a format for the *frozen* part. Every product needs the weights back in 16 or 32 bits for a moment.
# [Lesson 16](16_qlora.ipynb) puts LoRA beside it. A trained weight cannot live in four bits: a small step of the optimizer would round
# to nothing.

# %% [markdown]
# ## The usual mistakes
#
# - **The paper's formula 4 is coded, and another table comes out.** It has a quantile at infinity, and the shipped numbers
#   come from another rule ([qlora#94](https://github.com/artidoro/qlora/issues/94);
#   [bitsandbytes#440](https://github.com/bitsandbytes-foundation/bitsandbytes/issues/440)). The rule is above.
# - **A table with 15 levels.** NF4 mirrored about 0 has 15 (so in an answer in
#   [qlora#299](https://github.com/artidoro/qlora/issues/299)). The real one has 7 levels below 0 and 8 above it. The exercise
#   `normal_float` meets the same slip.
# - **The halves of the byte swapped.** The first code is in the *high* half. Nothing fails: the weights are only in pairs
#   the wrong way round.
# - **One scale for the whole tensor**, since it did no harm on a small model. Then an outlier comes: see the figure above.
# - **"fp4" is taken for the E2M1 of other standards.** bitsandbytes has other magnitudes
#   ([bitsandbytes#988](https://github.com/bitsandbytes-foundation/bitsandbytes/issues/988)), and `fp4`, not `nf4`, is the default of
#   its 4-bit layer. Say which one you want.
# - **"NF4 is best" without a measure.** Best in what: mean error, mean square, bits? See the table.

# %% tags=["hide-input"]
ranking = {name: error.mean_absolute for name, (_, error) in tables["normal weights"].items()}
squares = {name: error.root_mean_square for name, (_, error) in tables["normal weights"].items()}
prose("By mean error the best of the table is {mean}, by RMS {square}.", mean=lowest(ranking), square=lowest(squares))

# %% [markdown]
# ## Three questions
#
# <details><summary>A block's weights are all multiplied by 10. Which codes change?</summary>
#
# None. The scale is multiplied by 10, and every weight over the scale is what it was.
#
# </details>
#
# <details><summary>Why must 0 be a level?</summary>
#
# Weights that are exactly 0, such as padding, must stay exactly 0. With equally spaced levels they would all become a little too
# large or too small, all in the same direction.
#
# </details>
#
# <details><summary>A value of 70,000 comes up in an activation. What happens in fp16, and what in bf16?</summary>
#
# In fp16 it overflows to infinity. bf16 has the range of fp32: it keeps about 70,000, rounded to a multiple of 512.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(15)

# %% [markdown]
# ## Summary
#
# - Four bits are a number in a table of 16 levels; a scale for each block of 64 weights says how large they are.
# - NF4's levels come from the quantiles of the normal distribution, so they are close together where the weights are.
# - Blocks keep an outlier from harming more than its neighbours; double quantization makes their scales smaller.
# - Which format is best depends on the measure. This model hardly notices any of them.

# %% [markdown]
# ## Where to read on
#
# - Dettmers et al., [*QLoRA: Efficient Finetuning of Quantized LLMs*, arXiv 2305.14314](https://arxiv.org/abs/2305.14314): NF4 and
#   double quantization
# - Yoshida, [*NF4 Isn't Information Theoretically Optimal (and that's Good)*, arXiv
#   2306.06965](https://arxiv.org/abs/2306.06965)
# - [*8-bit Optimizers via Block-wise Quantization*, arXiv 2110.02861](https://arxiv.org/abs/2110.02861): blocks, and the map that
#   double quantization uses
# - [*LLM.int8()*, arXiv 2208.07339](https://arxiv.org/abs/2208.07339): where outliers come from
# - [*The case for 4-bit precision*, arXiv 2212.09720](https://arxiv.org/abs/2212.09720)
# - Next: [lesson 16](16_qlora.ipynb), LoRA beside it. In the code: [`quant/codebooks.py`](../../quant/codebooks.py),
#   [`quant/quantize.py`](../../quant/quantize.py)
