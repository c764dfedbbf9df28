"""The weights of our layers in torch's."""

import torch
from torch import nn

from transformer import Decoder, DecoderLayer, Encoder, EncoderLayer, MultiHeadAttention, TransformerConfig

NAMES = {"self_attention": "self_attn", "cross_attention": "multihead_attn"}


def torch_layer(ours: EncoderLayer | DecoderLayer, config: TransformerConfig) -> nn.Module:
    kind = nn.TransformerDecoderLayer if isinstance(ours, DecoderLayer) else nn.TransformerEncoderLayer
    theirs = kind(
        config.d_model,
        config.num_heads,
        config.d_ff,
        dropout=0.0,
        activation=config.activation,
        batch_first=True,
        norm_first=config.norm == "pre",
        dtype=torch.float64,
    )
    theirs.load_state_dict(torch_names(ours))
    return theirs


def torch_stack(ours: Encoder | Decoder, config: TransformerConfig) -> nn.Module:
    """Torch's stack; a norm stands after it only in pre-norm order."""
    kind = nn.TransformerDecoder if isinstance(ours, Decoder) else nn.TransformerEncoder
    last = nn.LayerNorm(config.d_model, dtype=torch.float64) if config.norm == "pre" else None
    extra = {} if isinstance(ours, Decoder) else {"enable_nested_tensor": False}
    theirs = kind(torch_layer(ours.layers[0], config), len(ours.layers), norm=last, **extra)
    for our, their in zip(ours.layers, theirs.layers, strict=True):
        their.load_state_dict(torch_names(our))
    if last is not None:
        theirs.norm.load_state_dict(ours.norm.state_dict())
    return theirs


def torch_names(
    layer: EncoderLayer | DecoderLayer, values: dict[str, torch.Tensor] | None = None
) -> dict[str, torch.Tensor]:
    """The layer's parameters (or `values` that are named like them) under the names that torch's layer has for them."""
    values = layer.state_dict() if values is None else values
    renamed = {}
    sublayers = [name for name, module in layer.named_children() if not name.endswith("norm")]
    for place, sublayer in enumerate(sublayers, start=1):
        for kind in ("weight", "bias"):
            renamed[f"norm{place}.{kind}"] = values[f"{sublayer}_norm.norm.{kind}"]
            if isinstance(layer.get_submodule(sublayer), MultiHeadAttention):
                projections = [values[f"{sublayer}.{p}_proj.{kind}"] for p in "qkv"]
                renamed[f"{NAMES[sublayer]}.in_proj_{kind}"] = torch.cat(projections)
                renamed[f"{NAMES[sublayer]}.out_proj.{kind}"] = values[f"{sublayer}.out_proj.{kind}"]
            else:
                renamed[f"linear1.{kind}"] = values[f"{sublayer}.fc1.{kind}"]
                renamed[f"linear2.{kind}"] = values[f"{sublayer}.fc2.{kind}"]
    return renamed
