"""Every exercise: the stub is not attempted, the solution passes, every wrong solution and every mutant fails."""

import pytest

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.exercise import Wrong
from lessons.exercises.grading.check import Grader, Strictness
from lessons.exercises.grading.result import FAILED, Result
from lessons.exercises.grading.sandbox.forkserver import Forkserver
from lessons.exercises.selfcheck import __main__ as selfcheck
from lessons.exercises.selfcheck import trials
from lessons.exercises.stub import live_source


@pytest.mark.parametrize("name", ["layer_norm", "sample"])
def test_every_wrong_solution_is_also_given_to_the_judge_alone(name):
    exercise = all_exercises()[name]
    alone = [trial.source for trial in trials.trials(exercise, with_mutants=False) if not trial.tests]

    assert len(alone) == len(exercise.wrong)
    assert alone == [trial.source for trial in trials.trials(exercise, False) if trial.label.startswith("wrong")][::2]


@pytest.mark.parametrize("causes", [True, False])
def test_a_grader_looks_for_causes_where_it_is_asked_to(causes, monkeypatch):
    asked = []
    monkeypatch.setattr(Grader, "explained", lambda grader, *given: asked.append(given) or given[-1])
    exercise = all_exercises()["grpo_advantages"]
    source = trials.edited(
        exercise, live_source(exercise), Wrong("groups.mean(dim=1, keepdim=True)", "rewards.mean()", "")
    )
    grader = Grader(Strictness(causes=causes))

    results = [grader.check(exercise, source, tests) for tests in (True, False)]
    grader.server.close()

    assert [result.status for result in results] == [FAILED, FAILED]
    assert len(asked) == 2 * causes


def test_the_cause_of_a_mutant_is_not_looked_for(monkeypatch):
    sought = []
    monkeypatch.setattr(Forkserver, "start", lambda server: None)
    monkeypatch.setattr(
        Grader, "check", lambda grader, *given: sought.append(grader.strictness.causes) or Result("", "")
    )
    exercise = all_exercises()["layer_norm"]

    tried = [trial for trial, _ in trials.problems([exercise], workers=1) if trial.source]

    assert sought == [trial.tests and not trial.label.startswith("mutant") for trial in tried]
    assert {True, False} == set(sought)


@pytest.mark.slow
@pytest.mark.alone
def test_every_exercise_stands_its_trials(capsys: pytest.CaptureFixture) -> None:
    assert selfcheck.main([]) == 0, capsys.readouterr().out[-4000:]
