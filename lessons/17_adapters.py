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

A small network of its own is put behind, around or beside each sub-layer, and only these networks learn.
It was the first widely used way to give one large frozen model many tasks, and it is LoRA's nearest neighbour.
"""

# %%
import time
from pathlib import Path
from statistics import mean, median

import torch
from matplotlib import pyplot as plt
from torch import nn

import lessons
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, load, pairs, vocabulary, words
from lessons.task.finetuning import adapted, rate_of, training_config
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate, predict
from lessons.teaching import exercises_of, kept_run, lit_diagram, quick, said_and_so, show_source
from peft import PeftModel
from peft.bottleneck import Bottleneck, HoulsbyAdapter, ParallelAdapter, PfeifferAdapter
from transformer import train

set_threads()
torch.manual_seed(0)
HERE = Path(lessons.__file__).parent
BRITISH = HERE / "adapters" / "british"
STYLES = ("adapter_houlsby", "adapter_pfeiffer", "adapter_parallel")
lit_diagram("adapter")

# %% [markdown]
# ## The formula
#
# $$\mathrm{bottleneck}(h) = W_{up}\,\varphi(W_{down}\, h + b_{down}) + b_{up}, \qquad
# W_{down} \in \mathbb{R}^{m \times d}, \quad W_{up} \in \mathbb{R}^{d \times m}, \quad m \ll d$$
#
# Narrow, through a non-linearity ($\varphi$), and wide again. Three styles put it in three places:
#
# | style | where | formula | how many |
# |---|---|---|---|
# | Houlsby | *behind* each sub-layer, before the residual is added; φ = GELU; trains the LayerNorms too | $h + \mathrm{bottleneck}(h)$ | 2 per encoder layer, 3 per decoder layer |
# | Pfeiffer | *behind* the feed forward only; φ = ReLU | post-norm: $f + \mathrm{bottleneck}(\mathrm{Norm}(x + f))$; pre-norm: $f + \mathrm{bottleneck}(f)$ | 1 per layer |
# | parallel | *beside* the feed forward, on its input; φ = ReLU | $\mathrm{FFN}(x) + s \cdot \mathrm{bottleneck}(x)$, $s = 4$ | 1 per layer |
#
# The red bars in the figure are Houlsby's places. One adapter has $2dm + m + d$ numbers. The base here is pre-norm.

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
tiny = Bottleneck(d_model=3, bottleneck=2, style="pfeiffer")
with torch.no_grad():
    tiny.down.weight.copy_(torch.tensor([[1.0, 0.0, 1.0], [0.0, -1.0, 0.0]]))
    tiny.up.weight.copy_(torch.tensor([[0.5, 1.0], [0.0, 1.0], [-0.25, 0.0]]))
    h = torch.tensor([1.0, 2.0, 3.0])
    print("h + bottleneck(h) =", (h + tiny(h)).tolist(), "  bottleneck(-h) =", tiny(-h).tolist())
base = load_base()
d = base.config.d_model
for style, m, count, norms in (("adapter_houlsby", 16, 15, 17), ("adapter_pfeiffer", 32, 6, 0)):
    counted, _ = adapted(style).get_nb_trainable_parameters()
    by_formula = count * (2 * d * m + m + d) + norms * 2 * d + d
    print(
        f"{style}: {count} adapters, {norms} LayerNorms, one row for a new symbol: {by_formula:,}; counted {counted:,}"
    )

# %% [markdown]
# ## Near the identity at the start
#
# Before training an adapter should change nothing, or nearly nothing: behind it stand layers that expect what they always got.
# The parallel style starts with $W_{up} = 0$, and is the base exactly (up to the rounding of one separate row). The other two start
# with very small matrices.

# %%
source = torch.tensor([vocabulary().encode_word("laboratory")])
target = torch.tensor([vocabulary().encode_pronunciation(load("american")["laboratory"][0])])
probe = words("american", "development", 40 if quick() else 120)
told = predict(base, probe)
with torch.no_grad():
    wanted = base(source, target)
    for style in STYLES:
        fresh = adapted(style).eval()
        difference = float((fresh(source, target) - wanted).abs().max())
        same = sum(said == told[word] for word, said in predict(fresh, probe).items())
        print(
            f"{style:<18} logits differ by {difference:.1e} (they go up to {wanted.abs().max():.0f}); {same} of {len(probe)} words decoded as before"
        )


def started_at(spread: float) -> PeftModel:
    """Pfeiffer adapters whose matrices start with this standard deviation."""
    model = adapted("adapter_pfeiffer")
    for module in model.modules():
        if isinstance(module, Bottleneck):
            nn.init.normal_(module.down.weight, std=spread)
            nn.init.normal_(module.up.weight, std=spread)
    return model


spreads = (0.02, 0.5) if quick() else (0.001, 0.02, 0.1, 0.2, 0.5)
untrained = [100 * evaluate(started_at(spread), probe, "american").phoneme_error for spread in spreads]
steps = 4 if quick() else 40
examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
axes[0].semilogx(spreads, untrained, "o-")
axes[0].set_xlabel("σ of the matrices at the start")
axes[0].set_ylabel("American phoneme error, %")
axes[0].set_title("before any training", fontsize=10)
for spread in (0.02, 0.5):
    torch.manual_seed(0)
    losses = train(started_at(spread), examples, training_config(steps, rate_of("adapter_pfeiffer"), seed=0))
    axes[1].semilogy(losses, label=f"σ = {spread}")
    print(f"σ = {spread}: loss {losses[0]:.2f} at the first step, {mean(losses[-5:]):.2f} at the last ones")
axes[1].set_xlabel("step")
axes[1].set_ylabel("training loss")
axes[1].set_title("training on British words", fontsize=10)
axes[1].legend(fontsize=8)
plt.show()
print(
    "error before training: " + ", ".join(f"σ = {spread}: {error:.1f} %" for spread, error in zip(spreads, untrained))
)

# %% [markdown]
# A large start breaks the base first (an error above 100 % means that the words come out too long), and training has to repair it with few parameters.
#
# ## Which adapter does what?
#
# The shipped Pfeiffer adapters (`python -m lessons compare`): one behind each feed forward. How large is what an adapter adds,
# against what it was given? And what happens when one of them is silent?

# %%
tuned = PeftModel.from_pretrained(load_base(), BRITISH / "adapter_pfeiffer")
bottlenecks = {path: module for path, module in tuned.named_modules() if isinstance(module, Bottleneck)}
names = [
    ".".join(part for part in path.split(".") if part in ("encoder", "decoder", "0", "1", "2")) for path in bottlenecks
]
british = words("british", "development", 40 if quick() else 150)
share: dict[str, list[float]] = {path: [] for path in bottlenecks}


def measure(path: str):
    def hook(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        share[path].append(float(output.norm() / inputs[0].norm()))

    return hook


hooks = [module.register_forward_hook(measure(path)) for path, module in bottlenecks.items()]
whole = 100 * evaluate(tuned, british, "british").phoneme_error
for hook in hooks:
    hook.remove()
silenced = []
for module in bottlenecks.values():
    hook = module.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    silenced.append(100 * evaluate(tuned, british, "british").phoneme_error)
    hook.remove()
with tuned.disable_adapter():
    alone = 100 * evaluate(tuned, british, "british").phoneme_error
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.8), layout="constrained")
axes[0].bar(names, [100 * mean(share[path]) for path in bottlenecks], color="C2")
axes[0].set_ylabel("length of what is added, %")
axes[0].set_title("against the feed forward's own output", fontsize=10)
bars = axes[1].bar(names, silenced, color="C1")
axes[1].bar_label(bars, fmt="%.0f", fontsize=8)
axes[1].axhline(whole, color="black", linestyle="--", linewidth=1)
axes[1].axhline(alone, color="grey", linestyle=":", linewidth=1)
axes[1].set_ylabel("British phoneme error, %")
axes[1].set_title(f"one silent; dashed: none ({whole:.0f} %), dotted: all ({alone:.0f} %)", fontsize=10)
for axis in axes:
    axis.tick_params(axis="x", labelsize=8)
plt.show()
print("one silent: " + ", ".join(f"{name} {error:.1f} %" for name, error in zip(names, silenced)))

# %% [markdown]
# What an adapter adds is not small: it is of the feed forward's own size. The last one in the decoder matters most here: it is
# the last one before a symbol is chosen. Without the first one in the encoder nothing is lost. AdapterDrop (see the end) makes
# a method of this.
#
# ## LoRA or adapter? What merges, and what it costs to use
#
# We ask every shipped adapter to merge.

# %%
for method in ("lora", "dora", "ia3", "ssf", *STYLES):
    model = PeftModel.from_pretrained(load_base(), BRITISH / method)
    try:
        merged = model.merge_and_unload()
        extra = sum(p.numel() for p in merged.parameters()) - sum(p.numel() for p in base.parameters())
        print(f"{method:<18} merged; {extra:,} more numbers than the base")
    except ValueError as error:
        print(f"{method:<18} {error}")

# %% [markdown]
# What changes weights merges, whatever it is called. What has a non-linearity does not.
#
# Now the time. Each model in turn runs the same batch, again and again, so that a busy machine is busy for all of them alike.
# We compare the medians with the base's.

# %%
candidates = {"base": load_base(), "LoRA, beside": PeftModel.from_pretrained(load_base(), BRITISH / "lora")}
candidates["LoRA, merged"] = PeftModel.from_pretrained(load_base(), BRITISH / "lora").merge_and_unload().eval()
for style in STYLES:
    candidates[style.removeprefix("adapter_")] = PeftModel.from_pretrained(load_base(), BRITISH / style)
repeats, ratios = (5, {}) if quick() else (25, {})
for rows in (1, 64):
    batch = source.expand(rows, -1), target.expand(rows, -1)
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    with torch.inference_mode():
        for turn in range(repeats + 1):
            for name, model in candidates.items():
                start = time.perf_counter()
                model(*batch)
                if turn:  # the first turn warms up
                    taken[name].append(time.perf_counter() - start)
    ratios[rows] = {name: median(times) / median(taken["base"]) for name, times in taken.items()}
figure, axis = plt.subplots(figsize=(7.5, 2.8), layout="constrained")
for shift, (rows, found) in zip((-0.2, 0.2), ratios.items()):
    print(f"batch of {rows:>2}: " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in found.items()))
    places = [index + shift for index in range(len(found))]
    bars = axis.bar(places, list(found.values()), width=0.38, label=f"batch of {rows}")
    axis.bar_label(bars, fmt="%.2f", fontsize=8)
axis.set_xticks(range(len(candidates)), list(candidates), fontsize=9)
axis.axhline(1, color="black", linewidth=0.8)
axis.set_ylabel("time, the base is 1")
axis.legend(fontsize=8)
plt.show()

# %% [markdown]
# Merged LoRA is the base's own network, and takes the base's time. Everything else takes more. LoRA at *every* matrix, unmerged,
# is slower here than any adapter: it is many small products. So "LoRA costs no time" holds after merging, not before.
#
# | | LoRA | adapter |
# |---|---|---|
# | changes | a weight matrix | the output of a sub-layer |
# | formula | $Wx + \frac{\alpha}{r}BAx$: linear | $h + W_{up}\varphi(W_{down}h)$: has a non-linearity |
# | depth of the network | the same | longer: its layers come one after another (but for the parallel style) |
# | merges | yes | no |
# | time in use | none once merged | always some |
# | many users in one batch | yes, unmerged | yes: parallel in one pass, the others group by group |
#
# The parallel adapter is the bridge: leave out φ, and it is LoRA around a whole feed forward ("Towards a Unified View").
#
# ## What it trains, gains, costs
#
# The saved full run: 1,000 words, 300 steps, 3 seeds (`python -m lessons compare`, `lessons/results/report.json`).

# %%
kept_run("full", "lora", *STYLES)

# %%
said_and_so(
    "Adapters let the model learn a task without touching its performance on anything else.",
    "Switched off, yes: the base is back, to the last bit. Switched on, no: the American error is then as high as after full "
    "fine-tuning. The weights are untouched; what comes out is not.",
    "the columns `American PER, on` and `off` above (`python -m lessons compare`)",
)
said_and_so(
    "An adapter is independent of the model's main structure.",
    "Its parameters are its own. But it was trained on the hidden vectors of this base, at this place; on another base it is "
    "noise, so the file keeps the base's fingerprint and another base is refused.",
    "`check_base` in `peft/model.py`; the usual mistakes of lesson 13",
)

# %% [markdown]
# | | |
# |---|---|
# | trains | $2dm + m + d$ for each adapter (Houlsby also $2d$ for each LayerNorm) |
# | gain | about full fine-tuning's error with 3.6 to 4.9 % of its numbers; small files; fast to train here |
# | price | some time at every use, since nothing merges; one more size, $m$, to choose |
#
# ## The usual mistakes
#
# - **A recipe for post-norm on a pre-norm model.** MBart norms *before* each sub-layer, and got adapters with the norm of the
#   post-norm recipe (adapter-hub/adapters, pull request 300). Ask first where the norm stands. Users ask just that about Pfeiffer's
#   adapter (unify-parameter-efficient-tuning, issue 23).
# - **The base is changed by the preparations.** A BEiT prepared for adapters gave other outputs with no adapter on it
#   (adapter-hub/adapters, pull request 439). Check as below.
# - **"Houlsby" without the LayerNorms.** The paper trains them; many do not. Say which.
# - **A large start.** See the figure above.
# - **Hoping to merge.** φ is in the way.

# %%
with torch.no_grad():
    for style in STYLES:
        model = PeftModel.from_pretrained(load_base(), BRITISH / style)
        with model.disable_adapter():
            print(f"{style}, switched off, is the base: {torch.equal(model(source, target), wanted)}")

# %%
exercises_of(17)

# %% [markdown]
# ## Where to read on
#
# - *Parameter-Efficient Transfer Learning for NLP* (arXiv 1902.00751): Houlsby's adapters.
# - *AdapterFusion: Non-Destructive Task Composition for Transfer Learning* (arXiv 2005.00247): Pfeiffer's.
# - *Towards a Unified View of Parameter-Efficient Transfer Learning* (arXiv 2110.04366): the parallel adapter, and how LoRA, prefixes
#   and adapters are one family.
# - *AdapterDrop: On the Efficiency of Adapters in Transformers* (arXiv 2010.11918): which ones can be left out.
# - *AdapterHub: A Framework for Adapting Transformers* (arXiv 2007.07779).
