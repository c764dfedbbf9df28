"""The memory planner: shapes against published counts, bytes against real tensors, claims against the paper."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn

from lessons.__main__ import main as command_line
from lessons.compare.kept import kept_report
from lessons.memory.activations import kept_by
from lessons.memory.blocks import build
from lessons.memory.command import main
from lessons.memory.four_bits import memory, word_errors
from lessons.memory.plan import KINDS, SHARDED, WEIGHTS, Plan, Setting, activations, measured, plan, with_layers
from lessons.memory.shapes import ARCHITECTURES, Architecture, architecture
from lessons.memory.show import fits, print_plan
from lessons.memory.tally import optimizer_bytes
from peft import RECIPES, get_peft_model
from quant import quantize_4bit

GB = 10**9
ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = {
    "gpt2": 124_439_808,
    "gpt2-medium": 354_823_168,
    "gpt2-large": 774_030_080,
    "gpt2-xl": 1_557_611_200,
    "bert-base": 109_482_240,
    "bert-large": 335_141_888,
    "t5-small": 60_506_624,
    "t5-base": 222_903_552,
    "t5-large": 737_668_096,
    "t5-3b": 2_851_598_336,
    "t5-11b": 11_307_321_344,
    "llama-7b": 6_738_415_616,
    "llama-13b": 13_015_864_320,
    "llama-33b": 32_528_943_616,
    "llama-65b": 65_285_660_672,
    "smollm2-135m": 134_515_008,
    "llama3-1b": 1_235_814_400,
    "llama3-3b": 3_212_749_824,
    "llama3-8b": 8_030_261_248,
    "llama3-70b": 70_553_706_496,
    "qwen2.5-0.5b": 494_032_768,
    "qwen2.5-1.5b": 1_543_714_304,
    "qwen2.5-3b": 3_085_938_688,
    "qwen2.5-7b": 7_615_616_512,
    "qwen2.5-14b": 14_770_033_664,
    "qwen2.5-32b": 32_763_876_352,
    "qwen2.5-72b": 72_706_203_648,
    "qwen3-0.6b": 596_049_920,
    "qwen3-1.7b": 1_720_574_976,
    "qwen3-4b": 4_022_468_096,
    "qwen3-8b": 8_190_735_360,
    "qwen3-14b": 14_768_307_200,
    "qwen3-32b": 32_762_123_264,
}
SMALL = {
    "decoder": Architecture("decoder", 50, 24, 4, 3, 40, positions=48, max_length=48),
    "encoder": Architecture("encoder", 50, 24, 4, 3, 40, norm="post", positions=48, segments=2, norm_embeddings=True),
    "both": Architecture("both", 50, 24, 4, 3, 40, bias=False, rms=True, distances=8, max_length=48),
    "grouped": Architecture(
        "decoder",
        50,
        24,
        2,
        4,
        40,
        d_head=10,
        kv_heads=2,
        rotary=True,
        gated=True,
        rms=True,
        qkv_bias=True,
        norm_heads=True,
        max_length=48,
    ),
    "gated": Architecture("decoder", 50, 24, 4, 3, 40, gated=True, rms=True, bias=False, tied=False, max_length=48),
}


FAST = [("decoder", "full"), ("decoder", "lora"), ("both", "qlora"), ("gated", "prefix_tuning"), ("encoder", "pill"),
        ("both", "adapter_houlsby"), ("grouped", "lora"), ("grouped", "p_tuning_v2")]  # fmt: skip
SLOW = [(stacks, method) for stacks in ("decoder", "both") for method in RECIPES if (stacks, method) not in FAST]
NO_PLACE = [("decoder", "pill"), ("both", "bitfit")]
"""No types of a decoder-only model; no biases in T5's blocks."""

COMBINATIONS = [*FAST, *(pytest.param(*both, marks=pytest.mark.slow) for both in SLOW if both not in NO_PLACE)]


def asked(method: str, **changes: object) -> Setting:
    return Setting(**{"model": "gpt2", "method": method, "batch": 2, "length": 6, **changes})


def planned(model: str, method: str, **changes: object) -> Plan:
    return plan(Setting(**{"model": model, "method": method, **changes}))


