"""Looking without touching: whatever is done inside, the model and the random numbers are as before, to the last bit."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def untouched(*models: nn.Module | None) -> Iterator[None]:
    """Puts back modes, gradients, what requires them, buffers, what a call left in its context, and random states."""
    looked_at = [model for model in models if model is not None]
    modules = [module for model in looked_at for module in model.modules()]
    modes = [module.training for module in modules]
    parameters = {id(p): p for model in looked_at for p in model.parameters()}.values()
    gradients = [(p, p.grad, p.requires_grad) for p in parameters]
    buffers = [(buffer, buffer.clone()) for model in looked_at for buffer in model.buffers()]
    contexts = {id(m.context): m.context for m in modules if hasattr(m, "context")}.values()
    notes = [(context, dict(vars(context))) for context in contexts]
    python, arrays = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            for module, mode in zip(modules, modes, strict=True):
                module.training = mode
            for parameter, gradient, wanted in gradients:
                parameter.requires_grad_(wanted)
                parameter.grad = gradient
            for buffer, value in buffers:
                if not torch.equal(buffer, value):
                    buffer.data.copy_(value)
            for context, before in notes:
                vars(context).clear()
                vars(context).update(before)
            random.setstate(python)
            np.random.set_state(arrays)  # noqa: NPY002
