"""What users get wrong, and what they must be told."""

import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from peft import (
    AdapterConfig,
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptTuningConfig,
    PTuningConfig,
    PTuningV2Config,
    VeraConfig,
    get_peft_model,
    recipe,
    set_stage,
)
from quant import NF4_CODEBOOK, Linear4bit, LinearQ4, quantize_4bit, quantize_model
from rlhf import DPOConfig, GRPOConfig, PPOConfig, Preferences, dpo, dpo_loss, ipo_loss, preference_loss
from transformer import TrainingConfig, Transformer, TransformerConfig, generate, load_model, save_model, train
from transformer.pretrained import load_pretrained

NAN, INFINITE = math.nan, math.inf
FIELDS: dict[str, Any] = {
    "vocab_size": 17,
    "d_model": 12,
    "num_heads": 3,
    "num_encoder_layers": 1,
    "num_decoder_layers": 1,
    "d_ff": 20,
    "dropout": 0.0,
    "max_length": 8,
}
SOURCE = torch.tensor([[5, 8, 2], [7, 2, 0]])
PAIRS = [([5, 8, 2], [6, 2]), ([7, 2], [9, 4, 2])]
CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"


def base(**changes: object) -> Transformer:
    torch.manual_seed(0)
    return Transformer(TransformerConfig(**{**FIELDS, **changes})).eval()


def broken(number: float = NAN) -> Transformer:
    """A model of which one weight is no number."""
    model = base()
    with torch.no_grad():
        model.decoder.layers[0].feed_forward.fc1.weight[0, 0] = number
    return model


def adapter_folder(text: str | None = None, **changes: object) -> Path:
    """A saved LoRA; its config with some fields changed, or with another text altogether."""
    folder = Path(tempfile.mkdtemp())
    get_peft_model(base(), LoraConfig(r=2)).save_pretrained(folder)
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | changes) if text is None else text)
    return folder


def load_adapter(text: str | None = None, **changes: object) -> PeftModel:
    return PeftModel.from_pretrained(base(), adapter_folder(text, **changes))


def load_changed_tensors(change: Callable[[Tensor], Tensor]) -> PeftModel:
    folder = adapter_folder()
    tensors = {name: change(tensor) for name, tensor in load_file(folder / TENSORS).items()}
    save_file(tensors, folder / TENSORS)
    return PeftModel.from_pretrained(base(), folder)


def load_without_tensors(other: str) -> PeftModel:
    """From a folder where another file lies instead."""
    folder = adapter_folder()
    (folder / TENSORS).rename(folder / other)
    return PeftModel.from_pretrained(base(), folder)


def of_another_kind() -> nn.Module:
    """A layer whose config is none of ours."""
    layer = nn.Linear(3, 3)
    layer.config = object()
    return layer


def load_base(text: str | None = None, model: nn.Module | None = None, **changes: object) -> Any:
    folder = Path(tempfile.mkdtemp())
    save_model(base() if model is None else model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes) if text is None else text)
    return load_model(folder)


