"""The shape of a Transformer: every number that the other files need, checked once and never changed.

Paper     "Attention Is All You Need", Vaswani et al. 2017 (arXiv 1706.03762), section 3 and table 3
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from transformer.config_checks import check_possible
from transformer.fields import check_fields

Activation = Literal["relu", "gelu", "gelu_tanh", "silu"]
NormOrder = Literal["post", "pre"]
NormKind = Literal["layer", "rms"]
PositionKind = Literal["sinusoidal", "learned", "rotary"]
AttentionKind = Literal["math", "fused"]


@dataclass(frozen=True)
class TransformerConfig:
    """The defaults are the paper's; one vocabulary serves source and target.

    `vocab_size`           how many tokens there are
    `d_model`              numbers in the vector of a token, a multiple of `num_heads` unless there is a `head_size`
    `num_heads`            attentions side by side, each on d_head = d_model / num_heads numbers
    `num_encoder_layers`   0 for a model that is a decoder alone
    `num_decoder_layers`   0 for a model that is an encoder alone
    `d_ff`                 numbers between the two matrices of the feed forward
    `dropout`              on every sub-layer's output and on the sum of embedding and position; a probability below 1
    `max_length`           how many positions there are, in the source and in the target
    `activation`           φ of the feed forward; "gelu_tanh" is the tanh formula that GPT-2 took for GELU
    `norm`                 "post" normalizes after the residual sum, as in the paper; "pre" before the sub-layer
    `positions`            "sinusoidal" is the paper's formula; "learned" is a table for each side
    `tie_embeddings`       one matrix is source embedding, target embedding and output
    `scale_embeddings`     token vectors are multiplied by √d_model before the positions are added
    `attention`            "math" is every formula written out; "fused" puts faster twins of attention, LayerNorm and
                           dropout in their place (fused.py): the same numbers but for rounding, and other random ones
    `layer_norm_eps`       ε under the root of LayerNorm
    `pad_id`               fills up short rows, and nobody attends to it
    `bos_id`               begins every target; it may equal `pad_id` or `eos_id`
    `eos_id`               ends every sequence; it differs from `pad_id` where there is an encoder

    What published models have beyond the paper:

    `norm_embeddings`      a LayerNorm on the sum of embedding and position (BART, BERT)
    `output_bias`          a bias on the logits also where the matrices are tied (Marian, BART); untied there always is one
    `num_segments`         kinds of tokens, each with a vector that is added to its tokens (BERT); an encoder-only model's

    What language models of today have beyond it (Llama, Mistral, Qwen):

    `positions="rotary"`   a decoder-only model's queries and keys are turned by their position (rotary.py)
    `rope_base`            of the turns' frequencies base^{-2i/d_head}
    `rope_factor`          above 1, slow turns are slowed by it: a model's context made longer (Llama 3.1), with
                           `rope_low_freq_factor`, `rope_high_freq_factor`, and `rope_original_length`, what it was before
    `norm_kind`            "rms" leaves LayerNorm's mean and bias out (add_norm.py)
    `num_kv_heads`         heads of keys and values, each shared by num_heads / num_kv_heads queries; None: `num_heads`
    `head_size`            d_head where it is not d_model / num_heads
    `bias`                 whether the linear layers of attention and feed forward have biases
    `qkv_bias`             whether those of queries, keys and values have; None: as `bias` says (Qwen2: alone)
    `norm_heads`           a norm on each head's queries and keys (Qwen3)
    `gated`                a feed forward with a gate, whose third matrix is fc3 (feed_forward.py)

    Raises ValueError for an impossible value, with the numbers in the message.
    """

    vocab_size: int
    d_model: int
    num_heads: int
    num_encoder_layers: int
    num_decoder_layers: int
    d_ff: int
    dropout: float
    max_length: int
    activation: Activation = "relu"
    norm: NormOrder = "post"
    positions: PositionKind = "sinusoidal"
    tie_embeddings: bool = True
    scale_embeddings: bool = True
    attention: AttentionKind = "math"
    layer_norm_eps: float = 1e-5
    pad_id: int = 0
    bos_id: int = 1
    eos_id: int = 2
    norm_embeddings: bool = False
    output_bias: bool = False
    num_segments: int = 0
    rope_base: float = 10000.0
    rope_factor: float = 1.0
    rope_low_freq_factor: float = 1.0
    rope_high_freq_factor: float = 4.0
    rope_original_length: int = 8192
    norm_kind: NormKind = "layer"
    num_kv_heads: int | None = None
    head_size: int | None = None
    bias: bool = True
    qkv_bias: bool | None = None
    norm_heads: bool = False
    gated: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        check_possible(self)

    @property
    def d_head(self) -> int:
        return self.head_size or self.d_model // self.num_heads

    @property
    def kv_heads(self) -> int:
        return self.num_kv_heads or self.num_heads

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TransformerConfig":
        """The inverse of `to_dict`. Raises ValueError for an unknown or a missing field."""
        known = set(cls.__dataclass_fields__)
        if unknown := sorted(set(values) - known):
            raise ValueError(f"unknown configuration fields {unknown}; known are {sorted(known)}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"incomplete configuration: {error}") from error
