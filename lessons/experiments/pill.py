"""Lesson 23's measurements: what a shut gate does at the start, two stages against one, and what experts and gates have learnt."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from lessons.experiments.prefix_tuning import british_error, short
from lessons.task.dictionary import fine_tuning_words, pairs, vocabulary
from lessons.task.finetuning import adapted, letter_types, rate_of, training_config
from lessons.task.scoring import evaluate
from lessons.teaching import Values
from peft import PeftModel
from peft.pill import set_stage
from peft.pill_layers import GatedValues, GLUAdapter, RoutedFeedForward
from transformer import train

X = torch.tensor([[[1.0, 3.0]]])
GATE, DOWN, UP = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0], [-1.0]])
VALUE_GATE, VALUES = torch.tensor([[0.5, 0.0]]), (2.0, 4.0)
"""The example by hand: G, D and U of rank 1, the gate W_g of one head, and a token's values."""


def example() -> GLUAdapter:
    """The example's expert."""
    expert = GLUAdapter(d_model=2, rank=1)
    with torch.no_grad():
        for part, value in ((expert.gate, GATE), (expert.down, DOWN), (expert.up, UP)):
            part.weight.copy_(value)
    return expert


def gate_strength() -> float:
    """tanh(W_g x) of the example."""
    return torch.tanh(VALUE_GATE @ X[0, 0]).item()


def american_error(model: Any, american: Sequence[str]) -> float:
    return 100 * evaluate(model, american, "american").phoneme_error


def learn(model: PeftModel, steps: int, seed: int) -> list[float]:
    examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
    return train(model, examples, training_config(steps, rate_of("pill"), seed=seed))


def two_stages_and_one(half: int, british: Sequence[str]) -> Values:
    """`half` steps in stage 1 and as many in stage 2, against all of them in stage 2: losses, errors, numbers trained."""
    two = adapted("pill", stage=1)
    in_stage_1 = two.get_nb_trainable_parameters()[0]
    losses = learn(two, half, seed=0)
    found: Values = {"stage_1": british_error(two, british)}
    set_stage(two, 2)
    found["switch"] = british_error(two, british)
    losses = [*losses, *learn(two, half, seed=1)]
    found["both"] = british_error(two, british)
    one = adapted("pill")
    direct = learn(one, 2 * half, seed=0)
    found["direct"] = british_error(one, british)
    trained = {"in_stage_1": in_stage_1, "in_stage_2": one.get_nb_trainable_parameters()[0]}
    return {**found, **trained, "two": losses, "one": direct}


def parts_of(model: Any, kind: type) -> dict[str, Any]:
    """Path → the adapter's layers of a kind."""
    return {path: layer for path, layer in model.adapters["default"].layers.items() if isinstance(layer, kind)}


def of_words(words: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Words of one length as a batch, and where a vowel stands."""
    tokens = vocabulary()
    sources = torch.tensor([tokens.encode_word(word) for word in words])
    return sources, torch.tensor(letter_types())[sources] > 0


def gates_on_vowels(model: Any, words: Sequence[str]) -> dict[str, tuple[list[float], list[float]]]:
    """Attention → tanh(W_g x) of each head over all vowels: means, and standard deviations."""
    sources, vowel = of_words(words)
    seen: dict[str, Tensor] = {}
    hooks = [
        layer.value_gate.register_forward_hook(lambda module, inputs, output, path=path: seen.__setitem__(path, output))
        for path, layer in parts_of(model, GatedValues).items()
    ]
    with torch.no_grad():
        model(sources, torch.full((len(sources), 1), vocabulary().bos_id))
    for hook in hooks:
        hook.remove()
    return {
        short(path.removesuffix(".v_proj")): (strength[vowel].mean(0).tolist(), strength[vowel].std(0).tolist())
        for path, strength in seen.items()
    }


def pushes(model: Any, words: Sequence[str]) -> dict[bool, float]:
    """How large what the encoder's experts add is, in per cent of the vector that they add to: of consonants, and of vowels."""
    sources, vowel = of_words(words)
    found: dict[bool, list[float]] = {False: [], True: []}

    def watch(layer: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        x = inputs[0]
        change = torch.where(vowel[..., None], layer.experts[1](x), layer.experts[0](x))
        share = 100 * change.norm(dim=-1) / x.norm(dim=-1)
        for kind in (False, True):
            found[kind].append(share[vowel == kind].mean().item())

    routed = parts_of(model, RoutedFeedForward)
    hooks = [layer.register_forward_hook(watch) for path, layer in routed.items() if path.startswith("encoder")]
    with torch.no_grad():
        model.encode(sources)
    for hook in hooks:
        hook.remove()
    return {kind: sum(shares) / len(shares) for kind, shares in found.items()}


@contextmanager
def put_back(model: Any) -> Iterator[None]:
    """Whatever is done to the adapter inside is undone afterwards."""
    kept = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(kept[name])
        for path in parts_of(model, GatedValues):
            model.slot(path).active = ("default",)
