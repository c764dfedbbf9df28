import copy

import pytest
import torch
from safetensors.torch import save
from torch import nn

from quant import FP4_CODEBOOK, DirectQ4, Linear4bit, LinearQ4, encode_q4_1, linear_layers, quantize_model
from transformer import Transformer, TransformerConfig


def transformer(**changes):
    sizes = {"vocab_size": 11, "d_model": 32, "num_heads": 4, "num_encoder_layers": 2, "num_decoder_layers": 1}
    return Transformer(TransformerConfig(**(sizes | {"d_ff": 48, "dropout": 0.0, "max_length": 9} | changes))).eval()


IDS = torch.tensor([[3, 4, 5, 0], [6, 7, 8, 9]])


@pytest.mark.parametrize("tie_embeddings", [True, False])
def test_every_linear_layer_but_the_output_is_quantized_in_place(tie_embeddings):
    model = transformer(tie_embeddings=tie_embeddings)
    linear = {row.path for row in linear_layers(model) if row.path != "output"}

    returned = quantize_model(model)

    assert returned is model
    assert {path for path, module in model.named_modules() if isinstance(module, Linear4bit)} == linear
    assert len(linear) == 2 * 6 + 10


def test_the_model_still_answers_nearly_the_same():
    model = transformer()
    expected = model(IDS, IDS)
    logits = quantize_model(copy.deepcopy(model), compute_dtype=torch.float32)(IDS, IDS)
    assert 0 < (logits - expected).norm() / expected.norm() < 0.3


def test_no_gradient_reaches_a_quantized_weight_and_the_rest_trains():
    model = quantize_model(transformer())
    model(IDS, IDS).sum().backward()
    names = [name for name, parameter in model.named_parameters() if parameter.grad is not None]
    assert "encoder.layers.0.feed_forward.fc1.bias" in names
    assert not any(name.endswith(("proj.weight", "fc1.weight", "fc2.weight")) for name, _ in model.named_parameters())


def test_a_tied_matrix_is_never_quantized():
    model = nn.ModuleDict({"embed": nn.Embedding(20, 16), "inner": nn.Linear(16, 16), "head": nn.Linear(16, 20)})
    model["head"].weight = model["embed"].weight

    quantize_model(model, skip=())

    assert type(model["head"]) is nn.Linear
    assert model["head"].weight is model["embed"].weight
    assert [(row.path, row.kind) for row in linear_layers(model)] == [("inner", "nf4"), ("head", "tied")]


def test_one_module_in_two_places_stays_one_module():
    inner = nn.Linear(16, 16)
    model = quantize_model(nn.Sequential(inner, nn.ReLU(), inner))
    assert isinstance(model[0], Linear4bit)
    assert model[0] is model[2]


def test_modules_that_are_not_exactly_linear_are_left_alone():
    class OwnLinear(nn.Linear):
        pass

    model = quantize_model(nn.Sequential(nn.Linear(16, 16), OwnLinear(16, 16), nn.Conv1d(16, 16, 1), nn.LayerNorm(16)))
    assert [type(module) for module in model] == [Linear4bit, OwnLinear, nn.Conv1d, nn.LayerNorm]


@pytest.mark.parametrize(
    ("skip", "left"),
    [
        (("output", "fc1"), {"fc1"}),
        (("output", "decoder.layers.0"), {"q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"}),
    ],
)
def test_skipped_layers_are_left_alone(skip, left):
    model = quantize_model(transformer(), skip)
    assert {row.path.split(".")[-1] for row in linear_layers(model) if row.kind == "linear"} == left


def test_a_module_in_two_places_is_skipped_by_either_name():
    inner = nn.Linear(16, 16)
    model = quantize_model(nn.Sequential(inner, inner), skip=("1",))
    assert model[1] is inner


def test_settings_reach_every_layer():
    model = quantize_model(transformer(), ("output",), FP4_CODEBOOK, 16, torch.float32, False)
    layers = [module for module in model.modules() if isinstance(module, Linear4bit)]
    assert all(
        (layer.block_size, layer.compute_dtype, layer.double_quant) == (16, torch.float32, False) for layer in layers
    )
    assert all(torch.equal(layer.codebook, FP4_CODEBOOK) for layer in layers)


def test_the_linear_layers_take_at_most_0_14_of_their_bytes_on_disk():
    model = nn.Sequential(nn.Linear(256, 256), nn.Linear(256, 512), nn.Linear(512, 256))
    before = len(save(model.state_dict()))
    assert len(save(quantize_model(model).state_dict())) <= 0.14 * before


def test_the_state_fits_another_model_that_was_quantized_alike():
    model, other = quantize_model(transformer()), quantize_model(transformer())
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(IDS, IDS), model(IDS, IDS))


def test_a_model_on_the_meta_device_is_counted_without_memory():
    with torch.device("meta"):
        model = transformer()
    real, counted = (linear_layers(quantize_model(each)) for each in (transformer(), model))
    assert [(row.path, row.shape, row.nbytes) for row in counted] == [(row.path, row.shape, row.nbytes) for row in real]


def test_quantizing_twice_is_refused():
    model = quantize_model(nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16)))
    with pytest.raises(ValueError, match=r"quantized already: 0 and 1 more"):
        quantize_model(model)


def test_what_a_gguf_brought_in_four_bits_is_listed_and_not_quantized_again():
    blocks, bias = encode_q4_1(torch.randn(16, 32)), torch.zeros(16)
    model = nn.Sequential(DirectQ4.from_blocks(*blocks, bias), LinearQ4.from_blocks(*blocks, bias), nn.Linear(16, 16))

    assert [(row.path, row.shape, row.kind) for row in linear_layers(model)] == [
        *(("0", (16, 32), "direct"), ("1", (16, 32), "q4_1"), ("2", (16, 16), "linear"))
    ]
    assert [row.nbytes for row in linear_layers(model)] == [16 * 32 * 5 // 8 + 64, 16 * 32 * 5 // 8 + 64, 16 * 17 * 4]
    with pytest.raises(ValueError, match=r"quantized already: 0 and 1 more are DirectQ4"):
        quantize_model(model)


def test_a_model_with_nothing_to_quantize_is_refused():
    with pytest.raises(ValueError, match=r"no nn.Linear is left to quantize inside Embedding"):
        quantize_model(nn.Embedding(3, 16))
    with pytest.raises(ValueError, match=r"no nn.Linear is left"):
        quantize_model(nn.Linear(16, 16))


def test_a_name_in_skip_that_matches_nothing_is_refused():
    with pytest.raises(ValueError, match=r"'lm_head'.*'0'"):
        quantize_model(nn.Sequential(nn.Linear(16, 16)), skip=("output", "lm_head"))
