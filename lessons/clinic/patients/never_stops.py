"""It answers well, and never stops: the labels of a batch of texts."""

import torch
from torch import Tensor

from lessons.clinic.patients.patient import Patient, Run
from lessons.clinic.patients.ward import Ward
from lessons.clinic.reading import IGNORED, token_losses
from lessons.clinic.repairs import never_stops as repair
from transformer import DecoderOnly, TransformerConfig

END, STEPS = 2, 30


def admit(ward: Ward) -> Run:
    """Texts "letters, 1, sounds, end" of one batch, padded with the end on one of the two sides."""
    (batch, *_), left = ward.batches[-1:], ward.draw("left", "right") == "left"
    prompts = [[*row[row != 0].tolist(), 1] for row in batch["source"]]
    answers = [row[row != IGNORED].tolist() for row in batch["labels"]]
    texts = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    width = max(map(len, texts)) + 1
    fronts = [width - len(text) if left else 0 for text in texts]
    rows = [
        [END] * front + text + [END] * (width - front - len(text)) for front, text in zip(fronts, texts, strict=True)
    ]
    real = [
        [0] * front + [1] * len(text) + [0] * (width - front - len(text))
        for front, text in zip(fronts, texts, strict=True)
    ]
    begins = [front + len(prompt) for front, prompt in zip(fronts, prompts, strict=True)]
    return {
        "input_ids": torch.tensor(rows),
        "attention_mask": torch.tensor(real),
        "answer_from": torch.tensor(begins),
    }


def as_found(input_ids: Tensor, attention_mask: Tensor, answer_from: Tensor) -> Tensor:
    pad_token_id = 2
    labels = input_ids.clone()
    labels[labels == pad_token_id] = -100
    return labels


def examine(ward: Ward, run: Run, labels: Tensor) -> dict[str, Tensor]:
    ids, real, begins = run["input_ids"], run["attention_mask"].bool(), run["answer_from"]
    counted, columns = labels != IGNORED, torch.arange(ids.shape[1])
    prompt, ends = real & (columns < begins[:, None]), real & (ids == END)
    return {
        "share of the ends that carry loss": share(counted, ends),
        "share of the answers' tokens that carry loss": share(counted, real & ~prompt),
        "tokens of prompts that carry loss": (counted & prompt).sum(),
        "tokens of padding that carry loss": (counted & ~real).sum(),
        "labels that are not the token of their place": (counted & (labels != ids)).sum(),
        "probability of the end where an answer ends, after some steps": stops(ids, labels, ends),
        "the labels": labels,
        "input_ids afterwards": ids,
    }


def share(counted: Tensor, asked: Tensor) -> Tensor:
    return (counted & asked).sum() / asked.sum()


def stops(ids: Tensor, labels: Tensor, ends: Tensor) -> Tensor:
    """A small language model learns from these labels; the mean probability that it gives the end where an answer ends."""
    numbers = torch.Generator().manual_seed(0)
    shape = TransformerConfig(int(ids.max()) + 1, 16, 2, 0, 1, 24, 0.0, ids.shape[1], norm="pre")
    model = DecoderOnly(shape).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=numbers, dtype=torch.float64))
    asked = torch.where((labels >= 0) & (labels < shape.vocab_size), labels, IGNORED)[:, 1:]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    for _ in range(STEPS if (asked != IGNORED).any() else 0):
        optimizer.zero_grad()
        losses = token_losses(model(ids)[:, :-1].double(), asked)
        (losses.sum() / (asked != IGNORED).sum()).backward()
        optimizer.step()
    with torch.no_grad():
        return model(ids).softmax(-1)[:, :-1, END][ends[:, 1:]].mean()


def treat(input_ids: Tensor, attention_mask: Tensor, answer_from: Tensor) -> Tensor:
    return repair.labels_of(input_ids, attention_mask, answer_from)


PATIENT = Patient(
    "never_stops", "pad-is-eos", "The loss falls, the answers are right, and after them the model goes on and on.",
    admit, as_found, treat, examine,
    hidden=("share of the ends that carry loss", "tokens of prompts that carry loss", "tokens of padding that carry loss", "share of the answers' tokens that carry loss",),
)  # fmt: skip
