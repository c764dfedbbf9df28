"""The encoder-decoder Transformer, written by hand: one file per box of the paper's figure.

Read in this order: config, masks, embedding, dropout, rotary, attention, add_norm, feed_forward, stack, encoder, decoder,
token_model, model, encoder_only, decoder_only; then decoding/, learning/, and pretrained/: real checkpoints. Beside the
figure stand fused (faster twins of its parts, root_mean_square for one of them), products (large ones with frozen matrices,
faster) and watching (who looked at whom).
"""

from transformer.add_norm import AddNorm, LayerNorm, RMSNorm
from transformer.attention import MultiHeadAttention, scaled_dot_product_attention
from transformer.config import TransformerConfig
from transformer.decoder import Decoder, DecoderLayer
from transformer.decoder_only import DecoderOnly
from transformer.decoding.cache import KeyValueCache
from transformer.decoding.generation import generate
from transformer.embedding import sinusoidal_positional_encoding
from transformer.encoder import Encoder, EncoderLayer
from transformer.encoder_only import EncoderOnly, MaskedWordHead
from transformer.feed_forward import FeedForward, GatedFeedForward
from transformer.learning.batching import Batch, collate, epoch_batches
from transformer.learning.checkpoint import load_model, save_model
from transformer.learning.config import TrainingConfig
from transformer.learning.loss import label_smoothed_cross_entropy
from transformer.learning.schedule import cosine_schedule, noam_schedule
from transformer.learning.training import parameter_groups, train
from transformer.masks import causal_mask, padding_mask
from transformer.model import Transformer
from transformer.watching import record_attention

__all__ = [
    "AddNorm",
    "Batch",
    "Decoder",
    "DecoderLayer",
    "DecoderOnly",
    "Encoder",
    "EncoderLayer",
    "EncoderOnly",
    "FeedForward",
    "GatedFeedForward",
    "KeyValueCache",
    "LayerNorm",
    "MaskedWordHead",
    "MultiHeadAttention",
    "RMSNorm",
    "TrainingConfig",
    "Transformer",
    "TransformerConfig",
    "causal_mask",
    "collate",
    "cosine_schedule",
    "epoch_batches",
    "generate",
    "label_smoothed_cross_entropy",
    "load_model",
    "noam_schedule",
    "padding_mask",
    "parameter_groups",
    "record_attention",
    "save_model",
    "scaled_dot_product_attention",
    "sinusoidal_positional_encoding",
    "train",
]
