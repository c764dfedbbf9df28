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
# 32. Choosing a strategy

**The question.** Every technique of this course has been measured on one base and one task. You have a task of your own.
Do you take the best line of the table?

Usually not: the best lines are so close together that their prices decide. And a table of one task is one table.

**You will be able to**

- ask the questions that decide: memory, tasks, file, use, data, what the base must keep
- tell a lead from noise
- read a comparison of others, and see what it holds fixed

**Time:** 40 minutes. **Before it:** [LoRA](13_lora.ipynb), and a look at each family: [adapters](17_adapters.ipynb),
[prompts](18_prompt_tuning.ipynb), [4 bits](16_qlora.ipynb).
"""

# %% tags=["hide-input"]
from lessons.compare import amounts as amounts_command
from lessons.compare.kept import kept_report
from lessons.experiments.choosing import (
    complex_techniques_beside_simple,
    fitting,
    leads_and_seeds,
    prices,
    rates_differ,
    twenty_customers,
    volumes,
)
from lessons.experiments.choosing_amounts import counts, how_much_data, overfitting_step_by_step
from lessons.experiments.choosing_beside import agreement_table, beside_hugging_face
from lessons.experiments.choosing_figures import (
    best_of,
    draw_amounts,
    draw_beside,
    draw_questions,
    draw_steps,
    draw_tree,
    draw_volumes,
)
from lessons.task.machine import set_threads
from lessons.teaching import (
    claim,
    exercises_of,
    lit_diagram,
    lowest,
    prose,
    quick,
    said_and_so,
    show_drawing,
    show_figure,
    show_source,
    show_table,
)
from peft import RECIPES

set_threads()
lit_diagram("everything")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_tree(),
    title="Ask what must hold first; the table only answers the rest",
    alt="A tree. If the right answer cannot be written down: preferences. If the base does not fit into the memory: 4 bits, "
    "{four}. If there is one task: {one}, merged. If twenty LoRA files are not too much: {mixes}. Else the best technique "
    "with a small file: {small}.",
    four=best_of("the base does not fit in 16 bits"),
    one=best_of("no cost when used: it merges"),
    mixes=best_of("many tasks in one batch: it mixes"),
    small=best_of("a file below 60 kB for each task"),
)

# %% [markdown]
# ## The idea
#
# Transfer learning means: the same optimization, from another start. Fine-tuning is transfer learning in which the pretrained
# model itself goes on learning. All techniques of this course answer one question, *what* of it may move.
#
# A choice between them is not first a question of accuracy. It is a list of things that must hold. Does the base fit into
# the memory while it trains? How many tasks share one base? May the use cost more? Must the base keep what it can do? Each
# answer rules techniques out. Among those that are left, the table says which is good, and how sure that is.

# %% [markdown]
# ## The formula
#
# $$\theta^* = \arg\min_\theta \; L_{\text{task}}(\theta) \quad\text{begun at}\quad
# \theta_0 = \arg\min_\theta \; L_{\text{pretraining}}(\theta)$$
#
# A parameter-efficient technique adds a fence: the model is $p_{\theta_0, \varphi}$, with the base's numbers $\theta_0$ frozen and few
# numbers $\varphi$ trained. LoRA, SSF and BitFit can be written as changed weights, $\theta = \theta_0 + f(\varphi)$. Adapters, prompts
# and prefixes cannot: they add layers or inputs, and change no weight.
#
# What a technique costs is then:
#
# - per task on disk: the bytes of $\varphi$,
# - per step: one forward and one backward pass through the base, always,
# - in memory while training: the base, the activations, and gradient and two AdamW moments for each trained number:
#   $12\,|\varphi|$ bytes in fp32.

# %% [markdown]
# ## The code
#
# A technique is a name, a config, what is done to the base first, and the optimizer's groups. That is all one chooses from:

# %%
show_source(type(RECIPES["lora"]))

# %% [markdown]
# ## By hand
#
# Twenty customers, each with a fine-tuned model of its own. Full fine-tuning keeps twenty models. LoRA keeps one base and
# twenty files. The saved comparison has the sizes:

# %% tags=["hide-input"]
prose(
    "$${n} \\cdot {full:.2f} = {models:.1f} \\text{{ MB}} \\qquad {full:.2f} + {n} \\cdot {lora:.3f} = {adapters:.1f} \\text{{ MB}}$$",
    **twenty_customers(),
)

# %% [markdown]
# The last question of the drawing is this sum.

# %% [markdown]
# ## Experiment: the decision, from the table
#
# `python -m lessons compare --seeds 5 --test-words all` made the saved comparison: 1,000 British words, 300 steps, each technique
# at its own learning rate. First the prices. "Merges": the adapter can be written into the weights, so that using it costs
# nothing. "Mixes": rows of one batch can have different adapters in one pass. Both are asked of the code, not remembered:
# prompts could mix too, but this code runs such rows adapter by adapter.

# %%
show_table(prices())

# %% [markdown]
# Now the decision. Each line is something that must hold. The coloured point is the best technique that fits it. A base in 4
# bits counts only where the memory asks for it.

# %%
before = 100 * kept_report()["base"]["british"]["word_error"]

# %% tags=["hide-input"]
anything, tiny = fitting("anything goes"), fitting("a file below 25 kB for each task")
claim(min(tiny.values()) > min(anything.values()) + 2, "the tiniest files cost accuracy")
show_figure(
    draw_questions(before),
    title="The best is {best} with {error:.1f} %; a tiny file costs accuracy: {tiny_error:.1f} % below 25 kB ({tiny})",
    alt="For each condition a row of grey marks, one for each technique that fits, and the best by name; the base before "
    "fine-tuning is a dashed line at {before:.1f} %. Many grey marks stand close to the best.",
    best=lowest(anything),
    error=min(anything.values()),
    tiny=lowest(tiny),
    tiny_error=min(tiny.values()),
    before=before,
)
prose(
    "The best is `{best}` with {best_error:.1f} %. The seeds of one technique differ by a standard deviation of {spread:.2f} "
    "points on average, and a lead of less than twice that is no lead. {level} of {all} techniques are level with the best in this "
    "sense. Their files go from {smallest_kb:,.0f} kB (`{smallest}`) to {largest_kb:,.0f} kB. So choose by price first.",
    **leads_and_seeds(),
)
said_and_so(
    said="Complex tasks that need fine control ask for P-Tuning v2 or P-Tuning with an LSTM; LoRA and adapters are for small "
    "machines.",
    so="British word error here, in %: P-Tuning v2 {p_tuning_v2:.1f}, P-Tuning {p_tuning:.1f}, LoRA {lora:.1f}, parallel adapter "
    "{adapter_parallel:.1f}, full {full:.1f}. The simple ones are the good ones on this task. What a prompt at the input can "
    "reach is measured in lesson 18. One task does not decide for all, but nothing here supports the rule.",
    shown_by="the table above (`python -m lessons compare --seeds 5 --test-words all`)",
    **complex_techniques_beside_simple(),
)

# %% [markdown]
# ## Experiment: the same question, asked by others
#
# Hugging Face keeps a
# [comparison](https://github.com/huggingface/peft/tree/main/method_comparison) as well: `Llama-3.2-3B` learns
# to solve school arithmetic (MetaMathQA), with accuracy, forgetting, memory and seconds for each setting. What differs: one
# seed each, and a rate that whoever contributed a setting chose. Ours has several seeds and a searched rate for each
# technique, on a base two thousand times smaller. Where they have several settings of a technique, we take the best.

# %% tags=["hide-input"]
numbers = beside_hugging_face()
show_figure(
    draw_beside(),
    title="Two very different comparisons put {shared} techniques in similar orders (rank correlation {agreement:.2f})",
    alt="Two columns of names, the best on top, joined by lines: left by British word error here, right by accuracy there. "
    "The line of LayerNorm tuning falls to the last place at the right.",
    **numbers,
)
show_table(agreement_table())
prose(
    "{same} of {of} sentences are so, or are not so, in both. The largest difference is LayerNorm tuning: {ln_tuning:.1f} % accuracy "
    "there, at one rate ({ln_rate:g}); here it leaves {our_ln:.1f} % word error at its searched rate of {our_ln_rate:g}. How much hangs on a setting their own lines show: prompt tuning goes from {low:.1f} % to {high:.1f} % accuracy, "
    "while the step from full fine-tuning to LoRA is {lead:.1f} points. (Spearman's correlation is 1 for the same order, 0 for "
    "unrelated ones. {settings} settings in all.)",
    **numbers,
)

# %% [markdown]
# ## Experiment: how much data
#
# The same 300 steps on 100, 1,000 and 10,000 words: `python -m lessons amounts`. Fewer words are read more often.

# %%
show_source(amounts_command.run)

# %% tags=["hide-input"]
numbers = how_much_data()
show_figure(
    draw_amounts(),
    title="With {few} words a base loses {least_off:.0f} to {most_off:.0f} % of its error; without a base {many:,} are not enough",
    alt="Three panels of word error over the number of words: learnt words, British held-out words, American held-out words. "
    "From scratch all held-out errors stay near the top; the others fall with more words, and American stays high.",
    **numbers,
)
prose(
    "- **With {few} words** the techniques that start from the base take {least_off:.0f} to {most_off:.0f} % off its British word "
    "error of {start:.1f} %. From scratch nothing is learnt but the list itself.\n"
    "- **With more words** learnt and held-out words come together: on {few} words they are at least {gap_few:.0f} points "
    "apart, on {many:,} at most {gap_many:.0f}. That gap is overfitting, and data close it. The *techniques* do not come "
    "together: their British errors are {apart_few:.0f} points apart with {few} words and {apart_many:.0f} with {many:,}.\n"
    "- **What the base keeps** is little: the lowest American word error is {kept_few:.0f} % after {few} words and {kept_many:.0f} % "
    "after {many:,}. With {many:,} words {forgets_least} forgets least and {learns_least} learns least.",
    **numbers,
)
said_and_so(
    said="Thanks to pretraining, small data sets are enough.",
    so="With {few} words, full fine-tuning ends at {full_few:.0f} % British word error and LoRA at {lora_few:.0f} %, training from "
    "scratch at {scratch_few:.0f} %. With {many:,} words: {full_many:.0f}, {lora_many:.0f} and {scratch_many:.0f} %. Small data "
    "sets are enough to begin; a hundred times as much is still better.",
    shown_by="the middle panel above (`python -m lessons amounts`)",
    **numbers,
)

# %% [markdown]
# ## Experiment: overfitting, step by step
#
# LoRA on the fewest and on the most words, looked at after each quarter of the steps.

# %% tags=["hide-input"]
numbers = overfitting_step_by_step()
show_figure(
    draw_steps("lora", (counts()[0], counts()[-1])),
    title="On {few} words the held-out error falls no further after {best_step} of {steps} steps",
    alt="Two panels of word error over the steps. Left, few words: the learnt words fall to {training:.0f} %, British held-out "
    "words stay at {end:.0f} %, American rises to {american_end:.0f} %. Right, many words: learnt and held-out fall together.",
    **numbers,
)
said_and_so(
    said="Too much fine-tuning overfits: the model forgets how to generalize.",
    so="On {few} words the error on those words falls to {training:.0f} %. The held-out British error falls no further "
    "after {best_step} steps: {best:.1f} % there, {end:.1f} % at the end. {rise} "
    "American goes from {american_best:.0f} to {american_end:.0f} % in the same "
    "steps. So watch held-out words, and words of the old task too.",
    shown_by="the left panel above (`python -m lessons amounts`)",
    **numbers,
)

# %% [markdown]
# ## Experiment: a volume knob between the base and the accent
#
# A LoRA adapter is a sum, so it can be turned down: $W + s \cdot \frac{\alpha}{r} BA$ with $0 \le s \le 1$. No training. The
# shipped British adapter, at several volumes, on words that it never saw:

# %%
scales = [0, 0.5, 1] if quick() else [0, 0.2, 0.4, 0.5, 0.6, 0.8, 1]
found = volumes(scales, count=20 if quick() else 250)

# %% tags=["hide-input"]
numbers = {
    "off_british": found[0][0],
    "off_american": found[0][1],
    "on_british": found[1][0],
    "on_american": found[1][1],
    "middle_british": found[0.5][0],
    "middle_american": found[0.5][1],
}
claim(
    all(b > found[1][0] + 5 or a > found[0][1] + 5 for b, a in found.values()), "no volume is good at both", **numbers
)
show_figure(
    draw_volumes(found),
    title="No volume is good at both accents: half way British is {middle_british:.0f} %, American {middle_american:.0f} %",
    alt="Word error over the volume. British falls from {off_british:.0f} to {on_british:.0f} %, American rises from "
    "{off_american:.0f} to {on_american:.0f} %.",
    **numbers,
)

# %% [markdown]
# A mixed accent is wrong in both dictionaries. To have both, keep both: one base, one adapter, and switch
# ([lesson 13](13_lora.ipynb)). That costs nothing, since off is exact.

# %% [markdown]
# ## The usual mistakes

# %% tags=["hide-input"]
prose(
    "- **One learning rate for all techniques.** The best rates here go from {least_rate:g} (`{least}`) to {most_rate:g} (`{most}`), a "
    "factor of {factor:,.0f}. Who compares at one rate compares rates. `python -m lessons search` looks for each technique's own.",
    **rates_differ(),
)

# %% [markdown]
# - **A best rate at the edge of what was tried.** Then it is not known to be the best. Go on until the best is inside.
# - **One seed.** A lead that is smaller than the spread of the seeds is no lead.
# - **Only the new task is tested.** Then forgetting is not seen. Keep a test of what the base could do.
# - **Test words that were trained on.** Duplicates, the same sentence in two files, and inflections: a split by a hash of
#   the *word* puts *walked* on one side and *walking* on the other. Split by the stem, or by whatever a group is. (The split of
#   this course is by the word; its [page](../data/README.md) says so.)
# - **The loss of the training words as the measure.** A technique that can learn the list by heart drives it to zero, whatever
#   else it has learnt; one that cannot does not. Neither says anything of new words.
# - **Counting parameters only.** Activations take most of the memory: `python -m lessons memory --help`.
# - **A comparison at somebody's default settings.** See LayerNorm tuning above.

# %% [markdown]
# ## Three questions
#
# <details><summary>Two techniques differ by half a point, the seeds of each by a whole one. Which is better?</summary>
#
# Nobody knows. Run more seeds, or decide by price.
#
# </details>
#
# <details><summary>You have one task and plenty of memory. What speaks against full fine-tuning?</summary>
#
# Little. It is the measure for the others. But in the table above LoRA is as good and easier to switch off, and in the
# comparison of Hugging Face as well.
#
# </details>
#
# <details><summary>A paper finds technique X three points better than LoRA. What do you look for first?</summary>
#
# The learning rates: was LoRA's searched as long as X's? Then the seeds, and whether the test set chose anything.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(32)

# %% [markdown]
# ## Summary
#
# - First what must hold, then the price, then the table. Between the good techniques the differences are smaller than the prices.
# - A base and few examples beat many examples without a base. Data close the gap between learnt and held-out words.
# - Two comparisons of different size, task and care agree on much: LoRA is no worse than full fine-tuning, prompts at the
#   input are weak. Where they disagree, look at the learning rate.
#
# | your case | begin with |
# |---|---|
# | you do not know yet | LoRA on all linear layers, rank 8 |
# | the base does not fit | QLoRA |
# | hundreds of tasks, tiny files | the best small file of the table above |
# | one task, all the machines, much data | full fine-tuning, as the measure for the others too |
# | the answer is judged, not given | preferences (lessons [24](24_reward_model.ipynb) to [27](27_grpo.ipynb)), on an adapter |
# | a base of many billions, a few examples | prompt or prefix tuning: there they were found to work; here they are not the best |

# %% [markdown]
# ## Where to read on
#
# - Yosinski et al., [*How transferable are features in deep neural networks?*, arXiv 1411.1792](https://arxiv.org/abs/1411.1792)
# - He et al., [*Towards a Unified View of Parameter-Efficient Transfer Learning*, arXiv
#   2110.04366](https://arxiv.org/abs/2110.04366): the techniques as one formula
# - Biderman et al., [*LoRA Learns Less and Forgets Less*, arXiv 2405.09673](https://arxiv.org/abs/2405.09673): what the base keeps,
#   on large models
# - Wortsman et al., [*Robust fine-tuning of zero-shot models*, arXiv 2109.01903](https://arxiv.org/abs/2109.01903): the volume knob,
#   between two whole models
# - Liu et al., [*Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning*, arXiv
#   2205.05638](https://arxiv.org/abs/2205.05638)
# - In the code: [`peft/recipes.py`](../../peft/recipes.py), [`lessons/compare/beside_hf.py`](../compare/beside_hf.py)
