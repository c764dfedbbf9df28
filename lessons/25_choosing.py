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
# 25. Choosing a strategy

Every technique of this course is now on the table, measured on one base and one task.
This lesson turns the table into a decision: by the task, by the data, by the machine, and by what the base must keep.
"""

# %%
import json
import warnings
from pathlib import Path
from statistics import mean

from matplotlib import pyplot as plt
from rich import print as show_table
from rich.table import Table

import lessons
from lessons.compare import amounts
from lessons.task.base import load_base
from lessons.task.dictionary import words
from lessons.task.finetuning import adapted
from lessons.task.machine import set_threads
from lessons.compare.report import by_method
from lessons.compare.clouds import AMERICAN, BEFORE, BRITISH, family
from lessons.task.scoring import evaluate
from lessons.teaching import exercises_of, kept_report, lit_diagram, quick, said_and_so, show_source
from peft import RECIPES, PeftModel

set_threads()
HERE = Path(lessons.__file__).parent
lit_diagram("everything")

# %% [markdown]
# ## The formula
#
# Transfer learning, in one line: the same optimization, from another start.
#
# $$\theta^* = \arg\min_\theta \; L_{\text{task}}(\theta) \quad\text{begun at}\quad
# \theta_0 = \arg\min_\theta \; L_{\text{pretraining}}(\theta)$$
#
# Fine-tuning is transfer learning in which the pretrained model itself goes on learning. A parameter-efficient technique
# adds a fence: $\theta = \theta_0 + f(\phi)$ with few numbers $\phi$. What a technique costs is then three numbers:
#
# - per task on disk: the bytes of $\phi$,
# - per step: one forward and one backward pass through the base, always,
# - in memory while training: the base, and gradient and two AdamW states for each number of $\phi$: $12\,|\phi|$ bytes in fp32.
#
# ## The code
#
# A technique is a name, a config, what is done to the base first, and the optimizer's groups. That is all one chooses from:

# %%
show_source(type(RECIPES["lora"]))

# %% [markdown]
# ## By hand
#
# Twenty customers, each with a fine-tuned model of its own. Full fine-tuning keeps twenty models. LoRA keeps one base and
# twenty files. The kept run says how large each is: 5.61 MB, and 0.555 MB.
#
# $$20 \cdot 5.61 = 112.2 \text{ MB} \qquad 5.61 + 20 \cdot 0.555 = 16.7 \text{ MB}$$

# %%
report = kept_report()
methods = by_method(report)
full_file, lora_file = (methods[name][0]["adapter_bytes"] for name in ("full", "lora"))
print(
    f"twenty models: {20 * full_file / 1e6:.1f} MB; one base and twenty adapters: {(full_file + 20 * lora_file) / 1e6:.1f} MB"
)

# %% [markdown]
# ## The decision, from the table
#
# `python -m lessons compare --seeds 3 --test-words all` made the report: 1,000 British words, 300 steps, each technique at
# its own learning rate. First the prices. "Merges": the adapter can be written into the weights, so that using it costs
# nothing. "Mixes": rows of one batch can have different adapters in one pass. Both are asked of the code, not remembered.


# %%
def answers(method: str) -> tuple[bool, bool]:
    """(merges, mixes) of a technique on the base."""
    model = adapted(method)
    mixes = model.adapters["default"].additive
    try:
        with warnings.catch_warnings(action="ignore"):  # merging into four bits warns that it is lossy
            model.merge_and_unload()
    except ValueError:
        return False, mixes
    return True, mixes


def british(method: str) -> float:
    return 100 * mean(row["british"]["word_error"] for row in methods[method])


properties = {method: answers(method) for method in methods if method != "scratch"}
table = Table("technique", "British WER, %", "file, kB", "12 |φ|, kB", "step, × full", "merges", "mixes")
table.columns[0].no_wrap = True
seconds = {method: mean(row["seconds"] for row in rows) for method, rows in methods.items()}
for method in sorted(properties, key=british):
    row = methods[method][0]
    merges, mixes = ("yes" if answer else "–" for answer in properties[method])
    states = f"{12 * row['trainable_parameters'] / 1e3:,.0f}"
    size = f"{row['adapter_bytes'] / 1e3:,.0f}"
    table.add_row(
        method, f"{british(method):.1f}", size, states, f"{seconds[method] / seconds['full']:.2f}", merges, mixes
    )
show_table(table)

# %% [markdown]
# Now the decision. Each line is a question that somebody really has; the point is the best technique that fits it.


# %%
def best(fits) -> str:
    return min((method for method in properties if fits(method)), key=british)


def file_below(kilobytes: float):
    return lambda method: methods[method][0]["adapter_bytes"] < 1e3 * kilobytes


questions = {
    "anything goes": lambda method: True,
    "a file below 600 kB for each task": file_below(600),
    "... below 250 kB": file_below(250),
    "... below 60 kB": file_below(60),
    "... below 25 kB": file_below(25),
    "no cost when used: it merges": lambda method: properties[method][0],
    "many tasks in one batch: it mixes": lambda method: properties[method][1],
    "the base does not fit in 16 bits": lambda method: method in ("qlora", "lora_fp4", "lora_int4"),
    "no step slower than full fine-tuning": lambda method: seconds[method] <= seconds["full"],
    "nothing is added: own parameters only": lambda method: method in ("bitfit", "ln_tuning"),
}
figure, axis = plt.subplots(figsize=(9, 4.6), layout="constrained")
before = 100 * report["base"]["british"]["word_error"]
for place, fits in enumerate(questions.values()):
    chosen = best(fits)
    _, colour, marker = family(chosen)
    fitting = [british(method) for method in properties if fits(method)]
    axis.plot(fitting, [place] * len(fitting), "|", color="#c8c8c8", markersize=12)
    axis.plot(british(chosen), place, marker, color=colour, markersize=9)
    axis.annotate(chosen, (british(chosen), place), (-9, 0), textcoords="offset points", va="center", ha="right")
axis.axvline(before, color=BEFORE, linestyle="--")
axis.annotate("base, not adapted", (before, 4.5), (-4, 0), textcoords="offset points", ha="right", va="center")
axis.set_yticks(range(len(questions)), questions)
axis.set(
    xlim=(30, 92),
    xlabel="British word error, % (grey: whatever fits)",
    title="What must hold, and the best technique that fits",
)
axis.invert_yaxis()
plt.show()

# %% [markdown]
# Two things to see. Many grey marks stand close to the coloured point: between the good techniques the difference is
# smaller than the price. And the seeds' standard deviation is about 0.4 points (README): a lead of less than that is no lead.
# Choose by price first.


# %%
def said_best(names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {british(name):.1f}" for name in names)


said_and_so(
    "Complex tasks that need fine control ask for P-Tuning v2 or P-Tuning with an LSTM; LoRA and adapters are for small machines.",
    "British word error here, in %: "
    + said_best(("p_tuning_v2", "p_tuning", "lora", "adapter_parallel", "full"))
    + ". "
    "The cheap ones are the good ones on this task. Prompts at the input lose for a reason that lesson 18 measures. One task "
    "does not decide for all, but nothing here supports the rule.",
    "the table above (`python -m lessons compare --seeds 3 --test-words all`)",
)

# %% [markdown]
# ## How much data
#
# The same 300 steps on 100, 1,000 and 10,000 words: `python -m lessons amounts`, kept in `lessons/results/amounts.json`.
# Fewer words are read more often.

# %%
show_source(amounts.run)

# %%
kept = json.loads((HERE / "results" / "amounts.json").read_text())
curves = {}
for row in kept["rows"]:
    curves.setdefault((row["method"], row["words"]), []).append(row["curve"])
names = list(dict.fromkeys(method for method, _ in curves))
counts = sorted({count for _, count in curves})


def at_end(method: str, count: int, what: str) -> float:
    return 100 * mean(curve[-1][what] for curve in curves[method, count])


figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
titles = {
    "training": "words that it learnt from",
    "british": "British, held out",
    "american": "American, held out: kept",
}
for axis, (what, title) in zip(panels, titles.items()):
    for method in names:
        _, colour, marker = family(method)
        style = "--" if method == "bitfit" else "-"
        axis.plot(
            counts, [at_end(method, count, what) for count in counts], style, color=colour, marker=marker, label=method
        )
    axis.set(xscale="log", title=title, xlabel="words to learn from")
panels[0].set_ylabel("word error at the end, %")
panels[0].legend()
plt.show()

# %% [markdown]
# - **With 100 words** every technique that starts from the base already takes off a fifth to a quarter of the British error.
#   From scratch nothing is learnt but the list itself.
# - **With more words** they come together. The gap between left and middle panel is overfitting; it closes with data, not
#   with a cleverer technique.
# - **What the base keeps** is little, on few words as on many. More British words do not save the American ones, and the
#   technique that forgets least, BitFit, is the one that learns least.

# %%
few, many = min(counts), max(counts)
said_and_so(
    "Thanks to pretraining, small data sets are enough.",
    f"With {few} words, full fine-tuning ends at {at_end('full', few, 'british'):.0f} % British word error and LoRA at "
    f"{at_end('lora', few, 'british'):.0f} %, training from scratch at {at_end('scratch', few, 'british'):.0f} %. With "
    f"{many:,} words: {at_end('full', many, 'british'):.0f}, {at_end('lora', many, 'british'):.0f} and "
    f"{at_end('scratch', many, 'british'):.0f} %. Small data sets are enough to begin; a hundred times as much is still better.",
    "the middle panel above (`python -m lessons amounts`)",
)

# %% [markdown]
# ## Overfitting, step by step
#
# LoRA's run on the fewest and on the most words, looked at after each quarter of the steps.

# %%
figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
colours = {"training": "#555555", "british": BRITISH, "american": AMERICAN}
for axis, count in zip(panels, (few, many)):
    curve = curves["lora", count][0]
    for what, title in titles.items():
        axis.plot(
            [point["step"] for point in curve],
            [100 * point[what] for point in curve],
            "o-",
            color=colours[what],
            label=title,
        )
    axis.set(title=f"LoRA, {count:,} words", xlabel="step")
panels[0].set_ylabel("word error, %")
panels[1].legend(fontsize=8)
plt.show()

# %%
first, last = curves["lora", few][0][1], curves["lora", few][0][-1]
said_and_so(
    "Too much fine-tuning overfits: the model forgets how to generalize.",
    f"On {few} words the error on those words falls to {100 * last['training']:.0f} %. The British held-out error goes from "
    f"{100 * first['british']:.0f} % after a quarter of the steps to {100 * last['british']:.0f} % at the end, while American "
    f"goes from {100 * first['american']:.0f} to {100 * last['american']:.0f} %. The steps past the point where held-out words "
    "stop gaining cost the base and buy nothing: watch held-out words, and words of the old task too.",
    "the left panel above (`python -m lessons amounts`)",
)

# %% [markdown]
# ## Live: a volume knob between the base and the accent
#
# A LoRA adapter is a sum, so it can be turned down: $W + s \cdot \frac{\alpha}{r} BA$ with $0 \le s \le 1$. No training. The
# shipped British adapter, at five volumes, on words that it never saw:

# %%
scales = (0.25, 0.5, 0.75) if quick() else (0.2, 0.4, 0.5, 0.6, 0.8)
count = 40 if quick() else 250
model = PeftModel.from_pretrained(load_base(), HERE / "adapters" / "british" / "lora")
for scale in scales:
    model.add_weighted_adapter(["default"], [scale], f"at {100 * scale:.0f} %", "cat")


def both_errors() -> list[float]:
    return [
        100 * evaluate(model, words(accent, "test", count), accent).word_error for accent in ("british", "american")
    ]


with model.disable_adapter():
    knob = {0.0: both_errors()}
for scale in scales:
    model.set_adapter(f"at {100 * scale:.0f} %")
    knob[scale] = both_errors()
model.set_adapter("default")
knob[1.0] = both_errors()

figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
for index, (accent, colour) in enumerate((("British", BRITISH), ("American", AMERICAN))):
    axis.plot([*knob], [errors[index] for errors in knob.values()], "o-", color=colour, label=accent)
axis.set(
    xlabel="volume s of the adapter", ylabel="word error, %", title=f"One adapter, turned up ({count} held-out words)"
)
axis.legend()
plt.show()
for scale, (in_british, in_american) in knob.items():
    print(f"s = {scale:4.2f}   British {in_british:5.1f} %   American {in_american:5.1f} %")

# %% [markdown]
# Between the two ends there is no setting that is good at both: a mixed accent is wrong in both dictionaries. To have both,
# keep both: one base, one adapter, and switch (lesson 13). That costs nothing, since off is exact.
#
# ## In short
#
# | your case | begin with |
# |---|---|
# | you do not know yet | LoRA on all linear layers, rank 8 |
# | the base does not fit | QLoRA |
# | hundreds of tasks, tiny files | VeRA, LayerNorm tuning or IA3 |
# | one task, all the machines, much data | full fine-tuning, as the measure for the others too |
# | the answer is judged, not given | preferences (lesson 24), on an adapter |
# | a base of many billions, a few examples | prompt or prefix tuning: there they were found to work; here they are not the best |
#
# ## The usual mistakes
#
# - **One learning rate for all techniques.** The best rates differ by a factor of a hundred; whoever compares at one rate
#   compares rates. `python -m lessons search` looks for each technique's own.
# - **One seed.** The spread between seeds is as large as the lead of most "better" techniques.
# - **Only the new task is tested.** Then forgetting is not seen. Keep a test of what the base could do.
# - **Test words that were trained on.** Inflections, duplicates, the same sentence in two files. Split first, by a hash.
# - **The loss of the training words as the measure.** See the left panel: it goes to zero whatever is learnt.
# - **Counting parameters only.** Activations take most of the memory: `python -m lessons memory --help`.

# %%
exercises_of(25)

# %% [markdown]
# ## Where to read on
#
# - *How transferable are features in deep neural networks?* (1411.1792).
# - *Towards a Unified View of Parameter-Efficient Transfer Learning* (2110.04366): the techniques as one formula.
# - *LoRA Learns Less and Forgets Less* (2405.09673): what the base keeps, on large models.
# - *Robust fine-tuning of zero-shot models* (2109.01903): the volume knob, between two whole models.
# - *Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning* (2205.05638).
