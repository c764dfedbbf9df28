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

**The question.** A language model has read text all its life. Now pictures are put between the words, as vectors that it has never
met. Left alone, they disturb what it knows. Can each kind of token have a small network of its own, and can the new kind be let in
little by little?

**You will be able to**

- route tokens by their type through small experts, and gate the values of a new type
- say what is PILL's own in it, and what its name does and does not stand for
- find out which part of a trained adapter does the work, by changing one part at a time

**Time:** 40 minutes. **Before it:** adapters, from [lesson 17](17_adapters.ipynb); keys and values, from
[lesson 3](03_attention.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.lora_relatives import kept_adapter
from lessons.experiments.pill import (
    VALUES,
    X,
    american_error,
    example,
    gate_strength,
    gates_on_vowels,
    pushes,
    two_stages_and_one,
)
from lessons.experiments.pill_figures import draw_gates, draw_stages, draw_types
from lessons.experiments.pill_parts import errors_changed, experts_beside_adapters
from lessons.experiments.prefix_tuning import british_error
from lessons.experiments.prefix_tuning_figures import draw_bars
from lessons.drawing.style import ORANGE
from lessons.task.base import load_base
from lessons.task.dictionary import vocabulary, words
from lessons.task.finetuning import adapted, letter_types
from lessons.task.machine import set_threads
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
from peft.pill import set_stage
from peft.pill_layers import AdaptedSelfAttention, GatedValues, GLUAdapter, RoutedFeedForward

set_threads()
torch.manual_seed(0)
lit_diagram("attention", "feed_forward", "adapter")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_types(),
    title="The type of a token chooses its expert; a gate decides how much of a new token's value is let in",
    alt="Above: a vowel, of type 1, goes through expert 1; what the expert adds goes with it into the frozen feed forward. Middle: x = (1, 3), "
    "silu(G x) = 0.7311 times D x = 3 is 2.1932, times U = (2, -1) is (4.3864, -2.1932). Below: values (2, 4) times tanh(W_g x) = "
    "0.4621 are (0.9242, 1.8485).",
)

# %% [markdown]
# ## The idea
#
# PILL was made so that a language model reads images. Words are what the model knows; the vectors of an image are new to it. Two
# things are added, and nothing of the model is changed.
#
# - **Experts.** In front of each feed forward stands one small network for each kind of token. A token of text goes through
#   the one for text, a token of an image through the one for images. Nothing has to be chosen: the kind is known.
# - **A gate.** A new token's *value* in the attention is multiplied by a factor that starts at 0. At first the known tokens hear
#   nothing of the new ones; all that these do is take their keys' share of the softmax. Training opens the gate as far as it helps.
#
# We have no images here. Our two kinds are consonants and vowels, where British and American differ most: letters `aeiouy` and the
# vowel sounds are "new", all else is "known".

# %% tags=["hide-input"]
said_and_so(
    said="PILL stands for Pluggable Instruction Language Learning.",
    so="So the name is spelt out in some walkthroughs. The paper spells it *Plug Into LLM*, with adapter expert and attention gate. Nothing in it "
    "is about instructions in particular.",
    shown_by="the title of arXiv 2311.02126; `peft/pill.py`",
)
said_and_so(
    said="PILL is a particular PEFT method that inserts trainable modules or plug-ins, so that a model adapts better to tasks.",
    so="That would fit every adapter. The paper solves one problem: a language model is to read images. Its own ideas are an expert for each kind "
    "of token, chosen by the kind, and a gate at zero in front of the new kind's values.",
    shown_by="the source below; `peft/pill.py`",
)

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
# - $\mathrm{silu}(z) = z / (1 + e^{-z})$: a ReLU with a round corner. One thin projection decides how much of the other passes.
# - Type 0 is what the base knows. Types 1, 2, ... are new to it.
# - Which expert a token gets is *given*, by its type. (In a mixture of experts a router learns to choose.)
# - $U = 0$ and $W_g = 0$ at the start. So the adapters do nothing at first, and a new token's values are 0.
#
# Trained: $3\,r\,d$ for each expert and each self-attention, $d \cdot \text{heads}$ for each gate.

# %% [markdown]
# ## The code

# %%
show_source(GLUAdapter, RoutedFeedForward, AdaptedSelfAttention, GatedValues)

