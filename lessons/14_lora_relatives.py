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
# 14. LoRA's relatives and IA3

**The question.** Every month a paper changes one line of LoRA: the scale, the learning rate, the start, what is shared, or what
is multiplied. Each reports that it beats LoRA. Which of them does, on *your* task, and how would you find out?

**You will be able to**

- read such a formula, and say which line of LoRA it changes
- compute a DoRA, a PiSSA, a VeRA and an IA3 by hand
- say what a scale does to a step with plain gradient descent, and with Adam
- compare techniques without comparing learning rates

**Time:** 45 minutes. **Before it:** [LoRA](13_lora.ipynb), and what singular values are (explained there).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.lora_relatives import (
    a_batch,
    correlation,
    effects,
    ia3_by_hand,
    ia3_factors,
    kept_adapter,
    moved,
    the_family,
    the_starts,
    turned_and_stretched,
    turned_row,
    vera_by_hand,
)
from lessons.experiments.lora_relatives_figures import (
    draw_effects,
    draw_factors,
    draw_family,
    draw_relatives,
    draw_spectrum,
    draw_turns,
)
from lessons.task.base import load_base
from lessons.task.finetuning import fine_tune
from lessons.task.machine import set_threads
from lessons.task.shipped import shipped
from lessons.teaching import (
    about,
    claim,
    exercises_of,
    falls,
    kept_run,
    lit_diagram,
    prose,
    quick,
    rises,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from peft import DoraLinear, IA3Linear, LoraLinear, PeftModel, PissaLinear, VeraLinear, get_peft_model, recipe
from peft.lora_plus import lora_plus_groups
from peft.low_rank import scaling_of
from peft.pissa import principal_factors

set_threads()
torch.manual_seed(0)
base = load_base()
lit_diagram("attention", "feed_forward", "weights")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_relatives(),
    title="Four ways to change a matrix with few numbers; what is learnt has a red edge",
    alt="DoRA: LoRA turns the row (3, 4) into (3, 0), which is shorter; DoRA gives it its length 5 again, (5, 0). PiSSA: B A starts at "
    "the largest direction of W, the 3 of the matrix with 3 and 1 on its diagonal. VeRA: A x = 3 is weighted with 0.5, made wide by "
    "B, and weighted with (2, 0): (3, 0) is added. IA3: the output (4, -2) is multiplied with (1.5, 0) and becomes (6, 0).",
)

# %% [markdown]
# ## The idea
#
# LoRA leaves questions open, and each relative answers one.
#
# - How large should the update be when the rank grows? **rsLoRA** divides by $\sqrt r$ in place of $r$.
# - $B$ starts at zero and $A$ does not. Should both learn at one rate? **LoRA+** lets $B$ learn 16 times as fast.
# - A row of $W$ has a direction and a length. LoRA changes both at once. **DoRA** learns the length as a number of its own.
# - Why start at a random $A$? **PiSSA** starts at the directions in which $W$ is largest.
# - Must every layer have factors of its own? **VeRA** shares random ones, and each layer learns only how much of each to take.
# - Must there be a matrix at all? **IA3** multiplies features that are there, and adds no new direction.

# %% [markdown]
# ## The formula
#
# $$\textbf{LoRA:}\quad y = W x + b + \frac{\alpha}{r} B A x \qquad B = 0 \text{ at the start}$$
#
# | name | what changes | the line | trains for each matrix |
# |---|---|---|---|
# | rsLoRA | the scale | $\frac{\alpha}{\sqrt r}\, B A x$ | $r(d_{in} + d_{out})$ |
# | LoRA+ | the optimizer | $\eta_B = \lambda\,\eta_A$, $\lambda = 16$ | the same |
# | DoRA | length and direction apart | $y = \frac{m}{\lVert V \rVert} \odot V x + b$, with $V = W + \frac{\alpha}{r} B A$ | $\ldots + d_{out}$ |
# | PiSSA | the start | $A, B$ from the SVD of $W$, and $- \frac{\alpha}{r} B_0 A_0 x$ | $r(d_{in} + d_{out})$ |
# | VeRA | what is shared | $\lambda_b \odot B(\lambda_d \odot A x)$, with $A, B$ random and frozen | $r + d_{out}$ |
# | IA3 | no matrices at all | $y = l \odot (W x + b)$ | $d_{out}$ (or $d_{in}$) |
#
# All of them are the base at the start, and all merge into $W$. $\odot$ multiplies number by number.

