"""Runs in the second environment: a GPT-2 of transformers, its rows padded in front, and each row alone.

Into the folder go the checkpoint, the batches, and the logits: of the padded batch as it is, repaired by `position_ids`, and
of each row alone.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

ROWS = ([7, 5, 9, 4, 2], [6, 8, 2], [11, 4, 10, 12, 5, 9, 2])
PAD = 3


def main(folder: Path) -> None:
    torch.manual_seed(0)
    shape = transformers.GPT2Config(vocab_size=29, n_embd=24, n_layer=2, n_head=4, n_positions=20, pad_token_id=PAD,
                                    bos_token_id=1, eos_token_id=2, initializer_range=0.4)  # fmt: skip
    model = transformers.GPT2LMHeadModel(shape).eval()
    model.save_pretrained(folder / "gpt2")
    width = max(map(len, ROWS))
    ids = torch.tensor([[PAD] * (width - len(row)) + row for row in ROWS])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ROWS])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        found = {
            "front": model(ids, attention_mask=mask).logits,
            "repaired": model(ids, attention_mask=mask, position_ids=positions).logits,
            **{f"alone {i}": model(torch.tensor([row])).logits for i, row in enumerate(ROWS)},
        }
    save_file({"ids": ids, "mask": mask, "positions": positions} | {n: t.clone() for n, t in found.items()}, folder / "found.safetensors")  # fmt: skip
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from lessons.clinic import diagnose

    batch = {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, -100)}
    unmasked = {name: tensor for name, tensor in batch.items() if name != "attention_mask"}
    runs = {"front": batch, "unmasked": unmasked, "repaired": {**batch, "position_ids": positions}}
    names = {name: [finding.name for finding in diagnose(model, [given])] for name, given in runs.items()}
    (folder / "names.json").write_text(json.dumps(names), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
