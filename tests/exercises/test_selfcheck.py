"""Every exercise: the stub is not attempted, the solution passes, every wrong solution and every mutant fails."""

import pytest

from lessons.exercises.catalogue import all_exercises
from lessons.exercises.selfcheck import __main__ as selfcheck
from lessons.exercises.selfcheck import trials


@pytest.mark.parametrize("name", ["layer_norm", "sample"])
def test_every_wrong_solution_is_also_given_to_the_judge_alone(name):
    exercise = all_exercises()[name]
    alone = [trial.source for trial in trials.trials(exercise, with_mutants=False) if not trial.tests]

    assert len(alone) == len(exercise.wrong)
    assert alone == [trial.source for trial in trials.trials(exercise, False) if trial.label.startswith("wrong")][::2]


@pytest.mark.slow
@pytest.mark.alone
def test_every_exercise_stands_its_trials(capsys: pytest.CaptureFixture) -> None:
    assert selfcheck.main([]) == 0, capsys.readouterr().out[-4000:]
