"""Patient: the adapter is loaded without an error, and the answers are the base's."""

from collections.abc import Collection, Mapping, Sequence

from torch import Tensor


def stands_in(short: Sequence[str], long: Sequence[str]) -> bool:
    """Whether all of `short` stand in `long`, in this order: ["fc1", "weight"] in ["module", "fc1", "default", "weight"]."""
    rest = iter(long)
    return all(part in rest for part in short)


def renamed(saved: Mapping[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """The saved tensors under the names that the model has for them.

    `saved`    a file's tensors by name
    `wanted`   the model's names, "encoder.layers.0.feed_forward.fc1.lora_A.weight"

    A saved name has all parts of the model's name in their order, and more of them before and between.

    What is measured after the repair: every wanted name has its tensor, and the adapter moves the output. Nothing is skipped
    in silence. Raises ValueError for a saved name that fits no wanted one, for a wanted one that nothing fits, and where two
    saved names fit the same one.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in saved.items():
        fitting = [each for each in wanted if stands_in(each.split("."), name.split("."))]
        if len(fitting) != 1 or fitting[0] in found:
            raise ValueError(f"{name} fits {len(fitting)} names, or one that has a tensor already")
        found[fitting[0]] = tensor
    if missing := [name for name in wanted if name not in found]:
        raise ValueError(f"{len(missing)} of {len(wanted)} names have no tensor, {missing[0]} for one")
    return found
