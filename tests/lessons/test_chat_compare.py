"""The comparison on a language model: which rows there are, what is kept, and that a row is measured as it says."""

import json
import math

import pytest

from lessons.__main__ import main
from lessons.chat.comparing import command, forgetting, items, search
from lessons.chat.comparing.command import parse, row_settings
from lessons.chat.comparing.forgetting import own_answers, up_to_the_end
from lessons.chat.comparing.items import TASKS, held_out, taught
from lessons.chat.comparing.methods import MAIN, METHODS
from lessons.chat.comparing.report import accuracy, by_method, lost, make_report
from lessons.chat.comparing.row import UNTUNED, ChatSetting, run_row
from lessons.chat.comparing.table import lines_of, short_lines
from lessons.chat.training import sentiment_measures
from lessons.chat.training.sentiment import LABELS
from lessons.chat.training.spelling import REQUEST, Item
from lessons.chat.training.tuning import RATES_FILE, entry_of, rate_of, searched, start_of
from lessons.compare.processes import RowProcesses
from lessons.data.spelling import read_spellings
from tests.lessons.test_chat_command import gguf  # noqa: F401  a fixture

KINDS = ("seen", "never", "unchanged")
SPELLING = [
    Item(f"{REQUEST}a{'b' * n}", f"a{'b' * n if kind == 'unchanged' else 'e' * n}", kind, part)
    for kind, part in (("seen", "train"), ("unchanged", "train"), *((kind, "test") for kind in KINDS))
    for n in (1, 3, 4)
]
SMALL_LABELS = ("a", "b", "e")
SENTIMENT = [
    Item("ab" * n, label, domain, part)
    for domain, part in (("movies", "train"), ("movies", "development"), ("movies", "test"), ("news", "test"))
    for label in SMALL_LABELS
    for n in (1, 2, 3)
]


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch):
    items.items_of.cache_clear()
    monkeypatch.setattr(items, "load_ratings", dict)
    monkeypatch.setattr(items, "spelling_items", lambda sentences: SPELLING)
    monkeypatch.setattr(items, "sentiment_items", lambda ratings: SENTIMENT)
    monkeypatch.setattr(sentiment_measures, "LABELS", SMALL_LABELS)
    monkeypatch.setattr(forgetting, "ENGLISH", ("abba", "eab"))
    yield
    items.items_of.cache_clear()


def test_there_are_twelve_techniques_and_more_each_with_a_rate():
    settings = row_settings(parse(["--compare", "--seeds", "3"]))

    assert len(MAIN) >= 12
    assert len(settings) == len(TASKS) * (1 + 3 * len(METHODS))
    assert [setting.technique for setting in settings[:3]] == [UNTUNED, UNTUNED, MAIN[0]]
    assert all(setting.learning_rate > 0 for setting in settings[2:])
    assert len({setting.name for setting in settings}) == len(settings)
    assert len({(setting.method, setting.seed) for setting in settings}) == len(settings), "two rows share an adapter"


def test_options_reach_the_settings():
    options = parse(
        ["--compare", "--quick", "--methods", "ia3", "--steps", "7", "--rate", "0.5", "--model", "m.gguf"]
        + ["--items", "5", "--tasks", "sentiment"]
    )

    assert row_settings(options)[1:] == [ChatSetting("ia3", "sentiment", 0, 7, 0.5, 5, "m.gguf")]


def test_a_searched_rate_is_taken_each_task_its_own():
    settings = row_settings(parse(["--methods", "lora", "ia3"]))[2:]
    assert [(one.task, one.technique, one.learning_rate) for one in settings] == [
        (task, method, rate_of(task, method)) for task in TASKS for method in ("lora", "ia3")
    ]
    for task in TASKS:
        assert all(rate_of(task, method) == searched().get(f"{task}-{method}", start_of(method)) for method in METHODS)
    assert rate_of("spelling", "lora") != rate_of("sentiment", "lora"), "one rate is taken for both"
    assert rate_of("a file of conversations", "lora") == start_of("lora")


