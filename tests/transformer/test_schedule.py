"""Learning-rate schedules."""

import numpy as np
import pytest

from tests.reference import schedule as reference
from transformer import TrainingConfig, cosine_schedule, noam_schedule
from transformer.learning.schedule import constant_schedule

STEPS = range(1, 101)


@pytest.mark.parametrize(("d_model", "warmup"), [(512, 40), (7, 1), (12, 1000)])
def test_noam_is_the_paper(d_model, warmup):
    rates = [noam_schedule(step, d_model, warmup) for step in STEPS]

    np.testing.assert_allclose(rates, reference.noam(100, d_model, warmup), rtol=1e-13)


def test_noam_is_highest_at_the_end_of_its_warmup():
    rates = [noam_schedule(step, 512, 40) for step in STEPS]

    assert rates.index(max(rates)) == 39


@pytest.mark.parametrize(("total", "warmup"), [(100, 10), (80, 1), (90, 89)])
def test_cosine_is_the_reference_and_stays_down_after_the_end(total, warmup):
    factors = [cosine_schedule(step, total, warmup) for step in STEPS]

    np.testing.assert_allclose(factors, reference.cosine(100, total, warmup), atol=1e-13)
    assert factors[warmup - 1] == max(factors) == 1.0


def test_a_run_that_is_all_warmup_only_rises():
    assert [cosine_schedule(step, total=3, warmup=5) for step in (1, 2, 3)] == [0.2, 0.4, 0.6]


def test_constant_rises_and_stays():
    assert [constant_schedule(step, warmup=4) for step in (1, 2, 4, 5, 100)] == [0.25, 0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("noam", noam_schedule(7, 64, 5)), ("constant", 1.0), ("cosine", cosine_schedule(7, 20, 5))],
)
def test_a_training_follows_the_schedule_that_it_names(name, wanted):
    assert TrainingConfig(steps=20, schedule=name, warmup=5).rate_factor(7, d_model=64) == wanted


@pytest.mark.parametrize(
    "schedule",
    [noam_schedule, lambda s, d, w: cosine_schedule(s, 9, w), lambda s, d, w: constant_schedule(s, w)],
)
@pytest.mark.parametrize(("step", "warmup"), [(0, 4), (3, 0)])
def test_steps_count_from_one(schedule, step, warmup):
    with pytest.raises(ValueError, match=f"not step {step} and warmup {warmup}"):
        schedule(step, 8, warmup)
