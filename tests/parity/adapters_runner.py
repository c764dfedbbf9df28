"""Runs in the second environment: Hugging Face PEFT on our own model class, and on the models of transformers.

The job is a list of cases. Each names a base folder and a kind of model, a folder for its adapter and the inputs, and
either loads the adapter that lies there or, given a config, makes one with random numbers and saves it. The outputs go
beside the adapter.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

import peft

# Last on the path: our `transformer` is found there, and our `peft` is not, because HF's comes first.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from transformer import load_model


def base_model(case: dict) -> torch.nn.Module:
    if case["kind"] == "ours":
        return load_model(case["base"])
    return getattr(transformers, case["kind"]).from_pretrained(case["base"]).eval()


def make(model: torch.nn.Module, case: dict) -> peft.PeftModel:
    """An adapter of which no number is where it started."""
    settings = dict(case["config"])
    config = getattr(peft, settings.pop("class"))(**settings)
    adapted = peft.get_peft_model(model, config).eval()
    converting = {}
    if settings.get("init_lora_weights") == "pissa":  # its base is not the base any more: save what was taken out
        start = Path(case["adapter"]) / "start"
        adapted.peft_config["default"].init_lora_weights = True
        adapted.save_pretrained(start)
        converting = {"path_initial_model_for_weight_conversion": str(start)}
        adapted.peft_config["default"].init_lora_weights = "pissa"
    torch.manual_seed(case["seed"])
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(case.get("spread", 0.2) * torch.randn_like(parameter))
    adapted.save_pretrained(case["adapter"], **converting)
    return adapted


def output(model: torch.nn.Module, case: dict, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    if case["kind"] == "ours":
        return model(inputs["source"], inputs["target"])
    settings = {"input_ids": inputs["source"], "attention_mask": inputs["mask"]}
    if "target" in inputs:
        settings["decoder_input_ids"] = inputs["target"]
    found = model(**settings)
    return found.logits if "logits" in found else found.last_hidden_state


@torch.no_grad()
def main(folder: Path) -> None:
    for case in json.loads((folder / "job.json").read_text(encoding="utf-8")):
        inputs = load_file(case["inputs"])
        found = {"base": output(base_model(case), case, inputs)}
        if "config" in case:
            adapted = make(base_model(case), case)
        else:
            adapted = peft.PeftModel.from_pretrained(base_model(case), case["adapter"]).eval()
        found["adapted"] = output(adapted, case, inputs)
        save_file(
            {name: tensor.contiguous() for name, tensor in found.items()}, Path(case["adapter"]) / "outputs.safetensors"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
