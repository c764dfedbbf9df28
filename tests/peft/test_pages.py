"""A technique's page is its paper: no types, devices or layouts, and short enough to be read at one go."""

import ast
import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch

import peft
from peft import LoraConfig, get_peft_model
from tests.peft.small import small_base

FOLDER = Path(peft.__file__).parent
PAGES = {path.name: path for path in FOLDER.glob("*.py")}
NO_TECHNIQUE = {"__init__.py", "model.py", "recipes.py", "combine.py"}
ON_ITS_PAPER = {"qlora.py"}  # there four bits are the subject


@pytest.mark.parametrize("name", sorted(PAGES.keys() - NO_TECHNIQUE - ON_ITS_PAPER))
def test_no_technique_says_a_word_of_types_devices_or_layouts(name: str) -> None:
    lines = PAGES[name].read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if re.search(r"\bdtype\b|\bdevice\b|contiguous\(|autocast", line)]


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.name)
def test_a_file_is_one_idea_and_a_function_fits_a_screen(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    assert not [function.name for function in functions if function.end_lineno - function.lineno >= 40]


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.name)
def test_what_is_public_and_runs_or_places_is_documented(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    methods = [(owner.name, node) for owner in classes for node in owner.body if isinstance(node, ast.FunctionDef)]
    silent = [
        f"{owner}.{node.name}"
        for owner, node in methods
        if not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert not silent


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.name)
def test_every_field_of_a_config_is_explained(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for owner in (
        node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name.endswith(("Config", "Files"))
    ):
        names = [
            n.target.id
            for n in owner.body
            if isinstance(n, ast.AnnAssign) and "ClassVar" not in ast.unparse(n.annotation)
        ]
        missing = [name for name in names if f"`{name}`" not in (ast.get_docstring(owner) or "")]
        assert not missing, f"{owner.name} does not explain {missing}"


def test_a_product_of_lora_passes_two_files() -> None:
    """What runs of ours between the slot's call and its answer, in fp32: the frame's layers and the technique's page."""
    model = get_peft_model(small_base(), LoraConfig(r=2)).eval()
    slot, x = model.base_model.encoder.layers[0].self_attention.q_proj, torch.randn(2, 3, 24)
    passed = set()

    def look(frame: FrameType, event: str, argument: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and FOLDER.parent in path.parents and not {".venv", "tests"} & {*path.parts}:
            passed.add(path.relative_to(FOLDER.parent).as_posix())

    sys.setprofile(look)
    try:
        slot(x)
    finally:
        sys.setprofile(None)

    assert passed == {"peft/frame/layers.py", "peft/lora.py"}
