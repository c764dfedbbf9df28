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
# 28. An encoder that knows English: sentiment

**The question.** "This film is inspiring." Is that good or bad? A published encoder has read a billion pairs of sentences and not
one judgement. How much must be trained before it answers, and does what it learns about films hold in a hospital or in a bank?

**You will be able to**

- turn an encoder into a judge of sentences: pooling, a head, a loss
- say what the head alone can do, and what LoRA, BitFit, prefixes and full fine-tuning add to it
- tell a lack of sentences from a lack of trained parameters
- see where a model fails outside the domain that it was trained on

**Time:** 35 minutes. **Before it:** padding and masks, from [lesson 7](07_masks_and_decoder.ipynb); LoRA, from
[lesson 13](13_lora.ipynb).

**What it needs.** Nothing: every figure shows saved runs of `python -m lessons sentiment`. With `make sentiment feedback-data`
(the encoder, 90 MB, and the rated sentences) one cell also trains a head on the spot.
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.sentiment import (
    DIRECTION,
    RATING,
    REAL,
    STATES,
    a_word_that_means_the_opposite,
    asked_table,
    beside_the_head,
    by_amount,
    deep_prompts,
    f1,
    four_teachers,
    kept_rows,
    more_sentences,
)
from lessons.experiments.sentiment_live import show_live
from lessons.experiments.sentiment_figures import draw_amounts, draw_pooling, draw_teachers, draw_techniques
from lessons.sentiment.model import HIGHEST_RATING, SentimentModel
from lessons.task.machine import set_threads
from lessons.teaching import (
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
from transformer.pooling import mean_pool

set_threads()
torch.manual_seed(0)
lit_diagram("encoder", "weights", "keys_values")

# %% [markdown]
# Only the left half of the figure is used. Nothing is generated, so there is no decoder.
#
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_pooling(),
    title="The mean of the real tokens' vectors, times a learnt direction, is the score",
    alt="Vectors of film, inspiring, a full stop and a padding. The padding is not real; the mean of the other three is 1 1. Times "
    "w, 0.5 0.25, it is the score 0.75. People gave 2 of 4, which is 0.5. The loss is 0.0625.",
)

# %% [markdown]
# ## The idea
#
# The encoder gives a vector for each token. A judgement is one number for the whole sentence. So two things are missing.
#
# *Pooling* makes one vector of many: here the mean over the real tokens. Padding does not count, because a sentence must not
# change its meaning with the length of its neighbours in the batch.
#
# A *head* makes the number: one linear layer, new and at random. Fifteen and more people rated each sentence from -4 to +4. The
# head is trained towards the mean of their ratings, divided by four. The sign of the score is the class: good or bad.
#
# If the encoder is frozen, only the head learns. It can only read what is in the vectors already. Every technique of this course
# changes the vectors as well, and the head is trained with it.

# %% [markdown]
# ## The formula
#
# $$s = w \cdot \frac{\sum_t m_t h_t}{\sum_t m_t} + b \qquad L = \big(s - \tfrac{1}{4}\,\text{mean rating}\big)^2$$
#
# - $h_t$ is the encoder's vector of token $t$; $m_t$ is 1 for a real token and 0 for padding.
# - $w$ and $b$ are the head: $d + 1$ numbers.
# - A prefix in front has no word, so it is not pooled: $t$ runs over the tokens of the sentence.
# - For classes without an order (the topic of a text, the intent of a question) the head has a row for each class and the loss
#   is the cross-entropy of [lesson 8](08_output_and_loss.ipynb).

# %% [markdown]
# ## The code

# %%
show_source(mean_pool, SentimentModel)

# %% [markdown]
# ## By hand
#
# The numbers of the drawing: $(1, 0)$, $(3, 2)$ and $(-1, 1)$ are real, and their mean is $(1, 1)$. The score is
# $0.5 \cdot 1 + 0.25 \cdot 1 = 0.75$, the target $2/4 = 0.5$, the loss $0.25^2 = 0.0625$.

# %%
pooled = mean_pool(STATES, REAL)
score = pooled[0] @ DIRECTION
print("pooled", pooled[0].tolist(), " score", score.item(), " loss", (score - RATING / HIGHEST_RATING).square().item())
print("with the padding in it", STATES[0].mean(dim=0).tolist(), " score", (STATES[0].mean(dim=0) @ DIRECTION).item())

# %% [markdown]
# With the padding in the mean the score is three times as large. It would depend on the longest sentence of the batch.

# %% [markdown]
# ## Experiment: the same sentences, seven ways
#
# Half of the film sentences are for training, the others for the test. F1 of a class is
# $2PR / (P + R)$: $P$ is the share of right ones among those called so, $R$ the share found of those that are so. It is
# computed for "good", "neutral" and "bad", and weighted by how frequent they are (`python -m lessons sentiment --test-sentences 1000`; P-Tuning v2 with `--methods p_tuning_v2`).

