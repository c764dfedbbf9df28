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
# 18. Prompt tuning

**The question.** A chat model changes its answers when one writes a few words in front of the question. No weight changes.
Can such words be *learnt*, by gradient descent, and can five of them teach our base the British accent?

**You will be able to**

- put learnt vectors in front of a sequence, with the mask and the positions that belong to it
- say what a prompt can change in an attention, and what it cannot
- tell a limit of the technique from a limit of the base it is put on

**Time:** 35 minutes. **Before it:** embeddings and positions, from [lesson 2](02_input_embedding.ipynb); attention, from
[lesson 3](03_attention.ipynb).
"""

# %% tags=["hide-input"]
import torch

from lessons.experiments.prompt_tuning import (
    MASK,
    PROMPT,
    TOKENS,
    VECTORS,
    british_error,
    errors_moved,
    few_numbers_are_not_the_reason,
    letters_beside_letters,
    prompts_in_the_comparison,
    the_move_costs_nothing,
    tuned,
    way,
    weight_on_the_prompt,
)
from lessons.experiments.prompt_tuning_figures import (
    draw_few,
    draw_losses,
    draw_moved,
    draw_prompt_in_front,
    draw_reach,
)
from lessons.experiments.prompt_tuning_study import lengths_and_starts, position_or_capacity, rate_of_a_prompt
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, vocabulary, words
from lessons.task.finetuning import adapted, fine_tune
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
    show_table,
)
from peft import get_peft_model
from peft.prompt_tuning import PromptInput, PromptTuningConfig, in_front

set_threads()
torch.manual_seed(0)
lit_diagram("input_embedding", "prompt")

# %% [markdown]
# ## The picture

# %% tags=["hide-input"]
show_drawing(
    draw_prompt_in_front(),
    title="Two learnt rows stand in front; every word moves two places on",
    alt="Two rows of a prompt, 9 9 and 8 8, are put in front of the vectors of This film is inspiring and a padding. The "
    "prompt takes positions 0 and 1, This takes position 2. All may be looked at except the padding. The model is frozen.",
)

# %% [markdown]
# ## The idea
#
# Take a model that reads sentences, and the task "does the writer like the film?". One could write "Is this review
# positive?" in front of each sentence. A *soft prompt* is that question's place without its words: a few vectors of the
# width of a token, found by gradient descent, which belong to no word of the vocabulary.
#
# | | |
# |---|---|
# | input | **[Prompt1] [Prompt2]** "This film is inspiring." |
# | question | which feeling about the film does the sentence show? |
# | answer | the model has to answer "positive" |
# | where is the question asked? | nowhere in words. Training has made [Prompt1] and [Prompt2] such that the frozen model answers this question |
#
# Nothing else is trained. The model stays as it is, one model can serve many tasks, and a task is a file of some
# kilobytes. One batch can even mix tasks, because each row can bring its own prompt.

# %% [markdown]
# ## The formula
#
# $$x' = [\,P\,;\ \sqrt{d}\,E[\text{source}]\,] \qquad P \in \mathbb{R}^{p \times d}$$
#
# - $P$ is learnt: $p$ rows, each as wide as the vector of a token. So $p \cdot d$ numbers are trained.
# - $E$ and every other number of the model are frozen.
# - $P$ is put in front *after* the scaling by $\sqrt d$ and *before* the positions are added.
# - The mask grows by $p$ columns of True: everybody may look at the prompt.
# - Only the encoder's input has a prompt. The decoder sees it through the memory.
#
# What can such a row do? In the first attention, let $\lambda$ be the share of its weight that a letter gives to the prompt.
# Then ([He et al., arXiv 2110.04366](https://arxiv.org/abs/2110.04366))
#
# $$\mathrm{Attention}(q, [P; x]) = (1 - \lambda)\, \mathrm{Attention}(q, x) + \lambda\, \mathrm{Attention}(q, P)$$
#
# The weights of the letters all shrink by the same factor, because softmax divides by a larger sum. *Which* letter looks at
# which letter stays as it was. A prompt adds something to the result; it does not turn the model's head.

# %% [markdown]
# ## The code

# %%
show_source(in_front, PromptInput, PromptTuningConfig.start)

# %% [markdown]
# ## By hand
#
# The numbers of the drawing: 2 features, 5 tokens, a padding token at the end, and 2 prompts.

# %%
longer, longer_mask = in_front(PROMPT, VECTORS, MASK)
for place, token in enumerate(["[Prompt1]", "[Prompt2]", *TOKENS]):
    print(f"{place} {token:<11}{longer[0, place].tolist()!s:<12}{bool(longer_mask[0, 0, 0, place])}")

# %% [markdown]
# The shape was (1, 6, 2) and is now (1, 8, 2). The mask has two more True, and the padding is still hidden. "This", which
# stood at position 0, stands at position 2.
#
# Another check: if the prompt's rows are the vectors of real tokens, a soft prompt is the same as typing those tokens.

# %%
base, tokens = load_base(), vocabulary()
letters, word = "non", "sense"
config = PromptTuningConfig(
    num_virtual_tokens=len(letters),
    prompt_tuning_init="TEXT",
    prompt_tuning_init_token_ids=tuple(tokens.letter_ids[letter] for letter in letters),
)
hard = get_peft_model(load_base(), config).eval()
with torch.no_grad():
    by_typing, _ = base.encode(torch.tensor([tokens.encode_word(letters + word)]))
    by_prompt, _ = hard.encode(torch.tensor([tokens.encode_word(word)]))
print(f"'{letters}' typed, or as a prompt: the memories differ by {(by_typing - by_prompt).abs().max():.1e}")

# %% [markdown]
# ## Experiment: what it reaches on the base
#
# The saved comparison (`python -m lessons compare --seeds 5 --test-words all`): the same 1,000 British words and 300 steps for
# each technique, each at its own searched rate, all held-out words.

# %% tags=["hide-input"]
kept_run("prompt_tuning", "p_tuning", "ln_tuning", "lora", "full")
prose(
    "Of the {before:.1f} % British word error of the base, prompt tuning leaves {prompt_tuning:.1f} and "
    "[P-Tuning](19_p_tuning.ipynb) {p_tuning:.1f}. By the spread of {seeds} seeds prompt tuning {prompt_tuning_is} the "
    "untouched base, and P-Tuning {p_tuning_is} it. LoRA leaves {lora:.1f}. (Every technique here also trains one row of "
    "numbers for a symbol that pretraining never saw. It is counted in the first column.)",
    **prompts_in_the_comparison(),
)

# %% [markdown]
# Why so little? Two reasons come to mind. The prompt moves every letter to another position. Or the prompt has too little
# power. We test one after the other.

# %% [markdown]
# ## Experiment: is it the positions?
#
# Five prompts take positions 0 to 4, so the first letter stands at position 5. This base adds fixed waves for positions
# ([lesson 2](02_input_embedding.ipynb)). We need no prompt for a test: we leave the input alone and shift the table of positions.

# %%
probe = words("american", "development", 40 if quick() else 200)
shifts = [0, 5, 30] if quick() else [0, 5, 10, 15, 20, 25, 30, 40]
moved = errors_moved(shifts, probe)

# %% tags=["hide-input"]
numbers = {
    **the_move_costs_nothing(),
    "here": moved[0],
    "five": moved[5],
    "far": shifts[-1],
    "there": moved[shifts[-1]],
}
claim(numbers["five"] < 1.2 * numbers["here"], "five places cost nothing", **numbers)
claim(numbers["there"] > 5 * numbers["here"], "past the starts that pretraining drew, the base breaks", **numbers)
show_figure(
    draw_moved(moved, numbers["furthest"]),
    title="A move by 5 places costs nothing here; a move beyond what pretraining drew costs everything",
    alt="American phoneme error over the number of places by which letters are moved: {here:.1f} % at 0, {five:.1f} % at 5, "
    "level up to {furthest}, then rising to {there:.0f} % at {far}.",
    **numbers,
)
prose(
    "On all {words:,} American words: {unmoved:.1f} % word error with the letters in place, {least:.1f} to {most:.1f} % when they "
    "are moved by 5, 10 or 15 places. So it is not the positions. It could have been: this base was pretrained with the first "
    "letter of each row at a random position from 0 to {furthest}. Beyond that nothing was learnt, and the figure shows how "
    "a base fails that always began at 0: no prompt of five vectors repairs such damage.",
    **numbers,
)

# %% [markdown]
# A model with relative positions has no such trouble (T5, for which prompt tuning was published, or Llama with its rotary
# positions): only the *distance* between two tokens counts, and a prompt in front changes no distance.

# %% [markdown]
# ## Experiment: is it the power of a prompt?
#
# We train five prompts here, and look into the encoder: how much attention do letters give to the prompt, and how do they
# look at each other? For the second we divide the letters' weights by their sum and compare with the base without a prompt.

# %%
steps = 4 if quick() else 100
british = words("british", "development", 30 if quick() else 200)
model, losses = tuned("SAMPLE_VOCAB", steps)
shares = weight_on_the_prompt(model, british[:20])
changes = letters_beside_letters(model, british[:20])

# %% tags=["hide-input"]
numbers = {"first": shares[0], "last": shares[-1], "same": changes[0], "later": max(changes)}
claim(changes[0] < 1e-4, "in the first layer the letters look at each other as before", **numbers)
claim(min(changes[1:]) > 100 * changes[0], "in later layers they do not", **numbers)
show_figure(
    draw_reach(shares, changes),
    title="Layer 0: {first:.0f} % of the attention goes to the prompt, and letters look at each other as before",
    alt="Two panels of bars, one bar for each layer of the encoder. Left: the share of attention on the prompt. Right: the "
    "largest change of the letters' attention among themselves, which is zero in layer 0 and up to {later:.2f} later.",
    **numbers,
)
prose(
    "In layer 0 the largest change is {same:.0e}, the rounding of the processor: the formula holds. Later layers do change (up "
    "to {later:.2f}), but only through what layer 0 has added. All heads and layers have to be steered through this one door "
    "([Petrov et al., arXiv 2310.19698](https://arxiv.org/abs/2310.19698), prove what cannot get through it).",
    **numbers,
)
prose(
    "Is it the small number of numbers? Prompt tuning trains {prompt_tuning_trains:,} and leaves {prompt_tuning:.1f} % British "
    "word error. LayerNorm tuning trains {ln_tuning_trains:,} and leaves {ln_tuning:.1f} %, VeRA {vera_trains:,} and "
    "{vera:.1f} %. A few thousand numbers do much, *where* they touch every layer. So it is less the count than the place.",
    **few_numbers_are_not_the_reason(),
)

# %% [markdown]
# ## Experiment: few examples
#
# Prompt tuning is often recommended for few examples: few numbers, so little to overfit. We measure 30, 100 and 300 words
# with equal steps, each technique at its searched rate.

# %%
few_steps = 3 if quick() else 30
amounts = [30] if quick() else [30, 100, 300]
curves = {}
for method in ("prompt_tuning", "bitfit", "lora"):
    trained = [fine_tune(method, fine_tuning_words("british", amount), steps=few_steps)[0] for amount in amounts]
    curves[method] = [british_error(each, british) for each in trained]
alone = british_error(base, british)

# %% tags=["hide-input"]
numbers = {
    "alone": alone,
    "steps": few_steps,
    "fewest": amounts[0],
    "most": amounts[-1],
    **{f"{method}_few": values[0] for method, values in curves.items()},
    **{f"{method}_most": values[-1] for method, values in curves.items()},
    "lora_is": way(curves["lora"][0], curves["lora"][-1], within=0.5),
}
claim(curves["lora"][0] < curves["prompt_tuning"][0] - 1, "LoRA is ahead on the fewest words too", **numbers)
show_figure(
    draw_few(amounts, curves, alone),
    title="On {fewest} words too LoRA is ahead: {lora_few:.1f} %, the prompt {prompt_tuning_few:.1f} %",
    alt="British phoneme error over the number of words, three curves and a dashed line for the base at {alone:.1f} %. On {most} "
    "words: prompt tuning {prompt_tuning_most:.1f} %, BitFit {bitfit_most:.1f} %, LoRA {lora_most:.1f} %.",
    **numbers,
)
said_and_so(
    said="Prompt tuning suits few-shot learning: few examples, little to train.",
    so="Not by itself. On {fewest} words it ends at {prompt_tuning_few:.1f} % phoneme error, on {most} at "
    "{prompt_tuning_most:.1f} %; the untuned base has {alone:.1f} %. BitFit: {bitfit_few:.1f} and {bitfit_most:.1f} %. LoRA has far "
    "more trained numbers and is ahead on the fewest words as well: {lora_few:.1f} and {lora_most:.1f} %. (Its result on {most} words "
    "{lora_is} that on {fewest}: in so few steps each of many words is read less often.) Having little to train "
    "is not what few examples ask for. ({steps} steps, one seed. The paper finds prompt tuning equal to full fine-tuning only "
    "on models of about ten billion parameters: its figure 1.)",
    shown_by="the figure above",
    **numbers,
)

# %% [markdown]
# ## Experiment: the start and the length
#
# `RANDOM` draws from N(0, 1). `SAMPLE_VOCAB` takes the vectors of random tokens: places that the model knows.

# %%
random_model, random_losses = tuned("RANDOM", steps)
table = base.embedding_scale * base.source_embedding.weight.detach()

# %% tags=["hide-input"]
sampled, drawn = british_error(model, british), british_error(random_model, british)
numbers = {
    "steps": steps,
    "random_length": table.shape[1] ** 0.5,
    "shortest": table.norm(dim=1).min().item(),
    "longest": table.norm(dim=1).max().item(),
    "sampled": sampled,
    "drawn": drawn,
    "sampled_loss": losses[-1],
    "drawn_loss": random_losses[-1],
    "is": way(sampled, drawn, within=0.5),
}
show_figure(
    draw_losses({"SAMPLE_VOCAB": losses, "RANDOM": random_losses}),
    title="After {steps} steps a start from N(0, 1) {is} one from the vocabulary: {drawn:.1f} and {sampled:.1f} %",
    alt="The loss over the steps from both starts; it ends at {sampled_loss:.2f} from the vocabulary and at {drawn_loss:.2f} "
    "from random numbers.",
    **numbers,
)
prose(
    "A row of N(0, 1) has a length of about {random_length:.1f}; the scaled rows of the tokens are {shortest:.1f} to "
    "{longest:.1f} long. (British phoneme error on {words} development words, one seed.)",
    words=len(british),
    **numbers,
)
prose(
    "British word error, %, by the number of vectors, on all held-out words, three seeds: at its own rate, and in brackets at that of "
    "the comparison (`python -m lessons.compare.prompt_study`). *In place*: the base's positions are moved back, so that every letter "
    "stands where it stands without a prompt."
)
show_table(lengths_and_starts())
prose(
    "**Position or capacity?** In place is better at no length: with 1, 5 and 10 vectors {place_1:.1f}, {place_5:.1f} and {place_10:.1f} %, "
    "with the letters moved {moved_1:.1f}, {moved_5:.1f} and {moved_10:.1f} % (at the better of the two rates). Nor do more vectors help "
    "much. What is missing is what a vector at the input can do, wherever the letters stand.",
    **position_or_capacity(),
)
prose(
    "The study searched each own rate with one seed, and one seed is little: for five vectors it took {own:g} with {own_error:.1f} %, and "
    "at the comparison's {prompt:g}, searched with two, they leave {equal_error:.1f} %.",
    **{name: value for name, value in rate_of_a_prompt().items() if name not in ("times", "lora")},
)
said_and_so(
    said="Its weakness: the prompt must be designed with care.",
    so="Nobody writes a soft prompt: it is learnt. What has to be chosen is its length, its start and its learning rate: {prompt:g} "
    "here, {times:.0f} times that of LoRA.",
    shown_by="the table above; `lessons/task/learning_rates.json`, made by `python -m lessons search`",
    **{name: value for name, value in rate_of_a_prompt().items() if name in ("prompt", "times")},
)

# %% [markdown]
# ## Experiment: can the learnt rows be read?

# %%
prompt = model.base_model.source_input.layers["default"].prompt_embeddings.detach()
near = torch.nn.functional.cosine_similarity(prompt[:, None], table[None], dim=-1).max(dim=1).values

# %% tags=["hide-input"]
prose(
    "Beside the vectors of all {tokens} tokens, the best cosine of the {rows} learnt rows is {least:.2f} to {most:.2f}; 1 would be "
    "the same direction. They began as tokens, and training moved them away. Even a row with a near word need not mean it "
    "([Khashabi et al., arXiv 2112.08348](https://arxiv.org/abs/2112.08348)).",
    tokens=len(table),
    rows=len(prompt),
    least=near.min().item(),
    most=near.max().item(),
)

# %% [markdown]
# ## What it trains, what it gains, what it costs
#
# | | trains | gain | price |
# |---|---|---|---|
# | prompt tuning | $p\,d$: only the vectors in front | the smallest file of all; the model is untouched; one batch can mix tasks | below other techniques on small models; each layer works on a longer input; takes room from the words ($p$ of `max_length`); moves the words where positions are absolute |
#
# Its neighbours:
#
# | | prompt tuning | prefix tuning ([lesson 20](20_prefix_tuning.ipynb)) | P-Tuning ([lesson 19](19_p_tuning.ipynb)) |
# |---|---|---|---|
# | where | before the first layer | the keys and values of every attention | before the first layer |
# | what is learnt | the vectors | keys and values (through a network) | a network that makes the vectors |
# | takes positions | yes | no (here) | yes |
# | through the norms and projections | yes, like a word | no | yes |

# %% [markdown]
# ## The usual mistakes
#
# - **The prompt before the scaling.** If $E[\text{source}]$ is multiplied by $\sqrt d$, rows taken from the raw matrix are
#   $\sqrt d$ times too short. Here `start` multiplies them.
# - **A mask that does not grow**, or grows on the wrong side
#   ([huggingface/peft#674](https://github.com/huggingface/peft/issues/674),
#   [huggingface/peft#809](https://github.com/huggingface/peft/pull/809)).
# - **Rows that nothing reads.** On an encoder-decoder Hugging Face PEFT makes $2p$ rows and uses the first $p$; the others get no
#   gradient. With `num_transformer_submodules=1` it does what is done here.
# - **Positions added twice**, by giving already embedded words to a model that embeds again (in the code of P-Tuning v2).
# - **The learning rate of LoRA.** It does nearly nothing to a prompt, and "it does not train" is a frequent complaint
#   ([huggingface/peft#2642](https://github.com/huggingface/peft/issues/2642)).
# - **A base that always began at position 0.** Then the prompt has to undo the damage of its own length first. Test the base
#   with moved letters before you blame the technique.
# - **Length.** The prompt counts: `max_length` of this base is 96, so with five prompts a word may have 91 tokens.

# %%
try:
    adapted("prompt_tuning").encode(torch.full((1, 92), tokens.letter_ids["a"]))
except ValueError as error:
    print(error)

# %% [markdown]
# ## Three questions
#
# <details><summary>A letter gives half of its weight to the prompt. Two other letters had three fifths and two fifths. And now?</summary>
#
# Half of each, in the first layer: three tenths and two tenths. Their ratio stays, whatever the prompt is.
#
# </details>
#
# <details><summary>Why does the file hold so few numbers, and training still needs a pass through the whole model?</summary>
#
# The prompt stands at the very beginning. Its gradient comes back through every layer, so all activations are kept.
#
# </details>
#
# <details><summary>Can a prompt be merged into the weights?</summary>
#
# No. It changes no weight; it is an input. What it costs at each use is a longer sequence.
#
# </details>

# %% [markdown]
# ## Exercises

# %%
exercises_of(18)

# %% [markdown]
# ## Summary
#
# - Prompt tuning trains $p$ vectors in front of the words. The mask and the positions have to know of them.
# - Positions decide whether the base survives the prompt. This base was pretrained with a drawn start and does; one that always
#   began at 0 does not.
# - What then limits it is its place: a prompt adds to what the first attention brings, and cannot change which letter looks at
#   which. On a small model it remains far behind what touches every layer.

# %% [markdown]
# ## Where to read on
#
# - Lester, Al-Rfou and Constant, [*The Power of Scale for Parameter-Efficient Prompt Tuning*, arXiv
#   2104.08691](https://arxiv.org/abs/2104.08691)
# - Petrov, Torr and Bibi, [*When Do Prompting and Prefix-Tuning Work?*, arXiv
#   2310.19698](https://arxiv.org/abs/2310.19698): what cannot be reached through the input
# - Raffel et al., [*Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer*, arXiv
#   1910.10683](https://arxiv.org/abs/1910.10683): T5 and its relative positions
# - Vu et al., [*SPoT*, arXiv 2110.07904](https://arxiv.org/abs/2110.07904): prompts that start from other tasks' prompts
# - Next: [lesson 19](19_p_tuning.ipynb), a network that makes the prompt. In the code:
#   [`peft/prompt_tuning.py`](../../peft/prompt_tuning.py)
