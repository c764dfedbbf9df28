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

Fine-tuning begins where somebody else's long training ended. This lesson shows that training: batches, learning rate,
a run that is killed and goes on, what our base learnt, and in what way it is *not* what is usually called pretrained.
"""

# %%
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from matplotlib import pyplot as plt

from lessons.drawing.labels import legend_below
from lessons.task.base import load_base, model_card
from lessons.task.dictionary import load, pairs, vocabulary, words
from lessons.task.machine import set_threads
from lessons.task.pretrain import base_config
from lessons.task.scoring import evaluate, predict
from lessons.teaching import exercises_of, kept_mean, lit_diagram, quick, said_and_so, show_source
from transformer import (
    DecoderOnly,
    TrainingConfig,
    Transformer,
    collate,
    cosine_schedule,
    epoch_batches,
    generate,
    label_smoothed_cross_entropy,
    noam_schedule,
    parameter_groups,
    train,
)
from transformer.learning.batching import pad
from transformer.learning.training import one_step

set_threads()
lit_diagram("everything")

# %% [markdown]
# ## Two stages
#
# 1. **Pretraining**: a large model, much data, a task for which the data needs no teacher. The result is the *base*.
# 2. **Fine-tuning**: the base, little data, the task that one wants.
#
# The usual task of stage 1 is to guess a hidden part of a text from the rest: the next token (GPT), a masked one (BERT),
# a damaged stretch (T5, BART). The text is its own label. That is called *self-supervised*.
#
# ## The formula
#
# $$\theta \leftarrow \mathrm{AdamW}\big(\theta,\ \nabla_\theta L(\theta),\ \eta_t\big), \qquad
# L = -\frac{1}{n}\sum_{t} \log p(y_t \mid y_{<t}, x)$$
#
# $$\eta_t = d^{-1/2} \cdot \min\!\big(t^{-1/2},\ t \cdot w^{-3/2}\big) \quad \text{(the paper: up for } w \text{ steps, then down)}$$

# %%
show_source(noam_schedule, cosine_schedule, collate, epoch_batches, parameter_groups, one_step, train)

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
print([noam_schedule(step, d_model=4, warmup=4) for step in (1, 4, 16)])

# %%
card = model_card()
settings = card["training"]
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.9), layout="constrained")
steps = range(1, settings["steps"] + 1, 20)
for d_model, warmup in ((128, 400), (128, 4000), (512, 4000)):
    axes[0].plot(
        steps, [noam_schedule(step, d_model, warmup) for step in steps], label=f"d {d_model}, warm-up {warmup}"
    )
axes[0].set_title("the paper's schedule", fontsize=10)
base_rates = [
    settings["learning_rate"] * cosine_schedule(step, settings["steps"], settings["warmup"]) for step in steps
]
axes[1].plot(steps, base_rates, color="C2")
axes[1].set_title("the base's: warm-up, then half a cosine", fontsize=10)
for axis in axes:
    axis.set_xlabel("step")
    axis.set_ylabel("learning rate")
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# ## Batches by length
#
# A batch is a matrix, so short rows are filled up with padding, and padding is computed for nothing. Put words of like
# length together and little of it is left. We compare the two ways on real pairs. White is padding.

# %%
tokens = vocabulary()
chosen = words("american", "train", 3000 if quick() else 12000)
examples = pairs("american", chosen, all_pronunciations=True)
by_length = epoch_batches(examples, max_tokens=1000, seed=0, epoch=0)
order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(0)).tolist()
size = len(examples) // len(by_length)
by_chance = [order[start : start + size] for start in range(0, len(order) - size, size)]


def padding_share(batches: list[list[int]]) -> float:
    """The share of all places of the target matrices that is padding."""
    lengths = [[len(examples[index][1]) for index in batch] for batch in batches]
    return 1 - sum(map(sum, lengths)) / sum(max(batch) * len(batch) for batch in lengths)


figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
for axis, title, batches in zip(axes, ("words in random order", "words of like length"), (by_chance, by_length)):
    batch = collate([examples[index] for index in batches[1][:40]], tokens.pad_id, tokens.bos_id)
    axis.imshow(batch.labels != tokens.pad_id, cmap="Blues", vmin=0, vmax=1.4, aspect="auto", interpolation="nearest")
    axis.set_title(f"{title}: {100 * padding_share(batches):.1f} % padding", fontsize=10)
    axis.set_xlabel("place in the target")
axes[0].set_ylabel("row of a batch")
plt.show()

# %% [markdown]
# The price: a batch then holds words of one length only. The order of the batches is mixed anew in each epoch, from the
# seed and the number of the epoch alone.
#
# ## A short pretraining, live
#
# A smaller model than the base, on the same task, for seconds instead of the base's 38 minutes. We look at the loss, and
# we let the model decode at several steps.

# %%
small = replace(base_config(), d_model=64, num_encoder_layers=2, num_decoder_layers=2, d_ff=256, dropout=0.0)
count = 120 if quick() else 320
exam = words("american", "development", 60 if quick() else 150)
spoken = ["cat", "nation", "machine", "telephone"]
stops = [1, count // 8, count // 4, count // 2, count]
errors, sayings = {}, {}


def listen(step: int, loss: float) -> None:
    if step in stops:
        errors[step] = 100 * evaluate(model, exam, "american").phoneme_error
        sayings[step] = predict(model, spoken)


torch.manual_seed(0)
model = Transformer(small)
config = TrainingConfig(steps=count, learning_rate=3e-3, warmup=30, max_tokens=1000)
losses = train(model, examples, config, on_step=listen)
base = load_base()
base_error = 100 * evaluate(base, exam, "american").phoneme_error
sayings["base"] = predict(base, spoken)
print(f"{'step':<8}" + "".join(f"{word:<18}" for word in spoken))
for step, said in sayings.items():
    print(f"{step:<8}" + "".join(f"{said[word][:16]:<18}" for word in spoken))

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.9), layout="constrained")
axes[0].plot(range(1, count + 1), losses, linewidth=0.8)
axes[0].axhline(float(torch.tensor(len(tokens)).log()), color="#999999", linestyle=":", label="guessing evenly, ln 73")
axes[0].set_ylabel("training loss")
axes[1].plot(errors.keys(), errors.values(), "o-", label="this run")
axes[1].axhline(base_error, color="black", linestyle="--", label=f"the base: {base_error:.1f} %")
axes[1].set_ylabel("phoneme error on new words, %")
axes[1].set_ylim(bottom=0)
for axis in axes:
    axis.set_xlabel("step")
    axis.legend(fontsize=8)
plt.show()

# %% [markdown]
# First its output is empty, then the commonest sounds over and over, then the right consonants, and the vowels last: in English
# they depend on letters further away. (The first loss is above ln 73: random weights do not guess evenly.)
#
# ## Killed, and gone on
#
# A long run must survive a power cut. `train` keeps the weights, the optimizer's two moments and the losses. Which words
# and which dropout belong to step $n$ follows from the seed and $n$ alone. So a run that is killed and resumed must end with
# the *same* weights, not with similar ones. We try it: once whole, once killed at step 17 (the last kept step is 10).

# %%
config = TrainingConfig(steps=30, learning_rate=3e-3, warmup=5, max_tokens=400, checkpoint_every=10)


class PowerCutError(Exception):
    """Ends a run in the middle of a step."""


def cut(step: int, loss: float) -> None:
    if step == 17:
        raise PowerCutError


def fresh() -> Transformer:
    torch.manual_seed(1)
    return Transformer(base_config())  # the base's own shape, with its dropout


with tempfile.TemporaryDirectory() as folder:
    whole = fresh()
    whole_losses = train(whole, examples, config)
    file = Path(folder) / "training.safetensors"
    try:
        train(fresh(), examples, config, checkpoint=file, on_step=cut)
    except PowerCutError:
        print(f"killed at step 17; kept: {file.stat().st_size:,} bytes")
    steps_done: list[int] = []
    resumed = fresh()
    resumed_losses = train(
        resumed, examples, config, checkpoint=file, on_step=lambda step, loss: steps_done.append(step)
    )
print(f"resumed: did steps {steps_done[0]} to {steps_done[-1]}")
same = all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters()))
print("every weight equal to the last bit:", same, "  every loss equal:", whole_losses == resumed_losses)

# %% [markdown]
# ## What the base learnt
#
# The model card says how the base was made. How good it is depends on what one counts.

# %%
print(f"data      {card['data']}")
print(
    f"training  {settings['steps']:,} steps of {settings['max_tokens']:,} symbols, {card['seconds'] / 60:.0f} minutes, {card['threads']} thread, {settings['precision']}"
)
for accent, held_out in card["held_out"].items():
    print(
        f"{accent:<10}phoneme error {100 * held_out['phoneme_error']:4.1f} %   word error {100 * held_out['word_error']:4.1f} %   of {held_out['words']:,} new words"
    )

# %%
new = words("american", "development", 300 if quick() else 1200)
said, listed = predict(base, new), load("american")


def without_stress(text: str) -> str:
    return text.replace("ˈ", "").replace("ˌ", "")


groups = {"2-4": range(2, 5), "5-7": range(5, 8), "8-10": range(8, 11), "11+": range(11, 99)}
wrong = {word: said[word] not in listed[word] for word in new}
wrong_sounds = {word: without_stress(said[word]) not in map(without_stress, listed[word]) for word in new}
figure, axis = plt.subplots(figsize=(6, 2.9), layout="constrained")
for shift, label, table in ((-0.2, "sounds and stress", wrong), (0.2, "sounds only", wrong_sounds)):
    shares = [
        100 * sum(table[w] for w in new if len(w) in lengths) / sum(len(w) in lengths for w in new)
        for lengths in groups.values()
    ]
    bars = axis.bar([index + shift for index in range(len(groups))], shares, width=0.38, label=label)
    axis.bar_label(bars, fmt="%.0f", fontsize=8)
axis.set_xticks(range(len(groups)), groups)
axis.set_xlabel("letters in the word")
axis.set_ylabel("words wrong, %")
legend_below(figure, axis, columns=3)
plt.show()
print(
    f"all lengths: {100 * sum(wrong.values()) / len(new):.1f} % wrong; without counting stress {100 * sum(wrong_sounds.values()) / len(new):.1f} %"
)
for word in [word for word in new if wrong[word] and len(word) < 9][:5]:
    print(f"  {word}: says {said[word]}, the dictionary {' or '.join(listed[word])}")

# %% [markdown]
# ## Self-supervised: the same loop without a teacher
#
# Here is the usual kind of pretraining in small. The data are *letters of words*, nothing else. Each letter is the label of
# the letters before it. A decoder-only model (GPT's shape) learns which letters follow which.

# %%
sequences = [[tokens.bos_id, *tokens.encode_word(word)] for word in chosen]
unseen = pad(
    [[tokens.bos_id, *tokens.encode_word(word)] for word in words("american", "development", 300)], tokens.pad_id
)
shape = replace(small, num_encoder_layers=0)
torch.manual_seed(0)
speller = DecoderOnly(shape)
optimizer = torch.optim.AdamW(parameter_groups(speller, 3e-3, 0.01))


def next_letter_loss(ids: torch.Tensor) -> torch.Tensor:
    """The text is its own label, one step ahead."""
    return label_smoothed_cross_entropy(speller(ids[:, :-1]), ids[:, 1:], pad_id=tokens.pad_id)


def invented(count: int, seed: int) -> list[str]:
    start = torch.full((count, 1), tokens.bos_id)
    ids = generate(speller, start, 16, do_sample=True, generator=torch.Generator().manual_seed(seed))
    return [tokens.decode(row[1:].tolist()) for row in ids]


curve, drawn = {}, torch.Generator().manual_seed(0)
print("step 0:   ", "  ".join(invented(5, seed=0)))
rounds = 100 if quick() else 400
for step in range(1, rounds + 1):
    rows = torch.randint(len(sequences), (64,), generator=drawn).tolist()
    loss = next_letter_loss(pad([sequences[row] for row in rows], tokens.pad_id))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        with torch.no_grad():
            curve[step] = float(next_letter_loss(unseen))
print(f"step {rounds}: ", "  ".join(invented(8, seed=1)))
figure, axis = plt.subplots(figsize=(5.5, 2.6), layout="constrained")
axis.plot(curve.keys(), curve.values(), "o-", markersize=3)
axis.set_xlabel("step")
axis.set_ylabel("loss on new words")
axis.set_title("guess the next letter: no label was needed", fontsize=10)
plt.show()

# %% [markdown]
# It invents words that look English. No label says what a word is. A large language model does this with all the text that
# there is.
#
# **Be honest about our base.** It was *not* made this way. It saw pairs, a word and its pronunciation, so its pretraining was
# **supervised**, on one task. It plays the base's part all the same: a long training on much data, then a short one
# on little data of another kind.

# %%
said_and_so(
    said="Pretraining is in essence unsupervised learning.",
    so="It is self-supervised: there is a label and the usual cross-entropy, only the label is taken from the text itself. "
    "And it need not be: the base of this course was pretrained on labelled pairs.",
    shown_by="The run above: `next_letter_loss` compares `ids[:, 1:]` with what was guessed from `ids[:, :-1]`. The model "
    "card: 'all their pronunciations'.",
)
said_and_so(
    said="A pretrained base has general abilities that carry over to other tasks.",
    so="What carries over is what the two tasks share. American and British share letters, consonants and most rules: with "
    f"the base, 1,000 words and 300 steps give a British phoneme error of {100 * kept_mean('full', 'british', 'phoneme_error'):.1f} %; from random weights the "
    f"same words and steps give {100 * kept_mean('scratch', 'british', 'phoneme_error'):.1f} %. This base would not help with sentiment.",
    shown_by="The rows full and scratch of `lessons/results/report.json`, made by "
    "`python -m lessons compare --seeds 3 --test-words all`.",
)

# %% [markdown]
# ## The usual mistakes
#
# - **Step 0.** The paper's formula divides by the step: count from 1. Ours refuses 0 with a message.
# - **No warm-up.** Adam's first steps are as large as its later ones whatever the gradient's size; a post-norm model then
#   often fails (arXiv 2002.04745).
# - **Only the weights are kept.** Without the optimizer's moments and the place in the data, a resumed run is another run.
# - **Decay on everything.** Decay pulls biases and norms' gains towards 0, where they do not belong: see `parameter_groups`.
# - **Data behind a link.** The translation data of the annotated Transformer no longer download (its issues 73
#   and 96). Here the data lie in the repository, with a checksum.
# - **One loss, and no look at the output.** See lesson 7.

# %%
try:
    noam_schedule(0, 128)
except ValueError as error:
    print("ValueError:", error)

# %%
exercises_of(9)

# %% [markdown]
# ## Where to read on
#
# - *Attention Is All You Need*, section 5 (arXiv 1706.03762).
# - *Decoupled Weight Decay Regularization* (arXiv 1711.05101): AdamW.
# - *On Layer Normalization in the Transformer Architecture* (arXiv 2002.04745): why warm-up.
# - *BERT* (arXiv 1810.04805), *BART* (arXiv 1910.13461), *T5* (arXiv 1910.10683), *Language Models are Few-Shot Learners* (arXiv 2005.14165): which
#   part of the text is hidden.
# - `python -m lessons pretrain` makes a base anew.