GPT2 = {
    "vocab_size": 17,
    "n_embd": 12,
    "n_head": 3,
    "n_layer": 1,
    "n_positions": 8,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def load_gpt2(**changes: object) -> Any:
    folder = Path(tempfile.mkdtemp())
    values = {"architectures": ["GPT2LMHeadModel"], **GPT2, **changes}
    (folder / "config.json").write_text(json.dumps(values))
    save_file({"wte.weight": torch.zeros(17, 12)}, folder / "model.safetensors")
    return load_pretrained(folder)


def a_file() -> Path:
    path = Path(tempfile.mkdtemp()) / "a_file"
    path.write_text("")
    return path


def run(model: Transformer | None = None, checkpoint: Path | None = None, **settings: Any) -> list[float]:
    config = TrainingConfig(**{"steps": 3, "warmup": 1, **settings})
    return train(base() if model is None else model, PAIRS, config, checkpoint=checkpoint)


def prefer(chosen: int) -> object:
    """DPO on one pair, whose chosen response is this token."""
    ids = (SOURCE[:1], torch.tensor([[chosen, 2]]), torch.tensor([[5, 2]]))
    return dpo(get_peft_model(base(), LoraConfig(r=2)), Preferences(*ids))


def ppo(**changes: object) -> PPOConfig:
    return PPOConfig(**{"steps": 1, **changes})


def numbers(count: int) -> Tensor:
    return torch.linspace(-1, 0, count)


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    # settings that are no numbers
    "alpha that is NaN": (lambda: LoraConfig(lora_alpha=NAN), "lora_alpha must be a finite number, not nan"),
    "alpha that is infinite": (lambda: LoraConfig(lora_alpha=INFINITE), "lora_alpha must be a finite number, not inf"),
    "alpha of one layer": (lambda: LoraConfig(alpha_pattern={"q_proj": NAN}), "alpha_pattern must be a mapping of text to a finite number"),
    "rank as text": (lambda: LoraConfig(r="8"), "r must be an integer, not '8'"),
    "rank of one layer as text": (lambda: LoraConfig(rank_pattern={"q_proj": "8"}), "rank_pattern must be a mapping of text to an integer"),
    "rank as True": (lambda: LoraConfig(r=True), "r must be an integer, not True"),
    "targets as numbers": (lambda: LoraConfig(target_modules=[1]), "target_modules must be text or a list of text, not (1,)"),
    "a word where a list is wanted": (lambda: LoraConfig(exclude_modules="fc1"), "exclude_modules must be a list of text, not 'fc1'"),
    "a pattern that is no regular expression": (lambda: get_peft_model(base(), LoraConfig(target_modules="(")), "target_modules '(' is no regular expression"),
    "dropout as text": (lambda: LoraConfig(lora_dropout="0.1"), "lora_dropout must be a finite number, not '0.1'"),
    "a dropout of 1": (lambda: LoraConfig(lora_dropout=1.0), "lora_dropout is a probability in [0, 1), not 1.0"),
    "a dropout below 0": (lambda: LoraConfig(lora_dropout=-0.1), "lora_dropout is a probability in [0, 1), not -0.1"),
    "a start that is none": (lambda: LoraConfig(init_lora_weights="dora"), "init_lora_weights must be True or False or one of gaussian, pissa, loftq, not 'dora'"),
    "no site": (lambda: LoraConfig(sites=()), "sites are among encoder_self, decoder_self, cross, feed_forward, not ()"),
    "a site that is none": (lambda: LoraConfig(sites=("cross", "self")), "sites are among encoder_self, decoder_self, cross, feed_forward, not ('cross', 'self')"),
    "a prompt of nothing": (lambda: PromptTuningConfig(num_virtual_tokens=0), "num_virtual_tokens 0 must be at least 1"),
    "an encoded prompt of nothing": (lambda: PTuningConfig(num_virtual_tokens=0), "num_virtual_tokens 0 must be at least 1"),
    "a prefix of nothing": (lambda: PrefixTuningConfig(num_virtual_tokens=0), "num_virtual_tokens 0 must be at least 1"),
    "a direct prefix of nothing": (lambda: PTuningV2Config(num_virtual_tokens=0), "num_virtual_tokens 0 must be at least 1"),
    "a pattern too long": (lambda: get_peft_model(base(), LoraConfig(target_modules="q" * 1001)), "target_modules 'qqq"),
    "a name too long": (lambda: get_peft_model(base(), LoraConfig(), "n" * 101), f"'{'n' * 100}' cannot be an adapter's name"),
    "scaling that is NaN": (lambda: AdapterConfig(style="parallel", scaling=NAN), "scaling must be a finite number, not nan"),
    "a start that is infinite": (lambda: VeraConfig(d_initial=INFINITE), "d_initial must be a finite number, not inf"),
    "eps that is infinite": (lambda: base(layer_norm_eps=INFINITE), "layer_norm_eps must be a finite number, not inf"),
    "a rate that is infinite": (lambda: run(learning_rate=INFINITE), "learning_rate must be a finite number, not inf"),
    "a rate as text": (lambda: run(learning_rate="1e-3"), "learning_rate must be a finite number, not '1e-3'"),
    "steps as text": (lambda: run(steps="3"), "steps must be an integer, not '3'"),
    "a beta too many": (lambda: run(betas=(0.9, 0.98, 0.99)), "betas must be a pair of a finite number and a finite number, not (0.9, 0.98, 0.99)"),
    # sizes that no machine holds
    "a model too large": (lambda: base(d_model=2**40, num_heads=1), "vocab_size 17 with d_model 1099511627776 makes "),
    "one layer too many": (lambda: base(num_encoder_layers=1025), "num_encoder_layers must be at most 1024, not 1025"),
    "one position too many": (lambda: base(max_length=2**20 + 1, d_model=64, num_heads=1), "max_length 1048577 with d_model 64 makes 67108928 numbers; 67108864 are the most"),
    "one word too many": (lambda: base(vocab_size=2**30 + 1, d_model=1024, num_heads=1), "vocab_size 1073741825 with d_model 1024 makes 1099511628800 numbers; 1099511627776 are"),
    "one feature too many": (lambda: base(d_ff=2**27 + 1, d_model=1024, num_heads=1, num_encoder_layers=1, num_decoder_layers=3), "d_ff 134217729 with d_model 1024 makes 1099511635968 numbers; 1099511627776 are"),
    "layers too many": (lambda: base(num_decoder_layers=2**40), "num_decoder_layers must be at most 1024, not 1099511627776"),
    "positions too many": (lambda: base(max_length=2**40), "max_length 1099511627776 with d_model 12 makes "),
    "a bottleneck too large": (lambda: AdapterConfig(bottleneck=2**40), "bottleneck 1099511627776 must be at most 1048576"),
    "a shared rank too large": (lambda: VeraConfig(r=2**40), "rank 1099511627776 must be at most 1048576"),
    "an encoder too large": (lambda: PTuningConfig(encoder_hidden_size=2**40), "encoder_hidden_size 1099511627776 must be at most 1048576"),
    # adapters on a model
    "adapters on a model that has some": (lambda: get_peft_model(get_peft_model(base(), LoraConfig(r=2)), LoraConfig(r=2)), "this model carries adapters already"),
    "adapters on a base that has some": (lambda: get_peft_model(get_peft_model(base(), LoraConfig(r=2)).base_model, LoraConfig(r=2)), "this model carries adapters already"),
    "a config that is a dict": (lambda: get_peft_model(base(), {"r": 2}), "TypeError: an adapter is made from a PeftConfig, not from dict"),
    "an adapter that is not there": (lambda: get_peft_model(base(), LoraConfig(r=2)).set_adapter("x"), "there is no adapter 'x'; there are default"),
    "deleting what is not there": (lambda: get_peft_model(base(), LoraConfig(r=2)).delete_adapter("x"), "there is no adapter 'x'; there are default"),
    "fewer adapters than rows": (lambda: get_peft_model(base(), LoraConfig(r=2))(SOURCE, SOURCE, adapter_names=["default"]), "1 adapter names came for a batch of 2 rows"),
    "a row of an adapter that is not there": (lambda: get_peft_model(base(), LoraConfig(r=2))(SOURCE, SOURCE, adapter_names=["default", "x"]), "there is no adapter 'x'; there are default"),
    "saving a module that is not there": (lambda: get_peft_model(base(), LoraConfig(r=2, modules_to_save=["head"])), "modules_to_save 'head' matches no module that has parameters"),
    "saving a module that is adapted": (lambda: get_peft_model(base(), LoraConfig(r=2, target_modules=["fc1"], modules_to_save=["fc1"])), "modules_to_save 'fc1' is adapted by LoraConfig already"),
    "saving a module at the top that is adapted": (lambda: get_peft_model(base(), LoraConfig(r=2, target_modules="output", modules_to_save=["output"])), "modules_to_save 'output' is adapted by LoraConfig already"),
    "a name that is a number": (lambda: get_peft_model(base(), LoraConfig(r=2), 7), "TypeError: an adapter's name is a string, not int"),
    "a trained token outside the vocabulary": (lambda: get_peft_model(base(), LoraConfig(r=2, trainable_token_indices=[3, 17])), "trainable_token_indices (3, 17) must be different ids of the vocabulary 0..16"),
    "a trained token below 0": (lambda: get_peft_model(base(), LoraConfig(r=2, trainable_token_indices=[-1])), "trainable_token_indices (-1,) must be different ids of the vocabulary 0..16"),
    "a trained token twice": (lambda: get_peft_model(base(), LoraConfig(r=2, trainable_token_indices=[3, 3])), "trainable_token_indices (3, 3) must be different ids of the vocabulary 0..16"),
    "a target that is not there": (lambda: get_peft_model(base(), LoraConfig(r=2, target_modules=["fc9"])), "target module 'fc9' matches no linear layer; there are fc1, fc2, k_proj, out_proj, output, q_proj, v_proj"),
    "a pattern of no target": (lambda: get_peft_model(base(), LoraConfig(r=2, target_modules="all-linear", rank_pattern={"fc9": 2})), "pattern 'fc9' matches no target; there are encoder."),
    "targets outside the sites": (lambda: get_peft_model(base(), LoraConfig(r=2, target_modules=["fc1"], sites=("cross",))), "target modules ('fc1',) leave nothing within the sites cross"),
    "prompts on a base without a config": (lambda: get_peft_model(nn.Linear(3, 3), PromptTuningConfig()), "PromptTuningConfig needs a Transformer with its config, not a Linear"),
    "prompts on a base of another kind": (lambda: get_peft_model(of_another_kind(), PromptTuningConfig()), "PromptTuningConfig needs a Transformer with its config, not a Linear"),
    "layers of an encoder too many": (lambda: PTuningConfig(encoder_reparameterization_type="LSTM", encoder_num_layers=65), "encoder_num_layers 65 must be at most 64"),
    "a stage of what is not there": (lambda: set_stage(get_peft_model(base(), LoraConfig(r=2)), 2, "x"), "there is no adapter 'x'; there are default"),
    "a rank of 0": (lambda: get_peft_model(base(), LoraConfig(r=0)), "rank 0 must be at least 1"),
    "a rank above the smaller side": (lambda: get_peft_model(base(), LoraConfig(r=13)), "rank 13 of Linear is larger than the layer's smaller side 12"),
    "a technique with a slip": (lambda: recipe("lorra"), "unknown technique 'lorra': did you mean lora? there are full, "),
    "a technique that is none": (lambda: recipe("zzz"), "unknown technique 'zzz'; there are full, "),
    # an adapter's folder
    "an adapter of a newer format": (lambda: load_adapter(finetune_by_hand={"format": 3}), "FOLDER/adapter_config.json was written by a newer version of this library"),
    "a config without a peft_type": (lambda: load_adapter('{"r": 2}'), "FOLDER/adapter_config.json names no peft_type: it is no adapter's config"),
    "a field that is unknown": (lambda: load_adapter(sparsity=0.5), "FOLDER/adapter_config.json sets sparsity, which LoraConfig does not have"),
    "a folder with a pickle": (lambda: load_without_tensors("adapter_model.bin"), "FOLDER holds adapter_model.bin, a pickle, which may run code when it is read: convert it first"),
    "a folder without tensors": (lambda: load_without_tensors("README.md"), "FileNotFoundError: there is no file FOLDER/adapter_model.safetensors"),
    "a config that is a list": (lambda: load_adapter("[]"), "FOLDER/adapter_config.json must hold an object, not a list"),
    "a config that is nested": (lambda: load_adapter("[" * 200_000), "FOLDER/adapter_config.json is nested too deeply to be read"),
    "a config with NaN": (lambda: load_adapter('{"peft_type": "LORA", "lora_alpha": NaN}'), "FOLDER/adapter_config.json is not valid JSON (NaN is no number in JSON)"),
    "a config with 1e999": (lambda: load_adapter('{"peft_type": "LORA", "lora_alpha": 1e999}'), "FOLDER/adapter_config.json: lora_alpha must be a finite number, not inf"),
    "a rank as text in a file": (lambda: load_adapter(r="2"), "FOLDER/adapter_config.json: r must be an integer, not '2'"),
    "a peft_type that is a list": (lambda: load_adapter(peft_type=["LORA"]), "FOLDER/adapter_config.json is of peft_type ['LORA']; known are "),
    "a peft_type that is unknown": (lambda: load_adapter(peft_type="LORE"), "FOLDER/adapter_config.json is of peft_type 'LORE'; known are "),
    "our own part as a list": (lambda: load_adapter(finetune_by_hand=[1]), "FOLDER/adapter_config.json: finetune_by_hand must hold an object, not a list"),
    "a format as text": (lambda: load_adapter(finetune_by_hand={"format": "1"}), "FOLDER/adapter_config.json: the format is a whole number, not '1'"),
    "tensors that are NaN": (lambda: load_changed_tensors(lambda tensor: tensor * NAN), "FOLDER/adapter_model.safetensors holds NaN or infinite numbers in base_model.model."),
    "tensors of integers": (lambda: load_changed_tensors(lambda tensor: tensor.int()), "FOLDER does not fit this base and config: base_model.model."),
    "a folder that is not there": (lambda: PeftModel.from_pretrained(base(), "nowhere"), "FileNotFoundError: there is no file nowhere/adapter_config.json"),
    "saving an adapter into a file": (lambda: get_peft_model(base(), LoraConfig(r=2)).save_pretrained(a_file()), "FOLDER/a_file is a file, and a folder is wanted"),
    # a model's folder
    "a model's config that is a list": (lambda: load_base("[1]"), "FOLDER/config.json must hold an object, not a list"),
    "a model's config with a size too large": (lambda: load_base(d_model=2**40, num_heads=1), "FOLDER/config.json: vocab_size 17 with d_model 1099511627776 makes "),
    "a model's config larger than its file": (lambda: load_base(vocab_size=2**31), "FOLDER/model.safetensors does not fit this model: config.json says vocab_size 2147483648, and the longest side of a tensor is 20"),
    "a model's config of a kind that is a list": (lambda: load_base(model=base(), num_heads=[3]), "FOLDER/config.json: num_heads must be an integer, not [3]"),
    "weights that are infinite": (lambda: load_base(model=broken(INFINITE)), "FOLDER/model.safetensors holds NaN or infinite numbers in decoder.layers.0.feed_forward.fc1.weight"),
    "saving a model into a file": (lambda: save_model(base(), a_file()), "FOLDER/a_file is a file, and a folder is wanted"),
    "a published config larger than its file": (lambda: load_gpt2(vocab_size=2**31), "FOLDER/config.json says vocab_size 2147483648; the longest side of a tensor beside it is 17"),
    "a published config with text": (lambda: load_gpt2(n_embd="12"), "FOLDER/config.json: n_embd must be an integer, not '12'"),
    "a published activation that is a list": (lambda: load_gpt2(activation_function=["gelu"]), "config.json has the activation ['gelu']"),
    # training and generating
    "training broken weights": (lambda: run(broken()), "step 1: the loss is nan"),
    "a rate that is far too high": (lambda: run(learning_rate=1e30), "step 2: the loss is "),
    "a checkpoint that is a folder": (lambda: run(checkpoint=Path(tempfile.mkdtemp())), "FOLDER is a folder, and a file is wanted"),
    "generating with broken weights": (lambda: generate(broken(), SOURCE, 4), "the model's logits are not finite: its weights are broken"),
    "beams with broken weights": (lambda: generate(broken(), SOURCE, 4, num_beams=2), "the model's logits are not finite: its weights are broken"),
    # four bits
    "a level just beyond INT4's lowest": (lambda: quantize_4bit(torch.randn(4, 64), NF4_CODEBOOK - 0.2 * (NF4_CODEBOOK == -1)), "a codebook's levels lie in [-1, 1]"),
    "a codebook outside [-1, 1]": (lambda: quantize_4bit(torch.randn(4, 64), 3 * NF4_CODEBOOK), "a codebook's levels lie in [-1, 1]"),
    "a block size that is no integer": (lambda: quantize_4bit(torch.randn(4, 64), block_size=64.0), "TypeError: block_size is an integer, not 64.0"),
    "a codebook by its name": (lambda: quantize_4bit(torch.randn(4, 64), "nf4"), "TypeError: a codebook is a floating-point tensor of 16 levels, not str"),
    "a weight that is a list": (lambda: quantize_4bit([0.5] * 64), "TypeError: quantize_4bit takes floating-point weights, not list"),
    "a packed weight once more": (lambda: quantize_4bit(quantize_4bit(torch.randn(4, 64))), "TypeError: this tensor is quantized already"),
    "a 4-bit layer once more": (lambda: Linear4bit.from_linear(Linear4bit(64, 3)), "TypeError: Linear4bit.from_linear takes an nn.Linear, not Linear4bit (it is quantized already)"),
    "blocks of 32 of an embedding": (lambda: LinearQ4.from_linear(nn.Embedding(3, 64)), "TypeError: LinearQ4.from_linear takes an nn.Linear, not Embedding"),
    "what is skipped as a string": (lambda: quantize_model(nn.Sequential(nn.Linear(64, 3)), "output"), 'TypeError: skip is a tuple of names, not a string: skip=("output",)'),
    "a sparse weight": (lambda: quantize_4bit(torch.eye(16).to_sparse()), "TypeError: quantize_4bit takes dense weights, not torch.sparse_coo"),
    "a 4-bit layer of another width": (lambda: Linear4bit.from_linear(nn.Linear(64, 3))(torch.randn(2, 65)), "the layer reads 64 features, and x is (2, 65)"),
    "a 4-bit layer on integers": (lambda: Linear4bit.from_linear(nn.Linear(64, 3))(torch.ones(2, 64, dtype=torch.long)), "TypeError: the layer reads floating-point numbers, not torch.int64"),
    "blocks of 32 of another width": (lambda: LinearQ4.from_linear(nn.Linear(64, 3))(torch.randn(2, 65)), "the layer reads 64 features, and x is (2, 65)"),
    "blocks of 32 on integers": (lambda: LinearQ4.from_linear(nn.Linear(64, 3))(torch.ones(2, 64, dtype=torch.long)), "TypeError: the layer reads floating-point numbers, not torch.int64"),
    # preferences
    "PPO's rate of 0": (lambda: ppo(learning_rate=0.0), "learning_rate must be positive, not 0.0"),
    "GRPO's rate of 0": (lambda: GRPOConfig(steps=1, learning_rate=0.0), "learning_rate must be positive, not 0.0"),
    "DPO's rate of 0": (lambda: DPOConfig(learning_rate=0.0), "learning_rate must be positive, not 0.0"),
    "GRPO without steps": (lambda: GRPOConfig(steps=0), "steps must be at least 1, not 0"),
    "gamma of 7": (lambda: ppo(gamma=7.0), "gamma must lie in [0, 1], not 7.0"),
    "lam of -1": (lambda: ppo(lam=-1.0), "lam must lie in [0, 1], not -1.0"),
    "clip of -1": (lambda: ppo(clip=-1.0), "clip must be positive, not -1.0"),
    "value_clip of -1": (lambda: ppo(value_clip=-1.0), "value_clip must be positive, not -1.0"),
    "a weight that is NaN": (lambda: ppo(value_weight=NAN), "value_weight must be a finite number, not nan"),
    "a weight below 0": (lambda: ppo(value_weight=-0.1), "value_weight must not be negative: -0.1"),
    "beta below 0": (lambda: ppo(beta=-1.0), "beta must not be negative: -1.0"),
    "a target of 0": (lambda: ppo(kl_target=0.0), "kl_target must be positive, not 0.0"),
    "a horizon of 0": (lambda: ppo(kl_target=1.0, kl_horizon=0), "kl_horizon must be at least 1, not 0"),
    "an end that is below 0": (lambda: ppo(stop_at=-1.0), "stop_at must be positive, not -1.0"),
    "an epsilon of 0": (lambda: ppo(adam_epsilon=0.0), "adam_epsilon must be positive, not 0.0"),
    "no new tokens": (lambda: ppo(max_new_tokens=0), "max_new_tokens must be at least 1, not 0"),
    "a penalty that is infinite": (lambda: ppo(missing_eos_penalty=INFINITE), "missing_eos_penalty must be a finite number, not inf"),
    "GRPO's clip that is NaN": (lambda: GRPOConfig(steps=1, clip=NAN), "clip must be a finite number, not nan"),
    "GRPO's k1": (lambda: GRPOConfig(steps=1, kind="k1"), "k1 as a loss has a gradient of 0 in the mean"),
    "GRPO's unknown average": (lambda: GRPOConfig(steps=1, averaging="token"), "averaging must be one of response, constant, not 'token'"),
    "DPO's rate that is infinite": (lambda: DPOConfig(learning_rate=INFINITE), "learning_rate must be a finite number, not inf"),
    "a seed that is a fraction": (lambda: DPOConfig(seed=0.5), "seed must be an integer, not 0.5"),
    "unequal shapes in DPO": (lambda: dpo_loss(numbers(3), numbers(1), numbers(3), numbers(3)), "tensors of shapes (3,), (1,), (3,), (3,) "),
    "an empty batch in DPO": (lambda: dpo_loss(*[numbers(0)] * 4), "tensors of shapes (0,), (0,), (0,), (0,) "),
    "unequal shapes in IPO": (lambda: ipo_loss(numbers(3), numbers(3), numbers(1), numbers(3)), "tensors of shapes (3,), (3,), (1,), (3,) "),
    "an empty batch in IPO": (lambda: ipo_loss(*[numbers(0)] * 4), "tensors of shapes (0,), (0,), (0,), (0,) "),
    "unequal shapes of rewards": (lambda: preference_loss(numbers(3), numbers(2)), "tensors of shapes (3,), (2,) "),
    "no rewards": (lambda: preference_loss(numbers(0), numbers(0)), "tensors of shapes (0,), (0,) "),
    "no pairs": (lambda: Preferences(*[torch.zeros(0, 3, dtype=torch.long)] * 3), "there are no pairs"),
    "sides of unequal width": (lambda: Preferences(SOURCE, SOURCE, SOURCE[:, :2]), "chosen (2, 3) and rejected (2, 2)"),
    "a preference outside the vocabulary": (lambda: prefer(40), "the preferences' chosen responses hold ids from 2 to 40; the vocabulary is 0..16"),
}  # fmt: skip
"""What is done, and how the message begins. It is a ValueError where nothing else is said; FOLDER is where the files lie."""
