"""What the loops say of themselves is so: every measurement against its definition, and what they put together."""

import math
from inspect import unwrap

import pytest
import torch
from torch import Tensor, nn

from rlhf import (
    GRPOConfig,
    PPOConfig,
    RewardConfig,
    RewardModel,
    collate_preferences,
    gae,
    grpo,
    ppo,
    train_reward_model,
    value_head,
    whiten,
)
from rlhf.advantages import token_rewards
from rlhf.answers import answered
from rlhf.dpo import compared
from rlhf.masked import check_mask, check_pairs, last_token, only_real
from rlhf.ppo import advantages_of
from rlhf.ppo_epochs import change, explained_variance, summary, values_of
from rlhf.responses import token_entropy
from rlhf.reward_training import margins
from rlhf.rollout import Rollout
from rlhf.run import epoch_rows
from tests.rlhf.tiny import EOS, PAD, encoder_decoder, lora, prompts

MASK = torch.tensor([[True, True, True], [True, False, False]])


def random_rollout(values: bool = True) -> Rollout:
    numbers = [torch.randn(2, 3, dtype=torch.float64) for _ in range(3)]
    ids = torch.ones(2, 3, dtype=torch.long)
    return Rollout(ids, ids, MASK, numbers[0], numbers[1], numbers[2] if values else None)


@pytest.mark.parametrize("rewards_too", [True, False])
@pytest.mark.parametrize("advantages_too", [True, False])
def test_advantages_are_whitened_where_the_config_says_so(rewards_too: bool, advantages_too: bool):
    rollout, scores = random_rollout(), torch.randn(2, dtype=torch.float64)
    config = PPOConfig(1, gamma=0.9, lam=0.7, whiten_rewards=rewards_too, whiten_advantages=advantages_too)

    advantages, returns = advantages_of(rollout, scores, 0.3, config)

    rewards = token_rewards(scores, rollout.log_probs, rollout.reference_log_probs, MASK, 0.3)
    rewards = whiten(rewards, MASK, shift_mean=False) if rewards_too else rewards
    wanted, wanted_returns = gae(rewards, rollout.values, MASK, 0.9, 0.7)
    torch.testing.assert_close(advantages, whiten(wanted, MASK) if advantages_too else wanted)
    torch.testing.assert_close(returns, wanted_returns)


def test_some_rows_of_a_rollout_are_those_rows():
    rollout, index = random_rollout(), torch.tensor([1])

    some = rollout.rows(index)

    for name in ("source", "responses", "mask", "log_probs", "reference_log_probs", "values"):
        assert torch.equal(getattr(some, name), getattr(rollout, name)[1:])
    assert random_rollout(values=False).rows(index).values is None


def test_explained_variance_is_1_for_who_knew_and_0_for_who_knew_nothing():
    returns = torch.tensor([[1.0, 2.0, 4.0], [3.0, 99.0, 99.0]])

    assert explained_variance(returns, returns, MASK) == 1.0
    assert explained_variance(torch.zeros(2, 3), returns, MASK) == pytest.approx(0.0, abs=1e-6)
    assert explained_variance(0.5 * returns, returns, MASK) == pytest.approx(0.75)
    assert explained_variance(-returns, returns, MASK) == pytest.approx(-3.0)


def test_a_change_is_measured_over_real_tokens():
    old = torch.zeros(2, 3)
    new = torch.log(torch.tensor([[1.5, 0.9, 1.0], [0.6, 50.0, 50.0]]))

    found = change(new, old, MASK, clip=0.2)

    assert found["ratio"] == pytest.approx(1.0)
    assert found["largest_ratio"] == pytest.approx(1.5)
    assert found["clipped"] == pytest.approx(0.5)
    wanted = [ratio - 1.0 - math.log(ratio) for ratio in (1.5, 0.9, 1.0, 0.6)]
    assert found["approx_kl"] == pytest.approx(sum(wanted) / 4, abs=1e-6)


def test_returns_that_are_all_equal_explain_nothing_and_divide_by_no_0():
    equal = torch.ones(2, 3)

    assert explained_variance(equal, equal, MASK) == 1.0
    spread = torch.tensor([[0.0, 2e-6]])
    assert explained_variance(spread, torch.zeros(1, 2), spread >= 0.0) == pytest.approx(0.0, abs=1e-5)


