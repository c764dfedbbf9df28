"""PPO: sample, score, and improve the policy a little on its own samples, at a price for leaving the reference.

    maximize   E_{x, y ~ π} [ r(x, y) ] - β KL(π ‖ ref)            best: π*(y | x) = ref(y | x) · exp(r(x, y) / β) / Z(x)

    for every step:   rollout → r (answers.py) → R_t → A_t (advantages.py) → a few epochs of  L_policy + c L_value  (ppo_loss.py)

Log-probabilities, values and advantages are those of the rollout, computed once and used by all epochs.

Two divergences are reported. `kl` is to the reference, and has a price. `approx_kl` is to the policy of the rollout, a sign of
too large steps; with `stop_at` the step ends when it is passed.

Papers    "Proximal Policy Optimization Algorithms" (arXiv 1707.06347);
          "Fine-Tuning Language Models from Human Preferences" (arXiv 1909.08593)
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from jaxtyping import Float, Int
from torch import Tensor, nn

from peft import PeftModel
from rlhf.advantages import gae, token_rewards, whiten
from rlhf.answers import answered
from rlhf.ppo_config import PPOConfig
from rlhf.ppo_epochs import epochs_on, values_of
from rlhf.rollout import Judge, Rollout, require_adapter
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

    `prompts`      of them each step draws its own
    `reward`       the judge that is followed: a reward model, or a rule
    `measures`     more judges, whose mean is recorded under their names and not learnt from
    `checkpoint`, `on_step`   as in `Run`

    reward, length, ended      means over the responses: the judge's score, tokens, the share that came to its end
    kl, beta                   nats per response to the reference, and their price from then on
    policy_loss, value_loss    means over the updates, and so is what follows
    ratio, largest_ratio       π / π_old of a token, its mean and the largest one; clipped: the share outside 1 ± ε
    approx_kl, entropy         nats per token, to the policy of the rollout and of the policy itself
    explained, updates         how much of the returns the value head knew; how many updates were made

    Raises ValueError for a policy without an adapter and for a reward that is not one finite number a response.
    """
    require_adapter(policy)
    measures, trained = measures or {}, {"policy": policy, "value": value_head}
    columns = (*COLUMNS, *measures)
    run = Run(trained, asdict(config), columns, checkpoint, on_step, config.adam_epsilon)
    controller = config.controller()
    if run.history:
        controller.beta = run.history[-1]["beta"]
    for _, generator in run.steps():
        rows = draw(len(prompts), config.batch_size, generator)
        answers = answered(policy, prompts[rows], reward, config, generator, value_head)
        advantages, returns = advantages_of(answers.rollout, answers.paid, controller.beta, config)
        record = epochs_on(run, policy, value_head, answers.rollout, advantages, returns, generator, config)
        controller.update(float(answers.rollout.kl), len(rows))
        run.record(record | answers.measured(measures) | {"beta": controller.beta})
    return run.history


def advantages_of(
    rollout: Rollout, scores: Float[Tensor, " batch"], beta: float, config: PPOConfig
) -> tuple[Float[Tensor, "batch time"], Float[Tensor, "batch time"]]:
    """Advantages and returns (advantages.py) of a rollout that has values, whitened as the config says.

    `scores`   what is paid for each response        `beta`   what each nat of its KL costs
    """
    rewards = token_rewards(scores, rollout.log_probs, rollout.reference_log_probs, rollout.mask, beta)
    if config.whiten_rewards:
        rewards = whiten(rewards, rollout.mask, shift_mean=False)
    advantages, returns = gae(rewards, values_of(rollout), rollout.mask, config.gamma, config.lam)
    return (whiten(advantages, rollout.mask) if config.whiten_advantages else advantages), returns
