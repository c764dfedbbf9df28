"""What all four loops promise: a start at the reference, one seed one run, a kill that changes nothing, no NaN weight."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
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
    response_log_prob,
    train_reward_model,
    value_head,
)
from rlhf.dpo import both_log_probs
from rlhf.rollout import check_scores
from rlhf.run import Run, draw, seeded
from tests.reference.rlhf import adam_of_tensorflow
from tests.rlhf.tiny import BOS, EOS, PAD, decoder_only, encoder_decoder, lora, prompts

PAIRS = collate_preferences(
    [([3, 4, 5, EOS], [4, EOS], [3, 3, EOS]), ([5, 3, EOS], [4, 5, EOS], [EOS]), ([4, EOS], [4, EOS], [5, EOS])] * 4,
    PAD,
)
SMALL = {"max_new_tokens": 4, "checkpoint_every": 2, "learning_rate": 5e-3}


def count_of_fours(source: Tensor, responses: Tensor, mask: Tensor) -> Tensor:
    return ((responses == 4) & mask).sum(dim=1).float()


def base() -> nn.Module:
    return encoder_decoder(seed=2, num_decoder_layers=1)


def start() -> tuple[nn.Module, nn.Module]:
    """A policy, dropout and all, and a value head."""
    return lora(base(), seed=1), value_head(16)


def run_ppo(steps: int, **options: object) -> tuple[nn.Module, list]:
    policy, head = start()
    config = PPOConfig(steps, batch_size=8, minibatches=2, epochs=2, kl_target=0.5, kl_horizon=100, **SMALL)
    return nn.ModuleList([policy, head]), ppo(policy, head, prompts(), count_of_fours, config, **options)


def run_grpo(steps: int, **options: object) -> tuple[nn.Module, list]:
    policy, _ = start()
    config = GRPOConfig(steps, prompts=2, group_size=4, epochs=2, **SMALL)
    return policy, grpo(policy, prompts(), count_of_fours, config, **options)


def run_dpo(steps: int, **options: object) -> tuple[nn.Module, list]:
    policy, _ = start()
    return policy, dpo(
        policy, PAIRS, DPOConfig(epochs=steps, batch_size=12, learning_rate=5e-3, checkpoint_every=2), **options
    )


def run_reward(steps: int, **options: object) -> tuple[nn.Module, list]:
    torch.manual_seed(4)
    model = RewardModel(lora(base()))
    config = RewardConfig(epochs=steps, batch_size=12, learning_rate=5e-3, checkpoint_every=2)
    return model, train_reward_model(model, PAIRS, config, (PAIRS.source, PAIRS.rejected), **options)


LOOPS = {"ppo": run_ppo, "grpo": run_grpo, "dpo": run_dpo, "reward": run_reward}
loops = pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
Loop = Callable[..., tuple[nn.Module, list]]


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


@cache
def whole_run(loop: Loop) -> tuple[dict[str, Tensor], list]:
    """The weights and the history of four steps that nothing interrupts."""
    model, history = loop(4)
    return weights(model), history


@loops
def test_a_seed_decides_every_number(loop: Loop):
    model, history = loop(4)

    first, first_history = whole_run(loop)
    assert history == first_history
    assert equal(weights(model), first)


@loops
def test_a_killed_run_goes_on_to_the_same_numbers(loop: Loop, tmp_path: Path):
    whole, history = whole_run(loop)
    file = tmp_path / "run.safetensors"

    def kill(step: int, record: dict[str, float]) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop(4, checkpoint=file, on_step=kill)
    steps: list[int] = []
    resumed, continued = loop(4, checkpoint=file, on_step=lambda step, record: steps.append(step))

    assert steps == [3, 4]
    assert continued == history
    assert equal(whole, weights(resumed))


@loops
def test_another_runs_file_is_refused(loop: Loop, tmp_path: Path):
    loop(1, checkpoint=tmp_path / "run.safetensors")

    with pytest.raises(ValueError, match="kept by a run with other settings"):
        loop(3, checkpoint=tmp_path / "run.safetensors")


@loops
def test_it_trains_the_adapter_and_leaves_the_base_and_the_adapters_switch_alone(loop: Loop):
    before = weights(base())

    model, _ = loop(2)

    policy = next(module for module in model.modules() if isinstance(module, PeftModel))
    assert policy.active == ("default",)
    trained = [p for p in policy.adapters["default"].own_parameters().values() if p.requires_grad]
    assert any(p.abs().sum() > 0 for name, p in policy.adapters["default"].own_parameters().items() if "lora_B" in name)
    assert all(p.isfinite().all() for p in trained)
    assert equal(before, weights(policy.unload()))


def test_ppo_starts_at_the_reference_with_ratio_1():
    _, history = run_ppo(1)
    policy, head = start()
    config = PPOConfig(1, batch_size=8, epochs=1, max_new_tokens=4)
    first = ppo(policy, head, prompts(), count_of_fours, config)[0]

    assert history[0]["kl"] == first["kl"] == 0.0
    assert first["ratio"] == pytest.approx(1.0, abs=1e-6)
    assert first["largest_ratio"] == pytest.approx(1.0, abs=1e-5)
    assert first["clipped"] == 0.0
    assert first["approx_kl"] == pytest.approx(0.0, abs=1e-9)


def test_grpo_starts_at_the_reference_with_a_loss_near_0():
    policy, _ = start()
    first = grpo(policy, prompts(), count_of_fours, GRPOConfig(1, prompts=2, group_size=4, **SMALL))[0]

    assert first["kl"] == 0.0
    assert first["ratio"] == pytest.approx(1.0, abs=1e-6)
    assert first["loss"] == pytest.approx(0.0, abs=1e-6)


def test_dpo_starts_at_ln_2():
    _, history = run_dpo(1)

    assert history[0]["loss"] == pytest.approx(math.log(2), abs=1e-7)
    assert history[0]["margin"] == history[0]["chosen_log_ratio"] == 0.0


def test_a_response_is_as_likely_as_all_of_its_tokens_together():
    policy, _ = start()
    source, responses = prompts(), torch.tensor([[4, 5, EOS, PAD], [EOS, PAD, PAD, PAD], [3, 3, 5, PAD]])

    found = response_log_prob(policy.eval(), source, responses)

    for row, length in enumerate([3, 1, 3]):
        alone = [BOS, *responses[row, :length].tolist()]
        log_probs = policy(source[[row]], torch.tensor([alone[:-1]]))[0].log_softmax(dim=-1)
        wanted = sum(log_probs[t, token] for t, token in enumerate(alone[1:]))
        torch.testing.assert_close(found[row], wanted)


def test_the_end_counts_where_padding_is_the_same_id():
    policy = lora(decoder_only(pad_id=EOS)).eval()
    pairs = collate_preferences([([3, 4], [5, 3, EOS], [EOS])], EOS)

    chosen, rejected = both_log_probs(policy, pairs)

    log_probs = policy(torch.tensor([[3, 4, 5, 3]]))[0, 1:].log_softmax(dim=-1)
    torch.testing.assert_close(chosen[0], log_probs[0, 5] + log_probs[1, 3] + log_probs[2, EOS])
    torch.testing.assert_close(rejected[0], log_probs[0, EOS])


def test_only_the_measured_judge_is_recorded_and_not_learnt_from():
    measured = {"fives": lambda source, responses, mask: ((responses == 5) & mask).sum(dim=1).float()}

    (plain, history), (watched, with_measure) = run_ppo(2), run_ppo(2, measures=measured)

    assert equal(weights(plain), weights(watched))
    assert [{**record, "fives": row["fives"]} for record, row in zip(history, with_measure)] == with_measure


@pytest.mark.parametrize("loop", [run_ppo, run_grpo])
def test_a_measure_that_has_the_name_of_a_column_is_refused(loop: Loop):
    with pytest.raises(ValueError, match="the run measures length, reward itself: give"):
        loop(1, measures={"reward": count_of_fours, "fours": count_of_fours, "length": count_of_fours})


@pytest.mark.parametrize("loop", [run_ppo, run_grpo])
def test_a_reward_of_nan_stops_the_run_before_a_weight_is_touched(loop: Loop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tests.rlhf.test_loops.count_of_fours", lambda s, r, m: torch.full((len(s),), float("nan")))
    seen: list[nn.Module] = []
    fresh = start()
    monkeypatch.setattr("tests.rlhf.test_loops.start", lambda: seen.append(fresh[0]) or fresh)
    before = weights(fresh[0])

    with pytest.raises(ValueError, match="the reward is nan in row 0"):
        loop(2)

    assert equal(before, weights(fresh[0]))


def test_rewards_that_are_all_equal_move_nothing_in_grpo():
    policy, _ = start()
    before = weights(policy)

    history = grpo(
        policy, prompts(), lambda s, r, m: torch.full((len(s),), 0.3), GRPOConfig(2, prompts=2, group_size=4, **SMALL)
    )

    assert equal(before, weights(policy))
    assert [record["silent_groups"] for record in history] == [1.0, 1.0]


def test_a_response_that_does_not_end_pays_for_it():
    seen = {}
    for penalty in (0.0, 50.0):
        policy, head = start()
        config = PPOConfig(
            4, batch_size=32, max_new_tokens=2, beta=0.0, learning_rate=4e-2, missing_eos_penalty=penalty
        )
        seen[penalty] = ppo(policy, head, prompts(), lambda s, r, m: torch.zeros(len(s)), config)[-1]["ended"]

    assert seen[50.0] > seen[0.0] + 0.2


def test_a_step_that_goes_too_far_ends_early():
    policy, head = start()
    config = PPOConfig(1, batch_size=16, epochs=40, max_new_tokens=4, learning_rate=2e-2, stop_at=0.02)

    record = ppo(policy, head, prompts(), count_of_fours, config)[0]

    assert 1 <= record["updates"] < 40
    assert record["approx_kl"] <= 0.02


def test_a_step_makes_one_update_at_least():
    policy, head = start()

    def with_dropout(*_: object) -> None:  # so that the first update's policy is not the rollout's
        policy.train()

    head.register_forward_hook(with_dropout)
    config = PPOConfig(1, batch_size=16, epochs=3, stop_at=1e-12, **SMALL)

    assert ppo(policy, head, prompts(), count_of_fours, config)[0]["updates"] == 1


def test_the_adaptive_price_is_recorded_and_rises_with_the_divergence():
    policy, head = start()
    config = PPOConfig(
        3, batch_size=32, epochs=2, max_new_tokens=4, beta=0.01, kl_target=1e-3, kl_horizon=100, learning_rate=2e-2
    )

    history = ppo(policy, head, prompts(), count_of_fours, config)

    assert history[-1]["beta"] > history[0]["beta"]


def test_adam_takes_the_steps_of_tensorflow():
    gradients = [np.array([1e-4, 0.3, -2.0]), np.array([-2e-4, 0.2, -2.5]), np.array([3e-4, 0.4, -1.5])]
    model = nn.Linear(3, 1, bias=False).double()
    nn.init.zeros_(model.weight)
    settings = {"steps": 10**9, "learning_rate": 0.01, "seed": 0, "checkpoint_every": 1}
    run = Run({"model": model}, settings, (), epsilon=1e-5)

    next(run.steps())
    for gradient in gradients:
        run.descend((model.weight * torch.tensor(gradient)).sum(), clip_norm=1e9)

    wanted = adam_of_tensorflow(gradients, 0.01, 0.9, 0.999, 1e-5)
    np.testing.assert_allclose(model.weight.detach().numpy()[0], wanted, rtol=1e-6)


def test_a_loss_that_is_no_number_touches_no_weight():
    model = nn.Linear(2, 1)
    before = weights(model)
    run = Run({"model": model}, {"steps": 1, "learning_rate": 0.1, "seed": 0, "checkpoint_every": 1}, ())

    with pytest.raises(ValueError, match="no weight was changed"):
        run.descend(model.weight.sum() * float("nan"), clip_norm=1.0)

    assert equal(before, weights(model))


def test_a_loss_that_is_no_number_is_told_with_its_step():
    model = nn.Linear(2, 1)
    run = Run({"model": model}, {"steps": 9, "learning_rate": 0.1, "seed": 0, "checkpoint_every": 1}, ("loss",))
    run.record({"loss": 0.5})

    with pytest.raises(ValueError, match="step 2: the loss is nan"):
        run.descend(model.weight.sum() * float("nan"), clip_norm=1.0)


def test_a_run_is_kept_every_so_many_steps_and_at_its_end_with_what_no_loss_reached(tmp_path: Path):
    file, kept = tmp_path / "run.safetensors", []
    modules = {"reached": nn.Linear(2, 1), "idle": nn.Linear(2, 1)}
    of_the_run = (modules, {"steps": 3, "learning_rate": 0.1, "seed": 0, "checkpoint_every": 2}, ("loss",), file)
    run = Run(*of_the_run)

    for step, _ in run.steps():
        run.descend(modules["reached"].weight.sum(), clip_norm=1.0)
        run.record({"loss": float(step)})
        kept.append(len(Run(*of_the_run).history) if file.is_file() else 0)

    assert kept == [0, 2, 3]


def test_what_is_drawn_hangs_on_the_steps_generator_alone():
    cpu = torch.device("cpu")

    for size in (2, 50):
        first = draw(3, size, seeded(0, 1, cpu))
        torch.rand(1)
        assert torch.equal(draw(3, size, seeded(0, 1, cpu)), first)


def test_no_two_steps_of_whatever_seeds_draw_the_same():
    steps = [(seed, step) for seed in range(4) for step in range(50)]

    assert len({seeded(*step, torch.device("cpu")).initial_seed() for step in steps}) == len(steps)


def test_a_seed_may_be_as_large_as_the_clock():
    assert seeded(1_800_000_000_000_000_000, 7, torch.device("cpu")).initial_seed() >= 0
    assert seeded(5, 7, torch.device("cpu")).initial_seed() == 5 * 1_000_003 + 7


@pytest.mark.parametrize("loop", [run_ppo, run_grpo])
def test_no_prompts_are_said(loop: Loop, monkeypatch: pytest.MonkeyPatch):
    none = prompts()[:0]
    monkeypatch.setattr("tests.rlhf.test_loops.prompts", lambda: none)

    with pytest.raises(ValueError, match="there are no prompts to draw from"):
        loop(1)


def test_a_rule_that_gives_no_tensor_is_refused():
    with pytest.raises(TypeError, match="the reward is a tensor of one number for each response, not list"):
        check_scores([0.5, 1.0], 2)


def test_a_policy_with_nothing_to_train_is_refused():
    policy, _ = start()
    policy.requires_grad_(False)

    with pytest.raises(ValueError, match="nothing is trainable"):
        dpo(policy, PAIRS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PPOConfig(0), "steps must be at least 1, not 0"),
        (lambda: PPOConfig(1, epochs=0), "epochs must be at least 1, not 0"),
        (lambda: PPOConfig(1, learning_rate=-1.0), "learning_rate must be positive, not -1.0"),
        (lambda: PPOConfig(1, clip_norm=float("nan")), "clip_norm must be a finite number, not nan"),
        (lambda: PPOConfig(1, clip_norm=0.0), "clip_norm must be positive, not 0.0"),
        (lambda: PPOConfig(1, gamma=1.5), r"gamma must lie in \[0, 1\], not 1.5"),
        (lambda: PPOConfig(1, batch_size=4, minibatches=5), "minibatches 5 .* batch_size 4"),
        (lambda: PPOConfig(1, kl_target=1.0, beta=0.0), "beta must be positive, not 0.0"),
        (
            lambda: PPOConfig(1, kl_target=1.0, kl_horizon=20, batch_size=100),
            "batch_size 100 .* five times kl_horizon 20",
        ),
        (lambda: PPOConfig(1, temperature=0.0), "temperature must be positive, not 0.0"),
        (lambda: GRPOConfig(1, group_size=1), "group_size must be at least 2, not 1"),
        (lambda: GRPOConfig(1, prompts=0), "prompts must be at least 1, not 0"),
        (lambda: GRPOConfig(1, beta=-0.1), "beta must not be negative: -0.1"),
        (lambda: DPOConfig(beta=0.0), "beta must be positive, not 0.0"),
        (lambda: DPOConfig(loss="ipo", label_smoothing=0.1), "label smoothing"),
        (lambda: DPOConfig(label_smoothing=0.5), "label_smoothing must lie in"),
        (lambda: DPOConfig(batch_size=0), "batch_size must be at least 1, not 0"),
        (lambda: RewardConfig(epochs=0), "epochs must be at least 1, not 0"),
        (lambda: RewardConfig(checkpoint_every=0), "checkpoint_every must be at least 1, not 0"),
    ],
)
def test_impossible_settings_are_refused_with_the_number(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_outermost_settings_are_taken():
    assert PPOConfig(1, kl_target=1.0, kl_horizon=20, batch_size=99).kl_horizon == 20
    assert PPOConfig(1, beta=0.0, value_weight=0.0, kl_horizon=1, gamma=1.0, lam=1.0).beta == 0.0
    assert GRPOConfig(1, beta=0.0).beta == 0.0


def test_the_price_of_the_next_step_follows_the_divergence_of_this_one():
    _, history = run_ppo(1)

    assert history[0]["beta"] == pytest.approx(0.1 * (1 - 0.2 * 8 / 100))  # no divergence yet: the price falls


def test_the_values_go_towards_the_returns():
    policy, head = start()
    config = PPOConfig(1, batch_size=6, epochs=2, max_new_tokens=3, beta=0.0, learning_rate=1e-2)

    ppo(policy, head, prompts(), lambda source, responses, mask: torch.ones(len(source)), config)

    assert head.linear.bias.item() > 0.0


def test_a_group_is_silent_where_all_of_its_rewards_are_equal():
    policy, _ = start()
    config = GRPOConfig(1, prompts=2, group_size=3, max_new_tokens=2)

    record = grpo(policy, prompts(), lambda s, r, m: torch.tensor([5.0, 5.0, 5.0, 0.0, 1.0, 2.0]), config)[0]

    assert record["silent_groups"] == 0.5
