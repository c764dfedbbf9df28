"""The reward model: what it reads, how it starts, what it learns, and its scale."""

import math

import pytest
import torch
from torch import nn

from rlhf import RewardConfig, RewardModel, margins, roll_out, train_reward_model, value_head
from rlhf.heads import RewardHead
from rlhf.preferences import collate_preferences
from tests.rlhf.tiny import EOS, PAD, decoder_only, encoder_decoder, lora, prompts

RESPONSES = torch.tensor([[4, 5, EOS, PAD], [3, EOS, PAD, PAD], [5, 5, 4, 3]])


def preferring(token: int, count: int = 60) -> list:
    """Pairs of responses to three prompts: the one with more of `token` is chosen."""
    generator = torch.Generator().manual_seed(0)
    pairs = []
    while len(pairs) < count:
        sides = [[*torch.randint(3, 6, (3,), generator=generator).tolist(), EOS] for _ in range(2)]
        more, fewer = sorted(sides, key=lambda side: -side.count(token))
        if more.count(token) > fewer.count(token):
            pairs.append((prompts()[len(pairs) % 3, :2].tolist(), more, fewer))
    return pairs


@pytest.mark.parametrize("base", [encoder_decoder, decoder_only])
def test_the_head_reads_the_last_real_token(base):
    model = RewardModel(base())

    rewards = model(prompts(), RESPONSES) if base is encoder_decoder else model(prompts().flip(1), RESPONSES)

    bare = prompts() if base is encoder_decoder else prompts().flip(1)
    for row, length in enumerate([3, 2, 4]):
        torch.testing.assert_close(rewards[row], model(bare[[row]], RESPONSES[[row], :length])[0])


def test_what_stands_behind_the_eos_changes_nothing():
    model = RewardModel(encoder_decoder())
    spoilt = torch.where(RESPONSES == PAD, 4, RESPONSES)

    assert torch.equal(model(prompts(), spoilt), model(prompts(), RESPONSES))


def test_the_head_reads_the_end_where_padding_is_the_same_id():
    model = RewardModel(decoder_only(pad_id=EOS))
    responses = torch.tensor([[4, 5, EOS], [EOS, EOS, EOS]])

    rewards = model(prompts()[:2, :2], responses)

    torch.testing.assert_close(rewards[0], model(prompts()[:1, :2], responses[:1], torch.ones(1, 3).bool())[0])
    torch.testing.assert_close(rewards[1], model(prompts()[1:2, :2], responses[1:, :1])[0])


def test_an_empty_response_is_refused():
    with pytest.raises(ValueError, match=r"rows \[1\] are empty"):
        mask = torch.tensor([[True] * 4, [False] * 4, [True] * 4])
        RewardModel(encoder_decoder())(prompts(), RESPONSES, mask)


def test_heads_start_as_the_paper_has_them():
    torch.manual_seed(0)
    head = RewardHead(4095)

    assert head.linear.weight.std().item() == pytest.approx(1 / math.sqrt(4096), rel=0.05)
    assert head.linear.bias.item() == 0.0
    tiny = torch.cat([RewardHead(1).linear.weight for _ in range(300)])
    assert tiny.std().item() == pytest.approx(1 / math.sqrt(2), rel=0.12)
    assert torch.equal(value_head(7)(torch.randn(2, 3, 7)), torch.zeros(2, 3))


def test_normalized_rewards_have_mean_0_and_deviation_1_however_often():
    model = RewardModel(encoder_decoder())
    rollout = roll_out(lora(encoder_decoder()), prompts().repeat(50, 1), 4, generator=torch.Generator().manual_seed(0))

    for _ in range(2):
        model.normalize(rollout.source, rollout.responses)
        rewards = model(rollout.source, rollout.responses)
        assert rewards.mean().item() == pytest.approx(0.0, abs=1e-5)
        assert rewards.std(correction=0).item() == pytest.approx(1.0, rel=1e-4)


def test_rewards_that_are_all_equal_have_no_scale():
    with pytest.raises(ValueError, match=r"deviation 0\.0"):
        RewardModel(encoder_decoder()).normalize(prompts()[:1].repeat(4, 1), RESPONSES[:1].repeat(4, 1))


@pytest.mark.parametrize("adapted", [False, True])
def test_it_learns_a_preference_it_was_shown_and_holds_it_on_new_pairs(adapted):
    base = encoder_decoder()
    model = RewardModel(lora(base) if adapted else base)
    shown, new = (collate_preferences(pairs, PAD) for pairs in (preferring(4, 120)[:80], preferring(4, 120)[80:]))
    samples = (shown.source, shown.rejected)

    history = train_reward_model(model, shown, RewardConfig(epochs=8, batch_size=20, learning_rate=1e-2), samples)

    assert history[0]["loss"] == pytest.approx(math.log(2), abs=0.25)
    assert (margins(model, new) > 0).float().mean() >= 0.9
    rewards = model(*samples)
    assert rewards.mean().item() == pytest.approx(0.0, abs=1e-5)
    assert rewards.std(correction=0).item() == pytest.approx(1.0, rel=1e-4)


def test_a_run_that_is_resumed_with_another_head_has_the_scale_that_it_began_with(tmp_path):
    shown = collate_preferences(preferring(4), PAD)
    config, samples = RewardConfig(epochs=2, batch_size=20, checkpoint_every=1), (shown.source, shown.rejected)

    def kill(step: int, record: dict[str, float]) -> None:
        if step == 4:
            raise KeyboardInterrupt

    whole, killed = (RewardModel(encoder_decoder()) for _ in range(2))
    killed.load_state_dict(whole.state_dict())
    history = train_reward_model(whole, shown, config, samples)
    with pytest.raises(KeyboardInterrupt):
        train_reward_model(killed, shown, config, samples, tmp_path / "run", kill)
    torch.manual_seed(99)
    resumed = RewardModel(encoder_decoder())
    nn.init.normal_(resumed.head.linear.weight)

    assert train_reward_model(resumed, shown, config, samples, tmp_path / "run") == history
    assert torch.equal(resumed(*samples), whole(*samples))


def test_a_frozen_base_leaves_the_head_to_learn():
    model = RewardModel(encoder_decoder().requires_grad_(False))
    before = {name: tensor.clone() for name, tensor in model.base.state_dict().items()}

    train_reward_model(model, collate_preferences(preferring(4), PAD), RewardConfig(batch_size=20))

    assert all(torch.equal(before[name], tensor) for name, tensor in model.base.state_dict().items())


def test_a_head_reads_the_states_of_a_model_in_half_precision():
    head, states = RewardHead(16), torch.randn(2, 3, 16).bfloat16()

    assert torch.equal(head(states), head(states.float()))


def test_the_head_has_the_precision_of_its_base():
    assert RewardModel(encoder_decoder().double())(prompts(), RESPONSES[:, :3]).dtype == torch.float64


def test_pairs_outside_of_the_vocabulary_teach_no_reward_model():
    pairs = collate_preferences([([3, EOS], [6, EOS], [4, EOS])], PAD)

    with pytest.raises(ValueError, match=r"chosen responses hold ids from 2 to 6; the vocabulary is 0\.\.5"):
        train_reward_model(RewardModel(encoder_decoder()), pairs)
