"""Looking: what is trainable, and where every adapter sits."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from torch import nn

from peft.frame.tokens import TokenRows

if TYPE_CHECKING:
    from peft.model import PeftModel


def count_parameters(peft_model: "PeftModel") -> tuple[int, int]:
    """(trainable, all). All is what the model computes with: a parameter that an adapter has replaced counts once.

    A layer in 4 bits counts the weights that it stands for.
    """
    parameters = {id(p): p for p in peft_model.base_model.parameters()}
    for adapter in peft_model.adapters.values():
        parameters |= (
            {id(p): p for p in adapter.own_parameters().values()} if adapter_is_active(peft_model, adapter) else {}
        )
    packed = sum(
        module.in_features * module.out_features
        for module in peft_model.base_model.modules()
        if hasattr(module, "dequantized")
    )
    trainable = sum(p.numel() for p in parameters.values() if p.requires_grad)
    return trainable, packed + sum(p.numel() for p in parameters.values())


def adapter_is_active(peft_model: "PeftModel", adapter: nn.Module) -> bool:
    return any(peft_model.adapters[name] is adapter for name in peft_model.active)


def trainable_line(peft_model: "PeftModel") -> str:
    trainable, total = count_parameters(peft_model)
    return f"trainable params: {trainable:,} || all params: {total:,} || trainable%: {100 * trainable / total:.4f}"


def explain(peft_model: "PeftModel", console: Console | None = None) -> list[dict[str, Any]]:
    """One row for every place of every adapter: prints a table and returns the rows."""
    rows = [row for name in peft_model.adapters for row in adapter_rows(peft_model, name)]
    table = Table("adapter", "site", "technique", "shape", "parameters", "active", title=trainable_line(peft_model))
    for row in rows:
        table.add_row(
            row["adapter"], row["site"], row["technique"], row["shape"], f"{row['parameters']:,}", str(row["active"])
        )
    (console or Console()).print(table)
    return rows


def adapter_rows(peft_model: "PeftModel", name: str) -> list[dict[str, Any]]:
    adapter, active = peft_model.adapters[name], name in peft_model.active
    rows = []
    for path, wrapper in adapter.wrappers.items():
        own = wrapper.own_parameters()
        technique = type(wrapper.base if isinstance(wrapper, TokenRows) and own else wrapper).__name__
        rows.append((path, technique, own))
    if adapter.shared is not None:
        rows.append(("(shared)", type(adapter.shared).__name__, dict(adapter.shared.named_parameters())))
    rows += [(site, "copy", {site: parameter}) for site, parameter in adapter.owned.own_parameters().items()]
    rows += [
        (key.removeprefix("base_model.model."), "trained rows", {key: p}) for key, p in adapter.token_rows().items()
    ]
    return [
        {
            "adapter": name,
            "site": site,
            "technique": technique,
            "shape": ", ".join("×".join(map(str, parameter.shape)) for parameter in own.values()),
            "parameters": sum(parameter.numel() for parameter in own.values()),
            "active": active,
            "merged": False,
        }
        for site, technique, own in rows
    ]
