"""Mixed batches: what each row gives, it gives alone, and what it teaches, it teaches its own adapter."""

import torch

from peft import LoraConfig
from tests.peft.small import batch, technique

NAMES = ["second", "default", "__base__", "second"]


def test_the_gradients_of_a_mixed_batch_are_those_of_its_groups_alone() -> None:
    model = technique("lora").eval()
    model.add_adapter("second", LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False))
    source, target = (torch.cat([x, x]) for x in batch())
    own = {name: list(model.adapters[name].own_parameters().values()) for name in ("default", "second")}
    alone = {}
    for name, parameters in own.items():
        model.set_adapter(name)
        rows = [row for row, chosen in enumerate(NAMES) if chosen == name]
        alone[name] = torch.autograd.grad(model(source[rows], target[rows]).square().sum(), parameters)
    for name in own:
        model.adapters[name].set_trainable(True)

    loss = model(source, target, adapter_names=NAMES).square().sum()

    for name, parameters in own.items():
        for mixed, expected in zip(torch.autograd.grad(loss, parameters, retain_graph=True), alone[name], strict=True):
            torch.testing.assert_close(mixed, expected, atol=1e-4, rtol=1e-4)
