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
# 6. Feed forward and the encoder

Attention moves information between positions; the feed forward then works on it, at each position alone.
This lesson looks inside both: what single numbers of the feed forward react to in real words, and how a letter's vector
changes from layer to layer until it knows its sound.
"""

# %%
import torch
from matplotlib import pyplot as plt
from torch import nn

from lessons.task.base import load_base
from lessons.task.dictionary import load, words
from lessons.task.machine import set_threads
from lessons.task.scoring import evaluate, source_batch
from lessons.teaching import exercises_of, lit_diagram, quick, show_source
from transformer import Encoder, EncoderLayer, FeedForward
from transformer.feed_forward import ACTIVATIONS

set_threads()
torch.manual_seed(0)
lit_diagram("encoder_feed_forward", "encoder")

# %% [markdown]
# ## The formula
#
# $$\mathrm{FFN}(x) = W_2\,\varphi(W_1 x + b_1) + b_2, \qquad
# W_1 \in \mathbb{R}^{d_{ff} \times d}, \quad W_2 \in \mathbb{R}^{d \times d_{ff}}, \quad \varphi = \mathrm{ReLU}$$
#
# Wider, through a non-linearity ($\varphi$), and narrow again. Each row of $W_1$ asks one question about $x$. ReLU keeps the
# answer if it is positive and gives 0 otherwise. Each column of $W_2$ is what is added to the vector when the answer was yes.
#
# An encoder layer is self-attention and then this, each with its Add & Norm (lesson 5). The encoder is a stack of layers.
# A layer has $4(d^2 + d) + (2\,d\,d_{ff} + d_{ff} + d) + 4d$ parameters.

# %%
show_source(FeedForward, EncoderLayer, Encoder)

# %%
base = load_base()
d, d_ff = base.config.d_model, base.config.d_ff
by_formula = 4 * (d * d + d) + (2 * d * d_ff + d_ff + d) + 4 * d
counted = sum(parameter.numel() for parameter in base.encoder.layers[0].parameters())
print(f"d = {d}, d_ff = {d_ff}: by the formula {by_formula:,} parameters in a layer, counted {counted:,}")
print(f"of these {2 * d * d_ff + d_ff + d:,} are the feed forward: two thirds of the layer")

# %% [markdown]
# ## By hand
#
# Two features in, three hidden, two out; $x = (1, 2)$.
#
# $$W_1 = \begin{pmatrix} 1 & 0 \\ 0 & 1 \\ 1 & -1 \end{pmatrix},\;
# b_1 = \begin{pmatrix} 0 \\ -1 \\ 0 \end{pmatrix} \;\Rightarrow\;
# W_1 x + b_1 = \begin{pmatrix} 1 \\ 1 \\ -1 \end{pmatrix} \;\Rightarrow\; \mathrm{ReLU} = \begin{pmatrix} 1 \\ 1 \\ 0 \end{pmatrix}$$
#
# $$W_2 = \begin{pmatrix} 1 & 2 & 3 \\ 0 & 1 & 1 \end{pmatrix},\; b_2 = \begin{pmatrix} 0.5 \\ 0 \end{pmatrix} \;\Rightarrow\;
# \mathrm{FFN}(x) = \begin{pmatrix} 1 + 2 + 0.5 \\ 1 \end{pmatrix} = \begin{pmatrix} 3.5 \\ 1 \end{pmatrix}$$
#
# The third hidden number was negative, so the third column of $W_2$ is not used.

# %%
small = FeedForward(d_model=2, d_ff=3)
with torch.no_grad():
    small.fc1.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]))
    small.fc1.bias.copy_(torch.tensor([0.0, -1.0, 0.0]))
    small.fc2.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 1.0]]))
    small.fc2.bias.copy_(torch.tensor([0.5, 0.0]))
    x = torch.tensor([1.0, 2.0])
    print("before ReLU", small.fc1(x).tolist(), "  the result", small(x).tolist())

# %% [markdown]
# Without the non-linearity, two layers are one: $W_2(W_1 x + b_1) + b_2 = (W_2 W_1)\,x + (W_2 b_1 + b_2)$. The first line below
# computes both sides. And the network is the same at every position: when the positions are shuffled, the results are
# shuffled in the same way and nothing else happens. So a feed forward cannot look at a neighbour.

# %%
with torch.no_grad():
    two_layers = small.fc2(small.fc1(x))
    one_layer = (small.fc2.weight @ small.fc1.weight) @ x + small.fc2.weight @ small.fc1.bias + small.fc2.bias
    print("without ReLU:", two_layers.tolist(), "=", one_layer.tolist())

    feed_forward = base.encoder.layers[0].feed_forward
    states, shuffle = torch.randn(1, 7, d), torch.randperm(7)
    difference = (feed_forward(states)[:, shuffle] - feed_forward(states[:, shuffle])).abs().max()
    print(f"shuffle then think, or think then shuffle: they differ by {difference:.1e}")

# %%
figure, axis = plt.subplots(figsize=(5, 2.8), layout="constrained")
at = torch.linspace(-3, 3, 200)
for name in ("relu", "gelu", "silu"):
    axis.plot(at, ACTIVATIONS[name](at), label=name)
axis.set_xlabel("W₁x + b₁")
axis.set_ylabel("after the non-linearity")
axis.set_title("the paper: relu; BERT and GPT-2: gelu", fontsize=10)
axis.legend()
plt.show()

# %% [markdown]
# ## What the hidden numbers react to
#
# The base reads words. We keep the output of `fc1` after ReLU, for every letter of many words, in all three encoder layers:
# 3 × 512 numbers for each letter.

# %%
hidden: dict[int, torch.Tensor] = {}


def keep(layer: int):
    def hook(module: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        hidden[layer] = output.relu()

    return hook


hooks = [layer.feed_forward.fc1.register_forward_hook(keep(index)) for index, layer in enumerate(base.encoder.layers)]


@torch.no_grad()
def features_of(chosen: list[str]) -> tuple[list[tuple[str, int]], list[torch.Tensor]]:
    """Every (word, place) and, for each layer, a matrix (places, d_ff) of what fc1 says there after ReLU."""
    base.encode(source_batch(chosen))
    places = [(row, place) for row, word in enumerate(chosen) for place in range(len(word))]
    rows, columns = torch.tensor(places).T
    return [(chosen[row], place) for row, place in places], [hidden[layer][rows, columns] for layer in sorted(hidden)]


seen = words("american", "train", 500 if quick() else 2000)
new = words("american", "development", 400 if quick() else 1500)
places, features = features_of(seen)
new_places, new_features = features_of(new)
for layer, matrix in enumerate(features):
    never = int((matrix.max(dim=0).values == 0).sum())
    print(
        f"layer {layer}: at one letter {100 * (matrix > 0).float().mean():.0f} % of the 512 are above 0; {never} never are"
    )

# %% [markdown]
# Few are above 0 at a time: most questions get the answer "no". Which questions are they? We write down some spelling
# patterns, and take for each the hidden number that goes with it best on the *seen* words (correlation). Then we look at
# *other* words: if the choice were random, the correlation would be gone there.

# %%
PATTERNS = {
    "a last y": lambda word, i: word[i] == "y" and i == len(word) - 1,
    "c before a, o, u, ...": lambda word, i: word[i] == "c" and word[i + 1 : i + 2] not in ("e", "i", "y"),
    "h after c, p, s, t": lambda word, i: word[i] == "h" and i > 0 and word[i - 1] in "cpst",
    "a last e": lambda word, i: word[i] == "e" and i == len(word) - 1,
    "c before e, i, y": lambda word, i: word[i] == "c" and word[i + 1 : i + 2] in ("e", "i", "y"),
    "the g of ng": lambda word, i: word[i] == "g" and word[i - 1 : i] == "n",
    "the t of th": lambda word, i: word[i : i + 2] == "th",
    "second of a pair": lambda word, i: i > 0 and word[i] == word[i - 1],
}


def correlation(matrix: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    matrix, wanted = matrix - matrix.mean(dim=0), wanted - wanted.mean()
    return wanted @ matrix / (matrix.norm(dim=0) * wanted.norm() + 1e-9)


found = {}
print(f"{'pattern':<24}{'layer':>6}{'number':>8}{'seen':>7}{'other':>7}   where it is largest in the other words")
for name, pattern in PATTERNS.items():
    holds = torch.tensor([float(pattern(word, place)) for word, place in places])
    holds_new = torch.tensor([float(pattern(word, place)) for word, place in new_places])
    table = torch.stack([correlation(matrix, holds) for matrix in features])
    layer, number = divmod(int(table.argmax()), table.shape[1])
    fires = new_features[layer][:, number]
    examples = [new_places[index] for index in fires.topk(4).indices.tolist()]
    shown = "  ".join(word[:place] + word[place].upper() + word[place + 1 :] for word, place in examples)
    again = float(correlation(fires[:, None], holds_new))
    print(f"{name:<24}{layer:>6}{number:>8}{table.max():>7.2f}{again:>7.2f}   {shown}")
    found[name] = (layer, number)

# %% [markdown]
# Some patterns have a number of their own, a last y above all. No label asked the network to look for it. Others have none:
# the pattern is spread over many numbers. And the examples warn us: what goes best with "c before a, o, u" is large at the
# soft c of *cyclone* too (figure below), so it just means "c". A name that we give to a hidden number is a guess.

# %%
shown_words = ["celery", "cyclone", "machine", "spring"]
tracks, parts = list(found)[:6], {}
for word in shown_words:
    _, matrices = features_of([word])
    parts[word] = torch.stack([matrices[layer][:, number] for layer, number in (found[name] for name in tracks)])
largest = torch.stack([part.max(dim=1).values for part in parts.values()]).max(dim=0).values.clamp(min=1e-6)
figure, axes = plt.subplots(
    1, len(parts), figsize=(10, 2.6), width_ratios=[len(word) for word in parts], sharey=True, layout="constrained"
)
for axis, (word, part) in zip(axes, parts.items()):
    axis.imshow(part / largest[:, None], cmap="Oranges", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(word)), list(word), fontsize=12)
axes[0].set_yticks(range(len(tracks)), tracks)
figure.suptitle("six hidden numbers on four words (dark: far above 0, palest: 0)")
plt.show()
for hook in hooks:
    hook.remove()

# %% [markdown]
# ## From letters to sounds, layer by layer
#
# At the start the vector of a c is the same in *cat* and in *city*, up to its position. Its sound is not. When does the
# encoder know? We follow every c through the layers, and draw the two directions in which the vectors differ most.
# The colour is the rule of thumb: soft before e, i, y (and not in *ch*).

# %%


@torch.no_grad()
def states_by_layer(chosen: list[str]) -> list[torch.Tensor]:
    """The encoder's vectors (batch, source, d_model): the embeddings, then after each layer."""
    x, mask = base.embed_source(source_batch(chosen))
    states = [base.place_source(x)]
    for layer in base.encoder.layers:
        states.append(layer(states[-1], mask))
    return states


