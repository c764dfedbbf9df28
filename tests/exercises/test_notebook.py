"""`check` from a notebook: cells are executed for real, and what they define is graded."""

import nbformat
import pytest
from nbclient import NotebookClient

from lessons.exercises.catalogue import get
from lessons.exercises.grading.result import FAILED, PASSED
from lessons.exercises.source import LIBRARY
from lessons.exercises.student.notebook import check
from lessons.exercises.student.workbook import Workbook
from transformer.add_norm import LayerNorm

DEFINITION = """
import torch
from torch import nn

class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        centered = x - x.mean(dim=-1, keepdim=True)
        variance = centered.{power}().mean(dim=-1, keepdim=True)
        return self.weight * (centered * torch.rsqrt(variance + self.eps)) + self.bias
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the notebook runs."""
    monkeypatch.setenv("PYTHONPATH", str(LIBRARY))
    return tmp_path


def said_by(power, folder):
    """What the notebook shows under the cell that asks for the grade."""
    cells = [DEFINITION.format(power=power), "from lessons import check", "print(check('layer_norm', LayerNorm))"]
    return executed(cells, folder)[-1]


def executed(cells, folder):
    """What each cell shows."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    texts = [[each.get("text") or each["data"]["text/plain"] for each in cell.outputs] for cell in notebook.cells]
    return ["".join(text) for text in texts]


@pytest.mark.slow
@pytest.mark.parametrize(("power", "status"), [("square", PASSED), ("abs", FAILED)])
def test_a_cell_is_graded_and_how_it_ended_is_kept_as_in_the_terminal(power, status, folder):
    said = said_by(power, folder)

    assert status in said
    assert ("expected" in said) == (status == FAILED)
    assert ("With your LayerNorm.forward, called" in said and "tomato" in said) == (status == PASSED)
    assert ("Stuck? hint('layer_norm')" in said) == (status == FAILED)
    assert ("Next: start('" in said) == (status == PASSED)
    assert Workbook(folder / "workbook").progress(get("layer_norm")).status == status


@pytest.mark.slow
def test_a_student_goes_through_an_exercise_in_a_notebook(folder):
    count = "sum({0} for p in parameters if p.requires_grad), sum({0} for p in parameters)"
    mine = "def trainable_and_all(parameters):\n    return {}\n\ncheck('trainable_numbers', trainable_and_all)"
    cells = ["from lessons import check, hint, next, start", "start('trainable_numbers')", mine.format(count.format(1))]
    cells += ["hint()", mine.format(count.format("p.numel()")), "next()"]

    _, begun, counts_tensors, hinted, right, onwards = executed(cells, folder)

    assert "check('trainable_numbers', trainable_and_all=trainable_and_all)" in begun
    assert "the tensors are counted, not the numbers in them" in counts_tensors
    assert "hint 1 of 3: A tensor knows how many numbers are in it" in hinted
    assert PASSED in right
    assert "start('" in onwards
    assert "trainable_numbers" not in onwards


def test_what_no_cell_has_defined_is_not_graded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ValueError, match="the library's own"):
        check("layer_norm", LayerNorm)
