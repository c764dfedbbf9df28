"""GPT-2: a decoder that was trained to continue text.

What differs from the paper's decoder: no cross-attention, pre-norm order, learned positions, GELU by the tanh formula.
In its files a matrix stands transposed, and query, key and value side by side in one:

    attn.c_attn.weight = [W_qᵀ  W_kᵀ  W_vᵀ]          d_model × 3 d_model

Paper     "Language Models are Unsupervised Multitask Learners" (Radford et al. 2019)
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from transformer.config import TransformerConfig
from transformer.decoder_only import DecoderOnly
from transformer.pretrained.family import Family
from transformer.pretrained.origins import Origin, Origins, renamed, weight_and_bias
from transformer.pretrained.settings import activation, one_id, refuse_unless, require

LINEAR = {
    "self_attention.out_proj": "attn.c_proj",
    "feed_forward.fc1": "mlp.c_fc",
    "feed_forward.fc2": "mlp.c_proj",
}
NORMS = {"self_attention_norm.norm": "ln_1", "feed_forward_norm.norm": "ln_2"}


def build(values: Mapping[str, Any], changes: Mapping[str, Any]) -> DecoderOnly:
    """The model of a config.json. A vocabulary without padding is padded with its end-of-text token.

    Raises ValueError for a setting that is missing or that our blocks do not carry.
    """
    refuse_unless(
        values,
        tie_word_embeddings=True,
        scale_attn_weights=True,
        scale_attn_by_inverse_layer_idx=False,
        add_cross_attention=False,
    )
    vocab_size, d_model, num_heads, layers, max_length = require(
        values, "vocab_size", "n_embd", "n_head", "n_layer", "n_positions"
    )
    eos_id = one_id(values, "eos_token_id")
    pad_id = values.get("pad_token_id")
    fields = {
        "vocab_size": vocab_size,
        "d_model": d_model,
        "num_heads": num_heads,
        "num_encoder_layers": 0,
        "num_decoder_layers": layers,
        "d_ff": values.get("n_inner") or 4 * d_model,
        "dropout": values.get("resid_pdrop", 0.1),
        "max_length": max_length,
        "activation": activation(values.get("activation_function", "gelu_new")),
        "norm": "pre",
        "positions": "learned",
        "scale_embeddings": False,
        "layer_norm_eps": values.get("layer_norm_epsilon", 1e-5),
        "pad_id": eos_id if pad_id is None else pad_id,
        "bos_id": one_id(values, "bos_token_id"),
        "eos_id": eos_id,
    }
    return DecoderOnly(TransformerConfig(**{**fields, **changes}))


def origins(model: DecoderOnly) -> Origins:
    """Our decoder's tensors in the checkpoint."""
    found = renamed([("decoder.norm", "ln_f")])
    for index in range(model.config.num_decoder_layers):
        ours, theirs = f"decoder.layers.{index}", f"h.{index}"
        found |= renamed((f"{ours}.{name}", f"{theirs}.{norm}") for name, norm in NORMS.items())
        for name, linear in LINEAR.items():
            found |= weight_and_bias(f"{ours}.{name}", f"{theirs}.{linear}", transposed)
        for index_of_third, name in enumerate(("q_proj", "k_proj", "v_proj")):
            take = third(index_of_third, model.config.d_model)
            found |= weight_and_bias(f"{ours}.self_attention.{name}", f"{theirs}.attn.c_attn", take)
    return found | {
        "source_embedding.weight": Origin(("wte.weight", "lm_head.weight")),
        "source_positions.weight": Origin(("wpe.weight",)),
    }


def transposed(tensor: Tensor) -> Tensor:
    """A matrix (d_in, d_out) → (d_out, d_in); a bias is left as it is."""
    return tensor.movedim(-1, 0)


def third(index: int, width: int) -> Callable[[Tensor], Tensor]:
    """Takes the query's (0), the key's (1) or the value's (2) matrix or bias out of `c_attn`."""
    return partial(columns, start=index * width, stop=(index + 1) * width)


def columns(tensor: Tensor, start: int, stop: int) -> Tensor:
    """Some outputs of a layer whose matrix is kept as (d_in, d_out): our matrix and bias of them."""
    return transposed(tensor[..., start:stop])


def canonical(name: str) -> str:
    """Without the beginning, which the files of a body without a head leave out."""
    return name.removeprefix("transformer.")


FAMILY = Family(
    architectures={"GPT2LMHeadModel": "transformer."},
    build=build,
    origins=origins,
    canonical=canonical,
    left_out=r"h\.\d+\.attn\.(bias|masked_bias)",
    transposed=True,
)