# %% [markdown]
# ## The code

# %%
show_source(scaling_of, lora_plus_groups)

# %%
show_source(DoraLinear, principal_factors)

# %%
show_source(PissaLinear.delta, VeraLinear.delta, IA3Linear.forward)

# %% [markdown]
# ## By hand
#
# **rsLoRA.** $\alpha = 16$. For $r = 4, 16, 64$ the scale $\alpha/r$ is 4, 1, ¼, and $\alpha/\sqrt r$ is 8, 4, 2.
#
# **DoRA.** One row, $W = (3, 4)$, so $m = \lVert W \rVert = 5$. LoRA's part is $(0, -4)$, so $V = (3, 0)$ and $\lVert V \rVert = 3$.
# DoRA's row is $\frac{5}{3} V = (5, 0)$: turned, and as long as before. LoRA's row is $(3, 0)$: turned *and* shorter.
#
# **PiSSA.** $W = \begin{pmatrix} 3 & 0 \\ 0 & 1 \end{pmatrix}$, $r = 1$, scale 1. The largest direction is the first axis, with
# size 3. So $B_0 = \begin{pmatrix} \sqrt 3 \\ 0 \end{pmatrix}$, $A_0 = (\sqrt 3, 0)$ up to a common sign, and
# $B_0 A_0 = \begin{pmatrix} 3 & 0 \\ 0 & 0 \end{pmatrix}$.
#
# **VeRA.** $A = (1, 1)$, $B = \begin{pmatrix} 1 \\ 2 \end{pmatrix}$, $x = (2, 1)$, so $Ax = 3$. With $\lambda_d = 0.5$ it is 1.5, $B$ makes it
# $(1.5, 3)$, and $\lambda_b = (2, 0)$ gives $(3, 0)$.
#
# **IA3.** $Wx + b = (4, -2)$ and $l = (1.5, 0)$ give $(6, 0)$: the first feature up, the second off.

# %%
print("rsLoRA:", [(rank, scaling_of(rank, 16, False), scaling_of(rank, 16, True)) for rank in (4, 16, 64)])
print("DoRA:  ", turned_row(DoraLinear).tolist(), " LoRA:", turned_row(LoraLinear).tolist())
up, down = principal_factors(torch.tensor([[3.0, 0.0], [0.0, 1.0]]), rank=1, scaling=1.0)
print("PiSSA: B₀A₀ =", (up @ down).round(decimals=4).tolist())
print("VeRA:  ", vera_by_hand().tolist())
print("IA3:   ", " → ".join(str(side.tolist()) for side in ia3_by_hand()))

# %% [markdown]
# ## Experiment: errors against parameters
#
# The saved full run: 1,000 British words, each technique at its own searched rate (`python -m lessons compare`, kept in
# `lessons/results/report.json`). A rate counts as searched only when a smaller and a larger one were tried and found worse.

# %%
kept_run("full", "lora", "rslora", "lora_plus", "dora", "pissa", "vera", "ia3")

# %% tags=["hide-input"]
show_figure(
    draw_family(),
    title="LoRA has {lora:.1f} % phoneme error, VeRA {vera:.1f} % with a {part:.0f}th of its parameters, IA3 {ia3:.1f} %",
    alt="British phoneme error over the trained parameters, on a logarithmic axis: one dot for each seed, a name at each technique. "
    "IA3 is on the left with {ia3_trained:,.0f} parameters, then VeRA, then LoRA and its near relatives together, then full.",
    **{name: value for name, value in the_family().items() if name in ("lora", "vera", "part", "ia3", "ia3_trained")},
)
said_and_so(
    said="Each paper's relative beats LoRA.",
    so="Over {seeds} seeds, from {before:.1f} % before, LoRA comes to {lora:.1f} % phoneme error. Below it: {below}. Level with it, "
    "within twice the error of the difference: {level}. Above it: {above}. With the learning rate searched for each technique most "
    "of the difference is gone. VeRA comes to {vera:.1f} % with a {part:.0f}th of LoRA's parameters, IA3 to {ia3:.1f} % with the "
    "fewest of all. Last is {last} ({last_error:.1f} %).",
    shown_by="the table above (`python -m lessons compare`)",
    **{
        name: value
        for name, value in the_family().items()
        if name not in ("ia3_trained", "slowest", "slowest_seconds", "lora_seconds")
    },
)

