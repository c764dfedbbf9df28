"""Lesson 21's measurements: the room that virtual tokens take, how far one layer's prefix carries, and where they are worth most."""

from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lessons.experiments.lora_relatives import kept_adapter
from lessons.experiments.prefix_tuning import british_error, one_pair, prefixes_of
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, pairs, vocabulary
from lessons.task.finetuning import adapted, rate_of, training_config
from lessons.teaching import Values
from peft import PeftModel, PrefixTuningConfig, PromptTuningConfig, PTuningV2Config, drop_encoders, get_peft_model
from transformer import train
from transformer.attention import scaled_dot_product_attention

KEYS, VALUES = torch.tensor([[0.0], [1.0]]), torch.tensor([[10.0], [4.0]])
QUERIES = {"0": 1.0, "ln 3": 3.0, "-ln 3": 1 / 3}
"""The example by hand: a free pair (0, 10) in front of a word (1, 4), and three queries by their exponential."""

Part = Callable[[str], bool]


def by_hand() -> tuple[list[float], list[float]]:
    """λ and the output for each of the three queries."""
    queries = torch.tensor(list(QUERIES.values())).log()[:, None]
    output, weights = scaled_dot_product_attention(queries, KEYS, VALUES)
    return weights[:, 0].tolist(), output[:, 0].tolist()


def without_its_network(prompt: int = 20) -> float:
    """Prefix tuning's network is dropped, what is left becomes P-Tuning v2's: how far the logits of both are apart."""
    source, target = one_pair("schedule")
    config = PrefixTuningConfig(num_virtual_tokens=prompt, encoder_hidden_size=64)
    network = get_peft_model(load_base(), config).eval()
    free = get_peft_model(load_base(), PTuningV2Config(num_virtual_tokens=prompt)).eval()
    with torch.no_grad():
        made = network(source, target)
        drop_encoders(network)
        for path, part in prefixes_of(free).items():
            part.load(prefixes_of(network)[path].saved())
        return (free(source, target) - made).abs().max().item()


def longest_word(config: PromptTuningConfig | PTuningV2Config) -> int:
    """How many letters a word may have on the base with this adapter; 0 where not even the adapter can be made."""
    try:
        model = get_peft_model(load_base(), config).eval()
    except ValueError:
        return 0
    word = torch.full((1, model.config.max_length), vocabulary().letter_ids["a"])
    return next((length for length in range(word.shape[1] - 1, 0, -1) if fits(model, word[:, : length + 1])), 0)


def fits(model: PeftModel, source: Tensor) -> bool:
    try:
        with torch.no_grad():
            model.encode(source)
    except ValueError:
        return False
    return True


def states(model: Any, sources: Tensor) -> list[Tensor]:
    """The encoder's vectors of the letters after each layer; a prompt's own are left out."""
    seen: list[Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda module, inputs, output: seen.append(output[:, -sources.shape[1] :]))
        for layer in model.encoder.layers
    ]
    with torch.no_grad():
        model.encode(sources)
    for hook in hooks:
        hook.remove()
    return seen


def moved_by(after: Sequence[Tensor], before: Sequence[Tensor]) -> list[float]:
    """After each layer: how far the vectors moved, in per cent of their length."""
    return [100 * ((a - b).norm() / b.norm()).item() for a, b in zip(after, before, strict=True)]


def carried(model: PeftModel, parts: Mapping[str, Part], sources: Tensor) -> dict[str, list[float]]:
    """Which prefixes take part → how far they move the encoder's vectors, layer by layer."""
    plain, found = states(load_base(), sources), {}
    for name, takes_part in parts.items():
        for path in prefixes_of(model):
            model.slot(path).active = ("default",) if takes_part(path) else ()
        found[name] = moved_by(states(model, sources), plain)
    return found


def arrival_of_a_push(sources: Tensor, seeds: int, share: float = 0.01) -> list[list[float]]:
    """For each layer the moves in per cent when every number of a trained prompt is pushed, in random directions."""
    model: Any = kept_adapter("prompt_tuning")
    prompt = model.base_model.source_input.layers["default"].prompt_embeddings
    before, kept = states(model, sources), prompt.detach().clone()
    moves = []
    for seed in range(seeds):
        direction = torch.randn(kept.shape, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            prompt.copy_(kept + share * kept.norm() * F.normalize(direction.flatten(), dim=0).view_as(kept))
        moves.append(moved_by(states(model, sources), before))
    return [list(layer) for layer in zip(*moves, strict=True)]


def trained(method: str, steps: int, british: Sequence[str], layer: int | None = None, **changes: Any) -> Values:
    """British error and losses after `steps`. With `layer` only that layer's prefixes, in both stacks, take part and learn."""
    model = adapted(method, **changes)
    for path, part in prefixes_of(model).items():
        if layer is not None and f".layers.{layer}." not in path:
            model.slot(path).active = ()
            part.requires_grad_(False)
    examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
    losses = train(model, examples, training_config(steps, rate_of(method), seed=0))
    numbers = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return {"error": british_error(model, british), "losses": losses, "trained": numbers, "end": mean(losses[-5:])}