# %% [markdown]
# ## By hand
#
# The numbers of the drawing. Rank 1, two features, $x = (1, 3)$, $G = (1\;\;0)$, $D = (0\;\;1)$, $U = (2, -1)^\top$.
#
# $$\mathrm{silu}(Gx) = \frac{1}{1 + e^{-1}} = 0.7311, \qquad Dx = 3, \qquad
# \mathrm{GLU}(x) = 2.1932 \cdot \begin{pmatrix} 2 \\ -1 \end{pmatrix} = \begin{pmatrix} 4.3864 \\ -2.1932 \end{pmatrix}$$
#
# A gate with $W_g = (0.5\;\;0)$ and values $V = (2, 4)$: $\tanh(0.5) = 0.4621$, so a new token's values are $(0.9242, 1.8485)$,
# and a known token's stay $(2, 4)$.

# %%
with torch.no_grad():
    print("GLU:  ", [round(value, 4) for value in example()(X)[0, 0].tolist()])
print("gated:", [round(gate_strength() * value, 4) for value in VALUES])

# %% [markdown]
# The types of real words:

# %%
tokens, base, types = vocabulary(), load_base(), letter_types()
for word in ("schedule", "tomato", "rhythm"):
    ids = tokens.encode_word(word)
    print(f"{word:<10}{' '.join(word)} (end)   types {' '.join(str(types[token]) for token in ids)}")

# %% [markdown]
# ## Experiment: what does a shut gate do?
#
# An image really is new to a language model. A vowel is *not* new to this base: it has read vowels all its life. So before any training
# the shut gates must do harm here. Stage 2 has gates; stage 1 (below) has none, and $U = 0$.

# %%
american = words("american", "development", 60 if quick() else 200)
probe = words("british", "development", 60 if quick() else 200)
fresh = adapted("pill").eval()
untrained = {"base": american_error(base, american), "gates shut": american_error(fresh, american)}
set_stage(fresh, 1)
untrained["no gates, U = 0"] = american_error(fresh, american)
for name, error in untrained.items():
    print(f"{name:<18}American phoneme error {error:>5.1f} %")

# %% tags=["hide-input"]
claim(
    untrained["gates shut"] > 5 * untrained["base"],
    "shut gates destroy what the base knows",
    error=untrained["gates shut"],
)
claim(untrained["no gates, U = 0"] == untrained["base"], "without gates it is the base, exactly")
prose(
    "With every gate at $\\tanh(0) = 0$ no vowel's value reaches the base any more, though the vowels' keys still draw attention: {shut:.1f} % "
    "in place of {base:.1f}. Training has to open the gates first.",
    shut=untrained["gates shut"],
    base=untrained["base"],
)

# %% [markdown]
# ## Experiment: two stages, or one?
#
# - **Stage 1** trains the experts of the new types, without gates. In the last layer known and new change places, so that
#   known tokens too go through what is trained.
# - **Stage 2** trains everything, and the gates start shut.
#
# Half of the steps for each, against all steps in stage 2:

# %%
half = 2 if quick() else 25
run = two_stages_and_one(half, probe)

# %% tags=["hide-input"]
numbers = {
    "half": half,
    "base": british_error(base, probe),
    **{name: run[name] for name in ("stage_1", "switch", "both", "direct", "in_stage_1", "in_stage_2")},
}
claim(numbers["direct"] < numbers["both"] - 1, "two stages lose here", **numbers)
claim(numbers["switch"] > 2 * numbers["base"], "at the switch the error jumps", **numbers)
claim(numbers["base"] - 3 < numbers["stage_1"] < numbers["base"], "stage 1 learns little", **numbers)
show_figure(
    draw_stages(run, half),
    title="Two stages lose here: {both:.1f} % of British phoneme error, stage 2 alone {direct:.1f} %",
    alt="Two curves of the loss. With stage 2 alone it begins high and falls; with stage 1 first it falls a little, jumps when the gates shut, and "
    "falls again. At the end {both:.1f} % and {direct:.1f} % error.",
    both=numbers["both"],
    direct=numbers["direct"],
)
prose(
    "Stage 1 trains {in_stage_1:,} numbers of {in_stage_2:,}, and the known tokens' experts stay still: from {base:.1f} to {stage_1:.1f} %. At the "
    "switch all gates shut and the error jumps to {switch:.1f} %; the {half} steps after it open them again. Stage 2 alone has all "
    "steps for that and ends ahead. In the paper stage 1 has another job: it makes vectors of images that a language model can read at "
    "all. A letter needs no such thing.",
    **{name: numbers[name] for name in ("in_stage_1", "in_stage_2", "base", "stage_1", "switch", "half")},
)

