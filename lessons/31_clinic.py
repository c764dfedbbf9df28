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
# 31. The clinic: why is my fine-tune silently wrong?

**The question.** The run ended. No error, no warning, the loss went down, the file was saved. And the model in use answers like
the base, or worse. Where along the way did it go wrong, and which number would have said so?

**You will be able to**

- name, for each station between the data and the saved file, what can be wrong there without any error
- find from a symptom the measurement that confirms or excludes a cause
- tell by one number whether an adapter was merged never, half, once or twice
- say why a loss that falls proves little

**Time:** 40 minutes. **Before it:** the loss, from [lesson 8](08_output_and_loss.ipynb); LoRA and merging, from
[lesson 13](13_lora.ipynb); for some cases four bits, from [lesson 16](16_qlora.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.clinic.cases import CASES
from lessons.clinic.checks import merge, shift
from lessons.clinic.examination import diagnose, measure, numbers
from lessons.clinic.world import pronunciation
from lessons.experiments.clinic import (
    LONG,
    SCALE,
    SHORT,
    TIMES,
    UPDATE,
    A,
    B,
    W,
    X,
    british_error,
    errors_over_times,
    illnesses_in_the_table,
    learnt,
    symptoms,
    times_in,
    with_all_words,
)
from lessons.experiments.clinic_figures import draw_cases, draw_losses, draw_stations, draw_times
from lessons.task.dictionary import words
from lessons.task.machine import set_threads
from lessons.teaching import (
    claim,
    exercises_of,
    lit_diagram,
    lowest,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
    show_table,
)

set_threads()
torch.manual_seed(0)
lit_diagram("input_embedding", "output_embedding", "weights", "softmax")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_stations(),
    title="Seven stations from the data to the file; at each of them wrong numbers pass without an error",
    alt="A column of seven stations: tokens, template, mask and labels, loss, adapter, merge, file. Beside each stand the right "
    "numbers and wrong ones of the same kind. Merge: right is W + ΔW, rows 3 0 and 0.5 2.5; wrong is W + 2 ΔW, rows 4 -1 and 1 2. Loss: "
    "right is 1.4, wrong the mean of means, 2.",
)

# %% [markdown]
# ## The idea
#
# A program that is wrong usually stops: a shape does not fit, a name is not there. A fine-tune has a second way to be wrong. Every
# tensor has its right shape, only its *numbers* are not those that were meant. Gradient descent then does what it always does: it
# makes the loss smaller, whatever loss it was given. Nothing stops, and nothing looks wrong.
#
# So one has to measure. For each illness there is a small number that is one thing in a healthy run and another in a sick
# one: a share of tokens, a factor in front of an update, nats per token, a count of trainable numbers. The number must be
# *specific*: it names this illness and no other, and it stays silent in a healthy run. A check that always warns is soon read by nobody.
#
# The illnesses of this lesson are not invented. Each was reported by users of Hugging Face's libraries, Unsloth, LLaMA-Factory
# or others; the table below links the reports.

# %% [markdown]
# ## The formula
#
# Two examples. **Merged how often?** A merged matrix should be $W + \Delta W$. Suppose it is $W' = W + k\,\Delta W + R$ with an
# unknown $k$ and a rest $R$. The $k$ that leaves the smallest rest is that of the least squares:
#
# $$k = \frac{\langle W' - W,\ \Delta W\rangle}{\langle \Delta W,\ \Delta W\rangle} \qquad R = W' - W - k\,\Delta W$$
#
# $\langle\cdot,\cdot\rangle$ multiplies number by number and sums. $k = 0$: nothing was merged. $k = 1$ and no rest: healthy.
# $k = 2$: twice. $k = r/\alpha$: the scale was left out. A rest as long as the update: it went into other weights than it was
# learnt for.
#
# **Accumulated how?** The loss of a step is a mean over *tokens*. Of batches with $n_1, n_2, \dots$ tokens and means
# $\ell_1, \ell_2, \dots$ it is
#
# $$\ell = \frac{\sum_i n_i\,\ell_i}{\sum_i n_i} \qquad\text{and not}\qquad \frac{1}{m}\sum_{i=1}^{m} \ell_i$$
#
# Both agree only where all batches have the same number of tokens. Otherwise a token of a short batch counts for more.

# %% [markdown]
# ## The code
#
# A check is a pure function: it looks at a run, and gives measurements. This one computes $k$ and the rest:

# %%
show_source(merge.check)

