"""The lesson on sentiment: its measures, a tokenizer that fits, and every technique on a tiny encoder of each kind."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lessons.data import feedback
from lessons.data.feedback import RatedSentence
from lessons.sentiment import command, encoder, prompt_study
from lessons.sentiment.measures import PEOPLE, correlation, measure_people, published, weighted_f1
from lessons.sentiment.model import SentimentModel, as_batch
from lessons.sentiment.rows import RATES, part_of, prepared
from lessons.sentiment.table import as_markdown
from tests.pretrained.conftest import CONFIGS, SHAPES
from transformer.learning.formats import read_tensors
from transformer.pretrained import load_pretrained

tokenizers = pytest.importorskip("tokenizers", reason="the lesson's tokenizer is an extra: make sentiment")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "phone", "very", "not", "the"]
PLACES = 40
RESULTS = Path(command.__file__).resolve().parent.parent / "results"
POSITIONS = {
    "BertModel": "embeddings.position_embeddings.weight",
    "GPT2LMHeadModel": "transformer.wpe.weight",
}
GOOD, BAD = RatedSentence("the very good film", (3, 2, 4)), RatedSentence("bad phone", (-2, -1, -3))


def tokenizer_of(words: list[str]) -> "tokenizers.Tokenizer":
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return made


@pytest.fixture
def make_encoder(tmp_path: Path) -> Callable[[str], Path]:
    """`make_encoder(architecture)` writes a folder with random weights and a tokenizer of eleven words."""

    def make(architecture: str = "BertModel") -> Path:
        torch.manual_seed(0)
        shapes = SHAPES[architecture]()
        shapes[POSITIONS[architecture]] = (PLACES, shapes[POSITIONS[architecture]][1])
        config = CONFIGS[architecture] | {"architectures": [architecture]}
        config |= {"max_position_embeddings": PLACES, "n_positions": PLACES}
        (tmp_path / "config.json").write_text(json.dumps(config))
        save_file({name: 0.3 * torch.randn(shape) for name, shape in shapes.items()}, tmp_path / "model.safetensors")
        tokenizer_of(WORDS).save(str(tmp_path / "tokenizer.json"))
        return tmp_path

    return make


@pytest.fixture
def few_ratings(monkeypatch: pytest.MonkeyPatch) -> None:
    varied = [
        RatedSentence(f"{a} {b} {c}", (rating, rating // 2))
        for a in ("very", "not", "the")
        for b, rating in (("good", 3), ("bad", -3))
        for c in ("film", "phone", "film film", "phone film")
    ]
    domains = dict.fromkeys(("tweets", "movies", "amazon", "news"), varied)
    monkeypatch.setattr(command, "load_ratings", lambda folder=None: domains)


def test_f1_is_that_of_each_sign_weighted_by_its_share() -> None:
    truth, scores = np.array([2.0, 1.0, -1.0, 0.0]), np.array([1.0, -1.0, -0.5, 0.2])

    # positive: precision 1/2, recall 1/2; negative: precision 1/2, recall 1; neutral: never said
    assert weighted_f1(truth, scores) == pytest.approx(0.5 * 0.5 + 0.25 * 2 / 3)


def test_the_size_of_a_score_changes_the_correlation_and_not_the_f1() -> None:
    truth, scores = np.array([3.0, 1.0, -2.0]), np.array([0.1, 0.2, -0.9])

    assert weighted_f1(truth, scores) == weighted_f1(truth, scores**3) == 1.0
    assert correlation(truth, scores) != pytest.approx(correlation(truth, scores**3))


def test_scores_that_are_all_the_same_agree_with_nobody() -> None:
    assert correlation(np.array([1.0, -1.0]), np.array([0.5, 0.5])) == 0.0


def test_a_score_for_every_sentence_is_needed() -> None:
    with pytest.raises(ValueError, match=r"\(1,\) for \(2,\)"):
        weighted_f1(np.zeros(2), np.zeros(1))


@pytest.mark.slow
@pytest.mark.skipif(not (feedback.KEPT / feedback.ARCHIVE).is_file(), reason="the ratings were not fetched yet")
def test_the_published_row_of_single_people_follows_from_the_ratings() -> None:
    printed = published("movies")[PEOPLE]

    for domain, sentences in feedback.load_ratings().items():
        assert measure_people(sentences)["f1"] == pytest.approx(printed[domain], abs=0.005)


def test_the_best_published_cell_is_found_for_the_same_and_for_other_domains() -> None:
    found = published("amazon")

    assert list(found["best trained on amazon"].values()) == [0.69, 0.55, 0.61, 0.48]
    assert list(found["best of all other domains"].values()) == [0.69, 0.56, 0.58, 0.48]
    assert list(found["best of its own domain"].values()) == [0.84, 0.75, 0.61, 0.50]


def test_half_of_the_sentences_are_for_the_test_and_the_same_ones_each_time() -> None:
    parts = [part_of(RatedSentence(f"sentence {number}", (1,))) for number in range(4000)]

    assert parts == [part_of(RatedSentence(f"sentence {number}", (-1,))) for number in range(4000)]
    assert parts.count("test") / 4000 == pytest.approx(0.5, abs=0.03)
    assert parts.count("development") / 4000 == pytest.approx(0.05, abs=0.02)


def test_a_missing_encoder_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "PACKAGE", "there_is_no_such_package")

    with pytest.raises(FileNotFoundError, match=r"make sentiment.*--folder"):
        encoder.encoder_folder()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*WORDS, "more"], "ids up to 11, and the model's vocabulary has 11 tokens"),
        (WORDS[:4], "knows 4 tokens, and the model's vocabulary has 11"),
    ],
)
def test_a_tokenizer_that_does_not_fit_the_vocabulary_is_refused_with_numbers(
    make_encoder: Callable[..., Path], words: list[str], message: str
) -> None:
    folder = make_encoder()
    tokenizer_of(words).save(str(folder / "tokenizer.json"))

    with pytest.raises(ValueError, match=message):
        encoder.load_tokenizer(folder, load_pretrained(folder).config)


def test_a_sentence_is_cut_where_the_model_ends(make_encoder: Callable[..., Path]) -> None:
    folder = make_encoder()
    tokenizer = encoder.load_tokenizer(folder, load_pretrained(folder).config)

    assert len(encoder.encode(tokenizer, ["good " * 100])[0]) == PLACES


@pytest.mark.parametrize("architecture", ["BertModel", "GPT2LMHeadModel"])
def test_what_else_is_in_the_batch_changes_no_score(make_encoder: Callable[..., Path], architecture: str) -> None:
    model = SentimentModel(encoder.load_encoder(make_encoder(architecture))).eval()
    short, long = [4, 6], [10, 8, 5, 7, 9]

    together = model(as_batch(model.encoder, [short, long]))

    alone = torch.cat([model(as_batch(model.encoder, [row])) for row in (short, long)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("method", [method for method in RATES if method != "head"])
def test_training_moves_what_the_technique_trains(
    make_encoder: Callable[..., Path], few_ratings: None, tmp_path: Path, method: str
) -> None:
    folder = make_encoder()
    options = ["--methods", method, "--steps", "3", "--threads", "1", "--learning-rate", "0.05"]

    assert command.main([*options, "--folder", str(folder), "--out", str(tmp_path / "out")]) == 0

    (row,) = json.loads((tmp_path / "out" / "sentiment.json").read_text())["rows"]
    (kept,) = (tmp_path / "out" / "adapters").iterdir()
    fresh = prepared(command.setting_of(method, folder, command.parse(options)), folder)
    fresh.encoder.save_pretrained(tmp_path / "fresh")
    learnt, _ = read_tensors(kept / "adapter_model.safetensors")
    random, _ = read_tensors(tmp_path / "fresh" / "adapter_model.safetensors")
    assert learnt.keys() == random.keys()
    assert any(not tensor.equal(random[name]) for name, tensor in learnt.items())
    assert row["trainable_parameters"] == sum(p.numel() for p in fresh.parameters() if p.requires_grad)
    assert list(row["tested"]) == ["tweets", "movies", "amazon", "news"]
    assert row["tested"]["movies"]["sentences"] < row["tested"]["news"]["sentences"]


def test_rows_that_are_done_are_kept(
    make_encoder: Callable[..., Path], few_ratings: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--methods", "head", "--steps", "2", "--folder", str(make_encoder()), "--out", str(tmp_path / "out")]
    command.main(options)
    first = json.loads((tmp_path / "out" / "sentiment.json").read_text())

    def never(*_: object) -> dict:
        raise AssertionError("a kept row was trained again")

    monkeypatch.setattr(command, "run_row", never)
    command.main([*options, "--resume"])

    assert json.loads((tmp_path / "out" / "sentiment.json").read_text()) == first
    assert (tmp_path / "out" / "sentiment.png").read_bytes().startswith(b"\x89PNG")


def test_the_head_alone_leaves_the_encoder_as_it_was(make_encoder: Callable[..., Path]) -> None:
    folder = make_encoder()

    model = prepared(command.setting_of("head", folder, command.parse([])), folder)

    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == {
        "head.weight",
        "head.bias",
    }


def test_an_unknown_domain_is_refused_with_those_that_there_are(
    make_encoder: Callable[..., Path], few_ratings: None
) -> None:
    with pytest.raises(ValueError, match="no domain 'songs'; there are tweets, movies, amazon, news"):
        command.main(["--domain", "songs", "--folder", str(make_encoder())])


def test_the_page_shows_the_kept_run() -> None:
    kept = json.loads((RESULTS / "sentiment.json").read_text())

    assert as_markdown(kept) in (RESULTS.parent / "sentiment" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("trained_on", ["tweets", "movies", "amazon", "news"])
def test_lora_is_above_every_learner_that_was_published_with_the_same_training(trained_on: str) -> None:
    name = "sentiment.json" if trained_on == "movies" else f"sentiment-{trained_on}.json"
    kept = json.loads((RESULTS / name).read_text())
    lora = next(row for row in kept["rows"] if row["method"] == "lora")

    assert lora["domain"] == kept["run"]["domain"] == trained_on
    for domain, cell in kept["published"][f"best trained on {trained_on}"].items():
        assert lora["tested"][domain]["f1"] > cell


def in_this_process(kept: Any, measure: Callable[..., Any], jobs: int) -> None:
    """As `climb` runs a study, without processes of its own."""
    for name in kept.names:
        while wanted := kept.wanted(name):
            for rate, seed in wanted:
                kept.add(name, rate, seed, measure(name, rate, seed))


def test_the_study_of_prompts_searches_trains_and_goes_on_with_more_seeds(
    make_encoder: Callable[..., Path], few_ratings: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_encoder()
    steps: list[int] = []
    monkeypatch.setattr(prompt_study, "encoder_folder", lambda: folder)
    monkeypatch.setattr(prompt_study, "load_ratings", command.load_ratings)
    monkeypatch.setattr(prompt_study, "climb", in_this_process)
    monkeypatch.setattr(prompt_study, "development_error", lambda method, rate, seed, steps: abs(rate - 0.1))
    train = prompt_study.train
    monkeypatch.setattr(prompt_study, "train", lambda *given: steps.append(given[4]) or train(*given))
    prompt_study.sentences_of.cache_clear()

    for seeds in ("1", "2"):
        assert prompt_study.main(["--steps", "2", "--seeds", seeds, "--out", str(tmp_path / "out")]) == 0

    prompt_study.sentences_of.cache_clear()
    rows = json.loads((tmp_path / "out" / "sentiment_prompts.json").read_text())["rows"]
    assert [(row["name"], row["seed"]) for row in rows] == [
        (name, seed) for name in prompt_study.PROMPTS for seed in (0, 1)
    ]
    assert steps == [2] * len(rows)
    d_model = load_pretrained(folder).config.d_model
    first = rows[0]
    assert first["trainable_parameters"] == prompt_study.VIRTUAL_TOKENS * d_model + d_model + 1
    assert 0 <= first["f1"] <= 1
    assert first["sentences"] > 0
