"""How much data: the runs on few and many words."""

import json

import pytest

from lessons.compare import amounts
from lessons.compare.amounts import QUARTERS, main, run
from lessons.task.base import base_hash

CURVE = [{"step": 300, "training": 0.25, "british": 0.5, "american": 0.75}]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["bitfit", "scratch"])
def test_a_run_measures_before_the_first_step_and_after_each_quarter(method, monkeypatch):
    monkeypatch.setattr(amounts, "TEST_WORDS", 12)
    measured = run(method, amount=20, seed=0, steps=QUARTERS)

    assert [point["step"] for point in measured] == [0, 1, 2, 3, 4]
    assert all(0.0 <= point[name] <= 1.0 for point in measured for name in ("training", "british", "american"))
    assert (measured[0]["british"] == 1.0) == (method == "scratch")


def test_a_finished_run_is_not_run_again(tmp_path):
    out = tmp_path / "amounts.json"
    settings = {"steps": 300, "test_words": 500, "training_words": 100, "base": base_hash()}
    row = {"method": "lora", "words": 100, "seed": 0, "curve": CURVE}
    out.write_text(json.dumps({"rows": [row]} | settings))

    assert main(["--methods", "lora", "--words", "100", "--jobs", "1", "--out", str(out)]) == 0

    assert json.loads(out.read_text())["rows"] == [row]


@pytest.mark.parametrize("other", [{"steps": 8}, {"base": "another"}])
def test_runs_of_other_settings_do_not_mix(tmp_path, other):
    out = tmp_path / "amounts.json"
    kept = {"rows": [{"method": "lora", "words": 100, "seed": 0, "curve": CURVE}], "steps": 12, "base": base_hash()}
    out.write_text(json.dumps(kept | {"test_words": 500, "training_words": 100} | other))

    with pytest.raises(ValueError, match="other settings"):
        main(["--steps", "12", "--out", str(out)])


def test_steps_that_have_no_quarters_are_refused():
    with pytest.raises(ValueError, match="301 cannot be cut into 4"):
        main(["--steps", "301"])