def test_a_step_is_the_mean_of_its_updates_and_their_largest_ratio():
    updates = [{"loss": 1.0, "largest_ratio": 1.5}, {"loss": 4.0, "largest_ratio": 1.25}]

    assert summary(updates) == {"loss": 2.5, "largest_ratio": 1.5, "updates": 2}


def test_a_rollout_without_values_says_what_it_lacks():
    with pytest.raises(ValueError, match="needs the value head"):
        values_of(random_rollout(values=False))


def test_pairs_are_compared_by_how_far_each_side_has_come_from_the_reference():
    now = torch.tensor([-1.0, -4.0, -2.0, -8.0]), torch.tensor([-3.0, -1.0, -5.0, -2.0])
    before = torch.tensor([-2.0, -4.0, -4.0, -6.0]), torch.tensor([-1.0, -1.0, -6.0, -6.0])

    record = compared(now, before, beta=0.5)  # chosen 1, 0, 2, -2 and rejected -2, 0, 1, 4

    assert record == {
        "accuracy": 0.5,
        "margin": pytest.approx(0.5 * (3 + 0 + 1 - 6) / 4),
        "chosen_log_ratio": pytest.approx(0.25),
        "rejected_log_ratio": pytest.approx(0.75),
    }


def test_entropy_is_minus_the_mean_logarithm():
    logits = torch.randn(2, 3, 5, dtype=torch.float64)
    p = (logits / 0.7).softmax(dim=-1)

    torch.testing.assert_close(token_entropy(logits, 0.7), -(p * p.log()).sum(dim=-1))
    assert torch.equal(token_entropy(logits), token_entropy(logits, 1.0))


def test_the_last_token_is_the_last_real_one():
    assert last_token(torch.tensor([[True, True, False], [True, False, False], [True, True, True]])).tolist() == [
        1,
        0,
        2,
    ]
    with pytest.raises(ValueError, match=r"rows \[1\] are empty"):
        last_token(torch.tensor([[True, False], [False, False]]))


def test_a_mask_of_numbers_or_of_another_shape_is_refused():
    with pytest.raises(TypeError, match=r"not torch\.int64"):
        check_mask(torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.long))
    with pytest.raises(ValueError, match=r"\(2, 2\) and its values are \(2, 3\)"):
        check_mask(torch.zeros(2, 3), MASK[:, :2])
    with pytest.raises(ValueError, match=r"\(1, 3\) and its values are \(2, 3\)"):
        unwrap(only_real)(torch.zeros(2, 3), MASK[:1])


def test_numbers_of_different_pairs_are_refused():
    with pytest.raises(ValueError, match=r"shapes \(3,\), \(1,\) do not hold"):
        check_pairs(torch.zeros(3), torch.zeros(1))


def test_an_epoch_goes_once_through_everything_in_an_order_of_its_own():
    epochs = [
        [epoch_rows(7, 3, step, seed=5, device=torch.device("cpu")) for step in steps]
        for steps in ((1, 2, 3), (4, 5, 6))
    ]

    assert [[len(rows) for rows in steps] for steps in epochs] == [[3, 3, 1]] * 2
    first, second = (torch.cat(steps).tolist() for steps in epochs)
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


@pytest.mark.parametrize("loop", ["ppo", "grpo"])
def test_a_policy_without_an_active_adapter_is_refused_before_anything_is_sampled(loop: str):
    policy = lora(encoder_decoder())

    def never(source: Tensor, responses: Tensor, mask: Tensor) -> Tensor:
        raise AssertionError("it was sampled")

    with policy.disable_adapter(), pytest.raises(ValueError, match="no active adapter"):
        if loop == "ppo":
            ppo(policy, value_head(16), prompts(), never, PPOConfig(1))
        else:
            grpo(policy, prompts(), never, GRPOConfig(1))


def test_the_value_head_learns_and_a_reward_model_reports_its_own_margins():
    head = value_head(16)
    before = [parameter.detach().clone() for parameter in head.parameters()]
    ppo(
        lora(encoder_decoder()),
        head,
        prompts(),
        lambda source, responses, mask: mask.sum(dim=1).float(),
        PPOConfig(2, batch_size=6, max_new_tokens=3, learning_rate=1e-2),
    )
    assert all(not torch.equal(old, new) for old, new in zip(before, head.parameters()))


