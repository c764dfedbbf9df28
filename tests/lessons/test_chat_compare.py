"""The comparison on a language model: which rows there are, what is kept, and that a row is measured as it says."""

import json

import pytest

from lessons.__main__ import main
from lessons.chat.comparing import command, row
from lessons.chat.comparing.command import METHODS, parse, row_settings
from lessons.chat.comparing.row import UNTUNED, ChatSetting, held_out, run_row
from lessons.chat.training.spelling import REQUEST, Item
from tests.lessons.test_chat_command import gguf  # noqa: F401  a fixture

KINDS = ("seen", "never", "unchanged")
ITEMS = [
    Item(f"{REQUEST}a{'b' * n}", f"a{'b' * n if kind == 'unchanged' else 'e' * n}", kind, part)
    for kind, part in (("seen", "train"), ("unchanged", "train"), *((kind, "test") for kind in KINDS))
    for n in (1, 3, 4)
]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    monkeypatch.setattr(row, "load_ratings", dict)
    monkeypatch.setattr(row, "spelling_items", lambda sentences: ITEMS)
    monkeypatch.setattr(row, "ENGLISH", ("abba", "eab"))


def test_there_are_twelve_techniques_and_more_each_with_a_rate():
    settings = row_settings(parse(["--compare", "--seeds", "3"]))

    assert len(METHODS) >= 12
    assert len(settings) == 1 + 3 * len(METHODS)
    assert settings[0].method == UNTUNED
    assert all(setting.learning_rate > 0 for setting in settings[1:])
    assert len({setting.name for setting in settings}) == len(settings)


def test_options_reach_the_settings():
    options = parse(["--compare", "--quick", "--methods", "ia3", "--steps", "7", "--rate", "0.5", "--model", "m.gguf"])

    assert row_settings(options)[1:] == [ChatSetting("ia3", 0, 7, 0.5, command.QUICK_ITEMS, "m.gguf")]


def test_an_unknown_technique_is_named(capsys):
    assert main(["chat", "--compare", "--methods", "lorra"]) == 2
    assert "did you mean lora?" in capsys.readouterr().err


def test_test_items_are_limited_by_kind():
    assert [item.kind for item in held_out(ITEMS, 2)] == [kind for kind in KINDS for _ in range(2)]
    assert all(item.part == "test" for item in held_out(ITEMS, None))


def test_a_row_holds_what_the_table_shows(gguf, tmp_path):  # noqa: F811
    steps = []
    base = run_row(ChatSetting(UNTUNED, 0, 0, 0.0, None, str(gguf)), tmp_path / "base", lambda *_: None)
    tuned = run_row(
        ChatSetting("lora", 1, 3, 0.05, None, str(gguf)), tmp_path / "lora", lambda step, loss: steps.append(step)
    )

    assert steps == [1, 2, 3]
    assert json.loads(json.dumps(tuned))["spelling"] == tuned["spelling"]
    assert set(tuned["spelling"]) == set(base["spelling"]) == set(KINDS)
    assert tuned["english_nats"] != base["english_nats"]
    assert tuned["adapter_bytes"] == sum(file.stat().st_size for file in (tmp_path / "lora").iterdir())
    assert len(command.cells_of(tuned)) == len(command.cells_of(base)) == len(command.table_of([tuned]).columns)


class KeptProcesses:
    """In place of real processes: remembers which rows were asked for."""

    asked: list[str] = []

    def __init__(self, folder, jobs, progress, program):
        self.folder = folder
        assert program == "lessons.chat.comparing.row"

    def running(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def run(self, settings):
        for setting in settings:
            self.asked.append(setting.method)
            scores = {kind: {"items": 2, "exact": 0.5, "form": 1.0, "spelling": 0.5} for kind in KINDS}
            made = {"method": setting.method, "seed": 0, "spelling": scores, "english_nats": 3.0}
            (self.folder / "rows" / f"{setting.name}.json").write_text(json.dumps(made))
            yield setting, made


def test_finished_rows_are_kept_and_the_report_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "RowProcesses", KeptProcesses)
    arguments = ["chat", "--compare", "--quick", "--out", str(tmp_path)]

    assert main([*arguments, "--methods", "lora"]) == 0
    assert KeptProcesses.asked == [UNTUNED, "lora"]
    assert main([*arguments, "--methods", "lora", "ia3", "--resume"]) == 0

    assert KeptProcesses.asked == [UNTUNED, "lora", "ia3"]
    report = json.loads((tmp_path / "report.json").read_text())
    assert [made["method"] for made in report["rows"]] == ["lora", "ia3"]
    assert "never: words" in capsys.readouterr().out.replace("\n", " ")
