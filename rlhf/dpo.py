"""DPO: preferences straight into the policy, without a reward model and without sampling.

    h = [log π(y_c) - log ref(y_c)] - [log π(y_r) - log ref(y_r)]         log π(y) = Σ_t log π(y_t): a sum, not a mean
    DPO    L = -log σ(β h)                               π* ∝ ref · exp(r / β), solved for r and put into Bradley-Terry
    cDPO   L = -(1 - ε) log σ(β h) - ε log σ(-β h)       a share ε of the labels is wrong
    IPO    L = (h - 1 / (2β))²                           a margin to reach and not to pass, so that sure pairs do not run away

β (log π(y) - log ref(y)) is the reward that the policy has learnt. Both log-probabilities may fall while the margin grows:
only the difference is asked for.

Papers    "Direct Preference Optimization" (2305.18290); IPO: "A General Theoretical Paradigm ..." (2310.12036)
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from peft import PeftModel
from rlhf.masked import only_real
from rlhf.preferences import Preferences
from rlhf.responses import response_mask, states_and_logits, token_log_probs
from rlhf.rollout import reference, require_adapter
from rlhf.run import OnStep, Record, Run, check_run, epoch_rows, epoch_steps


def dpo_loss(
    policy_chosen: Float[Tensor, " batch"],
    policy_rejected: Float[Tensor, " batch"],
    reference_chosen: Float[Tensor, " batch"],
    reference_rejected: Float[Tensor, " batch"],
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """ln 2 when the policy is the reference."""
    margin = beta * ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected))
    return -((1.0 - label_smoothing) * F.logsigmoid(margin) + label_smoothing * F.logsigmoid(-margin)).mean()


def ipo_loss(
    policy_chosen: Float[Tensor, " batch"],
    policy_rejected: Float[Tensor, " batch"],
    reference_chosen: Float[Tensor, " batch"],
    reference_rejected: Float[Tensor, " batch"],
    beta: float = 0.1,
) -> Float[Tensor, ""]:
    margin = (policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)
    return (margin - 1.0 / (2.0 * beta)).square().mean()


@dataclass(frozen=True)
class DPOConfig:
    """`label_smoothing` belongs to "dpo" alone."""

    epochs: int = 1
    batch_size: int = 64
    loss: Literal["dpo", "ipo"] = "dpo"
    beta: float = 0.1
    label_smoothing: float = 0.0
    learning_rate: float = 1e-3
    clip_norm: float = 1.0
    seed: int = 0
    checkpoint_every: int = 100

    def __post_init__(self) -> None:
        check_run(self.epochs, self.learning_rate, self.batch_size, self.clip_norm, self.checkpoint_every)
        if self.loss not in ("dpo", "ipo") or (self.loss == "ipo" and self.label_smoothing):
            raise ValueError(f"loss is 'dpo' or 'ipo', not {self.loss!r}; label smoothing belongs to 'dpo'")
        if not self.beta > 0.0 or not 0.0 <= self.label_smoothing < 0.5:
            raise ValueError(f"beta {self.beta} must be positive, label_smoothing {self.label_smoothing} in [0, 0.5)")

    def objective(self, policy: tuple[Tensor, Tensor], reference: tuple[Tensor, Tensor]) -> Float[Tensor, ""]:
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

    The reference is read once, before the first step: it never changes.
    """
    config = config or DPOConfig()
    require_adapter(policy)
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
        run.update(loss, config.clip_norm)
        chosen, rejected = ((new - old).detach() for new, old in zip(now, before, strict=True))
        run.record(
            {
                "loss": float(loss.detach()),
                "accuracy": float((chosen > rejected).double().mean()),
                "margin": float(config.beta * (chosen - rejected).mean()),
                "chosen_log_ratio": float(chosen.mean()),
                "rejected_log_ratio": float(rejected.mean()),
            }
        )
    return run.history


def reference_of(policy: PeftModel, preferences: Preferences, batch_size: int) -> tuple[Tensor, Tensor]:
    rows = torch.arange(len(preferences), device=preferences.source.device).split(batch_size)
    with reference(policy):
        both = [both_log_probs(policy, preferences.rows(some)) for some in rows]
    return torch.cat([chosen for chosen, _ in both]), torch.cat([rejected for _, rejected in both])


def both_log_probs(model: PeftModel, pairs: Preferences) -> tuple[Tensor, Tensor]:
    """log π of the chosen and of the rejected responses, in one pass."""
    totals = response_log_prob(model, *pairs.stacked(model.config.pad_id))
    return totals[: len(pairs)], totals[len(pairs) :]


def response_log_prob(
    model: PeftModel, source: Int[Tensor, "batch source"], responses: Int[Tensor, "batch time"]
) -> Float[Tensor, " batch"]:
    """log π(y | x): the sum over the response's own tokens, its EOS with them and the prompt and padding without."""
    _, logits = states_and_logits(model, source, responses)
    mask = response_mask(responses, model.config.eos_id, model.config.pad_id)
    return only_real(token_log_probs(logits, responses), mask).sum(dim=1)
