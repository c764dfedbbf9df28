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
# 14. LoRA's relatives and IA3

Each of them changes one line of LoRA: the scale, the learning rate, the start, what is shared, or what is multiplied.
After this lesson you can read such a formula, say what it changes, and check whether that helps on your task.
"""

# %%
from pathlib import Path
from statistics import mean

import torch
from matplotlib import pyplot as plt
from torch import nn

import lessons
from lessons.drawing.labels import legend_below
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, pairs, vocabulary
from lessons.task.finetuning import adapted, fine_tune
from lessons.task.machine import set_threads
from lessons.teaching import (
    exercises_of,
    kept_report,
    kept_rows,
    kept_run,
    lit_diagram,
    quick,
    said_and_so,
    show_source,
)
from peft import (
    DoraLinear,
    IA3Linear,
    LoraConfig,
    LoraLinear,
    PeftModel,
    PissaLinear,
    VeraLinear,
    get_peft_model,
    recipe,
)
from peft.lora_plus import lora_plus_groups
from peft.low_rank import scaling_of
from peft.pissa import principal_factors

set_threads()
torch.manual_seed(0)
HERE = Path(lessons.__file__).parent
BRITISH = HERE / "adapters" / "british"
lit_diagram("attention", "feed_forward", "weights")

# %% [markdown]
# ## The formulas
#
# $$\textbf{LoRA:}\quad y = W x + b + \frac{\alpha}{r} B A x \qquad B = 0 \text{ at the start}$$
#
# | name | what changes | the line | trains for each matrix |
# |---|---|---|---|
# | rsLoRA | the scale | $\frac{\alpha}{\sqrt r}\, B A x$ | $r(d_{in} + d_{out})$ |
# | LoRA+ | the optimizer | $\eta_B = \lambda\,\eta_A$, $\lambda = 16$ | the same |
# | DoRA | length and direction apart | $y = \frac{m}{\lVert V \rVert} \odot V x + b$, with $V = W + \frac{\alpha}{r} B A$ | $\ldots + d_{out}$ |
# | PiSSA | the start | $A, B$ from the SVD of $W$, and $- \frac{\alpha}{r} B_0 A_0 x$ | $r(d_{in} + d_{out})$ |
# | VeRA | what is shared | $\lambda_b \odot B(\lambda_d \odot A x)$, with $A, B$ random and frozen | $r + d_{out}$ |
# | IA3 | no matrices at all | $y = l \odot (W x + b)$ | $d_{out}$ (or $d_{in}$) |
#
# All of them are the base at the start, and all merge into $W$.

# %%
show_source(scaling_of, lora_plus_groups)

# %%
show_source(DoraLinear, principal_factors)

# %%
show_source(PissaLinear.delta, VeraLinear.delta, IA3Linear.forward)

# %% [markdown]
# ## By hand
#
# **rsLoRA.** $\alpha = 16$. For $r = 4, 16, 64$ the scale $\alpha/r$ is 4, 1, ¼, and $\alpha/\sqrt r$ is 8, 4, 2.
#
# **DoRA.** One row, $W = (3, 4)$, so $m = \lVert W \rVert = 5$. LoRA's part is $(0, -4)$, so $V = (3, 0)$ and $\lVert V \rVert = 3$.
# DoRA's row is $\frac{5}{3} V = (5, 0)$: turned, and as long as before. LoRA's row is $(3, 0)$: turned *and* shorter.
#
# **PiSSA.** $W = \begin{pmatrix} 3 & 0 \\ 0 & 1 \end{pmatrix}$, $r = 1$, scale 1. The largest direction is the first axis, with
# size 3. So $B_0 = \begin{pmatrix} \sqrt 3 \\ 0 \end{pmatrix}$, $A_0 = (\sqrt 3, 0)$ up to a common sign, and
# $B_0 A_0 = \begin{pmatrix} 3 & 0 \\ 0 & 0 \end{pmatrix}$.
#
# **VeRA.** $A = (1, 1)$, $B = \begin{pmatrix} 1 \\ 2 \end{pmatrix}$, $x = (2, 1)$, so $Ax = 3$. With $\lambda_d = 0.5$ it is 1.5, $B$ makes it
# $(1.5, 3)$, and $\lambda_b = (2, 0)$ gives $(3, 0)$.
#
# **IA3.** $Wx + b = (4, -2)$ and $l = (1.5, 0)$ give $(6, 0)$: the first feature up, the second off.

# %%
print("rsLoRA:", [(rank, scaling_of(rank, 16, False), scaling_of(rank, 16, True)) for rank in (4, 16, 64)])
with torch.no_grad():
    row = nn.Linear(2, 1, bias=False)
    row.weight.copy_(torch.tensor([[3.0, 4.0]]))
    dora, lora = DoraLinear(row, rank=1, alpha=1), LoraLinear(row, rank=1, alpha=1)
    for layer in (dora, lora):
        layer.lora_A.weight.copy_(torch.tensor([[0.0, -4.0]]))
        layer.lora_B.weight.fill_(1.0)
    print("DoRA: ", dora.merged().weight.tolist(), " LoRA:", lora.merged().weight.tolist())
    up, down = principal_factors(torch.tensor([[3.0, 0.0], [0.0, 1.0]]), rank=1, scaling=1.0)
    print("PiSSA: B₀A₀ =", (up @ down).round(decimals=4).tolist())
    square = nn.Linear(2, 2, bias=True)
    square.weight.copy_(torch.eye(2))
    square.bias.copy_(torch.tensor([2.0, -3.0]))
    ia3 = IA3Linear(square)
    ia3.ia3_l.copy_(torch.tensor([[1.5], [0.0]]))
    x = torch.tensor([2.0, 1.0])
    print("IA3:  ", square(x).tolist(), "→", ia3(x).tolist(), " merged:", ia3.merged()(x).tolist())

# %%
vera = adapted("vera")
first = next(layer for layer in vera.modules() if isinstance(layer, VeraLinear))
with torch.no_grad():
    first.projections.vera_A[0, :2] = torch.tensor([1.0, 1.0])
    first.projections.vera_B[:2, 0] = torch.tensor([1.0, 2.0])
    first.vera_lambda_d.zero_()
    first.vera_lambda_d[0] = 0.5
    first.vera_lambda_b[:2] = torch.tensor([2.0, 0.0])
    x = torch.zeros(128)
    first.projections.vera_A[0, 2:] = 0
    x[:2] = torch.tensor([2.0, 1.0])
    print("VeRA: ", first.delta(x)[:2].tolist())

# %% [markdown]
# ## On the pronunciation model: errors against parameters
#
# The saved full run: 1,000 British words, 300 steps, 3 seeds, each technique at its own searched rate
# (`python -m lessons compare`, kept in `lessons/results/report.json`).

# %%
FAMILY = ("full", "lora", "rslora", "lora_plus", "dora", "pissa", "vera", "ia3")
rows = {method: kept_rows(method) for method in FAMILY}
kept_run(*FAMILY)
figure, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
for found in rows.values():
    errors = [100 * row["british"]["phoneme_error"] for row in found]
    count = found[0]["trainable_parameters"]
    axis.scatter([count] * len(errors), errors, s=18)
shifts = {
    "full": (-8, 8),
    "lora": (10, 2),
    "rslora": (10, -9),
    "lora_plus": (10, 4),
    "dora": (-34, -10),
    "pissa": (-40, 4),
}
for method, found in rows.items():
    place = found[0]["trainable_parameters"], mean(100 * row["british"]["phoneme_error"] for row in found)
    axis.annotate(method, place, shifts.get(method, (8, 4)), textcoords="offset points", fontsize=9)
axis.set_xscale("log")
axis.set_xlabel("trained parameters (logarithmic)")
axis.set_ylabel("British phoneme error, %")
axis.set_title(f"before: {100 * kept_report()['base']['british']['phoneme_error']:.1f} %", fontsize=10)
plt.show()

# %%
said_and_so(
    "Each paper's relative beats LoRA.",
    "Here rsLoRA, DoRA and LoRA lie within each other's seeds, PiSSA and LoRA+ a little behind. With the learning rate "
    "searched for each technique, most of the difference is gone. VeRA is the surprise: within 1.4 points of LoRA "
    "with a thirteenth of its parameters. IA3 has the fewest of all and is the weakest.",
    "the table above (`python -m lessons compare`)",
)

# %% [markdown]
# ## rsLoRA: what the scale does to a step
#
# rsLoRA's paper asks: how large is one step's effect, as $r$ grows? We measure it. A fresh adapter, one batch, one step,
# and the change of the logits; for both scales, and for plain gradient descent and for Adam.

# %%
examples = pairs("british", fine_tuning_words("british")[:64])
pad = vocabulary().pad_id
source, target = (
    nn.utils.rnn.pad_sequence([torch.tensor(pair[side]) for pair in examples], batch_first=True, padding_value=pad)
    for side in (0, 1)
)


def effect_of_one_step(rank: int, use_rslora: bool, adam: bool) -> float:
    """Root mean square of the logits' change after one optimizer step, from B = 0."""
    torch.manual_seed(0)
    config = LoraConfig(r=rank, lora_alpha=16, target_modules="all-linear", use_rslora=use_rslora)
    model = get_peft_model(load_base(), config).eval()
    before = model(source, target[:, :-1])
    nn.functional.cross_entropy(before.flatten(0, 1), target[:, 1:].flatten(), ignore_index=pad).backward()
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    (torch.optim.Adam(learnt, lr=1e-5) if adam else torch.optim.SGD(learnt, lr=1e-3)).step()
    with torch.no_grad():
        return float((model(source, target[:, :-1]) - before).square().mean().sqrt())


