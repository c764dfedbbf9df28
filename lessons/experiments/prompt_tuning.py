"""Lesson 18's measurements: what a move of the letters costs, what a prompt can reach, and the saved comparison."""

from collections.abc import Sequence
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from lessons.compare.kept import kept_report
from lessons.task.base import load_base, model_card
from lessons.task.dictionary import fine_tuning_words, pairs, vocabulary
from lessons.task.finetuning import adapter_config, rate_of, training_config
from lessons.task.scoring import evaluate
from lessons.teaching import Values, claim, kept_claim, kept_mean, kept_rows
from peft import PeftModel, get_peft_model
from transformer import Transformer, record_attention, train

TOKENS = ("This", "film", "is", "inspiring", ".", "(padding)")
VECTORS = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]])
MASK = torch.tensor([[[[True, True, True, True, True, False]]]])
PROMPT = torch.tensor([[9.0, 9.0], [8.0, 8.0]])
"""The example by hand: two prompts in front of five tokens and a padding."""


def moved_base(places: int) -> Transformer:
    """The base whose first letter stands at position `places`, without anything in front of it."""
    base = load_base()
    positions: Any = base.source_positions
    positions.table = positions.table.roll(-places, dims=0)
    return base


def errors_moved(places: Sequence[int], american: Sequence[str]) -> dict[int, float]:
    """How far the letters are moved → American phoneme error in per cent."""
    return {place: 100 * evaluate(moved_base(place), american, "american").phoneme_error for place in places}


def tuned(start: str, steps: int, count: int = 1000, length: int = 5) -> tuple[PeftModel, list[float]]:
    """A prompt trained on `count` British words, and the losses."""
    torch.manual_seed(0)
    config = adapter_config("prompt_tuning", prompt_tuning_init=start, num_virtual_tokens=length)
    model = get_peft_model(load_base(), config)
    examples = pairs("british", fine_tuning_words("british", count), all_pronunciations=True)
    return model, train(model, examples, training_config(steps, rate_of("prompt_tuning"), seed=0))


def british_error(model: torch.nn.Module, british: Sequence[str]) -> float:
    return 100 * evaluate(model, british, "british").phoneme_error


def encoder_weights(model: torch.nn.Module, word: str) -> list[Tensor]:
    """Who looks where while the word is read, (heads, query, key) for each layer of the encoder."""
    with torch.no_grad(), record_attention(model) as maps:
        model(torch.tensor([vocabulary().encode_word(word)]), torch.tensor([[vocabulary().bos_id]]))
    return [weights[0][0] for name, weights in maps.items() if "encoder.layers" in name]


def weight_on_the_prompt(model: torch.nn.Module, words: Sequence[str], length: int = 5) -> list[float]:
    """For each layer of the encoder: how much of the letters' attention lies on the prompt, in per cent."""
    shares = [
        [100 * weights[:, length:, :length].sum(-1).mean().item() for weights in encoder_weights(model, word)]
        for word in words
    ]
    return [mean(layer) for layer in zip(*shares, strict=True)]


def letters_beside_letters(model: torch.nn.Module, words: Sequence[str], length: int = 5) -> list[float]:
    """For each layer: the largest change of the letters' attention to each other, once it sums to 1 again."""
    changes = []
    for word in words:
        with_prompt, without = encoder_weights(model, word), encoder_weights(moved_base(length), word)
        again = [weights[:, length:, length:] for weights in with_prompt]
        again = [weights / weights.sum(-1, keepdim=True) for weights in again]
        changes.append([(a - b).abs().max().item() for a, b in zip(again, without, strict=True)])
    return [max(layer) for layer in zip(*changes, strict=True)]


def way(before: float, after: float, within: float) -> str:
    """Which way an error went; what is within the spread of the seeds went nowhere."""
    if abs(after - before) <= within:
        return "is level with"
    return "is better than" if after < before else "is worse than"


def spread(method: str) -> float:
    """Half of the way between the best and the worst seed's British word error."""
    errors = [100 * row["british"]["word_error"] for row in kept_rows(method)]
    return (max(errors) - min(errors)) / 2


@kept_claim
def the_move_costs_nothing() -> Values:
    """The base's model card: American words with the letters where they were, and moved."""
    card = model_card()
    moved = {place: 100 * found["word_error"] for place, found in card["american_moved"].items()}
    values = {
        "unmoved": 100 * card["held_out"]["american"]["word_error"],
        "least": min(moved.values()),
        "most": max(moved.values()),
        "words": card["held_out"]["american"]["words"],
        "furthest": card["training"]["first_position"],
    }
    claim(values["most"] < 1.1 * values["unmoved"], "letters moved by 5, 10, 15 places cost nothing", **values)
    return values


@kept_claim
def prompts_in_the_comparison() -> Values:
    """Prompt tuning and P-Tuning beside the base that they were put on, and beside LoRA, in the saved comparison."""
    before = 100 * kept_report()["base"]["british"]["word_error"]
    values: Values = {"before": before, "lora": 100 * kept_mean("lora", "british", "word_error")}
    for name in ("prompt_tuning", "p_tuning"):
        error = 100 * kept_mean(name, "british", "word_error")
        values |= {name: error, f"{name}_is": way(before, error, spread(name)), f"{name}_spread": spread(name)}
    values["prompt_american"] = 100 * kept_mean("prompt_tuning", "american", "word_error")
    values["seeds"] = len(kept_rows("prompt_tuning"))
    claim(
        values["lora"] < min(values["prompt_tuning"], values["p_tuning"]) - 10,
        "LoRA is far ahead of both",
        lora=values["lora"],
    )
    return values


@kept_claim
def few_numbers_are_not_the_reason() -> Values:
    """Techniques that train few numbers elsewhere in the network, in the saved comparison."""
    names = ("prompt_tuning", "ln_tuning", "vera")
    values: Values = {name: 100 * kept_mean(name, "british", "word_error") for name in names}
    values |= {f"{name}_trains": kept_rows(name)[0]["trainable_parameters"] for name in names}
    claim(values["ln_tuning_trains"] < 8 * values["prompt_tuning_trains"], "few numbers as well", **values)
    claim(values["ln_tuning"] < values["prompt_tuning"] - 10, "far better with few numbers elsewhere", **values)
    return values
