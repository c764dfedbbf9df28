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
# 11. Full fine-tuning and forgetting

The plainest way to fine-tune: go on training, on the new data, with every parameter. It learns best or nearly best, it costs
most, and it forgets. This lesson measures all three on the American base that learns British.
"""

# %%
from dataclasses import replace

import torch
from matplotlib import pyplot as plt
from torch import nn

from lessons.drawing.style import AMERICAN, BRITISH
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, load, pairs, words
from lessons.task.finetuning import adapted, fine_tune, rate_of, training_config
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate, predict
from lessons.teaching import exercises_of, kept_mean, kept_run, lit_diagram, quick, said_and_so, show_source
from peft import recipe
from peft.full import FullConfig
from peft.frame.owned import OwnedParameters
from transformer import train

set_threads()
lit_diagram("everything")

# %% [markdown]
# ## The formula
#
# $$\theta_0 = \text{the base}, \qquad \theta_{t+1} = \theta_t - \eta_t\, \mathrm{Adam}\big(\nabla_\theta L_{new}(\theta_t)\big)
# \quad \text{for all of } \theta$$
#
# Nothing in it speaks of the old task. $L_{old}$ may do what it likes, and it does.
#
# In this package full fine-tuning is an adapter like the others: it owns a *copy* of every parameter. Switched on, the copies
# sit in the model; switched off, the base's own tensors do.

# %%
show_source(FullConfig, OwnedParameters, fine_tune)

# %% [markdown]
# ## By hand: one weight, one step
#
# A model $y = w x$ with $w = 2$. The old task is $x = 1 \to y = 2$: its loss $\frac12 (wx - y)^2$ is 0. The new task is
# $x = 1 \to y = 5$.
#
# - Gradient of the new loss: $(2 - 5) \cdot 1 = -3$. Step with $\eta = 0.1$: $w = 2 + 0.3 = 2.3$.
# - New loss: from $\frac12 \cdot 3^2 = 4.5$ to $\frac12 \cdot 2.7^2 = 3.645$. Learnt.
# - Old loss: from 0 to $\frac12 \cdot 0.3^2 = 0.045$. Forgotten: no weight is left that only the old task had.
# - Switched off: $w = 2$ again.
#
# And Adam's first step does not depend on the gradient's size: $m/\sqrt{v} = g/\sqrt{g^2} = \pm 1$, so $w = 2 + \eta = 2.1$.
# That is why its learning rate sets how far *every* weight moves in a step.

# %%


class OneWeight(nn.Module):
    """y = w x, with w = 2."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.layer.weight, 2.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def loss_of(model: nn.Module, wanted: float) -> torch.Tensor:
    return 0.5 * (model(torch.ones(1)) - wanted).square().sum()


for kind in (torch.optim.SGD, torch.optim.Adam):
    model = OneWeight()
    owned = OwnedParameters(model, ["layer.weight"])
    owned.enable()
    optimizer = kind(owned.copies.parameters(), lr=0.1)
    before = loss_of(model, 5.0).item(), loss_of(model, 2.0).item()
    loss_of(model, 5.0).backward()
    optimizer.step()
    after = loss_of(model, 5.0).item(), loss_of(model, 2.0).item()
    on = model.layer.weight.item()
    owned.disable()
    print(
        f"{kind.__name__:<5} w = {on:.3f}; new loss {before[0]:.3f} → {after[0]:.3f}, old loss {before[1]:.3f} → {after[1]:.3f}; "
        f"switched off w = {model.layer.weight.item():.3f}"
    )

# %% [markdown]
# ## Learning and forgetting, step by step
#
# The base speaks American. It now learns British from 1,000 words; we stop now and then and let it decode held-out words in
# both accents. (Words that the two dictionaries pronounce alike count in both.)

# %%
count = 20 if quick() else 100
new = {accent: words(accent, "development", 40 if quick() else 150) for accent in ("british", "american")}
examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
stops = (10, 20, 30, 50, 75, 100)


def phoneme_errors(model: nn.Module) -> dict[str, float]:
    return {accent: 100 * evaluate(model, chosen, accent).phoneme_error for accent, chosen in new.items()}


model = adapted("full", seed=0)
start = phoneme_errors(model)
over_time = {0: start}