# %% [markdown]
# ## Experiment: what rsLoRA's scale does to a step
#
# How large is one step's effect, as $r$ grows? A fresh adapter, one batch, one step, and the change of the logits; for both
# scales, for plain gradient descent and for Adam.

# %%
ranks = (1, 8, 64) if quick() else (1, 4, 16, 64)
found = effects(ranks)

# %% tags=["hide-input"]
numbers = {
    "rank": ranks[-1],
    "plain": found[False, False][-1],
    "plain_rs": found[False, True][-1],
    "adam": found[True, False][-1],
    "adam_rs": found[True, True][-1],
}
claim(falls(found[False, False]) and about(numbers["plain"], 1 / ranks[-1], 0.6), "SGD, α/r: like 1/r", **numbers)
claim(about(numbers["adam"], 1, 0.3), "Adam, α/r: it stays", **numbers)
claim(rises(found[True, True]) and numbers["adam_rs"] > 4, "Adam, α/√r: it grows", **numbers)
show_figure(
    draw_effects(found, ranks),
    title="With Adam a step of rank {rank} has {adam:.2f} times the effect of rank 1; with gradient descent {plain:.3f} times",
    alt="Two panels, the effect of one step over the rank. With plain gradient descent and α/r it falls to {plain:.3f}, with α/√r it "
    "comes to {plain_rs:.2f}. With Adam and α/r it comes to {adam:.2f}, with α/√r it grows to {adam_rs:.1f}.",
    **numbers,
)

# %% [markdown]
# With plain gradient descent α/r makes the step's effect fall like $1/r$: a large rank learns slowly. With $\alpha/\sqrt r$ it
# stays: that is the paper's point. Adam divides each gradient by its own size. Then the first step's effect stays with
# $\alpha/r$, and grows like $\sqrt r$ with rsLoRA. So the two scales want different learning rates: search again when you switch.

# %% [markdown]
# ## Experiment: which factor moves in LoRA+?
#
# $B$ starts at 0 and $A$ does not. LoRA+ lets $B$ learn 16 times as fast. How far did each get in the shipped adapters?

# %%
ways = {method: moved(method) for method in ("lora", "lora_plus")}

# %% tags=["hide-input"]
numbers = {
    "lora": ways["lora"]["A"],
    "plus": ways["lora_plus"]["A"],
    "lora_b": ways["lora"]["B"],
    "plus_b": ways["lora_plus"]["B"],
    "rate": ways["lora"]["rates"][-1],
    "slow": ways["lora_plus"]["rates"][0],
    "fast": ways["lora_plus"]["rates"][-1],
}
claim(numbers["plus"] < numbers["lora"], "in LoRA+ A stays nearer to its start", **numbers)
prose(
    "In LoRA, at the rate {rate:g}, $A$ moved by {lora:.0f} % of its length, and a number of $B$ is about {lora_b:.3f}. In LoRA+, with "
    "{slow:g} for $A$ and {fast:g} for $B$, $A$ moved by {plus:.0f} %, and a number of $B$ is about {plus_b:.3f}. So in LoRA both "
    "factors travel; in LoRA+ $A$ stays nearer to its random start, and $B$ does the work.",
    **numbers,
)

# %% [markdown]
# ## Experiment: magnitude and direction in DoRA
#
# For each row $w$ of each matrix, before and after: how much longer or shorter, $|\lVert w' \rVert - \lVert w \rVert|$, and how far
# turned, $1 - \cos(w', w)$. One dot for each matrix: the mean over its rows. The paper draws this figure to compare with full
# fine-tuning, so we train every weight for some steps as well.

# %%
full_steps = 5 if quick() else 60
full, _ = fine_tune("full", steps=full_steps)
changed = {"full": full.merge_and_unload()} | {
    name: kept_adapter(method).merge_and_unload() for name, method in (("LoRA", "lora"), ("DoRA", "dora"))
}
points = {name: turned_and_stretched(merged) for name, merged in changed.items()}

