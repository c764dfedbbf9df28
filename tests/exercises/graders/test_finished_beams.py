"""Grader: the best finished sequences of every source."""

import torch

from lessons.exercises.diagnosis import assert_matches
from transformer.decoding.beam import NEVER, Finished

PAD = 0


def finished(beams=2):
    return Finished(batch=2, beams=beams, pad_id=PAD, device=torch.device("cpu"))


FIRST = torch.tensor([[[1, 5, 2], [1, 6, 2]], [[1, 7, 2], [1, 8, 2]]])
SECOND = torch.tensor([[[1, 5, 9, 2], [1, 6, 9, 2]], [[1, 7, 9, 2], [1, 8, 9, 2]]])


def test_the_best_stay_with_the_best_first():
    kept = finished()

    kept.add(FIRST, torch.tensor([[-0.5, -0.9], [-0.7, NEVER]]))
    kept.add(SECOND, torch.tensor([[-0.6, -0.4], [NEVER, -0.3]]))

    assert_matches(kept.scores, [[-0.4, -0.5], [-0.3, -0.7]], "batch beams", name="the scores")
    tokens = [[[1, 6, 9, 2], [1, 5, 2, PAD]], [[1, 8, 9, 2], [1, 7, 2, PAD]]]
    assert_matches(kept.tokens, tokens, "batch beams time", name="the tokens")


def test_what_is_shorter_is_padded_behind():
    kept = finished(beams=1)

    kept.add(FIRST[:, :1], torch.tensor([[-0.1], [-0.1]]))
    kept.add(SECOND[:, :1], torch.tensor([[-0.2], [-0.2]]))

    assert_matches(kept.tokens, [[[1, 5, 2, PAD]], [[1, 7, 2, PAD]]], "batch beams time", name="the tokens")


def test_a_running_prefix_can_improve_when_a_place_is_free_or_held_by_a_worse_one():
    kept = finished()
    kept.add(FIRST, torch.tensor([[-0.5, -0.9], [-0.7, NEVER]]))

    answers = kept.can_improve(torch.tensor([-0.9, -5.0]))

    assert answers.tolist() == [False, True], (
        "value: the worst kept score is -0.9 for source 0, which -0.9 does not beat, and a free place for source 1, "
        f"which everything beats; came {answers.tolist()}"
    )
    assert kept.can_improve(torch.tensor([-0.8, -0.6])).tolist() == [True, True], (
        "value: -0.8 beats the worst kept, -0.9"
    )
