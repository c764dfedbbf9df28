"""Where the loops end, on responses that can all be counted, beside the optimum that is known exactly.

The best of E[r] - β KL(π ‖ ref) is π* = ref · exp(r / β) / Z. PPO and DPO seek it. GRPO with k3 in its loss rests elsewhere
(`grpo_optimum`), near π* while the rewards are small beside β. Distances are total variation: 0 equal, 1 disjoint.
"""

import numpy as np
import pytest
import torch

from rlhf import DPOConfig, GRPOConfig, PPOConfig, Preferences, dpo, grpo, ppo, value_head
from rlhf.rollout import Judge
from tests.reference.rlhf import grpo_optimum, kl, optimum
from tests.rlhf.tiny import Outcomes, encoder_decoder, lora, outcomes, total_variation

BETA = 1.0


@pytest.fixture
def every() -> Outcomes:
    return outcomes()


def rewards(every: Outcomes, scale: float) -> torch.Tensor:
    return scale * torch.randn(len(every.responses), generator=torch.Generator().manual_seed(5))


def judge(every: Outcomes, table: torch.Tensor) -> Judge:
    return lambda source, responses, mask: table[every.number_of(responses)]


def reference(every: Outcomes) -> np.ndarray:
    return every.probabilities(encoder_decoder().eval())


def by_state(every: Outcomes, ref: np.ndarray, table: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """ref and Q of the first token (NaN where another follows), and of the second after each first one."""
    pairs = ref[1:].reshape(5, 6)
    firsts = np.array([ref[0], *pairs.sum(axis=1)])
    open_ended = np.array([table[0], *[np.nan] * 5])
    return [firsts, *(pairs / pairs.sum(axis=1, keepdims=True))], [open_ended, *table[1:].reshape(5, 6)]


@pytest.mark.slow
def test_ppo_comes_to_the_optimum(every):
    table = rewards(every, 1.0)
    best = optimum(reference(every), table.double().numpy(), BETA)
    policy = lora(encoder_decoder())
    config = PPOConfig(
        steps=40,
        batch_size=128,
        max_new_tokens=2,
        beta=BETA,
        learning_rate=1e-2,
        whiten_advantages=False,
        value_weight=0.5,
    )

    history = ppo(policy, value_head(16), every.source, judge(every, table), config)

    found = every.probabilities(policy)
    assert total_variation(reference(every), best) > 0.2
    assert total_variation(found, best) < 0.08
    assert kl(found, best) < 0.04
    assert history[-1]["kl"] == pytest.approx(kl(found, reference(every)), abs=0.15)


@pytest.mark.slow
def test_dpo_comes_to_the_optimum(every):
    table = rewards(every, 1.0)
    best = optimum(reference(every), table.double().numpy(), BETA)
    policy = lora(encoder_decoder())
    config = DPOConfig(epochs=5, batch_size=256, beta=BETA, learning_rate=2e-2)

    history = dpo(policy, judged_pairs(every, table, count=16_000), config)

    assert total_variation(reference(every), best) > 0.2
    assert total_variation(every.probabilities(policy), best) < 0.1
    assert history[-1]["loss"] < history[0]["loss"]


def judged_pairs(every: Outcomes, table: torch.Tensor, count: int) -> Preferences:
    """Pairs of the reference's own responses; the first one wins with the probability that Bradley-Terry gives."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(torch.tensor(reference(every)), 2 * count, replacement=True, generator=generator)
    first, second = drawn.split(count)
    first, second = first[first != second], second[first != second]
    wins = torch.rand(len(first), generator=generator) < (table[first] - table[second]).sigmoid()
    chosen, rejected = torch.where(wins, first, second), torch.where(wins, second, first)
    return Preferences(every.source.expand(len(chosen), -1), every.responses[chosen], every.responses[rejected])


@pytest.mark.slow
def test_grpo_comes_to_its_own_optimum_and_near_the_common_one(every):
    table, ref = rewards(every, 0.5), reference(every)
    config = GRPOConfig(
        steps=40,
        prompts=16,
        group_size=16,
        epochs=4,
        max_new_tokens=2,
        beta=BETA,
        learning_rate=2e-2,
        averaging="constant",
        divide_by_deviation=False,
    )
    best = optimum(ref, table.double().numpy(), BETA)
    own = grpo_optimum(*by_state(every, ref, table.double().numpy()), BETA, config.group_size)
    policy = lora(encoder_decoder())

    grpo(policy, every.source, judge(every, table), config)

    found = every.probabilities(policy)
    assert total_variation(ref, best) > 0.12
    assert total_variation(found, own) < 0.04
    assert total_variation(found, best) < 0.08
    assert total_variation(own, best) < 0.05


def test_the_counted_optimum_is_the_best(every):
    ref, table = reference(every), rewards(every, 1.0).double().numpy()
    best = optimum(ref, table, BETA)

    def objective(policy: np.ndarray) -> float:
        return float(policy @ table) - BETA * kl(policy, ref)

    assert objective(best) == pytest.approx(BETA * np.log(ref @ np.exp(table / BETA)))
    for other in (ref, 0.9 * best + 0.1 * ref, optimum(ref, table, 0.9 * BETA), optimum(ref, table, 1.1 * BETA)):
        assert objective(other) < objective(best)
