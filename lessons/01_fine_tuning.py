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

**The question.** A network has learnt to read English words aloud, in an American voice. It says *tomato* as an American
does. You want to hear a British *tomato*, and you have a thousand British words, not seventy thousand. What must change
in the network, and what may stay?

**You will be able to**

- say what pretraining and fine-tuning are, and what they have in common
- fine-tune a real model, and measure what it has learnt and what it has forgotten
- read a pronunciation in phonetic symbols
- sort the ways of fine-tuning by two questions

**Time:** 35 minutes. **Before it:** what a derivative is, and a little Python.
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.fine_tuning import (
    FROM_BASE,
    FROM_NOTHING,
    errors_in_both_accents,
    learn_one_number,
    moved,
    rates_beside_full,
    two_stages,
    what_little_compute_means,
)
from lessons.experiments.fine_tuning_figures import draw_both_accents, draw_losses, draw_moved, draw_two_stages
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, load, words
from lessons.task.finetuning import adapted, fine_tune, from_scratch
from lessons.task.machine import set_threads
from lessons.task.pronounce import shipped
from lessons.task.scoring import predict
from lessons.teaching import (
    claim,
    exercises_of,
    kept_report,
    kept_rows,
    kept_run,
    lit_diagram,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_sounds,
    show_source,
)
from peft import PeftModel
from peft.frame.counting import trainable_and_all

set_threads()
torch.manual_seed(0)
base = load_base()

# %%
print("the base says          ", predict(base, ["tomato"])["tomato"])
print("American dictionary    ", *load("american")["tomato"])
print("British dictionary     ", *load("british")["tomato"])

# %% [markdown]
# These are symbols of the **International Phonetic Alphabet** (IPA): one symbol for one sound, whatever the spelling is. A
# stress mark ˈ stands before the vowel that is loudest. The sounds of *tomato*, each with a word that has it:

# %% tags=["hide-input"]
show_sounds("ˈ", "ə", "eɪ", "ɑ", "ɾ", "t", "oʊ", "əʊ", "m")
show_sounds(folded="All sounds of the course, to come back to")

# %% [markdown]
# So the British *tomato* differs in three places: another stressed vowel, a clear t in place of the tap, another last
# vowel. The first sounds may stay. The model must learn *which* sounds change, in *which* words.

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_two_stages(),
    title="Three steps on the task end nearer to 3 when they begin at a base",
    alt="A model with one number that should become 3. From the base it goes 2, 2.5, 2.75, 2.875; from nothing 0, 1.5, 2.25, "
    "2.625. The first ends nearer to 3.",
)

# %% [markdown]
# ## The idea
#
# Training changes numbers until a loss falls. It can begin anywhere. **Pretraining** begins at random numbers and takes much
# general data; what it gives is a **base model**. **Fine-tuning** begins at the base model's numbers, and goes on with a
# little data of one task.
#
# It is the same act twice. The second time it needs so little because most of what the task needs is there already: which
# letters are silent, where the stress lies, what a *tion* is. Only the difference must be learnt.
#
# It has a cost. Nothing tells the second training to keep what the first has learnt. What the new data do not ask for may
# be lost. That is **forgetting**, and this course measures it for each technique.

# %% tags=["hide-input"]
prose(
    """| | pretraining | fine-tuning |
|---|---|---|
| starts from | random numbers | the base model's numbers |
| data | much, general; here {data} | little, of one task; here {few:,} words |
| steps here | {steps:,} | {tuning:,} |
| gives | the **base model** | a model for the task |""",
    few=len(fine_tuning_words("british")),
    tuning=fine_tune.__defaults__[1],
    **two_stages(),
)

# %% [markdown]
# The tasks for which language models are fine-tuned have the same form: something goes in, the right answer is known.
#
# | task | goes in | comes out |
# |---|---|---|
# | sentiment | a review | positive or negative (`python -m lessons sentiment`) |
# | named entities | a sentence | which of its words are people, places, companies |
# | classification | a report | its subject |
# | dialogue | what was said so far | the next answer |
# | pronunciation, in this course | a word's letters | its sounds |
#
# Base models that you may know are GPT-3, LLaMA and GLM-130B; ChatGLM-6B, InstructGPT and the code models are fine-tuned.
#
# **To be exact.** Pretraining a language model is often called *unsupervised*. The usual name is *self-supervised*: there
# is a target for every prediction, the next token, but no person wrote it down, for it stands in the text. Our base is a
# smaller thing: it was pretrained on pairs of word and pronunciation. The two stages are the same.

