"""What explain() prints: a terminal of 80 columns shows every path whole, and equal sites in one line."""

import io
import itertools
import re

import pytest
from rich.console import Console

from peft import RECIPES, LoraConfig, PeftModel, get_peft_model
from peft.frame.explain import explain, grouped
from peft.frame.patterns import written_as_one
from tests.peft.small import config_of, prepared, small_base, technique
from transformer import Transformer

ATTENTIONS = ("encoder.layers.{0-2}.self_attention", "decoder.layers.{0-2}.{self,cross}_attention")


def printed(model: PeftModel, width: int = 80) -> list[str]:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    explain(model, console)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def unfolded(text: str) -> list[str]:
    """Every path that a text stands for."""
    parts = re.split(r"\{([^}]*)\}", text)
    choices = [words_of(part) if index % 2 else [part] for index, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def words_of(braces: str) -> list[str]:
    words = []
    for word in braces.split(","):
        first, dash, last = word.partition("-")
        words += [str(number) for number in range(int(first), int(last) + 1)] if dash else [word]
    return words


def base_of_six_layers(method: str) -> Transformer:
    return prepared(method, small_base(num_encoder_layers=3, num_decoder_layers=3))


@pytest.mark.parametrize("method", RECIPES)
def test_at_80_columns_every_path_can_be_read_and_counted(method: str) -> None:
    model = get_peft_model(base_of_six_layers(method), config_of(method))

    lines = printed(model)

    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    listed = [line.split() for line in lines if line.startswith("  ")]
    paths = [path for text, *_ in listed for path in unfolded(text)]
    rows = explain(model, Console(file=io.StringIO()))
    assert sorted(paths) == sorted(row["site"] for row in rows)
    assert all(len(unfolded(text)) == int(count) for text, count, _ in listed)
    assert sum(int(number.replace(",", "")) for *_, number in listed) == model.get_nb_trainable_parameters()[0]


def test_at_50_columns_paths_go_on_in_the_next_line_and_numbers_stay_whole() -> None:
    model = get_peft_model(base_of_six_layers("lora"), config_of("lora"))
    wide, narrow = (printed(model, width) for width in (80, 50))

    assert max(map(len, narrow)) <= 50
    assert "…" not in "".join(narrow)
    counted = [[line.split()[-2:] for line in lines if line.startswith("  ")] for lines in (wide, narrow)]
    assert counted[0] == counted[1]


def test_equal_sites_stand_in_one_line() -> None:
    config = LoraConfig(r=2, target_modules=["q_proj", "k_proj", "v_proj", "out_proj"])
    lines = printed(get_peft_model(base_of_six_layers("lora"), config))

    assert [line.split()[:2] for line in lines[3:]] == [
        [f"{ATTENTIONS[0]}.{{q,k,v,out}}_proj", "12"],
        [f"{ATTENTIONS[1]}.{{q,k,v,out}}_proj", "24"],
    ]


def test_what_is_true_of_all_sites_is_said_once_and_what_is_off_is_named() -> None:
    model = technique("lora", trainable_token_indices=())
    model.add_adapter("second", LoraConfig(r=2))

    lines = printed(model)

    headings = [line for line in lines[2:] if not line.startswith("  ")]
    assert headings == [
        "default: LoraLinear 8×24, 24×8",
        "default: LoraLinear 8×24, 40×8",
        "default: LoraLinear 8×40, 24×8",
        "second (not active): LoraLinear 2×24, 24×2",
    ]


def test_numbers_stand_under_each_other() -> None:
    rows = [line for line in printed(technique("lora")) if line.startswith("  ")]

    ends = [[word.end() for word in re.finditer(r"\S+", row)][1:] for row in rows]

    assert all(each == ends[0] for each in ends)


def test_in_a_narrow_terminal_a_site_still_has_one_line() -> None:
    model = technique("lora")
    wide, narrow = ([line for line in printed(model, width) if line.startswith("  ")] for width in (80, 40))
    assert len(narrow) == len(wide)


def test_the_counts_are_without_colour() -> None:
    console = Console(force_terminal=True, color_system="standard", file=io.StringIO())
    explain(technique("lora"), console)
    assert "\x1b" not in console.file.getvalue().splitlines()[0]


def test_no_row_says_that_it_is_merged() -> None:
    assert not any(row["merged"] for row in explain(technique("adapter_houlsby"), Console(file=io.StringIO())))


@pytest.mark.parametrize(("letters", "said"), [(36, "x" * 36), (37, "1 tensors")])
def test_shapes_are_written_out_where_they_are_short(letters: int, said: str) -> None:
    row = {"adapter": "a", "technique": "Linear", "shape": "x" * letters, "active": True}
    assert list(grouped([row])) == [f"a: Linear {said}"]


def test_a_path_that_ends_where_another_goes_on_is_a_line_of_its_own() -> None:
    assert written_as_one(["a.b", "a.b.c"], 60) == [("a.b", 1), ("a.b.c", 1)]


def test_only_what_differs_in_one_part_is_joined() -> None:
    paths = ["a.0.q_proj", "a.1.q_proj", "a.4.q_proj", "a.0.v_proj", "a.1.v_proj", "a.4.v_proj", "a.0.fc1", "output"]
    assert written_as_one(paths, 60) == [("a.{0-1,4}.{q,v}_proj", 6), ("a.0.fc1", 1), ("output", 1)]
    assert written_as_one(paths[:6], 16) == [("a.{0-1,4}.q_proj", 3), ("a.{0-1,4}.v_proj", 3)]


def test_numbers_are_joined_in_runs_and_a_word_among_them_stands_for_itself() -> None:
    assert written_as_one([f"a.{number}.q" for number in (0, 1, 2, 4, 6, 7)], 60) == [("a.{0-2,4,6-7}.q", 6)]
    assert written_as_one(["a.0.q", "a.last.q"], 60) == [("a.{0,last}.q", 2)]


def test_the_counts_are_printed_in_one_line(capsys: pytest.CaptureFixture) -> None:
    technique("lora").print_trainable_parameters()
    assert capsys.readouterr().out == "trainable params: 10,800 || all params: 29,976 || trainable%: 36.0288\n"


def test_a_model_that_is_not_made_yet_has_nothing_to_ask() -> None:
    with pytest.raises(AttributeError, match="base_model"):
        PeftModel.__new__(PeftModel).config  # noqa: B018 - asking is what is tested
