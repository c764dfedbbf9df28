"""What the lessons say of kept results holds: every claim on them is run here, without running a lesson."""

import importlib
import pkgutil
from pathlib import Path

import pytest

import lessons.experiments
from lessons.teaching import about, claim, falls, highest, lowest, prose, rises
from lessons.teaching.claims import ClaimError

LESSONS = Path(lessons.experiments.__file__).parents[1]


def modules():
    names = [found.name for found in pkgutil.iter_modules(lessons.experiments.__path__)]
    return [importlib.import_module(f"lessons.experiments.{name}") for name in names]


CLAIMS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": function
    for module in modules()
    for name, function in vars(module).items()
    if getattr(function, "rests_on_kept_results", False) and function.__module__ == module.__name__
}


@pytest.mark.parametrize("name", CLAIMS)
def test_what_is_said_of_kept_results_is_so(name, monkeypatch):
    monkeypatch.setenv("FT_QUICK", "0")
    assert CLAIMS[name](), f"{name} gives its sentence no values"


@pytest.mark.parametrize("name", CLAIMS)
def test_each_claim_stands_in_a_lesson(name):
    function = name.rpartition(".")[2]
    assert [source for source in LESSONS.glob("[0-9][0-9]_*.py") if f"{function}()" in source.read_text("utf-8")]


def test_every_experiment_belongs_to_a_lesson():
    stems = [source.stem[3:] for source in LESSONS.glob("[0-9][0-9]_*.py")]
    names = [module.__name__.rpartition(".")[2] for module in modules()]
    assert [name for name in names if not any(f"{name}_".startswith(f"{stem}_") for stem in stems)] == []


def test_a_sentence_that_turns_is_an_error_with_its_numbers(monkeypatch):
    monkeypatch.setenv("FT_QUICK", "0")
    with pytest.raises(ClaimError, match=r"the text says 'it rises', the data do not: before = 3, after = 2\.5"):
        claim(2.5 > 3, "it rises", before=3, after=2.5)
    claim(True, "it rises")


def test_a_quick_run_does_not_judge(monkeypatch):
    monkeypatch.setenv("FT_QUICK", "1")
    claim(False, "too few words to say so")


def test_the_words_of_comparison():
    assert rises([1, 2, 3])
    assert not rises([1, 2, 2])
    assert falls([3, 2])
    assert not falls([3, 3])
    assert about(0.21, 1 / 5)
    assert not about(0.23, 1 / 5)
    assert (lowest({"a": 2.0, "b": 1.0}), highest({"a": 2.0, "b": 1.0})) == ("b", "a")


def test_a_template_lacks_no_value(capsys):
    prose("{share:.0f} % of {all}", share=8.6, all="it")
    assert capsys.readouterr().out == "9 % of it\n"
    with pytest.raises(ValueError, match=r"no value for shar in .* there are share"):
        prose("{shar}", share=1)
