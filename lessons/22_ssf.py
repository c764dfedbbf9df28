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
# 22. SSF: scale and shift the features

**The question.** An adapter stays in the model for ever, and each use pays for it. A radio has two knobs for each channel: how
loud, and where zero is. If every feature that a layer puts out gets such a factor and such a shift, is that enough to learn an
accent, and can the knobs be taken off afterwards, as if they had never been there?

**You will be able to**

- scale and shift the output of any frozen layer, and count what that trains
- merge factors and shifts into the weights by hand, exactly
- say which relatives are SSF with something missing, and what SSF does not save

**Time:** 35 minutes. **Before it:** the linear layers and norms, from [lesson 5](05_add_norm.ipynb) and
[lesson 6](06_feed_forward_and_encoder.ipynb); BitFit, from [lesson 12](12_bitfit_and_layernorm.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.lora_relatives import kept_adapter
from lessons.experiments.prefix_tuning_figures import draw_bars
from lessons.experiments.ssf import (
    KINDS,
    X,
    by_formula,
    distances,
    errors_without,
    example,
    factors_beside_the_rest,
    from_start,
    merged_twin,
    numbers_of,
    shift_gradients,
)
from lessons.experiments.ssf_figures import draw_distances, draw_scale_and_shift, draw_starts, draw_trade
from lessons.drawing.style import ORANGE
from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.machine import set_threads
from lessons.task.scoring import predict
from lessons.teaching import (
    claim,
    exercises_of,
    kept_rows,
    kept_run,
    lit_diagram,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
)
from peft import SSFConfig, get_peft_model
from peft.ssf import ScaledShifted, scale_and_shift
from transformer import LayerNorm

set_threads()
torch.manual_seed(0)
lit_diagram("attention", "feed_forward", "add_norm")

# %% [markdown]
# Every lit box gets a factor and a shift behind each of its operations: behind the four matrices of an attention, behind the
# two of a feed forward, behind each norm.

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_scale_and_shift(),
    title="A factor and a shift for each output; afterwards the same numbers stand in the weights",
    alt="Above: x = (1, 1) goes through W and b to (4, 1), is multiplied by the learnt factors (2, -1), and the learnt shifts (0.5, 3) are "
    "added: (8.5, 2). Below: the rows of W times the factors and the bias (2.5, 3) give the same (8.5, 2).",
)

# %% [markdown]
# ## The idea
#
# The features of a model are good already: they were learnt from much more data than we have. For a new task some of them
# should speak louder, some more quietly, and some should begin from another zero. So nothing is learnt but that: for
# each output of each operation a factor $\gamma$ and a shift $\beta$. All weights stay frozen.
#
# A factor behind a linear layer is the same as a factor on a row of its matrix, because $\gamma\,(w \cdot x) = (\gamma w) \cdot x$.
# So when training is over, factors and shifts are multiplied into the weights. The tuned model has the base's size and speed, and
# no trace of the technique.

# %% [markdown]
# ## The formula
#
# $$y = \gamma \odot \mathrm{op}(x) + \beta \qquad \gamma, \beta \in \mathbb{R}^{d_{out}}$$
#
# - op is a frozen linear layer or a LayerNorm. In the feed forward γ and β come *before* the ReLU.
# - The start is nearly the identity, as in the paper: $\gamma \sim N(1, 0.02^2)$, $\beta \sim N(0, 0.02^2)$.
# - The merge is exact: $\gamma \odot (Wx + b) + \beta = (\mathrm{diag}(\gamma)\,W)\,x + (\gamma \odot b + \beta)$.
#
# Trained: $14 d + 2 d_{ff}$ for an encoder layer, $24 d + 2 d_{ff}$ for a decoder layer, $2d$ for a norm after a stack.

# %% [markdown]
# ## The code

# %%
show_source(scale_and_shift, ScaledShifted)

# %%
base = load_base()
d, d_ff = base.config.d_model, base.config.d_ff
fresh = get_peft_model(load_base(), SSFConfig())
counted = fresh.get_nb_trainable_parameters()[0]
print(f"by the formula {by_formula(d, d_ff, layers=3, stack_norms=2):,}; counted {counted:,}")