def letters_c(chosen: list[str]) -> tuple[list[torch.Tensor], torch.Tensor]:
    """The vectors of every c, layer by layer, and whether it is soft."""
    spots = [(row, i) for row, word in enumerate(chosen) for i, letter in enumerate(word) if letter == "c"]
    spots = [(row, i) for row, i in spots if chosen[row][i + 1 : i + 2] != "h"]
    soft = torch.tensor([chosen[row][i + 1 : i + 2] in ("e", "i", "y") for row, i in spots])
    rows, columns = torch.tensor(spots).T
    return [states[rows, columns] for states in states_by_layer(chosen)], soft


learn_states, learn_soft = letters_c(seen)
new_states, new_soft = letters_c(new)
titles = ["embedding + position", "after layer 0", "after layer 1", "after layer 2"]
figure, axes = plt.subplots(1, 4, figsize=(11, 2.9), layout="constrained")
for axis, title, before, after in zip(axes, titles, learn_states, new_states):
    hard_mean, soft_mean = before[~learn_soft].mean(dim=0), before[learn_soft].mean(dim=0)
    says_soft = (after - soft_mean).norm(dim=1) < (after - hard_mean).norm(dim=1)
    right = float((says_soft == new_soft).float().mean())
    print(f"{title}: the nearest mean is right for {100 * right:.0f} % of {len(new_soft)} new c's")
    _, _, directions = torch.pca_lowrank(before, q=2)
    flat = (after - before.mean(dim=0)) @ directions
    for wanted, colour, label in ((False, "C0", "hard"), (True, "C1", "soft")):
        chosen = flat[new_soft == wanted]
        axis.scatter(chosen[:, 0], chosen[:, 1], s=7, color=colour, label=label, alpha=0.7)
    axis.set_title(f"{title}\nnearest mean right: {100 * right:.0f} %", fontsize=10)
    axis.set_xticks([])
    axis.set_yticks([])