# %% [markdown]
# ## Experiment: what did the gates learn?
#
# The British adapter that comes with the course (stage 2, 300 steps). For every vowel of many words: the strength
# $\tanh(W_g x)$ in each head. 1 is fully open, 0 is shut, below 0 the value is turned round.

# %%
model = kept_adapter("pill")
eight_letters = [word for word in probe if len(word) == 8][:30]
gates = gates_on_vowels(model, eight_letters)
added = pushes(model, eight_letters)

# %% tags=["hide-input"]
means = [mean for row, _ in gates.values() for mean in row]
spreads = [spread for _, row in gates.values() for spread in row]
numbers = {
    "least": min(means),
    "mean": sum(means) / len(means),
    "open": sum(mean > 0.9 for mean in means),
    "gates": len(means),
    "spread": max(spreads),
}
claim(numbers["least"] > 0, "on average all gates have opened", **numbers)
claim(numbers["spread"] > 0.5, "some let one vowel through and another not", **numbers)
show_figure(
    draw_gates(gates),
    title="All gates have opened, on average to {mean:.2f}; {open} of {gates} stand above nine tenths",
    alt="A picture with a row for each of six attentions and a column for each of four heads: the mean strength of the gate on vowels and its spread. "
    "All means are positive, from {least:.2f} upwards.",
    **{name: numbers[name] for name in ("mean", "open", "gates", "least")},
)
prose(
    "1 is where the base was before PILL shut them. Some let one vowel through and another not (spreads up to {spread:.2f}). So the gates have mostly undone "
    "their own start; whether they do more than that, the next figure shows. The experts of the encoder add to a consonant {consonant:.0f} % of "
    "its vector's length, to a vowel {vowel:.0f} %: both kinds are changed.",
    spread=numbers["spread"],
    consonant=added[False],
    vowel=added[True],
)

# %% [markdown]
# ## Experiment: what would go without it?
#
# We change one part of the trained adapter at a time.

# %%
errors = errors_changed(model, probe)

# %% tags=["hide-input"]
numbers = {
    "trained": errors["as trained"],
    "open": errors["gates wide open"],
    "attention": errors["attention adapters silent"],
    "vowels": errors["vowels' experts silent"],
    "consonants": errors["consonants' experts silent"],
    "swapped": errors["experts change places"],
    "base": british_error(base, probe),
}
claim(abs(numbers["open"] - numbers["trained"]) < 1, "open gates: the same within a few words", **numbers)
claim(abs(numbers["attention"] - numbers["trained"]) < 1, "attention adapters do little", **numbers)
claim(
    numbers["trained"] + 3 < numbers["vowels"] < numbers["consonants"], "the consonants' experts weigh more", **numbers
)
claim(numbers["swapped"] > numbers["base"], "in each other's place worse than the untuned base", **numbers)
show_figure(
    draw_bars({"base, not tuned": numbers["base"], **errors}, len(probe), marked=("base, not tuned",), colour=ORANGE),
    title="The experts do the work; with the gates wide open it is {open:.1f} %, as trained {trained:.1f}",
    alt="Bars of British phoneme error: as trained {trained:.1f} %, gates wide open {open:.1f} %, attention adapters silent {attention:.1f} %, vowels' "
    "experts silent {vowels:.1f} %, consonants' experts silent {consonants:.1f} %, experts exchanged {swapped:.1f} %; base {base:.1f} %.",
    **numbers,
)

# %% [markdown]
# The experts are no copies of each other: in each other's place they are worse than the untuned base. The consonants' expert weighs
# more than the vowels', perhaps because it has all else besides vowels, the *r* among it. The attention adapters do little. The
# gates do nothing that can be seen: thrown wide open, the error is the same within a few words. For a type that the base knows
# already, a gate is only a hurdle at the start.

# %% [markdown]
# ## What it trains, what it gains, what it costs
#
# The saved comparison (`python -m lessons compare --seeds 5 --test-words all`): 300 steps, all held-out words.

