"""Patient: the loss stays where it is, or the base moves and the adapter does not."""

from collections.abc import Collection

from torch import nn
from torch.optim import Optimizer


def revived(model: nn.Module, own: Collection[str], optimizer: Optimizer) -> Optimizer:
    """Puts right what is trainable, and gives an optimizer of the same kind and settings that holds it.

    `own`         the adapter's parameters, by their names in model.named_parameters()
    `optimizer`   the one that was found; its settings are in optimizer.defaults

    What is measured after the repair: all numbers of the adapter are trainable and none of the base, the optimizer holds
    just these, the loss falls, and the base stays as it is to the last bit.
    """
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in own)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return type(optimizer)(trained, **optimizer.defaults)
