"""Runs in the second environment: what transformers makes of SmolLM2's weights, as our reader decoded them into a folder."""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaForCausalLM


@torch.no_grad()
def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found = {}
    for index, ids in enumerate(job["prompts"]):
        prompt = torch.tensor([ids])
        found[f"{index}.logits"] = model(prompt).logits[0, -job["positions"] :].clone()
        settings = {"do_sample": False, "max_new_tokens": job["max_new_tokens"], "pad_token_id": 0}
        found[f"{index}.tokens"] = model.generate(prompt, attention_mask=torch.ones_like(prompt), **settings)
    save_file(found, folder / "outputs.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
