"""Judging pairs at the terminal: what is kept, what is asked again, what is refused, and what training on it reports."""

import io
import json
from pathlib import Path

import pytest

from lessons.preferences.prefer import Pair, judge, main, sampled_pairs
from lessons.preferences.prefer_training import read_judged, speaker
from lessons.task.dictionary import fine_tuning_words, vocabulary, words
from rlhf import append_preference
from transformer.learning.formats import read_json

PAIRS = [Pair("bath", ("bˈɑθ", "bˈæθ")), Pair("hot", ("hˈɑt", "hˈɒt")), Pair("new", ("njˈu", "nˈu"))]


def typed(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{key}\n" for key in keys)))


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def a_file(path: Path, count: int = 6, accent: str = "american") -> Path:
    tokens = vocabulary()
    for index in range(count):
        ids = (tokens.encode_pronunciation(text) for text in ("bˈæθ", "bˈæ"))
        append_preference(path, tokens.encode_word("bath"), *ids, word=f"bath{index}", accent=accent)
    return path


def test_the_side_that_was_typed_is_the_chosen_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    typed(monkeypatch, "12")

    count = judge(PAIRS[:2], tmp_path / "a.jsonl", "british", 2)

    assert count == 2
    assert [line["better"] for line in lines_of(tmp_path / "a.jsonl")] == ["bˈɑθ", "hˈɒt"]
    _, pairs = read_judged(tmp_path / "a.jsonl")
    said = [[vocabulary().decode_pronunciation(side) for side in pair[1:]] for pair in pairs]
    assert said == [["bˈɑθ", "bˈæθ"], ["hˈɒt", "hˈɑt"]]


def test_a_skipped_pair_is_not_kept_and_other_keys_are_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    typed(monkeypatch, "sx7 2")

    count = judge(PAIRS, tmp_path / "a.jsonl", "british", 1)

    assert count == 1
    assert [line["word"] for line in lines_of(tmp_path / "a.jsonl")] == ["hot"]


@pytest.mark.parametrize("keys", ["1q", "1"], ids=["q", "the end of the input"])
def test_stopping_keeps_what_was_judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, keys: str):
    typed(monkeypatch, keys)

    count = judge(PAIRS, tmp_path / "a.jsonl", "british", 3)

    assert count == len(lines_of(tmp_path / "a.jsonl")) == 1


def test_each_line_is_on_disk_before_the_next_question(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    path, seen = tmp_path / "a.jsonl", []

    def ask(question: str) -> str:
        seen.append(len(lines_of(path)) if path.is_file() else 0)
        return "1"

    monkeypatch.setattr("builtins.input", ask)

    judge(PAIRS, path, "british", 3)

    assert seen == [0, 1, 2]


def test_a_second_call_goes_on_with_other_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    path = tmp_path / "a.jsonl"
    for _ in range(2):
        typed(monkeypatch, "11")
        assert main(["--accent", "american", "--words", "2", "--out", str(path)]) == 0

    judged = [line["word"] for line in lines_of(path)]

    assert len(set(judged)) == 4
    assert not set(judged) & set(fine_tuning_words("american"))


def test_a_file_that_was_edited_by_hand_gets_its_next_pair_on_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    path = a_file(tmp_path / "a.jsonl", 1)
    path.write_text(path.read_text().rstrip("\n"))
    typed(monkeypatch, "1")

    main(["--accent", "american", "--words", "1", "--out", str(path)])

    assert len(lines_of(path)) == 2


def test_both_sides_are_sampled_and_differ():
    pairs = list(sampled_pairs(speaker("american"), words("american", "development", 64), seed=0))

    assert pairs
    assert all(pair.sides[0] != pair.sides[1] for pair in pairs)


BAD_LINES = {
    "cut off": ('{"source": [3, 2], "chosen": [40', "line 3 is not valid JSON"),
    "a side is missing": ('{"source": [3, 2], "chosen": [40, 2], "accent": "american"}', "line 3 needs"),
    "no such token": ('{"source": [3, 2], "chosen": [999, 2], "rejected": [40, 2]}', "line 3 holds the token 999"),
    "equal sides": ('{"source": [3, 2], "chosen": [40, 2], "rejected": [40, 2]}', "line 3: both sides are the same"),
    "two accents": (
        '{"source": [3, 2], "chosen": [40, 2], "rejected": [41, 2], "accent": "british"}',
        "line 3 has the accent 'british'",
    ),
}


@pytest.mark.parametrize(("line", "said"), BAD_LINES.values(), ids=BAD_LINES)
@pytest.mark.parametrize("arguments", [["--train"], ["--accent", "american", "--out"]], ids=["train", "go on"])
def test_a_damaged_file_is_refused_with_the_number_of_the_line(
    tmp_path: Path, line: str, said: str, arguments: list[str]
):
    path = a_file(tmp_path / "a.jsonl", 2)
    path.write_text(path.read_text() + line)

    with pytest.raises(ValueError, match=said):
        main([*arguments, str(path)])


def test_pairs_of_another_accent_are_not_added_to_a_file(tmp_path: Path):
    path = a_file(tmp_path / "a.jsonl", 2)

    with pytest.raises(ValueError, match="holds american pairs"):
        main(["--accent", "british", "--out", str(path)])


@pytest.mark.slow
def test_training_moves_the_policy_towards_the_chosen_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = a_file(tmp_path / "a.jsonl")

    assert main(["--train", str(path), "--test-words", "4"]) == 0

    report = read_json(tmp_path / "a.report.json")
    assert report["history"][0]["loss"] == pytest.approx(0.693147, abs=1e-4)
    assert report["history"][-1]["margin"] > 0
    assert report["before"]["kl"] == pytest.approx(0, abs=1e-5)
    assert (report["pairs"], report["held_out_pairs"]) == (4, 2)
    assert (tmp_path / "a.adapter" / "adapter_config.json").is_file()
    assert "4 pairs taught" in capsys.readouterr().out


def test_training_on_a_file_that_is_not_there_says_so(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="no file of preferences"):
        main(["--train", str(tmp_path / "none.jsonl")])
