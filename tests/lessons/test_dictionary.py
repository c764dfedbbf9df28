"""The real data: whole, in one notation, split the same way in every accent."""

import gzip
import hashlib
import re
from importlib import resources
from pathlib import Path

import pytest

from lessons.data.build import read_accent, read_cmu, unify_all, without_repeats
from lessons.data.notation import ARPABET, RULES, UNSTRESSED_ARPABET, from_arpabet, unify
from lessons.data.report import TEMPLATE
from lessons.task import dictionary
from lessons.task.vocabulary import LETTERS, SYMBOLS, Vocabulary, tokenize, vocabulary

DATA = resources.files("lessons") / "data"
SIZES = {  # words, pronunciations, training, development, test
    "american": (77_366, 78_031, 72_710, 1_514, 3_142),
    "british": (74_300, 75_015, 69_845, 1_442, 3_013),
    "cmu": (117_493, 125_645, 110_377, 2_354, 4_762),
}


def test_ids_never_move():
    tokens = vocabulary()
    assert (tokens.pad_id, tokens.bos_id, tokens.eos_id) == (0, 1, 2)
    assert tokens.encode_word("az") == [3, 28, 2]
    assert tokens.encode_pronunciation("ˈˌiɪeɛæaɑɒɔoʊuʌəɜᵻpbtdkɡʔɾmnŋfvθðszʃʒhʧʤlɹjw") == [*range(29, 73), 2]
    assert len(tokens) == 73 == 3 + len(LETTERS) + len(SYMBOLS)


def test_the_letter_b_is_not_the_sound_b():
    assert vocabulary().letter_ids["b"] != vocabulary().symbol_ids["b"]


@pytest.mark.parametrize("accent", dictionary.ACCENTS)
def test_every_word_and_pronunciation_comes_back_from_its_ids(accent: str):
    tokens, words = vocabulary(), list(dictionary.load(accent).items())[::7]
    assert all(tokens.decode(tokens.encode_word(word)) == word for word, _ in words)
    pronunciations = [text for _, listed in words for text in listed]
    assert all(tokens.decode_pronunciation(tokens.encode_pronunciation(text)) == text for text in pronunciations)


def test_decoding_stops_at_the_end_and_skips_begin_and_padding():
    tokens = vocabulary()
    bath = tokens.encode_pronunciation("bˈɑθ")
    assert tokens.decode([1, 0, *bath, *bath, 0]) == "bˈɑθ"


def test_a_letter_in_a_prediction_does_not_pass_for_a_sound():
    tokens = vocabulary()
    assert tokens.decode_pronunciation([*tokens.encode_word("b")]) == "?"


def test_decoding_refuses_an_id_that_is_no_token():
    with pytest.raises(ValueError, match="token 73 is outside the vocabulary of 73"):
        vocabulary().decode([5, 73])


@pytest.mark.parametrize(
    ("word", "foreign"), [("naïve", "ï"), ("Bath", "B"), ("don't", "'"), ("a b", " "), ("用", "用")]
)
def test_a_foreign_character_is_named_with_what_is_allowed(word: str, foreign: str):
    with pytest.raises(ValueError, match=f"{foreign}.*allowed are {LETTERS}"):
        vocabulary().encode_word(word)


def test_an_empty_word_and_an_unknown_symbol_are_refused():
    with pytest.raises(ValueError, match="the word is empty"):
        vocabulary().encode_word("")
    with pytest.raises(ValueError, match="the pronunciation 'bQ' holds 'Q'"):
        vocabulary().encode_pronunciation("bQ")


def test_a_vocabulary_of_other_symbols_counts_its_own():
    assert Vocabulary("xy", "ɒ").encode_pronunciation("ɒ") == [5, 2]


@pytest.mark.parametrize("accent", dictionary.ACCENTS)
def test_the_counts_are_those_of_the_table(accent: str):
    words = dictionary.load(accent)
    parts = [len(dictionary.words(accent, part)) for part in dictionary.PARTS]
    assert (len(words), sum(map(len, words.values())), *parts) == SIZES[accent]
    assert f"| `{accent}` | " + " | ".join(f"{n:,}" for n in SIZES[accent]) in (DATA / "README.md").read_text()


def test_the_page_has_the_words_of_its_maker():
    page = (DATA / "README.md").read_text(encoding="utf-8")
    assert [words for words in re.split(r"\{[^{}]*\}", TEMPLATE) if words not in page] == []


@pytest.mark.parametrize("accent", dictionary.ACCENTS)
def test_the_stored_file_has_the_hash_that_is_kept_beside_it(accent: str):
    content = gzip.decompress((DATA / f"{accent}.tsv.gz").read_bytes())
    assert f"{hashlib.sha256(content).hexdigest()}  {accent}.tsv\n" in (DATA / "SHA256SUMS").read_text()


def test_a_held_out_word_is_trained_on_in_no_accent():
    training = set().union(*(dictionary.words(accent, "train") for accent in dictionary.ACCENTS))
    for accent in dictionary.ACCENTS:
        for part in ("development", "test"):
            assert training.isdisjoint(dictionary.words(accent, part))


def test_nothing_but_the_word_decides_its_part():
    parts = {"bath": "train", "farcical": "development", "clothes": "test"}
    assert {word: dictionary.part_of(word) for word in parts} == parts


def test_a_smaller_selection_is_the_beginning_of_a_larger_one():
    many = dictionary.words("british", "test", limit=50)
    assert dictionary.words("british", "test", limit=20) == many[:20]
    assert dictionary.words("british", "test", limit=50, seed=1) != many
    assert many != sorted(many)


