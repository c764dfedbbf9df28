"""Runs in the second environment: makes random models with Hugging Face transformers, and keeps what they answer.

The job is a list of cases: name, architecture, config, seed, and what to compute. Into the folder of each case go the
checkpoint as transformers writes it, and outputs.safetensors with the inputs and the outputs.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file


def randomized(case: dict) -> torch.nn.Module:
    """Every number is drawn: norms and biases that are 1 and 0 would hide what is mixed up."""
    torch.manual_seed(case["seed"])
    architecture = getattr(transformers, case["architecture"])
    model = architecture(architecture.config_class(**case["config"])).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                start = 1.0 if "norm" in name.lower() or ".ln_" in name else 0.0
                parameter.copy_(start + 0.3 * torch.randn_like(parameter))
        if hasattr(model, "final_logits_bias"):
            model.final_logits_bias.copy_(torch.randn_like(model.final_logits_bias))
            model.final_logits_bias[0, model.config.eos_token_id] += case.get("eos_bias", 0.0)
    return model


def random_ids(rows: int, length: int, vocab: int, avoid: set[int]) -> torch.Tensor:
    allowed = torch.tensor([token for token in range(vocab) if token not in avoid])
    return allowed[torch.randint(len(allowed), (rows, length))]


def padded(ids: torch.Tensor, pad_id: int, lengths: list[int], in_front: bool) -> tuple[torch.Tensor, torch.Tensor]:
    place = torch.arange(ids.shape[1]).flip(0) if in_front else torch.arange(ids.shape[1])
    real = place < torch.tensor(lengths)[:, None]
    return torch.where(real, ids, pad_id), real.long()


@torch.no_grad()
def logits(model: torch.nn.Module, case: dict) -> dict[str, torch.Tensor]:
    """What the model says without padding, and with it."""
    config, found = model.config, {}
    pad_id = config.pad_token_id
    whole = random_ids(3, 7, config.vocab_size, {pad_id})
    in_front = not config.is_encoder_decoder and not case["architecture"].startswith("Bert")
    hidden, mask = padded(whole, pad_id, [7, 4, 2], in_front)
    for name, ids, real in (("whole", whole, None), ("padded", hidden, mask)):
        settings = {"input_ids": ids, "attention_mask": real}
        if config.is_encoder_decoder:
            settings["decoder_input_ids"] = found[f"{name}.target"] = random_ids(3, 5, config.vocab_size, {pad_id})
        elif case["architecture"].startswith("Bert"):
            settings["token_type_ids"] = found[f"{name}.segments"] = torch.randint(config.type_vocab_size, ids.shape)
        elif real is not None:
            settings["position_ids"] = (real.cumsum(dim=1) - 1).clamp(min=0)  # as `generate` counts them
        output = model(**settings)
        found[f"{name}.source"] = ids
        kinds = ("logits", "prediction_logits", "last_hidden_state")
        found[f"{name}.output"] = next(output[kind] for kind in kinds if kind in output)
    return found


@torch.no_grad()
def generation(model: torch.nn.Module, case: dict) -> dict[str, torch.Tensor]:
    """What `generate` answers, in float64 so that no rounding decides between two tokens."""
    config, found = model.double().config, {}
    pad_id = config.eos_token_id if config.pad_token_id is None else config.pad_token_id
    ids = random_ids(4, 6, config.vocab_size, {pad_id})
    ids, mask = padded(ids, pad_id, [6, 3, 5, 1], in_front=not config.is_encoder_decoder)
    found["source"] = ids
    for name, settings in case["generate"].items():
        found[name] = model.generate(ids, attention_mask=mask, do_sample=False, **settings)
    return found


def main(folder: Path) -> None:
    for case in json.loads((folder / "job.json").read_text(encoding="utf-8")):
        model = randomized(case)
        model.save_pretrained(folder / case["name"])
        found = generation(model, case) if "generate" in case else logits(model, case)
        tensors = {name: tensor.contiguous() for name, tensor in found.items()}
        save_file(tensors, folder / case["name"] / "outputs.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
