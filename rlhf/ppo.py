"""PPO: sample, score, and improve the policy a little on its own samples, at a price for leaving the reference.

    maximize   E_{x, y ~ π} [ r(x, y) ] - β KL(π ‖ ref)            best: π*(y | x) = ref(y | x) · exp(r(x, y) / β) / Z(x)

    for every step:   rollout → r → R_t (advantages.py) → A_t → a few epochs of  L_policy + c L_value  (ppo_loss.py)

Log-probabilities, values and advantages are those of the rollout, computed once and used by all epochs.

Two divergences are reported. `kl` is to the reference, and has a price. `approx_kl` is to the policy of the rollout, a sign of
too large steps; with `stop_at` the step ends when it is passed.

Papers    "Proximal Policy Optimization Algorithms" (1707.06347);
          "Fine-Tuning Language Models from Human Preferences" (1909.08593)
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from jaxtyping import Float, Int
from torch import Tensor, nn

from peft import PeftModel
from rlhf.advantages import gae, token_rewards, whiten
from rlhf.ppo_config import PPOConfig
from rlhf.ppo_update import update, values_of
from rlhf.responses import trimmed
from rlhf.rollout import Judge, Rollout, judged, require_adapter, roll_out
from rlhf.run import OnStep, Record, Run, draw

COLUMNS = (
    *("reward", "kl", "beta", "length", "ended"),
    *("policy_loss", "value_loss", "ratio", "largest_ratio", "clipped", "approx_kl", "entropy", "explained", "updates"),
)


def ppo(
    policy: PeftModel,
    value_head: nn.Module,
    prompts: Int[Tensor, "prompts source"],
    reward: Judge,
    config: PPOConfig,
    measures: Mapping[str, Judge] | None = None,
    checkpoint: str | Path | None = None,
    on_step: OnStep | None = None,
) -> list[Record]:
    """Trains the policy's adapter and the value head; returns the measurements of every step.

    `measures`     more judges, whose mean is recorded under their names and not learnt from
    `checkpoint`   a file that is written now and then, and resumed from if it is there

    Raises ValueError for a policy without an adapter and for a reward that is not one finite number a response.
    """
    require_adapter(policy)
    measures = measures or {}
    columns = (*COLUMNS, *measures)
    run = Run(
        {"policy": policy, "value": value_head}, asdict(config), columns, checkpoint, on_step, config.adam_epsilon
    )
    controller = config.controller()
    if run.history:
        controller.beta = run.history[-1]["beta"]
    for _, generator in run.steps():
        rows = draw(len(prompts), config.batch_size, generator)
        source = trimmed(prompts[rows], policy.config.pad_id)
        rollout = roll_out(policy, source, config.max_new_tokens, config.temperature, generator, value_head)
        scores = judged(reward, rollout)
        ended = (rollout.responses == policy.config.eos_id).any(dim=1)
        paid = scores - config.missing_eos_penalty * (~ended).to(scores.dtype)
        advantages, returns = advantages_of(rollout, paid, controller.beta, config)
        record = update(run, policy, value_head, rollout, advantages, returns, generator, config)
        controller.update(float(rollout.kl), len(source))
        record |= {name: float(judged(judge, rollout, name).mean()) for name, judge in measures.items()}
        record |= {"reward": float(scores.mean()), "kl": float(rollout.kl), "beta": controller.beta}
        run.record({**record, "length": float(rollout.length), "ended": float(ended.double().mean())})
    return run.history


def advantages_of(
    rollout: Rollout, scores: Float[Tensor, " batch"], beta: float, config: PPOConfig
) -> tuple[Float[Tensor, "batch time"], Float[Tensor, "batch time"]]:
    """Advantages and returns of a rollout that has values."""
    rewards = token_rewards(scores, rollout.log_probs, rollout.reference_log_probs, rollout.mask, beta)
    if config.whiten_rewards:
        rewards = whiten(rewards, rollout.mask, shift_mean=False)
    advantages, returns = gae(rewards, values_of(rollout), rollout.mask, config.gamma, config.lam)
    return (whiten(advantages, rollout.mask) if config.whiten_advantages else advantages), returns
