"""Every option of the four loops is read: changed alone, it changes the numbers of a tiny run."""

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from peft import PeftModel
from rlhf import (
    DPOConfig,
    GRPOConfig,
    PPOConfig,
    RewardConfig,
    RewardModel,
    collate_preferences,
    dpo,
    grpo,
    ppo,
    train_reward_model,
    value_head,
)
from tests.options import Change, cases, numbers, same, unlisted
from tests.rlhf.tiny import EOS, PAD, encoder_decoder, lora, prompts

PAIRS = collate_preferences(
    [([3, 4, 5, EOS], [4, EOS], [3, 3, EOS]), ([5, 3, EOS], [4, 5, EOS], [EOS]), ([4, EOS], [4, EOS], [5, EOS])] * 2,
    PAD,
)
RUN = {
    "learning_rate": Change(3e-3),
    "clip_norm": Change(1e-3),
    "seed": Change(1),
}
SAMPLING = {
    **RUN,
    "steps": Change(2),
    "epochs": Change(1),
    "max_new_tokens": Change(2),
    "temperature": Change(0.5),
    "clip": Change(1e-4),
    "missing_eos_penalty": Change(5.0, {"steps": 2}),
}
TABLES = {
    PPOConfig: {
        **SAMPLING,
        "batch_size": Change(6),
        "minibatches": Change(1),
        "beta": Change(0.5, {"steps": 2}),
        "kl_target": Change(1e-6, {"steps": 3}),
        "kl_horizon": Change(50, {"steps": 2}),
        "value_clip": Change(1e-4, {"steps": 2}),
        "value_weight": Change(0.5),
        "gamma": Change(0.5),
        "lam": Change(0.5),
        "whiten_rewards": Change(True),
        "whiten_advantages": Change(False),
        "stop_at": Change(1e-6),
        "adam_epsilon": Change(1e-2),
    },
    GRPOConfig: {
        **SAMPLING,
        "prompts": Change(1),
        "group_size": Change(3),
        "beta": Change(0.5),
        "kind": Change("k2"),
        "averaging": Change("constant", {"max_new_tokens": 8}),
        "divide_by_deviation": Change(False),
    },
    DPOConfig: {
        **RUN,
        "epochs": Change(3),
        "batch_size": Change(3),
        "loss": Change("ipo"),
        "beta": Change(0.3),
        "label_smoothing": Change(0.2),
    },
    RewardConfig: {**RUN, "epochs": Change(3), "batch_size": Change(3)},
}
WITH_A_FILE = {"checkpoint_every"}
"""What matters only where a file is named: `test_the_run_is_kept_every_so_many_steps`."""
BASE: dict[type, dict[str, Any]] = {
    PPOConfig: {"steps": 1, "batch_size": 8, "minibatches": 2, "epochs": 2, "kl_target": 0.5, "kl_horizon": 100},
    GRPOConfig: {"steps": 1, "prompts": 2, "group_size": 4, "epochs": 2},
    DPOConfig: {"epochs": 2, "batch_size": 4},
    RewardConfig: {"epochs": 2, "batch_size": 4},
}


def sum_of_tokens(source: Tensor, responses: Tensor, mask: Tensor) -> Tensor:
    """A judge that is rarely of one mind about two responses."""
    return (responses * mask).sum(dim=1).float()


def policy() -> PeftModel:
    """As small as it can be, and not sure what to say."""
    return lora(encoder_decoder(seed=2, num_decoder_layers=1), seed=1)


def result(config: type, **options: Any) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
    """The weights and the history of a tiny run."""
    sampling = {"max_new_tokens": 3} if "max_new_tokens" in config.__dataclass_fields__ else {}
    settings = config(**{"learning_rate": 2e-2, **sampling, **BASE[config], **options})
    torch.manual_seed(0)
    model, head = policy(), value_head(16)
    if config is PPOConfig:
        history = ppo(model, head, prompts(), sum_of_tokens, settings)
        return numbers(nn.ModuleList([model, head])), history
    if config is GRPOConfig:
        history = grpo(model, prompts(), sum_of_tokens, settings)
        return numbers(model), history
    if config is DPOConfig:
        history = dpo(model, PAIRS, settings)
        return numbers(model), history
    judge = RewardModel(model)
    history = train_reward_model(judge, PAIRS, settings)
    return numbers(judge), history


@cache
def plain(config: type, beside: tuple[tuple[str, Any], ...]) -> dict[str, Tensor]:
    return result(config, **dict(beside))[0]


@pytest.mark.parametrize(("config", "name", "change"), [case for one in TABLES.items() for case in cases(*one)])
def test_every_option_changes_the_weights(config: type, name: str, change: Change):
    weights = plain(config, tuple(change.beside.items()))

    changed, _ = result(config, **change.beside, **{name: change.value})

    assert not same(weights, changed), f"nothing reads {config.__name__}.{name}"


@pytest.mark.parametrize("config", TABLES)
def test_no_option_is_left_out(config: type):
    assert unlisted(config, TABLES[config], WITH_A_FILE) == set()


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_the_update_has_the_temperature_of_the_rollout(temperature: float):
    for config in (PPOConfig, GRPOConfig):
        _, history = result(config, steps=1, epochs=1, temperature=temperature, **one_minibatch(config))

        assert history[0]["kl"] == pytest.approx(0.0, abs=1e-6)
        assert history[0]["largest_ratio"] == pytest.approx(1.0, abs=1e-5)


def test_a_later_epoch_is_compared_with_the_rollout_and_not_with_itself():
    for config in (PPOConfig, GRPOConfig):
        _, history = result(config, steps=1, epochs=4, **one_minibatch(config))

        assert history[0]["approx_kl"] > 1e-5
        assert history[0]["largest_ratio"] > 1.01


def test_a_group_is_of_one_prompt():
    def first_letter(source: Tensor, responses: Tensor, mask: Tensor) -> Tensor:
        return source[:, 0].float()

    history = grpo(policy(), prompts(), first_letter, GRPOConfig(2, prompts=3, group_size=4, max_new_tokens=3))

    assert [record["silent_groups"] for record in history] == [1.0, 1.0]


def test_a_step_draws_different_prompts_while_there_are_enough():
    seen: list[Tensor] = []

    def kept(source: Tensor, responses: Tensor, mask: Tensor) -> Tensor:
        seen.append(source[:, 0])
        return torch.zeros(len(source))

    config = PPOConfig(3, batch_size=3, epochs=1, max_new_tokens=1)
    ppo(policy(), value_head(16), prompts(), kept, config)

    assert [sorted(source.tolist()) for source in seen] == [[3, 4, 5]] * 3


@pytest.mark.parametrize("config", [DPOConfig, RewardConfig])
def test_the_rate_falls_linearly_and_the_last_step_is_small(config: type, monkeypatch: pytest.MonkeyPatch):
    rates: list[float] = []
    step = torch.optim.Adam.step

    def noted(self: torch.optim.Adam, *arguments: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    result(config, epochs=2, batch_size=4, learning_rate=0.4)

    assert rates == pytest.approx([0.4, 0.3, 0.2, 0.1])


def one_minibatch(config: type) -> dict[str, int]:
    return {"minibatches": 1} if config is PPOConfig else {}
