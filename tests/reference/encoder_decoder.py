"""The layers, their stacks and the whole model on one sentence pair, in both orders of norm and residual.

`parameters` are named as in the model's state_dict. Nothing here is random: this is the model in evaluation.
"""

import math
from collections.abc import Callable

import numpy as np

from tests.reference.attention import Parameters, linear, multi_head_attention
from tests.reference.layer_norm import layer_norm
from tests.reference.positions import sinusoidal_positions


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0)


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1.0 + np.exp(-x))


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": relu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "silu": silu,
}


def below(parameters: Parameters, name: str) -> Parameters:
    """The parameters of the sub-module `name`, named from there on."""
    return {key.removeprefix(f"{name}."): value for key, value in parameters.items() if key.startswith(f"{name}.")}


def norm(x: np.ndarray, parameters: Parameters, name: str) -> np.ndarray:
    return layer_norm(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"])


def feed_forward(x: np.ndarray, parameters: Parameters, activation: str = "relu") -> np.ndarray:
    return linear(ACTIVATIONS[activation](linear(x, parameters, "fc1")), parameters, "fc2")


def encoder_layer(
    x: np.ndarray,
    parameters: Parameters,
    num_heads: int,
    order: str,
    mask: np.ndarray | None = None,
    activation: str = "relu",
) -> np.ndarray:
    def attend(x: np.ndarray) -> np.ndarray:
        return multi_head_attention(x, x, x, below(parameters, "self_attention"), num_heads, mask)

    def think(x: np.ndarray) -> np.ndarray:
        return feed_forward(x, below(parameters, "feed_forward"), activation)

    for sublayer, name in ((attend, "self_attention_norm.norm"), (think, "feed_forward_norm.norm")):
        x = residual(x, sublayer, parameters, name, order)
    return x


def decoder_layer(
    x: np.ndarray,
    memory: np.ndarray,
    parameters: Parameters,
    num_heads: int,
    order: str,
    mask: np.ndarray | None = None,
    memory_mask: np.ndarray | None = None,
    activation: str = "relu",
) -> np.ndarray:
    def look_back(x: np.ndarray) -> np.ndarray:
        return multi_head_attention(x, x, x, below(parameters, "self_attention"), num_heads, mask)

    def look_across(x: np.ndarray) -> np.ndarray:
        return multi_head_attention(x, memory, memory, below(parameters, "cross_attention"), num_heads, memory_mask)

    def think(x: np.ndarray) -> np.ndarray:
        return feed_forward(x, below(parameters, "feed_forward"), activation)

    x = residual(x, look_back, parameters, "self_attention_norm.norm", order)
    x = residual(x, look_across, parameters, "cross_attention_norm.norm", order)
    return residual(x, think, parameters, "feed_forward_norm.norm", order)


def residual(
    x: np.ndarray, sublayer: Callable[[np.ndarray], np.ndarray], parameters: Parameters, name: str, order: str
) -> np.ndarray:
    if order == "pre":
        return x + sublayer(norm(x, parameters, name))
    return norm(x + sublayer(x), parameters, name)


def transformer(
    source: list[int], target: list[int], parameters: Parameters, num_heads: int, order: str, pad_id: int = 0
) -> np.ndarray:
    """Logits (target, vocab) of a model with sinusoidal positions, scaled embeddings and ReLU."""
    d_model = parameters["source_embedding.weight"].shape[1]

    def embed(ids: list[int], table: str) -> np.ndarray:
        return math.sqrt(d_model) * parameters[table][ids] + sinusoidal_positions(len(ids), d_model)

    real = np.array(source) != pad_id
    memory = embed(source, "source_embedding.weight")
    for layer in layers(parameters, "encoder.layers"):
        memory = encoder_layer(memory, layer, num_heads, order, np.tile(real, (len(source), 1)))
    if order == "pre":
        memory = norm(memory, parameters, "encoder.norm")
    causal = np.array([[j <= i for j in range(len(target))] for i in range(len(target))])
    x = embed(target, "target_embedding.weight")
    for layer in layers(parameters, "decoder.layers"):
        x = decoder_layer(x, memory, layer, num_heads, order, causal, np.tile(real, (len(target), 1)))
    if order == "pre":
        x = norm(x, parameters, "decoder.norm")
    return x @ parameters["output.weight"].T + parameters.get("output.bias", 0.0)


def layers(parameters: Parameters, name: str) -> list[Parameters]:
    count = len({key.split(".")[2] for key in parameters if key.startswith(f"{name}.")})
    return [below(parameters, f"{name}.{index}") for index in range(count)]
