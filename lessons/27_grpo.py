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
# 27. GRPO, and a reward that is hacked

**The question.** A policy's reward rises from step to step, and its answers get worse and worse. How can that be, and how
would one have noticed?

**You will be able to**

- compute the advantages of a group of answers, and say what they replace
- say why a loss of 0 may teach, and why β in GRPO is not β in PPO
- recognize a reward that is hacked, by its curves and by its samples

**Time:** 45 minutes. **Before it:** the policy gradient and PPO, from [lesson 25](25_ppo.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.grpo import (
    GROUP,
    answers_beside,
    first_step,
    followed,
    proxy_and_truth,
    same_beta_is_no_same_price,
)
from lessons.experiments.grpo_figures import draw_followed, draw_group, draw_kept_frontier
from lessons.preferences.kept import kept_arms, kept_report
from lessons.preferences.notes import gold
from lessons.preferences.tables import judge, lines, rows_by_arm
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
from rlhf import grpo_advantages, grpo_loss

set_threads()
torch.manual_seed(0)
lit_diagram("softmax", "weights")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_group(),
    title="Four answers to one prompt: each is measured against the mean of the four",
    alt="One prompt has four answers with rewards 1, 0, 0, 1. Less their mean of 0.5, and divided by their deviation of 0.5774, the "
    "advantages are 0.8659, -0.8659, -0.8659 and 0.8659.",
)

# %% [markdown]
# ## The idea
#
# A baseline says what was to be expected ([lesson 25](25_ppo.ipynb)). PPO learns it, with a value head. GRPO asks the policy
# itself: let it answer the *same* prompt several times; the mean of their rewards is what was to be expected there. Each answer
# is better or worse than its group, and all of its tokens get that one advantage. No value head, no GAE.
#
# It suits rewards that come once, at the end: a sum that is right or wrong, a program that passes its tests. Where all answers
# of a group get the same reward, the group says nothing.

# %% [markdown]
# ## The formula
#
# $$A_i = \frac{r_i - \bar r}{s + 10^{-4}} \qquad s^2 = \frac{1}{G - 1} \sum_i (r_i - \bar r)^2$$
#
# $$L = \frac{1}{G} \sum_i \frac{1}{|y_i|} \sum_t \Big[ \max(-A_i \rho_t,\ -A_i\, \mathrm{clip}(\rho_t, 1 \pm \epsilon)) + \beta\, k_3(t) \Big] \qquad
# k_3 = \frac{\mathrm{ref}}{\pi} - 1 - \log \frac{\mathrm{ref}}{\pi}$$
#
# - Ratio and clip are PPO's.
# - The price stands in the loss, token by token, and the loss takes the *mean* over an answer's tokens. PPO's prices are parts
#   of its reward, and *sum*. So the same β is a much lower price in GRPO.
# - Two parts are disputed ([arXiv 2503.20783](https://arxiv.org/abs/2503.20783)). With $1/|y|$ a long wrong answer is punished less at each token
#   than a short one; and $1/s$ gives most weight to prompts on which the answers hardly differ.

# %% [markdown]
# ## The code

# %%
show_source(grpo_advantages, grpo_loss)

# %% [markdown]
# ## By hand
#
# The drawing's rewards are 1, 0, 0, 1. The mean is 0.5, each differs from it by 0.5, so
# $s = \sqrt{4 \cdot 0.25 / 3} = \sqrt{1/3} = 0.5774$ and $A = \pm 0.5 / 0.5775 = \pm 0.8659$.
#
# At the first update all ratios are 1, and the four advantages sum to 0. So the loss is 0. Its gradient by each answer's
# log-probability is $-A_i / 4 = \mp 0.2165$: the good answers are pushed up, the others down.

# %%
print(f"advantages     {[round(x, 4) for x in grpo_advantages(GROUP, 4).tolist()]}")
print(f"equal rewards  {grpo_advantages(torch.ones(4), 4).tolist()}")
loss, gradient = first_step()
print(f"first update   loss {loss:.4f}, gradient {[round(x, 4) for x in gradient.tolist()]}")

