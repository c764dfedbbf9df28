"""A model without numbers: every matrix stands on torch's meta device, which knows shapes and types and holds no data.

The blocks are our own (transformer/); what T5 and BERT have beyond them is put in its place. So every technique of peft/
finds the layers that it looks for, and the bytes are asked of the tensors themselves.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lessons.memory.shapes import Architecture
from transformer.config import TransformerConfig
from transformer.decoder_only import DecoderOnly
from transformer.encoder_only import EncoderOnly
from transformer.model import Transformer

Model = DecoderOnly | EncoderOnly | Transformer


class NoPositions(nn.Module):
    """Where positions are a bias on the scores, nothing is added to the words."""

    def forward(self, length: int, offset: int = 0) -> Float[Tensor, "length 1"]:
        return torch.zeros(length, 1)


def build(shape: Architecture, layers: int) -> Model:
    """The model with so many layers in each stack, its weights in bf16, on the meta device."""
    with torch.device("meta"):
        model = {"decoder": DecoderOnly, "encoder": EncoderOnly, "both": Transformer}[shape.stacks](
            config(shape, layers)
        )
        if not shape.positions and not shape.rotary:
            for side in ("source_positions", "target_positions"):
                if hasattr(model, side):
                    setattr(model, side, NoPositions())
        for stack in ("encoder", "decoder"):
            if shape.distances and hasattr(model, stack):
                getattr(model, stack).distances = nn.Embedding(shape.distances, shape.heads)
        if shape.pooler:
            model.pooler = nn.Linear(shape.d_model, shape.d_model)
    return model.to(torch.bfloat16).train()


def config(shape: Architecture, layers: int) -> TransformerConfig:
    return TransformerConfig(
        vocab_size=shape.vocab,
        d_model=shape.d_model,
        num_heads=shape.heads,
        num_encoder_layers=0 if shape.stacks == "decoder" else layers,
        num_decoder_layers=0 if shape.stacks == "encoder" else layers,
        d_ff=shape.d_ff,
        dropout=0.0,
        max_length=shape.positions or shape.max_length,
        activation=shape.activation,
        norm=shape.norm,
        positions="rotary" if shape.rotary else "learned",
        norm_kind="rms" if shape.rms else "layer",
        num_kv_heads=shape.kv_heads or None,
        head_size=shape.d_head or None,
        bias=shape.bias,
        qkv_bias=shape.qkv_bias,
        norm_heads=shape.norm_heads,
        gated=shape.gated,
        tie_embeddings=shape.tied,
        norm_embeddings=shape.norm_embeddings,
        num_segments=shape.segments,
    )
