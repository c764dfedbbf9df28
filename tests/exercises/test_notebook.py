"""`check` from a notebook: cells are executed for real, and what they define is graded."""

import nbformat
from nbclient import NotebookClient

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


def said_by(power: str) -> str:
    """What the notebook shows under the cell that asks for the grade."""
    cells = [DEFINITION.format(power=power), "from lessons import check", "print(check('layer_norm', LayerNorm))"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return "".join(output.get("text", "") for output in notebook.cells[-1].outputs)


def test_a_cell_with_the_solution_passes() -> None:
    assert "passed" in said_by("square")


def test_a_cell_with_a_mistake_is_told_what_came() -> None:
    said = said_by("abs")
    assert "failed" in said
    assert "expected" in said
