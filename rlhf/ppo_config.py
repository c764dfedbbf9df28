"""Every number of PPO, with the meaning it has in ppo.py, advantages.py and ppo_loss.py."""

from dataclasses import dataclass

from rlhf.config import SamplingConfig, at_least, not_negative, positive
from rlhf.kl import AdaptiveKLController, FixedKLController


@dataclass(frozen=True, kw_only=True)
class PPOConfig(SamplingConfig):
    """The settings of PPO, beside those of every sampling loop (config.py).

    `batch_size`          prompts of a step, with one response to each
    `minibatches`         parts that an epoch is cut into; each is one update
    `beta`                the price of a nat of KL to the reference
    `kl_target`           nats per response that β seeks (kl.py); without it β stays
    `kl_horizon`          responses over which β may change by a fifth; more than a fifth of `batch_size`
    `value_clip`          how far a value may go from the rollout's and still be rewarded
    `value_weight`        c, the weight of the value loss beside the policy's
    `gamma`, `lam`        γ and λ of the advantages
    `whiten_rewards`      gives the tokens' rewards deviation 1; their mean stays
    `whiten_advantages`   gives the advantages mean 0 and deviation 1
    `stop_at`             the `approx_kl` at which the epochs of a step end early
    `adam_epsilon`        Adam's ε, as TensorFlow adds it (run.py)
    """

    epochs: int = 4
    batch_size: int = 128
    minibatches: int = 1
    beta: float = 0.1
    kl_target: float | None = None
    kl_horizon: int = 10_000
    value_clip: float = 0.2
    value_weight: float = 0.1
    gamma: float = 1.0
    lam: float = 0.95
    whiten_rewards: bool = False
    whiten_advantages: bool = True
    stop_at: float | None = None
    adam_epsilon: float = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.minibatches <= self.batch_size:
            raise ValueError(f"minibatches {self.minibatches} must lie between 1 and batch_size {self.batch_size}")
        positive(value_clip=self.value_clip, adam_epsilon=self.adam_epsilon)
        not_negative(beta=self.beta, value_weight=self.value_weight)
        at_least(1, kl_horizon=self.kl_horizon)
        positive(**{name: getattr(self, name) for name in ("kl_target", "stop_at") if getattr(self, name) is not None})
        if self.kl_target is not None:
            positive(beta=self.beta)
            if self.batch_size >= 5 * self.kl_horizon:
                raise ValueError(f"batch_size {self.batch_size} must be below five times kl_horizon {self.kl_horizon}")
        for name, share in (("gamma", self.gamma), ("lam", self.lam)):
            if not 0.0 <= share <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], not {share}")

    def controller(self) -> FixedKLController | AdaptiveKLController:
        """Who sets β: nobody, or the target."""
        if self.kl_target is None:
            return FixedKLController(self.beta)
        return AdaptiveKLController(self.beta, self.kl_target, self.kl_horizon)
