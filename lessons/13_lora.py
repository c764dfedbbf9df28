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

**The question.** A hospital has a language model and some thousand notes like *SOB on exertion, r/o MI*. The model knows SOB
as an insult; a doctor reads "shortness of breath". All its seven billion numbers could be trained for these notes, and the
school next door would need seven billion others. Must a whole matrix change so that a model learns a new use of words?

**You will be able to**

- write LoRA's formula, and compute it by hand beside a frozen matrix
- say why one factor starts at zero, and why not both
- merge an adapter into its matrix, and check that nothing has changed
- say when LoRA saves memory, and when it needs more
- keep several adapters on one base: switch, mix and add them

**Time:** 50 minutes. **Before it:** [full fine-tuning](11_full_fine_tuning.ipynb), and what a product of matrices is.
"""

# %% tags=["hide-input"]
import torch
from torch import nn

from lessons.experiments.lora import (
    A,
    B,
    X,
    a_word,
    british,
    crossings,
    errors_of_ranks,
    first_gradients,
    layer_by_hand,
    memory_ratios,
    seconds_of,
    spectra,
)
from lessons.experiments.lora_kept import kept_study, lora_beside_full, places_and_ranks
from lessons.experiments.lora_adapters import (
    errors_by_adapter,
    errors_of_mixtures,
    learn_cmu,
    mixed_and_alone,
    one_batch,
)
from lessons.experiments.lora_figures import (
    draw_memory,
    draw_merged,
    draw_mixtures,
    draw_places_and_ranks,
    draw_ranks,
    draw_spectra,
    draw_two_ways,
)
from lessons.task.base import load_base
from lessons.task.dictionary import load, words
from lessons.task.finetuning import fine_tune
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate, predict
from lessons.task.shipped import shipped
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
from peft import LoraConfig, LoraLinear, PeftModel, get_peft_model
from peft.low_rank import LowRankLayer, new_factors, product, scaling_of

set_threads()
torch.manual_seed(0)
lit_diagram("attention", "feed_forward", "weights")

# %% [markdown]
# Every lit box multiplies with weight matrices: four in an attention, two in a feed-forward network. LoRA can stand beside
# each of them.

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_two_ways(),
    title="The input goes through the frozen matrix, and beside it through two thin ones that learn",
    alt="x = (3, 1, 1) goes through the frozen W and gives (5, 2). Beside it x goes through the row A = (1, -1, 0) and gives one "
    "number, 2; the column B = (0.5, 1) makes it wide again, and with the factor 2 it is (2, 4). The sum is y = (7, 6). A and B "
    "have a red edge: they are learnt.",
)

# %% [markdown]
# ## The idea
#
# A trained matrix has learnt thousands of directions: what to look for in its input, and what to say then. A new task needs
# most of them as they are. What it adds is often little: for *this* feature of the input, say also *that*.
#
# Two thin matrices can say just that. $A$ has $r$ rows, so it looks for $r$ features of the input. $B$ has $r$ columns, so it
# says for each of them what to add to the output. The large matrix $W$ is **frozen**: it is used, and gets no gradient.
#
# This is called **low-rank adaptation**, because the change $BA$ has at most the rank $r$. The rank is the number of
# directions in which a matrix does something.
#
# **The hospital again.** The words of a note are known, and so is the grammar. New is a domain: SOB, r/o, MI. In the
# attention's and the feed-forward network's matrices, pairs of $A$ and $B$ learn to answer such features in the medical way.
# The numbers that know English stay as they are. The hospital keeps a small file of thin matrices, the school another
# one, and both use the same base. What this does *not* promise is that the model, with the file in use, still speaks of
# everything else as before; that is measured below.
#
# Our stand-in for the hospital is Britain: the same letters, other sounds, a thousand examples.

# %% [markdown]
# ## The formula
#
# $$y = W x + b + \frac{\alpha}{r}\, B A\, x \qquad
# A \in \mathbb{R}^{r \times d_{in}}, \quad B \in \mathbb{R}^{d_{out} \times r}, \quad r \ll \min(d_{in}, d_{out})$$
#
# - $W$ and $b$ are frozen. Only $A$ and $B$ learn: $r\,(d_{in} + d_{out})$ numbers in place of $d_{in} \cdot d_{out}$.
# - $A$ makes $x$ narrow: $r$ numbers. $B$ makes it wide again. So $\Delta W = \frac{\alpha}{r} B A$ has rank $r$ at most.
# - $B = 0$ at the start, so $\Delta W = 0$: training starts at the base, exactly.
# - $\alpha / r$ is a fixed factor. With the optimizer Adam, which all runs here use, it keeps the effect of the first step
#   about the same for all ranks ([lesson 14](14_lora_relatives.ipynb) measures it), so one learning rate suits several ranks. With
#   plain gradient descent it makes a step's effect shrink like $1/r$.

# %% [markdown]
# ## The code

# %%
show_source(scaling_of, new_factors, product, LowRankLayer, LoraLinear)

# %% tags=["hide-input"]
said_and_so(
    said="New weight = original weight + AB, with A of size d × r and B of size r × d.",
    so="The LoRA paper and Hugging Face PEFT write W + (α/r) BA. `nn.Linear` keeps W as (d_out, d_in), so the matrix that meets x "
    "first is the right one: A (r × d_in), then B (d_out × r). The factor α/r is there, W need not be square, and the rank is "
    "at most r.",
    shown_by="`peft/low_rank.py` above; the example below, whose matrix is 2 × 3",
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
layer = layer_by_hand()
with torch.no_grad():
    print("at the start, B = 0:", layer(X).tolist(), "= W x")
    layer.lora_A.weight.copy_(A)
    layer.lora_B.weight.copy_(B)
    print("with A and B:       ", layer(X).tolist())
    print("merged:             ", layer.merged()(X).tolist(), "from", layer.merged().weight.tolist())

# %% tags=["hide-input"]
show_drawing(
    draw_merged(),
    title="Merged, the change is a matrix like W; every row of it is a multiple of A",
    alt="W plus 2 times B times A. The product is the matrix with the rows (1, -1, 0) and (2, -2, 0), of rank 1. The sum with W has "
    "the rows (2, -1, 2) and (2, -1, 1).",
)

# %% [markdown]
# ## Experiment: the start
#
# If one factor is zero, the output is the base's. Then it has to be *one* of them, and not both. The gradient of $B$
# holds $A$ as a factor, and the gradient of $A$ holds $B$. With both at zero, both gradients are zero for ever.

# %%
base = load_base()
fresh = get_peft_model(load_base(), LoraConfig(r=8, lora_alpha=16, target_modules="all-linear")).eval()
source, target = a_word()
with torch.no_grad():
    same = torch.equal(fresh(source, target), base(source, target))
print("a fresh LoRA gives the base's output to the last bit:", same)
print("Σ |gradient|, B = 0:       ", first_gradients(fresh))
for module in fresh.modules():
    if isinstance(module, LoraLinear):
        nn.init.zeros_(module.lora_A.weight)
print("Σ |gradient|, A = 0, B = 0:", first_gradients(fresh), "(this one never learns)")

# %% [markdown]
# In the first step only $B$ moves. From the second on $A$ has a gradient too.

# %% [markdown]
# ## Experiment: a trained one
#
# The base speaks American. The shipped adapter was trained on 1,000 British words (`python -m lessons compare`). It has
# rank 8 at every linear layer.

# %%
model = british()
some = ["tomato", "schedule", "dance", "water", "better", "laboratory"]
with model.disable_adapter():
    off = predict(model, some)
on = predict(model, some)
print(f"{'word':<12}{'adapter off':<18}{'adapter on':<18}one listed British pronunciation")
for word in some:
    print(f"{word:<12}{off[word]:<18}{on[word]:<18}{load('british')[word][0]}")

# %% [markdown]
# **Merged is the same.** $W + \Delta W$ is one matrix again. After merging no trace of LoRA is left in the model, and no extra
# time.

# %%
merged = british().merge_and_unload().eval()
with torch.no_grad():
    logits = model(source, target)
    difference = (merged(source, target) - logits).abs().max().item()
left_over = sum(isinstance(module, LoraLinear) for module in merged.modules())

# %% tags=["hide-input"]
seconds = [seconds_of(each) for each in (model, merged)]
claim(difference < 1e-3 and not left_over, "merged is the same, and no LoRA is left", difference=difference)
prose(
    "The logits go up to {largest:.0f}; merged they differ by {difference:.0e} at most, which is rounding. A pass takes "
    "{beside:.1f} ms with the thin matrices beside, {merged:.1f} ms merged. The adapter's file has {kilobytes:,.0f} kB.",
    largest=logits.abs().max().item(),
    difference=difference,
    beside=1000 * seconds[0],
    merged=1000 * seconds[1],
    kilobytes=(shipped("lora")["british"] / "adapter_model.safetensors").stat().st_size / 1000,
)

# %% [markdown]
# ## Experiment: is a low rank enough?
#
# Every matrix can be written as a sum of directions: "for this feature of the input, add that to the output, so strongly".
# How strongly is a **singular value**; the singular value decomposition (SVD) gives them, the largest first. In the example by
# hand, $\Delta W$ has one singular value above 0, because it has rank 1:

# %%
print("singular values of the example's ΔW:", [round(value, 3) for value in torch.linalg.svdvals(2 * B @ A).tolist()])

# %% [markdown]
# Full fine-tuning has no such limit: its $\Delta W$ may use all 128 directions. Does it? We train every weight for some steps,
# here and now, and compare.

# %%
full_steps = 5 if quick() else 45
full, _ = fine_tune("full", steps=full_steps)
paths = [
    "encoder.layers.0.feed_forward.fc1",
    "encoder.layers.2.self_attention.v_proj",
    "decoder.layers.1.cross_attention.q_proj",
]
changes = spectra(model, full, paths)

# %% tags=["hide-input"]
shares = [each.share for each in changes.values()]
numbers = {
    "steps": full_steps,
    "low": max(each.ranks[0] for each in changes.values()),
    "whole": min(each.ranks[1] for each in changes.values()),
    "least": min(shares),
    "most": max(shares),
}
claim(numbers["low"] == 8, "LoRA uses 8 directions", **numbers)
claim(numbers["whole"] > 100 and numbers["least"] > 30, "full uses nearly all, a few carry much", **numbers)
show_figure(
    draw_spectra(changes),
    title="Full fine-tuning uses at least {whole} of 128 directions, but 8 of them hold {least:.0f} to {most:.0f} % of its change",
    alt="Three panels, one for each matrix: singular values of the change, the first as 1. LoRA's fall to rounding error after the "
    "8th. Those of full fine-tuning fall slowly over all 128.",
    **numbers,
)
prose(
    "LoRA's curve ends at {low}: what is left there is rounding. After {steps} steps of full fine-tuning the 8 largest of 128 "
    "directions hold {least:.0f} to {most:.0f} % of the squared change. That is the bet of LoRA: the large directions are what the "
    "task needs.",
    **numbers,
)

# %% [markdown]
# ## Experiment: which rank, and beside which matrices?
#
# First a short sweep, live. $\alpha = 2r$, so that $\alpha/r$ is the same for all ranks; the learning rate is the same too.

# %%
sweep_steps = 3 if quick() else 50
development = words("british", "development", 60 if quick() else 200)
ranked = errors_of_ranks((1, 16) if quick() else (1, 4, 16), sweep_steps, development)
untuned = 100 * evaluate(base, development, "british").phoneme_error

# %% tags=["hide-input"]
numbers = {"steps": sweep_steps, "one": ranked[1], "sixteen": ranked[16], "untuned": untuned, "words": len(development)}
claim(numbers["sixteen"] < numbers["one"] < untuned, "in a short run a larger rank is ahead", **numbers)
show_figure(
    draw_ranks(ranked, untuned),
    title="After {steps} steps rank 1 has {one:.1f} % phoneme error, rank 16 has {sixteen:.1f} %, the base {untuned:.1f} %",
    alt="British phoneme error on {words} words over the rank, after {steps} steps: {one:.1f} % for rank 1, {sixteen:.1f} % for rank "
    "16. A dashed line is the base's {untuned:.1f} %.",
    **numbers,
)

# %% [markdown]
# In a short run a larger rank wins, since more numbers move at the same rate: it is *faster*. Whether it ends lower is another
# question. And $r = 8$ on all matrices is not the only way to spend parameters: the paper put LoRA beside the
# queries' and the values' matrices only.

# %% tags=["hide-input"]
study = kept_study()
if study is None:
    prose(
        "`{command}` compares places and ranks in whole runs, each at one learning rate for all and at its own searched one, with "
        "three seeds on all held-out words. When it has run, its figure stands here.",
        **places_and_ranks(),
    )
else:
    show_figure(
        draw_places_and_ranks(study),
        title="Best place: {best}, {best_error:.1f} % of the words wrong; q and v alone {attention_error:.1f} %",
        alt="Two panels of British word error. Left for LoRA of rank 8 beside q and v, beside all of the attention, beside the "
        "feed-forward network, and beside all linear layers. Right for ranks 1 to 64. Hollow dots: one learning rate for all. Full "
        "dots: each at its own.",
        **{
            name: value
            for name, value in places_and_ranks().items()
            if name in ("best", "best_error", "attention_error")
        },
    )
    prose(
        "Of rank 8 and each at its own rate, {best} is best: {best_error:.1f} % of the words are wrong, with {best_parameters:,} "
        "parameters. Beside q and v alone it is {attention_error:.1f} %, with {attention_parameters:,}. On all linear layers the "
        "error is {one_error:.1f} % for rank 1, {most_error:.1f} % for rank 64, and lowest for rank {rank} ({rank_error:.1f} %). "
        "Where hollow and full dots lie apart, the learning rate made the difference, not the rank. (`{command}`)",
        **places_and_ranks(),
    )

# %% [markdown]
# ## Experiment: what it gains, and what it costs
#
# The saved full run: the same 1,000 words, each technique at its own searched rate, on the whole test part
# (`python -m lessons compare`, kept in `lessons/results/report.json`).

# %%
kept_run("full", "lora", "adapter_houlsby", "bitfit")

# %% tags=["hide-input"]
said_and_so(
    said="LoRA needs little computation and trains quickly.",
    so="Gradients and the optimizer's states exist for {lora_trained:,.0f} numbers, not for {full_trained:,.0f}. But the base is "
    "still run forward and backward, and the thin products come on top: a run took {lora_seconds:.0f} s, full fine-tuning "
    "{full_seconds:.0f} s. The peak of memory is {lora_peak:,.0f} MB against {full_peak:,.0f} MB: here LoRA saves *none*, because "
    "what the thin products keep for the backward pass is more than what the optimizer no longer keeps.",
    shown_by="the columns `seconds` and `peak, MB` above (`python -m lessons compare`)",
    **{
        name: value
        for name, value in lora_beside_full().items()
        if name.split("_")[-1] in ("trained", "seconds", "peak")
    },
)

# %% [markdown]
# So when does it save memory? For a frozen number the gradient and Adam's two moments fall away. That does not
# depend on the batch. The inputs of the thin products do: each sequence in a batch needs its own. `python -m lessons memory`
# counts both; here for LoRA on all linear layers of three models:

# %%
batches = [1, 8, 64] if quick() else [1, 2, 4, 8, 16, 32, 64]
ratios = memory_ratios(("gpt2", "gpt2-xl", "llama-7b"), batches)

# %% tags=["hide-input"]
crossed = crossings(ratios, batches)
numbers = {
    "small": crossed["gpt2"],
    "large": crossed["llama-7b"],
    "most": 1 / ratios["llama-7b"][0],
    "sequences": batches[-1],
}
claim(numbers["small"] <= numbers["large"], "the small model crosses first", **numbers)
claim(all(found == sorted(found) for found in ratios.values()), "the share rises with the batch")
show_figure(
    draw_memory(ratios, batches),
    title="With one sequence LoRA needs {most:.1f} times less memory than full fine-tuning in LLaMA 7B; with {large} it needs more",
    alt="LoRA's bytes as a share of those of full fine-tuning, over the sequences in a batch, for GPT-2, GPT-2 XL and LLaMA 7B. All "
    "three rise. GPT-2 is above 1 from {small} sequences on, LLaMA 7B from {large} on.",
    **{name: numbers[name] for name in ("most", "small", "large")},
)
prose(
    "By count, GPT-2 needs more memory with LoRA from a batch of {small} sequences on, LLaMA 7B from {large} on. Who fine-tunes a "
    "large model takes small batches and recomputes activations: there the optimizer's states are most of the memory, and LoRA "
    "saves them. Our model has little to save and a large batch.",
    **{name: numbers[name] for name in ("small", "large")},
)
said_and_so(
    said="LoRA keeps most of what the pretrained model knew.",
    so="With the adapter off the base is back, to the last bit: {base:.1f} % phoneme error in American. With it on, American is at "
    "{lora_american:.1f} %, after full fine-tuning at {full_american:.1f} %: LoRA is {american_way} it. Freezing keeps the file; it "
    "does not keep the behaviour.",
    shown_by="the columns `American PER, on` and `off` above (`python -m lessons compare`)",
    **{name: value for name, value in lora_beside_full().items() if "american" in name or name == "base"},
)
said_and_so(
    said="LoRA may fall short of full fine-tuning.",
    so="Over {seeds} seeds LoRA's British phoneme error is {lora_british:.1f} %, that of full fine-tuning {full_british:.1f} %: LoRA is "
    "{british_way} it. 1,000 words are few. On large data sets full fine-tuning did stay ahead (*LoRA Learns Less and Forgets "
    "Less*).",
    shown_by="the column `British PER` above (`python -m lessons compare`)",
    **{name: value for name, value in lora_beside_full().items() if "british" in name or name == "seeds"},
)

# %% [markdown]
# | | LoRA | its neighbour, the adapter ([lesson 17](17_adapters.ipynb)) |
# |---|---|---|
# | where | *beside* a weight matrix | *after* (or beside) a sub-layer |
# | what | linear: $BAx$ | a small network with a non-linearity: $W_{up}\,\varphi(W_{down} h)$ |
# | merges | yes: $W + \frac{\alpha}{r}BA$ | no: the non-linearity is in the way |
# | time when used | none, once merged | some, always |

# %% [markdown]
# ## Several adapters on one base
#
# The hospital and the school use one base. So do British and a second domain here: American *without stress marks*, as one
# dictionary writes it (`cmu`). The base always sets the marks, so at first every word is wrong. We train an adapter for it
# now, and load it beside the first. To switch copies no weight.

# %% tags=["hide-input"]
learn_cmu(model, 8 if quick() else 45)
both = [word for word in words("british", "development", 400) if word in load("cmu")][: 60 if quick() else 200]
by_adapter = errors_by_adapter(model, both)
print(f"phoneme error on {len(both)} words, %")
for name, errors in by_adapter.items():
    print(f"{name:<10} as British {errors['british']:>5.1f}   as American without stress {errors['cmu']:>5.1f}")

# %% [markdown]
# **Mixed batches.** One batch, each row with its own adapter: `adapter_names` has a name per row. The large product $Wx$ is made
# once for all rows. Only the thin ones differ. So one server with one base can serve many users.

# %%
chosen = ["water", "dance", "better", "lorry"]
print(f"{'':<10}{'base':<16}{'british':<16}{'cmu':<16}")
for word, said in one_batch(model, chosen).items():
    print(f"{word:<10}" + "".join(f"{each:<16}" for each in said))
print(f"the cmu rows in the mixed batch and alone differ by {mixed_and_alone(model, chosen, target):.1e}")

# %% [markdown]
# **Weighted sums.** $\Delta W$ is added, so two of them can be added too: $W + w_1 \Delta W_1 + w_2 \Delta W_2$. Kind `cat` does it
# exactly: it puts the $A$'s on top of each other and the $B$'s side by side, and the ranks add up.

# %%
shares = (0.0, 0.5, 1.0) if quick() else (0.0, 0.25, 0.5, 0.75, 1.0)
mixtures = errors_of_mixtures(model, shares, both)

# %% tags=["hide-input"]
middle = len(shares) // 2
numbers = {
    "british": mixtures["british"][-1],
    "cmu": mixtures["cmu"][0],
    "half_british": mixtures["british"][middle],
    "half_cmu": mixtures["cmu"][middle],
}
claim(numbers["half_british"] > numbers["british"], "half of each is worse British", **numbers)
claim(numbers["half_cmu"] > numbers["cmu"], "half of each is worse American without stress", **numbers)
show_figure(
    draw_mixtures(mixtures, shares),
    title="Half of each adapter is neither: {half_british:.0f} % as British, {half_cmu:.0f} % as American without stress",
    alt="Phoneme error over the weight w of the British adapter. As British it goes down to {british:.0f} % at w = 1, as American "
    "without stress marks to {cmu:.0f} % at w = 0. In the middle they are {half_british:.0f} and {half_cmu:.0f} %.",
    **numbers,
)

# %%
model.set_adapter(["british", "cmu"])  # the plain sum, without a new adapter
print("british + cmu:", predict(model, ["water", "dance", "better", "lorry", "laboratory"]))

# %% [markdown]
# The plain sum is sometimes what one hopes for, a British sound without its stress mark. Nothing guarantees it: measure it
# before you use it.

# %% [markdown]
# ## The usual mistakes
#
# - **Square layers only.** minimind put LoRA only where `in_features == out_features`; after a repair of the order it still
#   does, and skips most layers in silence ([minimind#787](https://github.com/jingyaogong/minimind/issues/787)). Print where
#   the adapters sit: `model.explain()`.
# - **α = r in the tests.** Then the scale is 1, and a forgotten scale is not seen
#   ([peft#2489](https://github.com/huggingface/peft/pull/2489), where both were 8). Test with α ≠ r.
# - **Merged twice.** A merge added ΔW two times, and an unmerge that took it away two times hid it
#   ([peft#3774](https://github.com/huggingface/peft/pull/3774)). Compare the merged output with the unmerged one, as above.
# - **Both factors zero.** See the gradients above. (Microsoft's LoRA for embeddings has A = 0 and B random, which has been
#   reported as an error, as in [LoRA#46](https://github.com/microsoft/LoRA/pull/46) and
#   [LoRA#155](https://github.com/microsoft/LoRA/pull/155): either one may be zero.)
# - **The rank is changed, α is not.** Then $\alpha/r$ changes as well. With plain gradient descent the effect of a step
#   shrinks like $1/r$, and a "worse" rank 64 may only be slow. With Adam the first step's effect stays
#   ([lesson 14](14_lora_relatives.ipynb)).
# - **"LoRA saves memory" without a count.** See the crossing above.
# - **An adapter on another base.** The file does not contain $W$. Here the config keeps the base's fingerprint, and a wrong
#   base is refused:

# %% tags=["hide-input"]
other = load_base()
with torch.no_grad():
    other.encoder.layers[0].feed_forward.fc1.weight[0, 0] += 1
try:
    PeftModel.from_pretrained(other, shipped("lora")["british"])
except ValueError as error:
    print("refused: trained on another base" if "another base" in str(error) else error)

# %% [markdown]
# ## Three questions
#
# <details><summary>W is 128 × 512 and r = 8. How many numbers learn, and how many would in full fine-tuning?</summary>
#
# $8 \cdot (128 + 512) = 5{,}120$ in place of $128 \cdot 512 = 65{,}536$.
#
# </details>
#
# <details><summary>Why is B zero at the start, and A random? Would it work the other way round?</summary>
#
# One of them is zero so that training starts at the base. The other is not, so that the zero one gets a gradient. $A = 0$ and
# $B$ random would start at the base too.
#
# </details>
#
# <details><summary>Two adapters of rank 8 are added. What rank has the sum?</summary>
#
# At most 16. Two changes of rank 8 need not point the same way, so no single pair of rank 8 can be both.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(13)

# %% [markdown]
# ## Summary
#
# - LoRA adds $\frac{\alpha}{r} BA$ to a frozen matrix; only the thin factors learn. With $B = 0$ it starts at the base.
# - Merged it costs nothing in use. Not merged, many adapters share one base, even in one batch.
# - It saves the optimizer's states, and adds activations: whether that is less memory is a matter of model and batch.
# - The base is still there when the adapter is off. While it is on, what was known before may be lost.

# %% [markdown]
# ## Where to read on
#
# - Hu et al., [*LoRA: Low-Rank Adaptation of Large Language Models*, arXiv 2106.09685](https://arxiv.org/abs/2106.09685)
# - Aghajanyan et al., [*Intrinsic Dimensionality Explains the Effectiveness of Language Model Fine-Tuning*, arXiv
#   2012.13255](https://arxiv.org/abs/2012.13255): why so few directions do
# - Biderman et al., [*LoRA Learns Less and Forgets Less*, arXiv 2405.09673](https://arxiv.org/abs/2405.09673): against full
#   fine-tuning, on much data
# - Ilharco et al., [*Editing Models with Task Arithmetic*, arXiv 2212.04089](https://arxiv.org/abs/2212.04089): adding and
#   taking away what was learnt
# - Sheng et al., [*S-LoRA*, arXiv 2311.03285](https://arxiv.org/abs/2311.03285): thousands of adapters on one base, in one
#   batch
# - Next: [lesson 14](14_lora_relatives.ipynb), what others changed in this formula. In the code:
#   [`peft/lora.py`](../../peft/lora.py), [`peft/low_rank.py`](../../peft/low_rank.py)
