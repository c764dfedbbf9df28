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
# 17. Adapters

**The question.** A bank has a model that writes texts of every kind. It shall write financial reports: their terms, their tone,
their order of things. Can the model get a few new parts that know all that, while everything it has stays untouched?

**You will be able to**

- write an adapter's formula, compute one by hand, and count its parameters
- say where Houlsby's, Pfeiffer's and the parallel adapter stand
- say why an adapter starts near zero, and why it cannot be merged
- compare adapters with LoRA: what changes, what merges, what it costs to use

**Time:** 40 minutes. **Before it:** [LoRA](13_lora.ipynb), and the feed-forward network of
[lesson 6](06_feed_forward_and_encoder.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.adapters import (
    STYLES,
    H,
    a_word,
    adapters_beside_full,
    by_hand,
    error_untrained,
    errors_silenced,
    lengths,
    losses_from,
    merging,
    shipped_model,
    time_ratios,
)
from lessons.experiments.adapters_figures import draw_bottleneck, draw_places, draw_starts, draw_times
from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.finetuning import adapted
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate
from lessons.teaching import (
    claim,
    exercises_of,
    highest,
    kept_run,
    lit_diagram,
    lowest,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from peft.bottleneck import Bottleneck, HoulsbyAdapter, ParallelAdapter, PfeifferAdapter

set_threads()
torch.manual_seed(0)
lit_diagram("adapter")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_bottleneck(),
    title="Down to two numbers, through ReLU, up again, and added to what went past",
    alt="h = (1, 2, 3) goes through the learnt 2 × 3 matrix W down and gives (4, -2). ReLU makes it (4, 0). The learnt 3 × 2 matrix W up "
    "makes (2, 0, -1). A line carries h past all this, and the sum is (3, 2, 2).",
)

# %% [markdown]
# ## The idea
#
# A sub-layer writes a vector into the residual stream. An **adapter** is a small network that reads this vector and corrects it.
# It is narrow in the middle, so it can look for few features only, and say little about each. Between its two matrices
# stands a non-linearity.
#
# Fine-tuning with adapters has six steps: take a pretrained model; put an adapter into every layer, or into some; freeze the
# model; train the adapters on the task's data; keep one small file for each task; use the model with the task's file. It was the
# first widely used way to give one large frozen model many tasks, and it is LoRA's nearest neighbour.
#
# **The bank again.** The model's grammar and facts stay in its frozen weights. The adapters learn from reports that here
# one says *net income*, and what comes first on the page. Only their numbers are updated; the architecture stays.

# %% [markdown]
# ## The formula
#
# $$\mathrm{bottleneck}(h) = W_{up}\,\varphi(W_{down}\, h + b_{down}) + b_{up}, \qquad
# W_{down} \in \mathbb{R}^{m \times d}, \quad W_{up} \in \mathbb{R}^{d \times m}, \quad m \ll d$$
#
# | style | where | formula | how many |
# |---|---|---|---|
# | Houlsby | *behind* each sub-layer, before the residual is added; φ = GELU; trains the LayerNorms too | $h + \mathrm{bottleneck}(h)$ | 2 per encoder layer, 3 per decoder layer |
# | Pfeiffer | *behind* the feed forward only; φ = ReLU | post-norm: $f + \mathrm{bottleneck}(\mathrm{Norm}(x + f))$; pre-norm: $f + \mathrm{bottleneck}(f)$ | 1 per layer |
# | parallel | *beside* the feed forward, on its input; φ = ReLU | $\mathrm{FFN}(x) + s \cdot \mathrm{bottleneck}(x)$, $s = 4$ | 1 per layer |
#
# The red bars in the first figure are Houlsby's places. One adapter has $2dm + m + d$ numbers. The base here is pre-norm.

# %% [markdown]
# ## The code

# %%
show_source(Bottleneck, HoulsbyAdapter, PfeifferAdapter, ParallelAdapter)

# %% [markdown]
# ## By hand
#
# $d = 3$, $m = 2$, ReLU, biases 0, $h = (1, 2, 3)$:
#
# $$W_{down} = \begin{pmatrix} 1 & 0 & 1 \\ 0 & -1 & 0 \end{pmatrix} \Rightarrow
# \begin{pmatrix} 4 \\ -2 \end{pmatrix} \Rightarrow \mathrm{ReLU} \Rightarrow \begin{pmatrix} 4 \\ 0 \end{pmatrix}
# \qquad
# W_{up} = \begin{pmatrix} 0.5 & 1 \\ 0 & 1 \\ -0.25 & 0 \end{pmatrix} \Rightarrow \begin{pmatrix} 2 \\ 0 \\ -1 \end{pmatrix}$$
#
# so $h + \mathrm{bottleneck}(h) = (3, 2, 2)$. Now with $-h$: the narrow part is $(-4, 2)$, ReLU makes it $(0, 2)$, and the
# bottleneck gives $(2, 2, 0)$. A matrix would have given $(-2, 0, 1)$. So no matrix does what an adapter does, and it cannot be
# merged into one.

# %%
tiny = by_hand()
with torch.no_grad():
    print("h + bottleneck(h) =", (H + tiny(H)).tolist(), "  bottleneck(-h) =", tiny(-H).tolist())
base = load_base()
d = base.config.d_model
for style, m, count, norms in (("adapter_houlsby", 16, 15, 17), ("adapter_pfeiffer", 32, 6, 0)):
    counted, _ = adapted(style).get_nb_trainable_parameters()
    by_formula = count * (2 * d * m + m + d) + norms * 2 * d + d
    print(f"{style}: {count} adapters, {norms} norms, a row for a new symbol: {by_formula:,}; counted {counted:,}")

# %% [markdown]
# ## Experiment: near the identity at the start
#
# Behind an adapter stand layers that expect what they always got. So before training it should change nothing, or nearly
# nothing. The parallel style starts with $W_{up} = 0$; the other two with very small matrices. What does a larger start do?

# %%
probe = words("american", "development", 20 if quick() else 60)
spreads = (0.02, 0.5) if quick() else (0.001, 0.02, 0.1, 0.5)
untrained = {spread: error_untrained(spread, probe) for spread in spreads}
losses = {spread: losses_from(spread, steps=3 if quick() else 30) for spread in (0.02, 0.5)}

# %% tags=["hide-input"]
claim(untrained[0.5] > 2 * untrained[0.02] and losses[0.5][0] > losses[0.02][0], "a large start breaks the base")
show_figure(
    draw_starts(untrained, losses),
    title="A large start breaks the base before training: {small:.1f} % wrong become {large:.0f} %",
    alt="Left: the American phoneme error over the spread of the adapters' matrices; it is {small:.1f} % for the small start and {large:.0f} % for "
    "the large one. Right: the training loss on British words begins far higher from the large start.",
    small=untrained[0.02],
    large=untrained[0.5],
)

# %% [markdown]
# ## Experiment: which adapter does what?
#
# The shipped Pfeiffer adapters stand one behind each feed forward. How large is what an adapter adds, against what it was given?
# And what happens when one of them is silent?

# %%
tuned = shipped_model("adapter_pfeiffer")
british = words("british", "development", 20 if quick() else 60)
added, silenced = lengths(tuned, british), errors_silenced(tuned, british)
whole = 100 * evaluate(tuned, british, "british").phoneme_error
with tuned.disable_adapter():
    alone = 100 * evaluate(tuned, british, "british").phoneme_error

# %% tags=["hide-input"]
show_figure(
    draw_places(added, silenced, whole, alone),
    title="The one in {worst} is missed most: {error:.0f} % without it, {whole:.0f} % with all",
    alt="Left: what each of six adapters adds has {shortest:.0f} to {longest:.0f} % of the length of what it is given. Right: the error "
    "with one silent, from {least:.1f} % (the one in {best}) to {error:.1f} % ({worst}); all silent: {alone:.1f} %.",
    worst=highest(silenced),
    best=lowest(silenced),
    error=max(silenced.values()),
    least=min(silenced.values()),
    whole=whole,
    alone=alone,
    shortest=min(added.values()),
    longest=max(added.values()),
)

# %% [markdown]
# Not all are needed alike. AdapterDrop (see the end) makes a method of this.

# %% [markdown]
# ## Experiment: LoRA or adapter? What merges, and what it costs to use
#
# We ask shipped adapters of several kinds to merge. Then each model in turn runs the same batch, again and again.

# %%
for method in ("lora", "dora", "ia3", "ssf", *STYLES):
    print(f"{method:<18} {merging(method)}")
ratios = {rows: time_ratios(rows, repeats=3 if quick() else 30 if rows == 1 else 10) for rows in (1, 64)}

# %% tags=["hide-input"]
one = {"beside": ratios[1]["LoRA beside"], "merged": ratios[1]["LoRA merged"], "pfeiffer": ratios[1]["pfeiffer"]}
claim(0.9 < one["merged"] < 1.1, "merged, LoRA is as fast as the base", **one)
claim(one["merged"] < min(one["beside"], one["pfeiffer"]), "what is not merged costs time", **one)
show_figure(
    draw_times(ratios),
    title="Merged, LoRA takes {merged:.2f} of the base's time; Pfeiffer's adapter, which cannot merge, {pfeiffer:.2f}",
    alt="Bars for the base, LoRA beside, LoRA merged and three styles of adapters, with a batch of 1 and of 64. For one word LoRA beside "
    "takes {beside:.2f} of the base's time, merged {merged:.2f}, Pfeiffer's adapter {pfeiffer:.2f}.",
    **one,
)

# %% [markdown]
# What changes weights merges, whatever it is called. What has a non-linearity does not. "LoRA costs no time" holds after merging.
#
# | | LoRA | adapter |
# |---|---|---|
# | changes | a weight matrix | the output of a sub-layer |
# | formula | $Wx + \frac{\alpha}{r}BAx$: linear | $h + W_{up}\varphi(W_{down}h)$: has a non-linearity |
# | depth of the network | the same | longer (but for the parallel style) |
# | merges | yes | no |
# | time in use | none once merged | always some |
# | many users in one batch | yes, unmerged | yes: parallel in one pass, the others group by group |
#
# The parallel adapter is the bridge: leave out φ, and it is LoRA around a whole feed forward ("Towards a Unified View").

# %% [markdown]
# ## What it trains, gains, costs
#
# The saved comparison (`python -m lessons compare`):

# %%
kept_run("full", "lora", *STYLES)

# %% tags=["hide-input"]
saved = adapters_beside_full()
prose(
    "With {words:,} words and {seeds} seeds the adapters' British phoneme error is {least:.1f} to {most:.1f} %, that of full "
    "fine-tuning {full:.1f} %. They train {fewest:.1f} to {largest:.1f} % of the numbers.",
    **saved,
)
said_and_so(
    said="Adapters let the model learn a task without touching its performance on anything else.",
    so="Switched off, yes: the base is back, with {off:.1f} % of American wrong. Switched on, no: then it is {american:.1f} to "
    "{american_most:.1f} %, as after full fine-tuning ({american_full:.1f} %). The weights are untouched; what comes out is not.",
    shown_by="the columns `American PER, on` and `off` above (`python -m lessons compare`)",
    **saved,
)
said_and_so(
    said="An adapter is independent of the model's main structure.",
    so="Its parameters are its own. But it was trained on the hidden vectors of this base, at this place; on another base it is "
    "noise, so the file keeps the base's fingerprint and another base is refused.",
    shown_by="`check_base` in `peft/model.py`; the usual mistakes of lesson 13",
)

# %% [markdown]
# ## The usual mistakes
#
# - **A recipe for post-norm on a pre-norm model.** MBart norms *before* each sub-layer, and got adapters with the norm of the
#   post-norm recipe ([adapter-hub/adapters#300](https://github.com/adapter-hub/adapters/pull/300)). Ask first where the norm
#   stands.
# - **The base is changed by the preparations.** A BEiT prepared for adapters gave other outputs with no adapter on it
#   ([adapter-hub/adapters#439](https://github.com/adapter-hub/adapters/pull/439)). Check as below.
# - **"Houlsby" without the LayerNorms.** The paper trains them; many do not. Say which.
# - **A large start.** See the figure above.
# - **Hoping to merge.** φ is in the way.

# %%
source, target = a_word()
with torch.no_grad():
    for style in STYLES:
        model = shipped_model(style)
        with model.disable_adapter():
            print(f"{style}, switched off, is the base: {torch.equal(model(source, target), base(source, target))}")

# %% [markdown]
# ## Three questions
#
# <details><summary>Why can LoRA be merged, and an adapter not?</summary>
#
# LoRA is linear: two matrices in a row are one matrix. Between an adapter's matrices stands φ, and no matrix does what φ does.
#
# </details>
#
# <details><summary>Which numbers must be zero, so that an adapter starts as exactly nothing?</summary>
#
# $W_{up}$ and $b_{up}$. $W_{down}$ may be random, and it should be: if both matrices were zero, neither would get a gradient.
#
# </details>
#
# <details><summary>Three tasks, one base. What is kept?</summary>
#
# The base once, and for each task the adapters' numbers. To change the task one changes the adapters; the base stays.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(17)

# %% [markdown]
# ## Summary
#
# - An adapter is a narrow network of its own, behind or beside a sub-layer; the model is frozen.
# - It starts near zero, because the layers behind it expect what they always got.
# - It is about as good as full fine-tuning here, with few numbers; it does not merge, and costs time at each use.

# %% [markdown]
# ## Where to read on
#
# - Houlsby et al., [*Parameter-Efficient Transfer Learning for NLP*, arXiv 1902.00751](https://arxiv.org/abs/1902.00751)
# - Pfeiffer et al., [*AdapterFusion*, arXiv 2005.00247](https://arxiv.org/abs/2005.00247)
# - He et al., [*Towards a Unified View of Parameter-Efficient Transfer Learning*, arXiv
#   2110.04366](https://arxiv.org/abs/2110.04366): LoRA, prefixes and adapters are one family
# - Rücklé et al., [*AdapterDrop*, arXiv 2010.11918](https://arxiv.org/abs/2010.11918): which ones can be left out
# - Pfeiffer et al., [*AdapterHub*, arXiv 2007.07779](https://arxiv.org/abs/2007.07779)
# - Next: [lesson 18](18_prompt_tuning.ipynb), vectors in front of the words. In the code:
#   [`peft/bottleneck.py`](../../peft/bottleneck.py)
