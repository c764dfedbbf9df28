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
# 5. Add & Norm

Around every sub-layer the input is added to the output, so that a layer only computes what it *changes*.
And every vector is brought to one size, so that a stack of many layers neither explodes nor fades.
"""

# %%
from dataclasses import replace

import torch
from matplotlib import pyplot as plt
from torch import nn

from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.machine import set_threads
from lessons.task.pretrain import base_config
from lessons.task.scoring import source_batch
from lessons.teaching import exercises_of, lit_diagram, quick, said_and_so, show_source
from transformer import AddNorm, LayerNorm, Transformer

set_threads()
torch.manual_seed(0)
lit_diagram("add_norm")

# %% [markdown]
# ## The formula
#
# $$\mathrm{LayerNorm}(x) = g \odot \frac{x - \mathrm{mean}(x)}{\sqrt{\mathrm{var}(x) + \varepsilon}} + b$$
#
# $$\text{post-norm (the paper)}\quad y = \mathrm{LayerNorm}(x + f(x)) \qquad\qquad
# \text{pre-norm}\quad y = x + f(\mathrm{LayerNorm}(x))$$
#
# $f$ is the sub-layer: attention or feed forward. Mean and variance are over the $d$ features of *one* vector: not over the
# batch, not over the word. Only $g$ and $b$ are learnt, $2d$ numbers.
#
# The famous figure and the paper's text are post-norm. Nearly all that was trained since, our base too, is pre-norm, and has
# one more norm after the whole stack. "The paper says one thing and the code another" has been asked for eight years
# (the annotated Transformer, issues 1, 13, 92 and 110). Here it is one switch:

# %%
show_source(LayerNorm, AddNorm)

# %% [markdown]
# ## By hand
#
# $x = (0, 0, 4, 4)$: mean 2, differences $(-2, -2, 2, 2)$, variance $\tfrac14 (4 + 4 + 4 + 4) = 4$, its root 2. So
# $\mathrm{LayerNorm}(x) = (-1, -1, 1, 1)$. Ten times $x$ gives the same: the mean is taken off and the length is
# set, so only the direction of $x - \mathrm{mean}(x)$ is kept. With a sub-layer whose output is $f(x) = (2, 0, 0, -2)$: the sum is $(2, 0, 4, 2)$, its mean 2, its variance 2, and post-norm gives
# $(0, -\sqrt2, \sqrt2, 0)$.

# %%
norm, x = LayerNorm(4, eps=1e-12), torch.tensor([[[0.0, 0, 4, 4]]])
said = torch.tensor([2.0, 0, 0, -2])
print("LayerNorm", norm(x).flatten().tolist(), "  of ten times x", norm(10 * x).flatten().tolist())
print("post-norm", [round(v, 4) for v in AddNorm(4, norm="post")(x, lambda x: said).flatten().tolist()])
print("pre-norm ", AddNorm(4, norm="pre")(x, lambda x: said).flatten().tolist(), "= x + f: nothing was lost")

# %% [markdown]
# ## What the residual does
#
# One reads that Add & Norm "prevents vanishing gradients". Two things share one box; we take them apart. A stack of 24
# encoder layers, at the start of training, in five versions. We send real words through it, and ask at each layer how large the
# gradient is that comes back from the end.


# %%
class NormOnly(AddNorm):
    """y = LayerNorm(f(x)): no residual."""

    def forward(self, x, sublayer):
        return self.norm(sublayer(x))


class AddOnly(AddNorm):
    """y = x + f(x): no norm."""

    def forward(self, x, sublayer):
        return x + sublayer(x)


class Neither(AddNorm):
    """y = f(x)."""

    def forward(self, x, sublayer):
        return sublayer(x)


VERSIONS = {"pre-norm": None, "post-norm": None, "norm only": NormOnly, "add only": AddOnly, "neither": Neither}


def stack(version: str, layers: int, seed: int = 0) -> Transformer:
    """A fresh model whose encoder has this many layers of this version."""
    torch.manual_seed(seed)
    order = "pre" if version == "pre-norm" else "post"
    shape = replace(base_config(), d_model=64, d_ff=128, num_encoder_layers=layers, num_decoder_layers=0, norm=order)
    model = Transformer(replace(shape, dropout=0.0))
    for layer in model.encoder.layers if VERSIONS[version] else ():
        layer.self_attention_norm.__class__ = layer.feed_forward_norm.__class__ = VERSIONS[version]
    return model


long_words = [word for word in words("american", "train", 5000) if 6 <= len(word) <= 10]
sources = source_batch(long_words)


def through(version: str, layers: int, seed: int) -> tuple[list[float], list[float]]:
    """After each layer: the gradient's size there, and how alike the positions of a word are (mean cosine)."""
    model, states = stack(version, layers, seed), []

    def keep(module, inputs, output):
        output.retain_grad()
        states.append(output)

    for layer in model.encoder.layers:
        layer.register_forward_hook(keep)
    sixes = sources[(sources != 0).sum(dim=1) == 9][:16]
    output, _ = model.encode(sixes)
    (output * torch.randn(output.shape)).mean().backward()
    units = [nn.functional.normalize(state.detach(), dim=-1) for state in states]
    length = sixes.shape[1]
    alike = [
        float(((unit @ unit.transpose(1, 2)).sum(dim=(1, 2)) - length).mean() / (length * (length - 1)))
        for unit in units
    ]
    return [float(state.grad.norm()) for state in states], alike