# %% [markdown]
# ## By hand
#
# The numbers of the drawing.
#
# $$W = \begin{pmatrix} 1 & 2 \\ 0 & 1 \end{pmatrix},\; b = \begin{pmatrix} 1 \\ 0 \end{pmatrix},\;
# x = \begin{pmatrix} 1 \\ 1 \end{pmatrix} \;\Rightarrow\; Wx + b = \begin{pmatrix} 4 \\ 1 \end{pmatrix}$$
#
# $$\gamma = \begin{pmatrix} 2 \\ -1 \end{pmatrix},\; \beta = \begin{pmatrix} 0.5 \\ 3 \end{pmatrix} \;\Rightarrow\;
# y = \begin{pmatrix} 2 \cdot 4 + 0.5 \\ -1 \cdot 1 + 3 \end{pmatrix} = \begin{pmatrix} 8.5 \\ 2 \end{pmatrix}$$
#
# Merged: each *row* of $W$ times its γ.
#
# $$W' = \begin{pmatrix} 2 & 4 \\ 0 & -1 \end{pmatrix},\; b' = \begin{pmatrix} 2 \cdot 1 + 0.5 \\ -1 \cdot 0 + 3 \end{pmatrix}
# = \begin{pmatrix} 2.5 \\ 3 \end{pmatrix} \;\Rightarrow\; W'x + b' = \begin{pmatrix} 6 + 2.5 \\ -1 + 3 \end{pmatrix} =
# \begin{pmatrix} 8.5 \\ 2 \end{pmatrix}$$

# %%
layer = example()
merged = layer.merged()
print("scaled, shifted:", layer(X).tolist())
print("merged:         ", merged(X).tolist(), "from", merged.weight.tolist(), merged.bias.tolist())

# %% [markdown]
# A LayerNorm merges in the same way: its gain $g$ becomes $\gamma \odot g$, its bias $\gamma \odot b + \beta$.
#
# And the British adapter that comes with the course, merged into the base:

# %%
twin, apart = merged_twin()
print(f"the logits differ by {apart:.1e} at most")
print(f"layers with a γ left: {sum(isinstance(module, ScaledShifted) for module in twin.modules())}")
print(
    f"parameters: base {sum(p.numel() for p in base.parameters()):,}, merged {sum(p.numel() for p in twin.parameters()):,}"
)
some = ["tomato", "dance", "water", "laboratory"]
print("base:  ", predict(base, some))
print("merged:", predict(twin, some))

# %% [markdown]
# ## Experiment: what it reaches on the base
#
# The saved comparison (`python -m lessons compare --seeds 5 --test-words all`): the same 1,000 British words and 300 steps for
# each technique, each at its own searched rate, all held-out words.

# %% tags=["hide-input"]
beside = factors_beside_the_rest()
names = ("ln_tuning", "ia3", "bitfit", "ssf", "lora", "full")
kept_run(*names)
show_figure(
    draw_trade(
        {name: beside[name] for name in names},
        {name: kept_rows(name)[0]["trainable_parameters"] for name in names},
        beside["before"],
    ),
    title="With {share:.1f} % of the numbers SSF stands between its relatives and LoRA: {ssf:.1f} % word error",
    alt="British word error over trained parameters. SSF {ssf:.1f} %, BitFit {bitfit:.1f} %, LayerNorm tuning {ln_tuning:.1f} %, IA3 {ia3:.1f} %, "
    "LoRA {lora:.1f} %, full fine-tuning {full:.1f} %; the base has {before:.1f} %.",
    **{name: beside[name] for name in ("share", "before", *names)},
)
said_and_so(
    said="SSF saves computing while performance is kept or raised; for large models it needs less time and fewer resources to train.",
    so="The *file* is small ({ssf_trained:,} numbers, LoRA {lora_trained:,}), and what is used afterwards costs nothing more than the base. "
    "Training does not get shorter here: {ssf_seconds:.0f} s, full fine-tuning {full_seconds:.0f}. And it takes hardly less memory on this small base: "
    "{ssf_memory:.0f} MB, full {full_memory:.0f}, because the gradient of every γ needs what its operation put out, which must be kept. What large models "
    "save are gradients and optimizer states of the frozen weights. Performance: {ssf:.1f} % word error, full {full:.1f}.",
    shown_by="the table above",
    **{
        name: beside[name]
        for name in (
            "ssf_trained",
            "lora_trained",
            "ssf_seconds",
            "full_seconds",
            "ssf_memory",
            "full_memory",
            "ssf",
            "full",
        )
    },
)