# %% tags=["hide-input"]
numbers = {name.lower(): correlation(both) for name, both in points.items()}
show_figure(
    draw_turns(points),
    title="Turn and stretch of a matrix: correlation {lora:.2f} in LoRA, {dora:.2f} in DoRA",
    alt="Three panels, a dot for each matrix: how far its rows turned, and how much their lengths changed. The correlation is "
    "{full:.2f} for full fine-tuning, {lora:.2f} for LoRA and {dora:.2f} for DoRA.",
    **numbers,
)
prose(
    "In LoRA one product turns and stretches at once: the correlation is {lora:.2f}. DoRA learns the length apart, in $m$, and what "
    "$BA$ does to it is divided out: {dora:.2f}. Full fine-tuning, {steps} steps of it, has {full:.2f}. In the paper that of full "
    "fine-tuning and of DoRA is negative; read from the numbers here whether this small model agrees.",
    steps=full_steps,
    **numbers,
)
prose(
    "The price of DoRA: $\\lVert V \\rVert$ has to be made from $W + BA$ at every step. The slowest of the family in the saved run is "
    "{slowest}, with {slowest_seconds:.0f} s; LoRA took {lora_seconds:.0f} s.",
    **{name: the_family()[name] for name in ("slowest", "slowest_seconds", "lora_seconds")},
)

# %% [markdown]
# ## Experiment: does PiSSA start faster?
#
# PiSSA begins at the largest directions of $W$ itself. Do a few directions carry much of it? And does it start faster?

# %%
weight = base.get_submodule("encoder.layers.1.self_attention.q_proj").weight.detach()
values, noise = torch.linalg.svdvals(weight), torch.linalg.svdvals(torch.randn_like(weight) * weight.std())
share, at_random = (float(100 * (each[:8] ** 2).sum() / (each**2).sum()) for each in (values, noise))

# %% tags=["hide-input"]
claim(share > 1.5 * at_random, "a few directions carry much", share=share, at_random=at_random)
show_figure(
    draw_spectrum(values, noise, 8),
    title="8 directions of 128 hold {share:.0f} % of a matrix of the base, and {at_random:.0f} % of a random one",
    alt="Left, singular values of a query matrix of the base and of a random matrix: the base's begin higher and fall faster. Right, "
    "the training loss of the first steps for LoRA, PiSSA and LoRA+.",
    share=share,
    at_random=at_random,
)
prose(
    "A few directions do carry much. In the saved run the loss at step {step} is {lora:.2f} for LoRA (rate {lora_rate:g}), {pissa:.2f} "
    "for PiSSA (rate {pissa_rate:g}) and {lora_plus:.2f} for LoRA+: the fastest start has `{first}`. At the end it is {lora_end:.2f}, "
    "{pissa_end:.2f} and {lora_plus_end:.2f}, the lowest with `{lowest_end}`. A low loss on the training words is no low error on "
    "the others: compare with the table above.",
    **the_starts(),
)

# %% [markdown]
# Hugging Face writes $W - B_0 A_0$ into the base. Here $W$ stays, so that the base is still there:

# %%
pissa, (source, target) = get_peft_model(load_base(), recipe("pissa").config()).eval(), a_batch(8)
with torch.no_grad():
    print(
        f"fresh, it differs from the base by {(pissa(source, target) - base(source, target)).abs().max():.1e} at most"
    )
    with pissa.disable_adapter():
        print("switched off, it is the base:", torch.equal(pissa(source, target), base(source, target)))

# %% [markdown]
# ## Experiment: which features does IA3 turn up?
#
# VeRA's random matrices are the same for all layers, and a seed makes them anew: they need not be saved. IA3 has factors only.
# Which features did it turn up or down?

# %%
factors = ia3_factors()

# %% tags=["hide-input"]
together = torch.cat(list(factors.values()))
numbers = {
    "count": len(together),
    "low": together.quantile(0.05).item(),
    "high": together.quantile(0.95).item(),
    "below": int((together < 0).sum()),
}
claim(numbers["low"] < 1 < numbers["high"], "some features up, some down", **numbers)
show_figure(
    draw_factors(factors),
    title="90 of 100 of IA3's factors lie between {low:.2f} and {high:.2f}: some features are turned up, some down",
    alt="A histogram of the {count:,} factors for keys, values and the feed-forward network, around 1.",
    **{name: numbers[name] for name in ("low", "high", "count")},
)
prose(
    "{below} of the {count:,} factors are below 0: these features change their sign.",
    below=numbers["below"],
    count=numbers["count"],
)

# %% [markdown]
# | | gain | price |
# |---|---|---|
# | rsLoRA | large ranks stay useful with plain gradient descent | another learning rate |
# | LoRA+ | $B$ is quick from its zero start | one more number to choose |
# | DoRA | direction and length apart, nearer to full fine-tuning in the paper | the lengths of all rows, in every step |
# | PiSSA | starts where $W$ is large | an SVD at the start; the file has rank $2r$ |
# | VeRA | very small files | a larger learning rate; the random products still cost time |
# | IA3 | fewest parameters, and no time once merged | can only weight what is there; no new direction |
#
# All of these are LoRA's side of the line: they change a weight matrix, and they merge ([lesson 17](17_adapters.ipynb) has
# the other side). IA3 is the border: it multiplies features, as SSF does ([lesson 22](22_ssf.ipynb)).

