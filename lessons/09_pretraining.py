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
# 9. Pretraining the base

**The question.** Fine-tuning begins where somebody else's long training ended. What happens in that training, and which of
its ingredients make the base good?

**You will be able to**

- write the loop that turns pairs into weights, and say what warm-up is for
- batch by length, and stop and resume a run without a trace
- say in what way our base is *not* what is usually called pretrained
- read an exploration, and say how little one seed proves

**Time:** 40 minutes. **Before it:** cross-entropy, from [lesson 8](08_output_and_loss.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.pretraining import (
    SPOKEN,
    killed_and_resumed,
    learn_to_spell,
    next_letter_loss,
    padding_share,
    rates_by_hand,
    short_pretraining,
    the_base,
    two_ways_to_batch,
    what_carries_over,
    wrong_by_length,
)
from lessons.experiments.pretraining_figures import (
    draw_lengths,
    draw_loop,
    draw_padding,
    draw_recipe,
    draw_schedule,
    draw_short,
    draw_spelling,
)
from lessons.experiments.pretraining_recipe import (
    what_a_random_start_gives,
    what_longer_training_gives,
    what_rate_and_decay_give,
)
from lessons.task.base import load_base, model_card
from lessons.task.dictionary import pairs, vocabulary, words
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate, predict
from lessons.teaching import (
    claim,
    exercises_of,
    falls,
    lit_diagram,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from transformer import collate, cosine_schedule, epoch_batches, generate, noam_schedule, parameter_groups, train
from transformer.learning.step import one_step, summed_losses

set_threads()
torch.manual_seed(0)
lit_diagram("everything")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_loop(),
    title="One step, thousands of times; its size rises first and falls then",
    alt="Boxes in a row: batch, model, loss, gradient, AdamW, and an arrow back to the model: new weights. Into AdamW goes the "
    "learning rate of the example by hand: 0.0625 at step 1, 0.25 at step 4, 0.125 at step 16.",
)

# %% [markdown]
# ## The idea
#
# 1. **Pretraining**: much data, a long training. The result is the *base*.
# 2. **Fine-tuning**: the base, little data, the task that one wants.
#
# The usual task of the first stage is to guess a hidden part of a text from the rest: the next token (GPT), a masked one
# (BERT), a damaged stretch (T5, BART). The text is its own label. That is called *self-supervised*.
#
# Training is the same loop in both. Take a batch, compute the loss, go a step against the gradient. The first steps are
# small, because Adam does not know yet how large gradients are: that is the *warm-up*. The last steps are small, because
# near the end one wants to settle.

# %% [markdown]
# ## The formula
#
# $$\theta \leftarrow \mathrm{AdamW}\big(\theta,\ \nabla_\theta L(\theta),\ \eta_t\big), \qquad
# L = -\frac{1}{n}\sum_{t} \log p(y_t \mid y_{<t}, x)$$
#
# $$\eta_t = d^{-1/2} \cdot \min\!\big(t^{-1/2},\ t \cdot w^{-3/2}\big) \quad \text{(the paper: up for } w \text{ steps, then down)}$$

# %% [markdown]
# ## The code

# %%
show_source(noam_schedule, cosine_schedule, collate, epoch_batches, parameter_groups, one_step, summed_losses, train)

# %% [markdown]
# ## By hand
#
# $d = 4$, so $d^{-1/2} = 1/2$; $w = 4$, so $w^{-3/2} = 1/8$.
#
# | step $t$ | $t^{-1/2}$ | $t \cdot w^{-3/2}$ | the smaller | $\eta_t$ |
# |---|---|---|---|---|
# | 1 | 1 | 1/8 | 1/8 | 1/16 = 0.0625 |
# | 4 | 1/2 | 4/8 | 1/2 | 1/4 = 0.25 |
# | 16 | 1/4 | 2 | 1/4 | 1/8 = 0.125 |
#
# The two curves cross at $t = w$: there is the peak, $1/\sqrt{d\,w}$.

# %%
print(rates_by_hand())
settings = model_card()["training"]

# %% tags=["hide-input"]
show_figure(
    draw_schedule(settings),
    title="The base's rate: up to {peak:g} in {warmup} steps, then half a cosine down to 0",
    alt="The learning rate over {steps:,} steps: it rises to {peak:g} within {warmup} steps and falls to 0.",
    peak=settings["learning_rate"],
    warmup=settings["warmup"],
    steps=settings["steps"],
)

# %% [markdown]
# ## Experiment: batches by length
#
# A batch is a matrix, so that short rows are filled up with padding, and padding is computed for nothing. Put words of like
# length together, and little of it is left. White is padding.

# %%
chosen = words("american", "train", 3000 if quick() else 12000)
examples = pairs("american", chosen, all_pronunciations=True)
mixed, alike = (padding_share(examples, batches) for batches in two_ways_to_batch(examples).values())

# %% tags=["hide-input"]
claim(alike < mixed / 3, "little padding is left", alike=alike, mixed=mixed)
show_figure(
    draw_padding(examples),
    title="Words of like length in a batch: {alike:.1f} % padding in place of {mixed:.1f} %",
    alt="Two batches as matrices. In random order {mixed:.1f} % of the places are padding, by length {alike:.1f} %.",
    alike=alike,
    mixed=mixed,
)

# %% [markdown]
# The order of the batches is mixed anew in each epoch, from the seed and the number of the epoch alone. So a run that was
# killed finds its way back: weights, the optimizer's two moments and the losses are kept, everything else follows from the
# seed and the step.

# %%
resumed_at, same = killed_and_resumed(examples)
print(f"killed at step 17, went on at step {resumed_at}; every weight equal to the last bit: {same}")

# %% [markdown]
# ## Experiment: a short pretraining
#
# A smaller model than the base, on the same task, for seconds.

# %%
tested = words("american", "development", 60 if quick() else 150)
short = short_pretraining(examples, 120 if quick() else 320, tested)
base = load_base()
base_error = 100 * evaluate(base, tested, "american").phoneme_error
for name, said in {**short.sayings, "the base": predict(base, SPOKEN)}.items():
    print(f"{name:<10}" + "".join(f"{said[word][:16]:<18}" for word in SPOKEN))

# %% tags=["hide-input"]
numbers = {"steps": len(short.losses), "last": short.errors[max(short.errors)], "base": base_error}
claim(numbers["last"] > 1.5 * numbers["base"], "the base is far better", **numbers)
show_figure(
    draw_short(short, base_error),
    title="After {steps} steps a small model is at {last:.0f} % phoneme error; the base is at {base:.1f} %",
    alt="Left, the loss falls over {steps} steps. Right, the phoneme error on new words ends at {last:.1f} %, above the line of "
    "the base at {base:.1f} %.",
    **numbers,
)

# %% [markdown]
# ## Experiment: what each ingredient gave
#
# The base's recipe was searched: many trainings, with one or two things changed. One choice needs a word. Lesson 18 puts vectors
# in front of the letters, so that every letter moves to a later position. A base that has always begun at position 0 does not
# bear that. So half of its rows in training begin at a position that is drawn.

# %% tags=["hide-input"]
numbers = what_a_random_start_gives()
show_figure(
    draw_recipe(),
    title="With a random start for half of the rows, letters may move: at most {chosen_moved:.1f} % word error, not {fixed_moved:.0f}",
    alt="Left, word error over how far the letters are moved. A base that began at 0 goes from {fixed:.1f} to at least "
    "{fixed_moved:.0f} %; one with a start of 0 to 15 in half of the rows from {chosen:.1f} to at most {chosen_moved:.1f} %. "
    "Right, bars of the word error with other rates and decays.",
    fixed=numbers["fixed"],
    fixed_moved=numbers["fixed_moved"],
    chosen=numbers["chosen"],
    chosen_moved=numbers["chosen_moved"],
)
prose(
    "A base bears what it was shown. With a start of 0 to 7 it has {near_5:.1f} % with the letters moved by 5, and "
    "{near_15:.1f} % by 15. Unmoved, the random start costs {cost:.1f} points here.",
    near_5=numbers["near_5"],
    near_15=numbers["near_15"],
    cost=numbers["cost"],
)
prose(
    "A higher rate with more decay gave {gain:.1f} points, from {plain:.1f} to {chosen:.1f} %; label smoothing at that rate, with the "
    "smaller decay, came out {apart:.2f} points beside it: no gain over decay, so it was left out.",
    gain=what_rate_and_decay_give()["gain"],
    plain=what_rate_and_decay_give()["plain"],
    chosen=what_rate_and_decay_give()["chosen"],
    apart=what_rate_and_decay_give()["apart"],
)
prose(
    "More than either gave *longer* training: the chosen recipe has {short_error:.1f} % after {short:,} steps, and the base, trained for "
    "{long:,}, has {long_error:.1f} % (on its test words).",
    **what_longer_training_gives(),
)

# %% [markdown]
# **To be exact.** Each bar and each curve is *one* seed, on development words, on another machine than the base's own run;
# the curves on the left are of runs that the clock stopped halfway. Differences below a point may be luck. That moved letters
# ruin a base which began at 0 is none. (`lessons/results/base_recipe.json`; the rows
# of the search, from which `lessons/experiments/pretraining_recipe.py` made it, are not in the repository.)

# %% [markdown]
# ## Experiment: what the base learnt

# %%
wrong = wrong_by_length(base, words("american", "development", 200 if quick() else 1000))

# %% tags=["hide-input"]
numbers = {"with_stress": wrong["sounds and stress"]["all"], "sounds": wrong["sounds only"]["all"]}
claim(numbers["sounds"] < numbers["with_stress"], "some errors are of the stress alone", **numbers)
show_figure(
    draw_lengths(wrong),
    title="Of new words {with_stress:.1f} % are wrong; {sounds:.1f} % when the stress is not counted",
    alt="Bars of words said wrong by their number of letters, with the stress counted and without. In all {with_stress:.1f} and "
    "{sounds:.1f} %.",
    **numbers,
)
prose(
    "The model card, over all test words: {steps:,} steps in {minutes:.0f} minutes; American word error {words:.1f} %, phoneme "
    "error {phonemes:.1f} %; with the letters moved at most {moved:.1f} % of the words. Of British words {british:.0f} % are wrong, "
    "and that is where fine-tuning begins.",
    **the_base(),
)

# %% [markdown]
# ## Experiment: the same loop without a teacher
#
# The usual kind of pretraining in small. The data are *letters of words*, nothing else. Each letter is the label of the
# letters before it.

# %%
show_source(next_letter_loss)
speller, curve = learn_to_spell(chosen, 100 if quick() else 400)
start = torch.full((8, 1), vocabulary().bos_id)
ids = generate(speller, start, 16, do_sample=True, generator=torch.Generator().manual_seed(1))
print("  ".join(vocabulary().decode(row[1:].tolist()) for row in ids))

# %% tags=["hide-input"]
numbers = {"first": curve[min(curve)], "last": curve[max(curve)], "steps": max(curve)}
claim(falls([numbers["first"], numbers["last"]]), "the loss on new words falls", **numbers)
show_figure(
    draw_spelling(curve),
    title="Guessing the next letter: the loss on new words falls from {first:.2f} to {last:.2f}, without a label",
    alt="The loss on new words over {steps} steps, from {first:.2f} to {last:.2f}.",
    **numbers,
)

# %% [markdown]
# It invents words that look English. A large language model does this with all the text that there is.
#
# **Our base was not made this way.** It saw pairs, a word and its pronunciation, so that its pretraining was **supervised**,
# on one task. It plays the base's part all the same.

# %% tags=["hide-input"]
said_and_so(
    said="Pretraining is in essence unsupervised learning.",
    so="It is self-supervised: there is a label and the usual cross-entropy, only the label is taken from the text itself. "
    "And it need not be: the base of this course was pretrained on labelled pairs.",
    shown_by="`next_letter_loss` above, which compares the letters with those one step ahead; the model card",
)
said_and_so(
    said="A pretrained base has general abilities that carry over to other tasks.",
    so="What carries over is what the two tasks share. American and British share letters, consonants and most rules: with "
    "the base, {words:,} words and {steps} steps give a British phoneme error of {full:.1f} %; from random weights the same "
    "words and steps give {scratch:.1f} %. This base would not help with sentiment.",
    shown_by="the rows full and scratch of `lessons/results/report.json`, from `python -m lessons compare`",
    **what_carries_over(),
)

# %% [markdown]
# ## The usual mistakes
#
# - **Step 0.** The paper's formula divides by the step: count from 1. Ours refuses 0 with a message.
# - **No warm-up.** Adam's first steps are as large as its later ones whatever the gradient's size; a post-norm model then
#   often fails ([Xiong et al.](https://arxiv.org/abs/2002.04745)).
# - **Only the weights are kept.** Without the optimizer's moments and the place in the data, a resumed run is another run.
# - **Decay on everything.** Decay pulls biases and norms' gains towards 0, where they do not belong: see `parameter_groups`.
# - **Data behind a link.** The translation data of the annotated Transformer no longer download
#   ([annotated-transformer#96](https://github.com/harvardnlp/annotated-transformer/issues/96)). Here they lie in the repository.
# - **One loss, and no look at the output.** See [lesson 7](07_masks_and_decoder.ipynb).

# %% [markdown]
# ## Three questions
#
# <details><summary>Why is the first learning rate small, when the model is farthest from its goal?</summary>
#
# Adam divides by an estimate of the gradient's size, and after a few steps that estimate is poor. Its steps are as large as
# later ones, and may go anywhere.
#
# </details>
#
# <details><summary>A resumed run ends with weights that are similar, not equal. What was forgotten?</summary>
#
# Something that the steps depend on: the optimizer's moments, the place in the data, or the state of the random numbers.
#
# </details>
#
# <details><summary>One run with a new ingredient is a little better than one without. Is the ingredient good?</summary>
#
# You do not know. Another seed may differ as much. Run both with several seeds, or look for a larger effect.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(9)

# %% [markdown]
# ## Summary
#
# - Pretraining is the same loop as fine-tuning: more data, more steps, random weights at the start.
# - The rate warms up and then falls. Words of like length share a batch. A killed run goes on to the very same weights.
# - A base bears what it was shown: with a random start in training, its letters may move.

# %% [markdown]
# ## Where to read on
#
# - Vaswani et al., [*Attention Is All You Need*, arXiv 1706.03762](https://arxiv.org/abs/1706.03762), section 5
# - Loshchilov and Hutter, [*Decoupled Weight Decay Regularization*, arXiv 1711.05101](https://arxiv.org/abs/1711.05101): AdamW
# - Xiong et al., [*On Layer Normalization in the Transformer Architecture*, arXiv 2002.04745](https://arxiv.org/abs/2002.04745)
# - Which part of the text is hidden: [*BERT*](https://arxiv.org/abs/1810.04805), [*BART*](https://arxiv.org/abs/1910.13461),
#   [*T5*](https://arxiv.org/abs/1910.10683), [*GPT-3*](https://arxiv.org/abs/2005.14165)
# - Next: [lesson 10](10_decoding.ipynb), from probabilities to a sequence. In the code:
#   [`transformer/learning/training.py`](../../transformer/learning/training.py)
