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

**The question.** In prompt tuning each vector in front of the word is trained alone. What if a small network makes them all, so
that they know each other? And does this network, as one often reads, look at the input?

**You will be able to**

- write down an LSTM, compute one by hand, and say what its gates do
- say what P-Tuning trains, what it keeps, and why the encoder is thrown away
- test whether a prompt depends on the input, and whether an encoder can be shared by two tasks

**Time:** 35 minutes. **Before it:** [prompt tuning](18_prompt_tuning.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.p_tuning import (
    ROWS,
    alike_before_and_after,
    british_model,
    by_hand,
    prompts_for,
    states_by_formula,
    without_encoder,
)
from lessons.experiments.p_tuning_figures import draw_encoder, draw_lengths, draw_lstm, draw_second_task
from lessons.experiments.p_tuning_study import (
    more_vectors_do_worse,
    prices_in_the_comparison,
    study_errors,
    untouched,
)
from lessons.experiments.p_tuning_tasks import (
    STARTS,
    caught_up,
    cmu_words,
    late,
    second_task,
    size_of_the_prompt,
    warm_prompt_losses,
    warm_prompt_rate,
)
from lessons.task.base import load_base
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate
from lessons.teaching import (
    claim,
    exercises_of,
    kept_run,
    lit_diagram,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from peft.p_tuning import EncodedPromptInput, PromptEncoder

set_threads()
torch.manual_seed(0)
lit_diagram("input_embedding", "prompt")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_encoder(),
    title="The prompt comes out of a network that reads its own rows, never the letters",
    alt="Three learnt rows E go up through a chain of LSTM cells from left to right, one from right to left, and two matrices: out come the "
    "three vectors of the prompt P. They stand in front of the letters c, a, t, below the frozen encoder and decoder. No arrow leads from "
    "the letters into the network.",
)

# %% [markdown]
# ## The idea
#
# In prompt tuning the vectors in front of the word are free numbers, and each gets a gradient of its own. **P-Tuning** puts a small
# network, the **prompt encoder**, between the free numbers and the prompt. What is trained is a table $E$ of $p$ rows and the
# encoder; what the model is given is the encoder's output $P$. So a step for one vector moves the others, too.
#
# The encoder of the paper is an LSTM that reads the rows of $E$ from both sides. When training is over, the network runs
# once more and is thrown away: what is left is a prompt as in [lesson 18](18_prompt_tuning.ipynb).

# %% [markdown]
# ## The formula
#
# $$P = \mathrm{encoder}(E), \qquad E \in \mathbb{R}^{p \times d}, \qquad x' = [\,P\,;\ \sqrt d\,E_{\text{tokens}}[\text{source}]\,]$$
#
# $$\text{LSTM:}\quad P = W_2\,\mathrm{relu}(W_1\,[\overrightarrow{\mathrm{LSTM}}(E)\,;\,\overleftarrow{\mathrm{LSTM}}(E)])
# \qquad \text{MLP:}\quad P = W_3\,\mathrm{relu}(W_2\,\mathrm{relu}(W_1 E))$$
#
# The word is *not* in the formula of $P$. With two LSTM layers, both directions, hidden size $h$ in each, it trains
# $p\,d + 8h(d + h + 2) + 8h(3h + 2) + (4h^2 + 2h) + (2hd + d)$ numbers.
#
# **The LSTM.** A *long short-term memory* reads rows one after the other. It carries two vectors along: the cell $c$, which is its
# memory, and $h$, which is what it gives out. At each row $x_t$ it computes three *gates* between 0 and 1 and a candidate for the memory:
#
# $$i = \sigma(W_i x_t + U_i h_{t-1} + b_i) \qquad f = \sigma(W_f x_t + U_f h_{t-1} + b_f) \qquad o = \sigma(W_o x_t + U_o h_{t-1} + b_o)$$
#
# $$g = \tanh(W_g x_t + U_g h_{t-1} + b_g) \qquad c_t = f \odot c_{t-1} + i \odot g \qquad h_t = o \odot \tanh(c_t)$$
#
# The forget gate $f$ says how much of the memory stays, the input gate $i$ how much of the candidate comes in, the output gate
# $o$ how much is given out. The memory is *added to*, not multiplied by a matrix at each row, so that gradients survive
# many rows ([Hochreiter and Schmidhuber 1997](https://doi.org/10.1162/neco.1997.9.8.1735)). Two of them, one from each
# end, make a bidirectional LSTM. (torch has two biases for each, which add up: hence $h + 2$ in the count.)

# %% [markdown]
# ## The code

# %%
show_source(PromptEncoder, EncodedPromptInput)

# %%
p, d, h = 5, 128, 64
by_formula = p * d + 8 * h * (d + h + 2) + 8 * h * (3 * h + 2) + (4 * h * h + 2 * h) + (2 * h * d + d)
counted = sum(each.numel() for each in PromptEncoder(p, d, h, "LSTM").parameters())
print(f"by the formula {by_formula:,}; counted {counted:,}; what is kept: {p * d}")

# %% [markdown]
# ## By hand
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

# %% tags=["hide-input"]
show_drawing(
    draw_lstm(),
    title="Two cells of the LSTM: the memory c runs along the top, and is halved and added to",
    alt="Each cell is given the row 1. The candidate is tanh 1 = 0.762, half of it comes into the memory. The memory is 0, then 0.381, then "
    "0.571; before each addition it is halved. What is given out is 0.182 and 0.258. An arrow carries h to the next cell.",
)

# %%
print("by torch:     ", [round(value, 4) for value in by_hand()(ROWS)[0].flatten().tolist()])
print("by the formula:", [round(out, 4) for _, _, out in states_by_formula()])

# %% [markdown]
# ## Experiment: does the prompt depend on the input?
#
# Many texts claim it. Look at the source above: `forward(self)` of the encoder takes nothing. And look at what comes out, from
# an encoder that was trained on British for 50 steps:

# %%
model = british_model()
some = ["cat", "schedule", "antidisestablishment"]
fronts = prompts_for(model, some)
for word, front in zip(some, fronts):
    print(f"{word:<22}first numbers of prompt 0: {[round(float(value), 4) for value in front[0, :4]]}")

# %% tags=["hide-input"]
claim(all(torch.equal(front, fronts[0]) for front in fronts), "the same vectors for every word")
said_and_so(
    said="The LSTM makes the virtual tokens dynamically: other inputs get other tokens. It understands long context in the input.",
    so="It never sees the input. It reads its own {rows} rows, and its output is the same {rows} vectors for every source. What it adds "
    "is a tie between the prompt's vectors while they are trained, and another path for the gradient. (There are prompts that do "
    "depend on the input, instance-aware ones; P-Tuning is not one of them.)",
    shown_by="the cell above: {words} words, the same vectors to the last bit",
    rows=len(fronts[0]),
    words=len(some),
)

# %% [markdown]
# ## Experiment: trained, the encoder runs once
#
# After training, $P$ is a constant. `drop_encoders` computes it and throws the network away. `save_pretrained` does the same
# for the file.

# %%
dropped = without_encoder(model)

# %% tags=["hide-input"]
claim(dropped.moved < 1e-4, "the logits stay", moved=dropped.moved)
claim(dropped.numbers[0] > 100 * dropped.numbers[1], "a hundred times fewer numbers")
prose(
    "The logits with and without the encoder differ by {moved:.0e}. On the model are {before:,} trained numbers before, {after:,} after "
    "(with one row for a new symbol); on disk {bytes:,} bytes. To encode eight words takes {slow:.1f} ms with the encoder and "
    "{fast:.1f} ms without.",
    moved=dropped.moved,
    before=dropped.numbers[0],
    after=dropped.numbers[1],
    bytes=dropped.on_disk,
    slow=dropped.milliseconds[0],
    fast=dropped.milliseconds[1],
)

# %% [markdown]
# ## Experiment: prompt tuning or P-Tuning?
#
# After training both are a matrix $P$. Only the way there differs. The saved comparison has both with five vectors
# (`python -m lessons compare`), and a saved study has 1, 5 and 10, each at its own searched rate
# (`python -m lessons.compare.prompt_study`):

# %%
kept_run("prompt_tuning", "p_tuning")

# %% tags=["hide-input"]
study = more_vectors_do_worse()
show_figure(
    draw_lengths(study_errors(), untouched()),
    title="P-Tuning is ahead at no length, and with ten vectors it is worse than no prompt at all",
    alt="British word error over 1, 5 and 10 vectors. P-Tuning: {encoded_1:.1f}, {encoded_5:.1f}, {encoded_10:.1f} %. Prompts from the "
    "vocabulary: {vocabulary_1:.1f}, {vocabulary_5:.1f}, {vocabulary_10:.1f} %. From random numbers: {random_1:.1f}, {random_5:.1f}, "
    "{random_10:.1f} %. A dashed line at {before:.1f} % is the base.",
    **study,
)
prose(
    "All lie near the base's {before:.1f} %: no prompt does much here, and [lesson 18](18_prompt_tuning.ipynb) says why. One vector "
    "from the encoder helps a little ({encoded_1:.1f} %); each further one does harm. The encoder does give one thing: its {seeds} seeds "
    "lie {encoded_range:.1f} points apart on average, those of prompt tuning {random_range:.1f} (random start) and "
    "{vocabulary_range:.1f} (vocabulary). It makes training steadier, not better.",
    **study,
)

# %% [markdown]
# What does the tie do to the vectors? We compare their directions, before training on British and after it.

# %%
encoded, free = (alike_before_and_after(method) for method in ("p_tuning", "prompt_tuning"))

# %% tags=["hide-input"]
numbers = dict(zip(("encoded_before", "encoded_after", "free_before", "free_after"), (*encoded, *free), strict=True))
base = load_base()
numbers["long"] = float(fronts[0].norm(dim=1).mean())
numbers["token"] = float((base.embedding_scale * base.source_embedding.weight.detach()).norm(dim=1).mean())
claim(numbers["long"] > 10 * numbers["token"], "its rows are far longer than any token's", **numbers)
claim(numbers["encoded_before"] > 0.95, "out of a new encoder all rows are nearly one", **numbers)
claim(numbers["encoded_after"] > 0.99 and numbers["free_after"] < 0.5, "after training they are one", **numbers)
prose(
    "The mean cosine between two different rows of a new encoder's prompt is {encoded_before:.2f}, and after training {encoded_after:.4f}: "
    "all five rows have the same direction. Free rows begin at {free_before:.2f} and end at {free_after:.2f}. So here the encoder "
    "says one thing five times, and loudly: its rows are {long:,.0f} long, those of the tokens {token:.0f} on average. That fits what the "
    "figure shows: more vectors bring nothing new.",
    **numbers,
)
said_and_so(
    said="P-Tuning is more flexible than prompt tuning, and suits tasks that are complex or need fine control.",
    so="What is used is the same kind of thing, {encoded_kept} vectors. Here it ends at {encoded_5:.1f} % British word error, prompt "
    "tuning at {vocabulary_5:.1f} %; with ten vectors at {encoded_10:.1f} and {vocabulary_10:.1f} %. The paper's gains are on large "
    "models, and partly from training the model as well.",
    shown_by="the figure above: {seeds} seeds, all held-out words, each at its own rate",
    encoded_kept=len(fronts[0]),
    **study,
)

# %% [markdown]
# ## Experiment: one encoder for several tasks?
#
# "The LSTM's parameters can be shared between tasks": then a new task should learn faster with an encoder that another task
# has trained. We have one, trained on British. The new task is American without stress marks (`cmu`).
#
# - **fresh**: everything new, everything trained. The control.
# - **warm start**: $E$ and the encoder from British, everything trained.
# - **shared, frozen**: the encoder from British and never changed; a new $E$ of $p \cdot d$ numbers is trained.
# - **warm prompt**: no encoder. It is thrown away, and the finished British $P$ is trained on as in prompt tuning. It tells
#   whether it is the *encoder* that carries something over, or only the place where the prompt starts.
#
# Where the encoder is trained, the rate is the one that the saved study found for five vectors; where it is frozen, that of
# prompt tuning. The warm prompt's is its own, since its numbers are large.

# %%
probe = cmu_words(60 if quick() else 200)
runs = {start: second_task(start, probe) for start in STARTS}
base_cmu = evaluate(base, probe, "cmu")

# %% tags=["hide-input"]
losses = {start: found for start, (found, _) in runs.items()}
numbers = {
    "fresh": late(losses["fresh"]),
    "warm": late(losses["warm start"]),
    "frozen": late(losses["shared, frozen"]),
    "prompt": late(losses["warm prompt"]),
    "size": size_of_the_prompt(),
    "rate": warm_prompt_rate(),
    "small": min(warm_prompt_losses()),
    "at_small": warm_prompt_losses()[min(warm_prompt_losses())],
    "fresh_first": losses["fresh"][0],
    "warm_first": losses["warm start"][0],
    "caught": caught_up(losses["fresh"], losses["warm start"]),
    "steps": len(losses["fresh"]),
    "base": 100 * base_cmu.phoneme_error,
    "base_words": 100 * base_cmu.word_error,
    "fresh_error": 100 * runs["fresh"][1].phoneme_error,
    "fresh_words": 100 * runs["fresh"][1].word_error,
    "warm_error": 100 * runs["warm start"][1].phoneme_error,
    "warm_words": 100 * runs["warm start"][1].word_error,
}
claim(numbers["warm_first"] < numbers["fresh_first"] - 1, "the warm start begins lower", **numbers)
claim(abs(numbers["warm"] - numbers["fresh"]) < 0.2, "both end level", **numbers)
claim(numbers["caught"] < numbers["steps"] / 2, "the lead is soon gone", **numbers)
claim(numbers["frozen"] > numbers["fresh"] + 1, "frozen, the encoder is far worse", **numbers)
claim(numbers["base_words"] > 99 and numbers["fresh_words"] < 95, "some words lose their stress marks", **numbers)
claim(min(numbers["fresh_error"], numbers["warm_error"]) > numbers["base"], "more phonemes are wrong", **numbers)
claim(numbers["warm"] < numbers["prompt"] < numbers["frozen"] - 1, "the warm prompt ends between them", **numbers)
show_figure(
    draw_second_task(losses),
    title="Warm or fresh, both end near a loss of {warm:.1f}; with the encoder frozen, at {frozen:.1f}",
    alt="The loss over {steps} steps of the second task. Fresh begins at {fresh_first:.1f}, the warm start at "
    "{warm_first:.1f}; they end at {fresh:.2f} and {warm:.2f}. Shared and frozen ends at {frozen:.2f}, the warm prompt at {prompt:.2f}.",
    **numbers,
)
prose(
    "- The warm start begins lower than the fresh one ({warm_first:.1f} and {fresh_first:.1f}). From step {caught} on nothing is left of "
    "that: they end at {warm:.2f} and {fresh:.2f}.\n"
    "- The British encoder, frozen, ends far above a fresh one that may learn ({frozen:.2f}). A new $E$ behind it finds no way to the new "
    "task within these steps. A network that was trained on five rows of one task has not learnt to make prompts; it has learnt to make "
    "*those*.\n"
    "- The warm prompt begins at the same place as the warm start and ends at {prompt:.2f}. Its numbers are {size:.0f} in size on the mean, so "
    "it needs a rate of {rate:g}; with {small:g} it ends at {at_small:.2f}. So a good part of the way needs no encoder. The encoder makes "
    "the rest quicker, and lets a usual rate do.",
    **numbers,
)
prose(
    "What is decoded says less good of all of them. The untuned base has {base:.1f} % phoneme error and {base_words:.0f} % word error (it "
    "puts a stress mark into every word). The fresh start has {fresh_error:.1f} and {fresh_words:.0f} %, the warm one {warm_error:.1f} and "
    "{warm_words:.0f} %: some words are right now, without their stress marks, and more symbols are wrong in the others. Neither order is in favour of sharing.",
    **numbers,
)
said_and_so(
    said="The LSTM's parameters can be shared by several tasks, which helps generalization and saves training on each.",
    so="They can be: E and the encoder are one network. It does not help here. Frozen, the British encoder is worse on the second task than "
    "a new one ({frozen:.1f} against {fresh:.1f}); as a start it is ahead until step {caught} of {steps}, and at the end the two are level. One "
    "pair of tasks, one seed. What is kept is P, for each task its own, exactly as in prompt tuning.",
    shown_by="the figure above",
    **numbers,
)

# %% [markdown]
# ## What it trains, gains, costs

# %% tags=["hide-input"]
prose(
    "P-Tuning trains {p_tuning_trains:,} numbers where prompt tuning trains {prompt_tuning_trains:,}, {times:.0f} times as many, and keeps as "
    "large a file ({p_tuning_bytes:,} and {prompt_tuning_bytes:,} bytes). It takes about as long ({p_tuning_seconds:.0f} and "
    "{prompt_tuning_seconds:.0f} s): an LSTM over five rows is little work. It has all the prices of a prompt.",
    **prices_in_the_comparison(),
)

# %% [markdown]
# | | prompt tuning | P-Tuning | P-Tuning v2 ([lesson 21](21_p_tuning_v2.ipynb)) |
# |---|---|---|---|
# | trained | $P$ | $E$ and an encoder that makes $P$ | keys and values of every layer |
# | kept | $P$ | $P$ | keys and values |
# | where | before the first layer | before the first layer (the paper: *inside* a template) | every attention |
# | takes room and positions | yes | yes | no |

# %% [markdown]
# ## The usual mistakes
#
# - **"It looks at the input."** See above.
# - **The encoder is kept and run at each call.** It gives the same vectors each time.
# - **Dropout in the LSTM while saving.** The kept vectors would be random. `result()` switches to evaluation first.
# - **The optimizer goes on after the encoder is dropped.** The kept $P$ is a new parameter: the optimizer has to be made anew.
# - **Rows that nothing reads, on encoder-decoders.** As in lesson 18, Hugging Face PEFT makes $2p$ rows there and uses the first $p$.
# - **Paper and HF PEFT differ.** The paper puts the vectors between the words of a template, e.g. 3 before, 3 between, 3
#   after. HF PEFT and this course put all in front. The paper's LSTM has hidden size $d/2$ in each direction.
# - **Which "P-Tuning"?** In the paper's few-shot part the model itself is trained as well (the
#   [README of P-Tuning v2](https://github.com/THUDM/P-tuning-v2) explains the mix-up). Here, as in HF PEFT, the model is frozen.

# %% [markdown]
# ## Three questions
#
# <details><summary>Two rows of E are equal. Are the two vectors of the prompt equal?</summary>
#
# With the LSTM no: the second is read after the first, and the memory differs. With the MLP yes: it looks at each row alone.
#
# </details>
#
# <details><summary>The forget gate is always 1 and the input gate always 0. What does the LSTM give out?</summary>
#
# The memory stays what it was at the beginning, 0. So $h = o \odot \tanh(0) = 0$ at every row, whatever is read.
#
# </details>
#
# <details><summary>Why may the encoder be thrown away after training, and LoRA's matrices not?</summary>
#
# The encoder's input $E$ is fixed, so its output is a constant that can be kept. LoRA's matrices are applied to an $x$ that differs
# for each word; they can be added to the weights, but not be replaced by a constant.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(19)

# %% [markdown]
# ## Summary
#
# - An LSTM carries a memory along; gates decide what stays, what comes in, what is given out.
# - P-Tuning trains such a network to make the prompt. It never sees the input, and only its output is kept.
# - On this base it is steadier than prompt tuning and nowhere better: its rows become one. Its encoder is of no use to a second task.

# %% [markdown]
# ## Where to read on
#
# - Liu et al., [*GPT Understands, Too*, arXiv 2103.10385](https://arxiv.org/abs/2103.10385): the paper
# - Liu et al., [*P-Tuning v2*, arXiv 2110.07602](https://arxiv.org/abs/2110.07602): what its authors changed a few months later
# - Jin et al., [*Instance-aware Prompt Learning*, arXiv 2201.07126](https://arxiv.org/abs/2201.07126): prompts that do depend on the
#   input
# - Next: [lesson 20](20_prefix_tuning.ipynb), a prompt for every layer. In the code: [`peft/p_tuning.py`](../../peft/p_tuning.py)
