"""The speed of rlhf/: batched rollouts with the cache against those without, and where the time of a PPO step goes.

    python -m tests.benchmarks.bench_rollout [--rounds N]

The policy is the pronunciation base with LoRA. Programs run by turns in one process; ratios are medians over the rounds.
"""

import argparse
from dataclasses import asdict, dataclass
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from lessons.task.base import load_base
from lessons.task.dictionary import vocabulary, words
from peft import PeftModel, get_peft_model, recipe
from rlhf import PPOConfig, RewardModel, Rollout, roll_out, value_head
from rlhf.answers import answered
from rlhf.ppo import COLUMNS, advantages_of
from rlhf.ppo_epochs import epochs_on, values_of
from rlhf.ppo_loss import ppo_policy_loss, ppo_value_loss
from rlhf.responses import states_and_logits, token_log_probs
from rlhf.rollout import judged, reference_log_probs
from rlhf.run import Run, draw, seeded
from tests.benchmarks.timing import by_turns, machine, milliseconds, ratio
from transformer import generate
from transformer.learning.batching import pad

LONGEST = 48
WORDS = 512


def policy_of(ends: bool = True) -> PeftModel:
    """The base with LoRA. With `ends=False` it never says EOS, so that every rollout has the full length."""
    base = load_base()
    if not ends:
        base.output.bias = nn.Parameter(torch.zeros(base.config.vocab_size), requires_grad=False)
        base.output.bias[base.config.eos_id] = -1e9
    return get_peft_model(base, recipe("lora").config())


def prompts(count: int) -> Tensor:
    tokens = vocabulary()
    return pad([tokens.encode_word(word) for word in words("american", "train", count)], tokens.pad_id)


def bench_rollouts(rounds: int, rows: int = 128) -> Table:
    """Sampling alone: what follows it, one pass of the policy and one of the reference, is the same for all."""
    table = Table(title=f"Rollouts of {rows} words", caption="at least 5 × is wanted of the cache, batched")
    for header in (
        "responses",
        "tokens/s cached, batched",
        "uncached, batched",
        "uncached, one by one",
        "gain",
        "gain",
    ):
        table.add_column(header, justify="right")
    source = prompts(rows)
    for name, ends in ((f"full length, {LONGEST}", False), ("until they end", True)):
        policy = policy_of(ends)
        sampled = partial(sample, policy, source)
        took = by_turns(
            {
                "cached": partial(sampled, use_cache=True),
                "uncached": partial(sampled, use_cache=False),
                "one by one": partial(one_by_one, policy, source[: rows // 16]),
            },
            rounds,
            warm_up=1,
        )
        count = float(real_tokens(sample(policy, source), policy.config.eos_id))
        per_second = {name: 1e3 * count / milliseconds(took, name) for name in took}
        per_second["one by one"] /= 16
        gains = (ratio(took, "uncached", "cached"), 16 * ratio(took, "one by one", "cached"))
        table.add_row(name, *(f"{speed:,.0f}" for speed in per_second.values()), *(f"{gain:.1f} ×" for gain in gains))
    return table


def sample(policy: PeftModel, source: Tensor, use_cache: bool = True) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return generate(policy, source, LONGEST, do_sample=True, use_cache=use_cache, generator=generator)


def one_by_one(policy: PeftModel, source: Tensor) -> None:
    for row in source.split(1):
        sample(policy, row, use_cache=False)


def real_tokens(ids: Tensor, eos_id: int) -> Tensor:
    """All that were sampled, the EOS with them; the bos was not."""
    ended = (ids[:, 1:] == eos_id).cumsum(dim=1)
    return ((ended == 0) | ((ended == 1) & (ids[:, 1:] == eos_id))).sum()


@dataclass(frozen=True)
class Step:
    """One step of PPO in its parts, on a policy that stays where it is: the learning rate is next to nothing."""

    policy: PeftModel
    head: nn.Module
    reward_model: RewardModel
    source: Tensor
    config: PPOConfig
    run: Run

    def whole(self) -> None:
        generator = seeded(0, 1, self.source.device)
        source = self.source[draw(len(self.source), self.config.batch_size, generator)]
        answers = answered(self.policy, source, self.reward_model, self.config, generator, self.head)
        advantages, returns = advantages_of(answers.rollout, answers.paid, self.config.beta, self.config)
        epochs_on(self.run, self.policy, self.head, answers.rollout, advantages, returns, generator, self.config)

    def forward_and_backward(self, rollout: Rollout, advantages: Tensor, returns: Tensor) -> None:
        """The passes that learn, and nothing else: no optimizer, no measurements."""
        for _ in range(self.config.epochs):
            states, logits = states_and_logits(self.policy, rollout.source, rollout.responses)
            log_probs = token_log_probs(logits, rollout.responses)
            loss = ppo_policy_loss(log_probs, rollout.log_probs, advantages, rollout.mask)
            loss = loss + 0.1 * ppo_value_loss(self.head(states), values_of(rollout), returns, rollout.mask)
            loss.backward()


def make_step() -> Step:
    torch.manual_seed(0)
    policy = policy_of()
    head = value_head(policy.config.d_model)
    config = PPOConfig(steps=1, batch_size=128, max_new_tokens=LONGEST, learning_rate=1e-12)
    run = Run({"policy": policy, "value": head}, asdict(config), COLUMNS)
    return Step(policy, head, RewardModel(load_base()), prompts(WORDS), config, run)


def bench_step(rounds: int) -> Table:
    step = make_step()
    generator = seeded(0, 1, step.source.device)
    source = step.source[draw(len(step.source), step.config.batch_size, generator)]
    rollout = roll_out(step.policy, source, LONGEST, 1.0, generator, step.head)
    advantages, returns = advantages_of(rollout, judged(step.reward_model, rollout), step.config.beta, step.config)
    took = by_turns(
        {
            "the whole step": step.whole,
            "forward and backward, 4 epochs": partial(step.forward_and_backward, rollout, advantages, returns),
            "sampling": partial(sample, step.policy, source),
            "the reference": partial(reference_log_probs, step.policy, source, rollout.responses),
            "the reward": partial(judged, step.reward_model, rollout),
        },
        rounds,
    )
    table = Table(title="A step of PPO, 128 words", caption="at least half is wanted for forward and backward")
    table.add_column("part")
    table.add_column("ms", justify="right")
    table.add_column("of the step", justify="right")
    for name in took:
        table.add_row(name, f"{milliseconds(took, name):.0f}", f"{ratio(took, name, 'the whole step'):.0%}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    console = Console(width=120)
    console.print(machine())
    console.print(bench_rollouts(max(3, options.rounds // 2)))
    console.print(bench_step(options.rounds))


if __name__ == "__main__":
    main()
