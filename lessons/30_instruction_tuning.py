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
# 30. Instruction tuning: tokens, template, loss on the answer only

**The question.** A language model continues text. A chat is no text that goes on: somebody asks, somebody answers, and the
answer has an end. So how does a conversation become tokens, which of them does the model learn from, and what goes wrong, in
silence, when it learns from all of them?

**You will be able to**

- write a conversation as the model's template writes it, and mark the tokens that carry loss
- compute the loss over answers by hand, in one batch and in several parts of it
- say what texts that share a row must not see, and why a padding token must not be the end token
- fine-tune a language model on conversations of your own

**Time:** 40 minutes. **Before it:** LoRA in [lesson 13](13_lora.ipynb), the loss of [lesson 8](08_output_and_loss.ipynb) and the
blocks of [lesson 29](29_language_model.ipynb). `make smollm` fetches SmolLM2, a language model in 98 MB; without it this lesson
shows kept results.
"""

# %% tags=["hide-input"]
import torch

from transformer.learning.answer_mask import encode_parts
from lessons.experiments.instruction_tuning import (
    SENTENCE,
    kept,
    measured,
)
from lessons.experiments.instruction_tuning_figures import (
    by_hand,
    draw_conversation,
    draw_packing,
    draw_runs,
    draw_shares,
    draw_steps,
    draw_techniques,
)
from lessons.experiments.instruction_tuning_kept import kept_packing, kept_runs, kept_shares, kept_techniques
from lessons.experiments.instruction_tuning_preferences import kept_preferences
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
from transformer.learning.texts import NextTokens, text_batch
from transformer.learning.step import one_step, summed_losses

set_threads()
torch.manual_seed(0)
lit_diagram("output_embedding", "masked_attention", "linear", "softmax")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_conversation(),
    title="One conversation is one row of tokens; the loss is taken on the answer and on the token that ends it",
    alt="The tokens of a conversation in three rows. The user's turn: <|im_start|>, user, a new line, British:, color, <|im_end|>, "
    "a new line, with losses 0.69, 0, 4.16, 3.47, 0.69 and 0 behind the first. The assistant's turn begins: <|im_start|>, "
    "assistant, a new line, all with loss 0. The answer, with a red edge: colour with 1.39 and <|im_end|> with 0.69. The answer's "
    "2 tokens have 1.04 nats each; all 11 tokens 1.01 each, of which 81 % are the prompt's.",
)

# %% [markdown]
# ## The idea
#
# **A template.** Messages become one text. Special tokens say where a turn begins and ends, and a word says whose it is. The
# model saw the same template in training. Another one, or none, is for it another kind of text.
#
# **A mask.** The text goes through the model as a whole, once. Every place predicts the next token. But the loss is taken
# only where the next token is the assistant's: its words, and the token that ends its turn. The question is *read*, because
# attention looks at it; it is not *learnt*.
#
# **The end is learnt too.** It is a token like others. A model that never has to say it, does not learn to stop.
#
# **One mean over all tokens.** Answers differ in length. The loss of a step is the sum over its answer tokens, divided by how
# many they are: in the whole step, in however many parts it is computed.
#
# **Rows.** Texts of unequal length are filled up with padding, or packed: several in a row. Then none may see another.

# %% [markdown]
# ## The formula
#
# $$L = -\frac{1}{|A|} \sum_{t \in A} \log p(x_t \mid x_0 \dots x_{t-1}), \qquad A = \{t : x_t \text{ belongs to an answer or ends it}\}$$
#
# A step in $K$ parts with the answer tokens $A_1 \dots A_K$:
#
# $$L = \frac{\sum_k \sum_{t \in A_k} \ell_t}{\sum_k |A_k|} \quad\neq\quad \frac1K \sum_k \frac{1}{|A_k|} \sum_{t \in A_k} \ell_t,
# \qquad \ell_t = -\log p(x_t \mid x_0 \dots x_{t-1})$$
#
# The two are equal only where all parts have equally many answer tokens.

# %% [markdown]
# ## The code

# %%
show_source(encode_parts, text_batch, NextTokens.forward, one_step, summed_losses)

# %% [markdown]
# A token is predicted at the place *before* it: `before` marks these places, and the output projection is computed there
# alone. `one_step` divides by `tokens`, which was counted over the whole step.

# %% [markdown]
# ## By hand
#
# In the picture the model says *colour* with $p = \tfrac14$ and the end with $\tfrac12$. So the loss is
# $\tfrac12 (\ln 4 + \ln 2) = \tfrac32 \ln 2 = 1.04$ nats per answer token. Over all 11 tokens that have something before them the
# sum is $16 \ln 2$, the mean 1.01. The two means look alike, and they ask for different things: of the second, 13 parts of 16 are
# the prompt's, most of it for guessing what the user would say.
#
# **Two batches, of 1 and of 3 answer tokens.** The first token costs 2 nats, the others half a nat each. The mean over tokens
# is $\tfrac14 (2 + 3 \cdot \tfrac12) = 0.875$. The mean of the two means is $\tfrac12 (2 + \tfrac12) = 1.25$: the lonely token
# counts for a half of the step, where it should count for a quarter.

# %%
losses = by_hand()
answer, everything = losses["answer"], [*losses["prompt"], *losses["answer"]]
print(f"answer {sum(answer) / len(answer):.3f}, all {sum(everything) / len(everything):.3f} nats a token")

conversation = ([5, 6, 7, 8, 9], [False, False, False, True, True])  # three tokens asked, a word and the end
batch = text_batch([[conversation], [([5, 9], [False, True])]], pad_id=0)
print("ids   ", batch.source.tolist())
print("before", batch.before.int().tolist(), "  labels", batch.labels.tolist())

first, second = torch.tensor([2.0]), torch.tensor([0.5, 0.5, 0.5])
over_tokens = (first.sum() + second.sum()) / 4
of_means = (first.mean() + second.mean()) / 2
print(f"over tokens {over_tokens:.3f}, mean of means {of_means:.3f}")

# %% tags=["hide-input"]
means = {"tokens": float(over_tokens), "means": float(of_means), "times": float(of_means / over_tokens)}
claim(about(means["tokens"], 0.875, 1e-6) and about(means["means"], 1.25, 1e-6), "the two means by hand", **means)
prose(
    "The mean of means is {times:.2f} times the loss of the step, and its gradient points elsewhere. The `Trainer` of transformers "
    "did this until autumn 2024 ([transformers#34191](https://github.com/huggingface/transformers/pull/34191)): short answers "
    "counted for more than long ones as soon as a step was computed in parts.",
    **means,
)

# %% [markdown]
# ## Experiment: whose loss is it?
#
# The task is the one of this course, in writing: *Rewrite in British spelling: ...*, on real sentences. We ask SmolLM2, before
# any step, for the loss of every token of some held-out conversations.

# %% tags=["hide-input"]
found = kept()
shares = kept_shares()
show_figure(
    draw_shares(shares["shares"]),
    title="{tokens:.0%} of the tokens are the answer's, and {loss:.0%} of the loss",
    alt="Two bars of three parts. Of the tokens {template_tokens:.0%} are the template's, {question_tokens:.0%} the question's and "
    "{tokens:.0%} the answer's; of the loss {template_loss:.0%}, {question_loss:.0%} and {loss:.0%}.",
    **shares,
)
prose(
    "(Kept results, {conversations} conversations.) A token of the template costs {template_nats:.2f} nats, one of the question "
    "{question_nats:.2f}, one of the answer {answer_nats:.2f}: the answer repeats the question but for one word, so that most of it "
    "is easy. What is hard is the question, and nobody asks the model to guess that. The template's tokens, always the same, are hardly "
    "easier: a hint that SmolLM2 itself was never trained to say them.\n\n"
    "The gradient says the same. That of the prompt's loss is {times:.1f} times as long as that of the answer's, and the cosine "
    "between the two is {cosine:.2f}. Who takes the loss on the whole text, walks mostly in the prompt's direction.",
    **shares,
)

# %% [markdown]
# ## Experiment: eight steps
#
# A LoRA, eight steps of at most 512 tokens, about seven conversations each. The loss is on the answers. Before
# and after we ask for one sentence.

# %%
live, source = measured()
print(source)
print("asked: ", SENTENCE)
print("before:", live["before"])
print("after: ", live["after"])

# %% tags=["hide-input"]
american = sum(word in live["after"] for word in ("neighbor", "theater", "favorite", "color"))
steps = {
    "american": american,
    "first": live["losses"][0],
    "last": live["losses"][-1],
    "steps": len(live["losses"]),
    "source": source,
}
claim(steps["last"] < steps["first"] / 2, "the loss falls below a half", first=steps["first"], last=steps["last"])
show_figure(
    draw_steps(live["losses"]),
    title="In {steps} steps the loss falls from {first:.2f} to {last:.2f} nats per answer token",
    alt="The loss over the steps: it begins at {first:.2f} nats and ends at {last:.2f}.",
    **steps,
)
prose(
    "({source}.) Before, it repeats the request, in quotation marks. After eight steps it has the *form*: the sentence, nothing in front, "
    "and an end. Of its four American words {american} are still American: the words that must change are few of the answer's "
    "tokens, so that most of the loss is gone before they are right. `python -m lessons chat --train` takes sixty steps.",
    **steps,
)

# %% [markdown]
# ## Experiment: what is learnt from which tokens
#
# The same eight steps three times. The loss is taken on the answers; on the whole text; and on the answers without the token that
# ends them. Then we measure on held-out conversations and on an English text that is no task.

# %% tags=["hide-input"]
runs = kept_runs()
show_figure(
    draw_runs(found["states"]),
    title="On the answers alone the answer falls to {answer_answer:.2f} nats; on the whole text it stays at {whole_text_answer:.2f}",
    alt="Bars in nats per token, before and after three runs. The answer: {before_answer:.2f} before, {answer_answer:.2f} after the loss on "
    "answers, {whole_text_answer:.2f} on the whole text, {no_end_answer:.2f} without the end. The question: {before_question:.2f}, "
    "{answer_question:.2f}, {whole_text_question:.2f}, {no_end_question:.2f}. An English text: {before_text:.2f}, {answer_text:.2f}, "
    "{whole_text_text:.2f}, {no_end_text:.2f}.",
    **runs,
)
prose(
    "(Kept results.) On the **whole text** the steps go into guessing what the user says and how the template goes on: a token of the "
    "question falls from {before_question:.2f} to {whole_text_question:.2f} nats, one of the template from {before_template:.2f} to "
    "{whole_text_template:.2f}. For the answer little is left. Of the held-out sentences {whole_text_exact:.0%} are exactly right, and "
    "{answer_exact:.0%} with the loss on the **answers**. Asked for our sentence it still begins with the request: "
    "*{whole_text_says}*\n\n"
    "**Without the end** the answers are as good, and the token that ends them costs {no_end_end:.2f} nats, where it costs "
    "{answer_end:.3f} if it is learnt. SmolLM2 stops nevertheless, because it had learnt that before; a model that had not could not learn it from these steps.\n\n"
    "**Forgetting.** The English text costs {before_text:.2f} nats before, and {answer_text:.2f} to {whole_text_text:.2f} after: eight "
    "steps of LoRA cost nothing there.",
    **runs,
)

# %% tags=["hide-input"]
said_and_so(
    said="Instruction tuning teaches the model knowledge; the loss is taken on the whole text.",
    so="It learns the form first. After {steps} steps, of {items} sentences of each kind, {unchanged:.0%} are exactly right where nothing is to change, "
    "{seen:.0%} where the words stand in the training sentences, and {never:.0%} where they were never shown. What came first is to "
    "repeat and to stop. And the loss is on the answer: on the whole text most of a step goes into the "
    "prompt, which nobody wants from it.",
    shown_by="the figures above",
    **runs,
)

# %% [markdown]
# ## Experiment: what packed texts must not see
#
# The held-out conversations again, and the base as it is: a row for each, packed into rows of 512 tokens with a mask that keeps
# them apart (positions begin at 0 in each), and packed without it.

# %% tags=["hide-input"]
packing = kept_packing()
show_figure(
    draw_packing(found["packing"]),
    title="Packed in sight of one another, texts show a loss of {in_sight:.2f} nats; alone it is {alone:.2f}",
    alt="The loss per answer token: a row for each {alone:.4f}, packed and apart {packed:.4f}, packed in sight of one another "
    "{in_sight:.4f}.",
    **packing,
)
prose(
    "(Kept results.) Kept apart, packed texts have the loss of texts alone, {packed:.4f} and {alone:.4f}, and take "
    "{packed_places:,} places where padded rows take {padded_places:,}. In sight of one another the loss is {lower:.0%} lower. "
    "That looks better, and is worse: every conversation but the first of its row reads solved examples of the same task, and who trains "
    "so trains a model to lean on them. In use nothing stands before a question. No shape is wrong and nothing warns.",
    **packing,
)

# %% [markdown]
# ## Experiment: every technique
#
# The same sentences, now learnt by each technique at its own learning rate. Three kinds are held out: sentences whose words stand in the
# training sentences, those whose words were never shown, and those where nothing is to change. An answer counts when it is exactly right.

# %% tags=["hide-input"]
techniques = kept_techniques()
show_figure(
    draw_techniques(),
    title="With LoRA {lora_seen:.0%} of the sentences with trained words come out right, and {lora_never:.0%} of those with words never shown",
    alt="A bar for each of {count} techniques and three kinds of sentences, from the share that was exactly right before to the share after. "
    "LoRA: {seen:.0%} to {lora_seen:.0%}, {never:.0%} to {lora_never:.0%}, {unchanged:.0%} to {lora_unchanged:.0%}.",
    **techniques,
)
prose(
    "(Kept results, mean of {seeds} seeds, {steps} steps.) First is `{first}` with {first_right:.0%} of the sentences that are to be "
    "changed, LoRA has {lora_right:.0%}, last is `{last}` with {last_right:.0%}. "
    "Words never shown are rewritten too, though fewer of those sentences come out right. The price: a token of "
    "the model's own answers in a chat costs {full_nats:.2f} nats more after full fine-tuning and {lora_nats:.2f} more after LoRA, whose rate is higher; "
    "most after `{dearest}`, {dearest_nats:.2f}.\n\n"
    "**A rate belongs to a task.** On sentiment, the second task, where the answer is one word, LoRA's best rate is {rate_sentiment:g}; here it is {rate_spelling:g}. "
    "The table of both stands in the README: `python -m lessons.chat.comparing.kept` prints it, `python -m lessons chat --compare` makes it anew.",
    **techniques,
)

# %% [markdown]
# ## Experiment: after the examples
#
# The supervised LoRA is merged, and a fresh one goes on in three ways. As many further supervised steps; **DPO** on people's
# preferences between the three labels of sentiment, where a pair is one person's; **GRPO** on the spelling, where sampled answers
# are paid by a rule: one for the sentence letter by letter with its end, else nothing. How these two work is
# [lesson 26](26_dpo.ipynb) and [lesson 27](27_grpo.ipynb).

# %% tags=["hide-input"]
after = kept_preferences()
prose(
    "(Kept results, one seed; {supervised_steps} supervised steps.)\n\n"
    "| exactly right | sentiment | spelling |\n|---|---:|---:|\n"
    "| the model, untouched | {sentiment_untouched:.0%} | {spelling_untouched:.0%} |\n"
    "| supervised | {sentiment_supervised:.0%} | {spelling_supervised:.0%} |\n"
    "| and as many further steps | {sentiment_longer:.0%} | {spelling_longer:.0%} |\n"
    "| and DPO on people's preferences | {sentiment_dpo:.0%} | |\n"
    "| and GRPO on the rule | | {spelling_grpo:.0%} |",
    **after,
)
prose(
    "In {dpo_steps} steps DPO brings the margin to {margin:.2f}: the policy does follow the people. With one seed and about a hundred items, what it adds to the "
    "answers is within noise. GRPO begins where {reward:.0%} of the sampled answers are right already: in {silent:.0%} of the groups "
    "all answers are paid alike, and such a group teaches nothing. A rule helps where a model is sometimes right and sometimes not. "
    "`python -m lessons chat --preferences` runs both.",
    **after,
)

# %% [markdown]
# ## The usual mistakes
#
# - **Pad is eos.** Many tokenizers have no padding token, and the end token is taken for it. Whoever then leaves out *every*
#   token with the padding's id from the loss, leaves out the ends of the answers: the model never learns to stop
#   ([transformers#23530](https://github.com/huggingface/transformers/issues/23530),
#   [trl#976](https://github.com/huggingface/trl/issues/976)). Here padding is told by its
#   place: what is learnt is marked token by token, and an id that is padding elsewhere may be learnt.
# - **The template's tokens as plain text.** `<|im_end|>` is one token. Cut into pieces it is another text; and a user who
#   may write it ends their own turn and begins the assistant's. Messages that hold it are refused here.
# - **The mask by searching for text.** A token can lie across the border of prompt and answer. Here each part is cut into tokens
#   by itself, as the model itself would have to go on.
# - **A mean of means**, above.
# - **Labels shifted twice**, by the data and by the model: then each place learns the token after the next.
# - **No system message in training, one in use.** SmolLM2's template writes one by itself where there is none; others do not.

# %% [markdown]
# ## Three questions
#
# <details><summary>The question carries no loss. Does it get a gradient?</summary>
#
# Yes: its states do, because the answer's tokens attend to them. So the model learns to *read* questions. It does not learn to
# *write* them.
#
# </details>
#
# <details><summary>A conversation has three turns of the assistant. On which is the loss?</summary>
#
# On all three, in one pass, because what is causal sees at each turn only what came before. One must know that templates
# exist which write an earlier answer differently once another follows (they drop its thoughts). Then one pass cannot serve all three,
# and `ChatTemplate.cut` refuses.
#
# </details>
#
# <details><summary>Texts are packed with a mask that keeps them apart. Why must positions begin anew too?</summary>
#
# With rotary positions they need not, because a score knows distances only ([lesson 29](29_language_model.ipynb)). With learnt
# positions they must: else a text that stands late in a row would train rows of the table that it never meets in use.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(30)

# %% [markdown]
# ## Summary
#
# - A conversation is a text that a template writes; special tokens say who speaks and where a turn ends.
# - The loss is on the answers and their ends. All else is read and not learnt.
# - It is a mean over tokens, over the whole step: not a mean of means.
# - Packed texts must not see one another; padding is told by its place, never by an id that may be learnt.

# %% [markdown]
# ## Where to read on
#
# - Wei et al., [*Finetuned Language Models Are Zero-Shot Learners*, arXiv 2109.01652](https://arxiv.org/abs/2109.01652)
# - Ouyang et al., [*Training language models to follow instructions with human feedback*, arXiv
#   2203.02155](https://arxiv.org/abs/2203.02155)
# - Zhou et al., [*LIMA: Less Is More for Alignment*, arXiv 2305.11206](https://arxiv.org/abs/2305.11206)
# - Shi et al., [*Instruction Tuning With Loss Over Instructions*, arXiv 2405.14394](https://arxiv.org/abs/2405.14394): where loss on
#   the prompt helps, namely for long prompts with short answers and few examples
# - Next: [lesson 31](31_clinic.ipynb), what goes wrong in silence. In the code: [`lessons/chat/template.py`](../chat/template.py),
#   [`lessons/chat/training/tuning.py`](../chat/training/tuning.py), [`transformer/learning/texts.py`](../../transformer/learning/texts.py);
#   `python -m lessons chat --train FILE.jsonl` takes conversations of your own