# %% [markdown]
# ## The usual mistakes
#
# - **A new technique at the old learning rate.** VeRA and IA3 want a larger one. A comparison at one rate compares rates. So does
#   one whose best rate is the largest that was tried: this course once had IA3 far behind for that reason.
#   (`lessons/task/learning_rates.json` keeps what was tried: `python -m lessons search`.)
# - **PiSSA changes the base in Hugging Face PEFT**: $W - B_0 A_0$ is written into it. Then `disable_adapter` no longer
#   gives the base, and every other adapter is wrong ([peft#2184](https://github.com/huggingface/peft/issues/2184)).
# - **DoRA's lengths from the wrong matrix.** mlx-examples took $m$ from a freshly made layer, before $W$ was put in
#   ([mlx-examples#832](https://github.com/ml-explore/mlx-examples/issues/832)). Check: a fresh DoRA gives the base's output.
# - **Two DoRA adapters on one layer, merged one after the other**: the second took its lengths from the merged weight, and
#   merged differed from unmerged ([peft#3608](https://github.com/huggingface/peft/issues/3608)). A sum of DoRAs is no DoRA; here
#   it is refused.
# - **DoRA expected to cost nothing.** Users measured it up to twice as slow in training
#   ([peft#1474](https://github.com/huggingface/peft/pull/1474)).
# - **IA3 merged into keys and values without the bias.** $l \odot (Wx + b)$ scales $b$ too; in the feed-forward network it does
#   not.

# %%
two = PeftModel.from_pretrained(load_base(), shipped("dora")["british"], adapter_name="one")
two.load_adapter(shipped("dora")["british"], "two")
try:
    two.set_adapter(["one", "two"])
except ValueError as error:
    print(error)

# %% [markdown]
# ## Three questions
#
# <details><summary>The rank goes from 8 to 64, α stays. What happens to LoRA's scale, and to the first step with Adam?</summary>
#
# The scale is an eighth of what it was. The first step's effect stays about the same, because there are eight times as many
# directions, and Adam moves each number by the learning rate whatever its gradient is.
#
# </details>
#
# <details><summary>DoRA's m is doubled in one row. What happens to the row's direction?</summary>
#
# Nothing. Only its length doubles. That is what $m$ is for.
#
# </details>
#
# <details><summary>Can IA3 make a network hear a feature of its input that it ignores?</summary>
#
# No. It can turn outputs up and down that are there. A new feature of the input needs a new direction: an $A$.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(14)

# %% [markdown]
# ## Summary
#
# - Each relative changes one line of LoRA; all start at the base, and all merge.
# - α/r or α/√r: what it does depends on the optimizer. Search the rate again when the scale changes.
# - With a searched rate for each, the relatives lie close together. What differs for certain is what they train, store and
#   cost in time.

# %% [markdown]
# ## Where to read on
#
# - rsLoRA: [*A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA*, arXiv 2312.03732](https://arxiv.org/abs/2312.03732)
# - [*LoRA+: Efficient Low Rank Adaptation of Large Models*, arXiv 2402.12354](https://arxiv.org/abs/2402.12354)
# - [*DoRA: Weight-Decomposed Low-Rank Adaptation*, arXiv 2402.09353](https://arxiv.org/abs/2402.09353), figure 2 for magnitude
#   and direction
# - [*PiSSA: Principal Singular Values and Singular Vectors Adaptation*, arXiv 2404.02948](https://arxiv.org/abs/2404.02948)
# - [*VeRA: Vector-based Random Matrix Adaptation*, arXiv 2310.11454](https://arxiv.org/abs/2310.11454)
# - IA3: [*Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning*, arXiv
#   2205.05638](https://arxiv.org/abs/2205.05638)
# - Next: [lesson 15](15_nf4.ipynb), how a weight fits in four bits. In the code: [`peft/dora.py`](../../peft/dora.py),
#   [`peft/pissa.py`](../../peft/pissa.py), [`peft/vera.py`](../../peft/vera.py), [`peft/ia3.py`](../../peft/ia3.py)
