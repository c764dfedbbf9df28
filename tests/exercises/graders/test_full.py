"""Grader: full fine-tuning. Every parameter is the adapter's own."""

from peft import FullConfig, get_peft_model
from tests.exercises.graders import given


def test_every_parameter_of_the_base_is_trained():
    base = given.model()
    names = {name for name, _ in base.named_parameters()}

    chosen = set(FullConfig().place(base).parameters)

    assert names <= chosen, f"value: not trained: {sorted(names - chosen)[:4]}"


def test_tied_matrices_are_named_at_each_of_their_places():
    chosen = set(FullConfig().place(given.model()).parameters)

    tied = {"source_embedding.weight", "target_embedding.weight", "output.weight"}
    assert tied <= chosen, f"value: a tied matrix is named at every place: {sorted(tied - chosen)} is missing"


def test_sites_restrict_what_is_trained():
    config = FullConfig(sites=("cross",))

    chosen = config.place(given.model()).parameters

    outside = [name for name in chosen if "cross_attention" not in name]
    assert chosen, "value: nothing is trained within the site cross"
    assert not outside, f"value: {outside[0]} is outside of the site cross"


def test_100_percent_are_trained_and_the_base_stays_as_it_was():
    base = given.model()
    before = {name: parameter.detach().clone() for name, parameter in base.named_parameters()}

    model = get_peft_model(base, FullConfig())
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.data += 1.0
    untouched = model.unload()

    assert sum(p.numel() for p in trained) == sum(p.numel() for p in before.values()), (
        "value: not all numbers are trained"
    )
    assert all((p == before[name]).all() for name, p in untouched.named_parameters()), (
        "property: the base was written to"
    )
