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
# 1. What fine-tuning is

A model that has learnt something general goes on learning on a little data of one task.
This lesson does it once, live, beside a model that starts from nothing, and then sorts the ways of doing it.
"""

# %%
import copy

import torch
from matplotlib import pyplot as plt

from lessons.drawing.style import AMERICAN, BRITISH
from lessons.task.base import load_base, model_card
from lessons.task.dictionary import fine_tuning_words, load, words
from lessons.task.finetuning import adapted, fine_tune, from_scratch
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate, predict
from lessons.teaching import exercises_of, kept_mean, kept_run, lit_diagram, quick, said_and_so, show_source

set_threads()
torch.manual_seed(0)
lit_diagram("everything")

# %% [markdown]
# ## Two stages
#
# | | pretraining | fine-tuning |
# |---|---|---|
# | starts from | random numbers | the base model's numbers |
# | data | much, general | little, of one task |
# | steps here | 11,000 | 300 |
# | gives | the **base model** | a model for the task |
#
# Both are the same act: change numbers so that a loss falls. With $\theta$ for all parameters,
#
# $$\theta_0 = \arg\min_\theta \; \mathbb{E}_{(x, y) \sim \text{general}} \bigl[-\log p_\theta(y \mid x)\bigr]
# \qquad \text{from random numbers}$$
#
# $$\theta^* = \arg\min_\theta \; \mathbb{E}_{(x, y) \sim \text{task}} \bigl[-\log p_\theta(y \mid x)\bigr]
# \qquad \text{from } \theta_0$$
#
# Nothing in the second line says "stay near $\theta_0$". It is the start, the small steps and their small number that keep
# the model near.
#
# **To be exact.** Pretraining a language model is often called unsupervised. The usual name is *self-supervised*: there is
# a target for every prediction, the next token, but no person wrote it down, for it stands in the text. Our base is
# a smaller thing: it was pretrained on pairs of word and pronunciation from a dictionary. The two stages are the same.
#
# Base models that you may know are GPT-3, LLaMA and GLM-130B. ChatGLM-6B, InstructGPT and the code models are fine-tuned.
# Their data may be labelled (sentiment, entities), question and answer (a chat model), or plain text of one domain (code).

# %% [markdown]
# ## The real code
#
# This is the whole of fine-tuning in this project. Every technique of the course goes through these lines; only
# `method` and its learning rate differ.

# %%
show_source(fine_tune, from_scratch)

# %% [markdown]
# ## By hand
#
# A model with one number: $\hat y = w x$. General data say $y = 2x$, so pretraining ends at $w_0 = 2$. The task has one
# example: $x = 1$, $y = 3$. The loss is $(w - 3)^2$, its slope $2(w - 3)$, the learning rate $\tfrac14$:
#
# $$w \leftarrow w - \tfrac14 \cdot 2(w - 3) = \tfrac12 (w + 3)$$
#
# Every step halves the distance to 3. From the base, $w = 2,\ 2.5,\ 2.75,\ 2.875$. From nothing, $w = 0,\ 1.5,\ 2.25,\ 2.625$.
# After three steps the fine-tuned model is $\tfrac18$ away and the other $\tfrac38$: a good start is kept. And it
# has a price: on the general example $x = 1$, $y = 2$ the loss was 0 and is now $0.875^2 \approx 0.77$. That is forgetting.

# %%
for name, start in (("from the base", 2.0), ("from nothing", 0.0)):
    w, path = torch.tensor(start, requires_grad=True), [start]
    for _ in range(3):
        (slope,) = torch.autograd.grad((w - 3) ** 2, w)
        w = (w - slope / 4).detach().requires_grad_()
        path.append(w.item())
    print(f"{name:<14} w = {path}   loss on the general example: {(path[-1] - 2) ** 2:.4f}")

# %% [markdown]
# ## The real thing
#
# The base reads letters and gives American sounds. We teach it British English from 1,000 words. "Full" means that all
# parameters learn. Beside it: the same network with random numbers, the same words, the same number of steps. (The learning
# rates were searched for 300 steps. Here are fewer, so do not read from it which technique is better.)

# %%
steps = 20 if quick() else 100
learnt_from = fine_tuning_words("british", 200 if quick() else 1000)
heard = words("british", "development", 60 if quick() else 200)
american_words = words("american", "development", len(heard))

base = load_base()
full, full_losses = fine_tune("full", learnt_from, steps)
lora, lora_losses = fine_tune("lora", learnt_from, steps)
scratch, scratch_losses = from_scratch(learnt_from, steps)

figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
for losses, name in (
    (scratch_losses, "from nothing"),
    (full_losses, "full"),
    (lora_losses, "LoRA, 9 % as many numbers"),
):
    axis.plot(range(1, len(losses) + 1), losses, label=name)
axis.set_xlabel("step")
axis.set_ylabel("loss on British words")
axis.legend()
plt.show()

# %% [markdown]
# The words that are counted below were in no training, of the base or of these. Phoneme error: how many symbols of a
# hundred would have to be corrected.

# %%
models = {"base": base, "full": full, "LoRA": lora, "from nothing": scratch}
errors = {
    name: (evaluate(model, american_words, "american"), evaluate(model, heard, "british"))
    for name, model in models.items()
}
print(f"{'':<14}{'American':>10}{'British':>10}   phoneme error in %, {len(heard)} words each")
for name, (american, british) in errors.items():
    print(f"{name:<14}{100 * american.phoneme_error:>10.1f}{100 * british.phoneme_error:>10.1f}")

figure, axis = plt.subplots(figsize=(6, 3.0), layout="constrained")
for offset, (accent, colour) in enumerate((("American", AMERICAN), ("British", BRITISH))):
    heights = [100 * scores[offset].phoneme_error for scores in errors.values()]
    axis.bar([place + 0.38 * offset for place in range(len(heights))], heights, 0.36, label=accent, color=colour)
axis.set_xticks([place + 0.19 for place in range(len(errors))], errors)
axis.set_ylim(0, 100)
axis.set_ylabel("phoneme error (%)")
axis.legend()
plt.show()

# %% [markdown]
# The base is good at American and poor at British. Fine-tuned, it is the other way round: it has learnt, and it has
# forgotten (lesson 11). With nothing to start from, these words and steps teach next to nothing.

# %%
shown = [word for word in heard if len(load("british")[word]) == 1 and word in load("american")][: 6 if quick() else 10]
said = {name: predict(model, shown) for name, model in models.items()}
print(f"{'word':<16}{'base':<18}{'full':<18}{'from nothing':<18}British dictionary")
for word in shown:
    columns = [said[name][word] for name in ("base", "full", "from nothing")]
    print(f"{word:<16}" + "".join(f"{text[:16]:<18}" for text in columns) + load("british")[word][0])

# %% [markdown]
# ## How far did the numbers move?

# %%
before, after = base.state_dict(), full.get_base_model().state_dict()
matrices = {name: matrix for name, matrix in base.named_parameters() if matrix.dim() == 2}
moved = {name: float((after[name] - before[name]).norm() / before[name].norm()) for name in matrices}
figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
axis.hist([100 * share for share in moved.values()], bins=24, color="C0")
axis.set_xlabel("‖W after - W before‖ / ‖W before‖ of a matrix, in %")
axis.set_ylabel("matrices")
plt.show()
median = sorted(moved.values())[len(moved) // 2]
said_and_so(
    "Fine-tuning adjusts the weights only slightly.",
    f"Here half of the {len(moved)} matrices moved by less than {100 * median:.0f} % of their size in {steps} steps of full "
    f"fine-tuning, and the one that moved most by {100 * max(moved.values()):.0f} %. It was enough to change the British "
    f"phoneme error from {100 * errors['base'][1].phoneme_error:.0f} to {100 * errors['full'][1].phoneme_error:.0f} % and the "
    f"American one from {100 * errors['base'][0].phoneme_error:.0f} to {100 * errors['full'][0].phoneme_error:.0f} %. Small in "
    "numbers is not small in effect.",
    "the two figures above",
)

# %% [markdown]
# ## The ways to fine-tune
#
# Two questions are often mixed. *Which numbers learn?* and *what tells them that they are better?*
#
# | which numbers learn | examples | lessons |
# |---|---|---|
# | all: **full** | `full` | 11 |
# | few of those there are | BitFit, LayerNorm tuning | 12 |
# | few new ones, beside the weights | LoRA and its relatives, QLoRA | 13-16 |
# | few new ones, between the layers | adapters, SSF, PILL | 17, 22, 23 |
# | few new ones, in front of the input or of the keys | prompt tuning, P-Tuning, prefix tuning, P-Tuning v2 | 18-21 |
#
# All but the first are **parameter-efficient** (PEFT): $\theta_0$ stays, and a small $\varphi$ learns,
# $\varphi^* = \arg\min_\varphi \mathbb{E}[-\log p_{\theta_0, \varphi}(y \mid x)]$ with $|\varphi| \ll |\theta_0|$.
#
# | what tells them | data | lessons |
# |---|---|---|
# | the right answer (**supervised**) | $(x, y)$ | 11-23 |
# | which of two answers is better, or a reward (**reinforcement, preferences**) | $(x, y^+, y^-)$ or $r(x, y)$ | 24 |
#
# With a reward one seeks $\max_\varphi \; \mathbb{E}[r(x, y)] - \beta\, \mathrm{KL}(p_\varphi \,\|\, p_{\theta_0})$: a high reward,
# near the base.
#
# **To be exact.** One often reads of four kinds side by side: full, parameter-efficient, prompt tuning, reinforcement.
# But prompt tuning is one of the parameter-efficient ways, and the last is an answer to the other question: RLHF is done
# with all parameters or with LoRA. (Lesson 24 does it with an adapter.)
#
# Where does each put its new numbers? The red marks are the places; every PEFT lesson shows its own.

# %%
lit_diagram("weights", "adapter", "keys_values", "prompt")

# %% [markdown]
# The saved full run (`python -m lessons compare --seeds 3 --test-words all`; its table is in README) has, on all test words:

# %%
kept_run("full", "bitfit", "lora", "adapter_pfeiffer", "prefix_tuning", "prompt_tuning", "scratch")
said_and_so(
    "Parameter-efficient fine-tuning needs little compute and little time.",
    "What is small for certain is what is trained and stored. Every step still runs the whole base forwards, and backwards "
    f"down to the lowest new number. On this small model LoRA took {kept_mean('lora', 'seconds'):.0f} s and full fine-tuning "
    f"{kept_mean('full', 'seconds'):.0f} s. The memory that is saved is that of gradients and of the optimizer's state, 12 bytes for each "
    "number that does not learn: 17 MB here, which drown in the rest, and 84 GB for a model of 7 billion parameters.",
    "the table above, from `python -m lessons compare`",
)

# %% [markdown]
# ## What a switch is
#
# With every technique of this course, the base is still there. Turned off, the model's output is the base's, to the last
# bit, and so one base in memory serves many tasks.

# %%
word = {shown[0]: None}
with lora.disable_adapter():
    off = predict(lora, word)
print(
    f"{shown[0]}: the base {predict(base, word)[shown[0]]}, LoRA on {predict(lora, word)[shown[0]]}, off {off[shown[0]]}"
)
print(
    "a LoRA that is not trained yet is the base as well:",
    predict(adapted("lora", base=copy.deepcopy(base)), word) == off,
)
print("the base's model card:", ", ".join(f"{key} {model_card()[key]}" for key in ("data", "parameters")))

# %% [markdown]
# ## The usual mistakes
#
# - **Too high a rate.** What was right for pretraining breaks a base. Here the searched rate of `full` is 0.0003; the base was
#   made with 0.002. PEFT wants *higher* rates than full (LoRA here 0.003), because it has fewer numbers to move.
# - **Judging on words that were trained on.** Split by the word, not by the line: our split is by a hash, so that a word
#   is on the same side in both accents.
# - **Looking at the new task only.** Measure what was forgotten too; each table of this project does.
# - **Comparing techniques at one learning rate**, or one at 300 steps with another at 3,000.
# - **Data that no longer downloads.** The commonest complaint about courses like this one (the annotated Transformer, issues 96 and 73).
#   Everything here is in the repository.

# %%
exercises_of(1)

# %% [markdown]
# ## Where to read on
#
# - Howard and Ruder, *Universal Language Model Fine-tuning for Text Classification*, arXiv 1801.06146: two stages, made usual
# - Devlin et al., *BERT*, arXiv 1810.04805: pretrain once, fine-tune for each task
# - Ouyang et al., *Training language models to follow instructions with human feedback*, arXiv 2203.02155
# - Lialin et al., *Scaling Down to Scale Up: A Guide to Parameter-Efficient Fine-Tuning*, arXiv 2303.15647
# - Next: lesson 2, how letters become vectors. In the code: `lessons/task/finetuning.py`, `transformer/learning/training.py`
