"""Each threshold of a check, on both sides: just inside a run is healthy, just outside it is ill; moved, one of the two is wrong."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

from lessons.clinic.checks import (
    accumulation,
    diverged,
    forgetting,
    four_bits,
    leak,
    merge,
    order,
    padding,
    rate,
    rows,
    scale,
    shift,
    vocabulary,
)
from lessons.clinic.reading import read
from quant import Linear4bit


def ill(name: str, measurements: object) -> bool:
    return any(each.sick for each in measurements if each.name == name)


def diverges(nats: float) -> bool:
    run = SimpleNamespace(tokens=1, optimizer=None, active=("default",), loss_now=1 + nats, loss_of_base=1.0)
    return ill("diverged", diverged.check(run))


def forgets(nats: float) -> bool:
    run = SimpleNamespace(other=[1], base=None, adapted=True, losses=lambda other, adapter=True: 1 + nats * adapter)
    return ill("forgetting", forgetting.check(run))


def accumulates(off: float) -> bool:
    run = SimpleNamespace(
        loss=lambda model, batches: 1 + off, model=nn.Identity(), batches=[1, 2, 3], given=[1, 2, 3], loss_now=1.0
    )
    run.losses = lambda batches: 5.0
    return ill("accumulation-by-batches", accumulation.check(run))


def four_bit(share: float) -> bool:
    """A layer of ones and minus ones, of which this share has the other sign."""
    base = nn.Linear(64, 64, bias=False)
    with torch.no_grad():
        base.weight.copy_(torch.where(torch.arange(4096).view(64, 64) % 2 == 0, 1.0, -1.0))
        changed = base.weight.clone().flatten()
        changed[: round(share * 4096)] *= -1
    other = nn.Linear(64, 64, bias=False)
    other.weight = nn.Parameter(changed.view(64, 64))
    layer = Linear4bit.from_linear(other)
    run = SimpleNamespace(base=nn.Sequential(base), folder=None, modules={"0": layer})
    return ill("quantized-twice", four_bits.check(run))


def parts(k: float) -> bool:
    return ill("merged-without-scale", merge.counted(k, {"a": k, "b": 0.93 * k}, 7.0, False))


def nothing(k: float) -> bool:
    return not ill("merged-nothing", merge.counted(k, {"a": k, "b": 0.5}, 7.0, False))


def twice(k: float) -> bool:
    return ill("merged-twice", merge.counted(k, {"a": k, "b": 0.7 * k}, 7.0, False))


def merged(k: float, rest: float, adapted: bool, monkeypatch: pytest.MonkeyPatch) -> list:
    """ΔW = (1, 0), and a rest at a right angle to it."""
    monkeypatch.setattr(merge, "updates", lambda base, folder: {"a": torch.tensor([[1.0, 0.0]])})
    monkeypatch.setattr(merge, "weights", lambda model: {"a": model})
    monkeypatch.setattr(merge, "scale_of", lambda folder: 2.0)
    run = SimpleNamespace(base=torch.zeros(1, 2), model=torch.tensor([[k, rest]]), folder="", theirs=False)
    run.adapted, run.modules = adapted, {}
    return list(merge.check(run))


def left_over(share: float) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        return ill("merged-into-other-weights", merged(1.0, share, False, patch))


def branches(k: float) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        return ill("branch-still-active", merged(k, 0.0, True, patch))


def permuted(share: float) -> bool:
    count = round(100 * share)
    places = torch.cat([torch.arange(count).roll(1), torch.arange(count, 100)])
    base = nn.Linear(1, 100)
    base.weight = nn.Parameter(torch.arange(100.0)[:, None])
    moved = nn.Linear(1, 100)
    moved.weight = nn.Parameter(base.weight[places].detach())
    run = SimpleNamespace(base=nn.Sequential(base), model=nn.Sequential(moved), folder=None)
    return ill("rows-permuted", order.check(run))


def padded(nats: float) -> bool:
    """Two tokens: alone the asked one has a loss of ln 2, in the batch this much more."""
    batch = {"input_ids": torch.tensor([[0, 1]]), "labels": torch.tensor([[-100, 1]])}
    logit = math.log(math.exp(math.log(2) + nats) - 1)
    run = SimpleNamespace(batches=[read(batch, True, -1, -1)], pad_id=-1, bos_id=-1, tokens=1, theirs=False)
    run.with_adapter = [torch.tensor([[[logit, 0.0]]])]
    run.model, run.technique, run.logits = nn.Identity(), "", lambda reading: torch.zeros(1, 1, 2)
    return ill("padding-changes-loss", padding.check(run))


def rates(technique: str, name: str) -> Callable[[float], bool]:
    def check(learning_rate: float) -> bool:
        optimizer = SimpleNamespace(param_groups=[{"lr": learning_rate, "params": [1]}])
        return ill(name, rate.check(SimpleNamespace(optimizer=optimizer, config=None, technique=technique)))

    return check


def apart(times: float) -> bool:
    """One group of two is this often above the highest rate."""
    groups = [{"lr": value, "params": [1]} for value in (1e-3, times * rate.RATES["LORA"][1])]
    optimizer = SimpleNamespace(param_groups=groups)
    return ill("rate-too-high", rate.check(SimpleNamespace(optimizer=optimizer, config=None, technique="LORA")))


def untrained(above: float, often: int = 4) -> bool:
    """Token 1 costs so many nats more than a blind guess, the others next to nothing."""
    vocab, cost = 8, math.log(8) + above
    labels = torch.tensor([[1] * often + [2] * 40])
    logits = 30.0 * nn.functional.one_hot(labels, vocab).float()
    # One other token has all of the rest: -log p = cost.
    logits[labels == 1] = torch.tensor([0.0] + [-100.0] * 7)
    logits[..., 1][labels == 1] = -math.log(math.exp(cost) - 1)
    reading = SimpleNamespace(labels=labels, counted=labels >= 0)
    run = SimpleNamespace(tokens=labels.numel(), batches=[reading], with_adapter=[logits], loss_now=0.1)
    run.model, run.adapted = nn.Identity(), True
    return ill("new-rows-untrained", rows.check(run))


def scaled(value: float) -> bool:
    layer = nn.Module()
    layer.lora_A, layer.scaling = nn.Identity(), value
    return ill("alpha-forgotten", scale.check(SimpleNamespace(model=layer)))


def unshifted(share: float, count: int = 100) -> bool:
    """So many labels are the token just read; the others are none that stands near."""
    ids = torch.arange(count)[None]
    labels = torch.where(torch.arange(count) < round(share * count), ids, 10_000 + ids)
    batch = {"source": ids, "inputs": ids, "labels": labels}
    run = SimpleNamespace(tokens=count, batches=[read(batch, False, -1, -1)])
    return ill("labels-not-shifted", shift.check(run))


def sized(tokens: float) -> bool:
    run = SimpleNamespace(tokenizer=range(round(1000 * tokens)), settings=SimpleNamespace(vocab_size=1000), batches=[])
    return ill("another-tokenizer", vocabulary.check(run))


@dataclass(frozen=True)
class Limit:
    """`inside` and `outside` are times the limit; `entry` its place in a dict, and in a pair there."""

    module: ModuleType
    name: str
    measured: Callable[[float], bool]
    inside: float = 0.97
    outside: float = 1.03
    entry: tuple = ()

    def now(self) -> float:
        found = getattr(self.module, self.name)
        for step in self.entry:
            found = found[step]
        return float(found)

    def moved(self, by: float) -> object:
        found = getattr(self.module, self.name)
        if not self.entry:
            return by * found
        if len(self.entry) == 1:
            first = self.entry[0]
            if isinstance(found, tuple):
                return tuple(by * v if i == first else v for i, v in enumerate(found))
            return {**found, first: by * found[first]}
        key, side = self.entry
        return {**found, key: tuple(by * v if i == side else v for i, v in enumerate(found[key]))}


BELOW = {"inside": 1.03, "outside": 0.97}
LIMITS = {
    "diverged": Limit(diverged, "MOST", diverges),
    "forgetting": Limit(forgetting, "MOST", forgets),
    "accumulation": Limit(accumulation, "MOST", accumulates),
    "four bits": Limit(four_bits, "MOST", four_bit),
    "merge, near 1": Limit(merge, "NEAR", lambda off: parts(1 + off)),
    "merge, nothing": Limit(merge, "NOTHING", nothing),
    "merge, twice": Limit(merge, "TWICE", lambda k: twice(round(k)), 0.7, 1.32),
    "merge, rest": Limit(merge, "SHARE", left_over),
    "merge, branch": Limit(merge, "ACTIVE", branches),
    "order": Limit(order, "MOST", permuted, 0.96, 1.04),
    "padding": Limit(padding, "MOST", padded),
    "LoRA too slow": Limit(rate, "RATES", rates("LORA", "rate-too-low"), **BELOW, entry=("LORA", 0)),
    "LoRA too fast": Limit(rate, "RATES", rates("LORA", "rate-too-high"), entry=("LORA", 1)),
    "full too slow": Limit(rate, "RATES", rates("", "rate-too-low"), **BELOW, entry=("", 0)),
    "full too fast": Limit(rate, "RATES", rates("", "rate-too-high"), entry=("", 1)),
    "all, in an adapter's frame, too slow": Limit(
        rate, "RATES", rates("FULL", "rate-too-low"), **BELOW, entry=("FULL", 0)
    ),
    "all, in an adapter's frame, too fast": Limit(rate, "RATES", rates("FULL", "rate-too-high"), entry=("FULL", 1)),
    "others too slow": Limit(rate, "OTHERS", rates("IA3", "rate-too-low"), **BELOW, entry=(0,)),
    "others too fast": Limit(rate, "OTHERS", rates("IA3", "rate-too-high"), entry=(1,)),
    "one group apart": Limit(rate, "APART", apart, entry=("LORA",)),
    "rows": Limit(rows, "ABOVE", untrained),
    "scale, low": Limit(scale, "LOWEST", scaled, **BELOW),
    "scale, high": Limit(scale, "HIGHEST", scaled),
    "shift": Limit(shift, "MOST", unshifted, 0.98, 1.03),
    "vocabulary, small": Limit(vocabulary, "LEAST", sized, **BELOW),
}


@pytest.mark.parametrize("name", LIMITS)
def test_just_inside_is_healthy_and_just_outside_is_ill(name: str):
    limit = LIMITS[name]

    assert not limit.measured(limit.inside * limit.now())
    assert limit.measured(limit.outside * limit.now())


@pytest.mark.parametrize("by", [0.9, 1.1])
@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_that_is_moved_calls_one_of_the_two_wrongly(name: str, by: float, monkeypatch: pytest.MonkeyPatch):
    limit = LIMITS[name]
    healthy, sick = limit.inside * limit.now(), limit.outside * limit.now()
    by = 1 + 4 * (by - 1) if name == "merge, twice" else by  # between 1 and 2 there is no whole number
    monkeypatch.setattr(limit.module, limit.name, limit.moved(by))

    assert limit.measured(healthy) or not limit.measured(sick)


def test_too_few_to_say_anything():
    assert untrained(4.0, rows.FEWEST)
    assert not untrained(4.0, rows.FEWEST - 1)
    assert unshifted(1.0, shift.FEWEST)
    assert not unshifted(1.0, shift.FEWEST - 1)


def test_a_tokenizer_may_have_as_many_tokens_as_there_are_rows_and_not_one_more():
    assert not sized(1.0)
    assert sized(1.001)


@pytest.mark.parametrize(("question", "twice"), [(leak.FEWEST, True), (leak.FEWEST - 1, False)])
def test_a_question_of_one_token_is_none(question: int, twice: bool):
    """The same question with another answer; a begin token alone is no question."""
    seen, held = (
        {"input_ids": torch.tensor([[5, 6, 7, last]]), "labels": torch.tensor([[-100, 6, 7, last]])} for last in (8, 9)
    )
    for batch in (seen, held):
        batch["labels"][:, :question] = -100
        batch["input_ids"], batch["labels"] = batch["input_ids"][:, :4], batch["labels"][:, :4]
    run = SimpleNamespace(batches=[read(seen, True, -1, -1)], held_out=[read(held, True, -1, -1)])

    assert ill("test-in-training", leak.check(run)) == twice
