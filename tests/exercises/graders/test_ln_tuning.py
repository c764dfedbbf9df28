"""Grader: LayerNorm tuning trains gains and biases of the norms."""

from lessons.exercises.diagnosis import assert_refused
from peft import get_peft_model
from peft.ln_tuning import LNTuningConfig
from tests.exercises.graders import given
from transformer.add_norm import LayerNorm


def norms(base):
    return {path for path, module in base.named_modules() if isinstance(module, LayerNorm)}


def test_every_norm_is_found():
    base = given.model(norm="pre")

    found = set(LNTuningConfig().norms(base))

    assert norms(base) == found, f"value: norms that are missing or too many: {sorted(norms(base) ^ found)[:4]}"


def test_gain_and_bias_of_each_are_trained():
    base = given.model(norm="pre")

    chosen = set(LNTuningConfig().place(base).parameters)

    wanted = {f"{path}.{name}" for path in norms(base) for name in ("weight", "bias")}
    assert chosen == wanted, f"value: missing or too many: {sorted(chosen ^ wanted)[:4]}"


def test_target_modules_choose_among_them():
    config = LNTuningConfig(target_modules=("cross_attention_norm.norm",))

    found = set(config.norms(given.model()))

    wanted = {f"decoder.layers.{layer}.cross_attention_norm.norm" for layer in range(2)}
    assert found == wanted, f"value: target_modules chose {sorted(found)}, not {sorted(wanted)}"


def test_excluded_modules_are_left_out():
    config = LNTuningConfig(exclude_modules=("cross_attention_norm.norm",))

    found = config.norms(given.model())

    assert not [path for path in found if "cross" in path], "value: exclude_modules is not looked at"


def test_a_target_that_is_no_norm_is_refused():
    assert_refused(LNTuningConfig(target_modules=("fc1",)).norms, given.model())


def test_the_count_is_the_formula():
    base = given.model()

    model = get_peft_model(base, LNTuningConfig())

    count = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert count == 2 * 12 * (2 * 1 + 3 * 2), f"value: {count} numbers are trained, the formula says {2 * 12 * 8}"