@pytest.mark.parametrize("name", PUBLISHED)
def test_as_many_parameters_as_published(name: str) -> None:
    shape = architecture(name)
    one, two = (sum(p.numel() for p in build(shape, layers).parameters()) for layers in (1, 2))
    assert one + (shape.layers - 1) * (two - one) == PUBLISHED[name]


def test_large_models_are_counted_as_lesson_11_says() -> None:
    """12 bytes for a number that is trained, 2 for a frozen one."""
    full, lora = (plan(Setting("llama-7b", method)) for method in ("full", "lora"))

    assert full.total - full.bytes["activations"] == pytest.approx(12 * full.parameters, rel=1e-5)
    assert lora.bytes["base"] == pytest.approx(2 * (lora.parameters - lora.trained), rel=1e-5)


def test_every_matrix_is_there_from_the_first_layer_to_the_last() -> None:
    assert sum(p.numel() for p in build(architecture("gpt2"), 12).parameters()) == PUBLISHED["gpt2"]
    assert planned("glm-130b", "full").parameters == pytest.approx(130e9, rel=0.02)
    assert set(PUBLISHED) | {"glm-130b"} == set(ARCHITECTURES)


@pytest.mark.parametrize(("stacks", "method"), COMBINATIONS)
def test_one_layer_and_two_tell_about_four(stacks: str, method: str) -> None:
    (one, kept_one), (two, kept_two), (four, kept_four) = (
        measured(asked(method), SMALL[stacks], layers) for layers in (1, 2, 4)
    )
    assert with_layers(one, two, 4) == four
    assert activations(kept_one, kept_two, 4, checkpointing=False) == kept_four.total
    assert four["gradients"] == four["trained"]


@pytest.mark.filterwarnings("ignore:token_types is empty")
@pytest.mark.parametrize(("stacks", "method"), COMBINATIONS)
def test_a_real_model_holds_and_keeps_as_much(stacks: str, method: str) -> None:
    if method == "p_tuning":
        pytest.skip("what an LSTM keeps is its kernel's affair, on each device another")
    counted, expected = measured(asked(method), SMALL[stacks], 2)
    prepared = RECIPES[method].prepare(real(SMALL[stacks], 2))
    base = sum(tensor.nbytes for tensor in (*prepared.parameters(), *prepared.buffers()))
    model = get_peft_model(prepared, RECIPES[method].config()).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    replaced = sum(original.nbytes for original in model.adapters["default"].owned.originals)
    assert counted["trained"] == sum(parameter.nbytes for parameter in trained)
    assert counted["base"] + counted["codes"] + counted["constants"] == base - replaced
    kept = kept_by(model, batch=2, length=6)
    assert (kept.total, kept.inside, kept.inputs) == (expected.total, expected.inside, expected.inputs)


def real(shape: Architecture, layers: int) -> nn.Module:
    """The same model with numbers in it."""
    model = build(shape, layers).to_empty(device="cpu")
    model.tie_weights()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model


def test_a_layer_that_is_trained_whole_keeps_what_the_formula_says() -> None:
    shape, n = architecture("gpt2"), 96
    (_, one), (_, two) = (measured(asked("full", batch=1, length=n), shape, layers) for layers in (1, 2))
    m, h, f = shape.d_model, shape.heads, shape.d_ff
    assert two.inside - one.inside == 2 * (10 * n * m + 2 * n * f + 2 * h * n**2 + 2 * n) + 2 * n**2


def test_checkpointing_keeps_the_inputs_of_all_layers_and_the_inside_of_one() -> None:
    shape = architecture("gpt2")
    (_, one), (_, two) = (measured(asked("full"), shape, layers) for layers in (1, 2))
    less = activations(one, two, 12, checkpointing=True)
    assert less == one.ends + 12 * (2 * 6 * 768 * 2) + two.inside - one.inside
    assert less < activations(one, two, 12, checkpointing=False)


def test_a_frozen_matrix_does_not_keep_its_input() -> None:
    whole, frozen = (measured(asked(method), SMALL["decoder"], 2)[1].inside for method in ("full", "bitfit"))
    assert frozen < whole


