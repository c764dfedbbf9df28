"""The same model around torch.nn.Transformer: what a user would write without this project."""

import math
import warnings

import torch
from torch import Tensor, nn

from transformer import TransformerConfig, sinusoidal_positional_encoding


class TorchModel(nn.Module):
    """One matrix for source, target and output, the same positions, and torch's layers between them.

    `same_dropout`   drops where the paper does: on each sub-layer's output and on the embeddings. Otherwise torch's layers
                     stay as they come: they also drop attention weights and the inside of the feed-forward.
    """

    def __init__(self, config: TransformerConfig, same_dropout: bool):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        nn.init.normal_(self.embedding.weight, std=config.d_model**-0.5)
        self.register_buffer("positions", sinusoidal_positional_encoding(config.max_length, config.d_model))
        self.dropout = nn.Dropout(config.dropout)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a fast path of torch's is not for pre-norm
            self.layers = nn.Transformer(
                config.d_model,
                config.num_heads,
                config.num_encoder_layers,
                config.num_decoder_layers,
                config.d_ff,
                config.dropout,
                config.activation,
                batch_first=True,
                norm_first=config.norm == "pre",
            )
        if same_dropout:
            for module in self.layers.modules():
                if isinstance(module, nn.MultiheadAttention):
                    module.dropout = 0.0
                elif isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
                    module.dropout = nn.Identity()

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        padding = source == self.config.pad_id
        future = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
        hidden = self.layers(
            self.embed(source),
            self.embed(target),
            tgt_mask=future,
            tgt_is_causal=True,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return hidden @ self.embedding.weight.T

    def embed(self, ids: Tensor) -> Tensor:
        return self.dropout(math.sqrt(self.config.d_model) * self.embedding(ids) + self.positions[: ids.shape[1]])
