"""Which tokens carry loss: any, padding, the prompt?"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run


def check(run: Run) -> Iterator[Measurement]:
    places = sum(reading.labels.numel() for reading in run.batches)
    if not places:
        return
    empty = [index for index, reading in enumerate(run.batches) if not bool(reading.counted.any())]
    says = f"{run.tokens:,} of {places:,} places are asked for a token"
    if empty and run.tokens:
        says += f", and none in {len(empty)} of {len(run.batches)} batches"
    yield Measurement("mask-of-zeros", run.tokens, says, bool(empty), f"batch {empty[0] + 1}" if empty else "")
    if not run.tokens:
        return
    padding = sum(int((reading.counted & ~reading.real).sum()) for reading in run.batches)
    says = f"{padding:,} of the {run.tokens:,} tokens that carry loss are padding"
    yield Measurement("loss-over-padding", padding / run.tokens, says, padding > 0)
    if all(reading.answers is not None for reading in run.batches):
        prompt = sum(int((r.counted & r.real & ~r.answers).sum()) for r in run.batches if r.answers is not None)
        says = f"{prompt:,} of the {run.tokens:,} tokens that carry loss are of the prompt"
        yield Measurement("loss-over-prompt", prompt / run.tokens, says, prompt > 0)
