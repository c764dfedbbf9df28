"""Several LoRA adapters combined into one: exactly, at a lower rank, and roughly."""

import os
from collections.abc import Mapping

import numpy as np
import pytest
import torch

from peft import LoraConfig, LoraLinear, PeftModel, get_peft_model
from tests.peft.small import UNSEEN, batch, small_base, take_steps

WEIGHTS = [0.7, -1.3]


def two_adapters(first: Mapping[str, object] = {}, second: Mapping[str, object] = {}) -> PeftModel:
    """Two trained adapters with different scalings, on a float64 base."""
    targets = {"target_modules": ["q_proj", "fc1"], "init_lora_weights": False}
    model = get_peft_model(small_base().double(), LoraConfig(**{"r": 3, "lora_alpha": 5, **targets, **first}), "a")
    model.add_adapter("b", LoraConfig(**{"r": 3, "lora_alpha": 2, **targets, **second}))
    for name in ("b", "a"):
        model.set_adapter(name)
        take_steps(model)
    return model


def change(layer: LoraLinear) -> np.ndarray:
    return layer.scaling * (layer.lora_B.weight @ layer.lora_A.weight).detach().numpy()


def changes(model: PeftModel, name: str) -> dict[str, np.ndarray]:
    layers = model.adapters[name].layers.items()
    return {path: change(layer) for path, layer in layers if isinstance(layer, LoraLinear)}


def weighted_sum(model: PeftModel) -> dict[str, np.ndarray]:
    a, b = changes(model, "a"), changes(model, "b")
    return {path: WEIGHTS[0] * a.get(path, 0) + WEIGHTS[1] * b.get(path, 0) for path in a | b}


def assert_equal(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for path in expected:
        np.testing.assert_allclose(found[path], expected[path], atol=1e-12, err_msg=path)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {}),
        ({}, {"r": 5}),
        ({"r": 5, "use_rslora": True, "exclude_modules": ["out_proj"]}, {"target_modules": ["fc1", "out_proj"]}),
        ({"sites": ("cross",), "target_modules": ["q_proj"]}, {"r": 23}),
    ],
)
def test_cat_is_the_weighted_sum(first: Mapping[str, object], second: Mapping[str, object]) -> None:
    model = two_adapters(first, second)
    model.add_weighted_adapter(["a", "b"], WEIGHTS, "c", "cat")
    assert_equal(changes(model, "c"), weighted_sum(model))


def test_svd_is_the_best_approximation_of_its_rank() -> None:
    model = two_adapters(second={"r": 5})
    model.add_weighted_adapter(["a", "b"], WEIGHTS, "c")
    for name, rank in (("one", 1), ("two", 2), ("all", 8), ("more than there are", 40)):
        model.add_weighted_adapter(["a", "b"], WEIGHTS, name, "svd", svd_rank=rank)
    for name, rank in (("c", 5), ("one", 1), ("two", 2)):
        for path, exact in weighted_sum(model).items():
            left, values, right = np.linalg.svd(exact, full_matrices=False)
            best = left[:, :rank] * values[:rank] @ right[:rank]
            np.testing.assert_allclose(changes(model, name)[path], best, atol=1e-12)
    for name in ("all", "more than there are"):
        assert_equal(changes(model, name), weighted_sum(model))


def test_linear_adds_the_matrices_each_with_the_root_of_its_weight() -> None:
    model = two_adapters()
    model.add_weighted_adapter(["a", "b"], WEIGHTS, "c", "linear")
    for path, found in changes(model, "c").items():
        a, b = model.adapters["a"].layers[path], model.adapters["b"].layers[path]
        root_a, root_b = np.sqrt(0.7 * 5 / 3), np.sqrt(1.3 * 2 / 3)
        up = root_a * a.lora_B.weight + root_b * b.lora_B.weight
        down = root_a * a.lora_A.weight - root_b * b.lora_A.weight
        np.testing.assert_allclose(found, (up @ down).detach(), atol=1e-12)


def test_one_adapter_alone_is_only_weighted() -> None:
    for kind in ("linear", "cat", "svd"):
        model = two_adapters()
        model.add_weighted_adapter(["b"], [-2.0], "c", kind)
        assert_equal(changes(model, "c"), {path: -2.0 * delta for path, delta in changes(model, "b").items()})


def test_the_model_computes_what_the_sum_of_both_computes() -> None:
    rows = {"trainable_token_indices": UNSEEN}
    model = two_adapters(first=rows, second=rows)
    model.set_adapter(["a", "b"])
    expected = model(*batch())
    model.add_weighted_adapter(["a", "b"], [1.0, 1.0], "c", "cat")
    assert model.active == ("a", "b"), "a new adapter waits for set_adapter"
    model.set_adapter("c")
    torch.testing.assert_close(model(*batch()), expected, atol=1e-9, rtol=1e-9)


def test_rows_of_different_tokens_come_together_in_order() -> None:
    model = two_adapters(first={"trainable_token_indices": [24, 4]}, second={"trainable_token_indices": [30, 4]})
    model.add_weighted_adapter(["a", "b"], WEIGHTS, "c", "cat")
    start = small_base().double().source_embedding.weight
    a, b, c = (next(iter(model.adapters[name].token_rows().values())) for name in "abc")
    expected = [
        start[4] + WEIGHTS[0] * (a[1] - start[4]) + WEIGHTS[1] * (b[1] - start[4]),
        start[24] + WEIGHTS[0] * (a[0] - start[24]),
        start[30] + WEIGHTS[1] * (b[0] - start[30]),
    ]
    torch.testing.assert_close(c, torch.stack(expected))
    assert model.peft_config["c"].trainable_token_indices == (4, 24, 30)


def test_its_rank_is_the_largest_and_a_smaller_one_is_named() -> None:
    model = two_adapters(second={"target_modules": ["fc1"]})
    model.add_weighted_adapter(["a", "b"], WEIGHTS, "c", "cat")
    config = model.peft_config["c"]
    assert config.r == config.lora_alpha == 6
    assert set(config.rank_pattern.values()) == {3}
    assert all("q_proj" in path for path in config.rank_pattern)


def test_a_combination_is_saved_and_loaded_as_plain_lora(tmp_path: os.PathLike) -> None:
    model = two_adapters(second={"r": 5, "target_modules": ["out_proj"]})
    model.add_weighted_adapter(["a", "b"], WEIGHTS, "c", "cat")
    model.set_adapter("c")
    model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(small_base().double(), tmp_path / "c")
    torch.testing.assert_close(loaded(*batch()), model(*batch()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a", "x"], [1, 1], "c"), "no adapter 'x'"),
        ((["a", "b"], [1], "c"), "2 adapters came with 1 weights"),
        ((["a", "b"], [1, 1], "c", "ties"), "linear, cat, svd, not 'ties'"),
        ((["a", "b"], [1, 1], "c", "linear"), r"ranks \[3, 5\]"),
        ((["a", "b"], [1, 1], "c", "svd", 0), "svd_rank 0"),
        ((["a", "b"], [1, 1], "b", "cat"), "an adapter 'b' already"),
        ((["a", "d"], [1, 1], "c"), "'d' is not plain LoRA"),
    ],
)
def test_what_cannot_be_combined_is_refused_and_changes_nothing(arguments: tuple, message: str) -> None:
    model = two_adapters(second={"r": 5})
    model.add_adapter("d", LoraConfig(use_dora=True))
    with pytest.raises(ValueError, match=message):
        model.add_weighted_adapter(*arguments)
    assert list(model.adapters) == ["a", "b", "d"]
