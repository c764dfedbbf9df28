"""Is the learning rate of this technique's order? Below: full fine-tuning's for an adapter. Above: it diverges."""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run

RATES = {"FULL": (1e-7, 8e-3), "LORA": (3e-5, 5e-2), "": (1e-7, 8e-3)}
"""peft_type → the lowest and the highest rate that is not surprising; an order of magnitude around what is used."""
OTHERS = (3e-5, 3.0)
APART = {"LORA": 20}
"""Times the highest that one group of several may have: LoRA+ trains B sixteen times as fast as A."""


def check(run: Run) -> Iterator[Measurement]:
    if run.optimizer is None:
        return
    rates = [group.get("initial_lr", group["lr"]) for group in run.optimizer.param_groups if group["params"]]
    rates = [run.config.learning_rate] if hasattr(run.config, "learning_rate") else rates
    if not rates or max(rates) == 0:
        return
    lowest, highest = RATES.get(run.technique, OTHERS)
    said = f"for {run.technique or 'full fine-tuning'}; usual are {lowest:.0e} to {highest:.0e}"
    yield Measurement("rate-too-low", max(rates), f"a rate of {max(rates):.0e} {said}", max(rates) < lowest)
    one = max(rates) > APART.get(run.technique, 1) * highest
    shown = max(rates) if one else min(rates)
    yield Measurement("rate-too-high", shown, f"a rate of {shown:.0e} {said}", one or shown > highest)