# %% tags=["hide-input"]
rows = kept_rows()
found = beside_the_head()
show_figure(
    draw_techniques(
        {name: f1(row) for name, row in rows.items()},
        {name: row["trainable_parameters"] for name, row in rows.items()},
        {"one person": found["people"], "best published, trained on films": found["published"]},
    ),
    title="{head_trains} trained numbers reach {head:.0f} % F1, all {full_trains:,} reach {full:.0f} %",
    alt="F1 on new film sentences over the number of trained parameters: the head alone {head:.1f} %, BitFit {bitfit:.1f}, prefix "
    "tuning {prefix_tuning:.1f}, P-Tuning v2 {p_tuning_v2:.1f}, LoRA {lora:.1f}, QLoRA {qlora:.1f}, full {full:.1f}. One person "
    "reaches {people:.0f} %, the best published learner {published:.0f} %.",
    **{name: found[name] for name in (*rows, "head_trains", "full_trains", "people", "published")},
)
prose(
    "The head alone is above the best learner that was published with the same training ({published:.0f} %). So most of the "
    "answer is in the vectors already: what the encoder read before is worth more than the labels. Every technique adds to it. BitFit "
    "does so with {bitfit_trains:,} numbers. LoRA is within two points of full fine-tuning. One seed, {sentences:,} sentences, {steps} "
    "steps, {tested:,} sentences in the test: a difference of one or two points may be luck.",
    **{name: found[name] for name in ("published", "bitfit_trains", "sentences", "steps", "tested")},
)

# %% tags=["hide-input"]
said_and_so(
    said="P-Tuning v2 is good at complex tasks of natural language understanding, and with small models.",
    so="Here is such a task, and a small model. P-Tuning v2 reaches {p_tuning_v2:.1f} % F1 with {p_tuning_v2_trains:,} numbers, the "
    "head's included; the head alone {head:.1f} %, prefix tuning {prefix_tuning:.1f} %, LoRA {lora:.1f} % with {lora_trains:,}. It is as "
    "good as the others, and not better. On our base, where sounds must be *produced*, it is behind LoRA and full fine-tuning, level with "
    "prefix tuning and ahead of BitFit ([lesson 21](21_p_tuning_v2.ipynb)).",
    shown_by="the figure above",
    **deep_prompts(),
)

# %% [markdown]
# ## Experiment: how many sentences?
#
# The same steps on fewer sentences (`python -m lessons sentiment --methods head lora --train-sentences 100 1000 --test-sentences
# 1000`).

# %% tags=["hide-input"]
amounts = more_sentences()
show_figure(
    draw_amounts(by_amount(), found["published"]),
    title="From {many:,} sentences on the head gains nothing, LoRA {gain:.1f} points more",
    alt="F1 over the number of sentences. Head alone: {head_few:.1f} % with {few}, {head_many:.1f} % with {many:,}, {head_every:.1f} % "
    "with {every:,}. LoRA: {lora_few:.1f}, {lora_many:.1f} and {lora_every:.1f} %.",
    gain=amounts["lora_every"] - amounts["lora_many"],
    **amounts,
)
prose(
    "With {few} sentences both are poor ({head_few:.0f} and {lora_few:.0f} %): that is a lack of *sentences*. With {many:,} the head has "
    "reached its end ({head_many:.1f} %, with all {every:,} {head_every:.1f} %): that is a lack of *parameters in the right place*. A "
    "curve of this kind, a few points and ten minutes, says whether to label more or to train more.",
    **amounts,
)

# %% [markdown]
# ## Experiment: the sentence itself, a hospital, a bank
#
# The first sentence is that of [lesson 18](18_prompt_tuning.ipynb), where two prompts stood in front of it. The others come from two
# stories that are told of fine-tuning: a model that shall understand *medical* texts (with LoRA), and one that shall write
# *financial* reports (with adapters). Our models have seen film sentences only: LoRA a thousand, P-Tuning v2 all. A score above 0
# means "good".

# %% tags=["hide-input"]
show_table(asked_table())
prose(
    "LoRA gives {film:+.2f} to the inspiring film and {not_film:+.2f} to the one that is not inspiring: a *not* in front of a good word is "
    "understood. The hospital is another matter. A test for cancer that came back *negative* is good news and gets "
    "{negative:+.2f}; the *positive* one is bad news and gets {positive:+.2f}. Losses that fell by half are good news and get "
    "{losses:+.2f}. In films a negative is bad, and a loss too. Nobody has told the model of a field where they are not.",
    **{name: value for name, value in a_word_that_means_the_opposite().items() if name != "chinese"},
)
prose(
    "The Chinese sentence gets {chinese:+.2f}, and that is no understanding. The tokenizer is an English one. It knows two of the "
    "eight characters (部 and 人) and the full stop; the other six all become the same symbol, `[UNK]`. A model cannot be better than what its "
    "tokenizer lets through.",
    chinese=a_word_that_means_the_opposite()["chinese"],
)

