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
# 24. Learning from preferences

Often nobody can write the right answer down, but anybody can say which of two answers is better.
This lesson turns such choices into training: a reward model and PPO, DPO without either, GRPO without a value head. And it
shows what goes wrong when a reward is followed too far.
"""

# %%
import json
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from rich import print as show_table
from rich.table import Table

import lessons
from lessons.experiments.preferences import (
    answers_beside_judgements,
    both_sides_of_dpo,
    inside_ppo,
    kept_arms,
    kept_ratings,
    people_and_the_model,
    proxy_and_truth,
)
from lessons.task.machine import set_threads
from lessons.preferences import notes, ratings
from lessons.preferences.calibration import draw_calibration
from lessons.preferences.figures import draw_frontier, draw_inside, draw_ratios, draw_words
from lessons.preferences.notes_world import make_world
from lessons.preferences.tables import tables
from lessons.preferences.world import Arm, calibration, run_arm, start
from lessons.teaching import exercises_of, lit_diagram, prose, quick, said_and_so, show_source
from rlhf import dpo_loss, gae, grpo_advantages, kl_estimate, ppo_policy_loss, preference_loss
from rlhf.rollout import reference

set_threads()
lit_diagram("softmax", "linear", "weights")

# %% [markdown]
# The model stays what it is; what changes is where its gradient comes from: from samples of its own softmax, and a score.
# The policy $\pi$ is the base with a LoRA adapter. The reference is the same model with the adapter off: no second copy.
#
# ## The formulas
#
# **1. A reward model** learns from pairs (Bradley and Terry): $P(a \succ b) = \sigma(r_a - r_b)$, so
# $L = -\log \sigma(r_{chosen} - r_{rejected})$.
#
# **2. The goal.** Get reward, stay near what you know: $\max_\pi \; \mathbb{E}_\pi[r] - \beta\, \mathrm{KL}(\pi \,\|\, \mathrm{ref})$.
# The best policy is $\pi^* \propto \mathrm{ref} \cdot e^{r/\beta}$.
#
# **3. PPO** walks there on its own samples. The KL is taken off the reward, token by token:
# $R_t = -\beta \log\frac{\pi(y_t)}{\mathrm{ref}(y_t)} + [t = T]\, r$. A value head guesses what is still to come, and GAE computes
# how much better a token did than guessed: $\delta_t = R_t + \gamma V_{t+1} - V_t, \; A_t = \delta_t + \gamma\lambda A_{t+1}$.
# Then $L = \mathbb{E}\max(-A\rho, -A\,\mathrm{clip}(\rho, 1 \pm \epsilon))$ with $\rho = \pi / \pi_{old}$.
#
# **4. GRPO** drops the value head: several answers to one prompt, $A_i = (r_i - \bar r)/(s + 10^{-4})$, and the KL is in the loss.
#
# **5. DPO** solves the goal for $r$ and puts it into the pairs. No reward model, no sampling:
# $L = -\log \sigma\big(\beta[\log\tfrac{\pi(y_c)}{\mathrm{ref}(y_c)} - \log\tfrac{\pi(y_r)}{\mathrm{ref}(y_r)}]\big)$.
#
# **KL from samples**, with $q = \mathrm{ref}/\pi$: $k_1 = -\log q$, $k_2 = (\log q)^2/2$, $k_3 = q - 1 - \log q$.
#
# ## The code

# %%
show_source(preference_loss, gae, ppo_policy_loss, grpo_advantages, dpo_loss, kl_estimate, reference)

# %% [markdown]
# ## By hand
#
# - Rewards 2 and 1: $-\log\sigma(1) = \log(1 + e^{-1}) = 0.3133$. With equal rewards: $\log 2 = 0.6931$.
# - Two tokens, $R = (0, 1)$, $V = (0.5, 0.4)$, $\gamma = 1$, $\lambda = 0.5$: $\delta_2 = 1 - 0.4 = 0.6$,
#   $\delta_1 = 0 + 0.4 - 0.5 = -0.1$, so $A_2 = 0.6$ and $A_1 = -0.1 + 0.5 \cdot 0.6 = 0.2$.
# - A ratio of 1.5 and an advantage of 1: clipped at 1.2, the loss is $-1.2$. With an advantage of $-1$ nothing is clipped: $1.5$.
# - Four answers, rewards 1, 0, 0, 1: mean 0.5, deviation $\sqrt{1/3} = 0.5774$, advantages $\pm 0.8659$.
# - A policy that is still the reference: every log-ratio is 0, so DPO's loss is $\log 2$ whatever the pair.

# %%
real = torch.ones(1, 2, dtype=torch.bool)
advantages, returns = gae(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 0.4]]), real, gamma=1.0, lam=0.5)
ratio = torch.tensor([[1.5]]).log()
clipped = [
    float(ppo_policy_loss(ratio, torch.zeros(1, 1), torch.tensor([[sign]]), real[:, :1])) for sign in (1.0, -1.0)
]
same = torch.tensor([-7.0])
print(f"reward model  {preference_loss(torch.tensor([2.0]), torch.tensor([1.0])):.4f}")
print(f"GAE           {advantages[0].tolist()}, returns {returns[0].tolist()}")
print(f"PPO           {clipped}")
print(f"GRPO          {grpo_advantages(torch.tensor([1.0, 0.0, 0.0, 1.0]), 4).tolist()}")
print(f"DPO           {dpo_loss(same, same - 2, same, same - 2):.4f}")

# %% [markdown]
# ## A small world in which a reward is hacked
#
# Eight letters are the source. Capitals matter, small letters are filler, a note copies some of them.

# %%
show_source(notes)

# %% [markdown]
# Live: a first model, judged pairs, a reward model, and PPO without any price for leaving the reference.

# %%
small = (
    {"first_steps": 60, "pairs": 200, "sources": 64} if quick() else {"first_steps": 300, "pairs": 1000, "sources": 256}
)
world = make_world(seed=0, **small)
judge = calibration(world)
print(f"the reward model is right on {judge['accuracy']:.0%} of the pairs that it did not see")
free = run_arm(world, Arm("PPO", 0.0, learning_rate=3e-3, steps=4 if quick() else 30), seed=0)
figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
for column, colour in (("reward", "C0"), ("gold", "C1")):
    values = [record[column] for record in free["history"]]
    axis.plot(range(1, len(values) + 1), values, color=colour, label={"reward": "proxy"}.get(column, column))
axis.set(xlabel="step", title="PPO, β = 0: the proxy is followed")
axis.legend()
plt.show()
table = Table("source", "before", "after", "proxy", "gold")
for before, after in list(zip(start(world)["answers"], free["answers"]))[:6]:
    table.add_row(before["source"], before["answer"], after["answer"], f"{after['proxy']:.2f}", f"{after['gold']:.1f}")
show_table(table)

# %% [markdown]
# ## Three seeds, every arm
#
# `python -m lessons rlhf --seeds 3` made the report that is kept in `lessons/results/rlhf.json`. First the table.

# %%
report = json.loads((Path(lessons.__file__).parent / "results" / "rlhf.json").read_text())
arms, words = kept_arms("notes"), kept_arms("words")
for each in tables(report):
    show_table(each)

# %% [markdown]
# The frontier: what each step of each arm cost in KL, and what it brought. On the left what is followed, on the right what is
# meant.

# %%
draw_frontier(arms)
plt.show()

# %%
said_and_so(
    said="Reinforcement learning from feedback makes the model do what people want.",
    so="It makes the model do what the reward model scores high. Without a price the proxy goes from {before_proxy:.1f} to "
    "{free_proxy:.1f} while the truth falls from {before_gold:.1f} to {free_gold:.1f}. With β = 0.1 the proxy ends at "
    "{held_proxy:.1f} and the truth rises to {held_gold:.1f}.",
    shown_by="the frontier above; mean of the seeds (`python -m lessons rlhf --seeds 3`)",
    **proxy_and_truth(),
)

# %% [markdown]
# What a hacked answer looks like, beside one that was held:

# %%
table = Table("source", "reference", "PPO β=0", "PPO β=0.1", "DPO β=0.1")
for index in range(6):
    answers = [arms[name][0]["answers"][index] for name in ("reference", "PPO β=0", "PPO β=0.1", "DPO β=0.1")]
    table.add_row(answers[0]["source"], *(answer["answer"] for answer in answers))
show_table(table)

# %% [markdown]
# What one watches while PPO runs:

# %%
draw_inside(arms)
plt.show()

# %%
prose(
    "- **The mean ratio** stays within {furthest_ratio:.3f} of 1: samples are used while they are fresh.\n"
    "- **Clipped ratios**: {free_clipped_first:.0f} % in the first step, "
    "{free_clipped_last:.0f} % in the last.\n"
    "- **Entropy of a token**: from {free_entropy_first:.2f} to {free_entropy_last:.2f} nats for β = 0, to "
    "{held_entropy_last:.2f} for β = 0.1 and to {tight_entropy_last:.2f} for β = 0.4, where it hardly moves.\n"
    "- **The value head** explains {free_explained_last:.0f} % of the returns' variance at the end (β = 0), {held_explained_last:.0f} "
    "and {tight_explained_last:.0f} % with a price.\n"
    "- **KL to the reference**: {free_kl_last:.0f} nats per answer without a price, {held_kl_last:.1f} and {tight_kl_last:.1f} with one.",
    **inside_ppo(),
)

# %% [markdown]
# DPO asks for a difference only: the chosen answer is to gain on the rejected one. Watch both sides:

# %%
draw_ratios(arms)
plt.show()

# %%
prose(
    "**The chosen answers lose likelihood too**: at the end their log-ratio is {chosen:.1f}, so they are {chosen_times:.0f} times less "
    "likely than for the reference. The rejected ones are at {rejected:.1f}, {rejected_times:.0f} times less likely, and the "
    "difference of {margin:.1f} is all that the loss sees. This is called *likelihood displacement* "
    "([arXiv 2410.08847](https://arxiv.org/abs/2410.08847)). Probabilities sum to 1, so what both lose goes to answers that "
    "stand in no pair, and nobody has judged those.",
    **both_sides_of_dpo(),
)

# %% [markdown]
# ## Real words
#
# The American base samples two pronunciations of a British word, and the dictionary decides which is
# nearer. That is the feedback. "Told the answer" is supervised fine-tuning with LoRA on the same words, in as many
# updates as DPO took.

# %%
draw_words(words)
plt.show()

# %%
said_and_so(
    said="Reinforcement learning is one more way of fine-tuning, for interactive tasks.",
    so="Greedy British word error: {reference:.1f} % before, {ppo:.1f} % after PPO, {grpo:.1f} % after GRPO, {dpo:.1f} % after DPO, and "
    "{told:.1f} % after learning the answers themselves. Where the answer is known, seeing it teaches far more than seeing which "
    "of two is better. Preferences are for what nobody can write down.",
    shown_by="the figure above (`python -m lessons rlhf --seeds 3`)",
    **answers_beside_judgements(),
)

# %% [markdown]
# Is the reward model as right as it is sure? Held-out pairs, put into bins by the difference of their two rewards: across,
# how sure it is; upwards, how often the judge says the same. On the dashed line its sigmoid promises just what comes true; below
# it, the model is too sure of itself.

# %%
draw_calibration({"notes": arms, "words": words})
plt.show()

# %% [markdown]
# ## Real people
#
# A dozen people and more rated each of 23,703 sentences. Draw one rating for each of two sentences: the higher one is preferred.
# So the pairs contradict each other as often as people do. A reward model on a sentence encoder with LoRA learnt from them
# (`python -m lessons rlhf --ratings`, kept in `lessons/results/ratings.json`; the sentences are fetched by
# `make sentiment feedback-data`). How often it agrees with people on held-out sentences, beside how often people agree with people:

# %%
show_table(ratings.table(kept_ratings()))

# %%
prose(
    "The people's agreement with each other is *no ceiling* for the model. If {share:.0f} % of the people prefer the first of two sentences, "
    'two people drawn at random agree in {two:.0f} % of the draws ($p^2 + (1-p)^2$), while a model that always says "the first" '
    "agrees with {constant:.0f} % of them ($\\max(p, 1-p)$, which is never less). The model answers for the majority, a person for "
    "one. The columns are not on quite the same pairs either: where the second two raters see no difference, the pair counts for the "
    "model only. What the table does show: in {least} people agree least ({least_people:.0f} %), and so does the model with them "
    "({least_model:.0f} %). Noisy judgements leave less to learn.",
    **people_and_the_model(),
)

# %% [markdown]
# Your own judgement works too: `python -m lessons prefer` shows pairs at the terminal, and trains on what you chose.
#
# ## Gain and price
#
# - **Gain**: it learns from judgements, and from the model's own mistakes, which no list of answers holds.
# - **Price**: a second model that is wrong in places nobody looked at; sampling while training; many more numbers to watch.
# - **PPO / DPO**: DPO is shorter and steadier, but learns only from pairs that are there. PPO and GRPO make new ones.
#
# ## The usual mistakes
#
# - **No price, or none watched.** A proxy that rises is no success. Look at samples, KL and length (figures above).
# - **Dropout left on.** Then $\pi \ne \pi_{old}$ before anything is learnt, and ratios are not 1 at the first step.
# - **Top-k or top-p while sampling.** The log-probabilities are then of another distribution, and the KL turns negative
#   (trl issues 351, 925).
# - **The temperature forgotten in one place.** Rollout, reference and update divide the logits by the same number.
# - **The end token masked out.** To end is an action. Padding is none (trl pull request 5303).
# - **The reward read at position −1 of a padded row.** It stands after the last real token.
# - **Mean instead of sum in DPO, unawares.** Then long answers weigh less, and β is no longer the β of the KL in the goal.
#   Some take the mean on purpose (SimPO, [arXiv 2405.14734](https://arxiv.org/abs/2405.14734)), with another β.
# - **Comparing β of GRPO with β of PPO.** Both price each token. PPO's prices are *summed* over the answer, as parts of its reward;
#   GRPO's loss takes their *mean*. So the same β is a much lower price in GRPO. Compare at equal KL.

# %%
exercises_of(24)

# %% [markdown]
# ## Where to read on
#
# - *Fine-Tuning Language Models from Human Preferences* (arXiv 1909.08593): the recipe.
# - *Training language models to follow instructions with human feedback* (arXiv 2203.02155): InstructGPT.
# - *Proximal Policy Optimization Algorithms* (arXiv 1707.06347).
# - *Direct Preference Optimization* (arXiv 2305.18290).
# - *DeepSeekMath* (arXiv 2402.03300): GRPO; *Understanding R1-Zero-Like Training* (arXiv 2503.20783): its two biases.
# - *Scaling Laws for Reward Model Overoptimization* (arXiv 2210.10760): the frontier, at scale.
