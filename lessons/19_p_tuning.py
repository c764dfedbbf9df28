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
# 19. P-Tuning

The vectors in front of the words come out of a small network, so that they are trained together and not each alone.
When training is over the network runs once more, and is thrown away: what is left is a prompt as in lesson 18.
"""

# %%
import copy
import tempfile
import time
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from torch import nn

from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, load, pairs, vocabulary, words
from lessons.task.finetuning import adapted, rate_of, training_config
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate
from lessons.teaching import exercises_of, kept_run, lit_diagram, quick, said_and_so, show_source
from peft import PeftModel, drop_encoders
from peft.p_tuning import EncodedPromptInput, PromptEncoder
from transformer import train

set_threads()
torch.manual_seed(0)
lit_diagram("input_embedding", "prompt")

# %% [markdown]
# ## The formula
#
# $$P = \mathrm{encoder}(E), \qquad E \in \mathbb{R}^{p \times d}, \qquad x' = [\,P\,;\ \sqrt d\,E_{\text{tokens}}[\text{source}]\,]$$
#
# $$\text{LSTM:}\quad P = W_2\,\mathrm{relu}(W_1\,[\overrightarrow{\mathrm{LSTM}}(E)\,;\,\overleftarrow{\mathrm{LSTM}}(E)])
# \qquad \text{MLP:}\quad P = W_3\,\mathrm{relu}(W_2\,\mathrm{relu}(W_1 E))$$
#
# - $E$ and the encoder are trained. The model is frozen.
# - The LSTM reads the $p$ rows of $E$ from left to right and from right to left. So each prompt vector knows the others.
# - The word is *not* in the formula. $P$ does not depend on the source.
#
# Trained with the LSTM (two layers, both directions, hidden size $h$ in each):
# $p\,d + 8h(d + h + 2) + 8h(3h + 2) + (4h^2 + 2h) + (2hd + d)$.

# %%
show_source(PromptEncoder, EncodedPromptInput)

# %%
p, d, h = 5, 128, 64
by_formula = p * d + 8 * h * (d + h + 2) + 8 * h * (3 * h + 2) + (4 * h * h + 2 * h) + (2 * h * d + d)
encoder = PromptEncoder(p, d, h, "LSTM")
print(
    f"by the formula {by_formula:,}; counted {sum(each.numel() for each in encoder.parameters()):,}; what is kept: {p * d}"
)

# %% [markdown]
# ## The LSTM
#
# A *long short-term memory* reads rows one after the other. It carries two vectors along: the cell $c$, which is its memory, and
# $h$, which is what it gives out. At each row $x_t$ it computes three *gates* between 0 and 1 and a candidate for the memory:
#
# $$i = \sigma(W_i x_t + U_i h_{t-1} + b_i) \qquad f = \sigma(W_f x_t + U_f h_{t-1} + b_f) \qquad o = \sigma(W_o x_t + U_o h_{t-1} + b_o)$$
#
# $$g = \tanh(W_g x_t + U_g h_{t-1} + b_g) \qquad c_t = f \odot c_{t-1} + i \odot g \qquad h_t = o \odot \tanh(c_t)$$
#
# The forget gate $f$ says how much of the memory stays, the input gate $i$ how much of the candidate comes in, the output gate
# $o$ how much is given out. The memory is *added to*, not multiplied through a matrix at each row, so that gradients survive
# many rows ([Hochreiter and Schmidhuber 1997](https://doi.org/10.1162/neco.1997.9.8.1735)). Two of them, one from each
# end, make a bidirectional LSTM. (torch has two biases for each, which add up: hence $h + 2$ in the formula above.)
#
# ## By hand: one LSTM, one number
#
# One feature, one direction, two prompt rows that are *equal*: $E = (1, 1)$. The weights: the candidate is $g = \tanh(x)$,
# and all three gates have weights 0, so they are $\sigma(0) = 0.5$.
#
# | | $g$ | $c = 0.5\,c_{\text{before}} + 0.5\,g$ | $h = 0.5 \tanh(c)$ |
# |---|---|---|---|
# | row 1 | $\tanh 1 = 0.7616$ | $0.3808$ | $0.1817$ |
# | row 2 | $0.7616$ | $0.1904 + 0.3808 = 0.5712$ | $0.2581$ |
#
# The same row gives another vector at the second place, because the cell remembers the first. A free prompt (lesson 18) has
# no such tie: there each row is alone.

# %%
lstm = nn.LSTM(1, 1)
with torch.no_grad():
    for parameter in lstm.parameters():
        parameter.zero_()
    lstm.weight_ih_l0[2] = 1.0  # torch's order of the gates: input, forget, candidate, output
    print("by torch:", [round(float(value), 4) for value in lstm(torch.ones(2, 1))[0]])

# %% [markdown]
# ## Does the prompt depend on the input?
#
# Many texts claim it. Look at the source above: `forward(self)` of the encoder takes nothing. And look at what comes out:

# %%
model = adapted("p_tuning").eval()
tokens, base = vocabulary(), load_base()
some = ["cat", "schedule", "antidisestablishment"]
with torch.no_grad():
    fronts = [model.embed_source(torch.tensor([tokens.encode_word(word)]))[0][0, :p] for word in some]
for word, front in zip(some, fronts):
    print(f"{word:<22}first numbers of prompt 0: {[round(float(value), 4) for value in front[0, :4]]}")
print("all the same, to the last bit:", all(torch.equal(front, fronts[0]) for front in fronts))

# %%
said_and_so(
    "The LSTM makes the virtual tokens dynamically: other inputs get other tokens. It understands long context in the input.",
    "It never sees the input. It reads its own p rows, and its output is the same p vectors for every source. What it adds "
    "is a tie between the prompt's vectors while they are trained, and another path for the gradient. (There are prompts "
    "that do depend on the input (arXiv 2201.07126); P-Tuning is not one of them.)",
    "the cell above: three words, the same vectors to the last bit",
)

# %% [markdown]
# ## Trained: the encoder runs once
#
# After training, $P$ is a constant. `drop_encoders` computes it and throws the network away. `save_pretrained` does the same
# for the file. Let us train a little and look.
#
# A prompt moves the letters by five positions. On this base that costs nothing (lesson 18), so the runs below leave it so, as
# the saved report does. Set `IN_PLACE = True` to turn the table of positions by five, so that each letter keeps its own.

# %%
IN_PLACE = False
steps = 3 if quick() else 50
examples = {accent: pairs(accent, fine_tuning_words(accent), all_pronunciations=True) for accent in ("british", "cmu")}


def fresh(method: str) -> PeftModel:
    changed = load_base()
    if IN_PLACE:
        changed.source_positions.table = changed.source_positions.table.roll(p, dims=0)
    return adapted(method, seed=0, base=changed)


def train_on(model: PeftModel, accent: str, rate: float) -> list[float]:
    return train(model, examples[accent], training_config(steps, rate, seed=0))


def site_of(model: PeftModel) -> EncodedPromptInput:
    return model.base_model.source_input.layers["default"]


trained = fresh("p_tuning")
encoded_losses = train_on(trained, "british", rate_of("p_tuning"))
learned = copy.deepcopy(site_of(trained).encoder)

# %%
trained.eval()
source = torch.tensor([tokens.encode_word("laboratory")] * 8)
target = torch.tensor([tokens.encode_pronunciation(load("british")["laboratory"][0])] * 8)


def milliseconds(run: PeftModel) -> float:
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        run.encode(source)
        taken.append(1000 * (time.perf_counter() - start))
    return sorted(taken)[10]


with torch.no_grad():
    before, with_encoder = trained(source, target), milliseconds(trained)
    count = trained.get_nb_trainable_parameters()[0]
    drop_encoders(trained)
    after, without = trained(source, target), milliseconds(trained)
print(f"largest difference of the logits: {(before - after).abs().max():.1e}")
print(
    f"numbers on the model: {count:,} before, {trained.get_nb_trainable_parameters()[0]:,} after (with one row for a new symbol)"
)
print(f"encoding eight words: {with_encoder:.1f} ms with the encoder, {without:.1f} ms without")
with tempfile.TemporaryDirectory() as folder:
    trained.save_pretrained(folder)
    print(f"on disk: {(Path(folder) / 'adapter_model.safetensors').stat().st_size:,} bytes")

# %% [markdown]
# ## Prompt tuning or P-Tuning?
#
# After training both are a matrix $P$. Only the way there differs. The same steps, each at its own searched rate:

# %%
free = fresh("prompt_tuning")
free_losses = train_on(free, "british", rate_of("prompt_tuning"))
probe = words("british", "development", 60 if quick() else 200)
alone = 100 * evaluate(base, probe, "british").phoneme_error
error_free = 100 * evaluate(free, probe, "british").phoneme_error
error_encoded = 100 * evaluate(trained, probe, "british").phoneme_error
figure, axis = plt.subplots(figsize=(5, 2.7), layout="constrained")
axis.plot(free_losses, label=f"prompt tuning: error {error_free:.1f} %", color="C0")
axis.plot(encoded_losses, label=f"P-Tuning: error {error_encoded:.1f} %", color="C1")
axis.set_xlabel("step")
axis.set_ylabel("loss")
axis.set_title(f"{steps} steps, {len(probe)} words; base alone: {alone:.1f} %", fontsize=10)
axis.legend(fontsize=8)
plt.show()
print(f"prompt tuning {error_free:.1f} %, P-Tuning {error_encoded:.1f} %, base alone {alone:.1f} %")

# %% [markdown]
# 200 words and one seed do not tell a small difference from a random one. The saved comparison has all held-out words, several
# seeds and 300 steps (`python -m lessons compare`):

# %%
kept_run("prompt_tuning", "p_tuning")

# %% [markdown]
# ## One encoder for several tasks?
#
# "The LSTM's parameters can be shared between tasks": then a new task should learn faster with an encoder that another task
# has trained. We have one, trained on British. The new task is American without stress marks (`cmu`).
#
# - **fresh**: everything new, everything trained. The control.
# - **warm start**: $E$ and the encoder from British, everything trained.
# - **shared, frozen**: the encoder from British and never changed; a new $E$ of $p \cdot d$ numbers is trained, at the rate of
#   prompt tuning, since it is as few numbers.
# - **warm prompt**: no encoder. It is thrown away, and the finished British $P$ is trained on as in prompt tuning. It tells
#   whether it is the *encoder* that carries something over, or only the place where the prompt starts.

# %%
cmu_words = [word for word in words("british", "development", 400) if word in load("cmu")][: 60 if quick() else 200]


def second_task(start: str) -> tuple[PeftModel, list[float]]:
    """A model after the second task, and its losses."""
    model = fresh("p_tuning")
    site, rate = site_of(model), rate_of("p_tuning")
    new_rows = site.encoder.embedding.detach().clone()
    if start != "fresh":
        site.encoder.load_state_dict(learned.state_dict())
    if start == "shared, frozen":
        site.encoder.requires_grad_(False)
        with torch.no_grad():
            site.encoder.embedding.copy_(new_rows)
        site.encoder.embedding.requires_grad_(True)
        rate = rate_of("prompt_tuning")
    if start == "warm prompt":
        drop_encoders(model)
        rate = rate_of("prompt_tuning")
    return model, train_on(model, "cmu", rate)


base_cmu = evaluate(base, cmu_words, "cmu")
print(
    f"{'base, untuned':<16}{'':<12}phoneme error {100 * base_cmu.phoneme_error:.1f} %, word error {100 * base_cmu.word_error:.0f} %"
)
figure, axis = plt.subplots(figsize=(5.6, 3), layout="constrained")
for start in ("fresh", "warm start", "shared, frozen", "warm prompt"):
    model, losses = second_task(start)
    found = evaluate(model, cmu_words, "cmu")
    late = sum(losses[-10:]) / len(losses[-10:])
    axis.plot(losses, label=f"{start}: error {100 * found.phoneme_error:.0f} %")
    print(
        f"{start:<16}loss {late:.2f}   phoneme error {100 * found.phoneme_error:.1f} %, word error {100 * found.word_error:.0f} %"
    )
axis.set_title(f"the second task (cmu); base alone: {100 * base_cmu.phoneme_error:.0f} %", fontsize=10)
axis.set_xlabel("step")
axis.set_ylabel("loss")
axis.legend(fontsize=8)
plt.show()
print("(loss: mean of the last ten steps)")

# %% [markdown]
# Read the losses first.
#
# - The warm start begins lower than the fresh one, and after fifteen steps nothing of that is left: both end near 1.4.
# - The British encoder, frozen, is *worse* than a fresh one that may learn (2.7). A new $E$ behind it finds no way to the new task.
#   A network that was trained on five rows of one task has not learned to make prompts; it has learned to make *those*.
# - The warm prompt begins at the same place as the warm start and gets on much more slowly. So what helps is that the encoder is
#   *trained*, not that it was.
#
# The phoneme errors go the other way: after 50 steps none is below the untuned base. The runs with the lowest
# loss have begun to leave stress marks out (word error below 100 %: the base puts one into every word) and have more
# errors in the other symbols. Neither order is in favour of sharing.

# %%
said_and_so(
    "The LSTM's parameters can be shared by several tasks, which helps generalization and saves training on each.",
    "They can be: E and the encoder are one file. It does not help here. Frozen, the British encoder is worse on the second "
    "task than a new one; as a start it saves some fifteen steps, and at the end the two are level. One pair of tasks, one "
    "seed, 50 steps. What is kept is P, for each task its own, exactly as in prompt tuning.",
    "the figure above",
)

# %% [markdown]
# ## What it trains, what it gains, what it costs
#
# | | trains | gain | price |
# |---|---|---|---|
# | P-Tuning | $E$ and the encoder: here 232,320 numbers, to get 640 | an easier way to the same kind of prompt | the largest number of trained parameters per kept number; all prices of prompt tuning (time was the same here: an LSTM over five rows is little work) |
#
# ## Its neighbours
#
# | | prompt tuning | P-Tuning | P-Tuning v2 (lesson 21) |
# |---|---|---|---|
# | trained | $P$ | $E$ and an encoder that makes $P$ | keys and values of every layer |
# | kept | $P$ | $P$ | keys and values |
# | where | before the first layer | before the first layer (the paper: *inside* a template) | every attention |
# | takes room and positions | yes | yes | no |
#
# ## The usual mistakes
#
# - **"It looks at the input."** See above.
# - **The encoder is kept and run at each call.** It gives the same vectors each time.
# - **Dropout in the LSTM while saving.** The kept vectors would be random. `result()` switches to evaluation first.
# - **The optimizer goes on after the encoder is dropped.** The kept $P$ is a new parameter: the optimizer has to be made anew.
# - **Dead rows on encoder-decoders.** As in lesson 18, Hugging Face PEFT makes $2p$ rows there and uses the first $p$.
# - **Paper and HF PEFT differ.** The paper puts the vectors between the words of a template, e.g. 3 before, 3 between, 3
#   after. HF PEFT and this course put all in front. The paper's LSTM has hidden size $d/2$ in each direction.
# - **Which "P-Tuning"?** In the paper's few-shot part the model itself is trained as well (the README of P-Tuning v2 explains
#   the mix-up). Here, as in HF PEFT, the model is frozen.

# %%
exercises_of(19)

# %% [markdown]
# ## Where to read on
#
# - *GPT Understands, Too* (arXiv 2103.10385): the paper.
# - *P-Tuning v2* (arXiv 2110.07602): what its authors changed a few months later; lesson 21.
# - *Instance-aware Prompt Learning* (arXiv 2201.07126): prompts that do depend on the input.