def test_every_kept_rate_lies_inside_what_was_tried():
    """An edge says nothing; and the main techniques were searched on both tasks, in the setting that the command has."""
    kept = json.loads(RATES_FILE.read_text())["methods"]

    assert {entry_of(task, method) for task in TASKS for method in MAIN} <= set(kept)
    for name, entry in kept.items():
        losses = {float(rate): loss["0"] for rate, loss in entry["tried"].items() if loss["0"] is not None}
        best = min(sorted(losses), key=losses.__getitem__)
        assert entry["best"] == best, name
        assert min(losses) < best < max(losses), f"{name}: the best rate is an edge"
        assert entry["setting"] == search.setting_of(*name.split("-", 1), search.STEPS), name


def test_the_search_goes_on_until_the_best_is_inside_and_keeps_it(tmp_path, monkeypatch):
    """On a valley at 0.01 for spelling and one at 0.001 for sentiment."""
    asked = []

    def runs_here(kept, measure, jobs):
        for name in kept.names:
            while wanted := kept.wanted(name):
                for rate, seed in wanted:
                    asked.append((name, rate))
                    kept.add(name, rate, seed, abs(math.log10(rate / (0.01 if "spelling" in name else 0.001))))

    monkeypatch.setattr(search, "climb", runs_here)
    monkeypatch.setattr(search, "smollm_file", lambda: None)
    file = tmp_path / "rates.json"
    arguments = ["chat", "--search", "--methods", "lora", "--file", str(file)]

    assert main(arguments) == 0
    found = json.loads(file.read_text())["methods"]
    assert {name: entry["best"] for name, entry in found.items()} == {"spelling-lora": 0.01, "sentiment-lora": 0.001}
    assert asked[0] == ("spelling-lora", start_of("lora"))
    count = len(asked)
    assert main(arguments) == 0
    assert len(asked) == count, "what was tried is not tried again"
    assert main([*arguments, "--steps", "3"]) == 2, "another setting is not mixed in"


def test_a_rate_is_judged_by_answers_that_no_test_sees(gguf, monkeypatch):  # noqa: F811
    held = [Item(f"{REQUEST}ab", "ae", "seen", "development"), Item(f"{REQUEST}a", "a", "unchanged", "development")]
    monkeypatch.setattr(items, "spelling_items", lambda sentences: SPELLING + held)
    monkeypatch.setattr(search, "smollm_file", lambda: gguf)

    assert search.development("spelling") == held
    assert search.development("sentiment") == [item for item in SENTIMENT if item.part == "development"]
    for task in TASKS:
        slow, fast = (search.try_rate(entry_of(task, "lora"), rate, 0, steps=3) for rate in (1e-6, 0.05))
        assert fast < slow, task


def test_test_items_are_limited_by_kind_and_no_item_is_taught():
    spelling, sentiment = held_out(SPELLING, "spelling", 2), held_out(SENTIMENT, "sentiment", 8)

    assert [item.kind for item in spelling] == [kind for kind in KINDS for _ in range(2)]
    assert {(item.kind, item.answer) for item in sentiment} == {
        (domain, label) for domain in ("movies", "news") for label in SMALL_LABELS
    }
    assert len(sentiment) == 2 * 6
    assert all(item.part == "test" for item in spelling + sentiment)
    assert all(
        item.part == "train" for task, every in zip(TASKS, (SPELLING, SENTIMENT)) for item in taught(every, task)
    )


def test_a_full_run_tests_at_least_a_hundred_items_of_each_task():
    stems = list(dict.fromkeys(read_spellings()))
    spelling = [Item(word, "", kind, "test") for kind in KINDS for word in stems[:150]]
    sentiment = [Item(str(n), label, str(domain), "test") for domain in range(4) for label in LABELS for n in range(99)]

    assert len(held_out(spelling, "spelling", command.ITEMS)) >= 100
    assert len(held_out(sentiment, "sentiment", command.ITEMS)) >= 100


