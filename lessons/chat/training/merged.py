"""An adapter on a base in four bits, merged in three ways: what does each cost?

beside       y = x Ŵᵀ + s x Aᵀ Bᵀ            not merged: the adapter stays beside the four bits
in full      W ← Ŵ + s B A                   merged into the dequantized weight: large again, and the same
in 4 bits    W ← quantize(Ŵ + s B A)         small again, but the rounding takes a part of the update
"""

import copy
import warnings
from collections.abc import Sequence

import torch
from torch import nn

from lessons.chat.model import ChatModel
from peft import PeftModel
from peft.frame.layers import AdditiveLayer, Slot
from peft.qlora import merged_in_4bit
from transformer.learning.texts import Text, Texts

WAYS = ("beside", "in full", "in 4 bits")


@torch.inference_mode()
def answer_loss(chat: ChatModel, texts: Sequence[Text], rows: int = 8) -> float:
    """Nats for each learnt token."""
    chat.model.eval()
    examples, total = Texts(texts), 0.0
    device = next(chat.model.parameters()).device
    for start in range(0, len(texts), rows):
        batch = examples.collate(range(start, min(start + rows, len(texts))), chat.config).to(device)
        logits = batch.logits(examples.network(chat.model))[0].float()
        total += float(nn.functional.cross_entropy(logits, batch.labels[0], reduction="sum"))
    return total / examples.tokens(range(len(texts)))


def merged_losses(chat: ChatModel, texts: Sequence[Text]) -> dict[str, float]:
    """The loss of each of WAYS. The model stays as it is."""
    made = {"in full": merged_in_full, "in 4 bits": merged_back}
    losses = {"beside": answer_loss(chat, texts)}
    for way, merge in made.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a merge rounds is what is measured
            model = merge(copy.deepcopy(chat.model))
        losses[way] = answer_loss(ChatModel(model, chat.tokenizer, chat.template), texts)
    return losses


def merged_in_full(model: PeftModel) -> nn.Module:
    return model.merge_and_unload()


def merged_back(model: PeftModel) -> nn.Module:
    """Each adapted layer in the four bits that it came from. Raises TypeError where it came from none."""
    again = {
        path.removeprefix("base_model."): merged_in_4bit(layer)
        for path, slot in model.named_modules()
        if isinstance(slot, Slot)
        for layer in [slot.layers[model.active[0]]]
        if isinstance(layer, AdditiveLayer)
    }
    base = model.unload()
    for path, layer in again.items():
        base.set_submodule(path, layer)
    return base
