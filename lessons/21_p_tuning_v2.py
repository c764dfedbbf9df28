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

**The question.** P-Tuning ([lesson 19](19_p_tuning.ipynb)) leaves our base nearly where it was. Two reasons are given for
such failures: a prompt shares the input's length with the text, and above the first layer only its echo is left. Are these
the reasons, and does it help to put free keys and values into *every* layer?

**You will be able to**

- say what P-Tuning v2 trains, and count it
- measure how much room virtual tokens take, and how far one layer's prefix carries
- say on what kinds of models and tasks it is ahead of a prompt in front, and what was measured of that

**Time:** 40 minutes. **Before it:** prefixes, from [lesson 20](20_prefix_tuning.ipynb); P-Tuning, from
[lesson 19](19_p_tuning.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.lora_relatives import kept_adapter
from lessons.experiments.p_tuning_v2 import (
    KEYS,
    QUERIES,
    VALUES,
    arrival_of_a_push,
    carried,
    longest_word,
    trained,
    without_its_network,
)
from lessons.experiments.p_tuning_v2_figures import (
    draw_carried,
    draw_every_layer,
    draw_pushed,
    draw_room,
    draw_trained,
    draw_understanding,
)
from lessons.experiments.p_tuning_v2_kept import (
    in_front_or_in_every_layer,
    prefixes_understand,
    prompts_on_a_small_model,
    sentiment_rows,
    study_f1,
)
from lessons.experiments.prefix_tuning import british_error, errors_with
from lessons.task.base import load_base
from lessons.task.dictionary import vocabulary, words
from lessons.task.machine import set_threads
from lessons.teaching import (
    claim,
    exercises_of,
    kept_run,
    lit_diagram,
    prose,
    quick,
    rises,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from peft import PromptTuningConfig, PTuningV2Config, get_peft_model
from transformer.attention import scaled_dot_product_attention

set_threads()
torch.manual_seed(0)
lit_diagram("attention", "keys_values")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_every_layer(),
    title="Not one prompt below all layers, but a learnt pair P in each; the query decides how much of it is taken",
    alt="Left: three layers with one learnt P below them, and three layers with a learnt P beside each. Right: a learnt pair with key "
    "0 and value 10 and a word with key 1 and value 4; for the queries 0, ln 3 and -ln 3 the share of the pair is 0.5, 0.25 and "
    "0.75, and the output 7, 5.5 and 8.5.",
)

# %% [markdown]
# ## The idea
#
# In P-Tuning the learnt vectors stand in front of the words, below the first layer. What the second layer finds there is what
# the first layer made of them, and so on. That design has two troubles.
#
# 1. **Length.** The input of a model has a fixed length, often 512. Virtual tokens and words share it, so the prompt cannot be
#    long, and the number of trained values stays small.
# 2. **Depth.** In a deep model it is hard to foresee what the first layer's prompt will do to the layers far above it.
#
# P-Tuning v2 puts learnt keys and values into every layer, those of one layer apart from those of the next. It is prefix tuning
# without the small network behind it, made for *understanding*: a sentence comes in, a label comes out, through a new trained
# head. More is trained, and nothing has to survive the layers below.

# %% [markdown]
# ## The formula
#
# $$\mathrm{Attn}(Q, [P_K; K], [P_V; V]) \qquad P_K, P_V \in \mathbb{R}^{p \times d}
# \text{, free parameters of each attention}$$
#
# - Layers share nothing: the prompts of one layer do not come from those of another.
# - Trained: $2\,p\,d$ for each attention, so $2\,p\,d\,(L_e + 2 L_d)$. And a new head, where the task has labels of its own.
# - Start: N(0, 1), as in the authors' code. That suits a base whose own keys and values are about as large. In a language model they
#   can be far smaller, and random prefixes then drown them. `init_weights="words"` starts from the keys and values of random tokens:
#   what the base would find if these tokens stood in front. So P-Tuning v2 starts in [lesson 30](30_instruction_tuning.ipynb)'s comparison.

# %% [markdown]
# ## The code
#
# `PrefixAttend` of [lesson 20](20_prefix_tuning.ipynb) does the work. The whole technique is a setting of it:

# %%
show_source(PTuningV2Config)

# %%
base, tokens = load_base(), vocabulary()
p, d = 20, base.config.d_model
model = get_peft_model(load_base(), PTuningV2Config(num_virtual_tokens=p))
attentions = base.config.num_encoder_layers + 2 * base.config.num_decoder_layers
print(f"2 · {p} · {d} · {attentions} = {2 * p * d * attentions:,}; counted {model.get_nb_trainable_parameters()[0]:,}")
print(f"prefix tuning, its network dropped, and P-Tuning v2 differ by {without_its_network():.1e}")

# %% [markdown]
# ## By hand
#
# The numbers of the drawing. One head, one feature, one word with key 1 and value 4, one free pair $P_K = 0$, $P_V = 10$. For a
# query $q$ the word's score is $q$ and the pair's is 0, so $\lambda = \frac{1}{1 + e^{q}}$.
#
# | $q$ | $\lambda$ | output $\lambda \cdot 10 + (1 - \lambda) \cdot 4$ |
# |---|---|---|
# | 0 | 0.5 | 7 |
# | $\ln 3$ | 0.25 | 5.5 |
# | $-\ln 3$ | 0.75 | 8.5 |
#
# The query decides how much of the pair it takes. That is how a constant can do different things to different words.

# %%
queries = torch.tensor(list(QUERIES.values())).log()[:, None]
output, weights = scaled_dot_product_attention(queries, KEYS, VALUES)
for query, share, result in zip(QUERIES, weights[:, 0].tolist(), output[:, 0].tolist()):
    print(f"q = {query:<6} λ = {share:.2f}   output {result:.2f}")

# %% [markdown]
# ## Experiment: the length
#
# We ask for more and more virtual tokens, and then for the longest word that still fits.

# %%
lengths = (5, 100) if quick() else (5, 20, 50, 80, 95, 100, 400)
in_input = {length: longest_word(PromptTuningConfig(num_virtual_tokens=length)) for length in lengths}
in_layers = {length: longest_word(PTuningV2Config(num_virtual_tokens=length)) for length in lengths}

# %% tags=["hide-input"]
most = base.config.max_length
claim(
    all(left in (0, most - length - 1) for length, left in in_input.items()), "p prompts leave max_length - p positions"
)
claim(set(in_layers.values()) == {most - 1}, "prefixes take none")
show_figure(
    draw_room(in_input, in_layers, most),
    title="A prompt takes a position for each of its vectors, a prefix takes none: {many} fit on a base that reads {most}",
    alt="The longest word over the number of virtual tokens. With a prompt it falls to 0 at {most} tokens, the limit of the base; with "
    "prefixes it stays level at {letters} up to {many}.",
    most=most,
    letters=most - 1,
    many=lengths[-1],
)
said_and_so(
    said="An input prompt limits how many parameters can be trained, because it must share the fixed input length with the text.",
    so="True, and exactly so: p prompts leave max_length - p positions, here of {most}. Prefixes take none. They are not free: each query "
    "looks at p more keys, in each attention.",
    shown_by="the figure above; `check_room` in `peft/virtual_tokens.py`",
    most=most,
)

# %% [markdown]
# ## Experiment: how far does one layer's prefix carry?
#
# The British adapter that comes with the course has 20 keys and values in each of nine attentions. We let only those of one layer
# take part, and see how far the encoder's vectors go away from the base's.

# %%
british = kept_adapter("p_tuning_v2")
probe = words("british", "development", 60 if quick() else 200)
eight_letters = torch.tensor([tokens.encode_word(word) for word in probe if len(word) == 8][:20])
parts = {f"layer {layer} only": (lambda path, layer=layer: f".layers.{layer}." in path) for layer in range(3)}
parts["every layer"] = lambda path: True
moves = carried(british, parts, eight_letters)
errors = {"none": british_error(base, probe), **errors_with(british, parts, probe)}

# %% tags=["hide-input"]
numbers = {
    "below": moves["layer 0 only"][0],
    "above": moves["layer 0 only"][-1],
    "none": errors["none"],
    "first": errors["layer 0 only"],
    "last": errors["layer 2 only"],
    "all": errors["every layer"],
    "share": 100 * (errors["none"] - errors["layer 2 only"]) / (errors["none"] - errors["every layer"]),
}
claim(0 < numbers["above"] < numbers["below"], "what enters at layer 0 is still there at the top, weaker", **numbers)
claim(numbers["last"] < numbers["first"] - 3, "the last layer's prefixes do far more than the first layer's", **numbers)
claim(numbers["share"] > 60, "most of what all do together", **numbers)
show_figure(
    draw_carried(moves, errors),
    title="Layer 0 reaches the top, but only the last layer's prefixes speak British alone: {first:.1f} and {last:.1f} % of error",
    alt="Left: how far the encoder's vectors move after each layer; with layer 0 only {below:.0f} % at first and {above:.0f} % at the top. "
    "Right: British phoneme error with the prefixes of one layer: {first:.1f} % for layer 0, {last:.1f} % for layer 2, {all:.1f} % for all; "
    "the base has {none:.1f} %.",
    **{name: numbers[name] for name in ("below", "above", "first", "last", "all", "none")},
)
prose(
    "Being there is not the same as helping. The prefixes of the last layer alone bring {share:.0f} % of the gain of all together.",
    share=numbers["share"],
)

# %% [markdown]
# ## Experiment: and when they are trained for it?
#
# A part of a trained whole need not do anything alone. So we also *train* prefixes in one layer only (of both stacks), with as
# many numbers as in all layers together: 60 keys and values in one layer against 20 in each of three. Beside them an input prompt.

# %%
steps = 3 if quick() else 30
runs = {
    "a prompt in front": trained("prompt_tuning", steps, probe),
    "60 in layer 0": trained("p_tuning_v2", steps, probe, layer=0, num_virtual_tokens=60),
    "60 in layer 2": trained("p_tuning_v2", steps, probe, layer=2, num_virtual_tokens=60),
    "20 in each layer": trained("p_tuning_v2", steps, probe),
}

# %% tags=["hide-input"]
numbers = {
    "steps": steps,
    "prompt": runs["a prompt in front"]["error"],
    "first": runs["60 in layer 0"]["error"],
    "last": runs["60 in layer 2"]["error"],
    "each": runs["20 in each layer"]["error"],
    "base": errors["none"],
    "few": runs["a prompt in front"]["trained"],
    "many": runs["20 in each layer"]["trained"],
}
ends = {name: run["end"] for name, run in runs.items()}
claim(max(ends, key=ends.__getitem__) == "a prompt in front", "the prompt has the highest loss")
claim(numbers["last"] < numbers["first"] - 2, "late is better than early", **numbers)
claim(abs(numbers["last"] - numbers["each"]) < 2, "all layers and the last one: close", **numbers)
show_figure(
    draw_trained(runs),
    title="As many numbers, {steps} steps: in the last layer {last:.1f} %, in the first {first:.1f} %",
    alt="Four curves of the loss over {steps} steps, with the British phoneme error at their end: a prompt in front {prompt:.1f} %, 60 pairs in "
    "layer 0 {first:.1f} %, 60 in layer 2 {last:.1f} %, 20 in each layer {each:.1f} %.",
    **{name: numbers[name] for name in ("steps", "prompt", "first", "last", "each")},
)
prose(
    "The base alone has {base:.1f} %. A prompt has {few:,} numbers, the prefixes {many:,}. So it matters *where* the numbers are, and "
    "late is better than early. That spreading them over all layers beats the last layer alone, {steps} steps and one seed do not show.",
    **{name: numbers[name] for name in ("base", "few", "many", "steps")},
)

# %% [markdown]
# ## Experiment: can one foresee what a prompt does above?
#
# We push every number of a trained prompt by one small random amount, and see how much of the push arrives at the letters after
# each layer. If small pushes grew without a limit, or came out as anything at all, the layers above could not rely on it.

# %%
arrived = arrival_of_a_push(eight_letters, seeds=3 if quick() else 20)

# %% tags=["hide-input"]
middle = [sum(values) / len(values) for values in arrived]
numbers = {
    "first": middle[0],
    "last": middle[-1],
    "most": max(map(max, arrived)),
    "ratio": max(max(v) / min(v) for v in arrived),
}
claim(rises(middle), "it grows from layer to layer", **numbers)
claim(numbers["most"] < 0.5, "less than half of the push arrives anywhere", **numbers)
claim(numbers["ratio"] < 4, "no direction is much more than another", **numbers)
show_figure(
    draw_pushed(arrived, 1.0),
    title="A push of {push:g} % at the prompt moves the letters by {first:.2f} % after the first layer and by {last:.2f} % after the last",
    alt="Dots for pushes in many directions, after each of three layers. The mean rises from {first:.2f} to {last:.2f} %; no dot is above "
    "{most:.2f} %.",
    push=1.0,
    **{name: numbers[name] for name in ("first", "last", "most")},
)
said_and_so(
    said="In deep models the influence of an input prompt on later layers is hard to foresee; prompts in each layer make it stable.",
    so="Where they enter matters, but not by chaos, on three layers. The push grows from layer to layer ({first:.2f} to {last:.2f} %), stays "
    "small, and between directions it differs by a factor of {ratio:.1f} at most. Yet the same number of keys and values is worth more in the last layer "
    "than in the first. The paper says so too: deeper prompts act more directly on the output. Three layers say nothing of a hundred.",
    shown_by="the three figures above",
    **{name: numbers[name] for name in ("first", "last", "ratio")},
)

# %% [markdown]
# ## Experiment: does it understand?
#
# P-Tuning v2 was made for understanding: classes, not text. People rated sentences about movies, and a BERT encoder (all-MiniLM-L6-v2)
# is to say whether a sentence is positive, neutral or negative (`make sentiment`, then
# `python -m lessons sentiment`; the saved results are shown). Its head is new and trained with every technique.

# %% tags=["hide-input"]
rows, study = sentiment_rows(), study_f1()
scores = {"head alone": [rows["head"]["tested"]["movies"]["f1"]]}
scores |= {f"{name}, 20 in front": study[name] for name in ("prompt_tuning", "p_tuning") if name in study}
scores |= {"p_tuning_v2, 20 in each layer": study["p_tuning_v2"]} if "p_tuning_v2" in study else {}
scores |= {"prefix_tuning, 10 in each layer": [rows["prefix_tuning"]["tested"]["movies"]["f1"]]}
scores |= {name: [rows[name]["tested"]["movies"]["f1"]] for name in ("lora", "full")}
understood = prefixes_understand()
show_figure(
    draw_understanding(scores),
    title="Keys and values in every layer bring {gain:.0f} % of what full fine-tuning gains on rated sentences",
    alt="F1 on held-out sentences: {head:.3f} with the head alone, {prefix_tuning:.3f} with prefixes in every layer, {full:.3f} with all "
    "weights.",
    **{name: understood[name] for name in ("gain", "head", "prefix_tuning", "full")},
)
prose(
    "The encoder has {millions:.1f} million numbers. On {sentences:,} held-out sentences the head alone reaches an F1 of {head:.3f} (1 is perfect; lesson 28 defines it). Ten keys and values in each layer, with the network of "
    "lesson 20, bring it to {prefix_tuning:.3f}, LoRA to {lora:.3f}, all weights to {full:.3f} (120 steps, one seed).",
    **{name: understood[name] for name in ("millions", "sentences", "head", "prefix_tuning", "lora", "full")},
)
prose(
    "F1 with {tokens} virtual tokens each, {seeds} seeds (`{command}`): prompt tuning {prompt_tuning:.3f}, P-Tuning {p_tuning:.3f}, "
    "P-Tuning v2 {p_tuning_v2:.3f}. Within what chance allows ({chance:.3f}), P-Tuning v2 {against_prompt_tuning} prompt tuning and "
    "{against_p_tuning} P-Tuning. This task is easy enough for a prompt in front.",
    **in_front_or_in_every_layer(),
)

# %% tags=["hide-input"]
small = prompts_on_a_small_model()
kept_run("prompt_tuning", "p_tuning", "prefix_tuning", "p_tuning_v2", "lora")
said_and_so(
    said="On hard understanding tasks and on small models P-Tuning v2 works better than P-Tuning.",
    so="On a small model: yes, by far. Our base has {parameters:.1f} million parameters; P-Tuning leaves {p_tuning:.1f} % British word "
    "error, P-Tuning v2 {p_tuning_v2:.1f} (the base has {before:.1f}). LoRA leaves {lora:.1f}. Understanding: sentiment is an easy task, and there "
    "prefixes bring most of the gain. The hard ones of the paper (names in a text, answers in a text: one label for each token) are not measured here.",
    shown_by="the table and the figure above",
    **{name: small[name] for name in ("parameters", "p_tuning", "p_tuning_v2", "before", "lora")},
)

# %% [markdown]
# ## What it trains, what it gains, what it costs
#
# | | trains | gain | price |
# |---|---|---|---|
# | P-Tuning v2 | $2\,p\,d$ for each attention, and a head if the task has labels | no room taken, works in each layer, no network to train and drop | a larger file than a prompt; $p$ more keys in each attention; a large learning rate and more steps |

# %% tags=["hide-input"]
prose(
    "With the network, prefix tuning with half as many keys leaves {prefix_tuning:.1f} %, without it {p_tuning_v2:.1f}: level. The file of P-Tuning v2 has {kilobytes:.0f} kB, that of "
    "a prompt {prompt_kilobytes:.0f}.",
    **{name: small[name] for name in ("prefix_tuning", "p_tuning_v2", "kilobytes", "prompt_kilobytes")},
)

# %% [markdown]
# Its neighbour, P-Tuning ([lesson 19](19_p_tuning.ipynb)):
#
# | | P-Tuning | P-Tuning v2 |
# |---|---|---|
# | where | before the first layer | keys and values of every attention |
# | encoder behind it | LSTM or MLP | none |
# | later layers' prompts come from | the layer before | themselves |
# | output | the model's vocabulary | a new trained head, if wanted |
#
# They share a name and authors, and little else. P-Tuning v2 is nearer to prefix tuning.

# %% [markdown]
# ## The usual mistakes
#
# - **"Deep prompts" of another kind.** Some methods put learnt *hidden states* into each layer
#   ([arXiv 2203.12119](https://arxiv.org/abs/2203.12119)). Those go through the norm, $W_K$ and $W_V$. These are keys and values. The
#   two are not the same adapter.
# - **The learning rate of LoRA.** Free keys and values need a far larger one: see `lessons/task/learning_rates.json`.
# - **The head is forgotten.** The paper replaces the vocabulary's head by a trained one: `modules_to_save=("output",)`. Where
#   matrices are tied, that is the embedding too.
# - **Loaded as something else.** On disk it is prefix tuning without a projection: that is how Hugging Face PEFT has it.
# - **On encoder-decoders** Hugging Face PEFT has the defect that [lesson 20](20_prefix_tuning.ipynb) shows.

# %% [markdown]
# ## Three questions
#
# <details><summary>Why is it said that prefixes are "prompts in every layer", though no layer's input has become longer?</summary>
#
# A prompt in a layer would be looked at by the words through its key and its value. Here these two are given directly. What is
# missing is the prompt's own query: nothing is computed for it.
#
# </details>
#
# <details><summary>With 20 virtual tokens in each of twelve layers of width 768, one attention per layer: how many numbers?</summary>
#
# Twice 20 times 768 for each layer, so 30,720; twelve times that is 368,640.
#
# </details>
#
# <details><summary>Why may the last layer's prefixes be worth more than the first layer's?</summary>
#
# They act on what the output is made from, and nothing comes after them that was trained for other vectors. In the first layers the
# letters are still the same in both accents.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(21)

# %% [markdown]
# ## Summary
#
# - P-Tuning v2 is prefix tuning without the network: free keys and values in every attention, and a new head for labels.
# - It takes no room from the text. That reason for it is exact.
# - Where the pairs stand matters: late layers more than early ones. That a prompt's effect is chaotic, three layers do not show.
# - On our small base it is far ahead of prompts in front; on rated sentences prefixes bring most of what full fine-tuning gains.

# %% [markdown]
# ## Where to read on
#
# - Liu et al., [*P-Tuning v2: Prompt Tuning Can Be Comparable to Fine-tuning Universally Across Scales and Tasks*, arXiv
#   2110.07602](https://arxiv.org/abs/2110.07602)
# - Li and Liang, [*Prefix-Tuning*, arXiv 2101.00190](https://arxiv.org/abs/2101.00190): where the keys and values come from
# - Jia et al., [*Visual Prompt Tuning*, arXiv 2203.12119](https://arxiv.org/abs/2203.12119): shallow and deep prompts as hidden states
# - Next: [lesson 22](22_ssf.ipynb), a factor and a shift for every feature. In the code:
#   [`peft/p_tuning_v2.py`](../../peft/p_tuning_v2.py), [`lessons/sentiment/`](../sentiment/README.md)
