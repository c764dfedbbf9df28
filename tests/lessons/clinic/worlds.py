"""Small worlds: each illness with other techniques, in other places, on models of other kinds and sizes."""

from collections.abc import Callable
from pathlib import Path

import torch

from lessons.clinic.variants.places import text
from lessons.clinic.world import World, examples
from peft import LoraConfig, get_peft_model
from transformer import DecoderOnly, Transformer, TransformerConfig

SIZES = {
    "small": {"d_model": 24, "num_heads": 3, "num_encoder_layers": 1, "num_decoder_layers": 2, "d_ff": 40, "norm": "pre"},
    "wide": {"d_model": 32, "num_heads": 4, "num_encoder_layers": 2, "num_decoder_layers": 1, "d_ff": 48},
    "text": {"d_model": 24, "num_heads": 2, "num_encoder_layers": 0, "num_decoder_layers": 2, "d_ff": 40, "norm": "pre"},
    "long": {"d_model": 32, "num_heads": 4, "num_encoder_layers": 0, "num_decoder_layers": 3, "d_ff": 40, "norm": "pre",
             "positions": "rotary"},
    "thin": {"d_model": 16, "num_heads": 2, "num_encoder_layers": 0, "num_decoder_layers": 1, "d_ff": 40, "norm": "pre"},
}  # fmt: skip
PLACES = {
    "small, LoRA on q and v": ("small", LoraConfig(r=3, lora_alpha=6)),
    "wide, rsLoRA on fc1": ("wide", LoraConfig(r=4, lora_alpha=7, target_modules=("fc1",), use_rslora=True)),
    "text, LoRA everywhere": ("text", LoraConfig(r=2, lora_alpha=5, target_modules="all-linear")),
    "long, DoRA on k and fc2": ("long", LoraConfig(r=5, lora_alpha=8, target_modules=("k_proj", "fc2"), use_dora=True)),
    "thin, LoRA on out": ("thin", LoraConfig(r=4, lora_alpha=9, target_modules=("out_proj",))),
}
VOCAB, PAD, BOS, EOS = 31, 0, 1, 2


def world(place: str, folder: Path) -> World:
    """The world of this name, its adapter trained and saved in `folder`."""
    size, config = PLACES[place]
    made = World(base_of(size), adapting(config), adapting(config), folder, *data(size), 0.01)
    if not (folder / "adapter_config.json").exists():
        made.train(made.fresh(), made.batches, 0.01, 12).save_pretrained(folder)
    return made


def base_of(size: str) -> Callable[[], Transformer | DecoderOnly]:
    def base() -> Transformer | DecoderOnly:
        torch.manual_seed(4)
        pads = {"pad_id": EOS} if size == "long" else {}
        shape = TransformerConfig(vocab_size=VOCAB, max_length=40, dropout=0.1, **SIZES[size], **pads)
        model = (Transformer if shape.num_encoder_layers else DecoderOnly)(shape)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 1:
                    parameter.add_(0.1 * torch.randn_like(parameter))
        return model.eval()

    return base


def adapting(config: LoraConfig) -> Callable:
    return lambda base: get_peft_model(base, config)


def data(size: str) -> tuple[list, list]:
    """Sequences to reverse, of unequal lengths; what the base is to keep is to copy."""
    numbers = torch.Generator().manual_seed(5)
    rows = [torch.randint(3, VOCAB, (3 + index % 5,), generator=numbers).tolist() for index in range(24)]
    new, old = [(row, [*row[::-1], EOS]) for row in rows[:16]], [(row, [*row, EOS]) for row in rows[16:]]
    if SIZES[size]["num_encoder_layers"]:
        return examples(new, PAD, BOS, (6, 10)), examples(old, PAD, BOS, (8,))
    pad = EOS if size == "long" else PAD
    return [text(new[:6], pad), text(new[6:], pad)], [text(old, pad)]
