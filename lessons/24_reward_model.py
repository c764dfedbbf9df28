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
# 24. A reward model

**The question.** Nobody can write down the best summary of a text, but anybody can say which of two summaries is better.
How does one get from such choices to a number that a model can be trained on?

**You will be able to**

- turn "a is better than b" into a loss, and say how hard it pushes
- say what a reward model can learn from pairs, and what no pair can teach it
- find a shortcut, such as length, that it took instead of quality

**Time:** 40 minutes. **Before it:** the loss, from [lesson 8](08_output_and_loss.ipynb); LoRA, from
[lesson 13](13_lora.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.reward_model import (
    as_sure_as_right,
    longer_is_chosen,
    people_and_the_model,
    repeated,
    share_of_repeats,
)
from lessons.experiments.reward_model_figures import (
    draw_people,
    draw_repeats,
    draw_sureness,
    draw_surprise,
    draw_two_answers,
)
from lessons.preferences import notes, ratings
from lessons.preferences.kept import kept_arms, kept_ratings
from lessons.preferences.notes_world import make_world
from lessons.preferences.world import calibration
from lessons.task.machine import set_threads
from lessons.teaching import (
    claim,
    exercises_of,
    lit_diagram,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
    show_table,
)
from rlhf import RewardModel, preference_loss
from rlhf.responses import response_mask

set_threads()
torch.manual_seed(0)
lit_diagram("linear", "weights")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_two_answers(),
    title="One model gives each answer a number; only the difference meets the judgement",
    alt="The chosen and the rejected answer to one prompt go through the same reward model, which says 2 and 1. The difference "
    "is 1, its sigmoid 0.731 and the loss 0.313.",
)

# %% [markdown]
# ## The idea
#
# A reward model is a model like the one that writes the answers (the *policy*, as it will be called), whose last layer, the one
# that made logits of words, is taken off. In its place stands one linear layer with a single output: the *reward* of a prompt with an answer.
#
# Nobody tells it a reward. What one has are pairs: two answers to one prompt, and which of them a person took. So the same
# model reads both, and training asks only that the chosen one gets the higher number.
#
# People are not always of one mind, so a choice is not certain, but likely: the further apart two rewards are, the more
# likely the higher one is chosen. This is the model of Bradley and Terry, which also ranks chess players by their games.

# %% [markdown]
# ## The formula
#
# Let each answer have a strength $e^{r}$, and let it win in proportion to its strength:
#
# $$P(c \succ d) = \frac{e^{r_c}}{e^{r_c} + e^{r_d}} = \frac{1}{1 + e^{-(r_c - r_d)}} = \sigma(r_c - r_d)$$
#
# The loss is how surprised the model is by the choice that was made:
#
# $$L = -\log \sigma(r_c - r_d) \qquad \frac{\partial L}{\partial r_c} = -(1 - \sigma(r_c - r_d)) = -\frac{\partial L}{\partial r_d}$$
#
# - The chosen reward is pushed up and the rejected one down, by the same amount.
# - The push is the model's *mistake*: near 1 where it was sure of the wrong answer, near 0 where it was sure of the right one.
# - If 5 is added to both rewards, nothing changes. So a reward has no zero of its own. Here samples of the untrained policy
#   get mean 0 and deviation 1 afterwards, so that the price of lesson 25 means the same for each reward model.
# - Two rewards for *different* prompts were never compared, and their difference means nothing.

# %% [markdown]
# ## The code

# %%
show_source(preference_loss, RewardModel.forward, RewardModel.normalize, response_mask)

# %% [markdown]
# ## By hand
#
# The drawing's rewards are 2 and 1. The difference is 1, and $\sigma(1) = 1 / (1 + e^{-1}) = 0.7311$. So
# $L = -\log 0.7311 = 0.3133$, and each reward is pushed by $1 - 0.7311 = 0.2689$. Two equal rewards have $\sigma(0) = 0.5$ and
# $L = \log 2 = 0.6931$: no opinion. With the wrong order the loss is $\log(1 + e) = 1.3133$ and the push 0.7311.

# %%
chosen = torch.tensor([2.0, 1.0, 1.0], requires_grad=True)
rejected = torch.tensor([1.0, 1.0, 2.0])
for r_c, r_d in zip(chosen, rejected, strict=True):
    loss = preference_loss(r_c[None], r_d[None])
    push = -torch.autograd.grad(loss, chosen, retain_graph=True)[0].sum()
    print(f"rewards {r_c:.0f} and {r_d:.0f}: loss {loss:.4f}, push {push:.4f}")

