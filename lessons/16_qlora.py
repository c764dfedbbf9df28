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

The base is kept in four bits and never changes; LoRA beside it is trained in full precision.
So a model that is too large for your card in 16 bits can still be fine-tuned on it.
"""

# %%
import warnings
from pathlib import Path
from statistics import mean

import torch
from matplotlib import pyplot as plt
from torch import nn
from torch.nn import functional as F

import lessons
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, pairs, words
from lessons.task.finetuning import adapter_config, prepared_base, rate_of, training_config
from lessons.task.machine import set_threads
from lessons.memory.plan import KINDS, Setting, plan
from lessons.task.scoring import evaluate
from lessons.teaching import exercises_of, kept_run, lit_diagram, quick, said_and_so, show_source
from peft import LoraLinear, PeftModel, get_peft_model
from peft.low_rank import product
from peft.qlora import lost_share, merged_in_4bit, on_nf4
from peft.frame.weights import weight_of
from quant import Linear4bit, dequantize_4bit, quantize_4bit
from quant.product import LinearFromCodes
from transformer import train

set_threads()
torch.manual_seed(0)
HERE = Path(lessons.__file__).parent
QLORA = HERE / "adapters" / "british" / "qlora"
lit_diagram("attention", "feed_forward", "weights")

# %% [markdown]
# The same boxes as with LoRA: what was $W$ is now codes and scales (lesson 15), and $A$ and $B$ stand beside it.
#
# ## The formula
#
# $$y = x\,\hat W^{\top} + b + \frac{\alpha}{r}\, x A^{\top} B^{\top}, \qquad \hat W = \mathrm{dequantize}(\text{codes}, \text{scales})$$
#
# $$\frac{\partial L}{\partial x} = \frac{\partial L}{\partial y}\,\hat W + \ldots \qquad
# \frac{\partial L}{\partial W}: \text{ not computed} \qquad \frac{\partial L}{\partial A}, \frac{\partial L}{\partial B}: \text{ as in LoRA}$$
#
# The gradient passes *through* $\hat W$ to the layers below. It never goes *into* it. And $\hat W$ itself is made anew for each
# product, forward and backward, and thrown away: between the two only the codes are kept.
#
# There is no QLoRA layer. It is `LoraLinear` (lesson 13) around `Linear4bit`:

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
# that is $0.0966$. Two weights moved that nobody wanted to move: by 0.0268 and 0.0160. The length of this error is 0.031; the
# update's is 0.1. So about 31 % of the update is rounding error.

# %%
row = nn.Linear(16, 1, bias=False)
with torch.no_grad():
    row.weight.copy_(torch.tensor([[0.5, -0.2, 0.1] + [0.0] * 13]))
small = Linear4bit.from_linear(row, block_size=16, double_quant=False, compute_dtype=torch.float32)
layer = LoraLinear(small, rank=1, alpha=1)
x = torch.tensor([1.0, 1.0, 1.0] + [0.0] * 13, requires_grad=True)
y = layer(x)
y.backward()
print(f"y = {y.item():.4f}, gradient of x = {[round(value, 4) for value in x.grad.tolist()[:4]]}")
with torch.no_grad():
    layer.lora_A.weight.zero_()[0, 0] = 1.0
    layer.lora_B.weight.fill_(0.1)
    print(f"with LoRA: y = {layer(x).item():.4f}")
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    again = merged_in_4bit(layer)
print(f"merged into four bits: {[round(value, 4) for value in again.dequantized()[0].tolist()[:4]]}")
print(said[-1].message)

# %% [markdown]
# ## From a histogram to a fine-tuned model, in five short functions
#
# Each is a few lines, and each can be run and looked at alone.

# %%
steps, probe = (4, 60) if quick() else (60, 300)
development = words("british", "development", probe)


def look(model: nn.Module) -> None:
    """1. What is there: the weights' histogram. They are near normal, so NF4 suits them."""
    weights = torch.cat([m.weight.detach().flatten() for m in model.modules() if type(m) is nn.Linear])
    _, axis = plt.subplots(figsize=(5, 2.2), layout="constrained")
    axis.hist(weights, bins=200, range=(-0.5, 0.5), color="C0")
    axis.set_title(f"the base's {len(weights):,} linear weights", fontsize=10)
    axis.set_yticks([])
    plt.show()


