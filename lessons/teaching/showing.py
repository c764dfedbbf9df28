"""Where a lesson runs, and how it shows something there: a notebook takes rich output, a terminal takes text."""

import os
import sys
from collections.abc import Mapping
from typing import Any


def quick() -> bool:
    """True when FT_QUICK is 1: a lesson then takes fewer words and steps, only to show that it runs."""
    return os.environ.get("FT_QUICK") == "1"


def in_notebook() -> bool:
    """True in a kernel. IPython is not imported for it: who has not installed the notebooks has none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")


def show(text: str, rich: str = "", kind: str = "text/markdown", metadata: Mapping[str, Any] | None = None) -> None:
    """Shows `rich` (of this MIME type, the text itself if it is empty) in a notebook, and prints `text` elsewhere."""
    if not in_notebook():
        print(text)
        return
    from IPython.display import display

    display({kind: rich or text, "text/plain": text}, raw=True, metadata=metadata)
