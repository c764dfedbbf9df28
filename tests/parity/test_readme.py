"""The README's lines that take an adapter to Hugging Face PEFT and back: they are run as they stand there."""

import re
from pathlib import Path

import pytest
import torch

import peft
from transformer.pretrained import load_pretrained

pytestmark = pytest.mark.parity

README = Path(__file__).resolve().parents[2] / "README.md"
GPT2 = {"vocab_size": 29, "n_embd": 24, "n_layer": 2, "n_head": 4, "n_inner": 40, "n_positions": 20}


def code_blocks() -> list[str]:
    section = README.read_text(encoding="utf-8").split("## Adapters that travel")[1].split("\n## ")[0]
    return re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)


def test_an_adapter_goes_there_and_comes_back_by_the_readme_s_lines(second_python, monkeypatch, row):
    case = {"name": "gpt2", "architecture": "GPT2LMHeadModel", "seed": 0}
    folder = second_python(
        "models", [case | {"config": GPT2 | {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}}]
    )
    monkeypatch.chdir(folder)
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj", "fc1"], init_lora_weights=False)
    model = peft.get_peft_model(load_pretrained("gpt2"), config).eval()
    model.save_pretrained("trained-here")
    leave, there, come_back = code_blocks()

    exec(leave, {})
    second_python("snippet", {"name": str(README), "code": there}, folder)
    found: dict[str, torch.nn.Module] = {}
    exec(come_back, found)

    ids = torch.randint(4, 29, (2, 9))
    difference = (model(ids) - found["model"](ids)).abs().max().item()
    row("GPT-2: LoRA, by the lines of the README", "ours → HF's model → ours", difference)
    assert (model(ids) - model.unload()(ids)).abs().max() > 0.05
    assert difference < 1e-5