axes[0].legend(fontsize=8)
figure.suptitle("the vector of every c in words that were not trained on")
plt.show()
print(f"always saying 'hard' would be right in {100 * float((~new_soft).float().mean()):.0f} %")

# %% [markdown]
# "Nearest mean" takes the mean vector of the soft and of the hard c's on seen words, and asks of a new c which one is
# nearer. On the embeddings it can only go by the position. Layer 0 does look at the neighbours, but this simple test cannot
# read it yet: its vectors still lie together by position. After layer 1 the answer is plain. That is what a stack is for.
#
# ## Which sub-layer does how much?
#
# We silence one sub-layer (its output becomes 0, so the residual passes alone) and count the errors.

# %%
probe = words("american", "development", 100 if quick() else 300)


def silent(module: nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(output)


whole = evaluate(base, probe, "american").phoneme_error
errors = {"self_attention": [], "feed_forward": []}
for layer in base.encoder.layers:
    for name, values in errors.items():
        hook = getattr(layer, name).register_forward_hook(silent)
        values.append(100 * evaluate(base, probe, "american").phoneme_error)
        hook.remove()
figure, axis = plt.subplots(figsize=(6, 2.8), layout="constrained")
for shift, (name, values) in zip((-0.2, 0.2), errors.items()):
    bars = axis.bar([index + shift for index in range(len(values))], values, width=0.38, label=f"without {name}")
    axis.bar_label(bars, fmt="%.0f", fontsize=8)
axis.axhline(100 * whole, color="black", linestyle="--", linewidth=1, label=f"whole: {100 * whole:.1f} %")
axis.set_xticks(range(len(values)), [f"layer {index}" for index in range(len(values))])
axis.set_ylabel("phoneme error, %")
axis.legend(fontsize=8)
plt.show()
print("for example:", {word: load("american")[word][0] for word in probe[:4]})

# %% [markdown]
# The first feed forward matters most of the three here. This is one small model on one task; in another one the bars stand
# differently.
#
# ## The usual mistakes
#
# - **The residual is taken after the norm.** Then a layer whose sub-layers give 0 gives LayerNorm(x), not x.
#   A widely read tutorial has it (happy-llm, issue 21). Check: silence both sub-layers of a pre-norm layer.
# - **No non-linearity between the two layers.** It trains, and is one matrix. The code above shows why.
# - **The last norm of a pre-norm stack is forgotten.** The residual sum grows from layer to layer and nobody stops it.
# - **The two widths are swapped**, or one name serves both (happy-llm, issue 141: `dim` and `n_embd`). With
#   $d_{ff} = d$ in the test nobody sees it: test with unequal sizes.
# - **Too much is read into one hidden number.** Choose it on some words, check it on others, as above.

# %%
layer = base.encoder.layers[0]
hooks = [part.register_forward_hook(silent) for part in (layer.self_attention, layer.feed_forward)]
with torch.no_grad():
    x = torch.randn(1, 5, d)
    print("both sub-layers silent: the layer gives x back exactly:", torch.equal(layer(x), x))
for hook in hooks:
    hook.remove()

# %%
exercises_of(6)

# %% [markdown]
# ## Where to read on
#
# - *Attention Is All You Need*, sections 3.1 and 3.3 (arXiv 1706.03762).
# - *Transformer Feed-Forward Layers Are Key-Value Memories* (arXiv 2012.14913): rows of $W_1$ as keys, columns of $W_2$ as values.
# - *Toy Models of Superposition* (arXiv 2209.10652): why one number answers several questions.
# - *GLU Variants Improve Transformer* (arXiv 2002.05202): the feed forward of today's large models.
# - *Gaussian Error Linear Units* (arXiv 1606.08415).
