"""Pairs and the file that keeps them: whole lines in, whole lines out, and an error that names the line."""

import locale
from collections.abc import Iterator

import pytest
import torch

from rlhf import Preferences, append_preference, collate_preferences, read_preferences

PAIRS = [([3, 4, 2], [5, 2], [4, 4, 4, 2]), ([5, 2], [2], [3, 2])]


def test_pairs_come_back_from_a_file_as_they_were_added(tmp_path):
    file = tmp_path / "deep" / "deeper" / "pairs.jsonl"

    for source, chosen, rejected in PAIRS:
        append_preference(file, source, chosen, rejected, word="naïve", seconds=1.5)

    assert read_preferences(file) == PAIRS
    assert file.read_text(encoding="utf-8").count("naïve") == 2


@pytest.fixture
def ascii_machine() -> Iterator[None]:
    """A machine whose own files are ASCII."""
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C")
    yield
    locale.setlocale(locale.LC_CTYPE, before)


@pytest.mark.usefixtures("ascii_machine")
def test_a_file_is_in_utf_8_on_every_machine(tmp_path):
    append_preference(tmp_path / "pairs.jsonl", *PAIRS[0], word="naïve")

    assert read_preferences(tmp_path / "pairs.jsonl") == PAIRS[:1]


def test_ids_may_stand_in_any_sequence_and_be_0(tmp_path):
    append_preference(tmp_path / "pairs.jsonl", range(3), range(0, 3, 2), range(1))

    assert read_preferences(tmp_path / "pairs.jsonl") == [([0, 1, 2], [0, 2], [0])]


def test_both_sides_are_padded_to_one_width():
    pairs = collate_preferences(PAIRS, pad_id=0)

    assert pairs.source.tolist() == [[3, 4, 2], [5, 2, 0]]
    assert pairs.chosen.tolist() == [[5, 2, 0, 0], [2, 0, 0, 0]]
    assert pairs.rejected.tolist() == [[4, 4, 4, 2], [3, 2, 0, 0]]


def test_stacked_pairs_carry_no_column_that_only_pads():
    pairs = collate_preferences([*PAIRS, ([3, 4, 5, 5, 2], [3, 3, 3, 3, 3, 2], [2])], pad_id=0)

    source, both = pairs.rows(torch.tensor([0, 1])).stacked(eos_id=2, pad_id=0)

    assert source.tolist() == [[3, 4, 2], [5, 2, 0]] * 2
    assert both.tolist() == [[5, 2, 0, 0], [2, 0, 0, 0], [4, 4, 4, 2], [3, 2, 0, 0]]
    assert pairs.rows(torch.tensor([0])).stacked(eos_id=2, pad_id=0)[1].tolist() == [[5, 2, 0, 0], [4, 4, 4, 2]]


def test_stacked_pairs_keep_their_ends_where_padding_is_the_same_id():
    pairs = collate_preferences([([3, 2], [5, 2], [2]), ([4, 2], [5, 5, 5, 2], [4])], pad_id=2)

    source, both = pairs.rows(torch.tensor([0])).stacked(eos_id=2, pad_id=2)

    assert source.tolist() == [[3, 2]] * 2
    assert both.tolist() == [[5, 2], [2, 2]]


def test_sources_can_be_padded_in_front():
    assert collate_preferences(PAIRS, 0, pad_source_in_front=True).source.tolist() == [[3, 4, 2], [0, 5, 2]]


def test_a_truncated_file_is_refused_with_the_line(tmp_path):
    file = tmp_path / "pairs.jsonl"
    append_preference(file, *PAIRS[0])
    file.write_text(file.read_text() + '{"source": [3, 2], "chosen": [4')

    with pytest.raises(ValueError, match="line 2 is not valid JSON"):
        read_preferences(file)


@pytest.mark.parametrize(
    "line",
    [
        '{"source": [3], "chosen": [4]}',
        "[1, 2]",
        '{"source": [3], "chosen": [], "rejected": [1]}',
        '{"source": "abc", "chosen": [4], "rejected": [1]}',
        '{"source": [3], "chosen": [-4], "rejected": [1]}',
        '{"source": [3], "chosen": [4, -4], "rejected": [1]}',
    ],
)
def test_a_line_that_is_no_pair_is_refused(tmp_path, line):
    (tmp_path / "pairs.jsonl").write_text(line + "\n")

    with pytest.raises(ValueError, match="line 1 needs"):
        read_preferences(tmp_path / "pairs.jsonl")


def test_no_file_and_no_pairs_are_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file of preferences"):
        read_preferences(tmp_path / "nothing.jsonl")
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(ValueError, match="holds no pairs"):
        read_preferences(tmp_path / "empty.jsonl")
    with pytest.raises(ValueError, match="there are no pairs"):
        collate_preferences([], 0)


def test_pairs_of_equal_sides_are_refused():
    with pytest.raises(ValueError, match=r"both sides are the same in the pairs \[1\]"):
        Preferences(torch.ones(2, 1).long(), torch.tensor([[3, 2], [4, 2]]), torch.tensor([[4, 2], [4, 2]]))


@pytest.mark.parametrize("pair", [([], [3], [4]), ([3], [], [4]), ([3], [4], [])])
def test_an_empty_side_is_refused(pair):
    with pytest.raises(ValueError, match="pair 1 has an empty source or an empty response"):
        collate_preferences([PAIRS[0], pair], 0)


@pytest.mark.parametrize("token", [-1, 6])
def test_ids_just_outside_of_the_vocabulary_are_refused_with_the_side(token):
    collate_preferences(PAIRS, pad_id=0).check_ids(vocab_size=6)

    with pytest.raises(ValueError, match=r"preferences' rejected responses hold ids .*; the vocabulary is 0\.\.5"):
        collate_preferences([*PAIRS, ([3, 2], [4, 2], [token, 2])], pad_id=0).check_ids(vocab_size=6)