# %% [markdown]
# And this one asks how many labels are the token just read:

# %%
show_source(shift.check, shift.agreement)

# %% [markdown]
# `measure` runs all checks and `diagnose` keeps what is sick. Neither changes the run: not a weight, not a gradient, not the
# random state.

# %%
show_source(measure, diagnose)

# %% [markdown]
# ## By hand
#
# The numbers of the drawing: a matrix $W$, an adapter of rank 1, and the scale $\alpha / r = 2$.
#
# $$W = \begin{pmatrix}2 & 1\\0 & 3\end{pmatrix} \qquad
# \Delta W = 2 \begin{pmatrix}1\\0.5\end{pmatrix}\begin{pmatrix}0.5 & -0.5\end{pmatrix} = \begin{pmatrix}1 & -1\\0.5 & -0.5\end{pmatrix}$$
#
# Merged twice it is $W + 2\,\Delta W = \begin{pmatrix}4 & -1\\1 & 2\end{pmatrix}$. Then $W' - W = 2\,\Delta W$, and
# $\langle 2\,\Delta W, \Delta W\rangle / \langle \Delta W, \Delta W\rangle = 5 / 2.5 = 2$. The input $x = (2, 1)$:

# %%
assert torch.equal(UPDATE, SCALE * B @ A)
made = {"never": W, "without scale": W + B @ A, "once": W + UPDATE, "twice": W + 2 * UPDATE}
for name, weight in made.items():
    print(f"{name:<14} k = {times_in(weight):.1f}   W'x = {(weight @ X).tolist()}")

# %% [markdown]
# All four are matrices of two rows and two columns, and all four answer. Only $k$ tells them apart.
#
# The loss: a batch of four tokens that cost 1 each, and a batch with a single token that costs 3. Over tokens it is
# $(4 \cdot 1 + 1 \cdot 3) / 5 = 1.4$; the mean of the means is $(1 + 3) / 2 = 2$.

# %%
over_tokens, of_means = torch.cat([LONG, SHORT]).mean(), (LONG.mean() + SHORT.mean()) / 2
print(f"over tokens {over_tokens:.2f}, mean of means {of_means:.2f}: {of_means / over_tokens:.2f} times as large")

# %% [markdown]
# ## Experiment: an adapter that is merged twice
#
# We make the illness on our base, with the shipped LoRA adapter that learnt British. Sick: its update was written into weights
# that held it already. Repaired: into a base loaded anew.

# %%
world = pronunciation()
sick, repaired = CASES["merged-twice"].make(world)
for name, run in {"sick": sick, "repaired": repaired}.items():
    (found,) = numbers(measure(**run), "merged-twice")
    print(f"{name:<9} {found.says}")
    print(*(diagnose(**run) or ["no finding"]), sep="\n")

# %% [markdown]
# Does it matter? We write the update into the weights $k$ times, and measure words that no training has seen.

# %%
british = words("british", "development", 20 if quick() else 200)
times = TIMES[::2] if quick() else TIMES
errors = errors_over_times(world, british, times)
base, tuned, matrices_only = (
    british_error(m, british) for m in (world.base(), world.tuned(), world.merged(rows=False))
)

# %% tags=["hide-input"]
values = {
    "never": errors[0.0],
    "once": errors.get(1.0, 0.0),
    "twice": errors[2.0],
    "most": errors[max(times)],
    "furthest": max(times),
    "tuned": tuned,
    "base": base,
    "only": matrices_only,
    "words": len(british),
}
claim(lowest({str(k): error for k, error in errors.items()}) == "1.0", "k = 1 is the best", **values)
claim(errors[2.0] > values["once"] + 1, "twice is clearly worse than once", **values)
show_figure(
    draw_times(errors, tuned),
    title="Merged once the error is {once:.1f} %, merged twice {twice:.1f} %",
    alt="British phoneme error over k. {never:.1f} % at k = 0, the lowest value {once:.1f} % at k = 1, {twice:.1f} % at k = 2, "
    "{most:.1f} % at k = {furthest:.0f}. A dashed line at {tuned:.1f} %: the adapter beside the base, not merged.",
    **values,
)
prose(
    "On {words} British words the base has {base:.1f} % phoneme error. With the update {once:.1f} %, with twice of it {twice:.1f} %: "
    "worse than the base that was never tuned. Beside the base, as it was measured in training, the adapter has {tuned:.1f} %. "
    "Whoever merges twice has measured a good model and ships another one. No shape, no type and no name in the file differs.",
    **values,
)
claim(values["twice"] > base > values["once"], "twice is worse than the base", **values)
claim(abs(values["once"] - tuned) < 0.05, "merged once it is the tuned model", **values)
claim(matrices_only > tuned + 1, "what merges matrices alone loses something", **values)
said_and_so(
    said="The diagnosis is silent, so the model is well.",
    so="A model with the matrices merged alone has k = 1 and no finding, and an error of {only:.1f} % where the tuned one has {tuned:.1f} %. This "
    "adapter trains matrices and, beside them, one row of the embedding for a symbol that pretraining never saw. Whoever writes the "
    "matrices alone forgets it (`merge_and_unload()` takes the row along, and is at {once:.1f} %). k is a measurement of matrices; it says nothing about rows. A diagnosis excludes what it measures, and only "
    "held-out examples say the rest.",
    shown_by="this experiment: the model in memory and the model in use, on the same words",
    **values,
)

