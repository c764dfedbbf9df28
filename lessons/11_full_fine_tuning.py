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

**The question.** The plainest way to fine-tune is to go on training, on the new data, with every parameter. The American
base then learns British. What does it lose on the way, how fast, and is that for good?

**You will be able to**

- say why training on a new task damages an old one, with one weight
- measure learning and forgetting step by step
- choose a learning rate, and say why it belongs to a number of steps
- say what full fine-tuning costs, and where LoRA is no cheaper

**Time:** 35 minutes. **Before it:** Adam and the training loop, from [lesson 9](09_pretraining.ipynb).
"""

# %% tags=["hide-input"]
from dataclasses import replace

import torch

from lessons.experiments.full_fine_tuning import (
    british_among_the_wrong,
    errors_by_rate,
    full_beside_lora,
    gigabytes,
    half_lost,
    learn_and_look,
    moved,
    one_step,
    phoneme_errors,
)
from lessons.experiments.full_fine_tuning_figures import (
    draw_memory,
    draw_moved,
    draw_one_weight,
    draw_over_time,
    draw_rates,
)
from lessons.task.base import load_base
from lessons.task.dictionary import load, words
from lessons.task.finetuning import STEPS, fine_tune, rate_of, training_config
from lessons.task.machine import set_threads
from lessons.task.scoring import predict
from lessons.teaching import (
    claim,
    exercises_of,
    highest,
    kept_run,
    lit_diagram,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from peft.frame.owned import OwnedParameters
from peft.full import FullConfig

set_threads()
torch.manual_seed(0)
lit_diagram("everything")

# %% [markdown]
# Every box is lit, because every box that has parameters is trained.
#
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_one_weight(),
    title="A copy of the weight learns the new task, and is worse at the old one",
    alt="The base's weight 2 is copied. One step with slope -3 and rate 0.1 makes the copy 2.3. The loss of the new task falls "
    "from 4.5 to 3.645, that of the old task rises from 0 to 0.045. Switched off, the weight is 2 again.",
)

# %% [markdown]
# ## The idea
#
# Training lowers one loss, that of the data it sees. The old task uses the same weights. If the new task pulls a weight away,
# the old task loses what it had there, and nothing pulls back. This is called *catastrophic forgetting*.
#
# Three things limit it. The run is short. The learning rate is low. And the base is a good start, so that the new task wants
# small changes only. None of the three is in the loss.
#
# In this package full fine-tuning is a technique like the others: it owns a *copy* of every parameter. Switched on, the
# copies sit in the model; switched off, the base's own tensors do. So the old task can always be had back, for the price of
# the second copy.

# %% [markdown]
# ## The formula
#
# $$\theta_0 = \text{the base}, \qquad \theta_{t+1} = \theta_t - \eta_t\, \mathrm{Adam}\big(\nabla_\theta L_{new}(\theta_t)\big)
# \quad \text{for all of } \theta$$
#
# Nothing in it speaks of the old task. $L_{old}$ may do what it likes, and it does.

# %% [markdown]
# ## The code

# %%
show_source(FullConfig, OwnedParameters, fine_tune)

# %% [markdown]
# ## By hand
#
# A model $y = w x$ with $w = 2$. The old task is $x = 1 \to y = 2$: its loss $\frac12 (wx - y)^2$ is 0. The new task is
# $x = 1 \to y = 5$.
#
# - Gradient of the new loss: $(2 - 5) \cdot 1 = -3$. Step with $\eta = 0.1$: $w = 2 + 0.3 = 2.3$.
# - New loss: from $\frac12 \cdot 3^2 = 4.5$ to $\frac12 \cdot 2.7^2 = 3.645$. Learnt.
# - Old loss: from 0 to $\frac12 \cdot 0.3^2 = 0.045$. Forgotten: no weight is left that only the old task had.
# - Switched off: $w = 2$ again.
#
# Adam's first step does not depend on the gradient's size: $m/\sqrt{v} = g/\sqrt{g^2} = \pm 1$, so $w = 2 + \eta = 2.1$.
# That is why its learning rate says how far *every* weight moves in a step.

# %%
for optimizer in (torch.optim.SGD, torch.optim.Adam):
    after = one_step(optimizer)
    print(
        f"{optimizer.__name__:<5} w = {after.weight:.3f}, new loss {after.new:.3f}, old loss {after.old:.3f}; off: {after.off:.3f}"
    )

# %% [markdown]
# ## Experiment: learning and forgetting, step by step
#
# The base learns British from a thousand words. Now and then we stop and let it say held-out words in both accents. (Words
# that the two dictionaries pronounce alike count in both.)

# %%
steps, count = (20, 40) if quick() else (100, 150)
heard = {accent: words(accent, "development", count) for accent in ("british", "american")}
model, losses, over_time = learn_and_look(steps, (10, 20, 30, 50, 75, 100), heard)
for step, errors in over_time.items():
    print(f"step {step:>3}: British {errors['british']:.1f} %, American {errors['american']:.1f} %")

# %% tags=["hide-input"]
start, end = over_time[0], over_time[max(over_time)]
numbers = {
    "steps": steps,
    "british_before": start["british"],
    "british": end["british"],
    "american_before": start["american"],
    "american": end["american"],
}
half = half_lost(over_time)
claim(numbers["british"] < numbers["british_before"], "British is learnt", **numbers)
claim(numbers["american"] > numbers["american_before"], "American is forgotten", **numbers)
claim(half <= steps / 2, "most of it is lost in the first half", half=half)
show_figure(
    draw_over_time(losses, over_time),
    title="British goes from {british_before:.0f} to {british:.0f} % phoneme error, American from {american_before:.0f} to "
    "{american:.0f} %",
    alt="Left, the loss on British words falls over {steps} steps. Right, the British phoneme error goes from "
    "{british_before:.1f} to {british:.1f} %, the American one from {american_before:.1f} to {american:.1f} %.",
    **numbers,
)
prose(
    "Half of what American loses is lost by step {half}. The first steps go where the gradient is largest, and nothing holds "
    "them back.",
    half=half,
)

# %% [markdown]
# Is that damage? Not quite. A model that pronounces *hot* with a British vowel is wrong in American and right in British: one
# mouth cannot say both at once. The words below show what kind of mistakes the American test now finds.

# %%
shown = ["hot", "bath", "water", "schedule"]
tuned_says, base_says = predict(model, shown), predict(load_base(), shown)
print(f"{'word':<10}{'base':<13}{'tuned':<13}{'British':<13}American")
for word in shown:
    listed = [load(accent)[word][0] for accent in ("british", "american")]
    print(f"{word:<10}{base_says[word]:<13}{tuned_says[word]:<13}{listed[0]:<13}{listed[1]}")

# %% tags=["hide-input"]
wrong, both, right = british_among_the_wrong(model, heard["american"])
claim(0 < right < both, "part of it is the new accent, part is loss", right=right, both=both)
prose(
    "Of {count} American words {wrong} are wrong now. {both} of them stand in the British dictionary too, and {right} of those "
    "are right there. So part of the *forgetting* is the new accent itself, and part is real loss.",
    count=len(heard["american"]),
    wrong=wrong,
    both=both,
    right=right,
)

# %% [markdown]
# Nothing of it is for good, *if the base was kept*: switched off, the base is back to the last bit.

# %%
base = load_base()
with model.disable_adapter():
    print("switched off, the same errors as before:", phoneme_errors(model, heard) == start)
    untouched = dict(model.base_model.named_parameters())
    print("every weight as it was:", all(torch.equal(old, untouched[name]) for name, old in base.named_parameters()))

# %% [markdown]
# ## Experiment: the learning rate
#
# Pretraining ended at a rate of 0 ([lesson 9](09_pretraining.ipynb)). Which rate suits fine-tuning? Too small a rate learns
# nothing in the time. Too large a rate throws the base away.

# %%
few = 8 if quick() else 45
rates = [3e-5, rate_of("full"), 1e-2]
outcome = errors_by_rate(rates, few, heard)

# %% tags=["hide-input"]
low, own, high = (outcome[rate] for rate in rates)
numbers = {
    "few": few,
    "lowest": rates[0],
    "rate": rates[1],
    "largest": rates[2],
    "low": low["british"],
    "own": own["british"],
    "high": high["british"],
    "high_american": high["american"],
    "own_american": own["american"],
    "before": start["british"],
}
claim(abs(numbers["low"] - numbers["before"]) < 3, "the smallest rate hardly learns", **numbers)
claim(numbers["high"] > numbers["own"], "the largest rate learns worse", **numbers)
claim(numbers["high_american"] > numbers["own_american"], "and forgets more", **numbers)
show_figure(
    draw_rates(outcome, start),
    title="{few} steps: at a rate of {lowest:g} hardly anything happens, at {largest:g} both accents end worse than at {rate:g}",
    alt="Phoneme error in both accents over three learning rates; dotted lines show the base. British: {low:.1f} % at "
    "{lowest:g}, {own:.1f} % at {rate:g}, {high:.1f} % at {largest:g}; American ends at {high_american:.1f} %.",
    few=few,
    lowest=rates[0],
    rate=rates[1],
    largest=rates[2],
    low=low["british"],
    own=own["british"],
    high=high["british"],
    high_american=high["american"],
)
prose(
    "The rate in the package, {rate:g}, was searched for {steps} steps, on words that are in no test (`python -m lessons "
    "search`). A rate belongs to a number of steps: with few steps a larger one may win.",
    rate=rate_of("full"),
    steps=STEPS,
)

# %% [markdown]
# ## Experiment: what moved?

# %%
distances = moved(base, model.base_model)

# %% tags=["hide-input"]
numbers = {"most": max(distances.values()), "least": min(distances.values())}
place = highest(distances)
show_figure(
    draw_moved(distances),
    title="The matrices moved by {least:.0f} to {most:.0f} % of their size, farthest in the {place}",
    alt="Bars of the relative change of the matrices in six places of the model, from {least:.1f} to {most:.1f} %.",
    place=place,
    **numbers,
)
claim(numbers["most"] < 50, "the matrices moved by less than half of their size", **numbers)

# %% [markdown]
# Fine-tuning is a step away from the base, and each matrix keeps most of what it was. Does the step need all directions? That
# is the question behind LoRA ([lesson 13](13_lora.ipynb)).

# %% [markdown]
# ## Experiment: the price
#
# With AdamW each trained number needs four: itself, its gradient, and two moments. In fp32 that is 16 bytes, and 4 for a frozen
# number; so it is in this course. The figure counts large models as they are usually trained, weights and gradients in 16 bits:
# 12 bytes, and 2 for a frozen number. Whether this counts depends on what else is in memory. The backward pass needs many results of the forward pass:
# the *activations*.

# %%
kept_run("full", "lora", "bitfit", "scratch")
sizes = gigabytes(["gpt2"] if quick() else ["gpt2", "llama-7b"])

# %% tags=["hide-input"]
large = list(sizes)[-1]
numbers = {
    "full": sizes[large]["full"][0],
    "lora": sizes[large]["lora"][0],
    "full_kept": sizes[large]["full"][1],
    "lora_kept": sizes[large]["lora"][1],
}
claim(numbers["lora"] < numbers["full"] / 2, "in a large model LoRA needs less than half", **numbers)
claim(numbers["lora_kept"] > numbers["full_kept"], "LoRA keeps more activations", **numbers)
show_figure(
    draw_memory(sizes),
    title="In {model} LoRA keeps more activations, {lora_kept:.1f} against {full_kept:.1f} GB, and far less of the rest",
    alt="Stacked bars of memory for full fine-tuning and LoRA. {model}: full {full:.1f} GB, of which {full_kept:.1f} are "
    "activations; LoRA {lora:.1f} GB, of which {lora_kept:.1f} are activations.",
    model=large,
    **numbers,
)
said_and_so(
    said="Full fine-tuning needs much computing and memory, but adapts to the task completely; the cheaper ways may not reach it.",
    so="Here LoRA reaches it, within {apart:.1f} points: a British phoneme error of {lora:.1f} % against {full:.1f} %, with "
    "{tenth:.0f} % of the parameters. In seconds full fine-tuning is not the most expensive: {full_seconds:.0f} against "
    "{lora_seconds:.0f}. In memory neither: a peak of {full_peak:,.0f} MB against {lora_peak:,.0f} MB. (It is the "
    "process's, and {before:,.0f} MB of it, Python and PyTorch for the most part, were there before the first step.) LoRA saves "
    "{saved:.0f} MB of gradients and moments, and its thin products keep more activations than that. What full fine-tuning "
    "certainly costs here is disk: {full_disk:.1f} MB for each task against {lora_disk:.1f} MB. The memory counts in large "
    "models, see the figure.",
    shown_by="the table above, from `python -m lessons compare`; the figure is counted as by `python -m lessons memory`",
    **full_beside_lora(),
)

# %% [markdown]
# ## The usual mistakes
#
# - **The old task is not measured.** Forgetting is seen only by who looks for it. Keep a test of the old task.
# - **A rate for random weights.** See the right end of the rates' figure.
# - **Only the tuned weights are kept.** Then the base is gone. Keep it, or the difference.
# - **Weight decay as a leash.** It pulls towards 0, not towards the base. If you want a leash, penalize the distance to the base.
# - **Tied matrices are copied one by one.** Then input and output embedding drift apart. `OwnedParameters` copies a shared
#   tensor once and puts it at every place.
# - **The new symbol's row.** ɒ was never trained ([lesson 8](08_output_and_loss.ipynb)). Full fine-tuning trains its row
#   anyway; the other techniques train it only where the config asks for it.

# %%
embedding = model.base_model.source_embedding.weight
print("after full fine-tuning the matrices are still one:", embedding is model.base_model.output.weight)
strong = replace(training_config(steps, rate_of("full"), seed=0), weight_decay=0.1)
print(
    f"a decay of {strong.weight_decay} pulls a weight by {strong.weight_decay * strong.learning_rate:.4%} a step, towards 0"
)

# %% [markdown]
# ## Three questions
#
# <details><summary>The loss on British falls, and American gets worse. Which term of the loss did that?</summary>
#
# None. The loss has no term for American. The same weights serve both, and one of them was asked.
#
# </details>
#
# <details><summary>Why does Adam's learning rate say more about how far the weights go than SGD's?</summary>
#
# Adam divides the gradient by its own typical size, so that a step is about as long as the rate. SGD's step is the rate times
# the gradient, whatever that is.
#
# </details>
#
# <details><summary>LoRA trains a tenth of the numbers. When does it need less memory than full fine-tuning?</summary>
#
# When gradients and moments of the frozen numbers, 12 bytes each in fp32, weigh more than the activations that LoRA keeps besides.
# That is so in large models with few tokens in a batch, and not in this course's small one.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(11)

# %% [markdown]
# ## Summary
#
# - Full fine-tuning goes on training with every parameter. Nothing in its loss keeps the old task.
# - Much is forgotten in the first steps. Part of it is that one mouth cannot speak two accents.
# - Trained as a copy, it can be switched off, and the base is back to the last bit.
# - Its certain price is a whole model on disk for each task; the memory counts in large models.

# %% [markdown]
# ## Where to read on
#
# - Howard and Ruder, [*Universal Language Model Fine-tuning*, arXiv 1801.06146](https://arxiv.org/abs/1801.06146): rates by
#   layer, thawing step by step
# - Kirkpatrick et al., [*Overcoming catastrophic forgetting in neural networks*, arXiv
#   1612.00796](https://arxiv.org/abs/1612.00796): a leash to the old weights
# - Kumar et al., [*Fine-Tuning can Distort Pretrained Features*, arXiv 2202.10054](https://arxiv.org/abs/2202.10054)
# - Aghajanyan et al., [*Intrinsic Dimensionality Explains the Effectiveness of Language Model Fine-Tuning*, arXiv
#   2012.13255](https://arxiv.org/abs/2012.13255)
# - Biderman et al., [*LoRA Learns Less and Forgets Less*, arXiv 2405.09673](https://arxiv.org/abs/2405.09673)
# - Next: [lesson 12](12_bitfit_and_layernorm.ipynb), only the biases. In the code: [`peft/full.py`](../../peft/full.py),
#   [`peft/frame/owned.py`](../../peft/frame/owned.py)