def look(step: int, loss: float) -> None:
    if step in stops:
        over_time[step] = phoneme_errors(model)


config = training_config(count, rate_of("full"), seed=0)
groups = recipe("full").groups(model, config.learning_rate, config.weight_decay)
losses = train(model, examples, config, groups, on_step=look)

figure, axes = plt.subplots(1, 2, figsize=(9.5, 3), layout="constrained")
axes[0].plot(range(1, count + 1), losses, color="#555555", linewidth=0.9)
axes[0].set_ylabel("training loss (British)")
for accent, colour in (("british", BRITISH), ("american", AMERICAN)):
    axes[1].plot(over_time.keys(), [errors[accent] for errors in over_time.values()], "o-", color=colour, label=accent)
axes[1].set_ylabel("phoneme error, new words, %")
axes[1].set_ylim(bottom=0)
axes[1].legend()
for axis in axes:
    axis.set_xlabel("step")
plt.show()
for step, errors in over_time.items():
    print(f"step {step:>3}: British {errors['british']:.1f} %, American {errors['american']:.1f} %")

# %% [markdown]
# What British gains, American loses, and most of it in the first steps. Is that damage? Not quite. A model that pronounces
# *hot* with a British vowel is wrong in American and right in British: one mouth cannot say both at once. The words below
# show what kind of mistakes the American exam now finds.

# %%
shown = ["hot", "bath", "water", "schedule"]
british, american = load("british"), load("american")
tuned_says, base_says = predict(model, shown), predict(load_base(), shown)
for word in shown:
    print(
        f"{word:<10} base {base_says[word]:<12} tuned {tuned_says[word]:<12} British {british[word][0]:<12} American {american[word][0]}"
    )
now = predict(model, new["american"])
wrong = [word for word in new["american"] if now[word] not in american[word]]
both = [word for word in wrong if word in british]
if both:
    british_now = sum(now[word] in british[word] for word in both)
    print(
        f"\n{len(wrong)} American exam words are wrong now; {len(both)} of them are in the British dictionary too, "
        f"and {british_now} of those are right there"
    )

# %% [markdown]
# So part of the "forgetting" is the new accent itself, and part is real loss. And nothing of it is for good, *if the base was
# kept*: switched off, the adapter gives the base back to the last bit.

# %%
with model.disable_adapter():
    print("switched off:", phoneme_errors(model) == start)
weights = {name: tensor.clone() for name, tensor in load_base().state_dict().items()}
with model.disable_adapter():
    same = all(torch.equal(parameter, weights[name]) for name, parameter in model.base_model.named_parameters())
print("every weight of the base as it was:", same)

# %% [markdown]
# ## The learning rate
#
# Pretraining ended near a rate of 0 (lesson 9); its peak was 0.002. Which rate suits fine-tuning? Too small learns nothing in
# the time. Too large throws the base away.

# %%
few = 8 if quick() else 45
rates = [3e-5, rate_of("full"), 3e-3, 1e-2]
outcome = {}
for rate in rates:
    tried, _ = fine_tune("full", steps=few, learning_rate=rate)
    outcome[rate] = phoneme_errors(tried)
    print(f"rate {rate:g}: British {outcome[rate]['british']:.1f} %, American {outcome[rate]['american']:.1f} %")
figure, axis = plt.subplots(figsize=(5.5, 3), layout="constrained")
for accent, colour in (("british", BRITISH), ("american", AMERICAN)):
    axis.plot(rates, [errors[accent] for errors in outcome.values()], "o-", color=colour, label=accent)
    axis.axhline(start[accent], color=colour, linestyle=":", linewidth=1)
axis.set_xscale("log")
axis.set_xlabel(f"learning rate ({few} steps each)")
axis.set_ylabel("phoneme error, new words, %")
axis.set_ylim(bottom=0)
axis.set_title("dotted: the base before", fontsize=10)
axis.legend()
plt.show()

# %% [markdown]
# The rate in the package, 0.0003, was searched with 300 steps on other words: `python -m lessons search`. With fewer steps a
# larger one may win. A rate belongs to a number of steps.
#
# ## What moved?
#
# The change of every matrix against its own size, $\lVert W - W_0 \rVert / \lVert W_0 \rVert$, as a mean over the layers.

