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
# 26. DPO

**The question.** PPO needs a reward model, a value head, and samples at every step, all to follow pairs that were there
from the start. Can one train on the pairs themselves?

**You will be able to**

- derive DPO's loss from PPO's goal, and say where the sum over all answers went
- compute it by hand, and say what it asks for and what it does not
- read its curves: why the *chosen* answers become less likely too

**Time:** 45 minutes. **Before it:** Bradley and Terry, from [lesson 24](24_reward_model.ipynb); the price of leaving the
reference, from [lesson 25](25_ppo.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.dpo import (
    BETA,
    POLICY_CHOSEN,
    POLICY_REJECTED,
    REFERENCE,
    REFERENCE_CHOSEN,
    REFERENCE_REJECTED,
    REWARDS,
    answers_beside_judgements,
    best_of_random,
    best_policy,
    both_sides_of_dpo,
    dpo_beside_ppo,
    goal,
)
from lessons.experiments.dpo_figures import draw_best, draw_both_sides, draw_pair, draw_real_words
from lessons.preferences.kept import kept_arms
from lessons.task.machine import set_threads
from lessons.teaching import (
    claim,
    exercises_of,
    lit_diagram,
    prose,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from rlhf import dpo_loss, response_log_prob

set_threads()
torch.manual_seed(0)
lit_diagram("softmax", "weights")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_pair(),
    title="Four log-probabilities of a pair become one difference",
    alt="The chosen answer has log π -9 and log ref -7, the rejected one -13 and -10. The log-ratios are -2 and -3, their difference h is "
    "1, and with β = 0.1 the loss is 0.6444. Both answers became less likely.",
)

# %% [markdown]
# ## The idea
#
# A reward model turns pairs into rewards, PPO turns rewards into a policy. DPO asks: which policy would come out? For PPO's
# goal it can be written down. So each policy *is* the best one for some reward, and one can read that reward off it. Put it
# where the reward model's loss wants a reward, and the pairs train the policy directly: two forward passes, a subtraction, a
# sigmoid. No sampling, no second network. The reference is the same model with its adapter off.

# %% [markdown]
# ## The formula
#
# **1. The goal** is that of PPO: $\max_\pi \; \mathbb{E}_{y \sim \pi}[r(y)] - \beta\, \mathrm{KL}(\pi \,\|\, \mathrm{ref})$, for each prompt. Written out,
#
# $$\sum_y \pi(y) \Big[ r(y) - \beta \log \frac{\pi(y)}{\mathrm{ref}(y)} \Big] = -\beta \sum_y \pi(y) \log \frac{\pi(y)}{\mathrm{ref}(y)\, e^{r(y)/\beta}}$$
#
# **2. The best policy.** Let $Z = \sum_y \mathrm{ref}(y)\, e^{r(y)/\beta}$ and $\pi^*(y) = \mathrm{ref}(y)\, e^{r(y)/\beta} / Z$, which sums to 1. Then the
# line above is $\beta \log Z - \beta\, \mathrm{KL}(\pi \,\|\, \pi^*)$. The first part does not depend on $\pi$, the second is largest, 0, at
# $\pi = \pi^*$. So
#
# $$\pi^*(y) = \frac{1}{Z}\, \mathrm{ref}(y)\, e^{r(y)/\beta}$$
#
# **3. Solved for the reward**: take the logarithm, multiply by β.
#
# $$r(y) = \beta \log \frac{\pi^*(y)}{\mathrm{ref}(y)} + \beta \log Z$$
#
# $Z$ is a sum over all answers there are: nobody can compute it.
#
# **4. Into the pairs.** Bradley and Terry want only the *difference* of two rewards for the same prompt. Both have the same
# $\beta \log Z$, and it cancels:
#
# $$r_c - r_d = \beta \Big[ \log \frac{\pi(y_c)}{\mathrm{ref}(y_c)} - \log \frac{\pi(y_d)}{\mathrm{ref}(y_d)} \Big] = \beta h$$
#
# **5. The loss**: $\;L = -\log \sigma(\beta h)$. Its gradient pushes $\log \pi(y_c)$ up and $\log \pi(y_d)$ down by
# $\beta\, (1 - \sigma(\beta h))$: as in the reward model, by the mistake. $\log \pi(y)$ is the *sum* over the answer's tokens.

# %% [markdown]
# ## The code

# %%
show_source(dpo_loss, response_log_prob)

# %% [markdown]
# ## By hand
#
# **The derivation**, on three answers: $\mathrm{ref} = (0.5, 0.3, 0.2)$, $r = (0, 1, 2)$, $\beta = 1$. The weights are
# $(0.5,\ 0.3 \cdot 2.718,\ 0.2 \cdot 7.389) = (0.5, 0.815, 1.478)$, so $Z = 2.793$ and $\pi^* = (0.179, 0.292, 0.529)$. Back again: $\log (0.292 / 0.3) +
# \log 2.793 = 1.0$. The reward is there.
#
# **The loss**, the numbers of the drawing: the chosen answer's log-ratio is $-9 - (-7) = -2$, the rejected one's
# $-13 - (-10) = -3$. So $h = 1$, $\beta h = 0.1$, and $L = \log(1 + e^{-0.1}) = 0.6444$. That is *below* the $\log 2 = 0.6931$ of the start,
# although the chosen answer is now $e^2 = 7.4$ times less likely than at the start. The loss does not see that.

# %%
best, partition = best_policy(beta=1.0)
print(f"Z {partition:.3f}   π* {[round(x, 3) for x in best.tolist()]}")
read = (best / REFERENCE).log() + torch.tensor(partition).log()
print(f"rewards read off π*: {[round(x, 3) for x in read.tolist()]}, given {REWARDS.tolist()}")
print(
    f"goal of π* {goal(best, 1.0):.4f}, β log Z {torch.tensor(partition).log():.4f}, best of 20,000 at random {best_of_random(1.0):.4f}"
)
pair = [torch.tensor([x]) for x in (POLICY_CHOSEN, POLICY_REJECTED, REFERENCE_CHOSEN, REFERENCE_REJECTED)]
print(
    f"loss of the pair {dpo_loss(*pair, beta=BETA):.4f}, of a policy that is the reference {dpo_loss(pair[2], pair[3], pair[2], pair[3]):.4f}"
)

# %% [markdown]
# ## Experiment: what β does
#
# The best policy of the three answers at three prices. This is where PPO *and* DPO walk to, if they get there.

# %% tags=["hide-input"]
low, high = best_policy(0.3)[0], best_policy(4.0)[0]
numbers = {"low": 100 * low[2].item(), "high": 100 * high[2].item(), "before": 100 * REFERENCE[2].item()}
claim(
    numbers["before"] < numbers["high"] < numbers["low"],
    "the lower the price, the more the best answer gets",
    **numbers,
)
show_figure(
    draw_best(),
    title="The best answer gets {high:.0f} % at a high price, {low:.0f} % at a low one",
    alt="Bars of the probabilities of three answers with rewards 0, 1 and 2: for the reference and for the best policies at three "
    "prices. The best answer goes from {before:.0f} % to {high:.0f} % at the highest price and {low:.0f} % at the lowest.",
    **numbers,
)

# %% [markdown]
# ## Experiment: watch both sides
#
# DPO on the judged notes of [lesson 24](24_reward_model.ipynb), three seeds (`python -m lessons rlhf --seeds 3`). The log-ratios to
# the reference, of the chosen and of the rejected answers that it trains on.

# %% tags=["hide-input"]
show_figure(
    draw_both_sides(kept_arms("notes")),
    title="The chosen answers lose likelihood too: their log-ratio ends at {chosen:.1f}",
    alt="Two curves over the steps, both below zero at the end: the chosen answers at {chosen:.1f} nats, the rejected ones at "
    "{rejected:.1f}.",
    **both_sides_of_dpo(),
)
said_and_so(
    said="DPO makes the chosen answers more likely and the rejected ones less.",
    so="It makes their *difference* grow. At the end the chosen answers are {chosen_times:.0f} times less likely than for the reference, "
    "the rejected ones {rejected_times:.0f} times, and the difference of {margin:.1f} nats is all that the loss sees. This is called "
    "*likelihood displacement* ([arXiv 2410.08847](https://arxiv.org/abs/2410.08847)). Probabilities sum to 1, so what both lose "
    "goes to answers that stand in no pair, and nobody has judged those.",
    shown_by="the figure above; it is so on each seed",
    **both_sides_of_dpo(),
)
prose(
    "Why? The two notes of a pair come from the same model, and share most of what makes them likely: a push that lowers one lowers "
    "the other. Whether that harms depends on where the likelihood goes. Here it went to something good: the truth rises from "
    "{before_gold:.1f} to {dpo_gold:.1f} at {dpo_kl:.1f} nats. PPO at the same β reaches {ppo_gold:.1f} at {ppo_kl:.1f} nats. The "
    "reward model's score rises less with DPO, {dpo_proxy:.2f} against {ppo_proxy:.2f}: DPO has never met it.",
    **dpo_beside_ppo(),
)

# %% [markdown]
# ## Experiment: real words
#
# The American base samples two pronunciations of a British word, and the dictionary says which is nearer. That is the
# feedback. The last bar is supervised fine-tuning with LoRA on the right answers, in as many updates as DPO took.

# %% tags=["hide-input"]
show_figure(
    draw_real_words(kept_arms("words")),
    title="Judgements take off {judged_gain:.1f} points of word error at most, the answers themselves {told_gain:.1f}",
    alt="Two panels of bars for the reference, PPO, GRPO, DPO and learning the answers. Greedy word error: {reference:.1f} % before, "
    "{ppo:.1f}, {grpo:.1f} and {dpo:.1f} % after judgements, {told:.1f} % after the answers. The bars show the phoneme error.",
    **answers_beside_judgements(),
)
prose(
    "Greedy British word error: {reference:.1f} % before, {ppo:.1f} % after PPO, {grpo:.1f} % after GRPO, {dpo:.1f} % after DPO, and "
    "{told:.1f} % after learning the answers. Where the answer is known, seeing it teaches far more than seeing which of two is better. "
    "Preferences are for what nobody can write down.",
    **answers_beside_judgements(),
)

# %% [markdown]
# ## The usual mistakes
#
# - **Mean instead of sum, unawares.** Then long answers weigh less, and β is no longer the β of the KL in the goal. Some take
#   the mean on purpose (SimPO, [arXiv 2405.14734](https://arxiv.org/abs/2405.14734)), with another β.
# - **The prompt's tokens in the sum.** They are the same on both sides and cancel; padding and the other's prompt do not.
# - **The end token left out.** To end is a part of the answer.
# - **A reference that is trained along.** Adapter on in both passes: $h$ is 0 for ever.
# - **Only the margin watched.** Plot both log-ratios, and read samples.
# - **Pairs of another model.** DPO learns only from pairs that are there; the further they are from what the policy writes,
#   the less they say about it.

# %% [markdown]
# ## Three questions
#
# <details><summary>Where did the partition function go?</summary>
#
# It is the same for all answers to one prompt, and a pair has one prompt: in the difference of two rewards it cancels.
#
# </details>
#
# <details><summary>Why is the loss log 2 at the first step, whatever the pairs?</summary>
#
# The policy is still the reference, so both log-ratios are 0, and so is their difference. The sigmoid is one half.
#
# </details>
#
# <details><summary>The loss falls. Is the chosen answer now more likely?</summary>
#
# One cannot know from the loss. It falls when the chosen answer loses less than the rejected one.
#
# </details>

# %% [markdown]
# ## Exercises

# %% tags=["hide-input"]
exercises_of(26)

# %% [markdown]
# ## Summary
#
# - PPO's goal has a best policy, $\pi^* \propto \mathrm{ref} \cdot e^{r/\beta}$, and the reward can be read off it.
# - In a pair the sum over all answers cancels: $L = -\log \sigma(\beta h)$, with $h$ the difference of two log-ratios.
# - It needs pairs and a reference, no reward model and no samples.
# - It asks for a difference. Both sides may lose likelihood, and here they do.

# %% [markdown]
# ## Where to read on
#
# - [Direct Preference Optimization](https://arxiv.org/abs/2305.18290): the derivation is its sections 3 and 4.
# - [Unintentional Unalignment: Likelihood Displacement in DPO](https://arxiv.org/abs/2410.08847).
# - [A General Theoretical Paradigm to Understand Learning from Human Preferences](https://arxiv.org/abs/2310.12036): IPO, which
#   asks for a margin and no more.
# - Next: [lesson 27](27_grpo.ipynb), groups of answers, and a reward that is hacked.
# - The code: [rlhf/dpo.py](../../rlhf/dpo.py), [rlhf/dpo_loss.py](../../rlhf/dpo_loss.py).