# %% [markdown]
# ## Experiment: which features moved?
#
# The γ's of the trained adapter began around 1, the β's around 0. How far did they go?

# %%
model = kept_adapter("ssf")
went = distances(model)
factors = torch.cat([numbers_of(model, kind, "ssf_scale") for kind in KINDS])

# %% tags=["hide-input"]
gradients = shift_gradients()
numbers = {
    "least": min(scale for scale, _ in went.values()),
    "most": max(scale for scale, _ in went.values()),
    "start": 0.02 * (2 / torch.pi) ** 0.5,
    "share": 100 * ((factors - 1).abs() > 0.1).float().mean().item(),
    "negative": int((factors < 0).sum()),
    "factors": len(factors),
    "keys": went["k_proj"][1],
    "shifts": max(shift for _, shift in went.values()),
    "key_gradient": gradients["k_proj"],
    "query_gradient": gradients["q_proj"],
}
claim(numbers["least"] > 5 * numbers["start"], "every kind has moved", **numbers)
claim(numbers["most"] < 2 * numbers["least"], "no kind stands out much among the factors", **numbers)
claim(numbers["negative"] < 0.01 * numbers["factors"], "hardly any turned negative", **numbers)
claim(numbers["keys"] == numbers["shifts"], "the keys' shifts went farthest", **numbers)
claim(numbers["key_gradient"] < 1e-5 * numbers["query_gradient"], "and nothing pulled at them", **numbers)
show_figure(
    draw_distances(went),
    title="All factors moved alike, from {least:.2f} to {most:.2f}; of the shifts those of the keys went farthest, for nothing",
    alt="Bars for seven kinds of operation. Left: the mean distance of the factors from 1, between {least:.2f} and {most:.2f}. Right: the mean "
    "size of the shifts, up to {keys:.2f} for the keys, in black.",
    **{name: numbers[name] for name in ("least", "most", "keys")},
)
prose(
    "At the start the mean distance was {start:.3f}. Now {share:.0f} % of all factors are more than a tenth away from 1, and {negative} of "
    "{factors:,} have turned negative.",
    **{name: numbers[name] for name in ("start", "share", "negative", "factors")},
)
prose(
    "**Why do the keys' shifts move?** The shift of a key adds the same number to the score of every key of a query, and softmax takes that "
    "out again. So the gradient of β behind `k_proj` is zero (the same is true of $b_K$ in BitFit, "
    "[lesson 12](12_bitfit_and_layernorm.ipynb)): {key_gradient:.0e} here, behind `q_proj` {query_gradient:.0e}. But Adam divides each gradient by "
    "its own usual size. What is left of zero is rounding, and rounding divided by its own size makes steps nearly as large as any. These numbers made "
    "a random walk. The bars below show whether it did harm.",
    key_gradient=numbers["key_gradient"],
    query_gradient=numbers["query_gradient"],
)

# %% [markdown]
# ## Experiment: scale or shift, which does the work?
#
# We set parts of the trained adapter back to 1 and 0.

# %%
probe = words("british", "development", 60 if quick() else 200)
always, never = (lambda path: True), (lambda path: False)
variants = {
    "all of it": (never, never),
    "without the keys' shifts": (never, lambda path: path.endswith("k_proj")),
    "without the encoder's": (lambda path: path.startswith("encoder"),) * 2,
    "without the norms'": (lambda path: path.endswith("norm"),) * 2,
    "only the factors γ": (never, always),
    "only the shifts β": (always, never),
    "without the decoder's": (lambda path: path.startswith("decoder"),) * 2,
    "none of it": (always, always),
}
errors = errors_without(model, variants, probe)

