"""Does the optimizer hold what is trainable?"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run


def check(run: Run) -> Iterator[Measurement]:
    if run.optimizer is None:
        return
    held = {id(p) for group in run.optimizer.param_groups for p in group["params"]}
    trainable = {name: p for name, p in run.model.named_parameters() if p.requires_grad}
    lacking = [name for name, p in trainable.items() if id(p) not in held]
    says = f"the optimizer holds {len(trainable) - len(lacking)} of {len(trainable)} trainable tensors"
    share = len(lacking) / max(1, len(trainable))
    yield Measurement("optimizer-before-adapter", share, says, bool(lacking), lacking[0] if lacking else "")
