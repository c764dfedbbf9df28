"""Is the end among the tokens that carry loss? Where it is not, the model never learns to stop."""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run


def check(run: Run) -> Iterator[Measurement]:
    if not run.tokens or run.eos_id < 0:
        return
    rows = sum(len(reading.labels) for reading in run.batches)
    ends = sum(int(((r.labels == run.eos_id) & r.counted).any(dim=1).sum()) for r in run.batches)
    texts = [reading.batch["input_ids"] for reading in run.batches if reading.causal]
    if ends == 0 and texts and not any(bool((ids == run.eos_id).any()) for ids in texts):
        return  # pieces of running text: no row has an end
    name = "pad-is-eos" if run.eos_id == run.pad_id else "eos-masked"
    says = f"the end token carries loss in {ends} of {rows} rows"
    yield Measurement(name, ends / rows, says, ends == 0, f"token {run.eos_id}")
