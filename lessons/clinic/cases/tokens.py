"""The loss is taken over the wrong tokens."""

from collections.abc import Mapping

import torch
from torch import Tensor

from lessons.clinic.case import Case, Settings
from lessons.clinic.reading import IGNORED
from lessons.clinic.world import World


def both(world: World, sick: object) -> tuple[Settings, Settings]:
    model = world.tuned()
    return {"model": model, "batches": sick}, {"model": model, "batches": world.batches}


def padding(world: World) -> tuple[Settings, Settings]:
    pad = world.tuned().config.pad_id

    def filled(batch: dict[str, Tensor]) -> Tensor:
        if world.causal:
            return torch.where(batch["attention_mask"].bool(), batch["labels"], batch["input_ids"])
        return batch["labels"].masked_fill(batch["labels"] == IGNORED, pad)

    return both(world, world.relabelled(filled))


def unshifted(world: World) -> tuple[Settings, Settings]:
    def read(batch: dict[str, Tensor]) -> Tensor:
        if world.causal:
            return torch.where(batch["labels"] == IGNORED, IGNORED, batch["input_ids"].roll(1, 1))
        return torch.where(batch["labels"] == IGNORED, IGNORED, batch["inputs"])

    return both(world, world.relabelled(read))


def shifted_twice(world: World) -> tuple[Settings, Settings]:
    def later(batch: dict[str, Tensor]) -> Tensor:
        moved = batch["labels"].roll(-1, 1)
        moved[:, -1] = IGNORED
        return torch.where(batch["labels"] == IGNORED, IGNORED, moved)

    return both(world, world.relabelled(later))


def no_end(world: World) -> tuple[Settings, Settings]:
    end = world.tuned().config.eos_id
    return both(world, world.relabelled(lambda batch: batch["labels"].masked_fill(batch["labels"] == end, IGNORED)))


def prompt(world: World) -> tuple[Settings, Settings]:
    def every(batch: dict[str, Tensor]) -> Tensor:
        return torch.where(batch["attention_mask"].bool(), batch["input_ids"], IGNORED)

    return both(world, world.relabelled(every))


def unmasked(world: World) -> tuple[Settings, Settings]:
    """The padding in front is read as text."""
    return both(world, [{**b, "attention_mask": torch.ones_like(b["input_ids"])} for b in world.batches])


class Turns:
    """A tokenizer with a template that marks a turn by a token of its own."""

    def __init__(self, mark: int):
        self.chat_template, self.added_tokens_encoder = "<turn>{{ message }}", {"<turn>": mark}
        self.size = mark + 1

    def __len__(self) -> int:
        return self.size


def untemplated(world: World) -> tuple[Settings, Settings]:
    """SmolLM2's own template where it is at hand; else the last token marks a turn."""
    if world.untemplated:
        given = {"model": world.tuned(), "tokenizer": world.chat}
        return {**given, "batches": world.untemplated}, {**given, "batches": world.batches}
    model = world.tuned()
    mark = model.config.vocab_size - 1
    given = {"model": model, "tokenizer": Turns(mark)}
    plain = [{**b, "input_ids": b["input_ids"].masked_fill(b["input_ids"] == mark, mark - 1)} for b in world.batches]
    return {**given, "batches": plain}, {**given, "batches": [marked(batch, mark) for batch in plain]}


def marked(batch: Mapping[str, Tensor], mark: int) -> dict[str, Tensor]:
    """A mark before each question."""
    front = {"input_ids": mark, "attention_mask": 1, "labels": IGNORED, "answers": 0}
    made = {n: torch.cat([torch.full((len(t), 1), front[n]).to(t), t], dim=1) for n, t in batch.items()}
    first = batch["attention_mask"].argmax(1)  # behind the padding
    for tensor in made.values():
        for row, place in enumerate(first.tolist()):
            tensor[row] = torch.cat([tensor[row, 1 : place + 1], tensor[row, :1], tensor[row, place + 1 :]])
    return made


CASES = (
    Case(
        "template-left-out", 7, "In training it is good, in the chat it rambles.",
        "It learnt plain text, and is asked in the chat template's turns: tokens that training never showed.",
        "Make prompts with the one template (apply_chat_template) in training and in use.",
        ("zai-org/GLM-4#675", "mkupermann/souprise#17"), 30, untemplated, causal=True,
    ),
    Case(
        "loss-over-padding", 7, "The loss falls fast, and the answers do not get better.",
        "Padding is asked for as well, and is easy to guess.",
        "Labels of -100 where there is padding.",
        ("huggingface/trl#4147",), 8, padding,
    ),
    Case(
        "labels-not-shifted", 7, "The loss falls to 0, and the model repeats what it reads.",
        "Each place is asked for the token that it reads.",
        "labels[t] = token t + 1; give a model that shifts by itself the text as it is.",
        ("karpathy/nanochat#20",), 8, unshifted,
    ),
    Case(
        "labels-shifted-twice", 7, "The loss is stuck high; the answers skip every other token.",
        "The labels were shifted by hand, and the model shifts them again.",
        "Shift once.",
        ("NVIDIA-NeMo/Automodel#1336",), 8, shifted_twice,
    ),
    Case(
        "eos-masked", 7, "It answers well and never stops.",
        "The end token carries no loss.",
        "Count the end of each answer among its tokens.",
        ("huggingface/open-r1#517",), 10, no_end,
    ),
    Case(
        "pad-is-eos", 7, "It answers well and never stops.",
        "Padding and end are one token, and all of them were masked as padding.",
        "Mask by attention_mask or by length, never by the token's id.",
        ("huggingface/trl#4147",), 10, no_end, causal=True,
    ),
    Case(
        "loss-over-prompt", 7, "It writes questions of its own after the answer.",
        "The prompt carries loss as well as the answer.",
        "Labels of -100 up to where the answer begins.",
        ("huggingface/trl#3586",), 8, prompt, causal=True,
    ),
    Case(
        "padding-changes-loss", 7, "A row's answer hangs on its neighbours in the batch.",
        "Padding is attended to, or shifts the positions: on the wrong side, or without its mask.",
        "Give the attention mask; pad in front where the model continues text.",
        ("huggingface/trl#3784",), 7, unmasked, causal=True,
    ),
)  # fmt: skip