# %% [markdown]
# ## Experiment: a loss that falls
#
# We train a new adapter twice, on the same 1,000 words with the same steps. Healthy: each place is asked for the token that comes
# next. Sick: the labels are not shifted, and each place is asked for the token that it has just read.

# %%
steps = 6 if quick() else 60
wrong, right = (run["batches"] for run in CASES["labels-not-shifted"].make(with_all_words(world)))
sick_model, sick_losses = learnt(world, wrong, steps)
model, losses = learnt(world, right, steps)
share = {
    name: numbers(measure(model, given), "labels-not-shifted")[0].number
    for name, given in (("sick", wrong), ("repaired", right))
}

# %% tags=["hide-input"]
values = {
    "steps": steps,
    "first": losses[0],
    "last": losses[-1],
    "sick_first": sick_losses[0],
    "sick_last": sick_losses[-1],
    "error": british_error(model, british),
    "sick_error": british_error(sick_model, british),
    "base_error": base,
    "share": 100 * share["sick"],
    "share_repaired": 100 * share["repaired"],
}
claim(sick_losses[-1] < losses[-1], "the sick loss ends lower", **values)
claim(sick_losses[0] - sick_losses[-1] > losses[0] - losses[-1], "the sick loss falls further", **values)
claim(
    values["error"] < values["base_error"] < values["sick_error"],
    "healthy is better than the base, sick is worse",
    **values,
)
show_figure(
    draw_losses({"sick: labels not shifted": sick_losses, "repaired: labels shifted": losses}),
    title="The sick loss ends at {sick_last:.2f}, below the healthy {last:.2f}; its error is {sick_error:.0f} %, not {error:.1f} %",
    alt="The loss over {steps} steps, on a logarithmic axis. Sick: from {sick_first:.2f} to {sick_last:.2f}. Healthy: from {first:.2f} to {last:.2f}.",
    **values,
)
said_and_so(
    said="The loss went down, so the fine-tune worked.",
    so="The loss of the sick run falls from {sick_first:.2f} to {sick_last:.2f} nats per token, further and lower than that of the "
    "healthy one ({first:.2f} to {last:.2f}). In use it makes {sick_error:.0f} % phoneme errors, the untouched base {base_error:.1f} %, the "
    "healthy run {error:.1f} %. A falling loss says that the model learns what it is asked. It does not say that it is asked "
    "the right thing: {share:.0f} % of the labels were the token just read, and {share_repaired:.0f} % after the repair.",
    shown_by="the figure above; `python -m lessons clinic labels-not-shifted`",
    **values,
)

# %% [markdown]
# ## Experiment: every case, sick and repaired
#
# `python -m lessons clinic --table FILE` makes each illness, diagnoses, repairs, and diagnoses again. It also diagnoses healthy runs:
# every shipped adapter in use, and every technique at the start of its training.