# %%
show_live(sentences=200, steps=3 if quick() else 40)

# %% tags=["hide-input"]
said_and_so(
    said="With LoRA a general model adapts well to the professional language of medicine; with adapters, to that of finance.",
    so="To the domain of its *training sentences*. Trained on films, LoRA scores the good news of a negative test {negative:+.2f}, "
    "below the bad news of a positive one ({positive:+.2f}). The technique says how much can be learnt; what is learnt is in the "
    "data. The hospital and the bank have to bring sentences of their own, rated by its own people.",
    shown_by="the table above",
    **{name: value for name, value in a_word_that_means_the_opposite().items() if name in ("negative", "positive")},
)

# %% [markdown]
# ## Experiment: four teachers
#
# LoRA once more, trained on one domain and tested on all four (`python -m lessons sentiment --methods lora --domain amazon
# --test-sentences 1000`, and so on).

# %% tags=["hide-input"]
teachers = four_teachers()
show_figure(
    draw_teachers(teachers["table"]),
    title="On tweets LoRA reaches {own:.0f} % taught by tweets, {movies:.0f} % taught by films",
    alt="Bars in four rows, what was trained on, and four columns, what was tested on. In each column the longest bar is on the "
    "diagonal. For tweets: {own:.0f} % from tweets, {best_f1:.0f} % from {best}, {movies:.0f} % from films.",
    **{name: teachers[name] for name in ("own", "movies", "best", "best_f1")},
)
prose(
    "Every domain is its own best teacher. For tweets, {best} come next ({best_f1:.0f} %) and films are last. Two tweets in three are "
    "good and only half of the film sentences are: the zero between good and bad lies elsewhere, and the head has learnt the film's.",
    **{name: teachers[name] for name in ("best", "best_f1")},
)

# %% [markdown]
# ## The usual mistakes
#
# - **Padding in the mean.** The score then depends on the batch. Score a sentence alone and beside a long one: both must agree.
# - **The prefix is pooled.** What stands in front of the words is no word: take the last `length` vectors only.
# - **The head is frozen with the base.** Whoever freezes all and adds an adapter must leave the new head trainable: Hugging Face PEFT
#   has `modules_to_save` for it, and `task_type="SEQ_CLS"` sets it.
# - **The head is not saved.** An adapter without its head gives random judgements after loading. Save both, load both.
# - **One rate for all.** A new head starts at random and bears a high rate; the encoder's own weights do not.
# - **Accuracy on classes of unequal size.** A model that always says "good" is right on two tweets in three. F1 by class shows it.
# - **Tested at home only.** See the hospital.

# %% [markdown]
# ## Three questions
#
# <details><summary>The head alone has d + 1 numbers. Why can it judge films at all?</summary>
#
# Because the frozen encoder puts sentences of like meaning side by side. The head only has to find the direction from bad to good.
#
# </details>
#
# <details><summary>You have a thousand rated sentences and a frozen encoder, and the score does not rise with more. What now?</summary>
#
# Train something inside the encoder, LoRA or BitFit: the head has taken what the vectors hold.
#
# </details>
#
# <details><summary>A hospital asks for your film model. What do you need, and what can you keep?</summary>
#
# Rated sentences of the hospital, for training and for a test of their own. The encoder and all the code stay; the adapter and the head are
# trained anew, and are small enough to keep one for each customer.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(28)

# %% [markdown]
# ## Summary
#
# - Encoder, pooling over real tokens, a linear head: that is a classifier.
# - The head alone shows what the base knows already. Techniques add what it does not know.
# - A curve over the number of sentences tells a lack of data from a lack of trained parameters.
# - What was learnt belongs to the domain of the sentences. In another one a word may mean the opposite.

# %% [markdown]
# ## Where to read on
#
# - Devlin et al., [*BERT: Pre-training of Deep Bidirectional Transformers*, arXiv 1810.04805](https://arxiv.org/abs/1810.04805):
#   fine-tuning an encoder for classification
# - Reimers and Gurevych, [*Sentence-BERT*, arXiv 1908.10084](https://arxiv.org/abs/1908.10084): how to pool
# - Liu et al., [*P-Tuning v2*, arXiv 2110.07602](https://arxiv.org/abs/2110.07602): deep prompts on tasks of understanding
# - Hutto and Gilbert, [*VADER*, 2014](https://ojs.aaai.org/index.php/ICWSM/article/view/14550): the rated sentences
# - [The command's own page](../sentiment/README.md), with every number. In the code:
#   [`transformer/pooling.py`](../../transformer/pooling.py), [`lessons/sentiment/model.py`](../sentiment/model.py). Next:
#   [lesson 29](29_language_model.ipynb)
