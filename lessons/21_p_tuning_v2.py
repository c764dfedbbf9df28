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
# 21. P-Tuning v2

The same prefixes as in lesson 20, without the network behind them: the keys and values themselves are trained, in every layer.
Two reasons are given for going from an input prompt to this: the length budget and the depth. Both are measured here.
"""

# %%
from pathlib import Path

import torch
from matplotlib import pyplot as plt

import lessons
from lessons.drawing.labels import legend_below
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, load, pairs, vocabulary, words
from lessons.task.finetuning import adapter_config, rate_of, training_config
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate
from lessons.teaching import exercises_of, kept_run, lit_diagram, quick, said_and_so, show_source
from peft import PeftModel, PrefixTuningConfig, PromptTuningConfig, PTuningV2Config, drop_encoders, get_peft_model
from peft import p_tuning_v2
from peft.prefix_tuning import PrefixAttend
from transformer import train
from transformer.attention import scaled_dot_product_attention

set_threads()
torch.manual_seed(0)
HERE = Path(lessons.__file__).parent
lit_diagram("attention", "keys_values")

# %% [markdown]
# ## The formula
#
# $$\mathrm{Attn}(Q, [P_K; K], [P_V; V]) \qquad P_K, P_V \in \mathbb{R}^{p \times d}
# \text{, free parameters of each attention}$$
#
# - Layers share nothing: the prompts of one layer do not come from those of another.
# - Trained: $2\,p\,d$ for each attention, so $2\,p\,d\,(L_e + 2 L_d)$. And a new head, where the task has labels of its own.
# - Start: N(0, 1), as in the authors' code.
#
# The whole file of the package:

# %%
show_source(p_tuning_v2)

# %%
base, tokens = load_base(), vocabulary()
p, d = 20, base.config.d_model
model = get_peft_model(load_base(), PTuningV2Config(num_virtual_tokens=p))
attentions = base.config.num_encoder_layers + 2 * base.config.num_decoder_layers
print(f"2 · {p} · {d} · {attentions} = {2 * p * d * attentions:,}; counted {model.get_nb_trainable_parameters()[0]:,}")

# %% [markdown]
# It is prefix tuning without its network. Take a prefix adapter, drop the network, put what is left into P-Tuning v2: the
# same outputs.

# %%
source = torch.tensor([tokens.encode_word("schedule")])
target = torch.tensor([tokens.encode_pronunciation(load("british")["schedule"][0])])
with_network = get_peft_model(load_base(), PrefixTuningConfig(num_virtual_tokens=p, encoder_hidden_size=64)).eval()
with torch.no_grad():
    by_network = with_network(source, target)
    drop_encoders(with_network)
    for path, layer in model.adapters["default"].layers.items():
        layer.prefix.copy_(with_network.adapters["default"].layers[path].prefix)
    print(f"prefix tuning and P-Tuning v2 differ by {(model.eval()(source, target) - by_network).abs().max():.1e}")

# %% [markdown]
# ## By hand
#
# One head, one feature, one word with key 1 and value 4, one free pair $P_K = 0$, $P_V = 10$. For a query $q$ the word's score
# is $q$ and the prompt's is 0, so $\lambda = \frac{1}{1 + e^{q}}$.
#
# | $q$ | $\lambda$ | output $\lambda \cdot 10 + (1 - \lambda) \cdot 4$ |
# |---|---|---|
# | 0 | 0.5 | 7 |
# | $\ln 3$ | 0.25 | 5.5 |
# | $-\ln 3$ | 0.75 | 8.5 |
#
# The query decides how much of the prompt it takes. That is how a constant can do different things to different words.

# %%
queries = torch.tensor([1.0, 3.0, 1 / 3]).log()[:, None]
output, weights = scaled_dot_product_attention(queries, torch.tensor([[0.0], [1.0]]), torch.tensor([[10.0], [4.0]]))
print(
    "λ:",
    [round(value, 4) for value in weights[:, 0].tolist()],
    " output:",
    [round(value, 4) for value in output[:, 0].tolist()],
)

# %% [markdown]
# ## Reason 1: the length budget
#
# A model reads at most `max_length` positions: 96 here, often 512. Prompts in the input are positions, prefixes are not.
# We ask for more and more of them, and then for the longest word that still fits.


# %%
def longest_word(config: PromptTuningConfig | PTuningV2Config) -> int:
    """How many letters a word may have; 0 where not even the adapter can be made."""
    try:
        tried = get_peft_model(load_base(), config).eval()
    except ValueError as error:
        print(f"  refused: {error}")
        return 0
    for letters in range(base.config.max_length, 0, -1):
        try:
            with torch.no_grad():
                tried.encode(torch.full((1, letters + 1), tokens.letter_ids["a"]))
        except ValueError:
            continue
        return letters
    return 0


lengths = (5, 100) if quick() else (5, 20, 50, 80, 95, 100, 400)
in_input = [longest_word(PromptTuningConfig(num_virtual_tokens=length)) for length in lengths]
in_layers = [longest_word(PTuningV2Config(num_virtual_tokens=length)) for length in lengths]
for length, by_prompt, by_prefix in zip(lengths, in_input, in_layers):
    print(
        f"{length:>4} virtual tokens: a word may have {by_prompt:>3} letters with a prompt, {by_prefix} with prefixes"
    )

# %%
said_and_so(
    "An input prompt limits how many numbers can be trained: it must share the fixed input length with the text.",
    "True, and exactly so: p prompts leave max_length - p positions. Prefixes take none: 400 of them on a base that "
    "reads 96. They are not free: each query looks at p more keys, in each attention.",
    "the cell above; `check_room` in `peft/virtual_tokens.py`",
)

# %% [markdown]
# ## Reason 2: depth
#
# An input prompt enters once, below the first layer. What the third layer sees of it has gone through two layers that were
# never trained with it. Prefixes enter everywhere. Three questions.
#
# **How far does the effect of one entry carry?** We take the shipped British adapter (20 keys and values in each of nine
# attentions), let only some of its prefixes take part, and see how far the vectors after each layer go away from the
# base's.

# %%
shipped = PeftModel.from_pretrained(load_base(), HERE / "adapters" / "british" / "p_tuning_v2")
prefixes = [path for path, layer in shipped.adapters["default"].layers.items() if isinstance(layer, PrefixAttend)]
probe = words("british", "development", 60 if quick() else 200)
chosen = [word for word in probe if len(word) == 8][:20]
sources = torch.tensor([tokens.encode_word(word) for word in chosen])


def states(run: PeftModel) -> list[torch.Tensor]:
    """The encoder's vectors of the letters after each layer."""
    seen: list[torch.Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda module, inputs, output: seen.append(output[:, -sources.shape[1] :]))
        for layer in run.encoder.layers
    ]
    with torch.no_grad():
        run.encode(sources)
    for hook in hooks:
        hook.remove()
    return seen


