"""Runs in the second environment: ten steps of AdamW on a checkpoint that is there already; keeps the losses.

The folder holds the checkpoint, job.json and batches.safetensors (source, mask, inputs and labels of every step). If the
job names an adapter, that is trained and the checkpoint is not.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import MarianMTModel

import peft


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    batches = load_file(folder / "batches.safetensors")
    model = MarianMTModel.from_pretrained(folder).train()
    if "adapter" in job:
        model = peft.PeftModel.from_pretrained(model, job["adapter"], is_trainable=True)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, **job["optimizer"])
    losses, norms = [], []
    for source, mask, inputs, labels in zip(*(batches[name] for name in ("source", "mask", "inputs", "labels"))):
        logits = model(input_ids=source, attention_mask=mask, decoder_input_ids=inputs).logits
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=model.config.pad_token_id
        )
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), float("inf")))
        optimizer.step()
        losses.append(loss.detach())
    save_file({"losses": torch.stack(losses), "norms": torch.stack(norms)}, folder / "losses.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