ranks = (1, 8, 64) if quick() else (1, 4, 16, 64)
figure, axes = plt.subplots(1, 2, figsize=(8, 2.9), layout="constrained")
for axis, adam in zip(axes, (False, True)):
    for use_rslora, name in ((False, "LoRA, α/r"), (True, "rsLoRA, α/√r")):
        effects = [effect_of_one_step(rank, use_rslora, adam) for rank in ranks]
        axis.loglog(ranks, [effect / effects[0] for effect in effects], "o-", label=name)
        told = "  ".join(f"r = {rank}: {effect / effects[0]:.3g}" for rank, effect in zip(ranks, effects))
        print(f"{'Adam' if adam else 'SGD':<5}{name:<14}{told}")
    axis.set_xticks(ranks, ranks)
    axis.minorticks_off()
    axis.set_xlabel("rank")
    axis.set_title("Adam" if adam else "plain gradient descent", fontsize=10)
axes[0].set_ylabel("effect of a step, r = 1 is 1")
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# With plain gradient descent α/r makes the step's effect fall like $1/r$: a large rank learns slowly. With $\alpha/\sqrt r$ it
# stays: that is the paper's point. Adam divides each gradient by its own size. Then the first step's effect stays with
# $\alpha/r$, and grows like $\sqrt r$ with rsLoRA. So the two scales want different learning rates: search again when you switch.
#
# ## LoRA+: which factor moves?
#
# $B$ starts at 0 and $A$ does not. LoRA+ lets $B$ learn 16 times as fast. How far did each get in the kept adapters?