# %% tags=["hide-input"]
show_figure(
    draw_surprise(),
    title="A pair that is ranked rightly and surely teaches nothing more",
    alt="Over the difference of the rewards the loss falls from about 4 to about 0, and the push from about 1 to about 0. "
    "At a difference of 0 the push is one half.",
)

# %% [markdown]
# ## Experiment: what no pair has shown
#
# A small world, in which we know the truth. Eight letters are the source; capitals matter, small letters are filler; a note
# copies letters. The hidden score gives a point for each capital, takes half a point for filler and a whole point for each
# letter that is *said again*. A small model writes two notes on each source, and the judge takes one of them.

# %%
small = (
    {"first_steps": 20, "pairs": 60, "sources": 32} if quick() else {"first_steps": 300, "pairs": 1000, "sources": 256}
)
world = make_world(seed=0, **small)
right = calibration(world)["accuracy"]

# %% [markdown]
# The first model was taught never to repeat a letter. Now and then it slips once, hardly ever more often. So what does the reward
# model say of many repeats? We take the best note for each source, all of its capitals, and say the first one again, and again.

# %%
found = repeated(world, most=6)

# %% tags=["hide-input"]
numbers = {
    "right": 100 * right,
    "once": share_of_repeats(world.pairs, range(1, 2)),
    "more": share_of_repeats(world.pairs, range(2, notes.LONGEST_NOTE)),
    "longer": longer_is_chosen(world.pairs),
    "proxy": found[0][0],
    "proxy_last": found[-1][0],
    "gold": found[0][1],
    "gold_last": found[-1][1],
    "last": len(found) - 1,
}
claim(numbers["gold_last"] < numbers["gold"] - 4, "the truth falls by a point for each repeat", **numbers)
claim(numbers["more"] < 5 and numbers["once"] < 30, "hardly a note repeats more than one letter", **numbers)
claim(numbers["longer"] < 50, "short notes have the better chance", **numbers)
claim(
    abs(numbers["proxy_last"] - numbers["proxy"]) < 0.5 * (numbers["gold"] - numbers["gold_last"]),
    "the reward model takes no notice to match",
    **numbers,
)
show_figure(
    draw_repeats(found),
    title="{last} letters said again: the truth goes from {gold:.1f} to {gold_last:.1f}, the reward from {proxy:.1f} to {proxy_last:.1f}",
    alt="Two panels over the number of letters said again. The reward model's score: {proxy:.1f} with none, {proxy_last:.1f} with "
    "{last}. The hidden truth falls in a straight line from {gold:.1f} to {gold_last:.1f}.",
    **numbers,
)
prose(
    "The reward model is right on {right:.0f} % of the pairs that it did not see. But of the notes that it learnt from, "
    "{once:.0f} % hold one repeat and only {more:.1f} % more than one. So pairs say little about one and next to nothing about many, "
    "and what it says of them is a guess. [Lesson 27](27_grpo.ipynb) shows who finds out.",
    **numbers,
)
prose(
    "**Length.** Where the two notes differ in length, the longer one was chosen in {longer:.0f} % of the pairs. Whenever this is not "
    "half, length alone is a hint, and a reward model can take it instead of a reason. In this world filler costs points, so short "
    "notes have the better chance. In texts for people the longer answer wins more often, and much of what training on feedback "
    "gains is length ([arXiv 2310.03716](https://arxiv.org/abs/2310.03716)). Measure it before you train: it takes one line.",
    **numbers,
)

# %% [markdown]
# ## Experiment: is it as right as it is sure?
#
# Held-out pairs, put into bins by the difference of their two rewards: across, how sure the model is; upwards, how often the
# judge says the same. On the dashed line its sigmoid promises just what comes true; below it, the model would be too sure of itself.
# *Notes* is the world above; in *words* the American base samples two pronunciations of a British word, and the dictionary
# says which is nearer. (`python -m lessons rlhf --seeds 3`, saved in `lessons/results/rlhf.json`.)

# %% tags=["hide-input"]
show_figure(
    draw_sureness({"notes": kept_arms("notes"), "words": kept_arms("words")}),
    title="Where it is surest, it promises {notes_promised:.0f} % on notes and is right on {notes_surest:.0f} %",
    alt="Two panels, notes and words: the share of pairs in which the judge agrees, over the difference of the rewards, beside the "
    "sigmoid. In the surest quarter: {notes_surest:.0f} % right of {notes_promised:.0f} % promised on notes, {words_surest:.0f} of "
    "{words_promised:.0f} % on words.",
    **as_sure_as_right(),
)
prose(
    "Over all pairs it is right on {notes_right:.0f} % (notes) and {words_right:.0f} % (words), which is little; but it knows how "
    "little, and promises about what comes true. Do not be lulled: these pairs were written by the same first model as those it "
    "learnt from. Of answers that this model never writes, such as the many repeats above, the figure says nothing.",
    **as_sure_as_right(),
)

