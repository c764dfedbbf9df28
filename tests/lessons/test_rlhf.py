"""Learning from preferences: the two worlds, the arms, the rows that are kept."""

import json
from pathlib import Path
from statistics import mean

import pytest
import torch

from lessons.preferences import command, notes, notes_world, words_world
from lessons.preferences.tables import cells, shown
from lessons.preferences.world import Arm, run_arm
from lessons.task.dictionary import load, vocabulary
from lessons.task.scoring import source_batch
from rlhf.responses import response_mask

SOURCE = "ABklAmnC"
KEPT = Path(command.__file__).parents[1] / "results" / "rlhf.json"


def score(note: str, ended: bool = True) -> float:
    ids = [notes.FIRST + notes.ALPHABET.index(letter) for letter in note] + [notes.EOS] * ended
    source = [notes.FIRST + notes.ALPHABET.index(letter) for letter in SOURCE] + [notes.EOS]
    responses = torch.tensor([ids])
    return float(notes.gold(torch.tensor([source]), responses, response_mask(responses, notes.EOS)))


@pytest.mark.parametrize(
    ("note", "expected"),
    [("", 0.0), ("ABC", 3.0), ("A", 1.0), ("k", -0.5), ("ABk", 1.5), ("AA", 0.0), ("D", -1.0), ("ABCklmn", 1.0)],
)
def test_the_gold_of_a_note_is_what_the_docstring_says(note, expected):
    assert score(note) == expected


def test_a_note_without_an_end_costs_one_more():
    assert score("ABC", ended=False) == score("ABC") - 1.0


def test_what_stands_after_the_end_counts_for_nothing():
    source = notes.sources(3, torch.Generator().manual_seed(0))
    note = torch.tensor([[4, notes.EOS, notes.PAD, notes.PAD]]).expand(3, -1)
    longer = note.clone()
    longer[:, 2:] = 9

    same = [notes.gold(source, ids, response_mask(ids, notes.EOS)) for ids in (note, longer)]

    assert torch.equal(*same)


def test_what_the_first_model_learns_from_never_repeats_a_letter():
    generator = torch.Generator().manual_seed(1)
    for row in notes.sources(50, generator).tolist():
        copied = notes.half_copied(row, generator)
        assert copied[-1] == notes.EOS
        assert len(set(copied)) == len(copied)
        assert set(copied) <= set(row)


@pytest.mark.slow
def test_the_judge_prefers_the_better_note_more_often():
    first = notes.first_model(seed=0, steps=40)
    pairs = notes.judged_pairs(first, 300, seed=2)
    better, worse = (
        notes.gold(pairs.source, side, response_mask(side, notes.EOS, notes.PAD))
        for side in (pairs.chosen, pairs.rejected)
    )

    assert (better > worse).float().mean() > 0.6
    assert (better < worse).any()  # people disagree


@pytest.fixture(scope="module")
def world():
    return notes_world.make_world(seed=0, first_steps=30, pairs=80, sources=32)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arm", [Arm("PPO", 0.1, 1e-3, steps=2), Arm("GRPO", 0.0, 1e-3, steps=2), Arm("DPO", 0.1, 1e-3, epochs=1)], ids=str
)
def test_an_arm_trains_its_own_policy_and_says_where_it_ended(world, arm):
    row, again = (run_arm(world, arm, seed=3) for _ in range(2))

    assert row["final"] == again["final"]
    assert set(row["final"]) == {"proxy", "gold", "kl", "length"}
    assert row["final"]["kl"] != 0.0
    assert len(row["answers"]) == 8


@pytest.mark.slow
def test_an_arm_that_was_stopped_ends_with_the_same_numbers(world, tmp_path):
    arm = Arm("PPO", 0.1, 1e-3, steps=22)  # the run is kept after 20 steps
    whole = run_arm(world, arm, seed=3)

    def stop(step, _record):
        if step == 21:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_arm(world, arm, seed=3, checkpoint=tmp_path / "part.safetensors", on_step=stop)
    resumed = run_arm(world, arm, seed=3, checkpoint=tmp_path / "part.safetensors")

    assert resumed["final"] == whole["final"]


