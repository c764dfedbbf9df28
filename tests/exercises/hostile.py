"""Files that try to pass without solving the exercise `layer_norm`.

Each is the module without its solution, with `first` before everything else and `body` in the solution's place.
"""

import textwrap

from lessons.exercises.catalogue import get
from lessons.exercises.stub import live_source, stub_of

EXERCISE = get("layer_norm")
PLACEHOLDER = 'raise NotImplementedError("LayerNorm.forward is not written yet")'


def hostile(body: str = "return x", first: str = "", last: str = "") -> str:
    cut = stub_of(EXERCISE)
    written = textwrap.indent(textwrap.dedent(body).strip(), " " * 8).strip()
    return f"{textwrap.dedent(first)}\n{cut.replace(PLACEHOLDER, written)}\n{textwrap.dedent(last)}\n"


def solution() -> str:
    return live_source(EXERCISE)
