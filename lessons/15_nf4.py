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

A weight is a number, and a number needs bits: 32, 16, 8 or 4 of them. This lesson shows what the bits mean, and how NF4
keeps a weight in four of them so well that the model's errors hardly change.
"""

# %%
import torch
from matplotlib import pyplot as plt
from torch import nn

from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate
from lessons.teaching import exercises_of, lit_diagram, quick, said_and_so, show_source
from quant import (
    CODEBOOKS,
    NF4_CODEBOOK,
    UNIFORM_CODEBOOK,
    decode,
    dequantize_4bit,
    encode,
    normal_float_codebook,
    pack_nibbles,
    quantize_4bit,
    quantize_affine,
    quantize_model,
)
from quant.blockwise import in_blocks, normalized
from quant.double_quant import compress_scales
from quant.error import error_table

set_threads()
torch.manual_seed(0)
lit_diagram("attention", "feed_forward", "weights")

# %% [markdown]
# All lit boxes keep large weight matrices. These are what is rounded. Norms and biases are small, and stay. So do
# the embeddings: they are small here (in LLaMA-3-8B embedding and head are a billion numbers, and stay all the same).
#
# ## Bits
#
# A floating-point number has a sign, an exponent (how large) and a mantissa (how exact):
# $(-1)^{s} \cdot 2^{e - bias} \cdot 1.mmm\ldots$ An integer format has equal steps, and needs a scale beside it.

# %%
FLOATS = {
    "fp32": (torch.float32, torch.int32, 32, 8),
    "bf16": (torch.bfloat16, torch.int16, 16, 8),
    "fp16": (torch.float16, torch.int16, 16, 5),
}


def bits_of(number: float, name: str) -> tuple[str, str, float]:
    """The bits, the part that each belongs to (s, e, m, or i for an integer), and the number that they stand for."""
    if name in FLOATS:
        kind, whole, width, exponent = FLOATS[name]
        stored = torch.tensor(number, dtype=kind)
        text = format(int(stored.view(whole)) & (2**width - 1), f"0{width}b")
        return text, "s" + "e" * exponent + "m" * (width - 1 - exponent), float(stored)
    width = int(name[3:])
    top = 2 ** (width - 1) - 1  # with scale 1, the number 1 is `top`
    step = round(number * top)
    return format(step & (2**width - 1), f"0{width}b"), "i" * width, step / top


COLOURS = {"s": "C1", "e": "C3", "m": "C0", "i": "C2"}
number = -0.3
figure, axis = plt.subplots(figsize=(10, 2.4), layout="constrained")
for line, name in enumerate(("fp32", "bf16", "fp16", "int8", "int4")):
    text, parts, value = bits_of(number, name)
    for place, (bit, part) in enumerate(zip(text, parts)):
        axis.add_patch(plt.Rectangle((place, -line), 0.9, 0.8, color=COLOURS[part], alpha=0.75))
        axis.text(place + 0.45, 0.4 - line, bit, ha="center", va="center", fontsize=9)
    axis.text(-0.4, 0.4 - line, name, ha="right", va="center")
    axis.text(32.6, 0.4 - line, f"{value:.9g}", va="center", fontsize=9)
axis.set_xlim(-3, 38)
axis.set_ylim(-4.3, 1)
axis.axis("off")
axis.set_title(f"{number} in five formats: sign, exponent, mantissa; integers in steps of 1/127 and 1/7", fontsize=10)
plt.show()
for name in ("bf16", "fp16"):
    kind = FLOATS[name][0]
    info = torch.finfo(kind)
    print(f"{name}: largest {info.max:.3g}, smallest normal {info.tiny:.2g}, step at 1: {info.eps:.2g}")

# %% [markdown]
# bf16 is fp32 with the last 16 bits cut off: the same range, a coarse step. fp16 has a finer step and a small range, so that
# it overflows above 65,504. Four bits have 16 patterns. The question is which 16 numbers they should stand for.
#
# ## The formula
#
# $$s = \max_{\text{block}} |w| \qquad c = \arg\min_i \left| q_i - \tfrac{w}{s} \right| \qquad \hat w = q_c \cdot s
# \qquad \text{(blocks of 64 weights)}$$
#
# The 16 levels $q_i$ are the *codebook*. NF4 takes them from the normal distribution: with
# $\Phi^{-1}$ its quantile function and $\delta = \tfrac12\left(\tfrac1{32} + \tfrac1{30}\right)$,
#
# $$q^{+} \propto \Phi^{-1}\big(\text{8 equal steps from } 1-\delta \text{ down to } \tfrac12\big), \quad
# q^{-} \propto -\Phi^{-1}\big(\text{7 equal steps}\big), \quad q = 0$$
#
# and all divided by the largest. So weights near 0, which are many, get levels that lie close together.

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
block = torch.tensor([0.5, -0.2, 0.1, 0.0] + [0.0] * 12)
quantized = quantize_4bit(block, block_size=16)
print("bytes:  ", quantized.codes.tolist()[:2], "  scale:", quantized.scales.tolist())
print("NF4:    ", [round(value, 4) for value in dequantize_4bit(quantized).tolist()[:4]])
print(
    "uniform:", [round(value, 4) for value in dequantize_4bit(quantize_4bit(block, UNIFORM_CODEBOOK, 16)).tolist()[:4]]
)

# %% [markdown]
# ## The base's weights, and NF4's levels over them
#
# Every linear layer of the pronunciation model, each block of 64 divided by its own largest weight.

# %%
base = load_base()
linears = {path: module for path, module in base.named_modules() if type(module) is nn.Linear and path != "output"}
real = torch.cat([module.weight.detach().flatten() for module in linears.values()])
blocks = in_blocks(real, 64)
relative = normalized(blocks, blocks.abs().amax(dim=1)).flatten()
figure, axes = plt.subplots(2, 1, figsize=(8, 4.4), sharex=True, layout="constrained")
for axis, (name, colour) in zip(axes, (("nf4", "C1"), ("uniform", "C0"))):
    axis.hist(relative, bins=160, range=(-1, 1), color="#cccccc")
    axis.vlines(CODEBOOKS[name], 0, axis.get_ylim()[1], color=colour, linewidth=1.2)
    axis.set_yticks([])
    axis.set_title(f"{name}: its 16 levels over the base's {len(real):,} weights", fontsize=10)
axes[1].set_xlabel("weight / largest of its block (the peaks at ±1 are the largest ones themselves)")
plt.show()
for name in ("nf4", "uniform", "int4", "fp4"):
    codes, _ = encode(blocks, CODEBOOKS[name])
    usage = codes.flatten().bincount(minlength=16) / codes.numel()
    entropy = -(usage[usage > 0] * usage[usage > 0].log2()).sum()
    print(
        f"{name:<8} a code is used for {100 * usage.min():.1f} to {100 * usage.max():.1f} % of the weights; {entropy:.2f} of 4 bits carry something"
    )

# %% [markdown]
# ## What each format loses
#
# On the base's own weights, and on normal ones (as `python -m quant.error` does). RMS is relative to the weights' size.

# %%
normal = torch.randn(2**18 if quick() else 2**20)
tables = {"the base's weights": error_table(real), "normal weights": error_table(normal)}
spreads = {"the base's weights": real.std(), "normal weights": normal.std()}
for title, table in tables.items():
    print(f"{title + ', blocks of 64':<34}{'bits':>8}{'mean |error|':>14}{'RMS':>9}{'SNR, dB':>9}")
    for name, (bits, error) in table.items():
        size = float(spreads[title])
        print(
            f"{name:<34}{bits:>8.4f}{error.mean_absolute / size:>14.4f}{error.root_mean_square / size:>9.4f}{error.snr:>9.2f}"
        )

# %%
said_and_so(
    "The range from -1 to 1 is cut into 16 intervals, and a weight goes to the nearest of these 16 values.",
    "That is the uniform grid. NF4 has unequal steps: about 0.08 near 0, up to 0.30 at the ends. On normal weights and on "
    "the base's own its error is smaller than that of 16 equally spaced levels (15 equal steps), and it has an exact 0, which they lack. And -1 to 1 is no "
    "fixed range: each block of 64 weights has its own scale.",
    "the two tables above; `tests/quant/test_codebooks.py`",
)
said_and_so(
    "NF4 is information-theoretically optimal.",
    "Not in every sense. On normal weights affine INT4, with a minimum and a step for each block (5 bits instead of 4.5), has "
    "the smaller mean square; NF4 has the smaller mean error. And NF4's codes are not used equally often, as an optimal "
    "code's would be: dividing by the block's largest weight changes the distribution (arXiv 2306.06965).",
    "`INT4, affine` in the table above; the usage of the codes, two cells above",
)

# %% [markdown]
# And the model? We round all linear layers of the base, without any training, and count its errors.

# %%
probe = words("american", "development", 100 if quick() else 400)
scores = {"fp32": 100 * evaluate(load_base(), probe, "american").phoneme_error}
for name in ("nf4", "uniform", "int4", "fp4"):
    rounded = quantize_model(load_base(), codebook=CODEBOOKS[name], double_quant=True, compute_dtype=torch.float32)
    scores[name] = 100 * evaluate(rounded, probe, "american").phoneme_error
whole = quantize_model(load_base(), codebook=UNIFORM_CODEBOOK, block_size=2**14, compute_dtype=torch.float32)
scores["uniform, one scale\nfor 16,384 weights"] = 100 * evaluate(whole, probe, "american").phoneme_error
print({name.replace("\n", " "): round(error, 2) for name, error in scores.items()})
figure, axis = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
bars = axis.bar(list(scores), list(scores.values()), color=["black", "C1", *["C0"] * 4])
axis.bar_label(bars, fmt="%.2f", fontsize=9)
axis.margins(y=0.15)
axis.tick_params(axis="x", labelsize=8)
axis.set_ylabel("American phoneme error, %")
axis.set_title(f"the base, rounded; {len(probe)} words that it never saw", fontsize=10)
plt.show()

# %% [markdown]
# On so few words a few tenths of a point are noise: this model hardly notices four bits, whatever their levels. Even one
# scale for a whole matrix does little harm here. The base's weights are well-behaved: none is much larger than the rest.
# Those of large models are not.
#
# ## Why blocks? One outlier
#
# The scale is the *largest* weight. One weight of 20 standard deviations among 4,096 makes all its neighbours' levels
# coarse, but only those in its own block.

# %%
plain = torch.randn(2**17 if quick() else 2**19)
spoilt = plain.clone()
spoilt[::4096] = 20.0
others = torch.ones_like(plain, dtype=torch.bool)
others[::4096] = False
sizes = [32, 64, 128, 256, 1024, 4096]
figure, axes = plt.subplots(1, 2, figsize=(9, 2.9), layout="constrained")
for weights, label in ((plain, "normal weights"), (spoilt, "with one outlier in 4,096")):
    loss = []
    for size in sizes:
        back = dequantize_4bit(quantize_4bit(weights, block_size=size))
        loss.append(float((back - weights)[others].square().mean().sqrt()))
    axes[0].plot(sizes, loss, "o-", label=label)
    print(f"{label:<28}" + "  ".join(f"{size}: {value:.3f}" for size, value in zip(sizes, loss)))
axes[0].set_title("error of all other weights (RMS)", fontsize=10)
axes[0].legend(fontsize=8)
axes[1].plot(sizes, [4 + 32 / size for size in sizes], "o-", label="one fp32 scale for each block")
axes[1].plot(sizes, [4 + 8 / size + 32 / (256 * size) for size in sizes], "o-", label="double quantization")
axes[1].set_title("bits for each weight", fontsize=10)
axes[1].legend(fontsize=8)
for axis in axes:
    axis.set_xscale("log", base=2)
    axis.set_xticks(sizes, sizes)
    axis.set_xlabel("block size")
plt.show()

# %% [markdown]
# Small blocks are exact and expensive; large ones are cheap and coarse. 64 is the usual choice.
#
# ## Double quantization, by hand
#
# A scale in 32 bits for 64 weights: $4 + \frac{32}{64} = 4.5$ bits. But scales are numbers too. They are all positive and
# alike, so their mean is taken off, and each becomes 8 bits; 256 of them share one scale of 32 bits:
#
# $$4 + \frac{8}{64} + \frac{32}{64 \cdot 256} = 4 + 0.125 + 0.001953125 = 4.126953125$$

# %%
show_source(compress_scales)

# %%
matrix = torch.randn(256, 256)
for double_quant in (False, True):
    quantized = quantize_4bit(matrix, double_quant=double_quant)
    lost = float((dequantize_4bit(quantized) - matrix).square().mean().sqrt())
    print(
        f"double quantization {double_quant!s:<6} {quantized.bits_per_parameter} bits per weight, RMS error {lost:.5f}"
    )
saved = 4.5 - 4.126953125
print(f"saved: {saved} bits per weight, {saved * 65e9 / 8 / 1e9:.2f} GB for 65 billion weights; the error hardly moves")
rounded = quantize_model(load_base())
packed = sum(module.nbytes for module in rounded.modules() if hasattr(module, "dequantized"))
print(
    f"the base's linear layers: {sum(4 * (m.weight.numel() + m.bias.numel()) for m in linears.values()):,} bytes in fp32, {packed:,} in NF4"
)

# %% [markdown]
# ## What it trains, gains, costs
#
# | | |
# |---|---|
# | trains | nothing: this is only how a weight is kept |
# | gain | 4.127 bits in place of 32 or 16 |
# | price | every product needs the weights back in 16 or 32 bits for a moment; the rounding stays in the model |
#
# **LoRA or adapter?** Neither: NF4 is a format for the *frozen* part. Lesson 16 puts LoRA beside it. A trained weight cannot
# live in 4 bits: a small step of the optimizer would round to nothing.
#
# ## The usual mistakes
#
# - **The paper's formula 4 is coded, and another table comes out.** It has a quantile at infinity, and the shipped numbers
#   come from another rule (qlora issue 94; bitsandbytes issues 440, 938 and 1772). The rule is above.
# - **A table with 15 levels.** NF4 mirrored about 0 has 15 (so in an answer in qlora issue 299). The real one has 7 levels below
#   0 and 8 above it. The exercise `normal_float` meets the same slip.
# - **The halves of the byte swapped.** The first code is in the *high* half. Nothing fails: the weights are only in pairs
#   the wrong way round.
# - **One scale for the whole tensor**, since it did no harm on a small model. Then an outlier comes: see the figure above.
# - **"fp4" is taken for the E2M1 of other standards.** bitsandbytes has other magnitudes (its issue 988), and
#   `fp4`, not `nf4`, is the default of its 4-bit layer. Say which one you want.
# - **"NF4 is best" without a measure.** Best in what: mean error, mean square, bits? See the table.

# %%
affine, nf4 = quantize_affine(normal), quantize_4bit(normal)
print(
    f"what affine INT4 pays for its smaller mean square: {affine.bits_per_parameter} bits against {nf4.bits_per_parameter}"
)

# %%
exercises_of(15)

# %% [markdown]
# ## Where to read on
#
# - *QLoRA: Efficient Finetuning of Quantized LLMs* (arXiv 2305.14314): NF4 and double quantization.
# - *NF4 Isn't Information Theoretically Optimal (and that's Good)* (arXiv 2306.06965).
# - *8-bit Optimizers via Block-wise Quantization* (arXiv 2110.02861): blocks, and the map that double quantization uses.
# - *LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale* (arXiv 2208.07339): where outliers come from.
# - *The case for 4-bit precision: k-bit Inference Scaling Laws* (arXiv 2212.09720).
