"""Preference pairs out of single ratings, and how agreement is counted."""

import json
from pathlib import Path

import numpy as np

import lessons
from lessons.data.feedback import RatedSentence
from lessons.preferences.rated_pairs import agreements, rated_pairs
from lessons.preferences.ratings import VADER, table

GOOD = RatedSentence("good", (3, 3, 3, 3))
MIXED = RatedSentence("mixed", (-1, 0, 1, 2))
BAD = RatedSentence("bad", (-3, -3, -2, -2))
SENTENCES = [GOOD, MIXED, BAD]


def test_the_higher_rating_is_preferred():
    pairs = rated_pairs([GOOD, BAD], 40, np.random.default_rng(0))

    assert len(pairs.chosen) == 40
    assert set(pairs.chosen) == {0}
    assert set(pairs.rejected) == {1}
    assert (pairs.confirmed == 1.0).all()


def test_ties_are_left_out():
    same = RatedSentence("the same", (3, 3))

    assert len(rated_pairs([GOOD, same], 20, np.random.default_rng(0)).chosen) == 0


def test_people_who_contradict_each_other_are_counted_as_such():
    split = [RatedSentence("one", (-4, 4)), RatedSentence("two", (0, 0))]

    pairs = rated_pairs(split, 30, np.random.default_rng(0))

    assert (pairs.confirmed == 0.0).all()
    assert {0, 1} == set(pairs.chosen)


def test_a_reward_that_is_the_mean_rating_agrees_with_people_and_its_opposite_does_not():
    right = np.array([3.0, 0.5, -2.5])

    found, opposite = (agreements(SENTENCES, rewards, np.random.default_rng(1)) for rewards in (right, -right))

    assert found["model"] > 0.95
    assert opposite["model"] < 0.05
    assert found["people"] == opposite["people"] > 0.9
    assert found["correlation"] == -opposite["correlation"]


def test_the_kept_run_holds_every_domain_and_no_model_agrees_more_than_people_do():
    kept = json.loads((Path(lessons.__file__).parent / "results" / "ratings.json").read_text())

    assert set(kept["domains"]) == set(VADER)
    assert all(0.5 < cells["model"] < cells["people"] for cells in kept["domains"].values())
    assert table(kept).row_count == 4
