"""Mistakes that nobody prepared the cards for: most are named, and hardly one is named wrongly."""

import json
import random
from collections import Counter

import pytest

from lessons.exercises.catalogue import get
from lessons.exercises.exercise import Wrong
from lessons.exercises.grading.check import Grader
from lessons.exercises.recognition.changes import catalogued, changes
from lessons.exercises.selfcheck.trials import edited
from lessons.exercises.source import LIBRARY
from lessons.exercises.stub import live_source
from tests.exercises.unseen.__main__ import KEPT
from tests.exercises.unseen.measure import FALSE, HOLE, NAMED, measured
from tests.exercises.unseen.wrong import all_unseen


@pytest.mark.slow
def test_every_one_fits_the_live_source_and_is_in_no_catalogue():
    every = list(all_unseen())

    assert len(every) >= 200
    for unseen in every:
        source = unseen.source()
        compile(source, unseen.exercise.name, "exec")
        written = [edited(unseen.exercise, live_source(unseen.exercise), wrong) for wrong in unseen.exercise.wrong]
        assert source not in written, f"{unseen.label} is in the catalogue"


def test_the_kept_measurement_is_of_all_of_them_and_names_none_falsely():
    kept = json.loads(KEPT.read_text())

    assert sum(kept.values()) == len(list(all_unseen())), "measure anew: python -m tests.exercises.unseen"
    assert kept[NAMED] >= 0.9 * sum(kept.values())
    assert not kept.get(FALSE, 0) + kept.get(HOLE, 0)
    said = f"Of {sum(kept.values())} wrong solutions that stand in no catalogue {kept[NAMED] / sum(kept.values()):.0%} are named"
    assert said.replace("%", " %") in (LIBRARY / "CHANGELOG.md").read_text()


@pytest.mark.slow
def test_nine_of_ten_are_named_and_none_falsely():
    """Of a sample of 30; `python -m tests.exercises.unseen` measures all and prints what is open."""
    worth = {unseen.label: said for unseen, _, said in measured(random.Random(0).sample(list(all_unseen()), 30))}
    counts = Counter(worth.values())

    assert counts[NAMED] >= 27, {label: said for label, said in worth.items() if said != NAMED}
    assert not counts[FALSE] + counts[HOLE], [label for label in worth if worth[label] in (FALSE, HOLE)]


def test_a_catalogued_cause_is_told_as_the_graders_whole_sentence():
    exercise = get("scaled_dot_product_attention")

    said = [change.sentence for change in catalogued(exercise, live_source(exercise))]

    assert "the mask is read the other way round: True means may be attended to" in said
    assert not [each for each in said if each.count(" ") < 3]


def test_an_argument_that_is_used_twice_is_not_said_to_be_unused():
    source = live_source(get("trainable_numbers"))

    said = {change.sentence for change in changes(source, get("trainable_numbers").targets)}

    assert "parameters is not used at one of its places" in said
    assert "parameters is not used" not in said


@pytest.mark.slow
def test_a_cause_that_no_grader_knows_reaches_the_card_from_behind_the_wall():
    exercise = get("layer_norm")
    source = edited(exercise, live_source(exercise), Wrong("torch.rsqrt(variance", "torch.sqrt(variance", ""))

    result = Grader().check(exercise, source)

    assert "divided" in result.message.partition("\n")[0]
    assert "the call: LayerNorm(" in result.message


def test_a_cause_that_is_not_found_in_time_leaves_the_message_as_it_is(monkeypatch: pytest.MonkeyPatch):
    grader = Grader()

    def too_late(job, seconds):
        raise ConnectionError("the process that grades ended without a word")

    monkeypatch.setattr(grader.server, "run", too_late)

    assert grader.explained(get("layer_norm"), {}, [1], "the output differs") == "the output differs"