def test_a_reward_model_reports_the_margins_that_it_has_without_dropout():
    pairs = collate_preferences([([3, 4, EOS], [4, EOS], [3, EOS]), ([5, EOS], [EOS], [4, 5, EOS])], PAD)
    torch.manual_seed(4)
    model = RewardModel(lora(encoder_decoder(dropout=0.4), moved=True)).train()
    with torch.no_grad():
        for parameter in head_of(model).parameters():
            parameter.add_(0.5)
    model.eval()
    wanted = margins(model, pairs)
    model.train()

    record = train_reward_model(model, pairs, RewardConfig(epochs=1, batch_size=2))[0]

    assert record["margin"] == pytest.approx(float(wanted.mean()), rel=1e-5)
    assert record["accuracy"] == pytest.approx(float((wanted > 0).double().mean()))
    assert record["loss"] == pytest.approx(float(-nn.functional.logsigmoid(wanted).mean()), rel=1e-5)


def test_answers_are_paid_for_an_end_and_measured_as_means():
    policy, generator = lora(encoder_decoder()), torch.Generator().manual_seed(3)
    config = PPOConfig(1, max_new_tokens=3, missing_eos_penalty=2.0)
    asked = prompts().repeat(4, 1)

    answers = answered(policy, asked, lambda source, responses, mask: mask.sum(dim=1).float(), config, generator)

    ended = (answers.rollout.responses == EOS).any(dim=1)
    assert 0 < int(ended.sum()) < len(asked)
    assert torch.equal(answers.ended, ended)
    lengths = answers.rollout.mask.sum(dim=1).float()
    torch.testing.assert_close(answers.paid, lengths - torch.where(ended, 0.0, 2.0))
    record = answers.measured({"threes": lambda source, responses, mask: ((responses == 3) & mask).sum(dim=1).float()})
    assert record["reward"] == record["length"] == pytest.approx(float(lengths.mean()))
    assert record["ended"] == pytest.approx(float(ended.double().mean()))
    threes = ((answers.rollout.responses == 3) & answers.rollout.mask).sum(dim=1).float()
    assert record["threes"] == pytest.approx(float(threes.mean()))


def head_of(model: RewardModel) -> nn.Module:
    return next(module for module in model.modules() if type(module).__name__ == "RewardHead")


def test_a_reward_model_is_right_where_it_prefers_the_chosen_side_and_not_where_it_has_no_opinion():
    sides = [4, EOS], [3, 5, EOS]
    pairs = collate_preferences([([3, 4, EOS], *sides), ([3, 4, EOS], *sides[::-1])], PAD)
    model, blank = RewardModel(encoder_decoder()), RewardModel(encoder_decoder())
    nn.init.zeros_(blank.head.linear.weight)

    of_two, of_none = (train_reward_model(each, pairs, RewardConfig(batch_size=2))[0] for each in (model, blank))

    assert of_two["accuracy"] == 0.5
    assert of_none == {"loss": pytest.approx(math.log(2)), "accuracy": 0.0, "margin": 0.0, "gain": 1.0, "shift": 0.0}


def test_a_reward_model_has_the_samples_scale_from_the_first_step_on():
    pairs = collate_preferences([([3, 4, EOS], [4, EOS], [3, EOS]), ([5, EOS], [EOS], [4, 5, EOS])], PAD)
    model, scaled = RewardModel(encoder_decoder()), RewardModel(encoder_decoder())
    scaled.load_state_dict(model.state_dict())
    scaled.normalize(pairs.source, pairs.rejected)

    first = train_reward_model(model, pairs, RewardConfig(batch_size=2), (pairs.source, pairs.rejected))[0]

    assert first["margin"] == pytest.approx(float(margins(scaled, pairs).mean()), rel=1e-5)


def test_the_penalty_has_the_precision_of_the_score():
    policy, generator = lora(encoder_decoder().double()), torch.Generator().manual_seed(3)
    config = PPOConfig(1, max_new_tokens=2, missing_eos_penalty=0.1)
    asked = prompts().repeat(8, 1)

    answers = answered(policy, asked, lambda source, responses, mask: torch.zeros(len(source)), config, generator)

    assert set(answers.paid.tolist()) == {0.0, -0.1}
