"""Grader: learned vectors in front of the words."""

import numpy as np
import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from peft.prompt_tuning import PromptInput, in_front
from tests.exercises.graders import given
from tests.reference.prompts import with_prompt
from transformer.embedding import SourceInput

BATCH, SOURCE, PROMPT, D_MODEL = 2, 4, 3, 5


@pytest.fixture
def words():
    mask = torch.tensor([[True] * 4, [True, True, False, False]])[:, None, None, :]
    return given.normal(BATCH, SOURCE, D_MODEL), mask


@pytest.fixture
def prompt():
    return given.normal(PROMPT, D_MODEL)


def test_the_prompt_stands_in_front_of_the_words_of_every_row(prompt, words):
    x, mask = words

    vectors, _ = in_front(prompt, x, mask)

    right, _ = with_prompt(prompt.numpy(), x.numpy(), mask.numpy())
    mistakes = {
        "the prompt stands behind the words": torch.cat([x, prompt.expand(BATCH, -1, -1)], dim=1),
        "the prompt is turned around": torch.cat([prompt.flip(0).expand(BATCH, -1, -1), x], dim=1),
    }
    assert_matches(vectors, right, "batch prompt_and_source d_model", name="the vectors", mistakes=mistakes)


def test_everybody_sees_the_prompt_and_padding_stays_padding(prompt, words):
    x, mask = words

    _, longer = in_front(prompt, x, mask)

    _, right = with_prompt(prompt.numpy(), x.numpy(), mask.numpy())
    behind = np.concatenate([right[..., PROMPT:], right[..., :PROMPT]], axis=-1)
    mistakes = {
        "the prompt is masked out": np.concatenate([~right[..., :PROMPT], right[..., PROMPT:]], axis=-1),
        "the True columns stand behind the words' own": behind,
    }
    assert_matches(longer, right, "batch 1 1 prompt_and_source", name="the mask", dtype=torch.bool, mistakes=mistakes)


def test_the_layer_puts_its_own_prompt_in_front_of_what_the_base_gives(prompt, words):
    layer = PromptInput(Doubled(), prompt)

    vectors, mask = layer(*words)

    wanted = with_prompt(prompt.numpy(), 2 * words[0].numpy(), words[1].numpy())
    assert_matches(
        vectors, wanted[0], "batch prompt_and_source d_model", name="the vectors (the base here doubles its input)"
    )
    assert_matches(mask, wanted[1], "batch 1 1 prompt_and_source", name="the mask")


def test_gradients_reach_the_prompt(prompt, words):
    layer = PromptInput(SourceInput(), prompt)

    layer(*words)[0].sum().backward()

    assert layer.prompt_embeddings.grad is not None, "gradient: no gradient reaches the prompt"
    assert_matches(
        layer.prompt_embeddings.grad, np.full((PROMPT, D_MODEL), BATCH), "prompt d_model", name="the prompt's gradient"
    )


class Doubled(SourceInput):
    """A way in that is not the identity."""

    def forward(self, x, mask):
        return 2 * x, mask
