"""What the settings of the four loops have in common.

RunConfig            every loop: Adam and its rate, the seed, the file to go on from
  SamplingConfig     a loop that samples responses and has them judged: PPO, GRPO
  PairsConfig        a loop that reads pairs: DPO, the reward model
"""

from dataclasses import KW_ONLY, dataclass

from transformer.fields import check_fields


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The settings of every loop. Raises ValueError for what cannot be, and so do its heirs.

    `learning_rate`      Adam's, at the first step; it falls linearly to 0 (run.py)
    `clip_norm`          a gradient that is longer is shortened to this length
    `seed`               it and the number of a step decide all that is drawn in that step
    `checkpoint_every`   steps after which the run is kept, where a file is named
    """

    learning_rate: float = 1e-3
    clip_norm: float = 1.0
    seed: int = 0
    checkpoint_every: int = 20

    def __post_init__(self) -> None:
        check_fields(self)
        positive(learning_rate=self.learning_rate, clip_norm=self.clip_norm)
        at_least(1, checkpoint_every=self.checkpoint_every)


@dataclass(frozen=True)
class SamplingConfig(RunConfig):
    """The settings of a loop that samples responses.

    `steps`                 rollouts to make and to learn from
    `epochs`                passes over each rollout
    `max_new_tokens`        where a response is cut off
    `temperature`           of sampling, and of the log-probabilities that are compared (responses.py)
    `clip`                  ε: how far a ratio may go from 1 and still be rewarded (ppo_loss.py)
    `missing_eos_penalty`   taken from the score of a response that was cut off
    """

    steps: int
    _: KW_ONLY
    epochs: int = 1
    max_new_tokens: int = 24
    temperature: float = 1.0
    clip: float = 0.2
    missing_eos_penalty: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, steps=self.steps, epochs=self.epochs, max_new_tokens=self.max_new_tokens)
        positive(temperature=self.temperature, clip=self.clip)


@dataclass(frozen=True, kw_only=True)
class PairsConfig(RunConfig):
    """The settings of a loop that reads pairs. Its steps follow from the epochs.

    `epochs`       passes over all pairs, each in an order of its own
    `batch_size`   pairs of a step
    """

    epochs: int = 1
    batch_size: int = 64
    checkpoint_every: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, epochs=self.epochs, batch_size=self.batch_size)


def at_least(least: int, **counts: int) -> None:
    """Raises ValueError, with its name, for a count below the least."""
    for name, count in counts.items():
        if count < least:
            raise ValueError(f"{name} must be at least {least}, not {count}")


def positive(**numbers: float) -> None:
    """Raises ValueError, with its name, for a number that is not above 0."""
    for name, number in numbers.items():
        if not number > 0.0:
            raise ValueError(f"{name} must be positive, not {number}")


def not_negative(**numbers: float) -> None:
    """Raises ValueError, with its name, for a number below 0."""
    for name, number in numbers.items():
        if number < 0.0:
            raise ValueError(f"{name} must not be negative: {number}")
