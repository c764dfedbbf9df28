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

**The question.** The base has biases and gains already: ten thousand numbers of more than a million. If those learn British
and every matrix stays as it is, what can they change at all, and how far does it go?

**You will be able to**

- say what a bias and a gain can change, and what they cannot
- count what BitFit and LayerNorm tuning train
- find a learning rate, and see when a search has stopped too early
- say which costs fall with the number of trained parameters, and which do not

**Time:** 30 minutes. **Before it:** LayerNorm, from [lesson 5](05_add_norm.ipynb); forgetting, from
[lesson 11](11_full_fine_tuning.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.bitfit_and_layernorm import (
    ADDED,
    BIAS,
    GAIN,
    NORM_BIAS,
    NORMED,
    OUTPUTS,
    SCORES,
    TECHNIQUES,
    a_grid_that_stops_too_early,
    bias_changes,
    bias_gradients,
    changes,
    counted,
    few_of_the_right_kind,
    gains,
    mean_of_kind,
    relative_change,
    what_bitfit_costs,
)
from lessons.experiments.bitfit_and_layernorm_figures import (
    draw_bias_and_gain,
    draw_bias_changes,
    draw_gains,
    draw_gradients,
    draw_losses,
    draw_search,
    draw_trained_and_error,
)
from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.finetuning import adapted, fine_tune, rate_of
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate, predict
from lessons.teaching import (
    claim,
    exercises_of,
    highest,
    kept_report,
    kept_rows,
    kept_run,
    lit_diagram,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from peft.bitfit import BitFitConfig
from peft.ln_tuning import LNTuningConfig

set_threads()
torch.manual_seed(0)
lit_diagram("attention", "add_norm", "feed_forward")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_bias_and_gain(),
    title="A bias moves every input alike; a gain stretches a feature",
    alt="Above, two inputs behind a matrix, (0, 2) and (2, 2); with the trained bias (1, -1) they become (1, 1) and (3, 1). "
    "Below, two normalized inputs, (-1, 1) and (1, -1); with the trained gain (2, 1) and bias (0, 1) they become (-2, 2) and "
    "(2, 0). Trained vectors have a red edge.",
)

# %% [markdown]
# ## The idea
#
# Neither technique adds anything to the model. Each trains a few of the parameters that are there.
#
# - **BitFit** trains the biases: those of the linear layers and those of the norms. No matrix, no gain.
# - **LayerNorm tuning** trains the gains and the biases of the norms, and nothing else.
#
# A bias adds the same vector to every input, so that the difference between two inputs stays what it was. A gain multiplies
# each feature, so that the difference is stretched. Neither can mix features anew, because only a matrix does that.
#
# Why can this teach an accent? Because the features are there. The base hears already that a vowel stands before an *r*;
# what must change is what it makes of that. A bias in front of a ReLU decides how easily a feature fires, and a gain decides
# how much it counts.
#
# As with every technique here, the model holds *copies* of what is trained. Switched off, the base's own tensors are back.

# %% [markdown]
# ## The formula
#
# $$y = W x + \mathbf{b}, \qquad \mathrm{LayerNorm}(x) = \mathbf{g} \odot \hat{x} + \mathbf{b}, \qquad
# \hat{x} = \frac{x - \mathrm{mean}(x)}{\sqrt{\mathrm{var}(x) + \epsilon}}$$
#
# BitFit trains every $\mathbf{b}$. LayerNorm tuning trains $\mathbf{g}$ and $\mathbf{b}$ of the norms. $\odot$ multiplies
# feature by feature.

# %% [markdown]
# ## The code

# %%
show_source(BitFitConfig, LNTuningConfig)

# %% [markdown]
# ## By hand: what they can change
#
# Behind a matrix two inputs are $(0, 2)$ and $(2, 2)$. The bias $(1, -1)$ makes them $(1, 1)$ and $(3, 1)$. They differed by
# $(2, 0)$, and still do.
#
# Behind a norm two inputs are $\hat x = (-1, 1)$ and $(1, -1)$. The gain $(2, 1)$ and the bias $(0, 1)$ make them
# $(-2, 2)$ and $(2, 0)$. They differed by $(2, -2)$, and now by $(4, -2)$: the gain has done it, not the bias.

# %%
for before, after in ((OUTPUTS, OUTPUTS + BIAS), (NORMED, GAIN * NORMED + NORM_BIAS)):
    print(
        after.tolist(), " difference before", (before[1] - before[0]).tolist(), "after", (after[1] - after[0]).tolist()
    )

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
# In this course both also train one row of the embedding, $d$ numbers: that of ɒ, a sound that American does not have
# ([lesson 8](08_output_and_loss.ipynb)).

# %%
base = load_base()
shape = base.config
for name, formula in counted(shape.d_model, shape.d_ff, shape.num_encoder_layers).items():
    trained, total = adapted(name).get_nb_trainable_parameters()
    print(f"{name:<10} formula {formula:,} + {shape.d_model} for ɒ; counted {trained:,}, {100 * trained / total:.2f} %")

# %% [markdown]
# ## By hand: the bias that does nothing
#
# A query scores two keys: 1 and 3. A bias on the keys adds $q \cdot b_K$ to *both*, say 5: now 6 and 8. Softmax sees only
# the difference, 2 in both cases: the weights are $1/(1 + e^2) = 0.119$ and $0.881$, before and after. So a key's bias
# changes nothing, and its gradient is 0. BitFit trains it all the same.

# %%
print("before", SCORES.softmax(-1).tolist(), "  after", (SCORES + ADDED).softmax(-1).tolist())
gradients = bias_gradients(base, count=100)

# %% tags=["hide-input"]
others = [size for kind, size in gradients.items() if kind != "k_proj"]
numbers = {"millions": min(others) / gradients["k_proj"] / 1e6, "key": gradients["k_proj"]}
claim(numbers["millions"] > 0.01, "a key's bias has a gradient of rounding noise", **numbers)
show_figure(
    draw_gradients(gradients),
    title="The gradient of a key's bias is rounding noise: {millions:.1f} million times smaller than any other",
    alt="Bars of the mean gradient for each kind of bias, on a logarithmic scale. That of k_proj is {key:.0e}; the others are "
    "at least {millions:.1f} million times larger.",
    **numbers,
)

# %% [markdown]
# ## Experiment: a rate of its own
#
# Few numbers must move far. We train BitFit once at the rate of full fine-tuning and once at its own, and LayerNorm tuning at
# its own.

# %%
steps, count = (12, 50) if quick() else (60, 150)
heard = {accent: words(accent, "development", count) for accent in ("british", "american")}
plan = {
    f"BitFit, rate {rate_of('full'):g}": ("bitfit", rate_of("full")),
    f"BitFit, rate {rate_of('bitfit'):g}": ("bitfit", rate_of("bitfit")),
    f"LayerNorm tuning, rate {rate_of('ln_tuning'):g}": ("ln_tuning", rate_of("ln_tuning")),
}
models, losses = {"the base": base}, {}
for name, (method, rate) in plan.items():
    models[name], losses[name] = fine_tune(method, steps=steps, learning_rate=rate)
errors = {
    name: {accent: 100 * evaluate(model, heard[accent], accent).phoneme_error for accent in heard}
    for name, model in models.items()
}
for name, both in errors.items():
    print(f"{name:<28} phoneme error: British {both['british']:.1f} %, American {both['american']:.1f} %")

# %% tags=["hide-input"]
borrowed, own, norms = losses
before, after = errors["the base"], errors[own]
numbers = {
    "steps": steps,
    "rate": rate_of("bitfit"),
    "borrowed_rate": rate_of("full"),
    "borrowed_loss": sum(losses[borrowed][-10:]) / 10,
    "own_loss": sum(losses[own][-10:]) / 10,
    "norms_loss": sum(losses[norms][-10:]) / 10,
}
claim(numbers["own_loss"] < 0.7 * numbers["borrowed_loss"], "at its own rate the loss ends lower", **numbers)
show_figure(
    draw_losses(losses),
    title="After {steps} steps BitFit's loss is {own_loss:.2f} at its own rate, {borrowed_loss:.2f} at that of full fine-tuning",
    alt="Three curves of the loss on British words over {steps} steps. BitFit at rate {borrowed_rate:g} ends at "
    "{borrowed_loss:.2f}, at rate {rate:g} at {own_loss:.2f}; LayerNorm tuning at its own rate ends at {norms_loss:.2f}.",
    **numbers,
)

# %% tags=["hide-input"]
numbers = {
    "american_before": before["american"],
    "american": after["american"],
    "british_before": before["british"],
    "british": after["british"],
}
claim(numbers["american"] > 2 * numbers["american_before"], "American is soon more than twice as wrong", **numbers)
prose(
    "The errors answer too. At its own rate BitFit's British error goes from {british_before:.1f} to {british:.1f} %, and the "
    "American one from {american_before:.1f} to {american:.1f} %: few trained numbers are no protection from forgetting.",
    **numbers,
)

# %% [markdown]
# Both techniques merge without a trace: the copies take the places of the base's tensors, and the result is a plain
# Transformer of the same size and speed.

# %%
tuned, few = models[own], heard["british"][:20]
said = predict(tuned, few)
merged = tuned.merge_and_unload()
print(type(merged).__name__, "says the same:", predict(merged, few) == said)

# %% [markdown]
# ## Experiment: when has a search gone far enough?
#
# `python -m lessons search` tries rates on words that are in no test, and goes on until the best lies *between* two that are
# worse. A first search here had tried three rates for each technique, and kept the best of three.

# %% tags=["hide-input"]
numbers = a_grid_that_stops_too_early()
show_figure(
    draw_search(),
    title="Three rates make LayerNorm tuning {gap_early:.1f} points better than BitFit; all rates make BitFit {gap:.1f} better",
    alt="British phoneme error over the learning rate. Of the first three rates the largest, {last:g}, is best for both: BitFit "
    "{bitfit_early:.1f} %, LayerNorm tuning {ln_tuning_early:.1f} %. Farther on BitFit reaches {bitfit_best:.1f} % at "
    "{bitfit_rate:g}, LayerNorm tuning {ln_tuning_best:.1f} % at {ln_tuning_rate:g}.",
    **numbers,
)
prose(
    "At the edge of the grid one cannot know what lies beyond. An earlier edition of this lesson stopped there, and concluded "
    "that a gain can do what a bias cannot. It was the grid that spoke: with its own rate, {bitfit_rate:g}, BitFit is at "
    "{bitfit_best:.1f} %, and LayerNorm tuning at {ln_tuning_best:.1f} %. (These words are those of the search; the test's are "
    "below.)",
    **numbers,
)

# %% [markdown]
# ## Experiment: which of them moved?
#
# We load the adapters that the package ships, 300 steps of British, and compare each trained vector with the base's.

# %%
moved = changes("bitfit")
places = bias_changes(moved)
kinds = {kind: mean_of_kind(moved, kind) for kind in ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")}

# %% tags=["hide-input"]
numbers = {
    "most": highest(kinds),
    "farthest": max(kinds.values()),
    "key": kinds["k_proj"],
    "least": min(kinds.values()),
}
claim(numbers["key"] > 0, "the keys' biases moved", key=numbers["key"])
show_figure(
    draw_bias_changes(places),
    title="Of the linear layers' biases those of {most} moved farthest, by {farthest:.2f} on average",
    alt="A map of how far each bias vector moved: six kinds in three layers downwards, five sub-layers across. The kinds' means "
    "lie between {least:.2f} and {farthest:.2f}; {most} has the largest.",
    most=numbers["most"],
    farthest=numbers["farthest"],
    least=numbers["least"],
)
prose(
    "The keys' biases have no use, and have moved all the same, by {key:.3f}: Adam divides a gradient by its own size, so that "
    "it turns even rounding noise into steps. It does no harm, since nothing depends on them.",
    key=numbers["key"],
)

# %% [markdown]
# And the gains? Each dot is one feature of one norm, before and after LayerNorm tuning.

# %%
tuned_gains = gains(changes("ln_tuning"), base)

# %% tags=["hide-input"]
relative = {name: relative_change(pair) for name, pair in tuned_gains.items()}
numbers = {"norms": len(relative), "mean": sum(relative.values()) / len(relative), "most": max(relative.values())}
show_figure(
    draw_gains(tuned_gains),
    title="The gains moved by {mean:.0f} % of their size on average, in one norm by {most:.0f} %",
    alt="Left, the gain of each feature after tuning over the gain before: a cloud about the diagonal. Right, the seven of "
    "{norms} norms that moved most, up to {most:.0f} % of their size.",
    **numbers,
)

# %% [markdown]
# ## Experiment: what is won, and what it costs

# %% tags=["hide-input"]
prose(
    "From the saved run: {steps} steps, {seeds} seeds, all held-out words; `python -m lessons compare --seeds {seeds} "
    "--test-words all` made it.",
    steps=kept_report()["run"]["steps"],
    seeds=len(kept_rows("bitfit")),
)

# %%
kept_run(*TECHNIQUES)

# %% tags=["hide-input"]
numbers = few_of_the_right_kind()
show_figure(
    draw_trained_and_error(),
    title="Few trained numbers: BitFit {bitfit:.1f} %, LayerNorm tuning {ln_tuning:.1f} %, SSF {ssf:.1f} %",
    alt="British phoneme error over the number of trained parameters. LayerNorm tuning with {ln_tuning_trained:,.0f} numbers "
    "has {ln_tuning:.1f} %, BitFit with {bitfit_trained:,.0f} has {bitfit:.1f} %, SSF with {ssf_trained:,.0f} has {ssf:.1f} %, "
    "LoRA with {lora_trained:,.0f} has {lora:.1f} %.",
    **numbers,
)
said_and_so(
    said="The fewer parameters are trained, the weaker the technique.",
    so="It matters which. LayerNorm tuning trains {ln_tuning_trained:,.0f} numbers and BitFit {bitfit_trained:,.0f}; their "
    "errors are {ln_tuning:.1f} and {bitfit:.1f} %, {apart:.1f} points apart, and {better} has the lower one. IA3 is at "
    "{ia3:.1f} % with {ia3_trained:,.0f} numbers, SSF at {ssf:.1f} % with {ssf_trained:,.0f}. Each has its own searched rate.",
    shown_by="the figure above; the rates are in `lessons/task/learning_rates.json`",
    **numbers,
)
said_and_so(
    said="BitFit trains only the biases: it needs extremely little computing, but may gain only a little.",
    so="It needs {fewer:.0f} times fewer trained numbers and {less:.0f} times less disk. The computing is another matter: "
    "{bitfit_seconds:.0f} seconds against {full_seconds:.0f}, and a peak of {bitfit_peak:.0f} MB against {full_peak:.0f} MB, "
    "because activations are kept and the gradient runs back through the whole model; only the gradients of the matrices are left out. And the gain is {gain:.0f} % of what full fine-tuning gains: "
    "from {start:.1f} to {bitfit:.1f} % British phoneme error, against {full:.1f} %.",
    shown_by="the table above, from `python -m lessons compare`",
    **what_bitfit_costs(),
)

# %% [markdown]
# ## The usual mistakes
#
# - **The rate of full fine-tuning.** See the first experiment. Comparisons that give LayerNorm tuning a rate made for
#   millions of numbers find that it learns nothing: that says more about the rate.
# - **A best rate at the edge of the grid.** See the second one: it is no best rate yet.
# - **"bias" in the name, and nothing was found.** T5 and LLaMA have no biases. Ours raises an error then.
# - **The keys' biases are expected to move, or expected to stay.** Their gradient is 0 up to rounding; a test that demands
#   either is wrong.
# - **The new symbol is forgotten.** No bias can teach the model to say ɒ: its row of the output was never trained.
# - **Only the norms inside the layers are trained.** A pre-norm model has one more after each stack.
# - **The base is overwritten.** Train copies, or there is nothing to switch back to.

# %% [markdown]
# ## Three questions
#
# <details><summary>Two inputs give the same vector behind a matrix. Can its bias make them differ?</summary>
#
# No. It adds the same to both. A gain cannot either: it multiplies both by the same.
#
# </details>
#
# <details><summary>BitFit trains a hundredth of the numbers. Why does a step not take a hundredth of the time?</summary>
#
# Because the whole model runs forwards, and the gradient must reach the lowest bias. What falls away is only the product
# that would give the gradient of each matrix.
#
# </details>
#
# <details><summary>A search tries three rates, and the largest is the best. What do you know of the best rate?</summary>
#
# That it is no smaller than the middle one. Try larger ones until one is worse.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(12)

# %% [markdown]
# ## Summary
#
# - BitFit trains the biases, LayerNorm tuning the norms' gains and biases; both leave every matrix as it is.
# - A bias moves all inputs alike, a gain stretches features. A key's bias does nothing at all.
# - Few numbers want a high rate, and a search is over only when its best lies inside.
# - What falls to a hundredth is what is trained and stored. Time and memory do not.

# %% [markdown]
# ## Where to read on
#
# - Ben Zaken, Ravfogel and Goldberg, [*BitFit*, arXiv 2106.10199](https://arxiv.org/abs/2106.10199)
# - Zhao et al., [*Tuning LayerNorm in Attention*, arXiv 2312.11420](https://arxiv.org/abs/2312.11420)
# - Frankle, Schwab and Morcos, [*Training BatchNorm and Only BatchNorm*, arXiv 2003.00152](https://arxiv.org/abs/2003.00152):
#   random features, tuned gains
# - Fu et al., [*AdapterBias*, arXiv 2205.00305](https://arxiv.org/abs/2205.00305): a bias that depends on the token
# - Next: [lesson 13](13_lora.ipynb), a small matrix beside a large one. In the code:
#   [`peft/bitfit.py`](../../peft/bitfit.py), [`peft/ln_tuning.py`](../../peft/ln_tuning.py)
