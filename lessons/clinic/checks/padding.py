"""Do padding and neighbours change the loss of a row?"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.reading import token_losses
from lessons.clinic.run import Run

MOST = 0.02
"""Nats per token. Rounding in fp32 is a thousandth of it; in bf16 up to about this."""
ROWS = 3
VIRTUAL = ("PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING")
POSITIONS = ("wpe", "embed_positions", "position_embeddings")
"""Tables of learned positions in models of transformers. Beside virtual tokens Hugging Face PEFT drops `position_ids`: a row
that is padded in front stands at other positions there, whatever the run does."""


def check(run: Run) -> Iterator[Measurement]:
    if positions_are_counted_from_the_front(run):
        return
    worst = 0.0
    for reading, logits in zip(run.batches[:1], run.with_adapter, strict=False):
        padded = (~reading.real).any(dim=1) | reading.causal
        for index in [i for i in range(len(reading.labels)) if padded[i] and reading.counted[i].any()][:ROWS]:
            alone = reading.row(index, -1 if run.pad_id == run.bos_id else run.pad_id)
            asked, many = (reading.counted & reading.real)[index], int(alone.counted.sum())
            if many == 0 or int(asked.sum()) - many not in (0, 1):
                continue  # one more: a text's first token is asked for where padding in front is read
            inside = token_losses(logits, reading.labels)[index][asked][-many:].sum()
            outside = token_losses(run.logits(alone), alone.labels).sum()
            worst = max(worst, float((inside - outside).abs() / many))
    if run.batches and run.tokens:
        says = f"a row's loss differs by up to {worst:.2g} nats a token from that of the row alone"
        yield Measurement("padding-changes-loss", worst, says, worst > MOST)


def positions_are_counted_from_the_front(run: Run) -> bool:
    """Whether a table of positions, virtual tokens and padding in front meet in a model of transformers."""
    in_front = any(reading.causal and not bool(reading.real[:, 0].all()) for reading in run.batches[:1])
    has_table = any(path.rpartition(".")[2] in POSITIONS for path, _ in run.model.named_modules())
    return run.theirs and run.technique in VIRTUAL and in_front and has_table
