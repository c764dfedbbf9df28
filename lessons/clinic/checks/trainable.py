"""Do the adapter's parameters take gradients, do they get one, and the base none?"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run


def check(run: Run) -> Iterator[Measurement]:
    if run.optimizer is None or not run.adapted or not run.active:
        return
    named = dict(run.model.named_parameters())
    own = {id(p) for p in run.own.values()}
    free = sum(p.numel() for p in run.own.values() if p.requires_grad)
    every = sum(p.numel() for p in run.own.values())
    yield Measurement("adapter-frozen", free, f"{free:,} of the adapter's {every:,} numbers are trainable", free == 0)
    moving = [name for name, p in named.items() if p.requires_grad and id(p) not in own and not asked_for(run, name)]
    count = sum(named[name].numel() for name in moving)
    says = f"{count:,} numbers of the base are trainable beside the adapter"
    yield Measurement("base-not-frozen", count, says, bool(moving), moving[0] if moving else "")
    if free and run.tokens:
        yield gradient(run)


def gradient(run: Run) -> Measurement:
    """A branch that is cut off gets none at all; at the start LoRA's A gets one of zeros, which is no sign."""
    norm = sum(float(gradient.float().square().sum()) for gradient in run.gradients.values()) ** 0.5
    wanted = [name for name, p in run.own.items() if p.requires_grad and ".experts." not in name]
    cut = [name for name in wanted if id(run.own[name]) not in run.gradients]
    says = f"the gradient of all trainable numbers has the length {norm:.2g}"
    if cut and norm:
        says += f", and {len(cut)} of {len(wanted)} tensors get none"
    return Measurement("no-gradient", norm, says, norm == 0 or bool(cut), cut[0] if cut else "")


def asked_for(run: Run, name: str) -> bool:
    """Biases that a LoraConfig of Hugging Face PEFT asks for with bias="all"."""
    return getattr(run.adapter_config, "bias", "none") not in ("none", None) and name.endswith(".bias")
