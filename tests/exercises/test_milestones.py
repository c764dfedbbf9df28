"""What a student's own code does: it really runs, several files of one module are one, and a wrong one is heard."""

import importlib
import re

import pytest

from lessons.exercises.catalogue import all_exercises, get
from lessons.exercises.exercise import Wrong
from lessons.exercises.filling import filled
from lessons.exercises.grading.check import RUNNER
from lessons.exercises.grading.result import PASSED, Result
from lessons.exercises.grading.sandbox.forkserver import Forkserver
from lessons.exercises.grading.stage import perform, performance
from lessons.exercises.milestones.four_bits import carried
from lessons.exercises.milestones.plan import MILESTONES, SHIPPED, Run, after_passing, milestone_of, part
from lessons.exercises.milestones.reward import they_raise_it
from lessons.exercises.milestones.together import together
from lessons.exercises.selfcheck.trials import edited
from lessons.exercises.stub import live_source, stub_of
from lessons.exercises.student.commands import overview
from lessons.exercises.student.milestones import after_pass, milestone
from lessons.exercises.student.workbook import Workbook
from lessons.exercises.tracks import TRACKS
from lessons.task.shipped import shipped

EXERCISES = all_exercises()


@pytest.fixture(scope="module")
def server():
    found = Forkserver(RUNNER)
    yield found
    found.close()


def solved(name):
    """The stub as it is handed out, with its solution in it: the neighbours are left out."""
    exercise = get(name)
    return exercise, filled(stub_of(exercise), live_source(exercise), exercise.targets).text


def broken(name, old, new):
    exercise = get(name)
    return exercise, edited(exercise, live_source(exercise), Wrong(old, new, ""))


def performed(server, run, *files):
    texts, left_out = together({exercise.name: (exercise, source) for exercise, source in files})
    assert not left_out
    return perform(server, run, texts, [exercise for exercise, _ in files])


def test_the_plan_names_what_there_is():
    assert set(after_passing()) <= set(EXERCISES)
    assert all(shipped(method) for method in SHIPPED)
    for each in MILESTONES.values():
        assert set(each.main) <= set(EXERCISES)
        assert set(part(each))
    for run in [*after_passing().values(), *(each.run for each in MILESTONES.values())]:
        topic, _, function = run.function.partition(".")
        assert callable(getattr(importlib.import_module(f"lessons.exercises.milestones.{topic}"), function))
    assert milestone_of(13) is MILESTONES["lora"]
    assert milestone_of(32) is None


def test_two_files_of_one_module_are_one_with_what_each_has_of_its_own():
    norm, mine = solved("layer_norm")
    add, other = solved("add_norm")
    mine = mine.replace("class LayerNorm", "EXTRA = 3\n\n\ndef helper(x):\n    return x\n\n\nclass LayerNorm", 1)
    other = other.replace("self.dropout(", "1.0 * self.dropout(")

    texts, left_out = together({"layer_norm": (norm, mine), "add_norm": (add, other)})

    (text,) = texts.values()
    assert not left_out
    assert "EXTRA = 3" in text
    assert "def helper" in text
    assert "1.0 * self.dropout(" in text
    assert "NotImplementedError" not in text


def test_a_name_that_two_files_define_otherwise_leaves_the_later_one_out():
    (norm, mine), (add, other) = solved("layer_norm"), solved("add_norm")
    helper = "def helper(x):\n    return {}\n\n\nclass LayerNorm"

    texts, left_out = together(
        {
            "layer_norm": (norm, mine.replace("class LayerNorm", helper.format("x"), 1)),
            "add_norm": (add, other.replace("class LayerNorm", helper.format("2 * x"), 1)),
        }
    )

    assert "helper" in left_out["add_norm"]
    assert "2 * x" not in "".join(texts.values())


def test_what_is_no_python_or_empty_is_left_out_and_says_so():
    exercise = get("layer_norm")

    texts, left_out = together(
        {"layer_norm": (exercise, "def ("), "add_norm": (get("add_norm"), stub_of(get("add_norm")))}
    )

    assert not texts
    assert "line 1" in left_out["layer_norm"]
    assert "nothing is written" in left_out["add_norm"]