# %% tags=["hide-input"]
kept_run("pill", "adapter_parallel", "adapter_houlsby", "lora")
beside = experts_beside_adapters()
said_and_so(
    said="The plug-ins work together with the original model and improve its effect and efficiency.",
    so="They are made to fit it: U = 0 starts at the base. Effect: from {before:.1f} to {pill:.1f} % phoneme error; plain adapters with about as "
    "many numbers ({adapter_parallel_trained:,} against {pill_trained:,}) reach {adapter_parallel:.1f}. Efficiency: no. Every expert is computed for every "
    "token, nothing merges, and the base runs as before: {pill_seconds:.0f} s of training against {adapter_parallel_seconds:.0f}. Of its parts, the experts "
    "help here and the gates do not.",
    shown_by="the bars and the table above",
    **{
        name: beside[name]
        for name in (
            "before", "pill", "adapter_parallel", "adapter_parallel_trained", "pill_trained", "pill_seconds", "adapter_parallel_seconds",
        )
    },
)  # fmt: skip

# %% [markdown]
# | | trains | gain | price |
# |---|---|---|---|
# | PILL | $3rd$ for each expert and self-attention, $d \cdot$ heads for each gate | a new kind of token joins, and its values are silent at the start | every expert is computed for every token here; nothing merges; types must be given; two stages to tune |
#
# Its neighbours:
#
# | | adapter ([lesson 17](17_adapters.ipynb)) | mixture of experts | PILL |
# |---|---|---|---|
# | how many networks | one per place | many | one per type of token |
# | who chooses | nobody | a learnt router | the token's type |
# | where | after or beside a sub-layer | in place of the feed forward | before the feed forward and the self-attention |
# | gate | none | the router's weight | on the new type's values, per head, shut at first |

# %% [markdown]
# ## The usual mistakes
#
# - **"A shut gate means that the new tokens are not there."** Their values are 0, their *keys* still take a share of the softmax.
#   The output for known tokens changes as soon as a new token is present (`tests/peft/test_pill.py`).
# - **The gate on all tokens.** It belongs to new types only. On known ones it would shut the base off.
# - **Types that no token has.** Without `token_types` every token is of type 0; the second expert never gets a gradient. A
#   warning says so here.
# - **Gradients at the first step.** $G$, $D$ get none as long as $U = 0$, which is right. Look at the second step.
# - **The last layer in stage 1** is forgotten: known and new change places there (the paper's code, `llm_model.py`).
# - **A new kind that is not new.** Then the gate throws away what the base knew. That was the first experiment.
# - **Quoting an accuracy from the paper.** We found no number that we could check, so there is none here.

# %% [markdown]
# ## Three questions
#
# <details><summary>Why is it the value that is gated, and not the key?</summary>
#
# A value of 0 adds nothing to the sum, whatever its weight is. A key of 0 is no silence: its score is 0, and the softmax gives it a
# share as large as that of any other key with score 0.
#
# </details>
#
# <details><summary>All tokens are of type 0. What does PILL do at the start?</summary>
#
# Nothing: $U = 0$ in all adapters, and no token is gated. It is the base.
#
# </details>
#
# <details><summary>Why can the experts not be merged into the feed forward's first matrix?</summary>
#
# What an expert adds is no linear function of $x$, because of the silu and the product. And the two kinds of tokens share that matrix,
# while their experts differ.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(23)

# %% [markdown]
# ## Summary
#
# - PILL has an expert for each kind of token, chosen by the kind, and gates that start shut on the values of new kinds.
# - It was made for images in a language model. The name is *Plug Into LLM*.
# - On vowels and consonants the experts do the work; the gates cost steps and bring nothing, because vowels are not new.
# - To find out what does the work in an adapter, change one part at a time.

# %% [markdown]
# ## Where to read on
#
# - Zhang et al., [*PILL: Plug Into LLM with Adapter Expert and Attention Gate*, arXiv
#   2311.02126](https://arxiv.org/abs/2311.02126)
# - Zhang et al., [*LLaMA-Adapter*, arXiv 2303.16199](https://arxiv.org/abs/2303.16199): a gate that starts at zero, on prefixes
# - Shazeer et al., [*Outrageously Large Neural Networks*, arXiv 1701.06538](https://arxiv.org/abs/1701.06538): experts that a router
#   chooses
# - Shazeer, [*GLU Variants Improve Transformer*, arXiv 2002.05202](https://arxiv.org/abs/2002.05202): the form of the adapter
# - Next: [lesson 24](24_reward_model.ipynb), a reward model. In the code: [`peft/pill.py`](../../peft/pill.py)
