"""Training: it learns, it decays matrices only, and a run that is killed and resumed is the run that was not."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.transformer import reversal, small
from tests.transformer.reversal import NEVER, fresh_model, pairs, settings
from transformer import (
    Transformer,
    collate,
    epoch_batches,
    generate,
    label_smoothed_cross_entropy,
    load_model,
    parameter_groups,
    train,
)
from transformer.learning.formats import read_tensors
from transformer.learning.training import first_positions

ROOT = Path(__file__).resolve().parents[2]


def weights(model) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


@pytest.fixture(scope="module")
def learned():
    """A model that has learned to reverse, with the loss of every step."""
    model = fresh_model(d_model=24, dropout=0.0)
    return model, train(model, pairs(), settings(150, label_smoothing=0.1, max_tokens=100))


def test_the_loss_falls_and_the_task_is_learned(learned):
    model, losses = learned
    batch = collate(pairs(), pad_id=0, bos_id=1)

    said = generate(model, batch.source, max_new_tokens=6)[:, 1:]

    assert len(losses) == 150
    assert sum(losses[-10:]) < 0.4 * sum(losses[:10])
    right = [row[: row.index(2) + 1] == target for row, (_, target) in zip(said.tolist(), pairs()) if 2 in row]
    assert sum(right) > 0.8 * len(said)


def test_a_token_that_never_occurs_is_never_said(learned):
    model, _ = learned
    batch = collate(pairs(), pad_id=0, bos_id=1)
    logits = model(batch.source, batch.inputs)[batch.labels != 0]

    assert NEVER not in generate(model, batch.source, max_new_tokens=12)
    assert NEVER not in generate(model, batch.source, max_new_tokens=12, num_beams=3)
    assert (logits[:, NEVER] < logits.max(dim=-1).values).all()


@pytest.mark.parametrize("tie", [True, False])
def test_the_row_of_a_token_that_never_occurs_stays_where_it_was(tie):
    model = fresh_model(tie_embeddings=tie)
    before = weights(model)

    train(model, pairs(), settings(5, label_smoothing=0.1, weight_decay=0.0))

    row = model.output.weight[NEVER]
    assert torch.equal(row, before["output.weight" if not tie else "source_embedding.weight"][NEVER])
    moved = (model.output.weight - before["output.weight" if not tie else "source_embedding.weight"]).abs().sum(dim=1)
    assert (moved[2:9] > 0).all()


def test_a_model_comes_back_in_evaluation_and_other_random_numbers_are_left_alone():
    model = fresh_model()
    torch.manual_seed(5)
    wanted = torch.randn(3)
    torch.manual_seed(5)

    train(model, pairs(), settings(2))

    assert not model.training
    assert torch.equal(torch.randn(3), wanted)


def test_the_loss_of_a_step_is_the_mean_over_its_real_tokens():
    model = fresh_model(dropout=0.0).eval()
    first = epoch_batches(pairs(), max_tokens=40, seed=3, epoch=0)[0]
    batch = collate([pairs()[index] for index in first], pad_id=0, bos_id=1)
    wanted = label_smoothed_cross_entropy(model(batch.source, batch.inputs), batch.labels, 0.1, never=(NEVER,))

    (loss,) = train(model, pairs(), settings(1, seed=3, label_smoothing=0.1))

    assert loss == pytest.approx(wanted.item(), rel=1e-5)


def test_decay_pulls_matrices_and_never_vectors():
    model = fresh_model()
    groups = parameter_groups(model, learning_rate=0.1, weight_decay=0.3)
    decayed, kept = (
        {id(p) for group in groups if group["weight_decay"] == w for p in group["params"]} for w in (0.3, 0.0)
    )

    for parameter in model.parameters():
        assert (id(parameter) in decayed) == (parameter.dim() == 2)
        assert (id(parameter) in kept) == (parameter.dim() == 1)
    assert all(group["lr"] == 0.1 for group in groups)


def test_what_is_frozen_is_in_no_group_and_does_not_move():
    model = fresh_model()
    model.encoder.requires_grad_(False)
    before = weights(model)

    train(model, pairs(), settings(3))

    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == name.startswith("encoder")


def test_each_group_keeps_its_own_rate_and_follows_the_schedule():
    model = fresh_model(dropout=0.0)
    still, moving = list(model.encoder.parameters()), list(model.decoder.parameters())
    before = weights(model)
    groups = [{"params": still, "lr": 1e-12, "weight_decay": 0.0}, {"params": moving, "lr": 0.5, "weight_decay": 0.0}]

    train(model, pairs(), settings(1, warmup=5), groups=groups)

    changed = {name: (parameter - before[name]).abs().max().item() for name, parameter in model.named_parameters()}
    assert max(change for name, change in changed.items() if name.startswith("encoder")) < 1e-9
    assert changed["decoder.layers.0.feed_forward.fc2.weight"] == pytest.approx(0.5 / 5, rel=1e-3)
    assert changed["source_embedding.weight"] == 0.0


def test_a_gradient_longer_than_the_clip_is_shortened_to_it():
    model, seen = fresh_model(dropout=0.0), []
    clip = torch.nn.utils.clip_grad_norm_

    def spy(parameters, limit):
        norm = clip(parameters, limit)
        seen.append((float(norm), float(sum(p.grad.square().sum() for p in parameters).sqrt())))
        return norm

    torch.nn.utils.clip_grad_norm_ = spy
    try:
        train(model, pairs(), settings(3, clip_norm=0.01))
    finally:
        torch.nn.utils.clip_grad_norm_ = clip

    for before, after in seen:
        assert before > 0.1
        assert after == pytest.approx(0.01, rel=1e-3)


def test_bf16_trains_single_precision_weights():
    model = fresh_model()

    losses = train(model, pairs(), settings(30, precision="bf16"))

    assert losses[-1] < losses[0]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_two_runs_with_one_seed_are_one_and_another_seed_is_another():
    outcomes = [train(fresh_model(), pairs(), settings(4, seed=seed)) for seed in (1, 1, 2)]

    assert outcomes[0] == outcomes[1] != outcomes[2]


def test_half_of_the_sources_begin_at_0_and_the_others_at_every_later_place_alike():
    torch.manual_seed(0)

    starts = torch.tensor(first_positions(31_000, last=15))

    assert starts.shape == (31_000, 1)
    counts = starts.flatten().bincount().tolist()
    assert counts[0] / 31_000 == pytest.approx(16 / 31, abs=0.01)
    assert len(counts) == 16
    assert all(count == pytest.approx(1_000, rel=0.15) for count in counts[1:])


def test_a_training_gives_its_model_a_start_for_every_row_and_only_where_it_is_asked():
    seen = []

    class Spy(Transformer):
        def encode(self, source, offset=0):
            seen.append(offset)
            return super().encode(source, offset)

    model = Spy(fresh_model().config)
    train(model, pairs(), settings(2))
    assert seen == [0, 0]

    train(model, pairs(), settings(2, first_position=5))

    rows = [len(batch) for batch in epoch_batches(pairs(), max_tokens=40, seed=0, epoch=0)[:2]]
    assert [tuple(starts.shape) for starts in seen[2:]] == [(count, 1) for count in rows]


def test_gradient_checkpointing_trains_to_the_same_numbers():
    plain, checkpointed = fresh_model(), fresh_model()
    checkpointed.gradient_checkpointing()

    assert train(plain, pairs(), settings(3)) == train(checkpointed, pairs(), settings(3))
    small.assert_equal(weights(plain), weights(checkpointed), atol=0.0, rtol=0.0)


class StopError(Exception):
    """Raised in the middle of a run."""


@pytest.mark.parametrize(("stop", "first_position"), [(3, 0), (4, 0), (9, 0), (13, 0), (9, 5)])
def test_a_run_that_is_stopped_and_resumed_ends_with_bit_equal_weights(tmp_path, stop, first_position):
    whole, interrupted, resumed = fresh_model(), fresh_model(), fresh_model()
    config = settings(14, first_position=first_position)
    wanted = train(whole, pairs(), config)
    steps = []

    def stopping(step: int, loss: float) -> None:
        if step == stop:
            raise StopError

    with pytest.raises(StopError):
        train(interrupted, pairs(), config, checkpoint=tmp_path / "new" / "run", on_step=stopping)
    losses = train(
        resumed, pairs(), config, checkpoint=tmp_path / "new" / "run", on_step=lambda step, _: steps.append(step)
    )

    assert steps[0] == 4 * ((stop - 1) // 4) + 1  # kept after 4, 8, 12
    assert losses == wanted
    small.assert_equal(weights(resumed), weights(whole), atol=0.0, rtol=0.0)


def test_a_run_that_trains_a_part_and_one_that_does_not_reach_all_are_kept(tmp_path):
    def some(model: Transformer) -> list[dict]:
        model.register_parameter("unread", torch.nn.Parameter(torch.ones(3)))
        return [{"params": [*model.decoder.parameters(), model.unread], "lr": 0.01}]

    whole, stopped, resumed = fresh_model(), fresh_model(), fresh_model()
    wanted = train(whole, pairs(), settings(6), some(whole))

    def stopping(step: int, loss: float) -> None:
        if step == 5:
            raise StopError

    with pytest.raises(StopError):
        train(stopped, pairs(), settings(6), some(stopped), tmp_path / "run", stopping)

    assert train(resumed, pairs(), settings(6), some(resumed), tmp_path / "run") == wanted
    small.assert_equal(weights(resumed), weights(whole), atol=0.0, rtol=0.0)


def test_the_folders_of_a_checkpoint_are_made(tmp_path):
    path = tmp_path / "of" / "a" / "run"

    train(fresh_model(), pairs(), settings(1), checkpoint=path)

    assert path.is_file()


def test_a_run_that_is_done_is_not_done_again(tmp_path):
    wanted = train(fresh_model(), pairs(), settings(5), checkpoint=tmp_path / "run")
    again, steps = fresh_model(), []

    losses = train(again, pairs(), settings(5), checkpoint=tmp_path / "run", on_step=lambda *step: steps.append(step))

    assert losses == wanted
    assert steps == []


@pytest.fixture
def one_thread():
    """As in reversal.py: sums over several threads are rounded in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_training_that_is_killed_and_started_again_ends_as_the_one_that_was_not(tmp_path):
    """kill -9, at a step that no one chose; the weights are equal to the bit."""
    whole = fresh_model()
    wanted = train(whole, pairs(), settings(50, first_position=5))
    command = [sys.executable, "-m", "tests.transformer.reversal", str(tmp_path), "50"]
    running = subprocess.Popen(command, cwd=ROOT)
    wait_for(lambda: (tmp_path / "training.safetensors").exists(), running)

    running.send_signal(signal.SIGKILL)

    assert running.wait() == -signal.SIGKILL
    assert not (tmp_path / "losses.json").exists()
    subprocess.run(command, cwd=ROOT, check=True)
    assert (tmp_path / "losses.json").read_text() == str(wanted)
    small.assert_equal(weights(load_model(tmp_path)), weights(whole), atol=0.0, rtol=0.0)


