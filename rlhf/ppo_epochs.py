"""The inner half of PPO: a few epochs on one rollout, and what they did.

    for every epoch, for every minibatch:   ratio, V → L_policy + c L_value (ppo_loss.py) → one update

The rollout's log-probabilities, the advantages and the returns stay as they are; only π and V move.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from peft import PeftModel
from rlhf.kl import kl_estimate
from rlhf.masked import masked_mean
from rlhf.ppo_config import PPOConfig
from rlhf.ppo_loss import ppo_policy_loss, ppo_value_loss
from rlhf.responses import states_and_logits, token_entropy, token_log_probs
from rlhf.rollout import Rollout
from rlhf.run import Record, Run, shuffled


def epochs_on(
    run: Run,
    policy: PeftModel,
    value_head: nn.Module,
    rollout: Rollout,
    advantages: Float[Tensor, "batch time"],
    returns: Float[Tensor, "batch time"],
    generator: torch.Generator,
    config: PPOConfig,
) -> Record:
    """All epochs on one rollout, in shuffled minibatches, each one update; the means of their measurements.

    Ends early, before an update but the first, where `approx_kl` passes `stop_at`.
    """
    records: list[Record] = []
    old_values = values_of(rollout)
    for _ in range(config.epochs):
        for index in shuffled(len(rollout.source), generator).tensor_split(config.minibatches):
            old = rollout.rows(index)
            states, logits = states_and_logits(policy, old.source, old.responses)
            log_probs = token_log_probs(logits, old.responses, config.temperature)
            values = value_head(states)
            policy_loss = ppo_policy_loss(log_probs, old.log_probs, advantages[index], old.mask, config.clip)
            value_loss = ppo_value_loss(values, old_values[index], returns[index], old.mask, config.value_clip)
            moved = change(log_probs.detach(), old.log_probs, old.mask, config.clip)
            if records and config.stop_at is not None and moved["approx_kl"] > config.stop_at:
                return summary(records) | {"explained": explained_variance(old_values, returns, rollout.mask)}
            entropy = float(masked_mean(token_entropy(logits.detach(), config.temperature), old.mask))
            run.descend(policy_loss + config.value_weight * value_loss, config.clip_norm)
            losses = {
                "policy_loss": float(policy_loss.detach()),
                "value_loss": float(value_loss.detach()),
                "entropy": entropy,
            }
            records.append(losses | moved)
    return summary(records) | {"explained": explained_variance(old_values, returns, rollout.mask)}


def change(log_probs: Tensor, old_log_probs: Tensor, mask: Bool[Tensor, "batch time"], clip: float) -> Record:
    """How far the policy has come from that of the rollout, over real tokens. Before the first update: ratio 1, divergence 0."""
    ratio = (log_probs - old_log_probs)[mask].exp()
    return {
        "ratio": float(ratio.mean()),
        "largest_ratio": float(ratio.max()),
        "clipped": float(((ratio - 1.0).abs() > clip).double().mean()),
        "approx_kl": float(masked_mean(kl_estimate(old_log_probs, log_probs, "k3"), mask)),
    }


def summary(records: list[Record]) -> Record:
    """The mean of every measurement over the updates, the largest ratio of all, and how many updates there were."""
    means = {name: sum(record[name] for record in records) / len(records) for name in records[0]}
    return means | {"largest_ratio": max(record["largest_ratio"] for record in records), "updates": len(records)}


def explained_variance(values: Tensor, returns: Tensor, mask: Bool[Tensor, "batch time"]) -> float:
    """1 - Var(R - V) / Var(R): 1 when the value head knew every return, 0 when it knew nothing."""
    known, error = returns[mask], (returns - values)[mask]
    return float(1.0 - error.var(correction=0) / known.var(correction=0).clamp(min=1e-12))


def values_of(rollout: Rollout) -> Float[Tensor, "batch time"]:
    """The values. Raises ValueError for a rollout without them."""
    if rollout.values is None:
        raise ValueError("the rollout has no values: roll_out needs the value head")
    return rollout.values
