"""Positions: the waves, the table, and offsets into both."""

import numpy as np
import pytest
import torch

from tests.reference.positions import sinusoidal_positions
from tests.transformer import small
from transformer import sinusoidal_positional_encoding
from transformer.embedding import LearnedPositions, RotaryPositions, SinusoidalPositions


@pytest.mark.parametrize("d_model", [1, 2, 7, 12])
def test_sinusoidal_positions_are_the_reference_for_odd_sizes_too(d_model):
    encoding = sinusoidal_positional_encoding(9, d_model, torch.float64)

    np.testing.assert_allclose(encoding, sinusoidal_positions(9, d_model), atol=1e-12)


def test_a_step_in_time_is_a_rotation_of_each_pair():
    encoding = sinusoidal_positional_encoding(20, 6, torch.float64)
    sine, cosine = encoding[:, 0::2], encoding[:, 1::2]
    angle = 3 / 10000 ** (torch.arange(0, 6, 2) / 6)

    torch.testing.assert_close(sine[3:], sine[:-3] * angle.cos() + cosine[:-3] * angle.sin(), atol=1e-6, rtol=0.0)


def test_a_model_that_becomes_double_has_double_positions():
    exact = sinusoidal_positional_encoding(50, 12, torch.float64)
    positions = SinusoidalPositions(50, 12)

    assert positions(50).dtype == torch.float32
    assert torch.equal(positions.double()(50), exact)
    assert torch.equal(positions.bfloat16().double()(50), exact)


@pytest.mark.parametrize("kind", [SinusoidalPositions, RotaryPositions])
def test_what_can_be_computed_is_no_parameter_and_is_not_saved(kind):
    assert list(kind(5, 4).parameters()) == []
    assert kind(5, 4).state_dict() == {}


def test_positions_move_with_their_model():
    assert SinusoidalPositions(5, 4).to("meta").table.is_meta


def test_learned_positions_start_as_the_field_starts_them():
    assert abs(float(LearnedPositions(200, 50).weight.detach().std()) - 0.02) < 0.001


@pytest.mark.parametrize("kind", [SinusoidalPositions, LearnedPositions, RotaryPositions])
def test_an_offset_continues_where_the_past_ended(kind):
    positions = kind(10, 6)

    assert torch.equal(torch.cat([positions(4), positions(3, offset=4)]), positions(7))
    assert torch.equal(positions(10)[:7], positions(7))


@pytest.mark.parametrize("kind", [SinusoidalPositions, LearnedPositions])
def test_every_row_may_begin_at_a_position_of_its_own(kind):
    positions = kind(10, 6)

    own = positions(4, torch.tensor([[0], [5]]))

    assert torch.equal(own, torch.stack([positions(4), positions(4, offset=5)]))


def test_a_model_places_the_rows_of_a_source_where_it_is_told_to():
    model = small.model()
    x, _ = model.embed_source(small.SOURCE)

    placed = model.place_source(x, torch.tensor([[0], [3], [7]]))

    for row, start in enumerate((0, 3, 7)):
        assert torch.equal(placed[[row]], model.place_source(x[[row]], start))
    assert torch.equal(placed[:1], model.place_source(x[:1]))
    torch.testing.assert_close(placed[1], x[1] + model.source_positions(8)[3:])


def test_learned_positions_of_the_two_sides_are_two_tables():
    model = small.model(positions="learned")

    assert model.source_positions.weight.shape == (16, 12)
    assert model.source_positions.weight is not model.target_positions.weight


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("tie", [True, False])
def test_scaled_embeddings_start_with_unit_variance(scale, tie):
    model = small.Transformer(small.config(vocab_size=900, d_model=48, scale_embeddings=scale, tie_embeddings=tie))
    source = torch.arange(3, 900)[:, None]

    x, mask = model.embed_source(source)

    assert mask.all()
    assert abs(x.std() - (1.0 if scale else 0.02)) < 0.01