# %% [markdown]
# ## Experiment: six answers, one overrated
#
# The smallest world in which a reward can be hacked, with the real advantages and the real loss. Six answers. The reward
# model is right on the four that the reference often gives. It overrates the last two, and one of them badly. The
# reference gives them so seldom that hardly any pair showed them.

# %%
steps = 5 if quick() else 200
free, held = followed(beta=0.0, steps=steps), followed(beta=2.0, steps=steps)

# %% tags=["hide-input"]
numbers = {
    "proxy": free[0][0], "free_proxy": free[0][-1], "held_proxy": held[0][-1],
    "truth": free[1][0], "best": max(free[1]), "at": free[1].index(max(free[1])),
    "free_truth": free[1][-1], "held_truth": held[1][-1],
}  # fmt: skip
claim(numbers["free_proxy"] > numbers["held_proxy"] > numbers["proxy"], "the proxy rises", **numbers)
claim(numbers["best"] > numbers["truth"] > numbers["free_truth"], "the truth rises at first, and then falls", **numbers)
claim(numbers["held_truth"] > numbers["truth"], "with a price the truth stays above the start", **numbers)
show_figure(
    draw_followed(free, held, (0.0, 2.0)),
    title="Without a price the truth rises for {at} steps, then falls to {free_truth:.1f}, while the proxy climbs",
    alt="Two panels over the steps. Without a price the proxy climbs from {proxy:.1f} to {free_proxy:.1f}; the truth rises from "
    "{truth:.1f} to {best:.1f} and then falls to {free_truth:.1f}. With a price the proxy ends at {held_proxy:.1f} and the truth at "
    "{held_truth:.1f}.",
    **numbers,
)
prose(
    "At first both rise: among common answers the reward model is right. Then the rare answer turns up in a group, gets the "
    "highest advantage there, becomes less rare, and turns up more often. From the policy's side nothing is wrong: the proxy climbs at every "
    "stage. Whoever sees the proxy's curve only is content.",
)

# %% [markdown]
# ## Experiment: a reward that is hacked
#
# The notes of [lesson 24](24_reward_model.ipynb): a reward model was learnt from pairs that hardly ever show more than one repeat.
# The hidden truth:

# %%
show_source(gold)

# %% [markdown]
# What each technique ended with, three seeds (`python -m lessons rlhf --seeds 3`, saved in `lessons/results/rlhf.json`):

# %% tags=["hide-input"]
show_table(
    lines(kept_report(), "notes"),
    title="Extractive notes: what each arm ended with on held-out sources",
    note="the reward model: right on {accuracy} of held-out pairs, correlation with the truth {correlation}",
    **judge(rows_by_arm(kept_report(), "notes")["reference"]),
)
show_figure(
    draw_kept_frontier(kept_arms("notes")),
    title="Without a price the proxy goes on climbing where the truth turns over",
    alt="Two panels over the root of the KL to the reference, a curve for each technique and price. Left the proxy: GRPO without a price "
    "climbs from {before_proxy:.1f} to {grpo_proxy:.1f}. Right the truth: it falls from {before_gold:.1f} to {grpo_gold:.1f}; PPO with a price ends "
    "at {held_gold:.1f}.",
    **proxy_and_truth(),
)
said_and_so(
    said="Reinforcement learning from feedback makes the model do what people want.",
    so="It makes the model do what the reward model scores high. Without a price GRPO takes the proxy from {before_proxy:.1f} to "
    "{grpo_proxy:.1f}, while the truth falls from {before_gold:.1f} to {grpo_gold:.1f}; PPO does the same ({ppo_proxy:.1f} and {ppo_gold:.1f}). With "
    "a price PPO ends at {held_proxy:.1f}, and the truth *rises* to {held_gold:.1f}.",
    shown_by="the figure above; mean of the seeds, and so on each of them (`python -m lessons rlhf --seeds 3`)",
    **proxy_and_truth(),
)

