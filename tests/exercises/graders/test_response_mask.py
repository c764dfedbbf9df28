"""Grader: where a response ends."""

import torch

from lessons.exercises.diagnosis import assert_matches
from rlhf.responses import response_mask

EOS = 2
RESPONSES = torch.tensor([[5, 6, 2, 0, 0], [2, 7, 2, 2, 4], [8, 9, 4, 5, 6], [3, 2, 2, 0, 2]])
RIGHT = torch.tensor([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]).bool()


def test_the_end_is_a_token_of_the_response_and_what_follows_is_not():
    mask = response_mask(RESPONSES, EOS)

    before_end = (RESPONSES == EOS).cumsum(1) == 0
    mistakes = {
        "the end itself is left out: to end is a choice like every other": before_end,
        "only padding is left out, whatever stands behind the end": RESPONSES != 0,
        "every end counts, where the first one does": (RESPONSES == EOS).flip(1).cumsum(1).flip(1) > 0,
        "it is the other way round: True means a token of the response": ~RIGHT,
        "only the end is True": RESPONSES == EOS,
    }
    assert_matches(mask, RIGHT, "batch time", name="the mask", dtype=torch.bool, mistakes=mistakes)


def test_the_id_of_the_end_is_the_one_that_was_given():
    mask = response_mask(RESPONSES, 6)

    assert mask.tolist()[0] == [True, True, False, False, False], "value: eos_id 6 is not looked at"


def test_padding_behind_a_response_that_was_cut_off_is_not_real():
    cut_off = torch.tensor([[5, 6, 0, 7, 0, 0], [4, 0, 2, 0, 0, 0], [5, 6, 7, 8, 9, 4]])
    right = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]]).bool()

    mask = response_mask(cut_off, EOS, pad_id=0)

    mistakes = {
        "padding in the middle is left out: only what nothing real follows": right & (cut_off != 0),
        "the padding behind is still there": response_mask(cut_off, EOS),
    }
    assert_matches(mask, right, "batch time", name="the mask", dtype=torch.bool, mistakes=mistakes)


def test_where_padding_is_the_end_the_first_one_is_the_end():
    padded = torch.tensor([[5, 6, 2, 2, 2], [4, 2, 2, 2, 2], [5, 6, 7, 8, 9]])
    right = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1]]).bool()

    mask = response_mask(padded, EOS, pad_id=EOS)

    mistakes = {"where one id is both, the end is taken for padding": padded != EOS}
    assert_matches(mask, right, "batch time", name="the mask", dtype=torch.bool, mistakes=mistakes)