def test_four_bits_take_what_quantizing_takes() -> None:
    shape = architecture("gpt2")
    (one, _), (two, _) = (measured(asked("qlora"), shape, layers) for layers in (1, 2))
    matrices = [(768, 768)] * 4 + [(768, 3072)] * 2
    packed = [quantize_4bit(torch.ones(sides), double_quant=True) for sides in matrices]
    assert two["codes"] - one["codes"] == sum(quantized.codes.nbytes for quantized in packed)
    four_bits = two["codes"] + two["constants"] - one["codes"] - one["constants"]
    assert four_bits == sum(quantized.nbytes for quantized in packed)


@pytest.mark.slow
def test_the_papers_claims() -> None:
    whole = planned("llama-65b", "full")
    assert whole.total - whole.bytes["activations"] > 780 * GB
    assert planned("llama-65b", "qlora", checkpointing=True).total < 48 * GB
    assert planned("llama-33b", "qlora", checkpointing=True).total < 24 * GB


@pytest.mark.slow
def test_the_papers_rank_fits_too() -> None:
    found = planned("llama-65b", "qlora", checkpointing=True, rank=64)
    assert found.trained == 64 * 80 * (4 * (8192 + 8192) + 3 * (8192 + 22016))
    assert found.total < 48 * 2**30, "a card of 48 GB has 48 · 2³⁰ bytes"


def test_optimizers_remember_what_their_formulas_say() -> None:
    trained = [torch.empty(30, 20), torch.empty(7)]
    steps = 4 * len(trained)  # each tensor's counter of steps
    assert optimizer_bytes(trained, "adamw") == 8 * 607 + steps
    assert optimizer_bytes(trained, "momentum") == 4 * 607
    assert optimizer_bytes(trained, "sgd") == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "lama"}, r"unknown model 'lama'; there are gpt2.*llama-65b"),
        ({"method": "qlor"}, r"unknown technique 'qlor': did you mean qlora\? there are full.*lora_int4"),
        ({"optimizer": "adam"}, r"unknown optimizer 'adam'; there are adamw"),
        ({"batch": 0}, "batch must be at least 1, not 0"),
        ({"length": 1025}, "length 1025 is more than the 1024 positions of gpt2"),
        ({"method": "ia3", "rank": 3}, "ia3 has no rank"),
        ({"cards": 0}, "cards must be at least 1, not 0"),
        ({"model": "llama-7b", "method": "bitfit"}, "this base has no bias to train"),
        ({"model": "llama-7b", "method": "pill"}, "PILL needs a base with an encoder"),
    ],
)
def test_what_cannot_be_planned_says_why(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        planned(**{"model": "gpt2", "method": "lora", "length": 8, **changes})


def test_a_prefix_is_as_wide_as_the_keys_that_the_heads_share() -> None:
    prompt = RECIPES["p_tuning_v2"].config().num_virtual_tokens
    assert planned("t5-3b", "p_tuning_v2", length=8).trained == prompt * 3 * 24 * 2 * (32 * 128)
    assert planned("llama3-8b", "p_tuning_v2", length=8).trained == prompt * 32 * 2 * (8 * 128)


def test_fewer_heads_of_keys_and_values_are_fewer_numbers() -> None:
    whole, shared = (replace(SMALL["grouped"], kv_heads=heads) for heads in (4, 2))
    trained = [measured(asked("full"), shape, 1)[0]["trained"] for shape in (whole, shared)]
    assert trained[0] - trained[1] == 2 * 2 * (24 + 1) * 2 * 10, (
        "two heads of 10, of keys and of values, with their biases"
    )


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
def test_shards_share_what_lasts_and_a_card_holds_its_own_batch(method: str) -> None:
    alone, eight = (planned("gpt2", method, length=8, cards=cards) for cards in (1, 8))
    (one, _), (two, _) = (measured(asked(method, length=8, batch=1), architecture("gpt2"), layers) for layers in (1, 2))

    assert all(8 * eight.bytes[kind] >= alone.bytes[kind] > 8 * (eight.bytes[kind] - 1) for kind in SHARDED)
    assert eight.bytes["activations"] == alone.bytes["activations"]
    assert eight.bytes["one matrix"] == alone.bytes["one matrix"]
    assert alone.bytes["gathered"] == 0
    layer = {kind: two[kind] - one[kind] for kind in (*WEIGHTS, "gradients")}
    ends = sum(one[kind] - layer[kind] for kind in layer)
    at_work = 2 * sum(layer[kind] for kind in WEIGHTS) + layer["gradients"]
    assert eight.bytes["gathered"] == ends + at_work
    assert at_work > 0


@pytest.mark.slow
def test_two_processes_keep_of_a_model_what_the_plan_says(tmp_path: Path) -> None:
    """Real shares of a real model (torch's `fully_shard`). Buffers are whole in each; the plan cuts them too: positions alone."""
    methods, ranks = ("full", "lora", "p_tuning_v2"), range(2)
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    command = [*start, "tests.lessons.memory_processes", str(tmp_path), *methods]
    run = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=600
    )
    assert run.returncode == 0, run.stderr[-3000:]
    for method in methods:
        one, two = (measured(asked(method, batch=2), SMALL["grouped"], layers)[0] for layers in (1, 2))
        counted = with_layers(one, two, 4)
        shares = [json.loads((tmp_path / f"{method}-{rank}.json").read_text()) for rank in ranks]
        for share in shares:
            assert 2 * share["weights"] == sum(counted[kind] for kind in WEIGHTS) - share["buffers"], method
            assert 2 * share["gradients"] == counted["gradients"], method
            assert share["buffers"] == 8 * SMALL["grouped"].max_length


