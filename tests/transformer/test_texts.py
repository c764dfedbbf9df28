"""Texts of which a part is learnt: the loss counts learnt tokens alone, packed or padded, at once or in parts."""

import pytest
import torch
from torch import nn

from peft import LoraConfig, PromptTuningConfig, get_peft_model
from tests.transformer import small
from transformer import DecoderOnly, TrainingConfig, train
from transformer.learning.distributed import in_parts
from transformer.learning.step import one_step
from transformer.learning.texts import NO_LABEL, Texts, packed_rows

LENGTHS = (7, 4, 9, 3, 6)


def texts() -> list:
    """Of each the last tokens are learnt; one has learnt tokens in its middle."""
    drawn = torch.Generator().manual_seed(1)
    found = [(torch.randint(3, 17, (n,), generator=drawn).tolist(), [i >= n // 2 for i in range(n)]) for n in LENGTHS]
    return [*found, ([0, 5, 9, 2, 4], [False, True, True, False, False])]


def model(**changes) -> DecoderOnly:
    torch.manual_seed(2)
    settings = {"num_encoder_layers": 0, "max_length": 40, "positions": "rotary", "norm": "pre", "d_model": 18}
    return small.shaken(DecoderOnly(small.config(**(settings | changes))))


def by_hand(model, examples) -> torch.Tensor:
    """The sum over learnt tokens, a text at a time."""
    total = torch.zeros((), dtype=torch.float64)
    for ids, learnt in examples:
        real = torch.ones(1, len(ids), dtype=torch.bool)
        log_probs = model(torch.tensor([ids]), real)[0].log_softmax(dim=-1)
        total = total - sum(log_probs[place - 1, ids[place]] for place in range(len(ids)) if learnt[place])
    return total


def loss_of(model, examples: Texts) -> torch.Tensor:
    batch = examples.collate(range(len(examples)), model.config)
    return nn.functional.cross_entropy(
        batch.logits(examples.network(model))[0], batch.labels[0], reduction="sum", ignore_index=NO_LABEL
    )


@pytest.mark.parametrize("positions", ["rotary", "learned"])
@pytest.mark.parametrize("attention", ["math", "fused"])
@pytest.mark.parametrize("width", [None, 9, 13, 34])
def test_padded_and_packed_have_the_loss_of_one_text_at_a_time(positions, attention, width):
    own = model(positions=positions, attention=attention)

    torch.testing.assert_close(loss_of(own, Texts(texts(), width)), by_hand(own, texts()))


def test_a_token_that_is_not_learnt_has_no_label():
    batch = Texts(texts()).collate([0, 5], small.config())

    assert batch.labels[0].tolist() == [*texts()[0][0][3:], 5, 9]
    assert batch.before.sum() == batch.labels.numel() == Texts(texts()).tokens([0, 5])


def test_the_padding_id_may_be_learnt():
    """Where pad is eos, the end would else be taken for padding: a model that never stops."""
    example = [([5, 6, 0], [False, False, True])]
    own = model()

    torch.testing.assert_close(loss_of(own, Texts(example)), by_hand(own, example))


def test_rows_are_packed_to_their_width_and_nothing_is_lost():
    rows = packed_rows(texts(), 13)

    assert all(sum(len(ids) for ids, _ in row) <= 13 for row in rows)
    assert sorted(ids for row in rows for ids, _ in row) == sorted(ids for ids, _ in texts())
    assert len(rows) < len(texts())


def test_an_epoch_holds_each_text_once_within_the_tokens_of_a_batch():
    for width in (None, 13):
        batches = Texts(texts(), width).batches(max_tokens=18, seed=3, epoch=0)
        assert sorted(index for batch in batches for index in batch) == list(range(len(texts())))
        assert all(sum(len(texts()[index][0]) for index in batch) <= 18 for batch in batches)


def test_a_prompt_cannot_stand_in_front_of_each_packed_text():
    tuned = get_peft_model(model(), PromptTuningConfig(num_virtual_tokens=3))

    assert loss_of(tuned, Texts(texts())).isfinite()
    with pytest.raises(ValueError, match="do not pack"):
        loss_of(tuned, Texts(texts(), 34))


@pytest.mark.parametrize(
    ("text", "message"),
    [(([3, 4], [False, False]), "learnt"), (([3, 4], [True, True]), "first"), (([3] * 9, [False] * 8 + [True]), "8")],
)
def test_what_cannot_be_learnt_from_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Texts([text], width=8)


def step_of(parts: int, width: int | None = None) -> tuple[dict, float]:
    """One step on all texts, in parts: the weights after it and the loss."""
    own = model()
    examples, indices = Texts(texts(), width), list(range(len(texts())))
    batches = [examples.collate(some, own.config) for some in in_parts(indices, parts)]
    optimizer = torch.optim.SGD(own.parameters(), lr=0.1)
    config = TrainingConfig(steps=1, clip_norm=1e9)
    loss = one_step(examples.network(own), batches, examples.tokens(indices), optimizer, config, NO_LABEL)
    return dict(own.named_parameters()), float(loss)


@pytest.mark.parametrize("parts", [2, 4, 6])
@pytest.mark.parametrize("width", [None, 13])
def test_accumulation_is_the_large_batch(parts, width):
    """Parts of unequal numbers of learnt tokens: a mean of means would differ."""
    weights, loss = step_of(1)
    in_turn, same = step_of(parts, width)

    assert abs(loss - same) < 1e-6
    small.assert_equal(weights, in_turn, atol=1e-6, rtol=0)


@pytest.mark.parametrize("changes", [{"accumulation": 3}, {"precision": "bf16"}, {}])
def test_a_run_is_the_same_in_parts_in_bf16_and_checkpointed(changes, tmp_path):
    def losses(checkpointed=False, **settings):
        own = model().float()
        tuned = get_peft_model(own, LoraConfig(r=2, lora_alpha=6, target_modules="all-linear"))
        tuned.gradient_checkpointing(checkpointed)
        config = TrainingConfig(steps=6, learning_rate=0.02, warmup=1, max_tokens=30, **settings)
        return train(tuned, Texts(texts()), config)

    plain = losses()

    assert plain[-1] < plain[0]
    tolerance = 0.05 if "precision" in changes else 1e-5
    assert losses(checkpointed=True, **changes) == pytest.approx(plain, rel=tolerance)
    assert ("precision" in changes) == (losses(**changes) != pytest.approx(plain, rel=1e-6))


def test_a_run_goes_on_where_it_stopped(tmp_path):
    def run(steps_before: int, path):
        own = get_peft_model(model().float(), LoraConfig(r=2, target_modules="all-linear"))
        config = TrainingConfig(steps=6, warmup=1, max_tokens=30, checkpoint_every=2)

        def stop(step: int, loss: float) -> None:
            if step == steps_before:
                raise KeyboardInterrupt

        return train(own, Texts(texts(), 13), config, checkpoint=path, on_step=stop)

    whole = run(0, tmp_path / "a.safetensors")
    with pytest.raises(KeyboardInterrupt):
        run(5, tmp_path / "b.safetensors")
    assert run(0, tmp_path / "b.safetensors") == whole


def test_accumulation_reaches_the_batches(monkeypatch):
    sizes = []
    real = Texts.collate
    monkeypatch.setattr(Texts, "collate", lambda self, some, shape: sizes.append(len(some)) or real(self, some, shape))
    train(model().float(), Texts(texts()), TrainingConfig(steps=1, warmup=1, max_tokens=100, accumulation=3))

    assert sizes == [2, 2, 2]


def test_a_batch_of_texts_moves_as_a_whole():
    found = Texts(texts(), width=20).collate(range(3), small.CONFIG)
    assert found.documents is not None

    moved = found.to(torch.device("meta"))

    assert {x.device.type for x in (moved.source, moved.documents, moved.before, moved.labels)} == {"meta"}
    assert Texts(texts()).collate([0], small.CONFIG).to(torch.device("meta")).documents is None


def test_a_text_has_no_start_of_its_own():
    with pytest.raises(ValueError, match="a text begins at position 0: leave first_position at 0"):
        Texts(texts()).collate([0], small.CONFIG).logits(nn.Identity(), [[1]])


def test_packed_texts_come_in_an_order_of_seed_and_epoch_and_fill_a_batch_to_its_last_token():
    """So many texts as have room: their order is torch's for the number of seed and epoch."""
    examples = Texts(texts(), width=20)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(3 * 1_000_003 + 2)).tolist()
    lengths = [len(ids) for ids, _ in texts()]

    first_two = lengths[order[0]] + lengths[order[1]]
    found = examples.batches(first_two, seed=3, epoch=2)

    assert [index for some in found for index in some] == order
    assert found[0] == order[:2]
    assert examples.batches(first_two - 1, seed=3, epoch=2)[0] == order[:1]
    assert examples.batches(1, seed=3, epoch=2) == [[index] for index in order]


def test_the_longest_text_comes_first_and_each_goes_into_the_first_row_that_has_room():
    def text(length):
        return [1] * length, [False] + [True] * (length - 1)

    rows = packed_rows([text(2), text(6), text(3), text(5), text(4)], width=8)

    assert [[len(ids) for ids, _ in row] for row in rows] == [[6, 2], [5, 3], [4]]