def round_to_four_bits(model: nn.Module) -> nn.Module:
    """2. Every linear layer becomes a Linear4bit. It is done once, before training."""
    before = sum(p.nbytes for p in model.parameters())
    model = prepared_base("qlora", model)  # on_nf4, shown above; its products in fp32 where the processor has no bf16
    after = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
    print(f"{before:,} bytes in fp32 became {after:,}")
    return model


def put_lora_on(model: nn.Module) -> PeftModel:
    """3. Thin matrices in fp32 beside the codes."""
    tuned = get_peft_model(model, adapter_config("qlora"))
    tuned.print_trainable_parameters()
    return tuned


def learn(model: PeftModel) -> list[float]:
    """4. Only A and B (and one row for a new symbol) get gradients."""
    examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
    return train(model, examples, training_config(steps, rate_of("qlora"), seed=0))


def listen(model: nn.Module) -> float:
    """5. How wrong is it?"""
    return 100 * evaluate(model, development, "british").phoneme_error


# %%
base = load_base()
look(base)
rounded = round_to_four_bits(base)
before = listen(rounded)
tuned = put_lora_on(rounded)
codes = {path: m.codes.clone() for path, m in tuned.named_modules() if isinstance(m, Linear4bit)}
losses = learn(tuned)
print(f"British phoneme error: {before:.1f} % before, {listen(tuned):.1f} % after {steps} steps ({probe} words)")
same = all(torch.equal(codes[path], m.codes) for path, m in tuned.named_modules() if isinstance(m, Linear4bit))
print("the codes are the same before and after training:", same)

# %%
plain = PeftModel(load_base(), adapter_config("lora"))
examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
torch.manual_seed(0)
plain_losses = train(plain, examples, training_config(steps, rate_of("lora"), seed=0))
figure, axis = plt.subplots(figsize=(5, 2.6), layout="constrained")
axis.plot(losses, label="QLoRA: base in NF4")
axis.plot(plain_losses, label="LoRA: base in fp32", linestyle="--")
axis.set_xlabel("step")
axis.set_ylabel("training loss")
axis.set_yscale("log")
axis.legend(fontsize=8)
plt.show()

# %% [markdown]
# The curves lie on each other: the adapter learns the task and, on the way, makes up for what the rounding did.
#
# ## What is kept for the backward pass
#
# `F.linear(x, dequantize_4bit(W))` gives the same numbers. But then torch keeps $\hat W$, in full, for every layer, until the
# backward pass. We count the bytes that each way saves.

# %%


def bytes_saved(run) -> int:
    counted = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: counted.append(tensor.nbytes) or tensor, lambda t: t):
        run()
    return sum(counted)


large = nn.Linear(512, 512, bias=False)
packed = Linear4bit.from_linear(large, compute_dtype=torch.float32)
quantized = quantize_4bit(large.weight, double_quant=True)
x = torch.randn(1, 512, requires_grad=True)
print(
    f"F.linear on the dequantized weight saves {bytes_saved(lambda: F.linear(x, dequantize_4bit(quantized))):>9,} bytes"
)
print(f"Linear4bit saves                         {bytes_saved(lambda: packed(x)):>9,} bytes")

# %% [markdown]
# ## Merging
#
# The shipped adapter `lessons/adapters/british/qlora` (`python -m lessons compare`) was trained on the *rounded* base. There are
# three ways to merge it.

# %%
model = PeftModel.from_pretrained(prepared_base("qlora", load_base()), QLORA)
updates = [
    (weight_of(module.base), product(module.lora_B, module.lora_A, module.scaling).detach(), module)
    for module in model.modules()
    if isinstance(module, LoraLinear)
]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    shares = [lost_share(wanted, weight_of(merged_in_4bit(module)) - weight) for weight, wanted, module in updates]
length = mean(float(wanted.norm() / weight.norm()) for weight, wanted, _ in updates)
print(
    f"the update is {100 * length:.0f} % as long as the weight; in four bits {100 * mean(shares):.0f} % of it is rounding error"
)


