"""Heads travel with the adapter, and what does not fit is refused."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from peft import LoraConfig, get_peft_model
from rlhf import RewardModel, load_policy, load_reward_model, save_policy, save_reward_model, value_head
from rlhf.heads import RewardHead
from rlhf.responses import states_and_logits
from tests.rlhf.tiny import EOS, PAD, encoder_decoder, lora, prompts

RESPONSES = torch.tensor([[4, 5, EOS], [3, EOS, PAD], [5, 5, 4]])


def test_a_policy_comes_back_with_its_value_head(tmp_path):
    policy, head = lora(encoder_decoder(), moved=True).eval(), value_head(16)
    nn.init.normal_(head.linear.weight)

    save_policy(policy, tmp_path, head)
    again, loaded = load_policy(encoder_decoder(), tmp_path)

    for model, value in ((again, loaded),):
        states, logits = states_and_logits(model, prompts(), RESPONSES)
        old_states, old_logits = states_and_logits(policy, prompts(), RESPONSES)
        assert torch.equal(logits, old_logits)
        assert torch.equal(value(states), head(old_states))


def test_a_policy_without_a_value_head_says_so(tmp_path):
    save_policy(lora(encoder_decoder()), tmp_path)

    assert load_policy(encoder_decoder(), tmp_path)[1] is None


@pytest.mark.parametrize("adapted", [True, False])
def test_a_reward_model_comes_back_with_its_scale(tmp_path, adapted):
    model = RewardModel(lora(encoder_decoder(), moved=True) if adapted else encoder_decoder())
    model.normalize(prompts(), RESPONSES)

    save_reward_model(model, tmp_path)
    again = load_reward_model(tmp_path, encoder_decoder() if adapted else None)

    assert torch.equal(again(prompts(), RESPONSES), model(prompts(), RESPONSES))


def test_an_adapter_needs_its_base(tmp_path):
    save_reward_model(RewardModel(lora(encoder_decoder())), tmp_path)

    with pytest.raises(ValueError, match="pass the base"):
        load_reward_model(tmp_path)


def test_a_truncated_or_foreign_head_is_refused(tmp_path):
    save_policy(lora(encoder_decoder()), tmp_path, value_head(16))
    whole = (tmp_path / "value_head.safetensors").read_bytes()

    (tmp_path / "value_head.safetensors").write_bytes(whole[:-8])
    with pytest.raises(ValueError, match="truncated"):
        load_policy(encoder_decoder(), tmp_path)
    save_policy(lora(encoder_decoder()), tmp_path, value_head(12))
    with pytest.raises(ValueError, match=r"\(1, 12\)"):
        load_policy(encoder_decoder(), tmp_path)


def test_a_policy_comes_back_to_be_trained_where_that_is_asked(tmp_path):
    save_policy(lora(encoder_decoder()), tmp_path)

    resting, learning = (load_policy(encoder_decoder(), tmp_path, is_trainable=asked)[0] for asked in (False, True))

    assert not any(parameter.requires_grad for parameter in resting.parameters())
    assert any(parameter.requires_grad for parameter in learning.parameters())


def test_a_reward_head_that_does_not_fit_is_named(tmp_path):
    save_reward_model(RewardModel(lora(encoder_decoder())), tmp_path)
    save_file(RewardHead(12).state_dict(), tmp_path / "reward_head.safetensors")

    with pytest.raises(ValueError, match=r"reward_head\.safetensors"):
        load_reward_model(tmp_path, encoder_decoder())


def test_a_value_head_comes_back_in_its_type(tmp_path):
    head = value_head(16).double()
    nn.init.normal_(head.linear.weight)

    save_policy(lora(encoder_decoder()), tmp_path, head)
    _, again = load_policy(encoder_decoder(), tmp_path)

    assert torch.equal(again.linear.weight, head.linear.weight)


@pytest.mark.parametrize("save", [save_policy, lambda model, folder: save_reward_model(RewardModel(model), folder)])
def test_an_adapter_of_another_name_is_not_saved_away_from_its_head(tmp_path, save):
    policy = get_peft_model(encoder_decoder(), LoraConfig(), adapter_name="mine")

    with pytest.raises(ValueError, match='none of mine is called "default": make the adapter without'):
        save(policy, tmp_path)

    assert not list(tmp_path.iterdir())
