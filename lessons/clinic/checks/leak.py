"""Are test examples among those trained on?"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.reading import Reading
from lessons.clinic.run import Run

FEWEST = 2
"""Tokens before the answer: a single one, a begin token for instance, is no question."""


def check(run: Run) -> Iterator[Measurement]:
    if not run.held_out or not run.batches:
        return
    seen = {row for reading in run.batches for row in rows(reading)}
    held = [row for reading in run.held_out for row in rows(reading)]
    twice = sum(row in seen for row in held)
    says = f"{twice} of {len(held)} held-out rows are among those trained on"
    yield Measurement("test-in-training", twice / len(held), says, twice > 0)


def rows(reading: Reading) -> list[tuple[int, ...]]:
    """What is read, without padding: the source; of a text what stands before its answer, or all of it where no answer is."""
    if not reading.causal:
        drop = int(reading.batch["pad"][0])
        return [tuple(token for token in row if token != drop) for row in reading.batch["source"].tolist()]
    found, ids = [], reading.batch["input_ids"]
    for row, real, counted in zip(ids, Reading.attended(reading.batch), reading.counted, strict=True):
        asked = counted.nonzero()
        first = 1 + int(asked[0]) if len(asked) else len(row)  # `counted` begins with the second token
        question = row[:first][real[:first]]
        found.append(tuple((question if len(question) >= FEWEST else row[real]).tolist()))
    return found