# %% [markdown]
# What a hacked answer looks like, beside one that was held ("…": it did not end):

# %% tags=["hide-input"]
names = ("reference", "GRPO β=0", "PPO β=0", "PPO β=0.1")
show_table([["source", *names], *answers_beside(names)])
prose(
    "Capitals, again and again, until the note is cut off: {grpo_length:.0f} tokens where the reference writes {before_length:.1f}. "
    "This is Goodhart's law: a measure that becomes a target stops being a good measure. Three things show it without "
    "the truth: the *samples*, the *length*, and the *KL*.",
    **proxy_and_truth(),
)

# %% [markdown]
# ## Experiment: the same β is not the same price

# %% tags=["hide-input"]
prose(
    "With β = {beta} PPO ends {ppo_kl:.1f} nats from the reference, GRPO {grpo_kl:.1f}, {times:.1f} times as far. By the proxy GRPO "
    "looks better ({grpo_proxy:.2f} against {ppo_proxy:.2f}), by the truth it went too far: {grpo_gold:.1f}, where PPO has {ppo_gold:.1f} and the "
    "reference {before_gold:.1f}. PPO sums its prices over an answer, GRPO takes their mean. Compare techniques at equal KL, not at equal β.",
    beta=0.1,
    **same_beta_is_no_same_price(),
)

# %% [markdown]
# ## The usual mistakes
#
# - **Answers of different prompts in one group.** Then an easy prompt is rewarded, not a good answer.
# - **The deviation of equal rewards.** A rounding error, divided by nearly nothing, becomes an advantage: equal rewards give
#   exact zeros here.
# - **"The loss is 0, nothing is learnt".** Without a price it is 0 at the first update of every batch; with one, β times the
#   KL is left. The gradient is not 0.
# - **β carried over from PPO.** See above.
# - **A proxy that rises taken for success.** Read samples; keep a second judge that nobody trains on.
# - **The mean of a group with one answer.** There is no deviation; a group has at least two.

# %% [markdown]
# ## Three questions
#
# <details><summary>All answers of a group are right. What does GRPO learn from them?</summary>
#
# Nothing: all advantages are 0. Prompts that are too easy or too hard waste their samples.
#
# </details>
#
# <details><summary>Why does the truth rise before it falls?</summary>
#
# Near the reference the reward model was taught by pairs, and is mostly right. Its errors lie where no pair was, and the policy
# has to move before it comes there.
#
# </details>
#
# <details><summary>Would a larger group or a better optimizer prevent the hacking?</summary>
#
# No, it would come sooner. The goal itself is wrong; a policy that reaches it better is worse. What helps is a price,
# a stop, or new pairs on the policy's own answers.
#
# </details>

# %% [markdown]
# ## Exercises

# %% tags=["hide-input"]
exercises_of(27)

# %% [markdown]
# ## Summary
#
# - GRPO's baseline is the mean of a group of answers to one prompt; a value head is not needed.
# - A loss of 0 may have a gradient.
# - A reward model is a stand-in. Followed too far, it climbs while the truth falls: on each of our seeds.
# - The KL to the reference is the price of leaving what the pairs showed. The same β is a lower price in GRPO than in PPO.

# %% [markdown]
# ## Where to read on
#
# - [DeepSeekMath](https://arxiv.org/abs/2402.03300): GRPO.
# - [Understanding R1-Zero-Like Training: A Critical Perspective](https://arxiv.org/abs/2503.20783): its two biases.
# - [Scaling Laws for Reward Model Overoptimization](https://arxiv.org/abs/2210.10760): the frontier, at scale.
# - Next: [lesson 28](28_sentiment.ipynb), an encoder that knows English.
# - The code: [rlhf/grpo.py](../../rlhf/grpo.py), [rlhf/grpo_loss.py](../../rlhf/grpo_loss.py).
