"""DPO: the loop. Pairs train the policy's adapter; the reference is the same model without it.

    for every step:   pairs → log π of both sides → the loss, against log ref of both sides (dpo_loss.py)

The reference never changes, so it reads all pairs once, before the first step.

Paper     "Direct Preference Optimization" (arXiv 2305.18290)
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from peft import PeftModel
from rlhf.config import PairsConfig, positive
from rlhf.dpo_loss import dpo_loss, ipo_loss
from rlhf.masked import only_real
from rlhf.preferences import Preferences
from rlhf.responses import response_mask, states_and_logits, token_log_probs
from rlhf.rollout import reference, require_adapter
from rlhf.run import OnStep, Record, Run, epoch_rows, epoch_steps


@dataclass(frozen=True, kw_only=True)
class DPOConfig(PairsConfig):
    """The settings of DPO, beside those of every loop over pairs (config.py).

    `loss`              "dpo" or "ipo"
    `beta`              the price of leaving the reference: the larger, the nearer the policy stays
    `label_smoothing`   the share ε of labels that are taken to be wrong, below a half; for "dpo" alone
    """

    loss: Literal["dpo", "ipo"] = "dpo"
    beta: float = 0.1
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(beta=self.beta)
        if self.loss not in ("dpo", "ipo") or (self.loss == "ipo" and self.label_smoothing):
            raise ValueError(f"loss is 'dpo' or 'ipo', not {self.loss!r}; label smoothing belongs to 'dpo'")
        if not 0.0 <= self.label_smoothing < 0.5:
            raise ValueError(f"label_smoothing must lie in [0, 0.5), not {self.label_smoothing}")

    def objective(self, policy: tuple[Tensor, Tensor], reference: tuple[Tensor, Tensor]) -> Float[Tensor, ""]:
        """The loss of (chosen, rejected) log-probabilities of the policy, and of the reference."""
        if self.loss == "ipo":
            return ipo_loss(*policy, *reference, self.beta)
        return dpo_loss(*policy, *reference, self.beta, self.label_smoothing)


def dpo(
    policy: PeftModel,
    preferences: Preferences,
    config: DPOConfig | None = None,
    checkpoint: str | Path | None = None,
    on_step: OnStep | None = None,
) -> list[Record]:
    """Trains the policy's adapter on pairs; returns the measurements of every step.

    loss, accuracy       the share of pairs whose chosen side is further above the reference than the rejected one
    margin               β h, the mean
    chosen_log_ratio     log π(y_c) - log ref(y_c), the mean, in nats; rejected_log_ratio alike

    `checkpoint`         a file that is written now and then, and resumed from if it is there
    `on_step`            is told the number and the measurements of each step

    Raises ValueError for a policy without an active adapter.
    """
    config = config or DPOConfig()
    require_adapter(policy)
    preferences.check_ids(policy.config.vocab_size)
    policy.eval()
    columns = ("loss", "accuracy", "margin", "chosen_log_ratio", "rejected_log_ratio")
    steps = epoch_steps(len(preferences), config.batch_size, config.epochs)
    run = Run({"policy": policy}, {**asdict(config), "steps": steps}, columns, checkpoint, on_step)
    device = preferences.source.device
    known = reference_of(policy, preferences, config.batch_size)
    for step, _ in run.steps():
        rows = epoch_rows(len(preferences), config.batch_size, step, config.seed, device)
        now, before = both_log_probs(policy, preferences.rows(rows)), (known[0][rows], known[1][rows])
        loss = config.objective(now, before)
        run.descend(loss, config.clip_norm)
        run.record({"loss": float(loss.detach())} | compared(now, before, config.beta))
    return run.history


def compared(now: tuple[Tensor, Tensor], before: tuple[Tensor, Tensor], beta: float) -> Record:
    """How far the chosen and the rejected responses have come from the reference."""
    chosen, rejected = ((new - old).detach() for new, old in zip(now, before, strict=True))
    return {
        "accuracy": float((chosen > rejected).double().mean()),
        "margin": float(beta * (chosen - rejected).mean()),
        "chosen_log_ratio": float(chosen.mean()),
        "rejected_log_ratio": float(rejected.mean()),
    }


def reference_of(policy: PeftModel, preferences: Preferences, batch_size: int) -> tuple[Tensor, Tensor]:
    """log ref of the chosen and of the rejected responses of all pairs."""
    rows = torch.arange(len(preferences), device=preferences.source.device).split(batch_size)
    with reference(policy):
        both = [both_log_probs(policy, preferences.rows(some)) for some in rows]
    return torch.cat([chosen for chosen, _ in both]), torch.cat([rejected for _, rejected in both])


def both_log_probs(model: PeftModel, pairs: Preferences) -> tuple[Tensor, Tensor]:
    """log π of the chosen and of the rejected responses, in one pass."""
    totals = response_log_prob(model, *pairs.stacked(model.config.eos_id, model.config.pad_id))
    return totals[: len(pairs)], totals[len(pairs) :]


def response_log_prob(
    model: PeftModel, source: Int[Tensor, "batch source"], responses: Int[Tensor, "batch time"]
) -> Float[Tensor, " batch"]:
    """log π(y | x): the sum over the response's own tokens, its EOS with them and the prompt and padding without."""
    _, logits = states_and_logits(model, source, responses)
    mask = response_mask(responses, model.config.eos_id, model.config.pad_id)
    return only_real(token_log_probs(logits, responses), mask).sum(dim=1)
