"""Rollouts: which logit scores which token, at which temperature, in which mask; and who the reference is."""

import pytest
import torch
from torch import nn

from peft import PeftModel
from rlhf import reference, roll_out, value_head
from rlhf.masked import last_token
from rlhf.responses import response_mask, states_after, states_and_logits, token_log_probs, trimmed
from rlhf.rollout import judged
from tests.rlhf.tiny import BOS, EOS, PAD, decoder_only, encoder_decoder, lora, outcomes, prompts
from transformer import Transformer, padding_mask


@pytest.fixture
def policy() -> PeftModel:
    return lora(encoder_decoder(), moved=True).eval()


def several(count: int = 64) -> torch.Tensor:
    return prompts().repeat(count, 1)


def test_the_mask_holds_the_first_eos_and_nothing_behind_it():
    responses = torch.tensor(
        [[4, 5, EOS, PAD], [EOS, PAD, PAD, PAD], [3, 3, 3, 3], [4, EOS, EOS, 5], [PAD, 4, EOS, PAD]]
    )

    mask = response_mask(responses, EOS)

    assert mask.sum(dim=1).tolist() == [3, 1, 4, 2, 3]
    assert last_token(mask).tolist() == [2, 0, 3, 1, 2]


def test_a_response_that_was_cut_off_ends_with_its_last_token():
    responses = torch.tensor([[4, PAD, 5, PAD], [4, EOS, PAD, PAD], [4, 5, 3, 3]])

    assert response_mask(responses, EOS, PAD).sum(dim=1).tolist() == [3, 2, 4]
    assert response_mask(responses, EOS).sum(dim=1).tolist() == [4, 2, 4]


def test_each_token_is_scored_by_what_stands_before_it():
    model = encoder_decoder().eval()
    source, responses = prompts(), torch.tensor([[4, 5, EOS], [3, EOS, PAD], [5, 4, 3]])

    states, logits = states_and_logits(model, source, responses)

    one_by_one = [model(source, torch.cat([torch.full((3, 1), BOS), responses[:, :t]], dim=1))[:, -1] for t in range(3)]
    torch.testing.assert_close(logits, torch.stack(one_by_one, dim=1))
    torch.testing.assert_close(model.output(states), logits)


def test_a_decoder_alone_is_scored_after_its_source():
    model = decoder_only().eval()
    source, responses = torch.tensor([[3, 4, 5], [PAD, PAD, 4]]), torch.tensor([[4, EOS], [5, 3]])

    states, logits = states_and_logits(model, source, responses)

    for t in range(2):
        torch.testing.assert_close(logits[0, t], model(torch.cat([source[:1], responses[:1, :t]], dim=1))[0, -1])
        torch.testing.assert_close(logits[1, t], model(torch.cat([source[1:, 2:], responses[1:, :t]], dim=1))[0, -1])
    torch.testing.assert_close(model.output(states), logits)
    after = states_after(model, source, responses)
    torch.testing.assert_close(after[:, 0], states[:, 1])
    assert after.shape == states.shape


@pytest.mark.parametrize("temperature", [1.0, 0.7, 1.6])
def test_kept_log_probabilities_are_those_of_the_distribution_that_was_sampled(policy, temperature):
    source = prompts()[:1].repeat(4000, 1)

    rollout = roll_out(policy, source, 1, temperature, torch.Generator().manual_seed(0))

    said = torch.bincount(rollout.responses[:, 0], minlength=6) / len(source)
    for token in range(6):
        kept = rollout.log_probs[rollout.responses[:, 0] == token]
        assert kept.std(correction=0) < 1e-6 if len(kept) else True
        assert said[token].item() == pytest.approx(kept[0].exp().item() if len(kept) else 0.0, abs=0.03)


def test_sampling_leaves_nothing_out():
    every = outcomes()
    model = encoder_decoder().eval()

    assert every.probabilities(model).sum() == pytest.approx(1.0, abs=1e-5)
    rollout = roll_out(lora(model), every.source.repeat(3000, 1), 2, generator=torch.Generator().manual_seed(0))
    assert len(every.number_of(rollout.responses).unique()) >= 30


def test_a_rollout_is_what_a_single_pass_says_and_padding_adds_nothing(policy):
    rollout = roll_out(policy, several(), 5, 0.8, torch.Generator().manual_seed(1), head := value_head(16))
    nn.init.normal_(head.linear.weight)

    row = int((~rollout.mask).any(dim=1).nonzero()[0])
    length = int(rollout.mask[row].sum())
    source = rollout.source[row : row + 1, : int((rollout.source[row] != PAD).sum())]
    alone = rollout.responses[row : row + 1, :length]
    _, logits = states_and_logits(policy, source, alone)

    torch.testing.assert_close(token_log_probs(logits, alone, 0.8)[0], rollout.log_probs[row, :length])
    assert alone[0, -1] == EOS


def test_a_fresh_adapter_is_the_reference():
    rollout = roll_out(lora(encoder_decoder()), several(), 6, 0.9, torch.Generator().manual_seed(0))

    assert torch.equal(rollout.log_probs, rollout.reference_log_probs)
    assert rollout.kl == 0.0


def test_the_divergence_of_samples_is_the_counted_one(policy):
    every = outcomes()
    with policy.disable_adapter():
        base = every.probabilities(policy)
    own = every.probabilities(policy)
    exact = float((own * (torch.tensor(own).log() - torch.tensor(base).log()).numpy()).sum())

    rollout = roll_out(policy, every.source.repeat(20_000, 1), 2, generator=torch.Generator().manual_seed(2))

    assert exact > 0.05
    assert rollout.kl.item() == pytest.approx(exact, rel=0.1)


