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

Every attention finds some learned keys and values in front of the real ones. Nothing stands in the input, no word moves,
and no weight changes: each layer is just given something more to look up.
"""

# %%
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from torch import nn

import lessons
from lessons.drawing.labels import legend_below
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, load, pairs, vocabulary, words
from lessons.task.finetuning import adapter_config, training_config
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate, predict
from lessons.teaching import exercises_of, kept_run, lit_diagram, quick, said_and_so, show_source
from peft import PeftModel, PTuningV2Config, get_peft_model
from peft.prefix_tuning import PrefixAttend, PrefixTrunk
from transformer import record_attention, train
from transformer.attention import Attend, scaled_dot_product_attention

set_threads()
torch.manual_seed(0)
HERE = Path(lessons.__file__).parent
lit_diagram("attention", "keys_values")

# %% [markdown]
# ## The formula
#
# $$\mathrm{Attn}(Q, [P_K; K], [P_V; V]) \qquad P_K, P_V \in \mathbb{R}^{p \times d} \text{ for each attention}$$
#
# $$[P_K, P_V]_{\text{layer } l} = \tanh(E\,W^\top + b)\,W_l^\top + b_l$$
#
# - The second line is only for training: a small network makes all keys and values out of one matrix $E$. At the end they are
#   computed once, kept, and the network is dropped.
# - The encoder's self-attention, the decoder's self-attention and the cross-attention have an $E$ each: three prefixes.
# - A prefix has no queries. Nothing is computed *for* it; it is only looked *at*. It has no position either.
# - The mask gets $p$ columns of True in front. The cache of the decoder does not know of it.
#
# Kept: $2\,p\,d$ numbers for each attention. An encoder-decoder with $L_e$ and $L_d$ layers has $L_e + 2 L_d$ of them.

# %%
show_source(PrefixTrunk, PrefixAttend)

# %% [markdown]
# ## A worked example
#
# A model that writes on. The task "write about films with enthusiasm" was trained into a prefix of three.
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
# | | prompt (lesson 18) | prefix |
# |---|---|---|
# | the input becomes | 3 vectors longer | no longer |
# | layer 1 looks up | 3 + 7 keys, made from 3 + 7 vectors | 3 learned keys + 7 made from words |
# | layer 2 looks up | what layer 1 made of those 3 vectors | 3 *other* learned keys + 7 |
#
# ## By hand
#
# One feature, a query $q = 0$: all scores are 0, so the weights are equal. Two words with values 0 and 3, and one prefix with
# value 6.
#
# $$\text{words alone: } \tfrac12 \cdot 0 + \tfrac12 \cdot 3 = 1.5 \qquad
# \text{with the prefix: } \tfrac13 \cdot 6 + \tfrac13 \cdot 0 + \tfrac13 \cdot 3 = 3$$
#
# The prefix took a share $\lambda = \frac13$ of the weights. The same result in another way:
# $\lambda \cdot 6 + (1 - \lambda) \cdot 1.5 = 2 + 1 = 3$. And a prefix of zeros is *not* nothing:
# $\frac13 \cdot 0 + \frac23 \cdot 1.5 = 1$.

# %%
query, keys, values = torch.zeros(1, 1, 1, 1), torch.tensor([[[[5.0], [-2.0]]]]), torch.tensor([[[[0.0], [3.0]]]])
for prefix_key, prefix_value in ((7.0, 6.0), (0.0, 0.0)):
    small = PrefixAttend(Attend(), torch.tensor([[prefix_key, prefix_value]]))
    print(f"prefix key {prefix_key}, value {prefix_value}: {small(query, keys, values).item():.4f}")
print(f"without a prefix: {Attend()(query, keys, values).item():.4f}")

# %% [markdown]
# ## The same on the real model
#
# For any query,
#
# $$\mathrm{Attn}(q, [P_K; K], [P_V; V]) = \lambda\,\mathrm{Attn}(q, P_K, P_V) + (1 - \lambda)\,\mathrm{Attn}(q, K, V),
# \qquad \lambda = \frac{\sum_{\text{prefix}} e^{q \cdot k / \sqrt{d_{head}}}}{\sum_{\text{all}} e^{q \cdot k / \sqrt{d_{head}}}}$$
#
# So a prefix is a mixture: with strength $\lambda$, which depends on the query, add the prefix's output, and take away from
# the words' output. We check it in every attention of the shipped British adapter (`lessons/adapters/british/prefix_tuning`,
# ten keys and values in each).

# %%
model = PeftModel.from_pretrained(load_base(), HERE / "adapters" / "british" / "prefix_tuning")
prefixes = {path: layer for path, layer in model.adapters["default"].layers.items() if isinstance(layer, PrefixAttend)}
print(f"{len(prefixes)} attentions, each with [P_K, P_V] of {tuple(next(iter(prefixes.values())).prefix.shape)}")
tokens, base = vocabulary(), load_base()
source = torch.tensor([tokens.encode_word("schedule")])
target = torch.tensor([tokens.encode_pronunciation(load("british")["schedule"][0])])
differences = []


def check(layer: PrefixAttend, inputs: tuple, output: torch.Tensor) -> None:
    """The output of one attention against λ · prefix + (1 - λ) · words."""
    query, key, value, mask = inputs
    heads = key.shape[1]
    own = layer.rows().reshape(-1, 2, heads, key.shape[-1]).permute(1, 2, 0, 3)[:, None]
    of_prefix, _ = scaled_dot_product_attention(query, own[0], own[1])
    of_words, _ = scaled_dot_product_attention(query, key, value, mask)
    scores = query @ torch.cat([own[0], key], dim=2).transpose(-2, -1) / key.shape[-1] ** 0.5
    if mask is not None:
        hidden = nn.functional.pad(~mask.expand(1, 1, query.shape[2], key.shape[2]), (own.shape[3], 0))
        scores = scores.masked_fill(hidden, float("-inf"))
    share = scores.softmax(dim=-1)[..., : own.shape[3]].sum(dim=-1, keepdim=True)
    differences.append(float((share * of_prefix + (1 - share) * of_words - output).abs().max()))


hooks = [layer.register_forward_hook(check) for layer in prefixes.values()]
with torch.no_grad():
    model(source, target)
for hook in hooks:
    hook.remove()
print(f"the two sides differ by {max(differences):.1e} at most, over {len(differences)} attentions")

# %% [markdown]
# ## How much do the heads look at it?
#
# $\lambda$ for each head of each attention: the mean over all letters or sounds of many words. 0 means that the prefix is
# ignored there, 1 that the head looks at nothing else.

# %%
probe = words("british", "development", 60 if quick() else 200)
chosen = [word for word in probe if len(word) == 7][:20]
sources = torch.tensor([tokens.encode_word(word) for word in chosen])
shares = {}
with torch.no_grad(), record_attention(model) as maps:
    for row, word in zip(sources, chosen):
        model(row[None], torch.tensor([tokens.encode_pronunciation(load("british")[word][0])]))
for path, recorded in maps.items():
    shares[path] = torch.stack([weights[0, :, :, :10].sum(dim=-1).mean(dim=-1) for weights in recorded]).mean(dim=0)
names = [
    path.removeprefix("base_model.").replace(".layers.", " ").replace("_attention", "").replace(".", " ")
    for path in shares
]
table = torch.stack(list(shares.values()))
figure, axis = plt.subplots(figsize=(5.2, 3.6), layout="constrained")
image = axis.imshow(table, cmap="Purples", vmin=0, vmax=1, aspect="auto")
axis.set_yticks(range(len(names)), names)
axis.set_xticks(range(table.shape[1]), [f"head {head}" for head in range(table.shape[1])])
for row in range(table.shape[0]):
    for head in range(table.shape[1]):
        dark = float(table[row, head]) > 0.5
        axis.text(head, row, f"{table[row, head]:.2f}", ha="center", va="center", color="white" if dark else "black")
figure.colorbar(image, label="λ: share of the prefix")
plt.show()
print(f"mean over all: {table.mean():.2f}; an equal share of 10 among 10 + 8 keys would be {10 / 18:.2f}")

# %% [markdown]
# ## Where does it work?
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
found = {}
for name, takes_part in places.items():
    for path in prefixes:
        model.slot(path).active = ("default",) if takes_part(path) else ()
    found[name] = 100 * evaluate(model, probe, "british").phoneme_error
figure, axis = plt.subplots(figsize=(6, 2.8), layout="constrained")
bars = axis.barh(list(found), list(found.values()), color="C3")
axis.bar_label(bars, fmt="%.1f", fontsize=8, padding=2)
axis.invert_yaxis()
axis.set_xlabel(f"British phoneme error, %, {len(probe)} words")
axis.set_title("which of the trained prefixes take part", fontsize=10)
axis.margins(x=0.1)
plt.show()

# %% [markdown]
# Here the decoder's prefixes do most of the work, and those of the encoder nothing when they are alone. That fits the task:
# the letters are the same in both accents, the sounds are not. ("None" is a little better than the base, because the
# row of the new symbol is still there.)

# %%
said_and_so(
    "A prefix is a set of trainable vectors in front of the model's input.",
    "That is prompt tuning. A prefix stands in front of the keys and values of every attention of every layer: here in nine "
    "places. The input keeps its length and its positions, and a prefix before the first layer alone does nothing here.",
    "`place` and `forward` in `peft/prefix_tuning.py`; the bars above",
)

# %% [markdown]
# ## By hand or trained?
#
# A prefix can be set by hand: take the keys and values that the base itself computes on some *real* text, and keep them. It is
# a memory of an example: the model "has just read" *bath* and "has just pronounced" it the British way. We try several examples
# and three controls.

# %%


@torch.no_grad()
def keys_and_values(word: str, spoken: str) -> dict[str, torch.Tensor]:
    """[K, V] that the base computes in each attention on this word and its pronunciation: (letters or sounds, 2 d)."""
    kept: dict[str, torch.Tensor] = {}

    def keep(path: str):
        return lambda module, inputs, output: kept.__setitem__(path, output[0])

    hooks = [
        module.register_forward_hook(keep(path))
        for path, module in base.named_modules()
        if path.endswith(("k_proj", "v_proj"))
    ]
    base(torch.tensor([tokens.encode_word(word)]), torch.tensor([tokens.encode_pronunciation(spoken)]))
    for hook in hooks:
        hook.remove()
    places = [path.removesuffix(".k_proj") for path in kept if path.endswith("k_proj")]
    return {f"{path}.attend": torch.cat([kept[f"{path}.k_proj"], kept[f"{path}.v_proj"]], dim=1) for path in places}


def with_prefixes(rows: dict[str, torch.Tensor]) -> PeftModel:
    made = get_peft_model(load_base(), PTuningV2Config(num_virtual_tokens=10))
    for path, layer in made.adapters["default"].layers.items():
        layer.prefix = nn.Parameter(rows[path].clone())
    return made.eval()


torch.manual_seed(0)
by_hand = ["bath", "water", "tomato"] if not quick() else ["bath"]
settings = {f"by hand: {word}": keys_and_values(word, load("british")[word][0]) for word in by_hand}
settings["zeros"] = {path: torch.zeros(10, 256) for path in prefixes}
settings["random, N(0, 1)"] = {path: torch.randn(10, 256) for path in prefixes}
errors = {"no prefix": 100 * evaluate(base, probe, "british").phoneme_error}
errors |= {name: 100 * evaluate(with_prefixes(rows), probe, "british").phoneme_error for name, rows in settings.items()}
errors["trained"] = found["all"]
for name, error in errors.items():
    print(f"{name:<22}{error:>6.1f} %")
shown = ["dance", "better", "laboratory"]
print("\nwith 'bath' in front:", predict(with_prefixes(settings["by hand: bath"]), shown))
print("no prefix:           ", predict(base, shown))

# %% [markdown]
# By hand it is far worse than no prefix at all, and the longer example does the most harm. Why? This model was trained on one
# word at a time. It has never seen an example beside its word. So it takes the letters of *bath* for letters of this word, and the
# sounds of *bath* for sounds that it has decoded already: *laboratory* loses its beginning. Zeros cost little; they only take
# their share.
#
# Large language models are another case. Their texts are full of examples before a task, so they can read a prefix of real
# text as one.

# %% [markdown]
# ### By hand as a start
#
# The paper found another use for real text: as the place to *start* from. On its language models that helped. We train free keys and values (no network), from
# N(0, 1) and from *tomato*, at two learning rates.

# %%
steps = 3 if quick() else 25
examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
start_word = "bath" if quick() else "tomato"
figure, axis = plt.subplots(figsize=(5.4, 2.9), layout="constrained")
ends = {}
for start, colour in (("random", "C0"), ("real text", "C1")):
    for rate, line in ((0.01, "-"), (0.1, "--")):
        torch.manual_seed(0)
        length = len(settings[f"by hand: {start_word}"]["encoder.layers.0.self_attention.attend"])
        trained = get_peft_model(load_base(), adapter_config("p_tuning_v2", num_virtual_tokens=length))
        if start == "real text":
            for path, layer in trained.adapters["default"].layers.items():
                if isinstance(layer, PrefixAttend):
                    layer.prefix = nn.Parameter(settings[f"by hand: {start_word}"][path].clone())
        losses = train(trained, examples, training_config(steps, rate, seed=0))
        ends[start, rate] = 100 * evaluate(trained, probe, "british").phoneme_error
        axis.plot(losses, line, color=colour, label=f"{start}, rate {rate}: error {ends[start, rate]:.1f} %")
        print(f"from {start:<10} rate {rate:<5} loss {losses[-1]:.2f}, phoneme error {ends[start, rate]:.1f} %")
axis.set_xlabel("step")
axis.set_ylabel("loss")
axis.set_yscale("log")
legend_below(figure, axis, columns=2)
plt.show()

# %%
said_and_so(
    "A prefix can be fixed, that is set by hand, or it can be trained.",
    "Both exist. On this base only the trained one is of use: three set by hand gave 47 to 94 % phoneme error, no prefix 21 %, "
    "the trained one 12 %. As a start of the training, real text was worse than N(0, 1) here too. It depends on the base: in "
    "Hugging Face PEFT's benchmark on a language model of three billion parameters, the start from real text was the best one "
    "(`method_comparison/MetaMathQA`).",
    "the table and the figure above",
)

# %% [markdown]
# ## What it trains, what it gains, what it costs
#
# The saved full run (`python -m lessons compare`, 300 steps, 3 seeds, the whole test part):

# %%
kept_run("prompt_tuning", "prefix_tuning", "p_tuning_v2", "lora")

# %% [markdown]
# | | trains | gain | price |
# |---|---|---|---|
# | prefix tuning | $p\,d + (d\,h + h) + L(2dh + 2d)$ for each kind of attention; keeps $2pd$ per attention | a small file; no position moves; no room taken from the words; works in every layer | every attention has $p$ more keys, always; nothing merges; start and rate matter |
#
# "Suited to generation" is often written because the paper did generation. Nothing in the formula needs it: P-Tuning v2 (lesson 21)
# is the same thing on classification.
#
# ## Its neighbour: prompt tuning (lesson 18)
#
# | | prompt | prefix |
# |---|---|---|
# | changes | the input embeddings | keys and values of every attention |
# | deeper layers get | what the layers before made of the prompt | vectors of their own |
# | goes through norms, W_K, W_V, feed forward | yes | no |
# | counts towards `max_length`, has positions | yes | no |
# | here, British phoneme error | 44 % | 12 % |
#
# ## The usual mistakes

# %%
said_and_so(
    "Hugging Face PEFT does prefix tuning on encoder-decoder models (T5, BART).",
    "Not as in the paper. Only the decoder's self-attention gets a prefix, neither the encoder nor the cross-attention. And "
    "the slots are handed out wrongly: of L prefixes, layer l takes number 2l mod L, so with four layers numbers 1 and 3 "
    "are never used and get no gradient. This course follows the paper's own code: three prefixes.",
    "HF PEFT, issues 410 and 1188, pull request 2989; the line below; `peft/prefix_tuning.py`, Note",
)
for layers in (3, 4):
    print(f"{layers} layers take prefixes number {[2 * layer % layers for layer in range(layers)]}")

# %% [markdown]
# - **The mask grows on the wrong side** (HF PEFT, issue 674): the prefix is in front, so the new columns are in front.
# - **The prefix is put into the cache again at each step** of decoding. Here it is never in the cache.
# - **"Zeros change nothing."** A zero key still takes its share. See above.
# - **Positions.** With a prefix that goes through a cache of keys and values the words count from $p$ on (GPT-2 in the
#   paper's code, HF PEFT). In the paper's BART code they count from 0, as here. An adapter trained in one way does not
#   work in the other.
# - **The network is kept and run at each call.** Drop it: `drop_encoders`, or save and load.

# %%
exercises_of(20)

# %% [markdown]
# ## Where to read on
#
# - *Prefix-Tuning: Optimizing Continuous Prompts for Generation* (arXiv 2101.00190).
# - *Towards a Unified View of Parameter-Efficient Transfer Learning* (arXiv 2110.04366): the mixture formula, and how prefixes, adapters
#   and LoRA are relatives.
# - *P-Tuning v2* (arXiv 2110.07602): lesson 21.
# - *When Do Prompting and Prefix-Tuning Work?* (arXiv 2310.19698): what a prefix cannot do.
