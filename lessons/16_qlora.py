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
# 16. QLoRA

**The question.** A model of 33 billion weights takes 66 GB in 16 bits, and your card has 24. In four bits it would fit. But a
weight in four bits cannot be trained: a small step rounds to nothing. How do you fine-tune a model whose weights cannot move?

**You will be able to**

- say what is kept in 4, in 16 and in 32 bits in QLoRA, and why
- follow a gradient through a frozen matrix that exists only for a moment
- fine-tune a rounded model, and merge the result in three ways
- count what a fine-tuning needs, byte by byte

**Time:** 45 minutes. **Before it:** [LoRA](13_lora.ipynb) and [NF4](15_nf4.ipynb).
"""

# %% tags=["hide-input"]
import torch
from torch.nn import functional as F

from lessons.experiments.qlora import (
    FACTORS,
    X,
    Merging,
    bytes_of,
    bytes_saved,
    codes_of,
    errors_of_a_product,
    layer_by_hand,
    learn_by_hand,
    lora_on_four_bits,
    merged_by_hand,
    plans,
)
from lessons.experiments.qlora_figures import draw_bits, draw_losses, draw_memory, draw_merges
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, pairs, words
from lessons.task.finetuning import adapter_config, fine_tune, prepared_base, rate_of, training_config
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate
from lessons.teaching import (
    claim,
    exercises_of,
    kept_run,
    lit_diagram,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from peft import LoraLinear, get_peft_model
from peft.qlora import lost_share, merged_in_4bit, on_nf4
from quant import Linear4bit, dequantize_4bit, quantize_4bit
from quant.product import LinearFromCodes
from transformer import train

set_threads()
torch.manual_seed(0)
lit_diagram("attention", "feed_forward", "weights")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_bits(),
    title="Codes are kept; a matrix in 16 bits is made of them for one product; what learns has 32 bits",
    alt="The codes 15, 3, 9, 7 of four bits each and a scale 0.5 of 32 bits are looked up and multiplied. They give the weights 0.500, "
    "-0.197, 0.080 and 0 in bf16, which exist only for one product: 0.383. Beside it A and B, in 32 bits and learnt, add 0.1; y is "
    "0.483.",
)

# %% [markdown]
# ## The idea
#
# LoRA never changes $W$. It only needs the product with $W$, forward and backward. So $W$ may be kept in any form from which
# this product can be made: as four-bit codes and scales, for example. That is all of QLoRA: LoRA beside a frozen matrix in NF4.
#
# A processor cannot multiply four-bit codes. So the matrix is made again for each product: every code is looked up in the
# table of 16 levels and multiplied with its block's scale. The result $\hat W$ is a matrix of 16 bits, in the format
# **bfloat16** (bf16). With it the product is made, and then it is thrown away. There is one such matrix at a time, not one for each
# layer. The backward pass makes it once more.
#
# | what | bits | why so many |
# |---|---|---|
# | codes of $W$ | 4 | most of the bytes; they never change |
# | the blocks' scales | 8, and 32 for 256 of them | double quantization ([lesson 15](15_nf4.ipynb)) |
# | $\hat W$, and the $x$ that meets it | 16, bf16: the *compute type* | exact enough for a product, and fast on a graphics card |
# | embeddings, norms, biases | 16 or 32 | few numbers; never rounded to four bits |
# | $A$ and $B$, their gradients, Adam's two moments | 32 | a small step must not round to nothing |
#
# bf16 has the range of a number in 32 bits and 8 significant bits. It is a format to *compute* in. What is *kept* is the codes, and
# what *learns* is in 32 bits. In Hugging Face's configuration these are two settings: `bnb_4bit_quant_type="nf4"` and
# `bnb_4bit_compute_dtype=torch.bfloat16`. On a processor without fast bf16 this course computes in 32 bits.

# %% [markdown]
# ## The formula
#
# $$y = x\,\hat W^{\top} + b + \frac{\alpha}{r}\, x A^{\top} B^{\top}, \qquad
# \hat W = \mathrm{bf16}\bigl(\mathrm{dequantize}(\text{codes}, \text{scales})\bigr)$$
#
# $$\frac{\partial L}{\partial x} = \frac{\partial L}{\partial y}\,\hat W + \ldots \qquad
# \frac{\partial L}{\partial W}: \text{ not computed} \qquad \frac{\partial L}{\partial A}, \frac{\partial L}{\partial B}: \text{ as in LoRA}$$
#
# $x \hat W^\top$ is computed in bf16, $x A^\top B^\top$ with weights of 32 bits. The gradient passes *through* $\hat W$ to the layers
# below. It never goes *into* it. Between forward and backward only the codes are kept.

# %% [markdown]
# ## The code
#
# There is no QLoRA layer. It is `LoraLinear` ([lesson 13](13_lora.ipynb)) around `Linear4bit`:

# %%
show_source(LinearFromCodes, on_nf4, merged_in_4bit, lost_share)

# %% [markdown]
# ## By hand
#
# One row of 16 weights: 0.5, -0.2, 0.1, and zeros. Lesson 15 rounded it to $\hat W = (0.5, -0.1975, 0.0805, 0, \ldots)$.
# With $x = (1, 1, 1, 0, \ldots)$: $y = 0.5 - 0.1975 + 0.0805 = 0.3830$, and $\partial y / \partial x = \hat W$.
#
# LoRA learns $\Delta W = (0.1, 0, 0, \ldots)$, so $y = 0.4830$. Now merge, back into four bits. The largest weight is 0.6 now, and
# so is the scale. $-0.1975 / 0.6 = -0.329$ becomes level $-0.2844$, that is $-0.1707$; $0.0805 / 0.6 = 0.134$ becomes $0.1609$,
# that is $0.0966$. Two weights moved that nobody wanted to move: by 0.0268 and 0.0161. The length of this error is 0.031; the
# update's is 0.1. So about 31 % of the update is rounding error.

# %%
layer, x = layer_by_hand(), X.clone().requires_grad_()
y = layer(x)
y.backward()
print(f"y = {y.item():.4f}, gradient of x = {[round(value, 4) for value in x.grad.tolist()[:4]]}")
learn_by_hand(layer)
print(f"with LoRA: y = {layer(X).item():.4f}")
merged, warning = merged_by_hand(layer)
print(f"{warning}: {[round(value, 4) for value in merged.tolist()[:4]]}")

# %% [markdown]
# ## Experiment: what does bf16 lose?
#
# A product of the base, in three ways: in bf16, with the weights in NF4, and with both.

# %%
lost = errors_of_a_product()
print("1 + 0.001 in bf16:", (torch.tensor(1.0, dtype=torch.bfloat16) + 0.001).item())

# %% tags=["hide-input"]
claim(lost["nf4"] > 5 * lost["bf16"], "bf16 loses far less than four bits", **lost)
claim(lost["both"] < 1.1 * lost["nf4"], "bf16 adds hardly anything", **lost)
prose(
    "bf16 alone is off by {bf16:.2f} % of the result's size, NF4 by {nf4:.1f} %, both together by {both:.1f} %. So it costs nothing to "
    "compute in bf16 what was rounded to four bits. A *weight that learns* is another matter: the printed line shows a step that is "
    "a thousandth of the weight, and in bf16 it is lost. That is why A and B have 32 bits.",
    **lost,
)

# %% [markdown]
# ## Experiment: round, place, learn
#
# Three lines make a fine-tuned model of the base. The rounding is done once, before training.

# %%
steps = 4 if quick() else 60
development = words("british", "development", 60 if quick() else 300)
base = load_base()
whole = bytes_of(base)
rounded = prepared_base("qlora", base)  # on_nf4, shown above; computes in 32 bits where the processor has no bf16
before = 100 * evaluate(rounded, development, "british").phoneme_error
tuned = get_peft_model(rounded, adapter_config("qlora"))
packed, codes = bytes_of(rounded), codes_of(tuned)
torch.manual_seed(0)
examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
losses = train(tuned, examples, training_config(steps, rate_of("qlora"), seed=0))
after = 100 * evaluate(tuned, development, "british").phoneme_error
_, plain_losses = fine_tune("lora", steps=steps)

# %% tags=["hide-input"]
same = all(torch.equal(codes[path], each.codes) for path, each in tuned.named_modules() if isinstance(each, Linear4bit))
american = words("american", "development", len(development))
numbers = {
    "whole": whole / 1e6,
    "packed": packed / 1e6,
    "before": before,
    "after": after,
    "steps": steps,
    "four": sum(losses[-10:]) / len(losses[-10:]),
    "plain": sum(plain_losses[-10:]) / len(plain_losses[-10:]),
}
claim(same, "no code changed")
claim(numbers["after"] < numbers["before"], "it learns", **numbers)
claim(abs(numbers["four"] - numbers["plain"]) < 0.3 * numbers["plain"], "the curves lie together", **numbers)
show_figure(
    draw_losses({"LoRA, base in 32 bits": plain_losses, "QLoRA, base in NF4": losses}),
    title="After {steps} steps the loss is {four:.2f} on a base in four bits, {plain:.2f} on one in 32",
    alt="Two curves of the training loss over the steps, for LoRA on a base in 32 bits and in NF4. They lie close together.",
    **{name: numbers[name] for name in ("steps", "four", "plain")},
)
prose(
    "{whole:.1f} MB in 32 bits became {packed:.1f} MB with the adapter. The British phoneme error went from {before:.1f} to {after:.1f} % "
    "in {steps} steps, and no code changed. The adapter learns the task beside the rounded matrix.",
    **{name: numbers[name] for name in ("whole", "packed", "before", "after", "steps")},
)
exact, coarse = (
    100 * evaluate(model, american, "american").phoneme_error
    for model in (load_base(), prepared_base("qlora", load_base()))
)
claim(abs(exact - coarse) < 1.5, "four bits hardly change the base", exact=exact, coarse=coarse)
prose(
    "What do the four bits alone do to the base? Before any adapter its American phoneme error on {count} words is {exact:.2f} % in 32 "
    "bits and {coarse:.2f} % in NF4.",
    exact=exact,
    coarse=coarse,
    count=len(american),
)

# %% [markdown]
# ## Experiment: what is kept for the backward pass
#
# `F.linear(x, dequantize_4bit(W))` gives the same numbers. But then torch keeps $\hat W$, in full, for every layer, until the
# backward pass. torch can call a function (a *hook*) with every tensor that it saves; `bytes_saved` adds up their bytes.

# %%
large = torch.nn.Linear(512, 512, bias=False)
packed_layer, quantized = Linear4bit.from_linear(large, compute_dtype=torch.float32), quantize_4bit(large.weight)
x = torch.randn(1, 512, requires_grad=True)
kept = {
    "F.linear": bytes_saved(lambda: F.linear(x, dequantize_4bit(quantized))),
    "Linear4bit": bytes_saved(lambda: packed_layer(x)),
}
print(kept)

# %% tags=["hide-input"]
claim(kept["F.linear"] > 5 * kept["Linear4bit"], "dequantized outside, the weight is kept in full")
prose(
    "The detour keeps {times:.1f} times as many bytes.",
    times=kept["F.linear"] / kept["Linear4bit"],
)

# %% [markdown]
# ## Experiment: three ways to merge
#
# The shipped adapter `lessons/adapters/british/qlora` (`python -m lessons compare`) was trained on the *rounded* base. There are
# three ways to merge it.

# %%
merging = Merging()
shares = [merging.lost_at(factor) for factor in FACTORS]
errors = merging.errors(lambda model: 100 * evaluate(model, development, "british").phoneme_error)

# %% tags=["hide-input"]
numbers = {
    "length": merging.length,
    "lost": shares[FACTORS.index(1.0)],
    "small": shares[0],
    "apart": errors["not merged"],
    "again": errors["into Ŵ, then\n4 bits again"],
    "original": errors["into the\noriginal W"],
    "before": before,
}
claim(numbers["small"] > 1.5 * numbers["lost"], "a small update loses a larger share", **numbers)
claim(numbers["again"] < 0.75 * before, "rounded again, the accent is still there", **numbers)
claim(numbers["original"] < numbers["apart"] + 0.5, "on the original it does no harm here", **numbers)
show_figure(
    draw_merges([factor * merging.length for factor in FACTORS], shares, errors, before),
    title="Merged into four bits, {lost:.0f} % of the update is rounding error; the error goes from {apart:.1f} to {again:.1f} %",
    alt="Left, the rounding error as a share of the update: {small:.0f} % for the shortest, {lost:.0f} % at its true length. Right, British "
    "phoneme error: {apart:.1f} % not merged, {again:.1f} % rounded again, {original:.1f} % merged into the original matrix; the "
    "rounded base alone has {before:.1f} %.",
    **{name: numbers[name] for name in ("lost", "apart", "again", "small", "original", "before")},
)
prose(
    "Small updates suffer most: a step of the grid is larger than they are, and most weights fall back on their old level. Here the "
    "update is {length:.0f} % as long as the matrix, since a new accent is a large change. {lost:.0f} % of its length is rounding "
    "error, and yet the accent is there: the error points everywhere, the update where it matters.",
    length=numbers["length"],
    lost=numbers["lost"],
)
prose(
    """- **Into $\\hat W$, kept in 32 bits**: exact up to rounding, and no longer small. (In bf16 a small update is rounded away here too.)
