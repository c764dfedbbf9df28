"""Does the adapter change the output at all? max |logits with it - logits without it|"""

from collections.abc import Iterator

from lessons.clinic.measurement import Measurement
from lessons.clinic.run import Run


def check(run: Run) -> Iterator[Measurement]:
    if not run.adapted:
        return
    if not run.active:
        yield Measurement("adapter-off", 0, "0 of the model's adapters are switched on", True, ", ".join(names(run)))
        return
    yield Measurement("adapter-off", len(run.active), f"switched on: {', '.join(run.active)}", False)
    if run.batches and run.optimizer is None:  # at the start of training an adapter is the identity, and rightly so
        pairs = zip(run.with_adapter, run.without_adapter, strict=True)
        change = max(float((a - b).abs().nan_to_num().max()) for a, b in pairs)
        yield Measurement(
            "adapter-not-loaded", change, f"the adapter moves the logits by at most {change:.2g}", change == 0
        )


def names(run: Run) -> list[str]:
    configs: dict[str, object] = run.model.peft_config
    return list(configs)