def wait_for(condition, running: subprocess.Popen, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert running.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < end, "it never began"
        time.sleep(0.001)


def test_a_full_disk_stops_the_run_and_leaves_its_last_state(tmp_path, monkeypatch):
    path = tmp_path / "run"
    train(fresh_model(), pairs(), settings(4), checkpoint=path)
    before = path.read_bytes()

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        train(fresh_model(), pairs(), settings(3), checkpoint=tmp_path / "other")
    monkeypatch.undo()

    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


def test_only_what_is_trained_is_kept(tmp_path):
    model = fresh_model()
    model.requires_grad_(False)
    model.decoder.layers[0].feed_forward.fc2.bias.requires_grad_(True)

    train(model, pairs(), settings(2), checkpoint=tmp_path / "run")

    tensors, _ = read_tensors(tmp_path / "run")
    name = "decoder.layers.0.feed_forward.fc2.bias"
    assert set(tensors) == {f"{kind}.{name}" for kind in ("model", "step", "exp_avg", "exp_avg_sq")}


@pytest.mark.parametrize(
    ("model", "config", "message"),
    [
        ({}, {"learning_rate": 0.5}, r"kept by a run with other settings, .*0\.01.*: name another file or remove it"),
        ({}, {"steps": 6}, "kept by a run with other settings"),
        ({"num_decoder_layers": 2}, {}, r"kept by another model: it differs in .*decoder\.layers\.1"),
        (
            {"d_ff": 28},
            {},
            r"kept by another model: its encoder\S+fc1.weight is \(20, 12\), this model's is \(28, 12\)",
        ),
    ],
)
def test_the_state_of_another_run_is_refused_and_left_alone(tmp_path, model, config, message):
    path = tmp_path / "run"
    train(fresh_model(), pairs(), settings(2), checkpoint=path)
    before = path.read_bytes()
    other = fresh_model(**model)
    untouched = weights(other)

    with pytest.raises(ValueError, match=message):
        train(other, pairs(), replace(settings(2), **config), checkpoint=path)

    assert path.read_bytes() == before
    small.assert_equal(weights(other), untouched, atol=0.0, rtol=0.0)


def test_a_truncated_state_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "run"
    train(fresh_model(), pairs(), settings(2), checkpoint=path)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(ValueError, match=r"no whole safetensors file.*make it again"):
        train(fresh_model(), pairs(), settings(2), checkpoint=path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"warmup": 0}, "warmup must be at least 1, not 0"),
        ({"max_tokens": 0}, "max_tokens must be at least 1, not 0"),
        ({"checkpoint_every": 0}, "checkpoint_every must be at least 1, not 0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, not 0.0"),
        ({"clip_norm": -1.0}, "clip_norm must be positive, not -1.0"),
        ({"first_position": -1}, "first_position must not be negative: -1"),
        ({"weight_decay": -0.1}, "weight_decay must not be negative: -0.1"),
        ({"label_smoothing": 1.0}, r"label_smoothing must lie in \[0, 1\), not 1.0"),
        ({"betas": (0.9, 1.5)}, r"betas must lie in \[0, 1\), not 1.5"),
    ],
)
def test_impossible_settings_are_refused_before_a_run_begins(changes, message):
    with pytest.raises(ValueError, match=message):
        reversal.settings(**{"steps": 3, **changes})


def test_a_training_of_nothing_is_refused():
    model = fresh_model()
    with pytest.raises(ValueError, match="there are no pairs to train on"):
        train(model, [], settings(1))

    model.requires_grad_(False)
    with pytest.raises(ValueError, match="nothing is trainable: every parameter is frozen"):
        train(model, pairs(), settings(1))
