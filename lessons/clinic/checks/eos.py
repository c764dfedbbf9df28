"""Is an end among the tokens that carry loss? Where none is, the model never learns to stop."""

from collections.abc import Iterator

import torch

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run


def check(run: Run) -> Iterator[Measurement]:
    if not run.tokens or not run.eos_ids:
        return
    wanted = torch.tensor(run.eos_ids)
    rows = sum(len(reading.labels) for reading in run.batches)
    ends = sum(int((torch.isin(r.labels, wanted) & r.counted).any(dim=1).sum()) for r in run.batches)
    texts = [reading.batch["input_ids"] for reading in run.batches if reading.causal]
    if ends == 0 and texts and not any(bool(torch.isin(ids, wanted).any()) for ids in texts):
        return  # pieces of running text: no row has an end
    name = "pad-is-eos" if run.pad_id in run.eos_ids else "eos-masked"
    says = f"the end token carries loss in {ends} of {rows} rows"
    yield Measurement(name, ends / rows, says, ends == 0, f"token {', '.join(map(str, run.eos_ids))}")
