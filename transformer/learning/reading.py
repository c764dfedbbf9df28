"""Reading what others may have written: JSON that holds what it should, a folder where a folder is wanted."""

import json
from pathlib import Path
from typing import Any

LARGEST_JSON = 2**26  # bytes


def parse_json(text: bytes | str, what: str, way_out: str) -> Any:
    """What the text holds. Raises ValueError, naming `what` it is and the way out, for text that is no JSON."""
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8")
        return json.loads(decoded, parse_constant=refuse_constant)
    except RecursionError as error:
        raise ValueError(f"{what} is nested too deeply to be read") from error
    except ValueError as error:
        raise ValueError(f"{what} is not valid JSON ({error}); {way_out}") from error


def refuse_constant(name: str) -> float:
    """Python writes and reads NaN and Infinity, which are not in JSON: a setting or a result that is none."""
    raise ValueError(f"{name} is no number in JSON")


def as_object(value: Any, what: str) -> dict[str, Any]:
    """The value itself. Raises ValueError, naming it, where it is none of JSON's objects."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} must hold an object, not a {type(value).__name__}")
    return value


def require_folder(path: str | Path) -> Path:
    """Makes the folder if it is not there. Raises ValueError where a file has its name, or that of a folder above it."""
    path = Path(path)
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise ValueError(f"{place} is a file, and a folder is wanted: name another one")
    path.mkdir(parents=True, exist_ok=True)
    return path
