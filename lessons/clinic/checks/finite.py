"""Are weights and logits finite in the type that is used?"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run


def check(run: Run) -> Iterator[Measurement]:
    if not run.batches:
        return
    bad = sum(int((~logits.isfinite()).sum()) for logits in run.with_adapter)
    every = sum(logits.numel() for logits in run.with_adapter)
    kind = str(run.with_adapter[0].dtype).removeprefix("torch.")
    says = f"{bad:,} of {every:,} logits are NaN or infinite, in {kind}"
    yield Measurement("fp16-overflow", bad / every, says, bad > 0, first_module(run) if bad else "")


def first_module(run: Run) -> str:
    """The first module whose output is not finite. Its hooks are taken off again."""
    found: list[str] = []

    def note(path: str) -> object:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            tensor = output[0] if isinstance(output, tuple) else output
            if isinstance(tensor, Tensor) and tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                found.append(path)

        return hook

    leaves = [(path, module) for path, module in run.model.named_modules() if not list(module.children())]
    handles = [module.register_forward_hook(note(path)) for path, module in leaves]
    try:
        run.logits(run.batches[0])
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else ""
