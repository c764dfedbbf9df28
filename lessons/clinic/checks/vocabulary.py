"""Does the tokenizer fit the matrix of tokens?"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run


def check(run: Run) -> Iterator[Measurement]:
    if run.tokenizer is None:
        return
    size, rows = size_of(run.tokenizer), int(run.settings.vocab_size)
    # Published models round their rows up; a tokenizer may have fewer tokens than rows, never more.
    says = f"the tokenizer has {size:,} tokens, the model {rows:,} rows"
    yield Measurement("another-tokenizer", size - rows, says, size > rows or size < rows // 2)


def size_of(tokenizer: object) -> int:
    count = getattr(tokenizer, "get_vocab_size", None)
    return int(count()) if callable(count) else len(tokenizer)
