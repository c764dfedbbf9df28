"""Grader: where a prompt starts."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_matches, assert_refused
from peft.prompt_tuning import PromptTuningConfig
from tests.exercises.graders import given

PROMPT = 5


def started(model, **settings):
    prompt = PromptTuningConfig(num_virtual_tokens=PROMPT, **settings).start(model)
    assert prompt is not None, "kind: start returns nothing: is `return` missing?"
    return prompt.detach()


def test_random_is_standard_normal():
    model = given.model(d_model=120)

    prompt = started(model)

    assert prompt.shape == (PROMPT, 120), (
        f"shape: (prompt, d_model) = ({PROMPT}, 120) is wanted, not {tuple(prompt.shape)}"
    )
    assert float(prompt.std()) == pytest.approx(1.0, abs=0.1), (
        f"value: the deviation is 1, not {float(prompt.std()):.3f}"
    )
    assert not torch.equal(prompt[0], prompt[1]), "value: the rows differ"


@pytest.mark.parametrize("scaled", [True, False])
def test_a_text_starts_at_its_tokens_vectors_as_the_encoder_sees_them(scaled):
    model = given.model(scale_embeddings=scaled)

    prompt = started(model, prompt_tuning_init="TEXT", prompt_tuning_init_token_ids=(7, 3))

    root = model.config.d_model**0.5
    rows = (root if scaled else 1.0) * model.source_embedding.weight[[7, 3, 7, 3, 7]]
    once = torch.cat([rows[:2], torch.zeros(3, model.config.d_model)])
    mistakes = {
        "the text is not repeated until the prompt is full": once,
        "each token is repeated, where the text as a whole is": rows[[0, 0, 0, 1, 1]],
    }
    assert_matches(prompt, rows, "prompt d_model", scales={"√d_model": root}, mistakes=mistakes)


def test_a_long_text_is_cut():
    model = given.model()

    prompt = started(model, prompt_tuning_init="TEXT", prompt_tuning_init_token_ids=(3, 4, 5, 6, 7, 8, 9))

    root = model.config.d_model**0.5
    assert_matches(prompt, root * model.source_embedding.weight[3:8], "prompt d_model", scales={"√d_model": root})


def test_sampled_rows_are_rows_of_the_vocabulary():
    model = given.model()

    prompt = started(model, prompt_tuning_init="SAMPLE_VOCAB")

    rows = model.embedding_scale * model.source_embedding.weight.detach()
    known = [(rows - row).abs().max(dim=1).values.min() < 1e-9 for row in prompt]
    assert all(known), "value: each row is a vector of the vocabulary, scaled as the encoder sees it"
    other = started(model, prompt_tuning_init="SAMPLE_VOCAB")
    assert not torch.equal(prompt, other), "property: the rows are drawn at random"


def test_a_token_outside_of_the_vocabulary_is_refused():
    asked = PromptTuningConfig(PROMPT, prompt_tuning_init="TEXT", prompt_tuning_init_token_ids=(3, 17))

    assert_refused(asked.start, given.model())
