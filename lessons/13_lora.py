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
# 13. LoRA

A large matrix stays as it is, and two thin matrices beside it learn what to add.
What is learnt fits in a small file, can be taken off again, and can be written into the large matrix at the end.
"""

# %%
import os
import tempfile
import time
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from torch import nn

import lessons
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, load, pairs, vocabulary, words
from lessons.task.finetuning import adapter_config, fine_tune, rate_of, training_config
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate, predict, score, source_batch
from lessons.teaching import exercises_of, kept_run, lit_diagram, quick, said_and_so, show_source
from peft import LoraConfig, LoraLinear, PeftModel, get_peft_model
from peft.low_rank import LowRankLayer, new_factors, product, scaling_of
from peft.frame.core import BASE
from transformer import train

set_threads()
torch.manual_seed(0)
HERE = Path(lessons.__file__).parent
BRITISH = HERE / "adapters" / "british" / "lora"
lit_diagram("attention", "feed_forward", "weights")

# %% [markdown]
# Every lit box multiplies with weight matrices: four in an attention, two in a feed forward. LoRA can stand beside each.
#
# ## The formula
#
# $$y = W x + b + \frac{\alpha}{r}\, B A\, x \qquad
# A \in \mathbb{R}^{r \times d_{in}}, \quad B \in \mathbb{R}^{d_{out} \times r}, \quad r \ll \min(d_{in}, d_{out})$$
#
# - $W$ and $b$ are frozen. Only $A$ and $B$ learn: $r\,(d_{in} + d_{out})$ numbers in place of $d_{in} \cdot d_{out}$.
# - $A$ makes $x$ narrow: $r$ numbers. $B$ makes it wide again. So $\Delta W = \frac{\alpha}{r} B A$ has rank $r$ at most.
# - $B = 0$ at the start, so $\Delta W = 0$: training starts at the base, exactly.
# - $\alpha / r$ is a fixed factor. It does the work of a learning rate: with it, and with Adam, one rate suits several ranks.

# %%
show_source(scaling_of, new_factors, product, LowRankLayer, LoraLinear)

# %%
said_and_so(
    "New weight = original weight + AB, with A of size d × r and B of size r × d.",
    "The LoRA paper and Hugging Face PEFT write W + (α/r) BA. nn.Linear keeps W as (d_out, d_in), so the matrix that meets x first is the right "
    "one: A (r × d_in), then B (d_out × r). The factor α/r is there, W need not be square, and the rank is at most r.",
    "`peft/low_rank.py` above; the example below, whose matrix is 2 × 3",
)

# %% [markdown]
# ## By hand
#
# Three inputs, two outputs, rank 1, $\alpha = 2$; so $\alpha/r = 2$.
#
# $$W = \begin{pmatrix} 1 & 0 & 2 \\ 0 & 1 & 1 \end{pmatrix}, \quad
# A = \begin{pmatrix} 1 & -1 & 0 \end{pmatrix}, \quad
# B = \begin{pmatrix} 0.5 \\ 1 \end{pmatrix}, \quad
# x = \begin{pmatrix} 3 \\ 1 \\ 1 \end{pmatrix}$$
#
# $$Wx = \begin{pmatrix} 5 \\ 2 \end{pmatrix}, \quad Ax = 2, \quad 2\,BAx = \begin{pmatrix} 2 \\ 4 \end{pmatrix}, \quad
# y = \begin{pmatrix} 7 \\ 6 \end{pmatrix} \qquad
# W + 2BA = \begin{pmatrix} 2 & -1 & 2 \\ 2 & -1 & 1 \end{pmatrix}$$

# %%
linear = nn.Linear(3, 2, bias=False)
layer = LoraLinear(linear, rank=1, alpha=2)
x = torch.tensor([3.0, 1.0, 1.0])
with torch.no_grad():
    linear.weight.copy_(torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]]))
    print("at the start, B = 0:", layer(x).tolist(), "= W x")
    layer.lora_A.weight.copy_(torch.tensor([[1.0, -1.0, 0.0]]))
    layer.lora_B.weight.copy_(torch.tensor([[0.5], [1.0]]))
    print("with A and B:       ", layer(x).tolist())
    print("merged:             ", layer.merged()(x).tolist(), "from", layer.merged().weight.tolist())

# %% [markdown]
# ## The start: B = 0
#
# If one factor is zero, the output is the base's. Then it has to be *one* of them, and not both. The gradient of $B$
# holds $A$ as a factor, and the gradient of $A$ holds $B$. With both at zero, both gradients are zero for ever.

# %%
base = load_base()
fresh = get_peft_model(load_base(), LoraConfig(r=8, lora_alpha=16, target_modules="all-linear"))
source = torch.tensor([vocabulary().encode_word("tomato")])
target = torch.tensor([vocabulary().encode_pronunciation(load("british")["tomato"][0])])
fresh.eval()
with torch.no_grad():
    print(
        "a fresh LoRA gives the base's output to the last bit:",
        torch.equal(fresh(source, target), base(source, target)),
    )


def first_gradients(model: PeftModel) -> str:
    model.zero_grad()
    logits = model(source, target[:, :-1])
    nn.functional.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten()).backward()
    layers = [module for module in model.modules() if isinstance(module, LoraLinear)]
    of_a = sum(float(each.lora_A.weight.grad.abs().sum()) for each in layers)
    of_b = sum(float(each.lora_B.weight.grad.abs().sum()) for each in layers)
    return f"Σ|gradient of A| = {of_a:.3g}, Σ|gradient of B| = {of_b:.3g}"


print("B = 0:        ", first_gradients(fresh))
for module in fresh.modules():
    if isinstance(module, LoraLinear):
        nn.init.zeros_(module.lora_A.weight)
print("A = 0, B = 0: ", first_gradients(fresh), "(this one never learns)")

# %% [markdown]
# ## A trained one
#
# The base speaks American. The adapter in `lessons/adapters/british/lora` was trained on 1,000 British words
# (`python -m lessons compare`). It has rank 8 at every linear layer.

# %%
model = PeftModel.from_pretrained(load_base(), BRITISH, adapter_name="british")
some = ["tomato", "schedule", "dance", "water", "better", "laboratory"]
with model.disable_adapter():
    off = predict(model, some)
on = predict(model, some)
print(f"{'word':<12}{'adapter off':<18}{'adapter on':<18}one listed British pronunciation")
for word in some:
    print(f"{word:<12}{off[word]:<18}{on[word]:<18}{load('british')[word][0]}")
weights = (BRITISH / "adapter_model.safetensors").stat().st_size, (HERE / "base" / "model.safetensors").stat().st_size
print(f"\nthe adapter's file: {weights[0]:,} bytes; the base's: {weights[1]:,} bytes")

# %% [markdown]
# ### Merged is the same
#
# $W + \Delta W$ is one matrix again. After merging no trace of LoRA is left in the model, and no extra time.

# %%
source = torch.tensor([vocabulary().encode_word("laboratories")] * 64)
target = torch.tensor([vocabulary().encode_pronunciation(load("british")["laboratory"][0])] * 64)


def seconds_of(run: nn.Module, repeats: int = 10) -> float:
    with torch.no_grad():
        run(source, target)
        taken = []
        for _ in range(repeats):
            start = time.perf_counter()
            run(source, target)
            taken.append(time.perf_counter() - start)
    return sorted(taken)[repeats // 2]


with torch.no_grad():
    before, slower = model(source, target), seconds_of(model)
    twin = PeftModel.from_pretrained(load_base(), BRITISH)
    merged = twin.merge_and_unload().eval()
    difference = (merged(source, target) - before).abs().max()
print(f"largest difference of the logits (they go up to {before.abs().max():.0f}): {difference:.1e}")
print(f"LoRA modules left in the merged model: {sum(isinstance(m, LoraLinear) for m in merged.modules())}")
print(f"one pass: {1000 * slower:.1f} ms beside, {1000 * seconds_of(merged):.1f} ms merged")

# %% [markdown]
# ## Is a low rank enough? Singular values of ΔW
#
# A matrix of rank $r$ has $r$ singular values above 0. Full fine-tuning has no such limit: its $\Delta W$ may use all
# 128 directions. Does it? We train every weight for some steps, here and now, and compare.

# %%
full_steps = 5 if quick() else 45
full, _ = fine_tune("full", steps=full_steps)


def full_change(path: str) -> torch.Tensor:
    """ΔW of full fine-tuning: the adapter's own copy of the matrix less the base's."""
    trained = full.adapters["default"].own_parameters()[f"base_model.model.{path}.weight"]
    return trained.detach() - base.get_submodule(path).weight.detach()


def lora_change(path: str) -> torch.Tensor:
    found = model.base_model.get_submodule(path).layers["british"]
    return product(found.lora_B, found.lora_A, found.scaling).detach()


paths = [
    "encoder.layers.0.feed_forward.fc1",
    "encoder.layers.2.self_attention.v_proj",
    "decoder.layers.1.cross_attention.q_proj",
]
figure, axes = plt.subplots(1, 3, figsize=(11, 3), sharey=True, layout="constrained")
print(f"{'matrix':<42}{'rank of LoRA':>14}{'of full':>9}   share of full's ΔW² in its 8 largest directions")
for axis, path in zip(axes, paths):
    low, whole = torch.linalg.svdvals(lora_change(path)), torch.linalg.svdvals(full_change(path))
    rank_low, rank_full = (int((values > 1e-4 * values[0]).sum()) for values in (low, whole))
    share = float((whole[:8] ** 2).sum() / (whole**2).sum())
    print(f"{path:<42}{rank_low:>14}{rank_full:>9}   {100 * share:.0f} %")
    axis.semilogy(range(1, 129), (whole / whole[0]).clamp(min=1e-8), label=f"full, {full_steps} steps", color="C6")
    axis.semilogy(range(1, 129), (low / low[0]).clamp(min=1e-8), label="LoRA, r = 8", color="C0")
    axis.axvline(8, color="grey", linewidth=0.8, linestyle="--")
    axis.set_title(path.replace("_attention", "").replace(".layers", ""), fontsize=9)
    axis.set_xlabel("which singular value")
axes[0].set_ylabel("size, the first is 1")
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# LoRA's curve falls off a cliff after 8: what is left there is rounding. Full fine-tuning uses every direction, but the
# first few carry a large part. That is the bet of LoRA: the large directions of the change are what the task needs.
#
# ### How small may r be?
#
# A short sweep, live. $\alpha = 2r$, so that $\alpha/r$ is the same for all.

# %%
sweep_steps, probe = (3, 60) if quick() else (50, 200)
development = words("british", "development", probe)
examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
errors = {}
for rank in (1, 16) if quick() else (1, 4, 16):
    torch.manual_seed(0)
    ranked = get_peft_model(load_base(), adapter_config("lora", r=rank, lora_alpha=2 * rank))
    train(ranked, examples, training_config(sweep_steps, rate_of("lora"), seed=0))
    trainable, _ = ranked.get_nb_trainable_parameters()
    errors[rank] = 100 * evaluate(ranked, development, "british").phoneme_error
    print(f"r = {rank:>2}: {trainable:>7,} parameters, {sweep_steps} steps, phoneme error {errors[rank]:.1f} %")
untuned = 100 * evaluate(base, development, "british").phoneme_error
figure, axis = plt.subplots(figsize=(4.5, 2.6), layout="constrained")
axis.plot(list(errors), list(errors.values()), "o-", color="C0")
axis.set_xscale("log", base=2)
axis.set_xticks(list(errors), [str(rank) for rank in errors])
axis.set_xlabel("rank")
axis.set_ylabel("phoneme error, %")
axis.set_title(f"{sweep_steps} steps, {probe} words; the base alone: {untuned:.1f} %", fontsize=10)
plt.show()

# %% [markdown]
# In a short run a larger rank wins, since more numbers move at the same rate: it is *faster*. Whether it ends lower is
# another question, and needs a run that is long enough: set `sweep_steps` to 300 and run this cell again.
#
# ## Several adapters on one base
#
# A second domain: American *without stress marks*, as one dictionary writes it (`cmu`). We train an adapter for it now.
# The base always sets the marks, so at first every word is wrong.

# %%
cmu_steps = 8 if quick() else 45
trained, _ = fine_tune("lora", steps=cmu_steps, accent="cmu")
with tempfile.TemporaryDirectory() as folder:
    trained.save_pretrained(folder)
    model.load_adapter(folder, "cmu")
both = [word for word in words("british", "development", 400) if word in load("cmu")][:probe]
said_by = {}
with model.disable_adapter():
    said_by["base"] = predict(model, both)
for name in ("british", "cmu"):
    model.set_adapter(name)  # a switch: no weight is copied
    said_by[name] = predict(model, both)
print(f"phoneme error on {len(both)} words, %    as British    as American without stress")
for name, said in said_by.items():
    print(
        f"{name:<36}{100 * score(said, 'british').phoneme_error:>8.1f}{100 * score(said, 'cmu').phoneme_error:>20.1f}"
    )

# %% [markdown]
# ### Mixed batches
#
# One batch, each row with its own adapter: `adapter_names` has a name per row. The large product $Wx$ is made once
# for all rows. Only the thin ones differ. So one server with one base can serve many users.

# %%
chosen = ["water", "dance", "better", "lorry"]
names = [BASE, "british", "cmu"]
batch = source_batch([word for word in chosen for _ in names])
rows = model.generate(batch, 24, adapter_names=names * len(chosen)).tolist()
print(f"{'':<10}" + "".join(f"{name:<16}" for name in names))
for index, word in enumerate(chosen):
    told = [vocabulary().decode_pronunciation(row[1:]) for row in rows[3 * index : 3 * index + 3]]
    print(f"{word:<10}" + "".join(f"{each:<16}" for each in told))

target = torch.tensor([vocabulary().encode_pronunciation(load("british")["water"][0])] * len(batch))
with torch.no_grad():
    mixed = model(batch, target, adapter_names=names * len(chosen))
    model.set_adapter("cmu")
    alone = model(batch[2::3], target[2::3])
print(f"\nthe cmu rows in the mixed batch and alone differ by {(mixed[2::3] - alone).abs().max():.1e}")

# %% [markdown]
# ### Weighted sums
#
# $\Delta W$ is added, so two of them can be added too: $W + w_1 \Delta W_1 + w_2 \Delta W_2$. Kind `cat` does it exactly: it
# puts the $A$'s on top of each other and the $B$'s side by side, and the ranks add up.

# %%
shares = (0.0, 0.5, 1.0) if quick() else (0.0, 0.25, 0.5, 0.75, 1.0)
lines = {"british": [], "cmu": []}
for share in shares:
    model.add_weighted_adapter(["british", "cmu"], [share, 1 - share], f"mix{int(100 * share)}", "cat")
    model.set_adapter(f"mix{int(100 * share)}")
    said = predict(model, both)
    for accent, values in lines.items():
        values.append(100 * score(said, accent).phoneme_error)
figure, axis = plt.subplots(figsize=(5, 2.8), layout="constrained")
for accent, values in lines.items():
    print(f"scored as {accent:<8}" + "".join(f"  w = {share}: {value:.1f} %" for share, value in zip(shares, values)))
    axis.plot(shares, values, "o-", label=f"scored as {accent}")
axis.set_xlabel("w:  w · british + (1 - w) · cmu")
axis.set_ylabel("phoneme error, %")
axis.legend(fontsize=8)
plt.show()

model.set_adapter(["british", "cmu"])  # the plain sum, without a new adapter
print("british + cmu:", predict(model, ["water", "dance", "better", "lorry", "laboratory"]))

# %% [markdown]
# In the middle the two pull against each other: half of each is no new accent, and both errors are between. The plain
# sum (last line) is sometimes what one hopes for, a British sound without its stress mark. Nothing guarantees it:
# measure it before you use it.
#
# ## What it trains, what it gains, what it costs
#
# The saved full run: every technique on the same 1,000 words, 300 steps, each at its own searched rate, 3 seeds, the whole
# test part (`python -m lessons compare`, kept in `lessons/results/report.json`).

# %%
kept_run("full", "lora", "adapter_houlsby", "bitfit")

# %%
said_and_so(
    "LoRA needs little computation and trains quickly.",
    "It saves memory, not products. Gradients and optimizer states exist for 135,296 numbers, not for 1,398,400. The base "
    "is still run forward and backward, and the thin products come on top: on this small model a run took longer than "
    "full fine-tuning. On a model of billions, where the states do not fit beside the weights, the saving decides.",
    "the column `seconds` above (`python -m lessons compare`); `python -m lessons memory` for the bytes",
)
said_and_so(
    "LoRA keeps most of what the pretrained model knew.",
    "With the adapter off the base is back, to the last bit. With it on, the model speaks British, and its American is "
    "as far away as after full fine-tuning. Freezing keeps the file; it does not keep the behaviour.",
    "the columns `American PER, on` and `off` above (`python -m lessons compare`)",
)
said_and_so(
    "LoRA may fall short of full fine-tuning.",
    "Here it does not: 1,000 words are few, and the two are equal within the seeds. On large data sets full fine-tuning "
    "did stay ahead (arXiv 2405.09673).",
    "the column `British PER` above (`python -m lessons compare`)",
)

# %% [markdown]
# | | trains | gain | price |
# |---|---|---|---|
# | LoRA | $r(d_{in} + d_{out})$ for each matrix | small file, no time once merged, adapters switch and add up | rank, α and places to choose; full fine-tuning may be better on much data |
#
# ## Its neighbour: the adapter (lesson 17)
#
# | | LoRA | adapter |
# |---|---|---|
# | where | *beside* a weight matrix | *after* (or beside) a sub-layer |
# | what | linear: $BAx$ | a small network with a non-linearity: $W_{up}\,\varphi(W_{down} h)$ |
# | merges | yes: $W + \frac{\alpha}{r}BA$ | no: the non-linearity is in the way |
# | time when used | none, once merged | some, always |
#
# ## The usual mistakes
#
# - **Square layers only.** minimind put LoRA only where `in_features == out_features`; after a repair of the order it still
#   does, and skips most layers in silence (minimind issue 787). Print where the adapters sit: `model.explain()`.
# - **α = r in the tests.** Then the scale is 1, and a forgotten scale is not seen (HF PEFT, pull request 2489, where
#   both were 8). Test with α ≠ r.
# - **Merged twice.** A merge added ΔW two times, and an unmerge that took it away two times hid it (HF PEFT,
#   pull request 3774). Compare the merged output with the unmerged one, as above.
# - **Both factors zero**, or the wrong one for embeddings (microsoft/LoRA, pull requests 46 and 155). See the gradients above.
# - **The rank is changed, α is not.** Then $\alpha/r$ changes as well. With plain gradient descent the effect of a step then
#   shrinks like $1/r$, and a "worse" rank 64 may only be slow. With Adam, which all runs here use, the first step's effect
#   stays: lesson 14, rsLoRA.
# - **An adapter on another base.** The file does not contain $W$. Here the config keeps the base's fingerprint, and a wrong
#   base is refused:

# %%
other = load_base()
with torch.no_grad():
    other.encoder.layers[0].feed_forward.fc1.weight[0, 0] += 1
try:
    PeftModel.from_pretrained(other, os.path.relpath(BRITISH))
except ValueError as error:
    print(error)

# %%
exercises_of(13)

# %% [markdown]
# ## Where to read on
#
# - *LoRA: Low-Rank Adaptation of Large Language Models* (arXiv 2106.09685).
# - *Intrinsic Dimensionality Explains the Effectiveness of Language Model Fine-Tuning* (arXiv 2012.13255): why so few directions do.
# - *LoRA Learns Less and Forgets Less* (arXiv 2405.09673): against full fine-tuning, on much data.
# - *Editing Models with Task Arithmetic* (arXiv 2212.04089): adding and taking away what was learnt.
# - *S-LoRA* (arXiv 2311.03285): thousands of adapters on one base, in one batch.
