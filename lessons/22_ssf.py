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

Every feature that a layer puts out gets one factor and one shift. They can be written into the weights afterwards, exactly,
so a tuned model is as fast and as large as the base.
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
from lessons.task.finetuning import adapter_config, rate_of, training_config
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate, predict
from lessons.teaching import exercises_of, kept_run, lit_diagram, quick, said_and_so, show_source
from peft import PeftModel, SSFConfig, get_peft_model
from peft.ssf import ScaledShifted, scale_and_shift
from transformer import LayerNorm, train

set_threads()
torch.manual_seed(0)
HERE = Path(lessons.__file__).parent
lit_diagram("attention", "feed_forward", "add_norm")

# %% [markdown]
# Every lit box gets a factor and a shift behind each of its operations: behind the four matrices of an attention, behind the
# two of a feed forward, behind each norm.
#
# ## The formula
#
# $$y = \gamma \odot \mathrm{op}(x) + \beta \qquad \gamma, \beta \in \mathbb{R}^{d_{out}}$$
#
# - op is a frozen linear layer or a LayerNorm. In the feed forward γ and β come *before* the ReLU.
# - The start is nearly the identity, as in the paper: $\gamma \sim N(1, 0.02^2)$, $\beta \sim N(0, 0.02^2)$.
# - The merge is exact: $\gamma \odot (Wx + b) + \beta = (\mathrm{diag}(\gamma)\,W)\,x + (\gamma \odot b + \beta)$.
#
# Trained: $14 d + 2 d_{ff}$ for an encoder layer, $24 d + 2 d_{ff}$ for a decoder layer, $2d$ for a norm after a stack.

# %%
show_source(scale_and_shift, ScaledShifted)

# %%
base = load_base()
d, d_ff = base.config.d_model, base.config.d_ff
by_formula = 3 * (14 * d + 2 * d_ff) + 3 * (24 * d + 2 * d_ff) + 2 * (2 * d)
fresh = get_peft_model(load_base(), SSFConfig())
print(f"by the formula {by_formula:,}; counted {fresh.get_nb_trainable_parameters()[0]:,}")

