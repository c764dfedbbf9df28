"""A model without numbers: every matrix stands on torch's meta device, which knows shapes and types and holds no data.

The blocks are our own (transformer/); what LLaMA, GLM and T5 have in another shape is put in their place. So every
technique of peft/ finds the layers that it looks for, and the bytes are asked of the tensors themselves.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lessons.memory.shapes import Architecture
from transformer.add_norm import LayerNorm
from transformer.attention import MultiHeadAttention
from transformer.config import Activation, TransformerConfig
from transformer.decoder_only import DecoderOnly
from transformer.encoder_only import EncoderOnly
from transformer.feed_forward import ACTIVATIONS, FeedForward
from transformer.model import Transformer

Model = DecoderOnly | EncoderOnly | Transformer


class RMSNorm(LayerNorm):
    """g ⊙ x / √(mean(x²) + ε): no mean is taken off, and the bias is a vector of no numbers (arXiv 1910.07467)."""

    def __init__(self, d_model: int, eps: float):
        super().__init__(d_model, eps)
        self.bias = nn.Parameter(torch.empty(0))

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        return self.weight * (x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + self.eps))


class GatedFeedForward(FeedForward):
    """W_2 (φ(W_g x) ⊙ W_1 x), as in LLaMA and GLM (arXiv 2002.05202)."""

    def __init__(self, d_model: int, d_ff: int, activation: Activation):
        super().__init__(d_model, d_ff, activation)
        self.gate = nn.Linear(d_model, d_ff)

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        return self.fc2(ACTIVATIONS[self.activation](self.gate(x)) * self.fc1(x))


class NoPositions(nn.Module):
    """Where positions are a rotation of queries and keys, or a bias, nothing is added to the words."""

    def forward(self, length: int, offset: int = 0) -> Float[Tensor, "length 1"]:
        return torch.zeros(length, 1)


def build(shape: Architecture, layers: int) -> Model:
    """The model with so many layers in each stack, its weights in bf16, on the meta device."""
    with torch.device("meta"):
        model = {"decoder": DecoderOnly, "encoder": EncoderOnly, "both": Transformer}[shape.stacks](
            config(shape, layers)
        )
        for path, module in list(model.named_modules()):
            if new := replacement(module, path, shape):
                parent, _, name = path.rpartition(".")
                setattr(model.get_submodule(parent), name, new)
        for stack in ("encoder", "decoder"):
            if shape.distances and hasattr(model, stack):
                getattr(model, stack).distances = nn.Embedding(shape.distances, shape.heads)
        if shape.pooler:
            model.pooler = nn.Linear(shape.d_model, shape.d_model)
    if not shape.bias:
        without_biases(model)
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
        positions="learned",
        tie_embeddings=shape.tied,
        norm_embeddings=shape.norm_embeddings,
        num_segments=shape.segments,
    )


def replacement(module: nn.Module, path: str, shape: Architecture) -> nn.Module | None:
    """What stands there instead of our own block, where the model has another."""
    if shape.rms and isinstance(module, LayerNorm):
        return RMSNorm(shape.d_model, module.eps)
    if shape.gated and isinstance(module, FeedForward):
        return GatedFeedForward(shape.d_model, shape.d_ff, shape.activation)
    if not shape.positions and path.endswith("_positions"):
        return NoPositions()
    if shape.attention and isinstance(module, MultiHeadAttention):
        for name in ("q_proj", "k_proj", "v_proj"):
            setattr(module, name, nn.Linear(shape.d_model, shape.attention))
        module.out_proj = nn.Linear(shape.attention, shape.d_model)
    return None


def without_biases(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.register_parameter("bias", None)