# %% [markdown]
# ## The formula
#
# With $\theta$ for all numbers of the model, and $p_\theta(y \mid x)$ for the probability that it gives to the answer $y$:
#
# $$\theta_0 = \arg\min_\theta \; \mathbb{E}_{(x, y) \sim \text{general}} \bigl[-\log p_\theta(y \mid x)\bigr]
# \qquad \text{from random numbers}$$
#
# $$\theta^* = \arg\min_\theta \; \mathbb{E}_{(x, y) \sim \text{task}} \bigl[-\log p_\theta(y \mid x)\bigr]
# \qquad \text{from } \theta_0$$
#
# In words: choose the numbers so that the right answers get a high probability, on average over the data. Nothing in the
# second line says "stay near $\theta_0$". It is the start, the small steps and their small number that keep the model near.

# %% [markdown]
# ## The code
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
# has a cost: on the general example $x = 1$, $y = 2$ the loss was 0 and is now $0.875^2 \approx 0.77$. That is forgetting.

# %%
for name, start in (("from the base", FROM_BASE), ("from nothing", FROM_NOTHING)):
    path = learn_one_number(start)
    print(f"{name:<14} w = {path}   loss on the general example: {(path[-1] - 2) ** 2:.4f}")

# %% [markdown]
# ## Experiment: British from a thousand words
#
# "Full" means that all numbers learn. Beside it: the same network with random numbers, on the same words, in the same
# number of steps.

# %%
steps = 20 if quick() else 100
learnt_from = fine_tuning_words("british", 200 if quick() else 1000)
full, full_losses = fine_tune("full", learnt_from, steps)
scratch, scratch_losses = from_scratch(learnt_from, steps)

# %% tags=["hide-input"]
numbers = {
    "steps": steps,
    "full": sum(full_losses[-10:]) / 10,
    "scratch": sum(scratch_losses[-10:]) / 10,
    "first": scratch_losses[0],
}
claim(numbers["full"] < numbers["scratch"] / 3, "from the base the loss ends far lower", **numbers)
show_figure(
    draw_losses({"full, from the base": full_losses, "from nothing": scratch_losses}),
    title="After {steps} steps the loss is {full:.2f} from the base and {scratch:.2f} from nothing",
    alt="Two curves of the loss on British words over the steps. From nothing it falls from {first:.1f} to {scratch:.2f}, from "
    "the base to {full:.2f}.",
    **numbers,
)

# %% [markdown]
# A loss says little to the ear. **Phoneme error** does: how many symbols of a hundred would have to be corrected. It is
# counted on words that were in no training, of the base or of these.

# %%
heard = words("british", "development", 60 if quick() else 200)
models = {"base": base, "full": full, "from nothing": scratch}
errors = errors_in_both_accents(models, words("american", "development", len(heard)), heard)

# %% tags=["hide-input"]
numbers = {
    f"{name}_{accent}": 100 * errors[model][place].phoneme_error
    for name, model in (("base", "base"), ("full", "full"), ("scratch", "from nothing"))
    for place, accent in enumerate(("american", "british"))
}
claim(numbers["full_british"] < numbers["base_british"], "it has learnt", **numbers)
claim(numbers["full_american"] > numbers["base_american"], "it has forgotten", **numbers)
claim(numbers["scratch_british"] > 2 * numbers["base_british"], "from nothing it learns next to nothing", **numbers)
show_figure(
    draw_both_accents(errors),
    title="British goes from {base_british:.0f} to {full_british:.0f} %, American from {base_american:.0f} to "
    "{full_american:.0f} %: learnt, and forgotten",
    alt="Bars of phoneme error. Base: American {base_american:.0f}, British {base_british:.0f} %. Full: {full_american:.0f} and "
    "{full_british:.0f} %. From nothing: {scratch_american:.0f} and {scratch_british:.0f} %.",
    **numbers,
)

# %% [markdown]
# The base is better at American; the fine-tuned model is worse at American than the base was
# ([lesson 11](11_full_fine_tuning.ipynb) asks why). With nothing to start from, these words and steps teach next to nothing.