def test_what_fits_one_two_and_eight_cards() -> None:
    eight = planned("llama3-8b", "full", length=8, checkpointing=True, cards=8)
    assert fits(planned("llama3-8b", "full", length=8, checkpointing=True)) == "fits no single card of 80 GB"
    assert fits(eight) == "fits 8 cards of 24 GB"
    assert fits(planned("qwen2.5-72b", "full", length=8, checkpointing=True, cards=2)) == "more than 80 GB on each"


def test_a_table_says_what_each_byte_is() -> None:
    found = planned("gpt2", "qlora", length=8)
    console = Console(record=True, width=140)
    print_plan(found, console)
    text = console.export_text()
    assert all(kind in text and what in text for kind, what in KINDS.items() if found.bytes[kind])
    assert fits(found) == "fits a card of 8 GB"
    assert sum(found.bytes.values()) == found.total


@pytest.mark.slow
def test_the_command_compares_all_techniques_and_says_why_some_are_left_out(
    tmp_path: os.PathLike, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--model", "gpt2", "--length", "8", "--rank", "4", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert all(method in told for method in RECIPES)
    kept = json.loads((tmp_path / "memory.json").read_text())
    assert [row["setting"]["method"] for row in kept["plans"]] == [name for name in RECIPES if name != "pill"]
    assert list(kept["refused"]) == ["pill"]
    assert (tmp_path / "memory.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_tells_what_one_two_eight_and_the_asked_number_of_cards_hold(
    tmp_path: os.PathLike, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--model", "gpt2", "--method", "lora", "--length", "8", "--cards", "3", "--out", str(tmp_path)]
    assert main(asked) == 0

    told = capsys.readouterr().out
    assert "gpt2, lora, sharded" in told
    assert "on each of 3 cards" in told
    assert [f"fits {cards} cards of 8 GB" in told for cards in (2, 3, 4, 8)] == [True, True, False, True]
    assert {row["setting"]["cards"] for row in json.loads((tmp_path / "memory.json").read_text())["plans"]} == {3}


@pytest.mark.slow
def test_one_technique_stands_beside_full_fine_tuning_and_lora(
    tmp_path: os.PathLike, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        command_line(["memory", "--model", "bert-base", "--method", "qlora", "--length", "8", "--out", str(tmp_path)])
        == 0
    )
    assert "fits a card of 8 GB" in capsys.readouterr().out
    kept = json.loads((tmp_path / "memory.json").read_text())
    assert [row["setting"]["method"] for row in kept["plans"]] == ["full", "lora", "qlora"]
    assert command_line(["memory", "--model", "nothing"]) == 2


@pytest.mark.slow
def test_the_tables_of_the_readme_are_what_the_commands_give() -> None:
    readme = (Path(__file__).resolve().parents[2] / "quant" / "README.md").read_text(encoding="utf-8")
    assert word_errors(kept_report()) in readme
    assert memory() in readme
