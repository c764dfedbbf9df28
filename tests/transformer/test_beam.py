"""Beam search: enumeration, the rules of beam.py in plain lists, and the edges of both."""

from functools import cache

import numpy as np
import pytest
import torch

from tests.reference import decoding as reference
from tests.transformer import small
from tests.transformer.small import SOURCE
from transformer import Transformer, generate
from transformer.decoding.beam import Finished, beam_search, best_continuations, trimmed

PAD, BOS, EOS = 0, 1, 2
PENALTIES = [0.0, 0.6, 1.0, 2.0, -0.5]


class Table:
    """Log-probabilities drawn once for every prefix: a language model without a model."""

    def __init__(self, seed: int, vocab: int, eos_bonus: float = 0.0):
        self.seed, self.vocab, self.eos_bonus = seed, vocab, eos_bonus
        self.known: dict[tuple[int, ...], np.ndarray] = {}

    def __call__(self, prefix: tuple[int, ...]) -> np.ndarray:
        if prefix not in self.known:
            rng = np.random.default_rng([self.seed, *prefix])
            logits = rng.normal(size=self.vocab) * 2
            logits[EOS] += self.eos_bonus
            self.known[prefix] = (logits - np.log(np.exp(logits).sum())).astype(np.float32)
        return self.known[prefix]