def only(takes_part) -> PeftModel:
    for path in prefixes:
        shipped.slot(path).active = ("default",) if takes_part(path) else ()
    return shipped


settings = {
    "layer 0 only": lambda path: ".layers.0." in path,
    "layer 1 only": lambda path: ".layers.1." in path,
    "layer 2 only": lambda path: ".layers.2." in path,
    "every layer": lambda path: True,
}
plain = states(base)
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.9), layout="constrained")
errors = {"none": 100 * evaluate(base, probe, "british").phoneme_error}
for name, takes_part in settings.items():
    run = only(takes_part)
    moved = [float((a - b).norm() / b.norm()) for a, b in zip(states(run), plain)]
    errors[name] = 100 * evaluate(run, probe, "british").phoneme_error
    axes[0].plot(range(len(moved)), moved, "o-", label=name)
    print(
        f"{name:<14} moved by {', '.join(f'{100 * value:.0f} %' for value in moved)} of their length; error {errors[name]:.1f} %"
    )
axes[0].set_xticks(range(len(plain)), [f"after layer {index}" for index in range(len(plain))])
axes[0].set_ylabel("change / length")
axes[0].set_title("how far the encoder's vectors move", fontsize=10)
legend_below(figure, axes[0], columns=3)
bars = axes[1].barh(list(errors), list(errors.values()), color="C3")
axes[1].bar_label(bars, fmt="%.1f", fontsize=8, padding=2)
axes[1].invert_yaxis()
axes[1].set_xlabel("British phoneme error, %")
axes[1].set_title("which prefixes take part, encoder and decoder", fontsize=10)
plt.show()

