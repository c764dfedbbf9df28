"""Each illness is found and named in worlds that its check was not written for, and the repaired run is silent."""

from pathlib import Path

import pytest
import torch

from lessons.clinic.case import GROUPS
from lessons.clinic.cases import CASES
from lessons.clinic.examination import diagnose, measure
from tests.lessons.clinic.worlds import PLACES, SIZES, world

TEXTS = [place for place, (size, _) in PLACES.items() if not SIZES[size]["num_encoder_layers"]]
DORA = "long, DoRA on k and fc2"
NEED_A_TRAINED_BASE = ("new-rows-untrained", "forgetting", "diverged")  # test_on_the_base.py
NOT_HERE = {
    ("merged-into-other-weights", "wide, rsLoRA on fc1"),  # its update is long beside the rounding: nothing to be found
    ("accumulation-by-batches", "small, LoRA on q and v"),  # every token costs the same
    ("accumulation-keeps-the-last", "small, LoRA on q and v"),
}


def variants() -> list:
    """Every case in every place that it fits: one of them in the fast tests, all in the slow ones."""
    found = []
    for name, case in CASES.items():
        if name in NEED_A_TRAINED_BASE:
            continue
        places = TEXTS if case.causal else list(PLACES)
        if name == "pad-is-eos":
            places = [DORA]
        if name == "eos-masked":
            places = [place for place in places if place != DORA]
        here = [place for place in places if (name, place) not in NOT_HERE]
        quick = here[len(found) % len(here)]
        marks = {place: () if place == quick else (pytest.mark.slow,) for place in here}
        found += [pytest.param(name, place, marks=marks[place]) for place in here]
    return found


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adapters")


@pytest.mark.parametrize(("name", "place"), variants())
def test_an_illness_is_named_and_its_repair_is_silent(name: str, place: str, folders: Path):
    sick, well = CASES[name].make(world(place, folders / place))

    found = diagnose(**sick)

    assert name in [finding.name for finding in found], [m.says for m in measure(**sick) if m.name == name]
    assert next(finding for finding in found if finding.name == name).repair == CASES[name].repair
    assert [finding for finding in diagnose(**well) if finding.name == name] == []


def test_every_group_has_two_cases_and_there_are_twenty_four():
    assert len(CASES) >= 24
    for group in range(1, len(GROUPS) + 1):
        assert len([case for case in CASES.values() if case.group == group]) >= 2


def test_every_case_says_all_that_a_reader_needs():
    for name, case in CASES.items():
        assert name == case.name
        assert case.symptom
        assert case.cause
        assert case.repair
        assert all(link.startswith("https://github.com/") for link in case.links)


@pytest.mark.parametrize("place", ["wide, rsLoRA on fc1", DORA])
@pytest.mark.parametrize("training", [True, False])
def test_looking_changes_nothing(place: str, training: bool, folders: Path):
    here = world(place, folders / place)
    model = here.fresh() if training else here.tuned()
    optimizer = here.optimizer(model) if training else None
    first = next(parameter for parameter in model.parameters() if parameter.requires_grad or not training)
    first.grad = torch.full_like(first, 0.5)
    base = here.base()
    before = state(model, base)
    gradient = first.grad

    measure(model, here.batches, optimizer=optimizer, base=base, folder=here.folder, other=here.other)

    assert same(before, state(model, base))
    assert first.grad is gradient
    assert torch.equal(gradient, torch.full_like(first, 0.5))


def state(*models: torch.nn.Module) -> list:
    found: list = [torch.random.get_rng_state()]
    for model in models:
        found += [tensor.clone() for tensor in (*model.parameters(), *model.buffers())]
        found += [
            (module.training, len(module._forward_hooks), len(module._backward_hooks)) for module in model.modules()
        ]
        found += [(parameter.requires_grad, parameter.grad is None) for parameter in model.parameters()]
        found.append(getattr(model, "active", None))
    return found


def same(before: list, after: list) -> bool:
    return len(before) == len(after) and all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(before, after, strict=True)
    )
