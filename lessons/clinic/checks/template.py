"""Is the chat template in what is learnt? share of rows that hold none of the tokens with which it marks a turn"""

from collections.abc import Iterator
from typing import Any

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run
from transformer.pretrained.gguf.vocabulary import CONTROL


def check(run: Run) -> Iterator[Measurement]:
    marks = {name: id for name, id in marks_of(run.tokenizer).items() if id not in (*run.eos_ids, run.pad_id)}
    rows = [set(row) for reading in run.batches if reading.causal for row in reading.batch["input_ids"].tolist()]
    if not marks or not rows:
        return
    without = sum(not row & set(marks.values()) for row in rows)
    says = f"{without} of {len(rows)} rows hold none of the template's marks: {', '.join(marks)}"
    yield Measurement("template-left-out", without / len(rows), says, without == len(rows))


def marks_of(tokenizer: Any) -> dict[str, int]:
    """The special tokens that the template writes, of a model of lessons/chat or of a tokenizer of transformers."""
    template = getattr(tokenizer, "template", None)
    if template is not None:
        source, known = template.source, template.vocabulary
        special = {token: id for id, token in enumerate(known.tokens) if known.kinds[id] == CONTROL}
    else:
        source, special = getattr(tokenizer, "chat_template", None), getattr(tokenizer, "added_tokens_encoder", {})
    return {token: id for token, id in special.items() if isinstance(source, str) and token in source}
