"""Is the scale of the update of its usual size? α/r, or α/√r"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run

LOWEST, HIGHEST = 0.15, 32.0
"""α = 16 for a rank of 64 (QLoRA's) is 0.25; rsLoRA's α/√r goes up to some tens."""


def check(run: Run) -> Iterator[Measurement]:
    scales = {path: value for path, module in run.model.named_modules() for value in of(module)}
    if not scales:
        return
    path = min(scales, key=scales.__getitem__)
    low, high = min(scales.values()), max(scales.values())
    says = f"the update is multiplied by {low:.3g}"
    if high > low:
        says = f"the update is multiplied by {low:.3g} to {high:.3g}"
    yield Measurement("alpha-forgotten", low, says, low < LOWEST or high > HIGHEST, path if low < LOWEST else "")


def of(module: object) -> list[float]:
    """A LoRA layer's scales: ours has one, Hugging Face PEFT's one for each adapter."""
    found = getattr(module, "scaling", None) if hasattr(module, "lora_A") else None
    if isinstance(found, dict):
        return [float(value) for value in found.values()]
    return [float(found)] if isinstance(found, int | float) else []
