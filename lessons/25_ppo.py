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
# 25. Policy gradient and PPO

**The question.** A reward is a number for a finished answer. The answer was *sampled*, and no gradient flows through a
sample. How can a model be trained to get more reward?

**You will be able to**

- derive the policy gradient in three lines, and compute one by hand
- say why a baseline changes nothing in the mean, and why samples may be used twice
- read PPO's loss for both signs of the advantage, and its price for leaving the reference

**Time:** 60 minutes. **Before it:** the reward model, from [lesson 24](24_reward_model.ipynb); softmax, from
[lesson 8](08_output_and_loss.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.ppo import (
    POLICY,
    REWARDS,
    advantages_by_hand,
    inside_ppo,
    noise,
    price_of_leaving,
    scores,
    answer_weight,
)
from lessons.experiments.ppo_figures import draw_clip, draw_noise, draw_two_tokens, draw_watched
from lessons.preferences.kept import kept_arms
from lessons.task.machine import set_threads
from lessons.teaching import (
    about,
    claim,
    exercises_of,
    lit_diagram,
    prose,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from rlhf import gae, kl_estimate, ppo_policy_loss, token_rewards
from rlhf.ppo_loss import clipped_surrogate
from rlhf.rollout import reference

set_threads()
torch.manual_seed(0)
lit_diagram("softmax", "linear", "weights")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_two_tokens(),
    title="Each token pays for leaving the reference, the last one gets the score",
    alt="Two tokens with log π -1 and -1.5 and log ref -1.5 and -2. At a price of 0.1 their rewards are -0.05 and 0.95, the score of "
    "1 included. With the values 0.5 and 0.4 the advantages are 0.125 and 0.55.",
)

# %% [markdown]
# ## The idea
#
# The model is now a *policy*: what it writes is a choice. Let it answer, let the reward model score the answers, then make
# what scored well more likely and the rest less. That is all of the policy gradient. Four repairs make PPO of it:
#
# | trouble | repair |
# |---|---|
# | all rewards are positive, so everything is pushed up | a *baseline*: only what was better than expected goes up |
# | one score for many tokens | a value head and GAE: an advantage for each token |
# | samples are expensive and good for one step only | the *importance ratio* makes up for a policy that has moved |
# | the ratio explodes, and the reward model is wrong far away | *clip* the ratio; *price* the distance to the reference |
#
# The policy is the base with a LoRA adapter. The reference is the same model with its adapter off: no second copy.

# %% [markdown]
# ## The formula
#
# **The goal** is the mean reward of sampled answers, $J = \mathbb{E}_{y \sim \pi}[r(y)] = \sum_y \pi(y)\, r(y)$. The sum runs over
# all answers there are. Step by step:
#
# $$\nabla J = \sum_y \nabla \pi(y)\, r(y) \qquad \text{the reward does not depend on the weights}$$
#
# $$\nabla \pi(y) = \pi(y)\, \nabla \log \pi(y) \qquad \text{because } \nabla \log \pi = \nabla \pi / \pi \text{: the log-derivative trick}$$
#
# $$\nabla J = \sum_y \pi(y)\, \nabla \log \pi(y)\, r(y) = \mathbb{E}_{y \sim \pi}[\, r(y)\, \nabla \log \pi(y)\,]$$
#
# A mean over samples: sample answers, take the gradient of the ordinary loss of each, and weigh it by the reward.
#
# **A baseline** $b$ costs nothing in the mean:
# $\mathbb{E}[b\, \nabla \log \pi] = b \sum_y \nabla \pi(y) = b\, \nabla 1 = 0$, because probabilities sum to 1. So
# $A = r - b$ may take the place of $r$.
#
# **The importance ratio.** Samples of $\pi_{old}$, weighed by $\rho = \pi / \pi_{old}$, have the mean of samples of $\pi$:
# $\sum \pi_{old} \frac{\pi}{\pi_{old}} A = \sum \pi A$. At $\pi = \pi_{old}$ the gradient is the policy gradient, since
# $\nabla \rho = \rho\, \nabla \log \pi$.
#
# **PPO** takes the smaller of two gains, $\min(A \rho,\ A\, \mathrm{clip}(\rho, 1 - \epsilon, 1 + \epsilon))$, as a loss:
#
# $$L = \mathbb{E}\,\max(-A\rho,\ -A\,\mathrm{clip}(\rho, 1 \pm \epsilon))$$
#
# **The price.** $\mathrm{KL}(\pi \,\|\, \mathrm{ref})$ of an answer is $\mathbb{E} \sum_t \log \frac{\pi(y_t)}{\mathrm{ref}(y_t)}$: a sum of a term for each
# token. So each token pays its own term, and the last one gets the score:
# $R_t = -\beta \log\frac{\pi(y_t)}{\mathrm{ref}(y_t)} + [t = T]\, r$. An answer of twice the length, with the same distance at each
# token, pays twice.
#
# **GAE.** The value head guesses what is still to come, $V_t$, before token $t$:
#
# $$\delta_t = R_t + \gamma V_{t+1} - V_t \qquad A_t = \delta_t + \gamma\lambda A_{t+1}$$
#
# With $\lambda = 1$ and $\gamma = 1$, $A_t$ is all that came afterwards, less the guess: right in the mean, and noisy. With $\lambda = 0$ it
# trusts the next guess: calm, and wrong where the guess is.
#
# **KL from samples**, with $q = \mathrm{ref}/\pi$: $k_1 = -\log q$, $k_2 = (\log q)^2/2$, $k_3 = q - 1 - \log q$.

# %% [markdown]
# ## The code

# %%
show_source(token_rewards, gae, clipped_surrogate, ppo_policy_loss, kl_estimate, reference)

# %% [markdown]
# ## By hand
#
# **The policy gradient.** Three answers, $\pi = (0.5, 0.3, 0.2)$, rewards $(1, 0, 2)$: the mean reward is $0.5 + 0.4 = 0.9$. For a
# softmax, $\nabla \log \pi(y)$ by the logits is 1 at $y$ minus $\pi$. The first answer has $(0.5, -0.3, -0.2)$, the third
# $(-0.5, -0.3, 0.8)$. Weighed by probability and reward:
#
# $$0.5 \cdot 1 \cdot (0.5, -0.3, -0.2) + 0.2 \cdot 2 \cdot (-0.5, -0.3, 0.8) = (0.05, -0.27, 0.22)$$
#
# That is $\pi_i (r_i - 0.9)$. The first answer goes up a little, although its reward of 1 is half of the best.
#
# **Advantages**, the numbers of the drawing, $\lambda = 0.5$: $R_1 = -0.1 \cdot 0.5 = -0.05$ and $R_2 = -0.05 + 1 = 0.95$.
# $\delta_2 = 0.95 - 0.4 = 0.55$, $\delta_1 = -0.05 + 0.4 - 0.5 = -0.15$, so $A_2 = 0.55$ and $A_1 = -0.15 + 0.5 \cdot 0.55 = 0.125$. The answer's
# KL is $0.5 + 0.5 = 1$ nat, the sum of its tokens, and cost 0.1 in all.
#
# **The clip.** A ratio of 1.5 and an advantage of 1: clipped at 1.2, the loss is $-1.2$. With an advantage of $-1$ nothing is
# clipped: 1.5.

# %%
by_hand = (POLICY * REWARDS) @ scores()
logits = POLICY.log().requires_grad_()
(logits.softmax(dim=0) @ REWARDS).backward()
print(
    f"sampled form  {[round(x, 2) for x in by_hand.tolist()]}, autograd {[round(x, 2) for x in logits.grad.tolist()]}"
)
rewards, advantages = advantages_by_hand()
print(f"R {[round(x, 3) for x in rewards[0].tolist()]}   A {[round(x, 3) for x in advantages[0].tolist()]}")
one, real = torch.tensor([[1.5]]).log(), torch.ones(1, 1, dtype=torch.bool)
for sign in (1.0, -1.0):
    loss = ppo_policy_loss(one, torch.zeros(1, 1), torch.tensor([[sign]]), real)
    print(f"ratio 1.5, A = {sign:+.0f}: loss {loss:+.1f}")

# %% [markdown]
# ## Experiment: why a baseline
#
# The three answers again. We add the same number to all rewards, which should matter to nobody, and compute how far the
# gradient of *one* sampled answer lies from the mean.

# %%
shifts = [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
bare = [noise(shift, baseline=0.0) for shift in shifts]
helped = [noise(shift, baseline=shift + float(POLICY @ REWARDS)) for shift in shifts]

# %% tags=["hide-input"]
numbers = {"first": bare[0], "last": bare[-1], "helped": helped[-1], "shift": shifts[-1]}
claim(about(helped[0], helped[-1]), "with a baseline the shift does not matter", **numbers)
claim(bare[-1] > 5 * helped[-1], "without one, the noise grows", **numbers)
show_figure(
    draw_noise(shifts, bare, helped),
    title="{shift:.0f} added to every reward: the gradient's noise is {last:.1f} without a baseline, {helped:.1f} with one",
    alt="The deviation of a one-sample gradient over what was added to all rewards: from {first:.1f} up to {last:.1f} without a "
    "baseline, level at {helped:.1f} with the mean reward as a baseline.",
    **numbers,
)
prose(
    "The mean of the gradient is the same on both curves. Without a baseline every sampled answer is pushed up hard, and only "
    "the small differences of those pushes teach; with one, what scored below the mean is pushed down. PPO's baseline is the value head, "
    "GRPO's ([lesson 27](27_grpo.ipynb)) the mean of a group.",
)

# %% [markdown]
# ## Experiment: why min and clip
#
# The loss's own code, for a token that went better than expected and for one that went worse.

# %% tags=["hide-input"]
numbers = {"tokens": 20, "weight": answer_weight(20)}
show_figure(
    draw_clip(),
    title="A gain beyond the clip is not believed, a loss always is",
    alt="Two panels, the gain over the ratio, with the band of the clip shaded. For a positive advantage the curve rises and is "
    "flat to the right of the band. For a negative one it is flat to the left of the band and falls on to its right.",
)
prose(
    "- **Better than expected** (left): the token may become likelier up to the edge of the band. Beyond it the curve is flat, so no "
    "gradient pulls further. Left of the band it is *not* flat: a good token that became rare is pulled back.\n"
    "- **Worse than expected** (right): it may become rarer down to the edge. Right of the band, where a bad token became likelier, "
    "the full slope pulls it back. A clip without the min would be flat there too, and the token could never return.\n"
    "- **Why at all?** If each of {tokens} tokens goes from a probability of one half to six tenths, the whole answer's ratio is "
    "{weight:.0f}: one sample decides a batch. Ratios of single tokens, clipped, keep that away.",
    **numbers,
)

# %% [markdown]
# ## Experiment: what one watches
#
# The small world of [lesson 24](24_reward_model.ipynb), PPO at three prices, three seeds (`python -m lessons rlhf --seeds 3`).

# %% tags=["hide-input"]
show_figure(
    draw_watched(kept_arms("notes")),
    title="The mean ratio stays within {furthest_ratio:.4f} of 1; the KL ends at {free_kl_last:.0f}, {held_kl_last:.1f} and {tight_kl_last:.1f} nats",
    alt="Six panels over the steps, a curve for each price: mean ratio, share of clipped ratios, divergence from the rollout's policy, "
    "entropy, variance explained by the value head, KL to the reference. The KL ends at {free_kl_last:.0f} nats without a price, "
    "at {held_kl_last:.1f} with β = {held_beta} and at {tight_kl_last:.1f} with β = {tight_beta}.",
    **inside_ppo(),
)
prose(
    "- **Clipped ratios**: {free_clipped_first:.0f} % in the first step, {free_clipped_last:.1f} % in the last (β = 0).\n"
    "- **Entropy of a token**: from {held_entropy_first:.2f} to {held_entropy_last:.2f} nats for β = {held_beta}; for β = {tight_beta} it hardly moves "
    "({tight_entropy_last:.2f}).\n"
    "- **The value head** explains {free_explained_last:.0f} % of the returns' variance at the end (β = 0), {held_explained_last:.0f} and "
    "{tight_explained_last:.0f} % with a price. At the first step it knows nothing.",
    **inside_ppo(),
)
said_and_so(
    said="The KL term only keeps the language fluent; the smaller it is, the better the model follows people.",
    so="The smaller it is, the better the model follows the *reward model*: {tight_proxy:.2f}, {held_proxy:.2f}, {free_proxy:.2f} for "
    "β = {tight_beta}, {held_beta} and 0. The truth goes {tight_gold:.1f}, {held_gold:.1f}, {free_gold:.1f}, from {before_gold:.1f} at the start. The "
    "middle price is best on each of the {seeds} seeds, and no price is worst.",
    shown_by="mean of the seeds, held-out prompts (`python -m lessons rlhf --seeds 3`)",
    **price_of_leaving(),
)

# %% [markdown]
# ## The usual mistakes
#
# - **Dropout left on.** Then $\pi \ne \pi_{old}$ before anything is learnt, and ratios are not 1 at the first step.
# - **Top-k or top-p while sampling.** The log-probabilities are then of another distribution, and the KL turns negative
#   ([trl#235](https://github.com/huggingface/trl/issues/235)).
# - **The temperature forgotten in one place.** Rollout, reference and update divide the logits by the same number.
# - **The minimum of two losses.** The smaller gain is the *larger* loss.
# - **A gradient through the advantage.** It belongs to the rollout, the sampled answers and all that
#   was computed with them: a constant.
# - **No price, or none watched.** A reward that rises is no success. Look at samples, KL and length.

# %% [markdown]
# ## Three questions
#
# <details><summary>Why may one not simply backpropagate through the reward model into the policy?</summary>
#
# Between the two stands a sample, a token's number, and a number has no derivative. The policy gradient asks only for
# the derivative of the sampled token's log-probability.
#
# </details>
#
# <details><summary>At the first update all ratios are 1, and advantages whitened to mean 0 and deviation 1 sum to 0, so the loss is 0. Is anything learnt?</summary>
#
# Yes. The loss is 0, its gradient is not: it is the mean of $A \nabla \log \pi$, and tokens with different advantages are pushed
# apart.
#
# </details>
#
# <details><summary>What happens to a token with a negative advantage and a ratio of one half?</summary>
#
# Nothing more: it has already become rarer than the band allows, the curve is flat, and its gradient is 0.
#
# </details>

# %% [markdown]
# ## Exercises

# %% tags=["hide-input"]
exercises_of(25)

# %% [markdown]
# ## Summary
#
# - $\nabla \mathbb{E}[r] = \mathbb{E}[r\, \nabla \log \pi]$: the ordinary gradient of each sample, weighed by its reward.
# - A baseline leaves the mean and takes noise away. The value head and GAE give each token an advantage.
# - The ratio lets a rollout serve several updates; clip and min keep it honest for both signs of the advantage.
# - The KL is a sum over an answer's tokens, and each token pays its part.

# %% [markdown]
# ## Where to read on
#
# - [Proximal Policy Optimization Algorithms](https://arxiv.org/abs/1707.06347).
# - [High-Dimensional Continuous Control Using Generalized Advantage Estimation](https://arxiv.org/abs/1506.02438).
# - [Fine-Tuning Language Models from Human Preferences](https://arxiv.org/abs/1909.08593).
# - [Approximating KL Divergence](http://joschu.net/blog/kl-approx.html), John Schulman: $k_1$, $k_2$, $k_3$.
# - Next: [lesson 26](26_dpo.ipynb), the same goal without a reward model.
# - The code: [rlhf/ppo.py](../../rlhf/ppo.py), [rlhf/advantages.py](../../rlhf/advantages.py),
#   [rlhf/ppo_loss.py](../../rlhf/ppo_loss.py).
