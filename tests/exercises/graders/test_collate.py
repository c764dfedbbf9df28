"""Grader: teacher forcing. The decoder reads one step behind what it must say."""

import torch

from lessons.exercises.diagnosis import assert_matches
from transformer.learning.batching import collate

PAD, BOS, EOS = 9, 1, 2
PAIRS = [([5, 6, EOS], [11, 12, 13, EOS]), ([7, EOS], [14, EOS]), ([8, 8, 8, 8, EOS], [15, 16, EOS])]
LABELS = torch.tensor([[11, 12, 13, EOS], [14, EOS, PAD, PAD], [15, 16, EOS, PAD]])
SOURCE = torch.tensor([[5, 6, EOS, PAD, PAD], [7, EOS, PAD, PAD, PAD], [8, 8, 8, 8, EOS]])
INPUTS = torch.tensor([[BOS, 11, 12, 13], [BOS, 14, PAD, PAD], [BOS, 15, 16, PAD]])


def test_the_source_is_padded_on_the_right():
    assert_matches(collate(PAIRS, PAD, BOS).source, SOURCE, "batch source", name="source", dtype=torch.int64)


def test_the_labels_are_the_target_as_it_is():
    labels = collate(PAIRS, PAD, BOS).labels

    behind_bos = torch.tensor([[BOS, 11, 12, 13, EOS], [BOS, 14, EOS, PAD, PAD], [BOS, 15, 16, EOS, PAD]])
    assert labels.tolist() != behind_bos.tolist(), "value: labels begin with bos, which nobody has to predict"
    mistakes = {"the labels are shifted like the inputs": INPUTS}
    assert_matches(labels, LABELS, "batch target", name="labels", mistakes=mistakes)


def test_the_inputs_are_bos_and_then_the_target_without_its_last_token():
    inputs = collate(PAIRS, PAD, BOS).inputs

    with_eos = torch.tensor([[BOS, 11, 12, 13, EOS], [BOS, 14, EOS, PAD, PAD], [BOS, 15, 16, EOS, PAD]])
    assert inputs.tolist() != with_eos.tolist(), (
        "value: the last token stays in inputs; nothing has to be predicted from it"
    )
    cut_after_padding = torch.tensor([[BOS, 11, 12, 13], [BOS, 14, EOS, PAD], [BOS, 15, 16, EOS]])
    mistakes = {
        "the inputs are the labels themselves: the decoder reads what it must say": LABELS,
        "the last column is cut off, where the last token of each row must go": cut_after_padding,
        "the inputs begin with the padding id, where bos is wanted": torch.where(INPUTS == BOS, PAD, INPUTS),
    }
    assert_matches(inputs, INPUTS, "batch target", name="inputs", mistakes=mistakes)
