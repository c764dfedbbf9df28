"""Does the tokenizer fit the matrix of tokens?"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run

LEAST = 0.5
"""Tokens for each row of the model."""


def check(run: Run) -> Iterator[Measurement]:
    if run.tokenizer is None:
        return
    tokenizer = getattr(run.tokenizer, "tokenizer", run.tokenizer)  # lessons/chat keeps it beside its template
    size, rows = size_of(tokenizer), int(run.settings.vocab_size)
    # Published models round their rows up; a tokenizer may have fewer tokens than rows, never more.
    read = max((int(reading.inputs.max()) for reading in run.batches), default=-1)
    says = f"the tokenizer has {size:,} tokens, the model {rows:,} rows"
    if read >= size:
        says += f", and the batches hold token {read:,}"
    yield Measurement("another-tokenizer", size - rows, says, size > rows or size < LEAST * rows or read >= size)


def size_of(tokenizer: object) -> int:
    count = getattr(tokenizer, "get_vocab_size", None)
    return int(count()) if callable(count) else len(tokenizer)