def lost_at(factor: float) -> float:
    """The same, if the update were `factor` times as long."""
    return mean(
        lost_share(
            factor * wanted, dequantize_4bit(quantize_4bit(weight + factor * wanted, double_quant=True)) - weight
        )
        for weight, wanted, _ in updates
    )


factors = (0.03, 0.1, 0.3, 1.0, 2.0)
lost = [lost_at(factor) for factor in factors]
errors = {"not merged": listen(model)}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    into_rounded = model.merge_and_unload()
errors["into Ŵ, kept\nin fp32"] = listen(into_rounded)
errors["into Ŵ, then\n4 bits again"] = listen(prepared_base("qlora", into_rounded))
onto_original = PeftModel.from_pretrained(load_base(), QLORA, check_base=False).merge_and_unload()
errors["into the\noriginal W"] = listen(onto_original)
errors["Ŵ alone"] = before
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.9), width_ratios=[2, 3], layout="constrained")
axes[0].plot([100 * factor * length for factor in factors], [100 * each for each in lost], "o-")
axes[0].set_xscale("log")
axes[0].set_xlabel("length of ΔW, % of W")
axes[0].set_ylabel("rounding error, % of ΔW")
axes[0].set_title("merged back into 4 bits", fontsize=10)
bars = axes[1].bar(list(errors), list(errors.values()), color=["C2", "C2", "C1", "C3", "grey"])
axes[1].bar_label(bars, fmt="%.1f", fontsize=9)
axes[1].tick_params(axis="x", labelsize=8)
axes[1].set_ylabel("British phoneme error, %")
plt.show()
print({name.replace("\n", " "): round(value, 2) for name, value in errors.items()})

# %% [markdown]
# Small updates suffer most (left): a step of the grid is larger than they are, and most weights fall back on their old level.
# Here the update is large, since a new accent is a large change. More than half of its length is rounding error, and
# yet the accent is there (right). The error points everywhere; the update points where it matters. And it is no larger
# than that of the first rounding, which the model could bear too.
#
# - **Into $\hat W$, kept in 16 or 32 bits**: exact, and no longer small.
# - **Into $\hat W$, then rounded again**: small, with another rounding error. Measure the task, as here; differences of half a point are noise.
# - **Into the original $W$**: the adapter never saw it. It had learnt to make up for the rounding, which is not there now. Here it does no harm.
#
# Without a merge nothing is lost: keep the codes and the adapter side by side.
#
# ## What memory is made of
#
# `python -m lessons memory --model llama-33b --method qlora --checkpointing` says what each byte is. It builds the model without
# weights and counts. Here are its numbers for one sequence of 512 tokens:

# %%
plans = {method: plan(Setting("llama-33b", method, checkpointing=True)) for method in ("full", "lora", "qlora")}
figure, axis = plt.subplots(figsize=(8, 2.6), layout="constrained")
left = [0.0] * len(plans)
for kind in KINDS:
    gigabytes = [found.bytes[kind] / 1e9 for found in plans.values()]
    if max(gigabytes) > 0:
        axis.barh(list(plans), gigabytes, left=left, label=kind)
        left = [start + width for start, width in zip(left, gigabytes)]
axis.invert_yaxis()
axis.set_xlabel("GB")
axis.axvline(24, color="black", linestyle="--", linewidth=1)
axis.set_title("LLaMA with 33 billion weights; dashed: a card of 24 GB", fontsize=10)
axis.legend(fontsize=7, ncols=2)
plt.show()
for method, found in plans.items():
    largest = sorted(found.bytes.items(), key=lambda each: -each[1])[:3]
    told = ", ".join(f"{kind} {size / 1e9:.1f}" for kind, size in largest)
    print(f"{method:<6}{found.total / 1e9:>7.1f} GB, of which {told}")

