"""`start`, `hint` and `next` in a notebook, one method checked alone, and the short ways through the exercises."""

import linecache

import pytest

import lessons
from lessons.exercises.catalogue import all_exercises, get
from lessons.exercises.grading.result import PASSED, Result
from lessons.exercises.source import find, parse
from lessons.exercises.student.notebook import spliced
from lessons.exercises.student.workbook import Workbook
from lessons.exercises.tracks import TRACKS, track

EXERCISES = all_exercises()


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Workbook(tmp_path / "workbook")


def in_a_cell(text):
    """What a cell defines, with a source that can be found, as a notebook's kernel keeps it."""
    linecache.cache["<cell>"] = (len(text), None, text.splitlines(keepends=True), "<cell>")
    names = {"__name__": "__main__"}
    exec(compile(text, "<cell>", "exec"), names)
    return names


def test_start_gives_what_is_to_be_written_and_how_it_is_checked(book):
    said = lessons.start("split_heads")

    assert "def split_heads(self, x" in said
    assert "Head h takes the h-th block" in said
    assert "check('split_heads', split_heads=split_heads)" in said
    assert "rearrange(" not in said


@pytest.mark.parametrize("name", list(EXERCISES))
def test_what_start_gives_runs_in_a_fresh_cell(book, name):
    said = lessons.start(name)
    cell = said.rpartition("\n\ncheck(")[0]

    in_a_cell(cell)


def test_start_says_what_may_be_used_as_a_stub_does(book):
    said = lessons.start("lora")
    assert "# You may use" in said
    assert "plus_delta(" in said
    assert "self.scaling = " in said


def test_hints_are_counted_as_in_the_terminal(book):
    first, second = lessons.hint("lora"), lessons.hint("lora")

    assert first in second
    assert len(second) > len(first)
    assert book.progress(get("lora")).hints == 2


def test_next_stays_in_the_lesson_that_was_worked_on(book):
    book.start(get("lora_start"))
    book.keep(get("lora_start"), Result("lora_start", PASSED))
    book.keep(get("lora"), Result("lora", PASSED))

    assert book.next_open().lesson in (13, 1)
    book.start(get("gae"))
    assert book.next_open().lesson == get("gae").lesson
    assert EXERCISES[book.next_open().name].lesson == 25
    assert f"start('{book.next_open().name}')" in lessons.next()


def test_next_and_hint_follow_a_notebook_that_writes_no_file(book):
    book.keep(get("trainable_numbers"), Result("trainable_numbers", PASSED))
    lessons.start("lora_start")

    assert lessons.hint() == "\n".join(["hint 1 of 3: " + get("lora_start").hints[0]])
    assert "start('lora')" in lessons.next()
    book.keep(get("lora"), Result("lora", PASSED))
    assert "start('lora_start')" in lessons.next()
    book.keep(get("lora_start"), Result("lora_start", PASSED))
    assert "lesson 13" not in lessons.next()
    assert not book.path(get("lora")).exists()


def test_one_method_takes_its_place_in_the_class_with_what_it_uses():
    cell = in_a_cell("from einops import rearrange as turn\n\ndef mine(self, x):\n    return turn(x, 'a b -> b a')\n")

    source = spliced(get("split_heads"), (), {"split_heads": cell["mine"]})

    method = find(parse(source), "MultiHeadAttention.split_heads")
    assert "turn(x, 'a b -> b a')" in source
    assert [argument.arg for argument in method.args.args] == ["self", "x"]
    assert source.index("as turn") < source.index("class MultiHeadAttention")
    assert "def keys_and_values" in source


def test_a_method_that_is_not_asked_for_is_refused_with_what_is():
    with pytest.raises(ValueError, match=r"check\('split_heads', split_heads=\.\.\.\)"):
        spliced(get("split_heads"), (), {"heads": print})


@pytest.mark.parametrize("name", TRACKS)
def test_a_track_holds_exercises_that_can_be_done_in_its_order(name):
    names = track(name)

    assert f"in {len(names)} exercises" in TRACKS[name][0]
    for place, exercise in enumerate(names):
        inside = [before for before in EXERCISES[exercise].after if before in names]
        assert set(inside) <= set(names[:place])


def test_next_of_a_track_is_one_of_its_exercises(book):
    assert book.next_open(names=track("qlora")).name == "pack_nibbles"
    book.keep(get("pack_nibbles"), Result("pack_nibbles", PASSED))
    assert book.next_open(names=track("qlora")).name == "block_scales"
    with pytest.raises(ValueError, match="there is no track 'lorra'"):
        track("lorra")