- **Into $\\hat W$, then rounded again**: small, with another rounding error. {again:.1f} % here, {apart:.1f} % before; on {count} words
  half a point is noise. Measure your own task.
- **Into the original $W$**: the adapter never saw it, and may have learnt to make up for a rounding that is not there now. Here it
  comes to {original:.1f} %, so it had not.""",
    count=len(development),
    **{name: numbers[name] for name in ("again", "apart", "original")},
)

# %% [markdown]
# Without a merge nothing is lost: keep the codes and the adapter side by side.

# %% [markdown]
# ## Experiment: what memory is made of
#
# `python -m lessons memory --model llama-33b --method qlora --checkpointing` says what each byte is. It builds the model without
# weights and counts. Here are its numbers for one sequence of 512 tokens:

# %%
counted = plans("llama-33b", ("full", "lora", "qlora"))

# %% tags=["hide-input"]
sizes = counted["qlora"].bytes
numbers = {method: found.total / 1e9 for method, found in counted.items()} | {
    "codes": sizes["codes"] / 1e9,
    "activations": sizes["activations"] / 1e9,
    "one": sizes["one matrix"] / 1e9,
    "optimizer": sizes["optimizer"] / 1e9,
}
claim(numbers["qlora"] < 24 < numbers["lora"], "only QLoRA fits on 24 GB", **numbers)
show_figure(
    draw_memory(counted),
    title="LLaMA 33B: full fine-tuning {full:.0f} GB, LoRA {lora:.0f} GB, QLoRA {qlora:.1f} GB",
    alt="Bars of bytes by kind. Full fine-tuning {full:.0f} GB, LoRA {lora:.0f} GB, QLoRA {qlora:.1f} GB. The panel below shows QLoRA "
    "alone up to 26 GB: the codes take {codes:.1f} GB, recomputed activations {activations:.1f} GB, one matrix in 16 bits {one:.2f} GB.",
    **{name: numbers[name] for name in ("full", "lora", "qlora", "codes", "activations", "one")},
)
said_and_so(
    said="With QLoRA a LLaMA of 33 billion weights can be trained on a card of 24 GB.",
    so="By count yes: {qlora:.1f} GB with one sequence of 512 tokens and recomputed activations. Longer sequences or larger batches "
    "need more: it is the activations that grow, and four bits do not shrink them.",
    shown_by="`python -m lessons memory --model llama-33b --method qlora --checkpointing`; the figure above",
    qlora=numbers["qlora"],
)
said_and_so(
    said="QLoRA updates a part of the parameters and quantizes at the same time.",
    so="The base is quantized once, before training. During training nothing is quantized: the codes stay, bit for bit, and A and B "
    "are in 32 bits. What happens at every step is the opposite, *de*quantizing.",
    shown_by="the experiment “round, place, learn”, where no code changed; `tests/peft/test_qlora.py`",
)
prose(
    "**Paged optimizers**, the paper's third idea, do not compress anything. The optimizer's numbers are put into memory that the "
    "graphics card and the computer share. When a long sequence makes the activations grow for a moment, the driver moves some pages "
    "of them to the computer's memory, and back for the step. That helps over a peak, and costs a transfer. The number of bytes is the "
    "same. With LoRA the optimizer's numbers are few anyway: {optimizer:.1f} of the {qlora:.1f} GB above.",
    **{name: numbers[name] for name in ("optimizer", "qlora")},
)

# %% [markdown]
# ## Experiment: what it gains, and what it costs
#
# The saved full run, on the whole British test part (`python -m lessons compare`, `lessons/results/report.json`).

# %%
kept_run("full", "lora", "qlora", "lora_int4", "lora_fp4")

# %% tags=["hide-input"]
said_and_so(
    said="QLoRA needs little computation and little memory.",
    so="Each product first makes its matrix again from the codes, twice per step: QLoRA took {qlora_seconds:.0f} s, LoRA on 32 bits "
    "{lora_seconds:.0f} s. And little memory is a matter of size: here the peak is {qlora_peak:,.0f} MB against {lora_peak:,.0f} MB, "
    "because activations and matrices that exist for a moment outweigh a small base. For a model of 33 billion weights the base is "
    "most of it (figure above).",
    shown_by="the columns `seconds` and `peak, MB` in the table above",
    **{name: lora_on_four_bits()[name] for name in ("qlora_seconds", "lora_seconds", "qlora_peak", "lora_peak")},
)
prose(
    "British phoneme error over {seeds} seeds: LoRA on 32 bits {lora_error:.1f} %; on NF4 {qlora_error:.1f} % ({qlora_way} it), on INT4 "
    "{lora_int4_error:.1f} % ({lora_int4_way} it), on FP4 {lora_fp4_error:.1f} % ({lora_fp4_way} it). Even what FP4 loses, most in "
    "lesson 15, the training makes up for to within a point.",
    **{
        name: value
        for name, value in lora_on_four_bits().items()
        if name.endswith(("_error", "_way")) or name == "seeds"
    },
)

# %% [markdown]
# Any technique that leaves $W$ alone can stand on a base in four bits: [adapters](17_adapters.ipynb) too, and prompts. LoRA is the
# usual one. What changes is the merge: it was exact, and is so no longer.

# %% [markdown]
# ## The usual mistakes
#
# - **Merged into the original weights.** It "works", and differs from what was trained
#   ([peft#1043](https://github.com/huggingface/peft/issues/1043), [peft#1080](https://github.com/huggingface/peft/issues/1080),
#   [peft#2105](https://github.com/huggingface/peft/issues/2105): the same question three times). Compare against the
#   *dequantized* base, as above.
# - **The warning is ignored.** "Merge lora module to 4-bit linear may get different generations" is no bug, and cannot be
#   avoided ([peft#2321](https://github.com/huggingface/peft/issues/2321)). Here the warning gives the size of the error.
# - **LoRA first, then four bits.** The thin matrices are linear layers too, and would be rounded with the rest. First quantize,
#   then place.
# - **A and B in bf16 too**, to save memory. Small steps round to nothing, see above; and they are few bytes.
# - **The dequantized weight is kept by autograd.** The numbers are right and the memory is gone. Count, as above.
# - **The default of bitsandbytes is FP4**, not NF4. Ask for `nf4`.
# - **The compute type is forgotten.** Its default there is 32 bits: right, and slow on a graphics card.
# - **Merged in four bits where there are none**: refused here.

# %%
try:
    merged_in_4bit(LoraLinear(torch.nn.Linear(4, 4), rank=1, alpha=1))
except TypeError as error:
    print(error)

# %% [markdown]
# ## Three questions
#
# <details><summary>Which numbers of QLoRA are in 16 bits, and for how long?</summary>
#
# $\hat W$ and the input that meets it, for one product: once forward, once backward. (Embeddings and norms of a large model are kept
# in 16 bits all the time.)
#
# </details>
#
# <details><summary>The gradient passes through Ŵ. Why is there no gradient for W?</summary>
#
# The codes are whole numbers that never change, so nobody needs it. To reach the layers below, the gradient of $x$ suffices:
# $\partial L/\partial y$ times $\hat W$.
#
# </details>
#
# <details><summary>Why is the loss of a merge into four bits largest for a small update?</summary>
#
# The grid's steps do not shrink with the update. What is much smaller than a step mostly rounds back to the old level.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(16)

# %% [markdown]
# ## Summary
#
# - QLoRA is LoRA beside a frozen base in NF4: kept in 4 bits, computed in bf16, learnt in 32 bits.
# - The matrix in 16 bits is made for each product and thrown away, forward and backward.
# - It pays where the base is most of the memory. It costs time in every step, and the merge is large or lossy.

# %% [markdown]
# ## Where to read on
#
# - Dettmers et al., [*QLoRA: Efficient Finetuning of Quantized LLMs*, arXiv 2305.14314](https://arxiv.org/abs/2305.14314)
# - [*LoftQ: LoRA-Fine-Tuning-Aware Quantization*, arXiv 2310.08659](https://arxiv.org/abs/2310.08659): let $A$ and $B$ start at
#   what the rounding took ([`peft/loftq.py`](../../peft/loftq.py))
# - [*QA-LoRA*, arXiv 2309.14717](https://arxiv.org/abs/2309.14717): an adapter that merges into the codes without loss
# - [*Training Deep Nets with Sublinear Memory Cost*, arXiv 1604.06174](https://arxiv.org/abs/1604.06174): recomputed activations
# - [*8-bit Optimizers via Block-wise Quantization*, arXiv 2110.02861](https://arxiv.org/abs/2110.02861): optimizer states that
#   *are* compressed
# - Next: [lesson 17](17_adapters.ipynb), new layers between the old ones. In the code: [`peft/qlora.py`](../../peft/qlora.py),
#   [`quant/product.py`](../../quant/product.py)
