"""Types are the frame's: a technique computes in full precision, and what goes on is in the type that came."""

import pytest
import torch
from torch import Tensor, nn

from peft import LoraConfig, LoraLinear, get_peft_model
from peft.bottleneck import Bottleneck
from peft.frame.casting import FULL_PRECISION, in_one_type, widened
from peft.frame.layers import AdaptedLayer
from peft.ia3 import scaled
from peft.prompt_tuning import in_front
from peft.ssf import scale_and_shift
from tests.peft.small import batch, small_base, technique

HALF = [torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", HALF)
def test_an_added_change_is_computed_in_full_precision(dtype: torch.dtype) -> None:
    base = nn.Linear(6, 5, dtype=dtype)
    layer = LoraLinear(base, rank=2, alpha=3, initialization=False)
    x = torch.randn(4, 6).to(dtype)

    y = layer(x)

    assert y.dtype == dtype
    assert torch.equal(y, base(x) + layer.delta(x.float()).to(dtype))


@pytest.mark.parametrize("dtype", HALF)
def test_a_side_network_answers_in_the_type_that_it_was_asked_in(dtype: torch.dtype) -> None:
    network = Bottleneck(6, 2, "pfeiffer")
    x = torch.randn(4, 6).to(dtype)

    assert network(x).dtype == dtype
    assert torch.equal(network(x), network(x.float()).to(dtype))


@pytest.mark.parametrize(("dtype", "autocast"), [(torch.float64, False), (torch.float32, True), (torch.bfloat16, True)])
def test_features_in_full_precision_or_under_autocast_stay_as_they_are(dtype: torch.dtype, autocast: bool) -> None:
    x = torch.randn(4, 6).to(dtype)

    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        assert widened(x, Bottleneck(6, 2, "pfeiffer")) is x


@pytest.mark.parametrize("dtype", [*HALF, torch.float64])
def test_a_techniques_own_numbers_take_the_type_of_the_features(dtype: torch.dtype) -> None:
    x, own, mask = torch.randn(2, 3, 4).to(dtype), torch.randn(4), torch.ones(2, 1, 1, 3, dtype=torch.bool)

    assert scale_and_shift(x, own, own).dtype == scaled(x, own).dtype == dtype
    vectors, longer = in_front(own[None], x, mask)
    assert vectors.dtype == dtype
    assert longer.dtype == torch.bool


def test_in_one_type_leaves_alone_what_has_one_type() -> None:
    x = torch.randn(3)
    assert in_one_type(lambda a, b: (a, b))(x, x) == (x, x)


@pytest.mark.parametrize(
    "method", ["lora", "pissa", "vera", "ssf", "adapter_houlsby", "p_tuning", "prefix_tuning", "pill"]
)
@pytest.mark.parametrize(("base", "own"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
def test_what_a_technique_made_settles_in_the_type_that_is_trained(
    method: str, base: torch.dtype, own: torch.dtype
) -> None:
    model = technique(method, small_base().to(base))
    adapter = model.adapters["default"]

    made = [tensor for layer in adapter.layers.values() for tensor in own_tensors(layer)]
    assert {tensor.dtype for tensor in made if tensor.is_floating_point()} == {own}
    assert {parameter.dtype for parameter in model.unload().parameters()} == {base}


@pytest.mark.parametrize("base", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("tied", [True, False])
def test_trained_rows_of_tokens_are_in_the_type_that_is_trained_and_answer_in_the_bases(
    base: torch.dtype, tied: bool
) -> None:
    model = technique("bitfit", small_base(tie_embeddings=tied).to(base))
    own = torch.float64 if base == torch.float64 else torch.float32

    rows = model.adapters["default"].token_rows().values()

    assert {tensor.dtype for tensor in rows} == {own}
    assert model.source_embedding(batch()[0]).dtype == model(*batch()).dtype == base


def test_it_settles_on_the_device_of_the_base_too() -> None:
    model = get_peft_model(small_base().to("meta"), LoraConfig(r=2, init_lora_weights="pissa"))
    assert all(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))


def own_tensors(layer: AdaptedLayer) -> list[Tensor]:
    named = [*layer.named_parameters(), *layer.named_buffers()]
    return [tensor for name, tensor in named if not name.startswith("base.")]


def test_an_adapted_model_can_be_taken_to_half_precision_whole() -> None:
    model = get_peft_model(small_base(), LoraConfig(r=2, target_modules="all-linear")).bfloat16()
    assert model(*batch()).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("types", "one"),
    [
        *(((full, half), half) for full in FULL_PRECISION for half in HALF),
        *(((half, full), half) for full in FULL_PRECISION for half in HALF),
        ((torch.float64, torch.float32), torch.float64),
    ],
)
def test_of_several_types_a_formula_gets_the_half_one_or_the_wider_one(types: tuple, one: torch.dtype) -> None:
    tensors = [torch.ones(2, dtype=dtype) for dtype in (*types, torch.long)]

    *features, ids = in_one_type(lambda *given: given)(*tensors)

    assert [each.dtype for each in features] == [one, one]
    assert ids.dtype == torch.long
