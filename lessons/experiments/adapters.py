"""Lesson 17's measurements: how an adapter starts, what each one does, what merges, and what it costs to use."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor, nn

import lessons
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, load, pairs, vocabulary
from lessons.task.finetuning import adapted, rate_of, training_config
from lessons.task.scoring import evaluate
from lessons.teaching import Values, claim, kept_claim, kept_mean, kept_rows
from peft import PeftModel
from peft.bottleneck import Bottleneck
from transformer import train

BRITISH = Path(lessons.__file__).parent / "adapters" / "british"
STYLES = ("adapter_houlsby", "adapter_pfeiffer", "adapter_parallel")
H = torch.tensor([1.0, 2.0, 3.0])
DOWN = torch.tensor([[1.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
UP = torch.tensor([[0.5, 1.0], [0.0, 1.0], [-0.25, 0.0]])
"""The example by hand: d = 3, m = 2, no biases."""


def by_hand() -> Bottleneck:
    tiny = Bottleneck(d_model=3, bottleneck=2, style="pfeiffer")
    with torch.no_grad():
        tiny.down.weight.copy_(DOWN)
        tiny.up.weight.copy_(UP)
    return tiny


def shipped_model(method: str) -> PeftModel:
    """The base with the adapter that was trained on 1,000 British words."""
    return PeftModel.from_pretrained(load_base(), BRITISH / method)


def a_word() -> tuple[Tensor, Tensor]:
    tokens, word = vocabulary(), "laboratory"
    pronunciation = tokens.encode_pronunciation(load("american")[word][0])
    return torch.tensor([tokens.encode_word(word)]), torch.tensor([pronunciation])


def started_at(spread: float) -> PeftModel:
    """Pfeiffer adapters whose matrices start with this standard deviation."""
    torch.manual_seed(0)
    model = adapted("adapter_pfeiffer")
    for module in model.modules():
        if isinstance(module, Bottleneck):
            nn.init.normal_(module.down.weight, std=spread)
            nn.init.normal_(module.up.weight, std=spread)
    return model


def error_untrained(spread: float, american: Sequence[str]) -> float:
    return 100 * evaluate(started_at(spread), american, "american").phoneme_error


def losses_from(spread: float, steps: int) -> list[float]:
    examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
    return train(started_at(spread), examples, training_config(steps, rate_of("adapter_pfeiffer"), seed=0))


def bottlenecks_of(model: nn.Module) -> dict[str, Bottleneck]:
    """The adapters by their layer: "encoder 0" ... "decoder 2"."""
    found = {}
    for path, module in model.named_modules():
        if isinstance(module, Bottleneck):
            found[" ".join(part for part in path.split(".") if part in ("encoder", "decoder") or part.isdigit())] = (
                module
            )
    return found


def lengths(model: nn.Module, british: Sequence[str]) -> dict[str, float]:
    """The length of what each adapter adds, against what it was given, in per cent."""
    found: dict[str, list[float]] = {name: [] for name in bottlenecks_of(model)}

    def measure(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda module, inputs, output: found[name].append(100 * float(output.norm() / inputs[0].norm()))

    hooks = [module.register_forward_hook(measure(name)) for name, module in bottlenecks_of(model).items()]
    evaluate(model, british, "british")
    for hook in hooks:
        hook.remove()
    return {name: mean(values) for name, values in found.items()}


def errors_silenced(model: nn.Module, british: Sequence[str]) -> dict[str, float]:
    """British phoneme error when one adapter adds nothing."""
    errors = {}
    for name, module in bottlenecks_of(model).items():
        hook = module.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
        errors[name] = 100 * evaluate(model, british, "british").phoneme_error
        hook.remove()
    return errors


def merging(method: str) -> str:
    """What the model says when it is asked to merge."""
    try:
        shipped_model(method).merge_and_unload()
    except ValueError as error:
        return str(error)
    return "merged"


def time_ratios(rows: int, repeats: int) -> dict[str, float]:
    """A pass's processor time against the base's, on one thread; of each the least: what comes on top is other work."""
    models: dict[str, nn.Module] = {"base": load_base(), "LoRA beside": shipped_model("lora")}
    models["LoRA merged"] = shipped_model("lora").merge_and_unload().eval()
    models |= {style.removeprefix("adapter_"): shipped_model(style) for style in STYLES}
    source, target = (part.expand(rows, -1) for part in a_word())
    taken: dict[str, list[float]] = {name: [] for name in models}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        for turn in range(repeats + 1):
            for name, model in models.items():
                start = time.process_time()
                model(source, target)
                if turn:  # the first turn warms up
                    taken[name].append(time.process_time() - start)
    torch.set_num_threads(threads)
    return {name: min(times) / min(taken["base"]) for name, times in taken.items()}


@kept_claim
def adapters_beside_full() -> Values:
    """The adapters in the saved comparison: British error and share of numbers, and what becomes of American."""
    british = {name: 100 * kept_mean(name, "british", "phoneme_error") for name in (*STYLES, "full", "lora")}
    american = {name: 100 * kept_mean(name, "american", "phoneme_error") for name in (*STYLES, "full")}
    shares = [kept_rows(name)[0]["trainable_percent"] for name in STYLES]
    values: Values = {
        "least": min(british[name] for name in STYLES),
        "most": max(british[name] for name in STYLES),
        "full": british["full"],
        "fewest": min(shares),
        "largest": max(shares),
        "american": min(american[name] for name in STYLES),
        "american_most": max(american[name] for name in STYLES),
        "american_full": american["full"],
        "off": 100 * kept_rows("adapter_houlsby")[0]["american_disabled"]["phoneme_error"],
        "words": len(fine_tuning_words("british")),
        "seeds": len(kept_rows("adapter_houlsby")),
    }
    claim(values["most"] < values["full"] + 1, "adapters are about as good as full fine-tuning", **values)
    claim(values["american"] > values["american_full"] - 1.5, "American suffers as much as under full", **values)
    return values