# %% [markdown]
# Left: what enters at layer 0 is still there at the top, only weaker. Right: being there is not the same as helping. The
# prefixes of layer 0 alone do nothing for British. Those of the last layer alone do most of what all do together.
#
# **What if they are trained for it?** A part of a trained whole need not do anything alone. So we also *train* prefixes in one
# layer only (of both stacks), with as many numbers as in all layers together: 60 keys and values in one layer against 20
# in each of three. Beside them an input prompt, with its letters moved, and with the letters in place (lesson 18).

# %%
steps = 3 if quick() else 30
examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)


def trained(method: str, layer: int | None = None, in_place: bool = False, **changes: int) -> tuple[float, list[float]]:
    """British phoneme error in % and the losses. With `layer`, only the prefixes of that layer take part."""
    changed = load_base()
    if in_place:
        changed.source_positions.table = changed.source_positions.table.roll(5, dims=0)
    torch.manual_seed(0)
    made = get_peft_model(changed, adapter_config(method, **changes))
    for path, wrapper in made.adapters["default"].layers.items():
        if layer is not None and isinstance(wrapper, PrefixAttend) and f".layers.{layer}." not in path:
            made.slot(path).active = ()
            wrapper.requires_grad_(False)
    losses = train(made, examples, training_config(steps, rate_of(method), seed=0))
    return 100 * evaluate(made, probe, "british").phoneme_error, losses


runs = {
    "prompt, letters moved": trained("prompt_tuning"),
    "prompt, letters in place": trained("prompt_tuning", in_place=True),
    "60 in layer 0": trained("p_tuning_v2", layer=0, num_virtual_tokens=60),
    "60 in layer 2": trained("p_tuning_v2", layer=2, num_virtual_tokens=60),
    "20 in each layer": trained("p_tuning_v2", num_virtual_tokens=20),
}
figure, axis = plt.subplots(figsize=(5.6, 3), layout="constrained")
for name, (error, losses) in runs.items():
    axis.plot(losses, label=f"{name}: {error:.1f} %")
    print(f"{name:<26} loss {losses[-1]:.2f}, phoneme error {error:.1f} %")
axis.set_yscale("log")
axis.set_xlabel("step")
axis.set_ylabel("loss")
axis.set_title(f"{steps} steps, {len(probe)} words; base alone: {errors['none']:.1f} %", fontsize=10)
legend_below(figure, axis, columns=2)
plt.show()

# %% [markdown]
# The losses are in the order that one would expect: an input prompt is the worst, prefixes in every layer are the best. (A prompt has
# 640 numbers, the prefixes 46,080.) The errors on held-out words after so few steps are closer together and in another
# order: 60 in the *last* layer are ahead, 60 in the *first* are behind the base. So it matters where the numbers are, and late is
# better than early. That spreading them over all layers is better than the last layer alone, this run does not show.
#
# **How well can one foresee it?** "The influence of the first layer's prompt on later layers is hard to foresee." We push every
# number of a prompt by one small random amount, and see how much of the push arrives at the letters after each layer.