# %% [markdown]
# ## By hand: the merge
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
linear = nn.Linear(2, 2)
layer = ScaledShifted(linear, init="identity")
x = torch.tensor([1.0, 1.0])
with torch.no_grad():
    linear.weight.copy_(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
    linear.bias.copy_(torch.tensor([1.0, 0.0]))
    print("γ = 1, β = 0:", layer(x).tolist(), "the base, exactly")
    layer.ssf_scale.copy_(torch.tensor([2.0, -1.0]))
    layer.ssf_shift.copy_(torch.tensor([0.5, 3.0]))
    merged = layer.merged()
    print("scaled, shifted:", layer(x).tolist())
    print("merged:         ", merged(x).tolist(), "from", merged.weight.tolist(), merged.bias.tolist())

# %% [markdown]
# A LayerNorm merges in the same way: its gain $g$ becomes $\gamma \odot g$, its bias $\gamma \odot b + \beta$.
#
# ## On the real model: merged is the same
#
# The shipped British adapter (`lessons/adapters/british/ssf`, by `python -m lessons compare`).

# %%
model = PeftModel.from_pretrained(load_base(), HERE / "adapters" / "british" / "ssf")
tokens = vocabulary()
source = torch.tensor([tokens.encode_word("laboratory")])
target = torch.tensor([tokens.encode_pronunciation(load("british")["laboratory"][0])])
twin = PeftModel.from_pretrained(load_base(), HERE / "adapters" / "british" / "ssf").merge_and_unload().eval()
with torch.no_grad():
    beside, inside = model(source, target), twin(source, target)
print(f"largest difference of the logits, which go up to {beside.abs().max():.0f}: {(beside - inside).abs().max():.1e}")
print(
    f"layers with a γ left in the merged model: {sum(isinstance(module, ScaledShifted) for module in twin.modules())}"
)
print(
    f"parameters: base {sum(p.numel() for p in base.parameters()):,}, merged {sum(p.numel() for p in twin.parameters()):,}"
)
some = ["tomato", "dance", "water", "laboratory"]
print("base:  ", predict(base, some))
print("merged:", predict(twin, some))

# %% [markdown]
# ## Which features moved?
#
# Each place has γ's that began around 1 and β's that began around 0. How far did they go?

# %%
layers = {path: layer for path, layer in model.adapters["default"].layers.items() if isinstance(layer, ScaledShifted)}


def spread(paths: list[str]) -> tuple[float, float]:
    """The mean distances of γ from 1 and of β from 0."""
    scales = torch.cat([layers[path].ssf_scale.detach() for path in paths])
    shifts = torch.cat([layers[path].ssf_shift.detach() for path in paths])
    return float((scales - 1).abs().mean()), float(shifts.abs().mean())


kinds = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "norm"]
stacks = {"encoder": "encoder", "decoder, self": "decoder self", "decoder, cross": "decoder cross"}
print(f"{'operation':<10}{'how many':>9}{'|γ - 1|':>10}{'|β|':>8}")
table = {}
for kind in kinds:
    paths = [path for path in layers if path.endswith(kind)]
    table[kind] = spread(paths)
    print(f"{kind:<10}{len(paths):>9}{table[kind][0]:>10.3f}{table[kind][1]:>8.3f}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.9), layout="constrained")
for axis, name, centre in zip(axes, ("ssf_scale", "ssf_shift"), (1.0, 0.0)):
    for kind, colour in (("fc1", "C1"), ("k_proj", "C0"), ("norm", "C2")):
        values = torch.cat([getattr(layer, name).detach() for path, layer in layers.items() if path.endswith(kind)])
        axis.hist(values.tolist(), bins=60, histtype="step", density=True, label=kind, color=colour)
    start = torch.linspace(centre - 0.1, centre + 0.1, 100)
    normal = torch.distributions.Normal(centre, 0.02).log_prob(start).exp()
    axis.plot(start, normal, color="grey", linestyle="--", linewidth=1, label="the start")
    axis.set_xlabel("γ" if name == "ssf_scale" else "β")
    axis.set_yscale("log")
    axis.set_ylim(0.01, 40)
legend_below(figure, axes[0], columns=3)
figure.suptitle("where the factors and shifts went")
plt.show()

moves = []
for path, layer in layers.items():
    for index, value in enumerate(layer.ssf_scale.tolist()):
        moves.append((abs(value - 1), value, path, index))
print("the ten factors that moved most:")
for _, value, path, index in sorted(moves, reverse=True)[:10]:
    print(f"  γ = {value:>6.2f}   {path}, feature {index}")
share = sum(distance > 0.1 for distance, *_ in moves) / len(moves)
print(
    f"{100 * share:.0f} % of all factors moved by more than 0.1; {sum(value < 0 for _, value, *_ in moves)} of {len(moves)} turned negative"
)

# %% [markdown]
# The start's mean distance is 0.016, so everything has moved, and no place stands out much. The largest steps are in `fc1`,
# before the ReLU: a factor or a shift there decides when a hidden number is above 0 at all. No factor turned negative.
#
# The shift of a key is a special case: it adds the same number to the score of every key of a query, so softmax takes it out
# again. The β of `k_proj` has a gradient of zero. (The same is true of $b_K$ in BitFit, lesson 12.)

# %%
live = get_peft_model(load_base(), SSFConfig())
nn.functional.cross_entropy(live(source, target[:, :-1]).flatten(0, 1), target[:, 1:].flatten()).backward()
for kind in ("q_proj", "k_proj", "v_proj"):
    gradients = [
        layer.ssf_shift.grad.abs().max()
        for path, layer in live.adapters["default"].layers.items()
        if path.endswith(f"self_attention.{kind}")
    ]
    print(f"largest gradient of β behind {kind}: {max(gradients):.1e}")

# %% [markdown]
# ## Scale or shift, which does the work?
#
# We set parts of the trained adapter back to 1 and 0.

# %%
probe = words("british", "development", 60 if quick() else 200)


def error_without(scale, shift) -> float:
    """British phoneme error in %, with γ back at 1 where `scale(path)` and β back at 0 where `shift(path)`."""
    kept = {
        path: (layer.ssf_scale.detach().clone(), layer.ssf_shift.detach().clone()) for path, layer in layers.items()
    }
    with torch.no_grad():
        for path, layer in layers.items():
            if scale(path):
                layer.ssf_scale.fill_(1.0)
            if shift(path):
                layer.ssf_shift.zero_()
    error = 100 * evaluate(model, probe, "british").phoneme_error
    with torch.no_grad():
        for path, layer in layers.items():
            layer.ssf_scale.copy_(kept[path][0])
            layer.ssf_shift.copy_(kept[path][1])
    return error


always, never = (lambda path: True), (lambda path: False)
variants = {
    "all of it": (never, never),
    "only the factors γ": (never, always),
    "only the shifts β": (always, never),
    "without the norms'": (lambda path: path.endswith("norm"),) * 2,
    "without the encoder's": (lambda path: path.startswith("encoder"),) * 2,
    "without the decoder's": (lambda path: path.startswith("decoder"),) * 2,
    "none (new symbol only)": (always, always),
}
errors = {name: error_without(*parts) for name, parts in variants.items()}
figure, axis = plt.subplots(figsize=(6, 2.9), layout="constrained")
bars = axis.barh(list(errors), list(errors.values()), color="C1")
axis.bar_label(bars, fmt="%.1f", fontsize=8, padding=2)
axis.invert_yaxis()
axis.set_xlabel(f"British phoneme error, %, {len(probe)} words")
plt.show()

# %% [markdown]
# Factors and shifts were trained together and need each other: either kind alone leaves most of the error. The norms' part is
# large. The encoder's part could be thrown away, for the letters are the same in both accents; the work is done in the decoder.
# Parts that are *trained* alone do better than parts that are cut out: LayerNorm tuning and BitFit (table below) are SSF
# with most of it missing.
#
# ## The paper's start
#
# $N(1, 0.02^2)$ and $N(0, 0.02^2)$ are near the identity, not on it. `init="identity"` is on it. Does the difference matter?
# First before any training, then in some steps.

# %%
steps = 3 if quick() else 30
examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
american = words("american", "development", 60 if quick() else 200)
figure, axis = plt.subplots(figsize=(5, 2.7), layout="constrained")
print(f"base: {100 * evaluate(base, american, 'american').phoneme_error:.2f} % on American")
for init, colour in (("paper", "C1"), ("identity", "C0")):
    torch.manual_seed(0)
    tuned = get_peft_model(load_base(), adapter_config("ssf", init=init)).eval()
    with torch.no_grad():
        away = float((tuned(source, target) - base(source, target)).abs().max())
    untrained = 100 * evaluate(tuned, american, "american").phoneme_error
    losses = train(tuned, examples, training_config(steps, rate_of("ssf"), seed=0))
    error = 100 * evaluate(tuned, probe, "british").phoneme_error
    axis.plot(losses, color=colour, label=f"{init}: British error {error:.1f} %")
    print(
        f"{init:<9} before training: logits differ by {away:.1e}, American {untrained:.2f} %; "
        f"after {steps} steps: British {error:.1f} %"
    )
axis.set_yscale("log")
axis.set_xlabel("step")
axis.set_ylabel("loss")
axis.legend(fontsize=8)
plt.show()

# %% [markdown]
# Here it does not matter. The noise of the start changes the base's errors by less than the choice of words does, and both runs
# learn the same. (With `init="identity"` all logits are the base's to the last bit but one: that of the new symbol, whose row
# is trained apart, is off by rounding.)

# %%
said_and_so(
    "SSF adjusts the scale and offset of features, without training the model's parameters.",
    "Both are true at once, and there is more: merged, it *is* a change of the model's parameters. Each row of a matrix gets "
    "longer or shorter and each bias moves. What it cannot do is turn a row into another direction; LoRA can.",
    "`merged()` above; the example by hand",
)

# %% [markdown]
# ## What it trains, what it gains, what it costs
#
# The saved full run (`python -m lessons compare`, 300 steps, 3 seeds, the whole test part):

# %%
kept_run("ln_tuning", "ia3", "bitfit", "ssf", "lora", "full")

# %% [markdown]
# | | trains | gain | price |
# |---|---|---|---|
# | SSF | two numbers per feature, everywhere: here 1.5 % | near LoRA with a sixth of its numbers; merges exactly; nothing is left at run time | while training, every operation keeps its output for the gradient of γ; no sum of several adapters |
#
# ## Its neighbours
#
# | | learns | SSF with |
# |---|---|---|
# | BitFit (lesson 12) | biases only | γ fixed at 1 |
# | LayerNorm tuning (lesson 12) | gain and bias of the norms | only behind norms |
# | IA³ (lesson 14) | factors of keys, values and the feed forward's inside | β fixed at 0, in three places |
# | LoRA (lesson 13) | a low-rank change of $W$ | $\Delta W = (\mathrm{diag}(\gamma) - 1)\,W$: any rank, but only $d_{out}$ numbers free |
#
# ## The usual mistakes
#
# - **Weight decay on γ.** It pulls γ to 0, not to 1, and so shuts the features off. The authors' code takes γ and β out
#   of the decay.
# - **Columns in place of rows.** nn.Linear keeps $W$ as $(d_{out}, d_{in})$: γ belongs to outputs, so to rows. With a square
#   matrix no shape complains. The example above has $W \ne W^\top$ for that reason.
# - **The bias is not scaled** in the merge: $b' = b + \beta$. Right only where $b = 0$: test with biases that are not 0.
# - **A layer without a bias** has no place for β: the merged layer needs one.
# - **After the activation.** Then it would not merge: ReLU is in between.
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
print(
    "merged:",
    [round(value, 3) for value in right.tolist()],
    " with the bias left unscaled:",
    [round(value, 3) for value in forgotten.tolist()],
)

# %%
exercises_of(22)

# %% [markdown]
# ## Where to read on
#
# - *Scaling & Shifting Your Features: A New Baseline for Efficient Model Tuning* (arXiv 2210.08823).
# - *FiLM: Visual Reasoning with a General Conditioning Layer* (arXiv 1709.07871): scale and shift, given by another input.
# - *BitFit* (arXiv 2106.10199), *IA³* (arXiv 2205.05638): only the shift, only the scale.
