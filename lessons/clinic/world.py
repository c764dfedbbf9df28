"""Where an illness is made: a base, an adapter that was trained on it, words of the new task and of the old one.

The cases take a world, so that each illness can be made with another technique, in another place, on another size.
"""

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lessons.clinic.reading import IGNORED, logits_of, read, token_losses
from lessons.clinic.updates import updates
from lessons.task.base import load_base
from lessons.task.dictionary import fine_tuning_words, pairs, words
from lessons.task.finetuning import adapter_config, rate_of
from lessons.task.shipped import shipped
from peft import PeftModel, get_peft_model
from transformer.learning.batching import Batch, collate

Example = Mapping[str, Tensor]


@dataclass
class World:
    """`base` and `adapt` make a new one at every call; `folder` holds an adapter that was trained on this base.

    `bare`          as `adapt`, and no rows of tokens are trained beside the adapter
    `chat`          the model's own tokenizer and template, where it has one (speaking.py)
    `untemplated`   the batches without that template
    """

    base: Callable[[], Any]
    adapt: Callable[[nn.Module], PeftModel]
    bare: Callable[[nn.Module], PeftModel]
    folder: Path
    batches: Sequence[Example]
    other: Sequence[Example]
    rate: float
    full_rate: float = 1e-3
    chat: Any = None
    untemplated: Sequence[Example] = ()

    @property
    def causal(self) -> bool:
        return "input_ids" in self.batches[0]

    def tuned(self) -> PeftModel:
        """The base with the trained adapter, in use."""
        with warnings.catch_warnings(action="ignore"):
            return PeftModel.from_pretrained(self.base(), self.folder, check_base=False)

    def fresh(self) -> PeftModel:
        """The base with a new adapter, in training."""
        torch.manual_seed(0)
        return self.adapt(self.base()).train()

    def merged(self, base: Any = None, times: float = 1.0, rows: bool = True) -> nn.Module:
        """A base with `times` the trained adapter's update written into its weights, and its trained rows as they are."""
        model = copy.deepcopy(self.base() if base is None else base)
        paths, found = dict(model.named_modules()), updates(model, self.folder)
        with torch.no_grad():
            for path, update in found.items():
                paths[path].weight += times * update.to(paths[path].weight.dtype)
            for path, own in self.rows_of(model).items() if rows else ():
                paths[path].weight[own.tokens] = own.rows.to(paths[path].weight.dtype)
        return model.eval()

    def rows_of(self, base: nn.Module) -> dict[str, Any]:
        """Path → the rows of tokens that the adapter trained beside its update."""
        with warnings.catch_warnings(action="ignore"):
            tuned = PeftModel.from_pretrained(copy.deepcopy(base), self.folder, check_base=False)
        return dict(next(iter(tuned.adapters.values())).rows_by_path)

    def optimizer(self, model: nn.Module, rate: float | None = None) -> torch.optim.Optimizer:
        """AdamW on what is trainable."""
        return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate or self.rate)

    def train(self, model: Any, batches: Sequence[Example], rate: float, steps: int) -> Any:
        """A few steps over the batches in turn."""
        optimizer, settings = self.optimizer(model, rate), model.config
        model.train()
        for step in range(steps):
            reading = read(batches[step % len(batches)], self.causal, settings.pad_id, settings.eos_id)
            losses = token_losses(logits_of(model, reading, False), reading.labels)
            optimizer.zero_grad()
            (losses.sum() / reading.counted.sum()).backward()
            optimizer.step()
        return model.eval()

    def relabelled(self, change: Callable[[dict[str, Tensor]], Tensor]) -> list[Example]:
        """The batches with other labels."""
        return [{**batch, "labels": change(dict(batch))} for batch in self.batches]


def as_mapping(batch: Batch, pad_id: int) -> Example:
    """The batch with -100 where nothing is asked."""
    labels = batch.labels.masked_fill(batch.labels == pad_id, IGNORED)
    return {"source": batch.source, "inputs": batch.inputs, "labels": labels}


def examples(found: Sequence[Any], pad_id: int, bos_id: int, sizes: Sequence[int]) -> list[Example]:
    """Batches of these many pairs each."""
    batches, start = [], 0
    for size in sizes:
        batches.append(as_mapping(collate(found[start : start + size], pad_id, bos_id), pad_id))
        start += size
    return batches


def pronunciation(method: str = "lora", accent: str = "british") -> World:
    """The shipped base, and the adapter of this technique that learnt British from 1,000 words."""
    british = pairs(accent, sorted(fine_tuning_words(accent)[:120], key=lambda word: len(word) % 5))
    american = pairs("american", words("american", "train", 48))
    return World(
        base=load_base,
        adapt=lambda base: get_peft_model(base, adapter_config(method)),
        bare=lambda base: get_peft_model(base, adapter_config(method, trainable_token_indices=())),
        folder=shipped(method)[accent],
        batches=examples(british, 0, 1, (24, 40)),
        other=examples(american, 0, 1, (48,)),
        rate=rate_of(method),
    )


def in_front(texts: Sequence[tuple[list[int], list[bool]]], pad_id: int) -> Example:
    """Texts for a model that continues them, padded in front; labels where a token is learnt."""
    width = max(len(ids) for ids, _ in texts)
    fronts = [width - len(ids) for ids, _ in texts]
    ids = torch.tensor([[pad_id] * front + ids for front, (ids, _) in zip(fronts, texts, strict=True)])
    answers = torch.tensor([[False] * front + learnt for front, (_, learnt) in zip(fronts, texts, strict=True)])
    mask = torch.tensor([[0] * front + [1] * (width - front) for front in fronts])
    return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(~answers, IGNORED), "answers": answers}
