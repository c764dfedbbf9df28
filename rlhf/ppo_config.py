"""Every number of PPO, with the meaning it has in ppo.py, advantages.py and ppo_loss.py."""

from dataclasses import dataclass

from rlhf.kl import AdaptiveKLController, FixedKLController
from rlhf.run import check_run


@dataclass(frozen=True)
class PPOConfig:
    """`beta` stays, unless there is a `kl_target` (nats per response) for it to seek (kl.py).

    `missing_eos_penalty`   taken from the reward of a response that did not come to its end
    `stop_at`               the `approx_kl` at which the epochs of a step end early
    """

    steps: int
    batch_size: int = 128
    epochs: int = 4
    minibatches: int = 1
    max_new_tokens: int = 24
    temperature: float = 1.0
    beta: float = 0.1
    kl_target: float | None = None
    kl_horizon: int = 10_000
    clip: float = 0.2
    value_clip: float = 0.2
    value_weight: float = 0.1
    gamma: float = 1.0
    lam: float = 0.95
    whiten_rewards: bool = False
    whiten_advantages: bool = True
    missing_eos_penalty: float = 0.0
    stop_at: float | None = None
    learning_rate: float = 1e-3
    adam_epsilon: float = 1e-5
    clip_norm: float = 1.0
    seed: int = 0
    checkpoint_every: int = 20

    def __post_init__(self) -> None:
        check_run(self.steps, self.learning_rate, self.batch_size, self.clip_norm, self.checkpoint_every)
        if self.epochs < 1 or not 1 <= self.minibatches <= self.batch_size:
            raise ValueError(f"epochs {self.epochs} and minibatches {self.minibatches} (of {self.batch_size} rows)")
        if not self.temperature > 0.0:
            raise ValueError(f"temperature must be positive, not {self.temperature}")

    def controller(self) -> FixedKLController | AdaptiveKLController:
        if self.kl_target is None:
            return FixedKLController(self.beta)
        return AdaptiveKLController(self.beta, self.kl_target, self.kl_horizon)