# %%
for method in ("lora", "lora_plus"):
    tuned = PeftModel.from_pretrained(load_base(), BRITISH / method)
    start = adapted(method, seed=0)  # the same seed gives the same A
    pair = [[m for m in model.modules() if isinstance(m, LoraLinear)] for model in (start, tuned)]
    moved = mean(
        float((b.lora_A.weight - a.lora_A.weight).detach().norm() / a.lora_A.weight.detach().norm())
        for a, b in zip(*pair)
    )
    size_b = mean(float(b.lora_B.weight.detach().square().mean().sqrt()) for b in pair[1])
    groups = recipe(method).groups(start, rows[method][0]["learning_rate"], 0.0)
    rates = sorted({group["lr"] for group in groups})
    print(
        f"{method:<10} rates {rates}: A moved by {100 * moved:.0f} % of its length; a number of B is about {size_b:.3f}"
    )

# %% [markdown]
# In LoRA both factors had to travel. In LoRA+ $A$ stayed nearer to its random start and $B$ did the work.
#
# ## DoRA: magnitude and direction
#
# For each row $w$ of each matrix, before and after: how much longer or shorter, $|\lVert w' \rVert - \lVert w \rVert|$, and how far
# turned, $1 - \cos(w', w)$. One point for each matrix: the mean over its rows. The paper draws this figure to compare
# with full fine-tuning, so we train every weight for some steps as well.

# %%
full_steps = 5 if quick() else 60
full, _ = fine_tune("full", steps=full_steps)
base = load_base()
linears = [path for path, module in base.named_modules() if type(module) is nn.Linear and path != "output"]