def test_a_row_holds_what_the_tables_show(gguf, tmp_path):  # noqa: F811
    steps, rows = [], []
    answers = own_answers(tmp_path, gguf, ("ab", "he"))
    for task in TASKS:
        untouched = ChatSetting(UNTUNED, task, 0, 0, 0.0, 3, str(gguf))
        tuned = ChatSetting("lora", task, 1, 3, 0.05, 3, str(gguf))
        rows.append(run_row(untouched, tmp_path / "base", answers, lambda *_: None))
        rows.append(run_row(tuned, tmp_path / task, answers, lambda step, loss: steps.append(step)))
    report = json.loads(json.dumps(make_report(rows, {})))

    assert steps == [1, 2, 3] * 2
    for task in TASKS:
        base, row = report["base"][task], by_method(report, task)["lora"][0]
        assert set(row["scores"]) == set(base["scores"])
        assert lost([row], base, "english_nats") != [0.0]
        assert lost([row], base, "chat_nats") != [0.0]
        assert row["adapter_bytes"] == sum(file.stat().st_size for file in (tmp_path / task).iterdir())
        assert {len(line) for line in lines_of(report, task)} == {len(lines_of(report, task)[0])}
    assert {len(line) for line in short_lines(report)} == {len(short_lines(report)[0])}


def test_own_answers_are_made_once_and_anew_for_another_model(gguf, tmp_path, monkeypatch):  # noqa: F811
    first = own_answers(tmp_path, gguf, ("ab", "he"))
    made = []
    monkeypatch.setattr(forgetting, "answered", lambda model, prompts: made.append(model) or [])

    assert own_answers(tmp_path, gguf, ("ab", "he")) == first
    assert made == []
    assert own_answers(tmp_path, tmp_path / "other.gguf", ("ab", "he")) == []
    assert len(made) == 1
    assert all(any(learnt) and not learnt[0] for _, learnt in first)


def test_an_answer_ends_with_its_end():
    assert up_to_the_end([5, 2, 0, 0], 2) == [5, 2]
    assert up_to_the_end([5, 6], 2) == [5, 6]


def scored(method, task, groups, seed=0, exact=0.5, nats=3.0):
    """A row with the same share everywhere."""
    sides = {"exact": exact, "form": 1.0, "spelling": exact, "ranked": exact, "calibrated": 0.75}
    row = {"method": method, "task": task, "seed": seed, "scores": {group: {"items": 2} | sides for group in groups}}
    cost = {"trainable_parameters": 7, "adapter_bytes": 9, "learning_rate": 0.1, "processor_seconds": 1.0}
    return row | cost | {"peak_memory_bytes": 5, "english_nats": nats, "chat_nats": nats - 1}


class KeptProcesses(RowProcesses):
    """In place of real processes: remembers which rows were asked for."""

    asked: list[str] = []

    def run(self, settings):
        assert self.program == "lessons.chat.comparing.row"
        for setting in settings:
            self.asked.append(setting.method)
            groups = KINDS if setting.task == "spelling" else ("movies", "news")
            made = scored(setting.technique, setting.task, groups)
            (self.folder / "rows" / f"{setting.name}.json").write_text(json.dumps(made))
            yield setting, made


@pytest.mark.slow
def test_finished_rows_are_kept_and_the_report_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "RowProcesses", KeptProcesses)
    monkeypatch.setattr(command, "own_answers", lambda *_: [])
    monkeypatch.setattr(command, "model_file", lambda *_: None)
    arguments = ["chat", "--compare", "--quick", "--out", str(tmp_path)]

    assert main([*arguments, "--methods", "lora"]) == 0
    first = ["spelling-base", "sentiment-base", "spelling-lora", "sentiment-lora"]
    assert KeptProcesses.asked == first
    assert main([*arguments, "--methods", "lora", "ia3", "--resume"]) == 0

    assert KeptProcesses.asked == [*first, "spelling-ia3", "sentiment-ia3"]
    report = json.loads((tmp_path / "report.json").read_text())
    assert [row["method"] for row in report["rows"]] == ["lora", "ia3"] * 2
    assert "mean, calibrated" in capsys.readouterr().out
    assert "chat_forgetting" not in (tmp_path / "report.html").read_text(), "figures are inside the page"
    assert {file.stem for file in tmp_path.glob("*.png")} == {
        f"chat_{name}" for name in ("spelling", "sentiment", "forgetting", "parameters")
    }


def test_what_is_unchanged_is_no_accuracy():
    row = scored("lora", "spelling", KINDS)
    row["scores"]["unchanged"]["exact"] = 0.0

    assert accuracy(row) == 0.5


def test_an_unknown_technique_is_named(capsys):
    assert main(["chat", "--compare", "--methods", "lorra"]) == 2
    assert "did you mean lora?" in capsys.readouterr().err