def test_common_words_come_in_the_same_order_in_two_accents():
    american, british = (dictionary.words(accent, "test") for accent in ("american", "british"))
    common = set(american) & set(british)
    assert [word for word in american if word in common] == [word for word in british if word in common]


def test_fine_tuning_words_are_training_words():
    words = dictionary.fine_tuning_words()
    assert len(set(words)) == 1000
    assert {dictionary.part_of(word) for word in words} == {"train"}
    assert set(words) <= dictionary.load("british").keys()


def test_pairs_hold_the_first_pronunciation_or_all_of_them():
    tokens = vocabulary()
    source, first = dictionary.pairs("american", ["read"])[0]
    assert (tokens.decode(source), tokens.decode(first)) == ("read", "ɹˈid")
    every = dictionary.pairs("american", ["read", "bath"], all_pronunciations=True)
    assert [tokens.decode(target) for _, target in every] == ["ɹˈid", "ɹˈɛd", "bˈæθ"]


def test_american_lacks_only_the_rounded_vowel():
    names = {token: symbol for symbol, token in vocabulary().symbol_ids.items()}
    assert [names[token] for token in dictionary.unseen_symbols()] == ["ɒ"]
    assert {names[token] for token in dictionary.unseen_symbols("british")} == set("oᵻʔɾ")
    assert {names[token] for token in dictionary.unseen_symbols("cmu")} == set("ˈˌɒᵻʔɾ")


def test_the_second_domain_brings_no_symbol_that_pretraining_lacks():
    assert set(dictionary.unseen_symbols()) <= set(dictionary.unseen_symbols("cmu"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dictionary.load("scottish"), "unknown accent 'scottish'; there are american, british, cmu"),
        (lambda: dictionary.words("british", "dev"), "unknown part 'dev'; there are train, development, test"),
        (lambda: dictionary.words("british", "test", limit=4000), "4000 words asked for.*holds 3013"),
        (lambda: dictionary.pairs("british", ["zzzz"]), "'zzzz' is not in the british dictionary"),
    ],
)
def test_a_wrong_request_is_answered_with_what_there_is(call, message: str):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("damage", [lambda b: b[:5000], lambda b: b[:9000] + b"!!" + b[9002:], lambda b: b"word\tw"])
def test_a_damaged_file_is_named_with_the_way_to_repair_it(damage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "british.tsv.gz").write_bytes(damage((DATA / "british.tsv.gz").read_bytes()))
    (tmp_path / "data" / "SHA256SUMS").write_text((DATA / "SHA256SUMS").read_text())
    monkeypatch.setattr(dictionary.resources, "files", lambda package: tmp_path)
    with pytest.raises(ValueError, match=r"british.tsv.gz is damaged.*python -m lessons.data.build"):
        dictionary.load.__wrapped__("british")


def test_a_missing_and_an_exchanged_file_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "SHA256SUMS").write_text((DATA / "SHA256SUMS").read_text())
    monkeypatch.setattr(dictionary.resources, "files", lambda package: tmp_path)
    with pytest.raises(FileNotFoundError, match=r"british.tsv.gz is missing"):
        dictionary.load.__wrapped__("british")
    (tmp_path / "data" / "british.tsv.gz").write_bytes((DATA / "american.tsv.gz").read_bytes())
    with pytest.raises(ValueError, match="is not the dictionary of SHA256SUMS"):
        dictionary.load.__wrapped__("british")


@pytest.mark.parametrize(
    ("written", "stored"),
    [("təmˈAɾO", "təmˈeɪɾoʊ"), ("təmˈɑːtQ", "təmˈɑtəʊ"), ("bˈaθ", "bˈæθ"), ("pˈɪksᵊl", "pˈɪksəl")]
    + [("ʃˈɛːd", "ʃˈɛəd"), ("ˈadvəːb", "ˈædvɜb"), ("bˈI", "bˈaɪ"), ("nˈW", "nˈaʊ"), ("bˈY", "bˈɔɪ")],
)
def test_notation_is_unified_and_sound_is_kept(written: str, stored: str):
    assert unify(written) == stored
    assert set(tokenize(stored)) <= set(SYMBOLS)


def test_no_notation_is_left_in_the_stored_accents():
    notation = {written for written, _ in RULES} - {"a", "əː", "ɛː"}
    for accent in ("american", "british"):
        used = {symbol for listed in dictionary.load(accent).values() for text in listed for symbol in text}
        assert used <= set(SYMBOLS)
        assert used.isdisjoint(notation)


def test_arpabet_loses_its_stress_but_keeps_the_reduced_vowels():
    assert from_arpabet("AH0 B AW1 T".split()) == "əbaʊt"
    assert from_arpabet("B AH1 T ER0".split()) == "bʌtəɹ"
    assert from_arpabet("B ER1 D".split()) == "bɜɹd"
    assert set("".join([*ARPABET.values(), *UNSTRESSED_ARPABET.values()])) <= set(SYMBOLS)


def test_the_usual_pronunciation_comes_first_and_none_twice():
    source = b'{"Bath": "x", "read": {"VBD": "r\xc9\x9bd", "DEFAULT": "rid", "VB": "rid", "NN": null}, "map": "mAp"}'
    words = without_repeats(unify_all(read_accent(source)))
    assert words == {"map": ["meɪp"], "read": ["rid", "rɛd"]}


def test_a_numbered_entry_of_the_cmu_dictionary_is_another_pronunciation():
    lines = b"tomato T AH0 M EY1 T OW2\ntomato(2) T AH0 M AA1 T OW2 # british\n'tis T IH1 Z\n"
    assert read_cmu(lines) == {"tomato": ["təmeɪtoʊ", "təmɑtoʊ"]}