# %% [markdown]
# ## Experiment: what people agree on
#
# A dozen people and more rated each of 23,703 sentences. Draw one rating for each of two sentences: the higher one is
# preferred. So the pairs contradict each other as often as people do. A reward model on a sentence encoder with LoRA learnt
# from them (`python -m lessons rlhf --ratings`, saved in `lessons/results/ratings.json`).

# %% tags=["hide-input"]
show_table(
    ratings.lines(kept_ratings()),
    title="A reward model on {pairs:,} pairs of single ratings, on held-out sentences",
    pairs=kept_ratings()["pairs"],
)
show_figure(
    draw_people(kept_ratings()["domains"]),
    title="In {least} people agree least, and so does the model with them",
    alt="Bars for each domain: how often two people agree on a pair, and how often the reward model agrees with people. In {least} "
    "people agree in {least_people:.0f} %, the model in {least_model:.0f} %.",
    **{name: value for name, value in people_and_the_model().items() if name.startswith("least")},
)
said_and_so(
    said="A reward model cannot be better than the people it learnt from agree with each other.",
    so="Their agreement is *no ceiling*. If {share:.0f} % of the people prefer the first of two sentences, two people drawn at random "
    'agree in {two:.0f} % of the draws, p² + (1 - p)², while a model that always says "the first" agrees with {constant:.0f} % of '
    "them, max(p, 1 - p), which is never less. The model answers for the majority, a person for one. What the table does show: "
    "in {least} people agree least ({least_people:.0f} %), and so does the model with them ({least_model:.0f} %). Noisy judgements "
    "leave less to learn.",
    shown_by="the figure above (`python -m lessons rlhf --ratings`)",
    **people_and_the_model(),
)

# %% [markdown]
# The columns are not on quite the same pairs: where the second two raters see no difference, the pair counts for the model
# only. Your own judgement works too: `python -m lessons prefer` shows pairs at the terminal, and trains on what you chose.

# %% [markdown]
# ## The usual mistakes
#
# - **The reward read at position −1 of a padded row.** It stands after the last real token.
# - **A logarithm of a sigmoid.** `log(sigmoid(x))` is minus infinity for a pair that is badly wrong: `logsigmoid` is not.
# - **Many epochs.** The model then knows its pairs by heart, and is sure of its noise.
# - **Rewards of different prompts compared.** The loss never compared them.
# - **The policy and its judge share weights.** The judge needs a copy of its own, or both learn together.
# - **The end token masked out.** To end is an action of the policy. Padding is none.

# %% [markdown]
# ## Three questions
#
# <details><summary>Why is the loss of a reward model without an opinion log 2?</summary>
#
# Both rewards are equal, so the sigmoid is one half, and minus its logarithm is log 2. A loss that stays there says that
# nothing was learnt.
#
# </details>
#
# <details><summary>All rewards of a model are doubled. What changes for the pairs?</summary>
#
# The order of no pair, so the accuracy stays. The differences double, so the model is surer, and its loss on wrongly
# ranked pairs grows. And a policy that follows it hears twice the reward at the same price.
#
# </details>
#
# <details><summary>Why can a reward model that is right on most held-out pairs still be a bad goal?</summary>
#
# Held-out pairs come from the same first model. A policy that is trained on the reward leaves that model, and comes to
# answers of which no pair, seen or held out, has said anything.
#
# </details>

# %% [markdown]
# ## Exercises

# %% tags=["hide-input"]
exercises_of(24)

# %% [markdown]
# ## Summary
#
# - Bradley and Terry: the chosen answer wins with probability $\sigma(r_c - r_d)$; the loss is minus its logarithm.
# - The push is the mistake, up for the chosen and down for the rejected answer.
# - Only differences for one prompt are learnt; zero and scale are set afterwards.
# - A reward model knows what the pairs showed. Elsewhere it guesses; length is a shortcut to test for first.
# - People's agreement with each other is no ceiling for the model.

# %% [markdown]
# ## Where to read on
#
# - [Fine-Tuning Language Models from Human Preferences](https://arxiv.org/abs/1909.08593): the recipe.
# - [Training language models to follow instructions with human feedback](https://arxiv.org/abs/2203.02155): InstructGPT.
# - [A Long Way to Go: Investigating Length Correlations in RLHF](https://arxiv.org/abs/2310.03716).
# - Next: [lesson 25](25_ppo.ipynb), how a model follows a reward.
# - The code: [rlhf/reward_model.py](../../rlhf/reward_model.py), [rlhf/responses.py](../../rlhf/responses.py).
