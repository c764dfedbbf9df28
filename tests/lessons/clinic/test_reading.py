"""A row in colour: what carries loss, what does not, and padding that does."""

import torch

from lessons.clinic.checks import padding
from lessons.clinic.command import main
from lessons.clinic.reading import coloured, read
from lessons.clinic.run import Run
from lessons.clinic.world import pronunciation

BATCH = {"source": torch.tensor([[5, 6]]), "inputs": torch.tensor([[1, 7, 2, 0]])}


def styles(labels: list[int]) -> list[str]:
    reading = read({**BATCH, "labels": torch.tensor([labels])}, False, 0, 2)
    line = coloured(reading, 0, pad_id=0)
    return [str(span.style) for span in line.spans]


def test_each_token_has_the_colour_of_what_the_loss_does_with_it():
    assert styles([7, 2, -100, -100]) == ["green", "green", "bright_black", "bright_black"]
    assert styles([7, 2, -100, 0]) == ["green", "green", "bright_black", "red"]


def test_a_text_shows_the_tokens_that_are_not_asked_for_too():
    batch = {"input_ids": torch.tensor([[4, 5, 6]]), "labels": torch.tensor([[-100, -100, 6]])}
    line = coloured(read(batch, True, 0, 2), 0)

    assert line.plain == "5 6 "
    assert [str(span.style) for span in line.spans] == ["bright_black", "green"]


def test_a_case_about_labels_shows_a_row_sick_and_repaired(capsys):
    assert main(["eos-masked"]) == 0

    assert "green carries loss" in capsys.readouterr().out


def test_a_merged_world_has_the_trained_rows_too():
    world = pronunciation()
    batch = world.batches[0]
    with torch.no_grad():
        tuned, merged = (model(batch["source"], batch["inputs"]) for model in (world.tuned(), world.merged()))

    torch.testing.assert_close(merged, tuned, atol=1e-3, rtol=1e-3)


class Published(torch.nn.Module):
    """As much of a model of transformers as the check asks: a config that is not ours, a table of positions, an adapter."""

    def __init__(self, technique: str, table: str):
        super().__init__()
        self.config = type("Config", (), {"pad_token_id": 0, "eos_token_id": 2, "bos_token_id": 1})()
        self.peft_config = {"default": type("Adapter", (), {"peft_type": technique})()}
        self.add_module(table, torch.nn.Embedding(8, 4))


def test_virtual_tokens_before_a_table_of_positions_are_not_accused_of_padding_in_front():
    batch = {
        "input_ids": torch.tensor([[0, 0, 5, 6]]),
        "attention_mask": torch.tensor([[0, 0, 1, 1]]),
        "labels": torch.tensor([[-100, -100, -100, 6]]),
    }
    asked = [("PROMPT_TUNING", "wpe"), ("LORA", "wpe"), ("PROMPT_TUNING", "embed_tokens")]

    found = [padding.positions_are_counted_from_the_front(Run(Published(*each), [batch])) for each in asked]

    assert found == [True, False, False]
