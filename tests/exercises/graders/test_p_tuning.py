"""Grader: a prompt that comes out of a small network."""

import pytest
import torch

from lessons.exercises.diagnosis import assert_matches
from peft.p_tuning import EncodedPromptInput, PromptEncoder
from tests.exercises.graders import given
from tests.reference.prompts import lstm_encoder, mlp_encoder
from transformer.embedding import SourceInput

PROMPT, D_MODEL, HIDDEN = 4, 6, 3
REFERENCE = {"MLP": mlp_encoder, "LSTM": lstm_encoder}


def encoder(kind, **settings):
    return given.shaken(PromptEncoder(PROMPT, D_MODEL, HIDDEN, kind, **settings))


@pytest.mark.parametrize("kind", ["MLP", "LSTM"])
def test_the_prompt_is_what_the_network_makes_of_the_embedding(kind):
    module = encoder(kind)

    prompt = module()

    mistakes = {"the network is not used: that is the embedding": module.embedding}
    if kind == "LSTM":
        alone = module.head(module.lstm(module.embedding[None])[0][0])
        mistakes["every vector is a sequence of its own: the LSTM runs over the wrong axis"] = alone
    assert_matches(
        prompt, REFERENCE[kind](given.arrays(module)), "prompt d_model", name="the prompt", mistakes=mistakes
    )


@pytest.mark.parametrize("kind", ["MLP", "LSTM"])
def test_the_result_is_the_prompt_without_a_gradient(kind):
    module = encoder(kind)

    kept = module.result()

    assert_matches(kept, module().detach(), "prompt d_model", name="the kept prompt")
    assert not kept.requires_grad, "property: what is kept carries no gradient"


def test_the_result_is_taken_without_dropout_and_the_mode_stays():
    module = encoder("LSTM", dropout=0.5).train()
    still = module.eval()().detach()

    kept = module.train().result()

    assert_matches(kept, still, "prompt d_model", name="the kept prompt")
    assert module.training, "property: a module in training mode is in training mode afterwards"
    module.eval().result()
    assert not module.training, "property: a module in evaluation mode is in evaluation mode afterwards"


def test_the_layer_puts_the_prompt_in_front():
    layer = EncodedPromptInput(SourceInput(), encoder("MLP"))
    x, mask = given.normal(2, 3, D_MODEL), torch.ones(2, 1, 1, 3, dtype=torch.bool)

    vectors, longer = layer(x, mask)

    wanted = torch.cat([layer.encoder().expand(2, -1, -1), x], dim=1)
    assert_matches(vectors, wanted, "batch prompt_and_source d_model", name="the vectors")
    assert longer.shape[-1] == PROMPT + 3, f"shape: the mask has {longer.shape[-1]} columns, expected {PROMPT + 3}"


@pytest.mark.parametrize("trains", [True, False])
def test_when_the_encoder_is_dropped_its_prompt_stays(trains):
    layer = EncodedPromptInput(SourceInput(), encoder("MLP").requires_grad_(trains))
    wanted = layer.encoder().detach()

    layer.drop_encoder()

    assert layer.encoder is None, "property: the encoder is gone"
    assert isinstance(layer.prompt_embeddings, torch.nn.Parameter), "kind: the prompt is a parameter now"
    assert_matches(layer.prompt(), wanted, "prompt d_model", name="the prompt after dropping")
    assert layer.prompt_embeddings.requires_grad == trains, "property: it is trained if the encoder was"
    layer.drop_encoder()