# %% tags=["hide-input"]
numbers = {
    "all": errors["all of it"],
    "keys": errors["without the keys' shifts"],
    "encoder": errors["without the encoder's"],
    "norms": errors["without the norms'"],
    "factors": errors["only the factors γ"],
    "shifts": errors["only the shifts β"],
    "decoder": errors["without the decoder's"],
    "none": errors["none of it"],
}
claim(abs(numbers["keys"] - numbers["all"]) < 0.1, "the keys' shifts do nothing", **numbers)
claim(numbers["all"] + 4 < numbers["factors"] < numbers["shifts"], "either kind alone leaves most", **numbers)
claim(numbers["encoder"] < numbers["all"] + 3 < numbers["norms"], "the encoder's matter least", **numbers)
claim(abs(numbers["decoder"] - numbers["none"]) < 1, "without the decoder's nothing is left", **numbers)
show_figure(
    draw_bars(errors, len(probe), marked=("none of it",), height=3.4, colour=ORANGE),
    title="Factors and shifts need each other: {all:.1f} % together, {factors:.1f} and {shifts:.1f} % alone",
    alt="Bars of British phoneme error: all {all:.1f} %, without the keys' shifts {keys:.1f} %, without the encoder's {encoder:.1f} %, without the "
    "norms' {norms:.1f} %, only factors {factors:.1f} %, only shifts {shifts:.1f} %, without the decoder's {decoder:.1f} %, none {none:.1f} %.",
    **numbers,
)

# %% [markdown]
# They were trained together, and either kind alone leaves most of the error. The work is done in the decoder, for the letters are the
# same in both accents. The keys' shifts can be thrown away. Parts that are *trained* alone do better than parts that are cut out:
# LayerNorm tuning and BitFit (table above) are SSF with most of it missing.

# %% [markdown]
# ## Experiment: the paper's start
#
# $N(1, \sigma^2)$ and $N(0, \sigma^2)$ with a small $\sigma$ are near the identity, not on it. `init="identity"` is on it. Does the
# difference matter? First before any training, then in some steps.

# %%
steps = 3 if quick() else 30
american = words("american", "development", 60 if quick() else 200)
runs = {init: from_start(init, steps, american, probe) for init in ("paper", "identity")}

# %% tags=["hide-input"]
numbers = {
    "steps": steps,
    "paper": runs["paper"]["british"],
    "identity": runs["identity"]["british"],
    "noise": abs(runs["paper"]["american"] - runs["identity"]["american"]),
}
claim(numbers["noise"] < 0.5, "the start's noise hardly changes the base", **numbers)
claim(abs(numbers["paper"] - numbers["identity"]) < 1, "both learn the same", **numbers)
show_figure(
    draw_starts(runs),
    title="Near the identity or on it: after {steps} steps {paper:.1f} and {identity:.1f} % of British phoneme error",
    alt="The loss over {steps} steps from both starts; the curves lie on each other. British phoneme error {paper:.1f} and {identity:.1f} %.",
    **{name: numbers[name] for name in ("steps", "paper", "identity")},
)
prose(
    "Here it does not matter. The noise of the start changes the American error by {noise:.2f} points before any training.",
    noise=numbers["noise"],
)

# %% tags=["hide-input"]
said_and_so(
    said="SSF adjusts the scale and offset of features, without training the model's parameters.",
    so="Both are true at once, and there is more: merged, it *is* a change of the model's parameters. Each row of a matrix gets longer or "
    "shorter and each bias moves. What it cannot do is turn a row into another direction than its own or the opposite; LoRA can.",
    shown_by="`merged()` above; the example by hand",
)

