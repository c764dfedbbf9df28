"""The packages that the course stands on, and what to say where one of them is missing."""

PACKAGES = ("numpy", "torch", "einops", "matplotlib", "jaxtyping", "safetensors", "rich", "pytest")


def way_out(error: ImportError) -> str:
    """What to do about this failed import, for the end of its line: nothing is said where it is none of the packages."""
    if (error.name or "").partition(".")[0] not in PACKAGES:
        return ""
    return ": this Python has not the course's packages; `make install` once, then `. .venv/bin/activate`"