# %%
said_and_so(
    "With QLoRA a LLaMA of 33 billion weights can be trained on a card of 24 GB.",
    "By count yes: about 19.4 GB with one sequence of 512 tokens and recomputed activations. Longer sequences or larger batches "
    "need more: it is the activations that grow, and four bits do not shrink them.",
    "`python -m lessons memory --model llama-33b --method qlora --checkpointing`; the figure above",
)
said_and_so(
    "QLoRA updates a part of the parameters and quantizes at the same time.",
    "The base is quantized once, before training. During training nothing is quantized: the codes stay, bit for bit, and A and "
    "B are in full precision.",
    "the line `the codes are the same` above; `tests/peft/test_qlora.py`",
)
said_and_so(
    "QLoRA needs little computation and trains quickly.",
    "It needs little *memory*. Each product first makes its matrix again from the codes, twice per step, so a step takes longer "
    "than LoRA's on a base in full precision.",
    "the column `seconds` in the table below (`python -m lessons compare`)",
)

# %% [markdown]
# **Paged optimizers**, the paper's third idea, do not compress anything. The optimizer's numbers are put into memory that the
# graphics card and the computer share (CUDA's managed memory). While there is room they lie on the card. When a long sequence
# makes the activations grow for a moment, the driver moves some pages of them to the computer's memory, and back for the
# step. That helps over a peak, and costs a transfer. The number of bytes is the same. With LoRA the optimizer's numbers are few
# anyway: 0.5 of the 19.4 GB above.
#
# ## What it trains, gains, costs
#
# The saved full run: 3 seeds, the whole British test part (`python -m lessons compare`, `lessons/results/report.json`).

# %%
kept_run("lora", "qlora", "lora_int4", "lora_fp4")

# %% [markdown]
# The four are the same within the seeds. Even FP4, which loses most in lesson 15, is made up for by the training.
#
# | | |
# |---|---|
# | trains | $r(d_{in} + d_{out})$ for each matrix, as LoRA |
# | gain | the base in 4.127 bits for each weight |
# | price | time for each step; a merge that is either large or lossy; more that can go wrong |
#
# **LoRA or adapter?** Any technique that leaves $W$ alone can stand on a base in four bits: adapters too, and prompts. LoRA is
# the usual one. What changes is the merge: it was exact, and is so no longer.
#
# ## The usual mistakes
#
# - **Merged into the original weights.** It "works", and differs from what was trained (Hugging Face PEFT, issues 1043, 1080
#   and 2105: the same question three times). Compare against the *dequantized* base, as above.
# - **The warning is ignored.** "Merge lora module to 4-bit linear may get different generations" is no bug, and cannot be
#   avoided (HF PEFT, issue 2321). Here the warning gives the size of the error.
# - **LoRA first, then four bits.** The thin matrices are linear layers too, and would be rounded with the rest. First quantize,
#   then place.
# - **The dequantized weight is kept by autograd.** The numbers are right and the memory is gone. Count, as above.
# - **The default of bitsandbytes is FP4**, not NF4. Ask for `nf4`.
# - **Paged taken for compressed.** See above.

# %%
try:
    fresh = put_lora_on(load_base())
    for module in fresh.modules():
        if isinstance(module, LoraLinear):
            merged_in_4bit(module)
except TypeError as error:
    print(error)

# %%
exercises_of(16)

# %% [markdown]
# ## Where to read on
#
# - *QLoRA: Efficient Finetuning of Quantized LLMs* (arXiv 2305.14314), equation 5 for the layer.
# - *LoftQ: LoRA-Fine-Tuning-Aware Quantization* (arXiv 2310.08659): let $A$ and $B$ start at what the rounding took (`peft/loftq.py`).
# - *QA-LoRA: Quantization-Aware Low-Rank Adaptation* (arXiv 2309.14717): an adapter that merges into the codes without loss.
# - *Training Deep Nets with Sublinear Memory Cost* (arXiv 1604.06174): recomputed activations.
# - *8-bit Optimizers via Block-wise Quantization* (arXiv 2110.02861): optimizer states that *are* compressed.
