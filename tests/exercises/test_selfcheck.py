"""Every exercise: the stub is not attempted, the solution passes, every wrong solution and every mutant fails."""

import pytest

from lessons.exercises.selfcheck import __main__ as selfcheck


@pytest.mark.slow
def test_every_exercise_stands_its_trials(capsys: pytest.CaptureFixture) -> None:
    assert selfcheck.main([]) == 0, capsys.readouterr().out[-4000:]