# %% tags=["hide-input"]
values = illnesses_in_the_table()
show_figure(
    draw_cases(),
    title="{named} of {cases} illnesses are named, {repaired} of {cases} are silent once repaired",
    alt="Three panels with {shown} cases, one line each: a cross for the sick run, a circle for the repaired one, and a mark for the "
    "limit of the check. In every line the limit parts the two.",
    **values,
)
prose(
    "The figure shows the {shown} cases whose number has a scale; in the others something is there or not: an adapter that is switched off, "
    "an optimizer without the adapter's parameters. {alone} of the {cases} cases bring no other name with them. All {healthy} "
    "healthy runs are silent. ({causal} of the cases need a model that continues text: they were made on SmolLM2, and after "
    "`make smollm` the command makes them. Where a circle is missing, the check has nothing left to look at after the repair.)",
    **values,
)
prose(
    "A check that was written for one run may know that run alone. So each illness was made again elsewhere: with other techniques, on "
    "other sizes, in some of the layers or in one batch of two, on models with the names of transformers. Of these {variants} variants "
    "{first_look} were named at the first look. The others showed where a check was narrow, and it was mended: now {variants_named} are named.",
    **values,
)

# %% [markdown]
# ## From the symptom to the case
#
# Begin with what you see. `python -m lessons clinic NAME` makes the case on our base; `diagnose` looks for all of them in a run of
# your own.

# %% tags=["hide-input"]
show_table(symptoms())

# %% [markdown]
# ## The usual mistakes
#
# - **Only the loss is looked at.** Decode a few answers at step 0, in the middle and at the end, with the code that will be used later.
# - **Only the model in memory is measured.** Save, load into a new process, and measure *that* model. Every illness of merging and
#   of loading lies between the two.
# - **Two causes are repaired at once.** Change one thing, measure again. Otherwise nobody knows which of them it was.
# - **The batch was never looked at.** Print one row: tokens, labels, mask, side by side. That takes a minute and finds all cases of
#   the group "the loss is taken over the wrong tokens".
# - **Merging for a test, and training on.** A merged base beside an adapter that is still active adds the update twice
#   ([unslothai/unsloth#1519](https://github.com/unslothai/unsloth/issues/1519)).
# - **A silent diagnosis is taken for health.** It excludes the illnesses that it measures, as seen above.

# %% [markdown]
# ## Three questions
#
# <details><summary>A merged model has k = 1, and a rest half as long as the update. What happened?</summary>
#
# The whole update is in the weights, but not in those it was learnt beside. QLoRA learns beside the base rounded to four bits;
# whoever merges into the unrounded base brings the rounding's difference along: `merged-into-other-weights`.
#
# </details>
#
# <details><summary>Why is "the loss is exactly the same at every step" a better symptom than "the loss is high"?</summary>
#
# It is more specific. Exactly the same means that no parameter moved: frozen, unknown to the optimizer, or without a gradient. Three counts
# tell these apart. A high loss has many causes.
#
# </details>
#
# <details><summary>Why does the clinic diagnose healthy runs as well?</summary>
#
# A check that always answers "sick" finds every illness. Only the healthy runs show that its answer means something.
#
# </details>

# %% [markdown]
# ## Exercises
#
# Six patients: sick runs, each from another group of the table. `python -m lessons clinic --patient NAME` shows one: the symptom, the
# lines that did it, and what was measured. Find out what it has, and write the repair. It is graded by measuring again, on runs
# that are drawn anew. `--diagnose` asks `diagnose` as well; it can look at one of the six. The others you have to measure yourself.

# %%
exercises_of(31)

# %% [markdown]
# ## Summary
#
# - Between data and file there are stations at which wrong numbers of the right shape pass without an error.
# - For each illness there is a number that parts sick from healthy. Measure it; do not guess.
# - $k = \langle W' - W, \Delta W\rangle / \langle \Delta W, \Delta W\rangle$ says how often an adapter was merged.
# - A loss that falls shows that the model learns what it is asked, not that this is what you want.
# - Measure the model that is used: saved, loaded anew, decoded.

# %% [markdown]
# ## Where to read on
#
# - Karpathy, [*A Recipe for Training Neural Networks*](https://karpathy.github.io/2019/04/25/recipe/): "neural net training fails
#   silently"
# - Han and Han, [*Bugs in LLM training: gradient accumulation fix*](https://unsloth.ai/blog/gradient): the mean of means, found
#   in many trainers at once
# - Hugging Face PEFT, [*Troubleshooting*](https://huggingface.co/docs/peft/developer_guides/troubleshooting)
# - Hu et al., [*LoRA: Low-Rank Adaptation of Large Language Models*, arXiv 2106.09685](https://arxiv.org/abs/2106.09685): the scale
#   α/r and merging
# - Next: [lesson 32](32_choosing.ipynb), choosing a strategy. In the code:
#   [`lessons/clinic/`](../clinic/README.md), [`lessons/clinic/checks/merge.py`](../clinic/checks/merge.py)