# %% [markdown]
# ## What it trains, what it gains, what it costs
#
# | | trains | gain | price |
# |---|---|---|---|
# | SSF | two numbers per feature, everywhere | nearer to LoRA than its relatives, with a sixth of its numbers; merges exactly; nothing is left at run time | while training, every operation keeps its output for the gradient of γ; no sum of several adapters |
#
# Its neighbours:
#
# | | learns | SSF with |
# |---|---|---|
# | BitFit ([lesson 12](12_bitfit_and_layernorm.ipynb)) | biases only | γ fixed at 1 |
# | LayerNorm tuning ([lesson 12](12_bitfit_and_layernorm.ipynb)) | gain and bias of the norms | only behind norms |
# | IA³ ([lesson 14](14_lora_relatives.ipynb)) | factors of keys, values and the feed forward's inside | β fixed at 0, in three places; in the feed forward behind the activation, where SSF has none |
# | LoRA ([lesson 13](13_lora.ipynb)) | a low-rank change of $W$ | $\Delta W = (\mathrm{diag}(\gamma) - I)\,W$: any rank, but only $d_{out}$ numbers free |

# %% [markdown]
# ## The usual mistakes
#
# - **Weight decay on γ.** It pulls γ to 0, not to 1, and so shuts the features off. The authors' code takes γ and β out of the decay.
# - **Columns in place of rows.** `nn.Linear` keeps $W$ as $(d_{out}, d_{in})$: γ belongs to outputs, so to rows. With a square
#   matrix no shape complains. The example by hand has $W \ne W^\top$ for that reason.
# - **The bias is not scaled** in the merge: $b' = b + \beta$. Right only where $b = 0$: test with biases that are not 0.
# - **A layer without a bias** has no place for β: the merged layer needs one.
# - **After the activation.** Then it would not merge into its own layer: ReLU is in between.
# - **Merging into tied embeddings.** One matrix is input and output there; a factor for one would change the other.
# - **A new head that is not trained.** In the paper the classification head is trained along; here it is `modules_to_save`.

# %%
norm = LayerNorm(3)
wrapped = ScaledShifted(norm, init="identity")
with torch.no_grad():
    norm.bias.fill_(1.0)
    wrapped.ssf_scale.fill_(2.0)
    values = torch.tensor([1.0, 2.0, 6.0])
    right, forgotten = wrapped.merged()(values), 2.0 * norm(values) - 1.0
print("merged:", [round(value, 3) for value in right.tolist()])
print("with the bias left unscaled:", [round(value, 3) for value in forgotten.tolist()])

# %% [markdown]
# ## Three questions
#
# <details><summary>Why does γ stand before the ReLU and not behind it?</summary>
#
# Before it, γ and β belong to a linear layer and merge into it. There they also decide when a hidden number is above 0 at all. Behind
# it a factor would still merge, into the next matrix's columns, and a shift into its bias; but the ReLU's point of zero could not move.
#
# </details>
#
# <details><summary>γ is 0 for one feature. What is left of that feature?</summary>
#
# The constant β. The row of the merged matrix is 0, and the bias is β: the input no longer matters there.
#
# </details>
#
# <details><summary>Can two SSF adapters be summed, as two LoRAs can?</summary>
#
# No. Factors multiply, so one after the other depends on the order through the shifts, and the sum of two factors near 1 is near 2.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(22)

# %% [markdown]
# ## Summary
#
# - SSF learns a factor and a shift for each output of each linear layer and norm. Nothing else moves.
# - The merge is exact: rows of $W$ times γ, and $\gamma \odot b + \beta$. Nothing is left at run time.
# - Factors and shifts need each other; the keys' shifts are of no use, and move all the same, because Adam enlarges rounding.
# - It is small and leaves no trace. It does not make training shorter.

# %% [markdown]
# ## Where to read on
#
# - Lian et al., [*Scaling & Shifting Your Features: A New Baseline for Efficient Model Tuning*, arXiv
#   2210.08823](https://arxiv.org/abs/2210.08823)
# - Perez et al., [*FiLM: Visual Reasoning with a General Conditioning Layer*, arXiv
#   1709.07871](https://arxiv.org/abs/1709.07871): scale and shift, given by another input
# - [*BitFit*, arXiv 2106.10199](https://arxiv.org/abs/2106.10199), and [*IA³*, arXiv
#   2205.05638](https://arxiv.org/abs/2205.05638): only the shift, only the scale
# - Next: [lesson 23](23_pill.ipynb), an expert for each kind of token. In the code: [`peft/ssf.py`](../../peft/ssf.py)