def test_the_truth_about_a_pronunciation_is_minus_its_edits():
    right = load("british")["bath"][0]
    source = source_batch(["bath"] * 2)
    said = torch.tensor([vocabulary().encode_pronunciation(text) for text in (right, right[:-1] + "t")])

    truth = words_world.minus_edits(source, said, response_mask(said, vocabulary().eos_id))

    assert truth.tolist() == [0.0, -1.0]


def test_rows_of_other_settings_have_other_files(tmp_path):
    quick, full = (command.path_of(tmp_path, "notes", 0, "PPO β=0", quick) for quick in (True, False))

    assert quick != full
    assert len({command.path_of(tmp_path, "notes", 0, name, True) for name in command.rows_of("notes", True)}) == 7


def test_rows_that_are_there_are_not_made_again(tmp_path):
    for name in command.rows_of("notes", True):
        path = command.path_of(tmp_path, "notes", 0, name, True)
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"arm": name}))

    command.run_seed("notes", 0, tmp_path, quick=True)

    assert len(list((tmp_path / "rows").iterdir())) == 7


def test_impossible_settings_are_refused(tmp_path):
    with pytest.raises(ValueError, match="--seeds 0"):
        command.main(["--seeds", "0", "--out", str(tmp_path)])


def test_a_cell_is_the_mean_and_the_deviation_over_seeds():
    rows = [{"final": {"proxy": value, "gold": 1.0, "kl": 2.0, "length": 3.0}} for value in (1.0, 2.0)]

    assert shown([1.0], ".1f") == "1.0"
    assert cells(rows, "notes") == ["1.50 ± 0.71", "1.00 ± 0.00", "2.0 ± 0.0", "3.0 ± 0.0"]


@pytest.fixture(scope="module")
def kept():
    """What the kept run ended with: world, arm and seed → its measures."""
    rows = json.loads(KEPT.read_text(encoding="utf-8"))["rows"]
    return {(row["world"], row["arm"], row["seed"]): row["final"] for row in rows}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_in_the_kept_run_the_hacked_reward_climbs_and_the_truth_falls(kept, seed):
    reference = kept["notes", "reference", seed]
    for arm in ("PPO β=0", "GRPO β=0"):
        assert kept["notes", arm, seed]["proxy"] > reference["proxy"] + 1
        assert kept["notes", arm, seed]["gold"] < reference["gold"] - 3


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_in_the_kept_run_a_price_holds_ppo_and_dpo_above_the_reference(kept, seed):
    reference = kept["notes", "reference", seed]["gold"]
    for arm in ("PPO β=0.1", "PPO β=0.4", "DPO β=0.1"):
        assert kept["notes", arm, seed]["gold"] > reference + 0.5, arm


def test_in_the_kept_run_grpo_goes_too_far_on_every_seed(kept):
    away = [kept["notes", "GRPO β=0.1", seed]["gold"] - kept["notes", "reference", seed]["gold"] for seed in range(3)]

    assert max(away) < 0


def test_in_the_kept_run_preferences_help_on_real_words_and_the_answer_helps_more(kept):
    def error(arm):
        return mean(kept["words", arm, seed]["word_error"] for seed in range(3))

    for arm in ("PPO β=0.1", "GRPO β=0.1", "DPO β=0.1"):
        assert error(command.ANSWER) < error(arm) - 0.08 < error("reference") - 0.08


def test_the_report_keeps_four_digits():
    assert command.four_digits({"a": [0.123456, 12345.6], "b": 123456, "c": "x"}) == {
        "a": [0.1235, 12350.0],
        "b": 123456,
        "c": "x",
    }
