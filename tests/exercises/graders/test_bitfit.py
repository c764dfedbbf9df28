"""Grader: BitFit trains the biases and nothing else."""

import pytest

from lessons.exercises.diagnosis import assert_refused
from peft import BitFitConfig, get_peft_model
from tests.exercises.graders import given


def test_every_bias_of_linear_layers_and_norms_is_trained():
    base = given.model()

    chosen = set(BitFitConfig().place(base).parameters)

    biases = {name for name, _ in base.named_parameters() if name.endswith("bias")}
    assert biases <= chosen, f"value: not trained: {sorted(biases - chosen)[:4]}"


def test_nothing_but_biases_is_trained():
    chosen = BitFitConfig().place(given.model()).parameters

    others = [name for name in chosen if not name.endswith(".bias")]
    assert not others, f"value: {others[0]} is no bias"


@pytest.mark.parametrize(("site", "part"), [("cross", "cross_attention"), ("feed_forward", "feed_forward")])
def test_sites_restrict_it(site, part):
    chosen = BitFitConfig(sites=(site,)).place(given.model()).parameters

    assert chosen, f"value: nothing is trained within the site {site}"
    outside = [name for name in chosen if part not in name]
    assert not outside, f"value: {outside[0]} is outside of the site {site}"


def test_the_count_is_the_formula():
    base = given.model()
    d, f = base.config.d_model, base.config.d_ff

    model = get_peft_model(base, BitFitConfig())

    count = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert count == (7 * d + f) + 2 * (12 * d + f), f"value: {count} numbers are trained, the formula says otherwise"


def test_a_base_without_biases_is_refused():
    base = given.model()
    for module in base.modules():
        if getattr(module, "bias", None) is not None:
            module.bias = None

    assert_refused(BitFitConfig().place, base)