# %%
shown = ["tomato", *(word for word in heard if word in load("american"))][: 6 if quick() else 10]
said = {name: predict(model, shown) for name, model in models.items()}
print(f"{'word':<18}{'base':<18}{'full':<18}{'from nothing':<18}British dictionary")
for word in shown:
    columns = [said[name][word] for name in models]
    print(f"{word:<18}" + "".join(f"{text[:16]:<18}" for text in columns) + load("british")[word][0])

# %% tags=["hide-input"]
prose(
    "*Tomato* is now {now}, and a British speaker says {right}. Compare the three places. What many words share, like the last "
    "vowel, is learnt from many examples; what is peculiar to a word needs more words or more steps.",
    now=said["full"]["tomato"],
    right=load("british")["tomato"][0],
)

# %% [markdown]
# ## Experiment: how far did the numbers move?

# %%
distances = moved(base, full.get_base_model())

# %% tags=["hide-input"]
numbers |= {
    "matrices": len(distances),
    "median": sorted(distances.values())[len(distances) // 2],
    "farthest": max(distances.values()),
    "steps": steps,
}
claim(numbers["median"] < 30, "most matrices moved by a small part of their size", **numbers)
show_figure(
    draw_moved(distances),
    title="Half of the matrices moved by less than {median:.0f} % of their size",
    alt="A histogram of how far each of the {matrices} matrices moved, up to {farthest:.0f} % of its size.",
    **numbers,
)
said_and_so(
    said="Fine-tuning adjusts the weights only slightly.",
    so="Here half of the {matrices} matrices moved by less than {median:.0f} % of their size in {steps} steps of full "
    "fine-tuning, and the one that moved most by {farthest:.0f} %. It was enough to change the British phoneme error from "
    "{base_british:.0f} to {full_british:.0f} % and the American one from {base_american:.0f} to {full_american:.0f} %. Small in "
    "numbers is not small in effect.",
    shown_by="the two figures above",
    **numbers,
)

# %% [markdown]
# ## The ways to fine-tune
#
# Two questions are often mixed. *Which numbers learn?* and *what tells them that they are better?*
#
# | which numbers learn | examples | lessons |
# |---|---|---|
# | all: **full** | `full` | [11](11_full_fine_tuning.ipynb) |
# | few of those there are | BitFit, LayerNorm tuning | [12](12_bitfit_and_layernorm.ipynb) |
# | few new ones, beside the weights | LoRA and its relatives, QLoRA | [13](13_lora.ipynb) to [16](16_qlora.ipynb) |
# | few new ones, between the layers | adapters, SSF, PILL | [17](17_adapters.ipynb), [22](22_ssf.ipynb), [23](23_pill.ipynb) |
# | few new ones, in front of the input or of the keys | prompt tuning, P-Tuning, prefix tuning, P-Tuning v2 | [18](18_prompt_tuning.ipynb) to [21](21_p_tuning_v2.ipynb) |
#
# All but the first are **parameter-efficient** (PEFT): $\theta_0$ stays as it is, and a small $\varphi$ learns beside it.
#
# | what tells them | data |
# |---|---|
# | the right answer (**supervised**) | an input and its answer |
# | which of two answers is better, or a reward (**preferences, reinforcement**) | an input and two answers, or a rule that rates |
#
# **To be exact.** One often reads of four kinds side by side: full, parameter-efficient, prompt tuning, reinforcement.
# But prompt tuning is one of the parameter-efficient ways, and the last is an answer to the other question: it is done with
# all numbers or with LoRA.
#
# Where does each put its new numbers? The red marks are the places; every PEFT lesson shows its own.

# %%
lit_diagram("weights", "adapter", "keys_values", "prompt")

# %% tags=["hide-input"]
prose(
    "The saved full run has, on all test words, the numbers below; `python -m lessons compare --seeds {seeds} --test-words all` "
    "made it. Each technique has its own searched learning rate, for {steps} steps. The experiment above took fewer "
    "steps and counted on other words, so its numbers for full fine-tuning are others.",
    seeds=len(kept_rows("full")),
    steps=kept_report()["run"]["steps"],
)

# %%
kept_run("full", "bitfit", "lora", "adapter_pfeiffer", "prefix_tuning", "prompt_tuning", "scratch")

# %% tags=["hide-input"]
said_and_so(
    said="Parameter-efficient fine-tuning needs little compute and little time.",
    so="What is small for certain is what is trained and stored: LoRA here trains {share:.0f} % of the numbers. Every step still "
    "runs the whole base forwards, and backwards down to the lowest new number: LoRA took {lora_seconds:.0f} s, full "
    "fine-tuning {full_seconds:.0f} s. The memory that is saved is that of gradients and of the optimizer's state, for each "
    "number that does not learn. That is {saved:.0f} MB here and drowns in the rest (peak {lora_peak:,.0f} MB against "
    "{full_peak:,.0f} MB); for a model of 7 billion parameters it is {saved_of_seven_billion:.0f} GB.",
    shown_by="the table above, from `python -m lessons compare`",
    **what_little_compute_means(),
)

# %% [markdown]
# How many numbers learn can be counted. Each tensor of PyTorch says by `requires_grad` whether it learns:

# %%
adapted("lora").print_trainable_parameters()
show_source(trainable_and_all)

# %% [markdown]
# With every technique of this course the base is still there. Turned off, the model's output is the base's, to the last
# bit. So one base in memory serves many tasks.

# %%
lora = PeftModel.from_pretrained(load_base(), shipped("lora")["british"]).eval()
on = predict(lora, ["tomato"])["tomato"]
with lora.disable_adapter():
    off = predict(lora, ["tomato"])["tomato"]
print(f"tomato: LoRA on {on}, off {off}")

# %% [markdown]
# ## The usual mistakes
#
# - **Judging on words that were trained on.** Split by the word, not by the line: our split is by a hash, so that a word
#   is on the same side in both accents.
# - **Looking at the new task only.** Measure what was forgotten too; each table of this project does.
# - **Comparing techniques at one learning rate**, or one at 300 steps with another at 3,000.
# - **Data that no longer downloads**: the commonest complaint about courses like this one
#   ([annotated-transformer#96](https://github.com/harvardnlp/annotated-transformer/issues/96)). Everything here is in the
#   repository.

# %% tags=["hide-input"]
prose(
    "- **The rate of another training.** Pretraining here went up to a rate of {pretraining:g}; full fine-tuning is best at {full:g}. "
    "Of the {others} other techniques {higher} are best at a higher rate than that, up to {highest:g} (`{highest_name}`): few numbers "
    "have to move far. But it is no rule: `{lowest_name}` is best at {lowest:g}. Search for each.",
    **rates_beside_full(),
)

# %% [markdown]
# ## Three questions
#
# <details><summary>Pretraining and fine-tuning minimize the same loss. What differs?</summary>
#
# Where they start, and which data they see. So also how many steps are needed, and how large a step may be.
#
# </details>
#
# <details><summary>After fine-tuning, American words are said worse. Did anything in the loss ask for that?</summary>
#
# No. Nothing asked to keep them either: the loss looks at British words only, and both accents share the same numbers.
#
# </details>
#
# <details><summary>Is RLHF a parameter-efficient technique?</summary>
#
# It is neither that nor the opposite. It says what tells the model that it is better; which numbers learn is a second choice.
#
# </details>

# %% [markdown]
# ## Exercises
#
# It takes two minutes, and shows how an exercise is begun and checked.

# %%
exercises_of(1)

# %% [markdown]
# ## Summary
#
# - Fine-tuning goes on training from a base model's numbers, on a little data of one task.
# - It learns fast because it only learns the difference, and it forgets because nothing asks it not to.
# - Which numbers learn, and what tells them that they are better, are two questions.

# %% [markdown]
# ## Where to read on
#
# - Jay Alammar, [*The Illustrated Transformer*](https://jalammar.github.io/illustrated-transformer/): the network of the next
#   lessons in pictures
# - Howard and Ruder, [*Universal Language Model Fine-tuning for Text Classification*, arXiv
#   1801.06146](https://arxiv.org/abs/1801.06146): two stages, made usual
# - Devlin et al., [*BERT*, arXiv 1810.04805](https://arxiv.org/abs/1810.04805): pretrain once, fine-tune for each task
# - Ouyang et al., [*Training language models to follow instructions with human feedback*, arXiv
#   2203.02155](https://arxiv.org/abs/2203.02155)
# - Lialin et al., [*Scaling Down to Scale Up: A Guide to Parameter-Efficient Fine-Tuning*, arXiv
#   2303.15647](https://arxiv.org/abs/2303.15647)
# - Next: [lesson 2](02_input_embedding.ipynb), how letters become vectors. In the code:
#   [`lessons/task/finetuning.py`](../task/finetuning.py),
#   [`transformer/learning/training.py`](../../transformer/learning/training.py)