def turned_and_stretched(weights: dict[str, torch.Tensor]) -> tuple[list[float], list[float]]:
    turned, stretched = [], []
    for path in linears:
        old, new = base.get_submodule(path).weight.detach(), weights[path].detach()
        turned.append(float((1 - nn.functional.cosine_similarity(old, new, dim=1)).mean()))
        stretched.append(float((new.norm(dim=1) - old.norm(dim=1)).abs().mean()))
    return turned, stretched


changed = {f"full, {full_steps} steps": full.merge_and_unload()}
changed |= {
    name: PeftModel.from_pretrained(load_base(), BRITISH / name).merge_and_unload() for name in ("lora", "dora")
}
figure, axes = plt.subplots(1, 3, figsize=(10, 2.9), layout="constrained")
for axis, (name, model) in zip(axes, changed.items()):
    turned, stretched = turned_and_stretched({path: model.get_submodule(path).weight for path in linears})
    together = float(torch.corrcoef(torch.tensor([turned, stretched]))[0, 1])
    axis.scatter(turned, stretched, s=12)
    axis.set_title(f"{name}: correlation {together:.2f}", fontsize=10)
    axis.set_xlabel("turned, 1 - cos")
    print(f"{name:<16} mean turn {mean(turned):.4f}, mean stretch {mean(stretched):.4f}, correlation {together:.2f}")
axes[0].set_ylabel("change of length")
plt.show()

# %%
tuned = PeftModel.from_pretrained(load_base(), BRITISH / "dora")
ratios = torch.cat(
    [m.lora_magnitude_vector.detach() / m.base.weight.norm(dim=1) for m in tuned.modules() if isinstance(m, DoraLinear)]
)
low, high = ratios.quantile(0.05), ratios.quantile(0.95)
print(f"DoRA's magnitudes m against the base's row lengths: 90 % of them lie between {low:.3f} and {high:.3f} times")

# %% [markdown]
# In LoRA a matrix that is turned more is stretched more: one product does both. DoRA loosens that. In the paper the
# correlation of full fine-tuning and of DoRA is even negative; in this small model full fine-tuning's is not.
#
# With DoRA the length is learnt apart, in $m$; what $BA$ does to it is divided out. The price: $\lVert V \rVert$ has to be made from
# $W + BA$ at every step. In the table above it took the longest of the family.
#
# ## PiSSA: the spectrum, and a faster start
#
# PiSSA begins at the largest directions of $W$ itself. Do a few directions carry much of it? And does it start faster?

# %%
path = "encoder.layers.1.self_attention.q_proj"
weight = base.get_submodule(path).weight.detach()
values, noise = torch.linalg.svdvals(weight), torch.linalg.svdvals(torch.randn_like(weight) * weight.std())
share, by_chance = (float((each[:8] ** 2).sum() / (each**2).sum()) for each in (values, noise))
figure, axes = plt.subplots(1, 2, figsize=(9, 2.9), layout="constrained")
axes[0].plot(range(1, 129), values, color="C0", label="W")
axes[0].plot(range(1, 129), noise, color="grey", linestyle=":", label="random matrix, same size")
axes[0].fill_between(
    range(1, 9), values[:8], color="C1", alpha=0.5, label=f"PiSSA's start, r = 8: {100 * share:.0f} % of W²"
)
axes[0].set_title(path.replace(".layers", ""), fontsize=9)
axes[0].set_xlabel("which singular value")
axes[0].legend(fontsize=8)
for method in ("lora", "pissa", "lora_plus"):
    steps, losses = zip(*rows[method][0]["loss_curve"])
    axes[1].plot(steps[:24], losses[:24], label=f"{method}, rate {rows[method][0]['learning_rate']}")
axes[1].set_yscale("log")
axes[1].set_xlabel("step")
axes[1].set_title("training loss, saved run (python -m lessons compare)", fontsize=9)
axes[1].legend(fontsize=8)
plt.show()
print(f"the 8 largest directions hold {100 * share:.0f} % of W², and {100 * by_chance:.0f} % in a random matrix")

pissa = get_peft_model(load_base(), recipe("pissa").config()).eval()
with torch.no_grad():
    difference = (pissa(source, target) - base(source, target)).abs().max()
    with pissa.disable_adapter():
        same = torch.equal(pissa(source, target), base(source, target))
print(f"a fresh PiSSA differs from the base by {difference:.1e} at most; switched off it is the base: {same}")