# %%
prompted = PeftModel.from_pretrained(load_base(), HERE / "adapters" / "british" / "prompt_tuning")
rows = prompted.base_model.source_input.layers["default"].prompt_embeddings
before, kept_rows = states(prompted), rows.detach().clone()
arrived = []
for seed in range(3 if quick() else 20):
    with torch.no_grad():
        push = (
            0.01
            * kept_rows.norm()
            * torch.nn.functional.normalize(
                torch.randn(kept_rows.shape, generator=torch.Generator().manual_seed(seed)).flatten(), dim=0
            ).view_as(kept_rows)
        )
        rows.copy_(kept_rows + push)
    arrived.append([100 * float((a - b).norm() / b.norm()) for a, b in zip(states(prompted), before)])
with torch.no_grad():
    rows.copy_(kept_rows)
table = torch.tensor(arrived)
for layer, values in enumerate(table.T):
    print(
        f"after layer {layer}: the letters move by {values.mean():.2f} % (from {values.min():.2f} to {values.max():.2f}) for a push of 1 %"
    )

# %%
said_and_so(
    "In deep models the influence of an input prompt on later layers is hard to foresee; prompts in each layer make it stable.",
    "Where they enter matters, but not by chaos, on three layers. A push of 1 % on the prompt arrives as 0.15 to 0.33 % in every "
    "layer, whatever its direction. Yet the same number of keys and values is worth more in the last layer than in the first. "
    "The paper says the same of deeper layers: prompts there act more directly on the output (arXiv 2110.07602). Three layers say "
    "nothing of a hundred.",
    "the three figures above",
)

# %% [markdown]
# ## What it trains, what it gains, what it costs
#
# The saved full run (`python -m lessons compare`, 300 steps, 3 seeds, the whole test part):

# %%
kept_run("prompt_tuning", "p_tuning", "prefix_tuning", "p_tuning_v2", "lora")

# %% [markdown]
# | | trains | gain | price |
# |---|---|---|---|
# | P-Tuning v2 | $2\,p\,d$ for each attention, and a head if the task has labels | no room taken, works in each layer, no network to train and drop | a larger file than a prompt; $p$ more keys in each attention; a large learning rate and more steps |
#
# On this task the version *with* the network (prefix tuning) is a little ahead, with half as many keys. The network ties the
# layers together, and its start is gentler than N(0, 1).
#
# ## Its neighbour: P-Tuning (lesson 19)
#
# | | P-Tuning | P-Tuning v2 |
# |---|---|---|
# | where | before the first layer | keys and values of every attention |
# | encoder behind it | LSTM or MLP | none |
# | later layers' prompts come from | the layer before | themselves |
# | output | the model's vocabulary | a new trained head, if wanted |
#
# They share a name and authors, and little else. P-Tuning v2 is nearer to prefix tuning.
#
# ## The usual mistakes
#
# - **"Deep prompts" of another kind.** Some methods put learned *hidden states* into each layer (arXiv 2203.12119). Those go through
#   the norm, $W_K$ and $W_V$. These are keys and values. The two are not the same adapter.
# - **The learning rate of P-Tuning.** The searched rate here is 0.1; with 0.01 the error was 19 % in place of 13 %
#   (`lessons/task/learning_rates.json`). The authors use 0.005 to 0.06.
# - **The head is forgotten.** The paper replaces the vocabulary's head by a trained one: `modules_to_save=("output",)`. Where
#   matrices are tied, that is the embedding too.
# - **Loaded as something else.** On disk it is prefix tuning without a projection: that is how Hugging Face PEFT has it.
# - **On encoder-decoders** HF PEFT has the defect that lesson 20 shows.

# %%
exercises_of(21)

# %% [markdown]
# ## Where to read on
#
# - *P-Tuning v2: Prompt Tuning Can Be Comparable to Fine-tuning Universally Across Scales and Tasks* (arXiv 2110.07602).
# - *Prefix-Tuning* (arXiv 2101.00190): where the keys and values come from.
# - *Visual Prompt Tuning* (arXiv 2203.12119): shallow and deep prompts as hidden states.
