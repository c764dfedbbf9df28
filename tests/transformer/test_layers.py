"""Feed forward, encoder and decoder: the reference, torch's own, and what the order of norm and residual changes."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.reference import encoder_decoder as reference
from tests.transformer import small
from tests.transformer.copies import torch_layer, torch_names, torch_stack
from tests.transformer.small import random, shaken
from transformer import Decoder, DecoderLayer, Encoder, EncoderLayer, FeedForward, causal_mask

BATCH, SOURCE, TARGET = 3, 5, 4
ORDERS = pytest.mark.parametrize("order", ["post", "pre"])
REAL = torch.arange(SOURCE) < torch.tensor([[5], [3], [1]])
"""Which source positions are real: three rows of unequal length."""


def inputs(d_model: int = 12) -> tuple[Tensor, Tensor]:
    return random(BATCH, SOURCE, d_model).requires_grad_(), random(BATCH, TARGET, d_model).requires_grad_()


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_tanh", "silu"])
def test_feed_forward_is_the_reference_with_every_activation(activation):
    module = shaken(FeedForward(5, 7, activation))
    x = random(SOURCE, 5)

    wanted = reference.feed_forward(x.numpy(), small.arrays(module), activation)

    np.testing.assert_allclose(module(x).detach(), wanted, atol=1e-13)


def test_an_unknown_activation_is_refused():
    with pytest.raises((ValueError, TypeError), match=r"swish|activation"):
        FeedForward(5, 7, "swish")


@ORDERS
def test_an_encoder_layer_is_the_reference(order):
    layer = shaken(EncoderLayer(small.config(norm=order, activation="gelu")))
    x, _ = inputs()

    output = layer(x, REAL[:, None, None]).detach()

    for row in range(BATCH):
        mask = np.tile(REAL[row], (SOURCE, 1))
        wanted = reference.encoder_layer(x[row].detach().numpy(), small.arrays(layer), 3, order, mask, "gelu")
        np.testing.assert_allclose(output[row], wanted, atol=1e-12)


@ORDERS
def test_a_decoder_layer_is_the_reference(order):
    layer = shaken(DecoderLayer(small.config(norm=order)))
    memory, x = inputs()

    output = layer(x, memory, causal_mask(TARGET), REAL[:, None, None]).detach()

    for row in range(BATCH):
        wanted = reference.decoder_layer(
            x[row].detach().numpy(),
            memory[row].detach().numpy(),
            small.arrays(layer),
            3,
            order,
            causal_mask(TARGET).numpy(),
            np.tile(REAL[row], (TARGET, 1)),
        )
        np.testing.assert_allclose(output[row], wanted, atol=1e-12)


@ORDERS
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_layers_and_their_gradients_are_those_of_torch(order, activation):
    config = small.config(norm=order, activation=activation)
    ours = shaken(EncoderLayer(config)), shaken(DecoderLayer(config))
    theirs = [torch_layer(layer, config) for layer in ours]
    memory, x = inputs()

    outputs = ours[0](memory, REAL[:, None, None]), ours[1](x, memory, causal_mask(TARGET), REAL[:, None, None])
    wanted = (
        theirs[0](memory, src_key_padding_mask=~REAL),
        theirs[1](x, memory, tgt_mask=~causal_mask(TARGET), memory_key_padding_mask=~REAL),
    )

    for our, their, output, want in zip(ours, theirs, outputs, wanted):
        torch.testing.assert_close(output, want)
        assert_same_gradients(our, their, output, want, (memory, x))


def assert_same_gradients(our: nn.Module, their: nn.Module, output: Tensor, want: Tensor, inputs: tuple) -> None:
    combination = random(*output.shape)
    for y in (output, want):
        y.backward(combination, inputs=[*inputs, *our.parameters(), *their.parameters()], retain_graph=True)
    small.assert_equal(
        torch_names(our, {name: parameter.grad for name, parameter in our.named_parameters()}),
        {name: parameter.grad for name, parameter in their.named_parameters()},
    )


@ORDERS
def test_stacks_are_those_of_torch_with_a_last_norm_in_pre_norm_only(order):
    config = small.config(norm=order, num_encoder_layers=3)
    encoder, decoder = shaken(Encoder(config)), shaken(Decoder(config))
    source, x = inputs()

    memory = encoder(source, REAL[:, None, None])
    output = decoder(x, memory, REAL[:, None, None])
    wanted_memory = torch_stack(encoder, config)(source, src_key_padding_mask=~REAL)
    wanted = torch_stack(decoder, config)(
        x, wanted_memory, tgt_mask=~causal_mask(TARGET), memory_key_padding_mask=~REAL
    )

    torch.testing.assert_close(memory, wanted_memory)
    torch.testing.assert_close(output, wanted)
    combination = random(*output.shape)
    for ours, theirs in zip(*(torch.autograd.grad(y, (source, x), combination) for y in (output, wanted))):
        torch.testing.assert_close(ours, theirs)


def test_a_pre_norm_layer_whose_sublayers_say_nothing_is_the_identity():
    layer = silenced(EncoderLayer(small.config(norm="pre")).double())
    x, _ = inputs()

    assert torch.equal(layer(x), x)


def test_a_post_norm_layer_whose_sublayers_say_nothing_is_its_norms():
    layer = silenced(shaken(EncoderLayer(small.config(norm="post"))))
    x, _ = inputs()

    torch.testing.assert_close(layer(x), layer.feed_forward_norm.norm(layer.self_attention_norm.norm(x)))


def silenced(layer: EncoderLayer) -> EncoderLayer:
    for projection in (layer.self_attention.out_proj, layer.feed_forward.fc2):
        nn.init.zeros_(projection.weight)
        nn.init.zeros_(projection.bias)
    return layer


def test_a_stack_of_no_layers_is_what_came_in():
    config = small.config(num_encoder_layers=0, num_decoder_layers=0)
    source, x = inputs()

    assert torch.equal(Encoder(config)(source), source)
    assert torch.equal(Decoder(config)(x, source), x)