def test_dropout_is_off(policy):
    policy.train()

    first, second = (roll_out(policy, several(), 4, 1.0, torch.Generator().manual_seed(7)) for _ in range(2))

    assert torch.equal(first.log_probs, second.log_probs)


def test_a_seed_decides_everything(policy):
    first, same, other = (roll_out(policy, several(), 4, 1.0, torch.Generator().manual_seed(s)) for s in (3, 3, 4))

    assert torch.equal(first.responses, same.responses)
    assert not torch.equal(first.responses, other.responses)


def test_inside_the_reference_the_policy_is_the_base_without_gradient(policy):
    source, target = prompts(), torch.full((3, 2), BOS)
    with_adapter = policy(source, target)

    with reference(policy) as base:
        without = base(source, target)
        assert not without.requires_grad

    assert torch.equal(without, policy.unload()(source, target))
    assert not torch.equal(with_adapter, without)


def test_the_adapter_is_on_again_after_an_error_in_the_reference(policy):
    with pytest.raises(RuntimeError), reference(policy):
        raise RuntimeError

    assert policy.active == ("default",)
    assert torch.is_grad_enabled()


def test_a_policy_without_an_adapter_is_refused(policy):
    generator = torch.Generator()
    before = generator.get_state()

    with pytest.raises(ValueError, match="has no active adapter"), policy.disable_adapter():
        roll_out(policy, prompts(), 2, generator=generator)
    assert torch.equal(generator.get_state(), before)
    with policy.disable_adapter(), pytest.raises(ValueError, match="has no active adapter"), reference(policy):
        pass
    with pytest.raises(Exception, match=r"no active adapter|PeftModel"):
        roll_out(encoder_decoder(), prompts(), 2)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_reward_that_is_no_number_is_named(policy, bad):
    rollout = roll_out(policy, prompts(), 2, generator=torch.Generator().manual_seed(0))

    with pytest.raises(ValueError, match=r"the reward is (nan|inf) in row 1"):
        judged(lambda source, responses, mask: torch.tensor([0.0, bad, 1.0]), rollout)
    with pytest.raises(ValueError, match="one number each"):
        judged(lambda source, responses, mask: torch.zeros(3, 2), rollout)


def test_a_reward_may_be_a_count_or_hang_on_weights(policy):
    rollout = roll_out(policy, prompts(), 2, generator=torch.Generator().manual_seed(0))

    counted = judged(lambda source, responses, mask: mask.sum(dim=1), rollout)
    weighed = judged(lambda source, responses, mask: torch.zeros(3, requires_grad=True), rollout)

    assert counted.dtype == rollout.log_probs.dtype
    assert not weighed.requires_grad


def test_log_probabilities_are_taken_in_single_precision_at_least():
    logits, responses = torch.randn(2, 3, 6).bfloat16(), torch.tensor([[4, 5, EOS], [3, 4, EOS]])

    assert torch.equal(token_log_probs(logits, responses), token_log_probs(logits.float(), responses))
    assert token_log_probs(logits.double(), responses).dtype == torch.float64
    assert torch.equal(token_log_probs(logits, responses), token_log_probs(logits, responses, 1.0))


def test_prompts_lose_only_the_padding_that_all_of_them_share():
    source = torch.tensor([[PAD, 3, PAD, EOS, PAD], [PAD, 4, PAD, PAD, PAD]])

    assert trimmed(source, EOS, PAD).tolist() == [[3, PAD, EOS], [4, PAD, PAD]]
    with pytest.raises(ValueError, match="nothing but padding"):
        trimmed(torch.zeros(2, 3, dtype=torch.long), EOS, PAD)


def test_a_prompt_keeps_its_end_where_padding_is_the_same_id():
    assert trimmed(torch.tensor([[EOS, 3, EOS], [EOS, EOS, EOS]]), EOS, EOS).tolist() == [[3, EOS], [EOS, EOS]]
    assert trimmed(torch.tensor([[EOS, EOS]]), EOS, EOS).tolist() == [[EOS]]


def test_a_response_keeps_its_end_where_padding_is_the_same_id():
    responses = torch.tensor([[4, EOS, EOS, EOS], [EOS, EOS, EOS, EOS], [3, 4, 5, 3]])

    assert response_mask(responses, EOS, pad_id=EOS).sum(dim=1).tolist() == [2, 1, 4]


def test_the_value_before_a_token_knows_nothing_of_it(policy):
    responses = torch.tensor([[4, 5, 3], [4, 5, EOS]])
    head = value_head(16)
    nn.init.normal_(head.linear.weight)

    states, _ = states_and_logits(policy, prompts()[:1].repeat(2, 1), responses)
    values = head(states)

    torch.testing.assert_close(values[0], values[1])


def test_padded_prompts_are_read_like_bare_ones():
    model: Transformer = encoder_decoder().eval()
    assert padding_mask(prompts(), PAD)[1, 0, 0].tolist() == [True, True, True, False]

    _, padded = states_and_logits(model, prompts()[1:2], torch.tensor([[4, EOS]]))
    _, bare = states_and_logits(model, prompts()[1:2, :3], torch.tensor([[4, EOS]]))

    torch.testing.assert_close(padded, bare)