def search(tables: list[Table], longest: int, beams: int, penalty: float) -> list[list[int]]:
    """beam_search over several tables in one batch; what it says of each, without bos and padding.

    A model's logits are log-probabilities up to a number of each prefix's own: so are these.
    """

    def next_logits(tokens: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor:
        assert tokens.shape[1] <= longest, "it asks for a token beyond the last"
        return torch.stack(
            [
                torch.tensor(tables[row // beams](tuple(prefix[1:]))) + 3 * (sum(prefix) % 5)
                for row, prefix in enumerate(tokens.tolist())
            ]
        )

    start = torch.full((len(tables), 1), BOS)
    said = beam_search(next_logits, small.CONFIG, start, longest, beams, penalty)
    assert (said[:, 0] == BOS).all()
    return [until_eos(row[1:].tolist()) for row in said]


def until_eos(row: list[int]) -> list[int]:
    return row[: row.index(EOS) + 1] if EOS in row else row


@pytest.mark.parametrize("penalty", PENALTIES)
def test_with_a_beam_for_every_prefix_it_is_the_best_of_all_sequences(penalty):
    vocab, longest = 4, 4
    tables = [Table(seed, vocab, eos_bonus) for seed, eos_bonus in enumerate((0.0, 1.0, -3.0, 3.0))]

    said = search(tables, longest, beams=vocab**longest, penalty=penalty)

    assert said == [list(reference.best_sequence(table, vocab, EOS, longest, penalty)) for table in tables]


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("beams", [2, 3, 5])
def test_with_few_beams_it_follows_the_written_rules(beams, penalty):
    tables = [Table(seed, vocab=6, eos_bonus=bonus) for seed in range(20) for bonus in (0.0, 1.5)]

    said = search(tables, longest=7, beams=beams, penalty=penalty)

    assert said == [list(reference.beam_search(table, EOS, 7, beams, penalty)) for table in tables]


def test_these_cases_would_tell_wrong_rules_apart():
    tables = [Table(seed, vocab=6, eos_bonus=bonus) for seed in range(20) for bonus in (0.0, 1.5)]

    by_beams = [str(search(tables, 7, beams, penalty=1.0)) for beams in (2, 3, 5)]
    by_penalty = [str(search(tables, 7, beams=5, penalty=penalty)) for penalty in PENALTIES]

    assert len(set(by_beams)) == len(by_beams)
    assert len(set(by_penalty)) == len(by_penalty)


def test_a_model_says_the_best_of_all_sequences():
    model = small.talker(vocab_size=5)
    source = SOURCE[:2] % 5

    said = generate(model, source, 3, num_beams=5**3, length_penalty=0.7)

    for row, ids in zip(said, source):
        wanted = reference.best_sequence(log_probs_of(model, ids), 5, EOS, longest=3, penalty=0.7)
        assert until_eos(row[1:].tolist()) == list(wanted)


def log_probs_of(model: Transformer, source: torch.Tensor) -> reference.LogProbs:
    @cache
    def log_probs(prefix: tuple[int, ...]) -> np.ndarray:
        logits = model(source[None], torch.tensor([[BOS, *prefix]]))[0, -1]
        return logits.log_softmax(dim=-1).detach().numpy()

    return log_probs


def test_more_beams_than_tokens_is_allowed():
    assert search([Table(3, vocab=4)], longest=1, beams=9, penalty=1.0) == [[int(Table(3, 4)(()).argmax())]]


def test_where_there_are_more_beams_than_sequences_none_grows_beyond_the_last_position():
    """After the likeliest token the end is certain; what takes the places that stay free is worse than what runs on."""
    said = {(): [0.0, -1e3, -1e4], (0,): [-1e4, -1e4, 0.0]}

    assert search([lambda prefix: said.get(prefix, [0.0] * 3)], longest=3, beams=32, penalty=1.0) == [[0, EOS]]


def test_at_the_last_position_an_unfinished_sequence_counts():
    never_ends = [Table(seed, vocab=5, eos_bonus=-1e4) for seed in range(3)]

    for said in search(never_ends, longest=4, beams=2, penalty=1.0):
        assert len(said) == 4
        assert EOS not in said


def test_the_continuation_stands_after_a_start_of_any_length_and_counts_alone():
    table = Table(5, vocab=6)

    def next_logits(tokens, rows):
        return torch.stack([torch.tensor(table(tuple(prefix[3:]))) for prefix in tokens.tolist()])

    said = beam_search(next_logits, small.CONFIG, torch.tensor([[4, 5, BOS]]), 7, num_beams=3, length_penalty=1.0)

    assert said[0, :3].tolist() == [4, 5, BOS]
    assert until_eos(said[0, 3:].tolist()) == search([table], 7, beams=3, penalty=1.0)[0]


def test_scores_of_half_precision_logits_are_added_in_single_precision():
    """In bfloat16 the logarithms of two of these tokens would be one number."""
    logits = torch.tensor([[4.0, 4.015625, 1.0]]).bfloat16()
    scores, _, tokens = best_continuations(torch.zeros(1, 1), logits, 3)

    assert scores.dtype == torch.float32
    assert torch.equal(scores, logits.float().log_softmax(dim=-1).gather(1, tokens))


def test_where_there_are_fewer_continuations_than_asked_for_all_come_the_best_first():
    scores, prefixes, tokens = best_continuations(torch.tensor([[-1.0, -9.0]]), torch.tensor([[0.0, 1], [0, 1]]), 6)

    assert (prefixes.tolist(), tokens.tolist()) == ([[0, 0, 1, 1]], [[1, 0, 1, 0]])
    assert scores[0, 0] == -1 + torch.tensor([0.0, 1]).log_softmax(0)[1]


def test_a_prefix_goes_on_where_it_is_better_than_the_worst_finished_one_and_not_where_it_is_as_good():
    finished = Finished(3, 2, PAD, torch.device("cpu"))
    finished.add(torch.ones(3, 2, 4, dtype=torch.long), torch.tensor([[-1.0, -2.0]] * 3))

    assert finished.can_improve(torch.tensor([-1.5, -2.0, -2.5])).tolist() == [True, False, False]


def test_shorter_finished_rows_are_filled_up_with_the_pad_symbol():
    finished = Finished(1, 2, pad_id=7, device=torch.device("cpu"))
    finished.add(torch.tensor([[[1, 2]]]), torch.tensor([[-1.0]]))
    finished.add(torch.tensor([[[1, 4, 2]]]), torch.tensor([[-0.5]]))

    assert finished.tokens.tolist() == [[[1, 4, 2], [1, 2, 7]]]


def test_rows_padded_after_eos_lose_the_columns_that_no_row_needs():
    tokens = torch.tensor([[1, 5, 2, 0, 0, 0], [1, 5, 6, 2, 0, 0]])

    assert trimmed(tokens, start=1, eos_id=EOS).tolist() == [[1, 5, 2, 0], [1, 5, 6, 2]]


@pytest.mark.parametrize(
    ("row", "width"), [([1, 2, 0, 0], 2), ([1, 5, 5, 5], 4), ([1, 5, 5, 2], 4), ([1, 5], 2), ([1, 2], 2)]
)
def test_a_row_ends_with_its_eos_or_at_the_cut(row, width):
    assert trimmed(torch.tensor([row]), start=1, eos_id=EOS).shape == (1, width)


def test_an_eos_in_the_start_ends_nothing():
    assert trimmed(torch.tensor([[2, 5, 6, 2, 0]]), start=1, eos_id=EOS).tolist() == [[2, 5, 6, 2]]
