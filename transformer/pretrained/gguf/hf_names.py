"""The tensors of a GGUF under the names of a Hugging Face checkpoint, each with the shape that the settings give it.

GGUF keeps the rows of a Llama's queries and keys in another order: the two numbers that rotary positions turn together
lie side by side, where HF's model has them half a head apart. `in_hf_order` puts them back,

    (heads, pair, two) → (heads, two, pair)

Forgotten, nothing fails, and SmolLM2's loss on English rises from 2.09 to 3.55 nats a token. Qwen's are as HF has them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from einops import rearrange
from jaxtyping import Shaped
from torch import Tensor

ATTENTION, FEED_FORWARD = "self_attn", "mlp"


@dataclass(frozen=True)
class Place:
    """What a tensor is for HF.

    `name`      there
    `shape`     that the settings give it
    `turned`    the number of heads whose rows are to be put into HF's order, 0 where they are
    """

    name: str
    shape: tuple[int, ...]
    turned: int = 0


def in_hf_order(rows: Shaped[Tensor, "rows ..."], heads: int) -> Shaped[Tensor, "rows ..."]:
    """The rows of a matrix of queries or keys: each head's even ones, then its odd ones."""
    return rearrange(rows, "(heads pair two) ... -> (heads two pair) ...", heads=heads, two=2)


def places(config: Mapping[str, Any], tied: bool) -> dict[str, Place]:
    """GGUF's name → its place, for every tensor of the model. `tied`: the output is the embedding."""
    d, vocab = config["hidden_size"], config["vocab_size"]
    found = {
        "token_embd.weight": Place("model.embed_tokens.weight", (vocab, d)),
        "output_norm.weight": Place("model.norm.weight", (d,)),
    }
    if not tied:
        found["output.weight"] = Place("lm_head.weight", (vocab, d))
    of_a_layer = layer_places(config)
    for index in range(config["num_hidden_layers"]):
        for name, place in of_a_layer.items():
            theirs = f"model.layers.{index}.{place.name}"
            found[f"blk.{index}.{name}"] = Place(theirs, place.shape, place.turned)
    return found


def layer_places(config: Mapping[str, Any]) -> dict[str, Place]:
    """The same within a layer."""
    d, ff, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    family = config["model_type"]
    found = {
        "attn_norm.weight": Place("input_layernorm.weight", (d,)),
        "ffn_norm.weight": Place("post_attention_layernorm.weight", (d,)),
        "attn_output.weight": Place(f"{ATTENTION}.o_proj.weight", (d, heads * head)),
        "ffn_gate.weight": Place(f"{FEED_FORWARD}.gate_proj.weight", (ff, d)),
        "ffn_up.weight": Place(f"{FEED_FORWARD}.up_proj.weight", (ff, d)),
        "ffn_down.weight": Place(f"{FEED_FORWARD}.down_proj.weight", (d, ff)),
    }
    for letter, count in (("q", heads), ("k", kv_heads), ("v", kv_heads)):
        turned = count if family == "llama" and letter != "v" else 0
        found[f"attn_{letter}.weight"] = Place(f"{ATTENTION}.{letter}_proj.weight", (count * head, d), turned)
        if family == "qwen2":
            found[f"attn_{letter}.bias"] = Place(f"{ATTENTION}.{letter}_proj.bias", (count * head,))
        if family == "qwen3" and letter != "v":
            found[f"attn_{letter}_norm.weight"] = Place(f"{ATTENTION}.{letter}_norm.weight", (head,))
    return found