DEPTH, seeds = 24, range(1 if quick() else 4)
runs = {version: [through(version, DEPTH, seed) for seed in seeds] for version in VERSIONS}
gradients = {
    version: torch.tensor([run[0] for run in found]).log().mean(dim=0).exp() for version, found in runs.items()
}
alike = {version: torch.tensor([run[1] for run in found]).mean(dim=0) for version, found in runs.items()}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for version in VERSIONS:
    axes[0].plot(range(1, DEPTH + 1), gradients[version] / gradients[version][-1], label=version)
    axes[1].plot(range(1, DEPTH + 1), alike[version], label=version)
axes[0].set(yscale="log", xlabel="layer", title="gradient, against that at the last layer")
axes[1].set(xlabel="layer", title="cosine between the positions of a word", ylim=(-0.1, 1.05))
axes[0].legend(fontsize=8)
plt.show()
share = {version: float(gradient[0] / gradient[-1]) for version, gradient in gradients.items()}
for version in VERSIONS:
    print(f"{version:<10} gradient at layer 1 is {share[version]:8.1e} of that at layer {DEPTH};", end=" ")
    print(f"positions are alike to {alike[version][-1]:.2f} at the end")

# %% [markdown]
# Left: with *neither* the gradient dies on the way back, and with the sum alone it explodes. The norm keeps its size, with a
# residual or without. Right: without a residual all the positions of a word become one and the same vector after two
# layers. Attention takes means, and a mean of means forgets who was who (arXiv 2103.03404). The residual keeps each position's
# own vector in the sum. That slows the collapse, and alone does not stop it: post-norm shrinks that part anew in every layer
# and ends with equal positions, and so does the sum alone. Only with pre-norm are the positions still apart at the end.
#
# Does it matter for learning? A task on real words that needs both: at each position, name the letter to the *right*.
# The same steps and rate for all; depths of 1, 4 and 12 layers.


# %%
def learn(version: str, layers: int, steps: int, warmup: int = 1, rate: float = 1e-3) -> list[float]:
    model, batches = stack(version, layers), torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / warmup)
        source = sources[torch.randint(len(sources), (32,), generator=batches)]
        memory, _ = model.encode(source)
        logits, right = (memory @ model.source_embedding.weight.T)[:, :-1], source[:, 1:]
        loss = nn.functional.cross_entropy(logits[right != 0], right[right != 0])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


steps, depths = (15, [1, 6]) if quick() else (60, [1, 4, 12])
compared = ("pre-norm", "post-norm", "norm only", "neither")
curves = {(version, depth): learn(version, depth, steps) for depth in depths for version in compared}
last = {key: sum(losses[-10:]) / 10 for key, losses in curves.items()}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for version in compared:
    axes[0].plot(depths, [last[version, depth] for depth in depths], "o-", label=version)
    axes[1].plot(curves[version, depths[-1]], label=version)
axes[0].set(xlabel="layers", ylabel="loss", title=f"after {steps} steps", xticks=depths)
axes[1].set(xlabel="step", title=f"on the way, {depths[-1]} layers")
axes[1].legend(fontsize=8)
plt.show()
for version in compared:
    print(f"{version:<10}", "  ".join(f"{depth} layers: {last[version, depth]:.2f}" for depth in depths))
deep = depths[-1]
blended = 1 + next(layer for layer in range(DEPTH) if alike["norm only"][layer] > 0.99)
said_and_so(
    "Residual connections and normalization prevent vanishing gradients and keep training stable.",
    f"In part. Over {DEPTH} fresh layers the gradient at the first is {share['pre-norm']:.1f} (pre-norm) or "
    f"{share['post-norm']:.1f} (post-norm) times that at the last; with neither it is {share['neither']:.0e}. But the two have "
    f"different parts. The *norm* keeps the gradient's size: {share['norm only']:.1f} with the norm alone, {share['add only']:.0e} "
    "with the residual alone, which explodes. The *residual* keeps the positions apart for longer: with the norm alone those of "
    f"a word are alike (cosine above 0.99) after {blended} layers. Then healthy gradients do not help: {deep} such layers end at a "
    f"loss of {last['norm only', deep]:.2f}. And the order matters: at this rate {deep} layers of post-norm end at "
    f"{last['post-norm', deep]:.2f}, of pre-norm at {last['pre-norm', deep]:.2f}. One layer alone needs no residual: without it the "
    f"loss is {last['norm only', depths[0]]:.2f}, with it {last['post-norm', depths[0]]:.2f} (post-norm).",
    "the two figures above; `tests/transformer/test_add_norm.py` for the formulas",
)

