"""The loss: how surprised the model is by the right token, with a little of the mass kept for all others.

    L = mean over real tokens of  (1 - ε) · (-log p_y) + ε · mean_k (-log p_k)

Papers    label smoothing: "Rethinking the Inception Architecture" (arXiv 1512.00567), section 7; ε = 0.1 in arXiv 1706.03762
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def label_smoothed_cross_entropy(
    logits: Float[Tensor, "batch target vocab"],
    target: Int[Tensor, "batch target"],
    smoothing: float = 0.0,
    pad_id: int = 0,
    never: tuple[int, ...] = (),
    reduction: str = "mean",
) -> Float[Tensor, ""]:
    """The mean (or "sum") over the tokens of `target` that are not `pad_id`.

    `never`   ids that take no part: no probability, no share of the smoothing. Their rows get no gradient from the output.

    Raises ValueError for a smoothing outside [0, 1), an unknown reduction, ids outside the vocabulary, a target that holds
    an id of `never`, or, for the mean, one without a real token.
    """
    check_arguments(logits, target, smoothing, pad_id, never, reduction)
    real = target != pad_id
    excluded = torch.tensor(sorted(set(never)), dtype=torch.long, device=logits.device)
    log_probs = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
    if never:  # the logits of a language model are its largest tensor, and a copy takes its time
        log_probs = log_probs.index_fill(-1, excluded, float("-inf"))
    log_probs = log_probs.log_softmax(dim=-1)
    loss = -log_probs.gather(-1, target.unsqueeze(-1)).squeeze(-1)
    if smoothing > 0.0:
        allowed = logits.shape[-1] - len(excluded)
        uniform = -log_probs.index_fill(-1, excluded, 0.0).sum(dim=-1) / allowed
        loss = (1.0 - smoothing) * loss + smoothing * uniform
    # Padding may name an excluded id, whose loss is infinite: select, never multiply by zero.
    total = torch.where(real, loss, torch.zeros_like(loss)).sum()
    if reduction == "sum":
        return total
    if not real.any():
        raise ValueError(f"the target holds nothing but padding (pad_id {pad_id}): there is no token to predict")
    return total / real.sum()


def check_finite(step: int, loss: Float[Tensor, ""], norm: Float[Tensor, ""]) -> None:
    """Raises ValueError, with the step, for a loss or a norm of its gradient that is NaN or infinite: to be asked before an update."""
    if not math.isfinite(loss + norm):
        raise ValueError(
            f"step {step}: the loss is {float(loss)} and the norm of its gradient {float(norm)}, so no weight was changed. "
            "Take a lower learning rate, or look for NaN in the weights"
        )


def check_arguments(
    logits: Tensor, target: Tensor, smoothing: float, pad_id: int, never: tuple[int, ...], reduction: str
) -> None:
    if not 0.0 <= smoothing < 1.0:
        raise ValueError(f"smoothing is a probability in [0, 1), not {smoothing}")
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction is 'mean' or 'sum', not {reduction!r}")
    if logits.shape[:-1] != target.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and target {tuple(target.shape)} do not belong together")
    vocab = logits.shape[-1]
    for name, ids in (("target", target), ("never", torch.tensor(never))):
        if ids.numel() and (ids.min() < 0 or ids.max() >= vocab):
            raise ValueError(f"{name} holds ids from {ids.min()} to {ids.max()}; the vocabulary is 0..{vocab - 1}")
    if said := sorted(set(never) & set(target[target != pad_id].tolist())) if never else []:
        raise ValueError(f"the target holds {said}, which are said never to occur")