@pytest.mark.slow
def test_a_pass_is_heard_with_the_students_own_file_and_a_wrong_file_is_heard_too(server):
    right = after_pass(server, *solved("scaled_dot_product_attention"))
    wrong = after_pass(
        server, *broken("scaled_dot_product_attention", "scores.masked_fill(~mask", "scores.masked_fill(mask")
    )

    assert right.startswith("With your scaled_dot_product_attention, called ")
    assert "as the dictionary has it" in right
    assert "as the dictionary has it" not in wrong
    assert after_pass(server, *solved("embed_source")).startswith("With your TokenModel.embed_source, called once, ")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(after_passing()))
def test_every_pass_runs_its_own_functions(server, name):
    assert after_pass(server, *solved(name)).startswith("With your ")


def test_an_error_of_the_students_is_told_with_its_place(server):
    exercise, source = broken("feed_forward", "self.fc2(", "self.fc9(")

    done = performed(server, Run("speaking.tomato"), (exercise, source))

    assert "fc9" in done.problem
    assert "feed_forward.py" in done.problem


def test_who_ends_the_process_or_forges_an_answer_gets_a_sentence():
    assert "must not end it" in performance({"answer": ""}, []).problem
    assert "must not end it" in performance({"answer": '{"calls": 3}'}, []).problem
    assert performance({"ended": "it took too long"}, []).problem == "it took too long"


def passed(book, *files):
    for exercise, source in files:
        book.start(exercise)
        book.path(exercise).write_text(source)
        book.keep(exercise, Result(exercise.name, PASSED))


@pytest.mark.slow
def test_a_milestone_says_whose_code_ran_and_a_wrong_attention_shows_in_its_number(tmp_path, capsys):
    book = Workbook(tmp_path)
    passed(book, solved("layer_norm"), solved("add_norm"), solved("scaled_dot_product_attention"))

    assert milestone(["transformer", "--workbook", str(tmp_path)]) == 0
    right = capsys.readouterr().out
    passed(book, broken("scaled_dot_product_attention", "scores.masked_fill(~mask", "scores.masked_fill(mask"))
    assert milestone(["transformer", "--workbook", str(tmp_path)]) == 0
    wrong = capsys.readouterr().out

    assert percent(right) < 10 < percent(wrong)
    yours, _, library = right.partition("Still the library's:")
    assert all(name in yours for name in ("layer_norm (", "add_norm (", "scaled_dot_product_attention ("))
    assert "multi_head_attention" in library
    assert "layer_norm" not in library


def percent(printed):
    return float(printed.partition("are right; ")[2].partition(" %")[0])


def test_without_a_pass_a_milestone_says_where_to_begin(tmp_path, capsys):
    assert milestone(["four_bits", "--workbook", str(tmp_path)]) == 1
    assert "start pack_nibbles" in capsys.readouterr().out
    with pytest.raises(ValueError, match="there is no milestone 'x'; there are transformer, lora"):
        milestone(["x", "--workbook", str(tmp_path)])


def test_the_overview_names_every_track_and_milestone(tmp_path, capsys):
    overview(["--workbook", str(tmp_path)])

    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in [*TRACKS, *MILESTONES])
    assert "QLoRA in 5 exercises" in printed


def test_every_exercise_of_the_preferences_runs_in_their_milestone():
    assert set(MILESTONES["reward"].main) == set(part(MILESTONES["reward"]))


@pytest.mark.slow
def test_a_milestone_runs_what_it_says_it_runs(tmp_path, capsys):
    for name in ("reward", "four_bits"):
        book = Workbook(tmp_path / name)
        passed(book, *(solved(each) for each in part(MILESTONES[name])))
        assert milestone([name, "--workbook", str(book.folder)]) == 0
        printed = capsys.readouterr().out
        assert "Still the library's" not in printed
        assert "Left out" not in printed


@pytest.mark.slow
def test_four_bits_carry_british():
    *_, learnt, _, british = carried(**MILESTONES["four_bits"].run.given)
    first, last = (float(number) for number in re.findall(r"\d+\.\d+", learnt))
    before, after = (float(number) for number in re.findall(r"\d+\.\d+", british))
    assert last < 0.7 * first
    assert after < before


@pytest.mark.slow
def test_what_learns_from_preferences_raises_the_score_and_the_hidden_truth():
    lines = they_raise_it()
    assert [line.partition(":")[0] for line in lines] == ["PPO", "GRPO", "DPO"]
    for line in lines:
        score, better, truth, truer = (float(number) for number in re.findall(r"-?\d+\.\d+", line))
        assert score < better, line
        assert truth < truer, line
