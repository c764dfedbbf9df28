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
# 12. BitFit and LayerNorm tuning

Two techniques that add nothing to the model: they train a few of the parameters that are already there, the biases, or the
norms' gains and biases. Less than one per cent is trained; this lesson measures how far that goes, and what it really saves.
"""

# %%

import torch
from matplotlib import pyplot as plt

from lessons.drawing.families import family
from lessons.drawing.style import BEFORE
from lessons.task.base import load_base
from lessons.task.dictionary import pairs, vocabulary, words
from lessons.task.finetuning import fine_tune, rate_of
from lessons.task.machine import set_threads
from lessons.task.shipped import adapters_folder
from lessons.task.scoring import evaluate, predict
from lessons.teaching import (
    exercises_of,
    kept_mean,
    kept_report,
    kept_run,
    lit_diagram,
    quick,
    said_and_so,
    show_source,
)
from peft import PeftModel
from peft.bitfit import BitFitConfig
from peft.ln_tuning import LNTuningConfig
from transformer import collate, label_smoothed_cross_entropy

set_threads()
lit_diagram("attention", "add_norm", "feed_forward")

# %% [markdown]
# ## The formula
#
# $$y = W x + \mathbf{b}, \qquad \mathrm{LayerNorm}(x) = \mathbf{g} \odot \hat{x} + \mathbf{b}, \qquad
# \hat{x} = \frac{x - \mathrm{mean}(x)}{\sqrt{\mathrm{var}(x) + \epsilon}}$$
#
# - **BitFit** trains every $\mathbf{b}$: those of the linear layers and those of the norms. No $W$, no $\mathbf{g}$.
# - **LayerNorm tuning** trains $\mathbf{g}$ and $\mathbf{b}$ of the norms, and nothing else.
#
# A bias moves all inputs by the same vector. A gain stretches each feature. Neither can mix features anew: the matrices stay.

# %%
show_source(BitFitConfig, LNTuningConfig)

# %% [markdown]
# ## By hand: how many?
#
# With $d = 128$, $d_{ff} = 512$, three layers a side, and one more norm after each stack:
#
# - An encoder layer has the biases of four attention matrices ($4d$), of fc1 ($d_{ff}$), of fc2 ($d$), of two norms ($2d$):
#   $7d + d_{ff} = 1{,}408$. A decoder layer has a second attention and a third norm: $12d + d_{ff} = 2{,}048$.
# - BitFit: $3 \cdot 1{,}408 + 3 \cdot 2{,}048 + 2 \cdot 128 = 10{,}624$.
# - LayerNorm tuning: $2 + 3$ norms in a pair of layers, $2d$ each, and two more: $2d\,(3 \cdot 2 + 3 \cdot 3) + 2 \cdot 2d = 4{,}352$.
#
# In this course both also train one row of the embedding, 128 numbers: ɒ, which American does not have (lesson 8).

# %%
base = load_base()
d, d_ff = base.config.d_model, base.config.d_ff
for name, formula in (
    ("bitfit", 3 * (7 * d + d_ff) + 3 * (12 * d + d_ff) + 2 * d),
    ("ln_tuning", 2 * d * (3 * 2 + 3 * 3) + 2 * 2 * d),
):
    model = PeftModel.from_pretrained(load_base(), adapters_folder() / "british" / name, is_trainable=True)
    trained, total = model.get_nb_trainable_parameters()
    print(
        f"{name:<10} formula {formula:>6,} + 128 for ɒ = {formula + 128:>6,}; counted {trained:>6,} = {100 * trained / total:.2f} % of the model"
    )

# %% [markdown]
# ## By hand: the bias that does nothing
#
# A query scores two keys: 1 and 3. A bias on the keys adds $q \cdot b_K$ to *both*, say 5: now 6 and 8. Softmax sees only
# the difference, 2 in both cases: the weights are $1/(1 + e^2) = 0.119$ and $0.881$, before and after. So a key's bias
# changes nothing, and its gradient is 0. Every BitFit trains it all the same.

# %%
print("before", torch.tensor([1.0, 3.0]).softmax(-1).tolist(), "  after", torch.tensor([6.0, 8.0]).softmax(-1).tolist())

KINDS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "norm")


def kind_of(name: str) -> str:
    return next(kind for kind in KINDS if kind in name)


tokens = vocabulary()
batch = collate(pairs("british", words("british", "train", 100)), tokens.pad_id, tokens.bos_id)
loss = label_smoothed_cross_entropy(base(batch.source, batch.inputs), batch.labels, pad_id=tokens.pad_id)
loss.backward()
gradients: dict[str, list[float]] = {kind: [] for kind in KINDS}
for name, parameter in base.named_parameters():
    if name.endswith(".bias"):
        gradients[kind_of(name)].append(float(parameter.grad.abs().mean()))
for kind, values in gradients.items():
    print(f"{kind:<9} mean |gradient| of its biases {sum(values) / len(values):.1e}")

# %% [markdown]
# The key's gradient is rounding noise, millions of times smaller than the others.
#
# ## Which biases moved?
#
# We load the adapters that the package ships: 300 steps of British. For each bias vector, the root mean square of its change.

# %%


def changes(method: str) -> dict[str, torch.Tensor]:
    """The change of every parameter that the shipped adapter trained, by its name."""
    model = PeftModel.from_pretrained(load_base(), adapters_folder() / "british" / method)
    before = dict(load_base().named_parameters())
    return {
        name: copy.detach() - before[name].detach()
        for name, copy in model.adapters["default"].owned.own_parameters().items()
    }


COLUMNS = {
    "encoder self": ("encoder.layers.", "self_attention."),
    "encoder ff": ("encoder.layers.", "feed_forward."),
    "decoder self": ("decoder.layers.", "self_attention."),
    "decoder cross": ("decoder.layers.", "cross_attention."),
    "decoder ff": ("decoder.layers.", "feed_forward."),
}
moved = changes("bitfit")
rows = [f"{kind}, layer {layer}" for kind in KINDS[:6] for layer in range(3)]
picture = torch.full((len(rows), len(COLUMNS)), float("nan"))
for column, (start, part) in enumerate(COLUMNS.values()):
    for name, change in moved.items():
        if name.startswith(start) and f".{part}" in name and kind_of(name) != "norm":
            layer = int(name.split(".")[2])
            picture[rows.index(f"{kind_of(name)}, layer {layer}"), column] = change.square().mean().sqrt()
figure, axis = plt.subplots(figsize=(6, 4.6), layout="constrained")
image = axis.imshow(picture, cmap="Purples", vmin=0, aspect="auto")
axis.set_xticks(range(len(COLUMNS)), COLUMNS, rotation=20)
axis.set_yticks(range(len(rows)), rows, fontsize=8)
figure.colorbar(image, label="change (root mean square)")
axis.set_title("BitFit: how far the biases moved", fontsize=10)
plt.show()
sizes = {name: float(change.square().mean().sqrt()) for name, change in moved.items()}
for name in sorted(sizes, key=sizes.get, reverse=True)[:6]:
    print(f"{name:<52} {sizes[name]:.3f}")
keys = [size for name, size in sizes.items() if "k_proj" in name]
print(f"the keys' biases: {sum(keys) / len(keys):.4f} on average")

# %% [markdown]
# The keys' biases have no use, and yet with Adam they need not stay where they are: Adam divides a gradient by its own size,
# so it turns even rounding noise into steps. It does no harm, since nothing depends on them.
#
# And LayerNorm tuning? Here are the gains, before and after: each dot is one feature of one norm.

# %%
norm_changes = {name: change for name, change in changes("ln_tuning").items() if name.endswith("norm.weight")}
before = {name: parameter.detach() for name, parameter in load_base().named_parameters()}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for side, colour in (("encoder", "C0"), ("decoder", "C1")):
    names = [name for name in norm_changes if name.startswith(side)]
    old = torch.cat([before[name] for name in names])
    axes[0].scatter(
        old, old + torch.cat([norm_changes[name] for name in names]), s=4, alpha=0.5, color=colour, label=side
    )
axes[0].axline((0, 0), slope=1, color="#999999", linewidth=1)
axes[0].set_xlabel("gain in the base")
axes[0].set_ylabel("gain after tuning")
axes[0].legend(fontsize=8)
relative = {name: float(change.norm() / before[name].norm()) for name, change in norm_changes.items()}
best = sorted(relative, key=relative.get, reverse=True)[:7]
short = [
    name.replace(".layers", "").replace(".weight", "").replace("_attention", "").replace(".norm", "") for name in best
]
axes[1].barh(short, [100 * relative[name] for name in best])
axes[1].invert_yaxis()
axes[1].set_xlabel("relative change of the gains, %")
plt.show()

# %% [markdown]
# ## Live: a rate of its own
#
# So few numbers must move far. At the rate of full fine-tuning they hardly leave their place.

# %%
count = 12 if quick() else 60
exam = {accent: words(accent, "development", 50 if quick() else 150) for accent in ("british", "american")}
runs = {}
for title, method, rate in (
    (f"BitFit, rate {rate_of('full'):g}", "bitfit", rate_of("full")),
    (f"BitFit, rate {rate_of('bitfit'):g}", "bitfit", rate_of("bitfit")),
    (f"LayerNorm, rate {rate_of('ln_tuning'):g}", "ln_tuning", rate_of("ln_tuning")),
):
    tuned, losses = fine_tune(method, steps=count, learning_rate=rate)
    errors = {accent: 100 * evaluate(tuned, chosen, accent).phoneme_error for accent, chosen in exam.items()}
    runs[title] = losses
    print(f"{title:<24} British phoneme error {errors['british']:.1f} %, American {errors['american']:.1f} %")
untouched = {accent: 100 * evaluate(load_base(), chosen, accent).phoneme_error for accent, chosen in exam.items()}
print(f"{'the base':<24} British phoneme error {untouched['british']:.1f} %, American {untouched['american']:.1f} %")
figure, axis = plt.subplots(figsize=(5.5, 2.8), layout="constrained")
for title, losses in runs.items():
    axis.plot(range(1, count + 1), losses, label=title)
axis.set_xlabel("step")
axis.set_ylabel("training loss (British)")
axis.legend(fontsize=8)
plt.show()

# %% [markdown]
# At its own rate the loss falls to a third within these steps; the exam has hardly noticed yet. An error counts whole symbols,
# and between two accents the output is neither. The saved run below has 300 steps.
#
# Both merge without a trace: the copies take the places of the base's tensors, and the result is a plain Transformer of the
# same size and speed.

# %%
few = exam["british"][:20]
said = predict(tuned, few)
merged = tuned.merge_and_unload()
print(type(merged).__name__, "says the same:", predict(merged, few) == said)

# %% [markdown]
# ## What is won, and what it costs
#
# From the saved run: 300 steps, three seeds, all held-out words.


# %%
def means(method: str) -> dict[str, float]:
    """What the sentences below speak of, mean over the seeds."""
    return {
        "trained": kept_mean(method, "trainable_parameters"),
        "KB": kept_mean(method, "adapter_bytes") / 1000,
        "seconds": kept_mean(method, "seconds"),
        "MB": kept_mean(method, "peak_memory_bytes") / 1e6,
        "British": 100 * kept_mean(method, "british", "phoneme_error"),
    }


chosen = {method: means(method) for method in ("full", "bitfit", "ln_tuning", "ia3", "ssf", "lora")}
kept_run(*chosen)
figure, axis = plt.subplots(figsize=(5.5, 3), layout="constrained")
for method, mean in chosen.items():
    colour = family(method).colour
    axis.scatter(mean["trained"], mean["British"], color=colour)
    axis.annotate(
        method,
        (mean["trained"], mean["British"]),
        (5, -13 if method == "ln_tuning" else 5),
        textcoords="offset points",
        fontsize=9,
    )
axis.axhline(
    100 * kept_report()["base"]["british"]["phoneme_error"], color=BEFORE, linestyle=":", label="the base before"
)
axis.set_xscale("log")
axis.set_xlim(2e3, 6e6)
axis.set_ylim(bottom=0)
axis.set_xlabel("trained parameters")
axis.set_ylabel("British phoneme error, %")
axis.legend(fontsize=8, loc="lower left")
plt.show()

# %%
full, bitfit, norms = chosen["full"], chosen["bitfit"], chosen["ln_tuning"]
start = 100 * kept_report()["base"]["british"]["phoneme_error"]
said_and_so(
    said="BitFit trains only the biases: it needs extremely little computing, but may gain only a little.",
    so=f"It needs {full['trained'] / bitfit['trained']:.0f} times fewer trained numbers and {full['KB'] / bitfit['KB']:.0f} times less "
    f"disk. The computing is another matter: {bitfit['seconds']:.0f} seconds against {full['seconds']:.0f}, and "
    f"{bitfit['MB']:.0f} MB against {full['MB']:.0f}, because the gradient must still run back through the whole model; "
    "only the gradients of the matrices are left out. And the gain is "
    f"{100 * (start - bitfit['British']) / (start - full['British']):.0f} % of what full fine-tuning gains.",
    shown_by="The table above, from `lessons/results/report.json` (`python -m lessons compare --seeds 3 --test-words all`).",
)
said_and_so(
    said="The fewer parameters are trained, the weaker the technique.",
    so=f"It matters which. LayerNorm tuning trains {norms['trained']:,.0f} numbers and BitFit {bitfit['trained']:,.0f}; the smaller "
    f"one is better here: {norms['British']:.1f} % against {bitfit['British']:.1f} %. A gain can do what a bias cannot. "
    "Both had their best of three learning rates, and both were best at the largest one: a larger still may be better.",
    shown_by="The figure above; `lessons/task/learning_rates.json`.",
)

# %% [markdown]
# ## The usual mistakes
#
# - **The rate of full fine-tuning.** See the live run. One paper's comparison gave LayerNorm tuning a rate of 0.0001 and found
#   that it learns nothing: that says more about the rate.
# - **"bias" in the name, and nothing was found.** T5 and LLaMA have no biases. Ours raises an error then.
# - **The keys' biases are expected to move, or expected to stay.** Their gradient is 0 up to rounding; a test that demands
#   either is wrong.
# - **The new symbol is forgotten.** No bias can teach the model to produce ɒ: its row of the output was never trained.
# - **Only the norms inside the layers are trained.** A pre-norm model has one more after each stack.
# - **The base is overwritten.** Train copies, or there is nothing to switch back to.

# %%
exercises_of(12)

# %% [markdown]
# ## Where to read on
#
# - *BitFit* (arXiv 2106.10199).
# - *Tuning LayerNorm in Attention* (arXiv 2312.11420).
# - *Training BatchNorm and Only BatchNorm* (arXiv 2003.00152): random features, tuned gains.
# - *AdapterBias* (arXiv 2205.00305): a bias that depends on the token.
