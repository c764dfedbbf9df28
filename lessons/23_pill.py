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
# 23. PILL

Tokens of different types go through different small experts, and a gate lets a new type of token in little by little.
The paper uses it to make a language model read images; here the two types are vowels and consonants.
"""

# %%
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from torch import nn

import lessons
from lessons.drawing.labels import legend_below
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, pairs, vocabulary, words
from lessons.task.finetuning import adapter_config, letter_types, rate_of, training_config
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate
from lessons.teaching import exercises_of, kept_run, lit_diagram, quick, said_and_so, show_source
from peft import PeftModel, get_peft_model
from peft.pill import set_stage
from peft.pill_layers import AdaptedSelfAttention, GatedValues, GLUAdapter, RoutedFeedForward
from transformer import train

set_threads()
torch.manual_seed(0)
HERE = Path(lessons.__file__).parent
lit_diagram("attention", "feed_forward", "adapter")

# %% [markdown]
# ## The formula
#
# | | |
# |---|---|
# | adapter | $\mathrm{GLU}(x) = U\,(\mathrm{silu}(G x) \odot D x), \qquad G, D \in \mathbb{R}^{r \times d},\; U \in \mathbb{R}^{d \times r}$ |
# | feed forward | $\mathrm{FFN}(x + \mathrm{GLU}_t(x))$, where $t$ is the type of the token: one expert for each type |
# | self-attention | reads $x + \mathrm{GLU}(x)$: one adapter for all types |
# | values, for each head | $\tanh(W_g x)\,V$, only for tokens of a new type |
#
# - Type 0 is what the base knows. Types 1, 2, ... are new to it.
# - Which expert a token gets is *given*, by its type. Nothing chooses. (In a mixture of experts a router learns to choose.)
# - $U = 0$ and $W_g = 0$ at the start. So the adapters do nothing at first, and a new token's values are 0.
#
# Trained: $3\,r\,d$ for each expert and each self-attention, $d \cdot \text{heads}$ for each gate.

# %%
show_source(GLUAdapter, RoutedFeedForward, AdaptedSelfAttention, GatedValues)

# %%
said_and_so(
    "PILL stands for Pluggable Instruction Language Learning.",
    "No. So the name is spelt out in some walkthroughs; the paper (arXiv 2311.02126) spells it Plug Into LLM with adapter expert and "
    "attention gate. Nothing in it is about instructions in particular.",
    "the paper's title; `peft/pill.py`",
)
said_and_so(
    "PILL is a particular PEFT method that inserts trainable modules or plug-ins, so that a model adapts better to tasks.",
    "That would fit every adapter. The paper (arXiv 2311.02126) solves one problem: a language model is to read images. Its own "
    "ideas are an expert for each kind of token, chosen by the kind, and a gate at zero in front of the new kind's values.",
    "the source above; `peft/pill.py`",
)

# %% [markdown]
# ## By hand
#
# Rank 1, two features, $x = (1, 3)$, $G = (1\;\;0)$, $D = (0\;\;1)$, $U = (2, -1)^\top$.
#
# $$\mathrm{silu}(Gx) = \frac{1}{1 + e^{-1}} = 0.7311, \qquad Dx = 3, \qquad
# \mathrm{GLU}(x) = 2.1932 \cdot \begin{pmatrix} 2 \\ -1 \end{pmatrix} = \begin{pmatrix} 4.3864 \\ -2.1932 \end{pmatrix}$$
#
# A gate with $W_g = (0.5\;\;0)$ and values $V = (2, 4)$: $\tanh(0.5) = 0.4621$, so a new token's values are $(0.9242, 1.8485)$,
# and a known token's stay $(2, 4)$.

# %%
small = GLUAdapter(d_model=2, rank=1)
x = torch.tensor([[[1.0, 3.0]]])
with torch.no_grad():
    small.gate.weight.copy_(torch.tensor([[1.0, 0.0]]))
    small.down.weight.copy_(torch.tensor([[0.0, 1.0]]))
    small.up.weight.copy_(torch.tensor([[2.0], [-1.0]]))
    print("GLU:  ", [round(value, 4) for value in small(x)[0, 0].tolist()])
    strength = torch.tanh(torch.tensor([[0.5, 0.0]]) @ x[0, 0])
    print("gated:", [round(float(strength) * value, 4) for value in (2.0, 4.0)])

# %% [markdown]
# ## Two types of letters
#
# We need types on this task. We take consonants (and all else) as known, and vowels as new: letters `aeiouy`, and the vowel
# sounds on the decoder's side. It is where British and American differ most.

# %%
tokens, base = vocabulary(), load_base()
types = letter_types()
for word in ("schedule", "tomato", "rhythm"):
    ids = tokens.encode_word(word)
    print(f"{word:<10}{' '.join(word)} (end)   types {' '.join(str(types[token]) for token in ids)}")
print(f"{sum(types)} of {len(types)} tokens are of type 1")

# %% [markdown]
# Be careful with this analogy. An image really is new to a language model. A vowel is *not* new to this base: it has read
# vowels all its life. What the gate does then can be seen before any training:

# %%
american = words("american", "development", 60 if quick() else 200)
probe = words("british", "development", 60 if quick() else 200)
fresh = get_peft_model(load_base(), adapter_config("pill")).eval()
starts = {"base": base, "PILL, stage 2, untrained": fresh}
for name, model in starts.items():
    print(f"{name:<28}American phoneme error {100 * evaluate(model, american, 'american').phoneme_error:>6.1f} %")
set_stage(fresh, 1)
print(
    f"{'PILL, stage 1, untrained':<28}American phoneme error {100 * evaluate(fresh, american, 'american').phoneme_error:>6.1f} %"
)

# %% [markdown]
# In stage 2 every gate starts at $\tanh(0) = 0$: no vowel's value reaches the base any more, though their keys still draw attention.
# Training has to open the gates first. In stage 1 there are no gates, and $U = 0$: that is the base, to the last digit.
#
# ## Stages: one after the other
#
# - **Stage 1** trains the experts of the new types, without gates. In the last layer known and new change places, so that
#   known tokens too go through what is trained.
# - **Stage 2** trains everything, and the gates start shut.
#
# Half of the steps for each, against all steps in stage 2:

# %%
half = 2 if quick() else 25
examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)


def new_model(stage: int) -> PeftModel:
    torch.manual_seed(0)
    return get_peft_model(load_base(), adapter_config("pill", stage=stage))


def british_error(model: PeftModel) -> float:
    return 100 * evaluate(model, probe, "british").phoneme_error


def learn(model: PeftModel, steps: int, seed: int) -> list[float]:
    return train(model, examples, training_config(steps, rate_of("pill"), seed=seed))


two = new_model(stage=1)
in_stage_1 = two.get_nb_trainable_parameters()[0]
first = learn(two, half, seed=0)
after_1 = british_error(two)
set_stage(two, 2)
at_switch = british_error(two)
in_stage_2 = two.get_nb_trainable_parameters()[0]
second = learn(two, half, seed=1)
both = british_error(two)
one = new_model(stage=2)
only = learn(one, 2 * half, seed=0)
direct = british_error(one)
print(f"trained: {in_stage_1:,} numbers in stage 1, {in_stage_2:,} in stage 2")
print(f"base {100 * evaluate(base, probe, 'british').phoneme_error:.1f} %, after stage 1 {after_1:.1f} %, ", end="")
print(f"at the switch {at_switch:.1f} %, after stage 2 {both:.1f} %; stage 2 alone {direct:.1f} %")
figure, axis = plt.subplots(figsize=(5.6, 2.9), layout="constrained")
axis.plot(only, color="C0", label=f"stage 2 alone: error {direct:.1f} %")
axis.plot(first + second, color="C1", label=f"stage 1, then 2: error {both:.1f} %")
axis.axvline(half, color="grey", linestyle="--", linewidth=0.8)
axis.set_yscale("log")
axis.set_xlabel("step")
axis.set_ylabel("loss")
legend_below(figure, axis, columns=3)
plt.show()

# %% [markdown]
# Here two stages lose. Stage 1 learns little: 18,560 numbers, and the known tokens' experts stay still. At the switch all gates shut
# and the error jumps above 50 %: the steps after it open them again. Stage 2 alone has all steps for that and ends
# ahead. In the paper stage 1 has another job: it has to make vectors of images that a language model can read at all. A letter
# needs no such thing.
#
# ## What did the gates learn?
#
# The shipped British adapter (`lessons/adapters/british/pill`; stage 2, 300 steps, `python -m lessons compare`). For every vowel
# of many words: the strength $\tanh(W_g x)$ in each head. 1 is fully open, 0 is shut, below 0 the value is turned round.

# %%
model = PeftModel.from_pretrained(load_base(), HERE / "adapters" / "british" / "pill")
parts = dict(model.adapters["default"].layers.items())
gates = {path: layer for path, layer in parts.items() if isinstance(layer, GatedValues)}
experts = {path: layer for path, layer in parts.items() if isinstance(layer, RoutedFeedForward)}
chosen = [word for word in probe if len(word) == 8][:30]
sources = torch.tensor([tokens.encode_word(word) for word in chosen])
is_vowel = torch.tensor(types)[sources] > 0
seen: dict[str, torch.Tensor] = {}
hooks = [
    layer.value_gate.register_forward_hook(lambda module, inputs, output, path=path: seen.__setitem__(path, output))
    for path, layer in gates.items()
]
first_sound = torch.full((len(sources), 1), tokens.bos_id)
with torch.no_grad():
    model(sources, first_sound)
for hook in hooks:
    hook.remove()
names = [
    path.removesuffix(".v_proj").replace(".layers.", " ").replace("_attention", "").replace(".", " ") for path in seen
]
means = torch.stack([strength[is_vowel].mean(dim=0) for strength in seen.values()])
spreads = torch.stack([strength[is_vowel].std(dim=0) for strength in seen.values()])
figure, axis = plt.subplots(figsize=(5.4, 3), layout="constrained")
image = axis.imshow(means, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
axis.set_yticks(range(len(names)), names)
axis.set_xticks(range(means.shape[1]), [f"head {head}" for head in range(means.shape[1])])
for row in range(means.shape[0]):
    for head in range(means.shape[1]):
        dark = abs(float(means[row, head])) > 0.6
        text = f"{means[row, head]:.2f} ± {spreads[row, head]:.2f}"
        axis.text(head, row, text, ha="center", va="center", color="white" if dark else "black", fontsize=9)
figure.colorbar(image, label="tanh(W_g x), vowels")
plt.show()
print(
    f"mean over all gates {means.mean():.2f}; {int((means < 0).sum())} of {means.numel()} heads turn the vowels' values round"
)

# %% [markdown]
# They learned to open. All stand above 0, most near 1, which is where the base was before PILL shut them. Some let one vowel
# through and another not (the large ± values). So the gates have mostly undone their own start; whether they do more than that,
# the last figure shows.
#
# ## What did the experts learn?
#
# How large is what an expert adds, against the vector that it is added to? By letter, in the encoder:

# %%
pushed: dict[str, torch.Tensor] = {}


def watch(path: str):
    def hook(layer: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        x = inputs[0]
        kinds = torch.tensor(types)[sources][..., None]
        change = torch.where(kinds > 0, layer.experts[1](x), layer.experts[0](x))
        pushed[path] = change.norm(dim=-1) / x.norm(dim=-1)

    return hook


in_encoder = {path: layer for path, layer in experts.items() if path.startswith("encoder")}
hooks = [layer.register_forward_hook(watch(path)) for path, layer in in_encoder.items()]
with torch.no_grad():
    model.encode(sources)
for hook in hooks:
    hook.remove()
for path, sizes in pushed.items():
    by_type = [100 * float(sizes[is_vowel == bool(kind)].mean()) for kind in (0, 1)]
    print(f"{path:<34} adds {by_type[0]:>4.0f} % to consonants, {by_type[1]:>4.0f} % to vowels")
letters = list("aeiouybcdfghklmnprstvw")
sizes = torch.stack(list(pushed.values()))
by_letter = []
for letter in letters:
    there = sources == tokens.letter_ids[letter]
    by_letter.append(100 * float(sizes[:, there].mean()) if there.any() else 0.0)
figure, axis = plt.subplots(figsize=(7, 2.4), layout="constrained")
axis.bar(letters, by_letter, color=["C1" if letter in "aeiouy" else "C0" for letter in letters])
axis.set_ylabel("expert / x, %")
axis.set_title("mean push of the experts in the encoder (red: the vowels' expert)", fontsize=10)
plt.show()

# %% [markdown]
# Among the largest pushes are those on *a* and on *r*: *bath* and *car* are where the two accents part. But *b* and *c* are large
# as well, on 30 words. And how much is added does not say what it does.
#
# ## What would go without it?
#
# We change one part of the trained adapter at a time.

# %%


def error_with(change) -> float:
    """British phoneme error in %, with every number of the adapter put back afterwards."""
    before = {
        path: {name: p.detach().clone() for name, p in layer.named_parameters() if "base." not in name}
        for path, layer in parts.items()
    }
    with torch.no_grad():
        change()
        error = british_error(model)
        for path, layer in parts.items():
            for name, parameter in layer.named_parameters():
                if name in before[path]:
                    parameter.copy_(before[path][name])
    return error


def silence(number: int) -> None:
    for layer in experts.values():
        layer.experts[number].up.weight.zero_()


def swap() -> None:
    for layer in experts.values():
        known, new = layer.experts[0].state_dict(), layer.experts[1].state_dict()
        known = {name: value.clone() for name, value in known.items()}
        layer.experts[0].load_state_dict(new)
        layer.experts[1].load_state_dict(known)


def silence_attention() -> None:
    for layer in parts.values():
        if isinstance(layer, AdaptedSelfAttention):
            layer.adapter.up.weight.zero_()


def open_gates() -> None:
    for path in gates:
        model.slot(path).active = ()


variants = {
    "as trained": lambda: None,
    "consonants' experts silent": lambda: silence(0),
    "vowels' experts silent": lambda: silence(1),
    "experts change places": swap,
    "attention adapters silent": silence_attention,
    "gates wide open": open_gates,
}
errors = {name: error_with(change) for name, change in variants.items()}
for path in gates:
    model.slot(path).active = ("default",)
figure, axis = plt.subplots(figsize=(6, 2.7), layout="constrained")
bars = axis.barh(list(errors), list(errors.values()), color="C1")
axis.bar_label(bars, fmt="%.1f", fontsize=8, padding=2)
axis.invert_yaxis()
axis.set_xlabel(f"British phoneme error, %, {len(probe)} words")
plt.show()

# %% [markdown]
# The experts do the work, and they are no copies of each other: in each other's place they are worse than the untuned base. The
# consonants' expert weighs more than the vowels', perhaps because it has all else besides vowels, the *r* among it. The
# attention adapters do little. The gates do nothing that can be seen: thrown wide open, the error is the same within a few
# words. For a type that the base knows already, a gate is only a hurdle at the start.

# %%
said_and_so(
    "The plug-ins work together with the original model and improve its effect and efficiency.",
    "They are made to fit it: U = 0 starts at the base. Effect: from 21 to 11 % phoneme error; plain adapters with about as many "
    "numbers reach 10. Efficiency: no. Every expert is computed for every token, nothing merges, and the base runs as before. "
    "Of its parts, the experts help here and the gates do not.",
    "the bars above; the rows below (`python -m lessons compare`)",
)

# %% [markdown]
# ## What it trains, what it gains, what it costs
#
# The saved full run (`python -m lessons compare`, 300 steps, 3 seeds, the whole test part):

# %%
kept_run("pill", "adapter_parallel", "adapter_houlsby", "lora")

# %% [markdown]
# | | trains | gain | price |
# |---|---|---|---|
# | PILL | $3rd$ for each expert and self-attention, $d \cdot$ heads for each gate | a new kind of token joins without disturbing the known kind at the start | every expert is computed for every token here; nothing merges; types must be given; two stages to tune |
#
# ## Its neighbours
#
# | | adapter (lesson 17) | mixture of experts | PILL |
# |---|---|---|---|
# | how many networks | one per place | many | one per type of token |
# | who chooses | nobody | a learned router | the token's type |
# | where | after or beside a sub-layer | in place of the feed forward | before the feed forward and the self-attention |
# | gate | none | the router's weight | on the new type's values, per head, shut at first |
#
# ## The usual mistakes
#
# - **"A shut gate means that the new tokens are not there."** Their values are 0, their *keys* still take a share of the softmax.
#   The output for known tokens changes as soon as a new token is present (`tests/peft/test_pill.py`).
# - **The gate on all tokens.** It belongs to new types only. On known ones it would shut the base off.
# - **Types that no token has.** Without `token_types` every token is of type 0; the second expert never gets a gradient. A
#   warning says so here.
# - **Gradients at the first step.** $G$, $D$ get none as long as $U = 0$, which is right. Look at the second step.
# - **The last layer in stage 1** is forgotten: known and new change places there (the paper's code, `llm_model.py`).
# - **Quoting an accuracy from the paper.** We found no number that we could check, so there is none here.

# %%
exercises_of(23)

# %% [markdown]
# ## Where to read on
#
# - *PILL: Plug Into LLM with Adapter Expert and Attention Gate* (arXiv 2311.02126).
# - *LLaMA-Adapter* (arXiv 2303.16199): a gate that starts at zero, on prefixes.
# - *Outrageously Large Neural Networks* (arXiv 1701.06538): experts that a router chooses.
# - *GLU Variants Improve Transformer* (arXiv 2002.05202): the form of the adapter.
