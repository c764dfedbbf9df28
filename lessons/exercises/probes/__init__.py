"""Probes: one function for each exercise, from a seed to named tensors.

The same function runs twice: beside the student's file, and beside the real code in a process that the student's file
cannot see. The seed is drawn after the file is loaded. Whoever wants to be right on it has to compute.

`draw` and `models` make what is random; the other files hold the probes of a topic each, in any order.
"""

import importlib
from collections.abc import Callable

from torch import Tensor

Probe = Callable[[int], dict[str, Tensor]]


def load_probe(name: str) -> Probe:
    """The function at "topic.exercise", of the packages that the present process sees."""
    topic, _, function = name.partition(".")
    return getattr(importlib.import_module(f"{__name__}.{topic}"), function)
