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
# 20. Prefix tuning

**The question.** A prompt enters below the first layer, and the layers above see only what is left of it
([lesson 18](18_prompt_tuning.ipynb)). What if *every* attention of *every* layer found some learnt keys and values in front
of the real ones? Then nothing stands in the input, no word moves and no weight changes. Is that enough to speak British?

**You will be able to**

- put learnt keys and values in front of those of an attention, with the mask that belongs to them
- say what a prefix does to an attention as one formula, and check it
- say what is trained, what is kept, and what a prefix set by hand is worth

**Time:** 45 minutes. **Before it:** attention and its softmax, from [lesson 3](03_attention.ipynb); prompt tuning, from
[lesson 18](18_prompt_tuning.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.lora_relatives import kept_adapter
from lessons.experiments.prefix_tuning import (
    KEYS,
    PREFIX,
    QUERY,
    VALUES,
    british_error,
    errors_with,
    keys_and_values,
    mixture_error,
    prefixes_of,
    shares_by_head,
    trained_from,
    with_prefixes,
)
from lessons.experiments.prefix_tuning_figures import draw_bars, draw_prefix, draw_shares, draw_starts
from lessons.experiments.prefix_tuning_kept import (
    a_file_for_each_task,
    prefixes_in_the_comparison,
    real_text_on_a_large_model,
)
from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.machine import set_threads
from lessons.task.scoring import predict
from lessons.teaching import (
    claim,
    exercises_of,
    kept_run,
    lit_diagram,
    lowest,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from peft.prefix_tuning import PrefixAttend, PrefixTrunk
from transformer.attention import Attend

set_threads()
torch.manual_seed(0)
lit_diagram("attention", "keys_values")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_prefix(),
    title="One learnt pair in front: the prefix takes a third of the weights, and pulls the output to 3",
    alt="A query 0 meets three keys: 7 of the prefix, which is learnt, and 5 and -2 of two words. All scores are 0, all weights "
    "a third. The values are 6 of the prefix, learnt, and 0 and 3 of the words; the output is 3. Without the prefix it is 1.5.",
)

# %% [markdown]
# ## The idea
#
# An attention is a lookup: a query is compared with all keys, and a mixture of the values comes back. A *prefix* adds rows to
# both lists. These rows belong to no word. They are found by gradient descent, one set for each attention, and the model
# itself stays frozen.
#
# A model that writes on shows what it is for. The task "write about films with enthusiasm" was trained into a prefix of three.
#
# | | |
# |---|---|
# | input | **[Prefix1] [Prefix2] [Prefix3]** "I want to watch a movie." |
# | question | none in words: write on, as the prefix has it |
# | answer | a text, such as "that is exciting and fun." |
# | where is the instruction? | in the prefix. It gives the context; there is no prompt outside of it |
#
# It is written as if [Prefix1] were a word before "I". Exactly, it is this: in *each* attention of *each* layer, the list of
# keys has three more rows in front, and the list of values too. "I" is still the word at position 0 (in this course; models
# that are driven through a cache of keys and values count the prefix as positions, see the mistakes below).
#
# | | prompt ([lesson 18](18_prompt_tuning.ipynb)) | prefix |
# |---|---|---|
# | the input becomes | 3 vectors longer | no longer |
# | layer 1 looks up | 3 + 7 keys, made from 3 + 7 vectors | 3 learnt keys + 7 made from words |
# | layer 2 looks up | what layer 1 made of those 3 vectors | 3 *other* learnt keys + 7 |
#
# A word of the vocabulary is *discrete*: this one or that one, nothing in between, and there is no gradient to follow from one
# to the next. The rows of a prefix are *continuous*: each number can be moved a little, downhill. That is why they are easier
# to find than good words, and they can be what no word is.

# %% [markdown]
# ## The formula
#
# $$\mathrm{Attn}(Q, [P_K; K], [P_V; V]) \qquad P_K, P_V \in \mathbb{R}^{p \times d} \text{ for each attention}$$
#
# For any query $q$ the result is a mixture ([He et al., arXiv 2110.04366](https://arxiv.org/abs/2110.04366)):
#
# $$\mathrm{Attn}(q, [P_K; K], [P_V; V]) = \lambda\,\mathrm{Attn}(q, P_K, P_V) + (1 - \lambda)\,\mathrm{Attn}(q, K, V),
# \qquad \lambda = \frac{\sum_{\text{prefix}} e^{q \cdot k / \sqrt{d_{head}}}}{\sum_{\text{all}} e^{q \cdot k / \sqrt{d_{head}}}}$$
#
# With strength $\lambda$, which depends on the query, the prefix's output is added, and what the words gave is weakened. A
# prompt does the same, but its keys and values are free only in the first layer; above, they are what the layers below made of
# them. A prefix has its own in all of them.
#
# $P_K$ and $P_V$ are not trained directly. While training, a small network makes them out of one matrix $E$:
#
# $$[P_K, P_V]_{\text{layer } l} = \tanh(E\,W^\top + b)\,W_l^\top + b_l$$
#
# - At the end the keys and values are computed once and kept, and the network is dropped.
# - The encoder's self-attention, the decoder's self-attention and the cross-attention have an $E$ each: three prefixes.
# - A prefix has no queries. Nothing is computed *for* it; it is only looked *at*. It has no position either.
# - The mask gets $p$ columns of True in front. The cache of the decoder does not know of it.
#
# Trained: for each kind of attention $p\,d + (d\,h + h) + L(2dh + 2d)$, with $h$ the network's width. Kept: $2\,p\,d$ for each
# attention. An encoder-decoder with $L_e$ and $L_d$ layers has $L_e + 2 L_d$ of them.

# %% [markdown]
# ## The code

# %%
show_source(PrefixTrunk, PrefixAttend)

# %% [markdown]
# ## By hand
#
# The numbers of the drawing. One feature, a query $q = 0$: all scores are 0, so the weights are equal. Two words with values 0
# and 3, and one prefix with value 6.
#
# $$\text{words alone: } \tfrac12 \cdot 0 + \tfrac12 \cdot 3 = 1.5 \qquad
# \text{with the prefix: } \tfrac13 \cdot 6 + \tfrac13 \cdot 0 + \tfrac13 \cdot 3 = 3$$
#
# The prefix took a share $\lambda = \frac13$ of the weights. As a mixture: $\lambda \cdot 6 + (1 - \lambda) \cdot 1.5 = 2 + 1 = 3$.
# And a prefix of zeros is *not* nothing: $\frac13 \cdot 0 + \frac23 \cdot 1.5 = 1$.

# %%
for row in (PREFIX, torch.zeros(1, 2)):
    small = PrefixAttend(Attend(), row)
    print(f"prefix [key, value] {row[0].tolist()}: {small(QUERY, KEYS, VALUES).item():.4f}")
print(f"without a prefix: {Attend()(QUERY, KEYS, VALUES).item():.4f}")

# %% [markdown]
# The formula of the mixture, in every attention of a trained model: the British adapter that comes with the course has ten keys
# and values in each.

# %%
model = kept_adapter("prefix_tuning")
prefixes = prefixes_of(model)
print(f"{len(prefixes)} attentions, each with [P_K, P_V] of {tuple(next(iter(prefixes.values())).prefix.shape)}")
print(f"λ · prefix + (1 - λ) · words, and the attention, differ by {mixture_error(model, 'schedule'):.1e} at most")

# %% [markdown]
# ## Experiment: what it reaches on the base
#
# The saved comparison (`python -m lessons compare --seeds 5 --test-words all`): the same 1,000 British words and 300 steps for
# each technique, each at its own searched rate, all held-out words.

# %% tags=["hide-input"]
kept_run("prompt_tuning", "prefix_tuning", "p_tuning_v2", "lora", "full")
prose(
    "Of the {before:.1f} % British word error of the base, prompt tuning leaves {prompt_tuning:.1f}, prefix tuning "
    "{prefix_tuning:.1f}, LoRA {lora:.1f}. The answer to the question is yes, for the greater part: nothing but rows to look up, "
    "and the accent comes. Prefixes without the network ([lesson 21](21_p_tuning_v2.ipynb)) leave {p_tuning_v2:.1f}, "
    "with twice as many keys.",
    **{
        name: value
        for name, value in prefixes_in_the_comparison().items()
        if name in ("before", "prompt_tuning", "prefix_tuning", "lora", "p_tuning_v2")
    },
)
said_and_so(
    said="Its advantages: it needs little computing, and training is short.",
    so="It needs less *memory* ({prefix_tuning_memory:.0f} MB, full fine-tuning {full_memory:.0f}), because a frozen matrix has no gradient, "
    "so that its inputs need not be kept for it, and no optimizer states. The same steps take {prefix_tuning_seconds:.0f} s, full fine-tuning "
    "{full_seconds:.0f}: each step still goes through the whole model, forwards and backwards.",
    shown_by="the columns `seconds` and `peak, MB` above",
    **{name: value for name, value in prefixes_in_the_comparison().items() if name.endswith(("memory", "seconds"))},
)
prose(
    "**What is stored for each task** is the better reason. A prefix is a file of {prefix:.0f} kB, all weights are {full:,.0f} kB: "
    "{times:.0f} times as much. For {tasks} tasks that is one base and {tasks} prefixes, {all_prefixes:.0f} MB, against "
    "{all_full:.0f} MB. One model serves all tasks. (Trained are {trained:,} numbers; most of them are the network's, and are not "
    "in the file.)",
    **{name: value for name, value in a_file_for_each_task().items() if name != "prompt_pairs"},
)

# %% [markdown]
# ## Experiment: how much do the heads look at it?
#
# $\lambda$ for each head of each attention: the mean over all letters or sounds of many words. 0 means that the prefix is
# ignored there, 1 that the head looks at nothing else.

# %%
probe = words("british", "development", 60 if quick() else 200)
seven_letters = [word for word in probe if len(word) == 7][:20]
shares = shares_by_head(model, seven_letters, prompt=10)

# %% tags=["hide-input"]
every = [share for row in shares.values() for share in row]
numbers = {
    "most": max(every),
    "where": max(shares, key=lambda name: max(shares[name])),
    "least": min(every),
    "half": sum(share > 0.5 for share in every),
    "heads": len(every),
    "mean": sum(every) / len(every),
    "equal": 10 / 18,
}
claim(numbers["least"] < 0.02 and numbers["most"] > 0.8, "from next to nothing to nearly all", most=numbers["most"])
claim(numbers["where"].startswith("decoder"), "the head that looks most at it is the decoder's", most=numbers["most"])
claim(numbers["mean"] < numbers["equal"], "less than an equal share on average", mean=numbers["mean"])
show_figure(
    draw_shares(shares),
    title="Some heads hardly see the prefix, others see little else: λ from {least:.2f} to {most:.2f}",
    alt="A picture with a row for each of nine attentions and a column for each of four heads; each cell says λ. The largest, "
    "{most:.2f}, stands in the row {where}; {half} of {heads} are above one half.",
    **{name: numbers[name] for name in ("least", "most", "where", "half", "heads")},
)
prose(
    "The mean is {mean:.2f}. In the encoder and in cross-attention ten keys among 10 + 8 would have {equal:.2f} if all were looked at alike; in the "
    "decoder's self-attention, which sees fewer sounds, more. So the training has "
    "decided head by head how far the prefix is to replace what the words say.",
    mean=numbers["mean"],
    equal=numbers["equal"],
)

# %% [markdown]
# ## Experiment: where does it work?
#
# We leave the adapter as it was trained and let only some of its prefixes take part. The others are switched off: the base's
# attention stands there.

# %%
places = {
    "none": lambda path: False,
    "encoder, first layer only": lambda path: path.startswith("encoder.layers.0."),
    "encoder, all layers": lambda path: path.startswith("encoder"),
    "decoder self-attention": lambda path: path.startswith("decoder") and "self" in path,
    "cross-attention": lambda path: "cross" in path,
    "all but the first layers": lambda path: ".layers.0." not in path,
    "all": lambda path: True,
}
found = errors_with(model, places, probe)

# %% tags=["hide-input"]
numbers = {
    "none": found["none"],
    "encoder": found["encoder, all layers"],
    "first": found["encoder, first layer only"],
    "decoder": found["decoder self-attention"],
    "cross": found["cross-attention"],
    "all": found["all"],
    "number": len(prefixes),
    "base": british_error(load_base(), probe),
}
claim(abs(numbers["encoder"] - numbers["none"]) < 1, "the encoder's prefixes alone do nothing", **numbers)
claim(
    numbers["decoder"] < numbers["cross"] - 2 < numbers["none"] - 2, "the decoder's self-attention does most", **numbers
)
claim(lowest(found) == "all", "all together are the best", **numbers)
claim(numbers["none"] < numbers["base"], "with none a little better than the base", **numbers)
show_figure(
    draw_bars(found, len(probe), marked=("none",)),
    title="The decoder's prefixes do the work: {decoder:.1f} % with those of its self-attention alone, {encoder:.1f} % with the encoder's",
    alt="Bars of British phoneme error with some of the prefixes: none {none:.1f} %, encoder {encoder:.1f} %, decoder self-attention "
    "{decoder:.1f} %, cross-attention {cross:.1f} %, all {all:.1f} %.",
    **{name: numbers[name] for name in ("none", "encoder", "decoder", "cross", "all")},
)
prose(
    "That fits the task: the letters are the same in both accents, the sounds are not. With no prefix at all it is {none:.1f} %, and the "
    "base has {base:.1f}, because the adapter's row for a symbol that pretraining never saw is still there.",
    none=numbers["none"],
    base=numbers["base"],
)
said_and_so(
    said="A prefix is a set of trainable vectors in front of the model's input.",
    so="That is prompt tuning. A prefix stands in front of the keys and values of every attention of every layer: here in {number} "
    "places. The input keeps its length and its positions, and a prefix before the first layer alone does nothing here: "
    "{first:.1f} % in place of {none:.1f}.",
    shown_by="`place` and `forward` in `peft/prefix_tuning.py`; the bars above",
    **{name: numbers[name] for name in ("number", "first", "none")},
)

# %% [markdown]
# ## Experiment: by hand, or trained?
#
# A prefix can be *fixed*, set by hand: take the keys and values that the base itself computes on some *real* text, and keep them.
# It is a memory of an example: the model "has just read" *bath* and "has just pronounced" it the British way. We try several
# examples and two controls.

# %%
base = load_base()
by_hand = ["bath"] if quick() else ["bath", "water", "tomato"]
settings = {f"by hand: {word}": keys_and_values(base, word) for word in by_hand}
settings["zeros"] = {path: torch.zeros(10, 2 * base.config.d_model) for path in prefixes}
settings["N(0, 1)"] = {path: torch.randn(10, 2 * base.config.d_model) for path in prefixes}
errors = {"no prefix": british_error(base, probe)}
errors |= {name: british_error(with_prefixes(rows), probe) for name, rows in settings.items()}
errors["trained"] = found["all"]

# %% tags=["hide-input"]
hand = [error for name, error in errors.items() if name.startswith("by hand")]
numbers = {
    "none": errors["no prefix"],
    "zeros": errors["zeros"],
    "trained": errors["trained"],
    "best": min(hand),
    "worst": max(hand),
}
claim(numbers["best"] > 2 * numbers["none"], "by hand far worse than no prefix", **numbers)
claim(hand == sorted(hand), "the longer the example the more harm", **numbers)
claim(numbers["none"] < numbers["zeros"] < 1.2 * numbers["none"], "zeros cost little", **numbers)
show_figure(
    draw_bars(errors, len(probe), marked=("no prefix",)),
    title="Set by hand: {best:.0f} to {worst:.0f} %; no prefix: {none:.1f} %; trained: {trained:.1f} %",
    alt="Bars of British phoneme error: without a prefix {none:.1f} %, from real text {best:.0f} to {worst:.0f} %, zeros {zeros:.1f} %, "
    "trained {trained:.1f} %.",
    **numbers,
)
shown = ["dance", "better", "laboratory"]
print("with 'bath' in front:", predict(with_prefixes(settings["by hand: bath"]), shown))
print("no prefix:           ", predict(base, shown))

# %% [markdown]
# By hand it is far worse than no prefix at all, and the longer example does the most harm. Why? This model was trained on one
# word at a time. It has never seen an example beside its word. So it takes the letters of *bath* for letters of this word, and the
# sounds of *bath* for sounds that it has decoded already. Zeros cost little; they only take their share.
#
# Large language models are another case. Their texts are full of examples before a task, so they can read a prefix of real
# text as one.
#
# The paper found another use for real text: as the place to *start* from. On its language models that helped. We train free keys
# and values (no network), from N(0, 1) and from real text, at two learning rates.

# %%
steps, start_word = (3, "bath") if quick() else (25, "tomato")
rows = settings[f"by hand: {start_word}"]
starts = {"N(0, 1)": None, "real text": rows}
runs = {
    (start, rate): trained_from(begin, len(rows["encoder.layers.0.self_attention.attend"]), rate, steps)
    for start, begin in starts.items()
    for rate in (0.01, 0.1)
}
ends = {key: british_error(trained, probe) for key, (trained, _) in runs.items()}

# %% tags=["hide-input"]
numbers = {
    "random": min(ends["N(0, 1)", rate] for rate in (0.01, 0.1)),
    "text": min(ends["real text", rate] for rate in (0.01, 0.1)),
    "steps": steps,
}
claim(numbers["random"] < numbers["text"] - 1, "from real text it is worse here", **numbers)
show_figure(
    draw_starts({key: losses for key, (_, losses) in runs.items()}),
    title="As a start, real text loses here: {text:.1f} % after {steps} steps, from N(0, 1) {random:.1f} %",
    alt="The loss over {steps} steps, from both starts at two learning rates each. At its better rate the start from N(0, 1) ends at "
    "{random:.1f} % British phoneme error, real text at {text:.1f} %.",
    **numbers,
)
said_and_so(
    said="A prefix can be fixed, that is set by hand, or it can be trained.",
    so="Both exist. On this base only the trained one is of use: from {best:.0f} to {worst:.0f} % phoneme error with three set by hand, "
    "{none:.1f} % without a prefix, {trained:.1f} % with the trained one. As a start of the training real text was worse than N(0, 1) "
    "here too. It depends on the base. In Hugging Face PEFT's benchmark on {model}, which has three billion parameters, the start from real text was the best of "
    "{runs} (with a quarter of the virtual tokens, one seed): {real:.0f} % of the questions right, the others {other:.0f} % at most.",
    shown_by="the figures above; `method_comparison/MetaMathQA` of Hugging Face PEFT",
    best=min(hand),
    worst=max(hand),
    none=errors["no prefix"],
    trained=errors["trained"],
    **real_text_on_a_large_model(),
)

# %% [markdown]
# ## What it trains, what it gains, what it costs
#
# | | trains | gain | price |
# |---|---|---|---|
# | prefix tuning | $p\,d + (d\,h + h) + L(2dh + 2d)$ for each kind of attention; keeps $2pd$ per attention | a small file for each task; no position moves; no room taken from the words; works in every layer | every attention has $p$ more keys, always; nothing merges; start and rate matter, so it takes more trials |
#
# Its neighbour, prompt tuning ([lesson 18](18_prompt_tuning.ipynb)):
#
# | | prompt | prefix |
# |---|---|---|
# | changes | the input embeddings | keys and values of every attention |
# | what it is thought of as | an instruction, like the words one would write | context that each layer looks up |
# | deeper layers get | what the layers before made of the prompt | vectors of their own |
# | goes through norms, $W_K$, $W_V$, feed forward | yes | no |
# | counts towards `max_length`, has positions | yes | no |

# %% tags=["hide-input"]
said_and_so(
    said="Prefix tuning is suited to natural language generation.",
    so="The paper did generation, so it is written that way. Nothing in the formula needs it: P-Tuning v2 is the same thing on "
    "classification, and our task is neither free text nor classes.",
    shown_by="`PTuningV2Config` is a `PrefixTuningConfig`: `peft/p_tuning_v2.py`; lesson 21",
)

# %% [markdown]
# ## The usual mistakes
#
# - **The mask grows on the wrong side** ([huggingface/peft#674](https://github.com/huggingface/peft/issues/674)): the prefix is in
#   front, so the new columns are in front.
# - **The prefix is put into the cache again at each step** of decoding. Here it is never in the cache.
# - **"Zeros change nothing."** A zero key still takes its share. See above.
# - **Positions.** With a prefix that goes through a cache of keys and values the words count from $p$ on (GPT-2 in the
#   paper's code, Hugging Face PEFT). In the paper's BART code they count from 0, as here. An adapter trained in one way does not
#   work in the other.
# - **The network is kept and run at each call.** Drop it: `drop_encoders`, or save and load.

# %% tags=["hide-input"]
said_and_so(
    said="Hugging Face PEFT does prefix tuning on encoder-decoder models (T5, BART).",
    so="Not as in the paper. Only the decoder's self-attention gets a prefix, neither the encoder nor the cross-attention. And the "
    "slots are handed out wrongly: of L prefixes, layer l takes number 2l mod L. With four layers that is {slots}: the others are "
    "never used and get no gradient. This course follows the paper's own code: three prefixes.",
    shown_by="huggingface/peft, issues 410 and 1188, pull request 2989; `peft/prefix_tuning.py`, Note",
    slots=", ".join(str(2 * layer % 4) for layer in range(4)),
)

# %% [markdown]
# ## Three questions
#
# <details><summary>The values of a prefix are all zero, its keys are not. Does it do anything?</summary>
#
# Yes. It takes a share $\lambda$ of the weights and gives nothing for it, so what the words say is made smaller by
# $1 - \lambda$. A head can be switched off in this way.
#
# </details>
#
# <details><summary>Can a prefix change which word a head prefers among the words?</summary>
#
# Not in the same layer: all words lose by the same factor $1 - \lambda$, and their ratios stay. In the next layer it can, because
# the vectors that the queries and keys are made from have changed.
#
# </details>
#
# <details><summary>Why can it not be merged into the weights?</summary>
#
# The softmax counts its keys beside the words' keys, at each query anew. No matrix that is applied to a word can do that.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(20)

# %% [markdown]
# ## Summary
#
# - A prefix is $p$ learnt keys and values in front of those of every attention. It is lookup, not text: no positions, no queries.
# - It mixes: $\lambda$ of what the prefix says and $1 - \lambda$ of what the words say, and each query decides its $\lambda$.
# - A small network makes the keys and values while training; only they are kept, a small file for each task.
# - Here the decoder's prefixes do the work. A prefix set by hand is worse than none on this base.

# %% [markdown]
# ## Where to read on
#
# - Li and Liang, [*Prefix-Tuning: Optimizing Continuous Prompts for Generation*, arXiv
#   2101.00190](https://arxiv.org/abs/2101.00190)
# - He et al., [*Towards a Unified View of Parameter-Efficient Transfer Learning*, arXiv
#   2110.04366](https://arxiv.org/abs/2110.04366): the mixture formula, and how prefixes, adapters and LoRA are relatives
# - Petrov, Torr and Bibi, [*When Do Prompting and Prefix-Tuning Work?*, arXiv
#   2310.19698](https://arxiv.org/abs/2310.19698): what a prefix cannot do
# - Next: [lesson 21](21_p_tuning_v2.ipynb), the same without the network. In the code:
#   [`peft/prefix_tuning.py`](../../peft/prefix_tuning.py)
