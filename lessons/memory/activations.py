"""Activations: what autograd keeps of a forward pass until the backward pass has used it.

Nothing is estimated: the forward pass runs on the meta device, and `saved_tensors_hooks` shows every tensor that is
kept. A tensor counts once, with the whole storage that it keeps alive; parameters and buffers are no activations.

What a layer of GPT-2 keeps when everything is trained, in bytes, for n tokens of m features in a batch of one, h heads,
f features in the feed forward, and 2 bytes for a number:

    2 (10 n m + 2 n f + 2 h n² + 2 n) + 2 n²

    10 n m    what goes into the matrices: 2 outputs of norms, the heads side by side;  Q, K, V;  4 inside the norms
    2 n f     the feed forward, before and after φ
    2 h n²    the weights of attention, before and after the mask; and the mask itself twice, in bytes
    2 n       the two norms' 1/√variance

A frozen matrix does not keep what goes into it: only the gradient of the matrix would need that. So LoRA saves on what
it does not train, and pays for its own inputs, in 32 bits.

With checkpointing a layer keeps its input alone, and its inside is computed again when the backward pass comes to it:

    at the peak = ends + inputs of all layers + inside of one layer
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.memory.blocks import Model
from peft import PeftModel
from transformer.decoder_only import DecoderOnly
from transformer.encoder_only import EncoderOnly
from transformer.masks import causal_mask
from transformer.rotary import rotation, unturned


@dataclass
class Kept:
    """The storages that autograd keeps, by their bytes; and of the layers, what they keep and what goes into them."""

    storages: dict[int, int] = field(default_factory=dict)
    inside: int = 0
    inputs: int = 0

    @property
    def total(self) -> int:
        return sum(self.storages.values())

    @property
    def ends(self) -> int:
        """What the embeddings, the output and the loss keep."""
        return self.total - self.inside


def kept_by(model: PeftModel, batch: int, length: int) -> Kept:
    """Runs the forward pass of one training step, on the device on which the model is, and counts."""
    with counting(model) as kept:
        loss = loss_of(model, batch, length)
    del loss
    return kept


@contextmanager
def counting(model: PeftModel) -> Iterator[Kept]:
    """Within it, everything that autograd saves is counted."""
    weights = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}
    kept = Kept()
    stacks = [getattr(model.base_model, name) for name in ("encoder", "decoder") if hasattr(model.base_model, name)]
    layers = [layer for stack in stacks for layer in stack.layers]

    def note(tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept.storages[storage._cdata] = storage.nbytes()

    def pack(tensor: Tensor) -> Tensor:
        note(tensor)
        return tensor

    def unpack(tensor: Tensor) -> Tensor:
        return tensor

    def enter(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        kept.inputs += arguments[0].nbytes
        for turns in arguments:  # cosines and sines are there once for all layers: no layer's own
            for tensor in getattr(turns, "keywords", {}).values():
                note(tensor)
        kept.inside -= kept.total

    def leave(layer: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
        kept.inside += kept.total

    hooks = [layer.register_forward_pre_hook(enter) for layer in layers]
    hooks += [layer.register_forward_hook(leave) for layer in layers]
    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
            yield kept
    finally:
        for hook in hooks:
            hook.remove()


def loss_of(peft_model: PeftModel, batch: int, length: int) -> Tensor:
    """The loss of a batch without padding; on an encoder-decoder source and target have `length` tokens each.

    As the model's own forward pass, but for the checks of the ids: on the meta device there is nothing to look at.
    """
    model = cast(Model, peft_model.base_model)
    device = next(model.parameters()).device
    ids = torch.zeros(batch, length, dtype=torch.long, device=device)
    peft_model.context.source, peft_model.context.target = ids, ids
    everything = torch.ones(batch, 1, 1, length, dtype=torch.bool, device=device)
    x, mask = model.source_input(model.embedding_scale * model.source_embedding(ids), everything)
    places = model.source_positions(x.shape[1])
    rotary = model.config.positions == "rotary"
    x = model.source_norm(x if rotary else x + places.to(x))
    if isinstance(model, EncoderOnly):
        return model.output(model.encoder(x, mask)).float().square().mean()
    if isinstance(model, DecoderOnly):
        rotate = rotation(places.to(device)[..., 0].expand(batch, -1), model.config, x.dtype) if rotary else unturned
        hidden = model.decoder(x, mask & causal_mask(x.shape[1], 0, device), rotate=rotate)
    else:
        memory = model.encoder(x, mask)
        y = model.embedding_scale * model.target_embedding(ids)
        hidden = model.decoder(model.target_norm(y + model.target_positions(length).to(y)), memory, mask)
    logits = model.output(hidden[:, -length:])
    return F.cross_entropy(logits.float().flatten(0, 1), ids.flatten())