# %% [markdown]
# A few directions do carry much. The start itself is no faster here, but PiSSA keeps up with LoRA at a third of its learning rate.
# LoRA+ is the fastest on the training words, and yet ends a little worse on the test words (table above): what learns faster
# can also learn by heart faster.
#
# ## VeRA and IA3: hardly any parameters
#
# VeRA's random matrices are the same for all layers, and a seed makes them anew: they need not be saved.
# IA3 has factors only. Which features did it turn up or down?

# %%
factors: dict[str, list[torch.Tensor]] = {"k_proj": [], "v_proj": [], "fc2": []}
tuned = PeftModel.from_pretrained(load_base(), BRITISH / "ia3")
for path, wrapper in tuned.adapters["default"].layers.items():
    if isinstance(wrapper, IA3Linear):
        factors[path.rpartition(".")[2]].append(wrapper.ia3_l.detach().flatten())
figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
for name, parts in factors.items():
    together = torch.cat(parts)
    axis.hist(
        together, bins=60, range=(0, 2.2), histtype="step", density=True, label=f"{name}: {len(together):,} factors"
    )
    print(f"{name}: mean {together.mean():.2f}, spread {together.std():.2f}, {int((together < 0).sum())} below 0")
axis.axvline(1, color="grey", linewidth=0.8)
axis.set_xlabel("IA3's factor; 1 is the base")
legend_below(figure, axis, columns=3)
plt.show()

# %% [markdown]
# ## What each trains, gains, costs
#
# | | gain | price |
# |---|---|---|
# | rsLoRA | large ranks stay useful | another learning rate |
# | LoRA+ | $B$ is quick from its zero start | one more number to choose; here no gain |
# | DoRA | direction and length apart, nearer to full fine-tuning in the paper | the slowest of the family |
# | PiSSA | starts where $W$ is large | an SVD at the start; the file has rank $2r$ |
# | VeRA | very small files | a larger learning rate; the random products still cost time |
# | IA3 | smallest, and no time once merged | can only weight what is there; no new direction |
#
# **LoRA or adapter?** All of these are LoRA's side of the line: they change a weight matrix, and they merge (lesson 17 has
# the other side). IA3 is the border: it multiplies features, as SSF does (lesson 22).
#
# ## The usual mistakes
#
# - **A new technique at the old learning rate.** VeRA and IA3 want a larger one, rsLoRA a smaller one. A comparison at one
#   rate compares rates. (`lessons/task/learning_rates.json` keeps what was tried: `python -m lessons search`.)
# - **PiSSA changes the base in Hugging Face PEFT**: $W - B_0 A_0$ is written into it. Then `disable_adapter` no longer
#   gives the base, and every other adapter is wrong (HF PEFT, issue 2184). Here $W$ stays, as printed above.
# - **DoRA's lengths from the wrong matrix.** mlx-examples took $m$ from a freshly made layer, before $W$ was put in
#   (its issue 832). Check: a fresh DoRA gives the base's output.
# - **Two DoRA adapters on one layer, merged one after the other**: the second took its lengths from the merged weight, and
#   merged differed from unmerged by percents (HF PEFT, issue 3608). A sum of DoRAs is no DoRA; here it is refused.
# - **DoRA expected to cost nothing.** Users measured it up to twice as slow in training (HF PEFT, pull request 1474).
# - **IA3 merged into keys and values without the bias.** $l \odot (Wx + b)$ scales $b$ too; in the feed forward it does not.

# %%
two = PeftModel.from_pretrained(load_base(), BRITISH / "dora", adapter_name="one")
two.load_adapter(BRITISH / "dora", "two")
try:
    two.set_adapter(["one", "two"])
except ValueError as error:
    print(error)

# %%
exercises_of(14)

# %% [markdown]
# ## Where to read on
#
# - rsLoRA: *A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA* (arXiv 2312.03732).
# - *LoRA+: Efficient Low Rank Adaptation of Large Models* (arXiv 2402.12354).
# - *DoRA: Weight-Decomposed Low-Rank Adaptation* (arXiv 2402.09353), figure 2 for magnitude and direction.
# - *PiSSA: Principal Singular Values and Singular Vectors Adaptation* (arXiv 2404.02948).
# - *VeRA: Vector-based Random Matrix Adaptation* (arXiv 2310.11454).
# - IA3: *Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning* (arXiv 2205.05638).