# %%
places = {
    "embedding": "embedding",
    "encoder attention": "encoder.+self_attention.",
    "encoder feed forward": "encoder.+feed_forward.",
    "decoder self-attention": "decoder.+self_attention.",
    "cross-attention": "cross_attention.",
    "decoder feed forward": "decoder.+feed_forward.",
}
trained = dict(model.base_model.named_parameters())
moved = {}
for title, pattern in places.items():
    first, _, rest = pattern.partition("+")
    names = [name for name, tensor in trained.items() if tensor.dim() == 2 and first in name and rest in name]
    changes = [float((trained[name] - weights[name]).detach().norm() / weights[name].norm()) for name in names]
    moved[title] = 100 * sum(changes) / len(changes)
figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
axis.bar_label(axis.barh(list(moved), list(moved.values())), fmt="%.1f", padding=3)
axis.invert_yaxis()
axis.set_xlim(0, 1.15 * max(moved.values()))
axis.set_xlabel("relative change, %")
plt.show()

# %% [markdown]
# A few per cent everywhere: fine-tuning is a small step away from the base. That is the room which LoRA and its relatives use
# (lesson 13).
#
# ## The price
#
# With AdamW each trained number needs four: itself, its gradient, and two moments. In fp32 that is 16 bytes.

# %%
for name, size in (("our base", 1_398_400), ("a model of 7 billion", 7_000_000_000)):
    print(
        f"{name:<22}{16 * size / 1e9:9.3f} GB to train all of it (activations besides), {4 * size / 1e9:7.3f} GB on disk for each task"
    )
kept_run("full", "lora", "bitfit", "scratch")

# %%
full, lora = (100 * kept_mean(method, "british", "phoneme_error") for method in ("full", "lora"))
said_and_so(
    said="Full fine-tuning needs much computing, but adapts to the task completely; the cheaper ways may not reach it.",
    so=f"Here LoRA reaches it: a British phoneme error of {lora:.1f} % against {full:.1f} %, with a tenth of the parameters. "
    f"And in seconds full fine-tuning is not the most expensive: {kept_mean('full', 'seconds'):.0f} against {kept_mean('lora', 'seconds'):.0f} "
    "for this small model on a CPU. What it costs is memory, and a whole model on disk for each task.",
    shown_by="The table above, from `lessons/results/report.json` (`python -m lessons compare --seeds 3 --test-words all`).",
)

# %% [markdown]
# ## The usual mistakes
#
# - **The old task is not measured.** Forgetting is seen only by who looks for it. Keep an exam of the old task.
# - **The rate of pretraining.** See the right end of the figure.
# - **Only the tuned weights are kept.** Then the base is gone. Keep it, or the difference.
# - **Weight decay as a leash.** It pulls towards 0, not towards the base. If you want a leash, penalize the distance to the base.
# - **Tied matrices are copied one by one.** Then input and output embedding drift apart. `OwnedParameters` copies a shared
#   tensor once and puts it at every place.
# - **The new symbol's row.** ɒ was never trained (lesson 8). Full fine-tuning trains its row anyway; the other techniques
#   train it only where the config asks for it.

# %%
embedding = model.base_model.source_embedding.weight
print("after full fine-tuning the matrices are still one:", embedding is model.base_model.output.weight)
strong = replace(config, weight_decay=0.1)
print(
    f"decay {strong.weight_decay} at rate {strong.learning_rate:g} shrinks a weight by {100 * strong.weight_decay * strong.learning_rate:.4f} % a step, towards 0"
)

# %%
exercises_of(11)

# %% [markdown]
# ## Where to read on
#
# - *Universal Language Model Fine-tuning* (arXiv 1801.06146): rates by layer, thawing step by step.
# - *Overcoming catastrophic forgetting in neural networks* (arXiv 1612.00796): a leash to the old weights.
# - *Fine-Tuning can Distort Pretrained Features* (arXiv 2202.10054).
# - *Intrinsic Dimensionality Explains the Effectiveness of Language Model Fine-Tuning* (arXiv 2012.13255).
# - *LoRA Learns Less and Forgets Less* (arXiv 2405.09673).
