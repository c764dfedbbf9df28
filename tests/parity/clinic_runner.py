"""Runs in the second environment: healthy runs of Hugging Face PEFT on models of transformers, and one that is sick.

Their PEFT builds and trains; then its name is given to ours, which the clinic stands on. Their objects live on.
"""

import json
import sys
from pathlib import Path

import torch
import transformers

import peft

MODELS = {
    "GPT-2": (
        transformers.GPT2LMHeadModel,
        transformers.GPT2Config(vocab_size=29, n_embd=24, n_layer=2, n_head=4, n_positions=20, pad_token_id=3,
                                bos_token_id=1, eos_token_id=2),
        ["c_attn"], ["mlp.c_proj"], ["ln_1"],
    ),
    "Llama": (
        transformers.LlamaForCausalLM,
        transformers.LlamaConfig(vocab_size=29, hidden_size=32, intermediate_size=40, num_hidden_layers=2,
                                 num_attention_heads=4, pad_token_id=3, bos_token_id=1, eos_token_id=2),
        ["q_proj", "v_proj"], ["down_proj"], ["input_layernorm"],
    ),
}  # fmt: skip


def configs(targets: list[str], inner: list[str], norms: list[str]) -> dict[str, peft.PeftConfig]:
    """Their techniques that have a place in a model of transformers."""
    both = [*targets, *inner]
    return {
        "LoRA": peft.LoraConfig(target_modules=targets, r=4, lora_alpha=6),
        "rsLoRA": peft.LoraConfig(target_modules=both, r=4, lora_alpha=6, use_rslora=True),
        "DoRA": peft.LoraConfig(target_modules=targets, r=4, use_dora=True),
        "LoRA with biases": peft.LoraConfig(target_modules=targets, r=4, bias="all"),
        "IA3": peft.IA3Config(target_modules=both, feedforward_modules=inner),
        "VeRA": peft.VeraConfig(target_modules=inner, r=4),
        "LayerNorm tuning": peft.LNTuningConfig(target_modules=norms),
        "prompt tuning": peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    }


def batches() -> list[dict[str, torch.Tensor]]:
    numbers = torch.Generator().manual_seed(2)
    made = []
    for rows in (3, 5):
        ids = torch.randint(4, 29, (rows, 9), generator=numbers)
        ids[:, -1] = 2
        mask = torch.ones_like(ids)
        ids[1, -4], ids[1, -3:], mask[1, -3:] = 2, 3, 0
        labels = ids.masked_fill(mask == 0, -100)
        labels[:, :5] = -100
        made.append({"input_ids": ids, "attention_mask": mask, "labels": labels})
    return made


def state(model: torch.nn.Module) -> list:
    """All that a look at a run must leave as it was."""
    kept = [
        torch.random.get_rng_state(),
        *(tensor.detach().clone() for tensor in (*model.parameters(), *model.buffers())),
    ]
    flags = [(p.requires_grad, p.grad is None) for p in model.parameters()]
    return [*kept, *flags, *((m.training, len(m._forward_hooks)) for m in model.modules())]


def same(before: list, after: list) -> bool:
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(before, after, strict=True))


def main(folder: Path) -> None:
    runs = []
    for name, (kind, shape, *places) in MODELS.items():
        for technique, config in configs(*places).items():
            if name == "GPT-2":
                config.fan_in_fan_out = True
            torch.manual_seed(0)
            model = peft.get_peft_model(kind(shape), config).train()
            runs.append((f"{name}, {technique}", model))
    for module in [module for module in sys.modules if module.partition(".")[0] == "peft"]:
        del sys.modules[module]
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from lessons.clinic import diagnose

    found = {}
    for name, model in runs:
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        found[f"{name}, in training"] = [str(f) for f in diagnose(model, batches(), optimizer=optimizer)]
        for _ in range(3):
            for batch in batches():
                optimizer.zero_grad()
                model(**batch).loss.backward()
                optimizer.step()
        model.eval()
        before = state(model)
        found[f"{name}, in use"] = [str(f) for f in diagnose(model, batches())]
        found[f"{name}, in use"] += [] if same(before, state(model)) else ["the look changed the model"]
        found[f"{name}, sick"] = [f.name for f in diagnose(model.train(), batches())]
        stray = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))], lr=1e-3)
        found[f"{name}, sick"] += [f.name for f in diagnose(model, batches(), optimizer=stray)]
    (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
