"""Lesson 20's measurements: a prefix as a mixture, who looks at it, where it works, and prefixes that nobody trained."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, load, pairs, vocabulary
from lessons.task.finetuning import adapter_config, training_config
from lessons.task.scoring import evaluate
from peft import PeftModel, PTuningV2Config, get_peft_model
from peft.prefix_tuning import PrefixAttend
from transformer import Transformer, record_attention, train
from transformer.attention import scaled_dot_product_attention

QUERY = torch.zeros(1, 1, 1, 1)
KEYS, VALUES = torch.tensor([[[[5.0], [-2.0]]]]), torch.tensor([[[[0.0], [3.0]]]])
PREFIX = torch.tensor([[7.0, 6.0]])
"""The example by hand: one feature, two words, and a prefix [P_K, P_V] of one pair."""

Rows = dict[str, Tensor]
"""The path of an attention → its [P_K, P_V]."""


def prefixes_of(model: Any, name: str = "default") -> dict[str, PrefixAttend]:
    """Path → the attention's core with its prefix."""
    return {path: part for path, part in model.adapters[name].layers.items() if isinstance(part, PrefixAttend)}


def one_pair(word: str) -> tuple[Tensor, Tensor]:
    """A batch of one: the letters of a word, and its first British pronunciation."""
    tokens = vocabulary()
    return torch.tensor([tokens.encode_word(word)]), torch.tensor(
        [tokens.encode_pronunciation(load("british")[word][0])]
    )


def mixture(part: PrefixAttend, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """λ · what the prefix alone gives + (1 - λ) · what the words alone give, without putting one before the other."""
    heads, d_head = key.shape[1], key.shape[-1]
    own = part.rows().reshape(-1, 2, heads, d_head).permute(1, 2, 0, 3)[:, None]
    of_prefix, _ = scaled_dot_product_attention(query, own[0], own[1])
    of_words, _ = scaled_dot_product_attention(query, key, value, mask)
    on_prefix = (query @ own[0].transpose(-2, -1) / d_head**0.5).exp().sum(-1, keepdim=True)
    scores = (query @ key.transpose(-2, -1) / d_head**0.5).exp()
    on_words = (scores if mask is None else scores * mask).sum(-1, keepdim=True)
    share = on_prefix / (on_prefix + on_words)
    return share * of_prefix + (1 - share) * of_words


def mixture_error(model: PeftModel, word: str) -> float:
    """The largest difference between an attention with its prefix and the mixture, over all attentions of one pass."""
    differences: list[float] = []

    def compare(part: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        differences.append((mixture(part, *inputs) - output).abs().max().item())

    hooks = [part.register_forward_hook(compare) for part in prefixes_of(model).values()]
    with torch.no_grad():
        model(*one_pair(word))
    for hook in hooks:
        hook.remove()
    return max(differences)


def shares_by_head(model: PeftModel, words: Sequence[str], prompt: int) -> dict[str, list[float]]:
    """Attention → λ of each head, the mean over all queries of many words."""
    with torch.no_grad(), record_attention(model) as maps:
        for word in words:
            model(*one_pair(word))
    shares = {
        path: torch.stack([weights[0, :, :, :prompt].sum(-1).mean(-1) for weights in recorded]).mean(0).tolist()
        for path, recorded in maps.items()
    }
    return {short(path): share for path, share in shares.items()}


def short(path: str) -> str:
    """encoder.layers.0.self_attention as "encoder 0 self"."""
    for before, after in (("base_model.", ""), (".layers.", " "), ("_attention", ""), (".attend", ""), (".", " ")):
        path = path.replace(before, after)
    return path


def british_error(model: nn.Module, british: Sequence[str]) -> float:
    return 100 * evaluate(model, british, "british").phoneme_error


def errors_with(
    model: PeftModel, places: Mapping[str, Callable[[str], bool]], british: Sequence[str]
) -> dict[str, float]:
    """British error in per cent where only some of the trained prefixes take part; the others are switched off."""
    found = {}
    for name, takes_part in places.items():
        for path in prefixes_of(model):
            model.slot(path).active = ("default",) if takes_part(path) else ()  # as `set_adapter` sets all of them
        found[name] = british_error(model, british)
    for path in prefixes_of(model):
        model.slot(path).active = ("default",)
    return found


@torch.no_grad()
def keys_and_values(base: Transformer, word: str) -> Rows:
    """[K, V] that each attention of the base computes on this word and its British pronunciation: (letters or sounds, 2 d)."""
    kept: Rows = {}
    hooks = [
        module.register_forward_hook(lambda module, inputs, output, path=path: kept.__setitem__(path, output[0]))
        for path, module in base.named_modules()
        if path.endswith(("k_proj", "v_proj"))
    ]
    base(*one_pair(word))
    for hook in hooks:
        hook.remove()
    places = [path.removesuffix(".k_proj") for path in kept if path.endswith("k_proj")]
    return {f"{path}.attend": torch.cat([kept[f"{path}.k_proj"], kept[f"{path}.v_proj"]], dim=1) for path in places}


def with_prefixes(rows: Rows) -> PeftModel:
    """The base with these keys and values in front, as they are."""
    made = get_peft_model(load_base(), PTuningV2Config(num_virtual_tokens=10))
    for path, part in prefixes_of(made).items():
        part.prefix = nn.Parameter(rows[path].clone())
    return made.eval()


def trained_from(rows: Rows | None, length: int, rate: float, steps: int) -> tuple[PeftModel, list[float]]:
    """Free keys and values, trained from these rows, or from N(0, 1); and the losses."""
    torch.manual_seed(0)
    model = get_peft_model(load_base(), adapter_config("p_tuning_v2", num_virtual_tokens=length))
    for path, part in prefixes_of(model).items():
        if rows is not None:
            part.prefix = nn.Parameter(rows[path].clone())
    examples = pairs("british", fine_tuning_words("british"), all_pronunciations=True)
    return model, train(model, examples, training_config(steps, rate, seed=0))