# %% [markdown]
# ## Post or pre?
#
# In pre-norm there is a path from the end to the start that no norm interrupts: the derivative of $x + f(\mathrm{LN}(x))$ is
# $1 + \dots$. In post-norm every layer's norm stands in the path. So post-norm asks for care: for the paper's warm-up, a rate
# that begins near 0, and for a lower rate. The same task, 4 layers, three rates, with warm-up and without:

# %%
rates, warm = ([1e-3, 1e-2] if quick() else [1e-3, 3e-3, 1e-2]), steps // 2
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
for order, colour in (("pre-norm", "C0"), ("post-norm", "C1")):
    for warmup, line in ((1, "o-"), (warm, "o--")):
        ends = [sum(learn(order, 4, steps, warmup, rate)[-10:]) / 10 for rate in rates]
        name = f"{order}, {f'{warm} steps of warm-up' if warmup > 1 else 'full rate at once'}"
        axis.plot(rates, ends, line, color=colour, label=name)
        print(f"{name:<36}", "  ".join(f"rate {rate}: {end:.2f}" for rate, end in zip(rates, ends, strict=True)))
axis.set(xscale="log", xlabel="learning rate", ylabel=f"loss after {steps} steps")
axis.legend(fontsize=8)
plt.show()

# %% [markdown]
# At a low rate the order hardly matters. At a high one post-norm fails without warm-up, and pre-norm takes it as it comes.

# %% [markdown]
# ## In the real base
#
# The base is pre-norm, so its vectors are never normalized on their way: each sub-layer adds to one running sum, the *residual
# stream*. How long is the sum, and how much does each sub-layer add?

# %%
base = load_base()
lengths, added, names = [], [], []


def watch(name: str):
    def hook(module: AddNorm, inputs: tuple, output: torch.Tensor) -> None:
        real = inputs[0].abs().sum(dim=-1) > 0
        names.append(name)
        lengths.append(float(output.norm(dim=-1)[real].mean()))
        added.append(float((output - inputs[0]).norm(dim=-1)[real].mean()))

    return hook


for index, layer in enumerate(base.encoder.layers):
    layer.self_attention_norm.register_forward_hook(watch(f"{index} attention"))
    layer.feed_forward_norm.register_forward_hook(watch(f"{index} feed forward"))
with torch.no_grad():
    nines = sources[(sources != 0).sum(dim=1) == 9][:200, :9]
    start = float(base.place_source(base.embed_source(nines)[0]).norm(dim=-1).mean())
    memory, _ = base.encode(nines)
figure, axis = plt.subplots(figsize=(6.4, 3), layout="constrained")
axis.plot(["input", *names], [start, *lengths], "o-", label="length of the stream")
axis.bar(names, added, color="#b0b7c0", label="what the sub-layer adds")
axis.tick_params(axis="x", rotation=20)
axis.set_ylim(0, None)
axis.legend()
plt.show()
print(
    f"input {start:.1f}, after the last layer {lengths[-1]:.1f}, after the last norm {float(memory.norm(dim=-1).mean()):.1f}"
)

# %% [markdown]
# The stream only grows, and only the last norm brings it back to one size. Without that norm the decoder would read vectors
# of a length that it never saw. This is also why "Norm" after the sub-layer, as the figure draws it, is not where our base has it.
#
# ## The usual mistakes
#
# - **`std` for the biased deviation.** torch's `std` divides by $d - 1$. At $d = 4$ everything is then 13.4 % too small, at
#   $d = 512$ 0.1 %: too little to see, enough to fail a comparison (the annotated Transformer, pull requests 119 and 122).
# - **$\varepsilon$ outside the root**, added to the deviation: not what checkpoints were trained with.
# - **The residual taken after the norm**: $\mathrm{LN}(x) + f(\mathrm{LN}(x))$. Test it with silent sub-layers: the layer must
#   give back $x$ itself (happy-llm#21).
# - **Pre-norm without the last norm.** Or post-norm with one.
# - **Normalizing over the batch or the word.** A row alone must give what it gives in a batch.

# %%
x = torch.randn(1000, 4)
biased = LayerNorm(4)(x).detach()
bessel = (x - x.mean(dim=-1, keepdim=True)) / (x.std(dim=-1, keepdim=True) + 1e-5)
print(f"with std at d = 4: {100 * float(1 - (bessel / biased).median()):.1f} % too small")

# %%
exercises_of(5)

# %% [markdown]
# ## Where to read on
#
# - Ba, Kiros and Hinton, *Layer Normalization*, arXiv 1607.06450
# - He et al., *Deep Residual Learning for Image Recognition*, arXiv 1512.03385: where the residual comes from
# - Xiong et al., *On Layer Normalization in the Transformer Architecture*, arXiv 2002.04745: post against pre
# - Dong, Cordonnier and Loukas, *Attention is Not All You Need: Pure Attention Loses Rank Doubly Exponentially with Depth*,
#   arXiv 2103.03404
# - Next: lesson 6, the feed forward. In the code: `transformer/add_norm.py`; tuning only the norms: lesson 12
