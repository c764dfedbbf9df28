"""Are test examples among those trained on?"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run


def check(run: Run) -> Iterator[Measurement]:
    if not run.held_out or not run.batches:
        return
    seen = {row for reading in run.batches for row in rows(reading)}
    held = [row for reading in run.held_out for row in rows(reading)]
    twice = sum(row in seen for row in held)
    says = f"{twice} of {len(held)} held-out rows are among those trained on"
    yield Measurement("test-in-training", twice / len(held), says, twice > 0)


def rows(reading: object) -> list[tuple[int, ...]]:
    """What is read, without padding: the source, or the text."""
    batch, causal = reading.batch, reading.causal
    ids = batch["input_ids"] if causal else batch["source"]
    drop = 0 if causal else int(batch["pad"][0])
    return [tuple(token for token in row if token != drop) for row in ids.tolist()]
