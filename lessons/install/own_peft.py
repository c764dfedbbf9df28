"""Which `peft` is this? Hugging Face PEFT has the same import name, and only one of the two can be imported."""

from importlib import util
from pathlib import Path

MARK = "FINETUNE_BY_HAND"


def find_peft() -> Path | None:
    """The file that `import peft` runs in this process; None where there is none."""
    found = util.find_spec("peft")
    return Path(found.origin) if found and found.origin else None


def require_own_peft() -> None:
    """Raises ImportError, with the way out, when `import peft` would not give the hand-written one.

    The file is read and not run: Hugging Face PEFT takes seconds to import, and may fail on the way.
    """
    file, root = find_peft(), Path(__file__).resolve().parent.parent.parent
    if file is None:
        raise ImportError(f"there is no `peft` to import; this project's own lies in {root}: run from there")
    if MARK not in file.read_text(encoding="utf-8"):
        raise ImportError(
            f"`import peft` finds {file}, which is not this project's hand-written peft. Run from {root}, so that it "
            "comes first on the path, or in an environment without Hugging Face PEFT: "
            "python -m venv .venv && .venv/bin/pip install -e ."
        )
