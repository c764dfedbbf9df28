"""What must be refused: the type of the error counts, and never its words."""

import dataclasses
from collections.abc import Callable
from typing import Any

from lessons.exercises.diagnosis.calls import named_arguments
from lessons.exercises.diagnosis.values import value_text


def assert_refused(
    function: Callable[..., Any],
    *given: Any,
    kinds: type[Exception] | tuple[type[Exception], ...] = ValueError,
    **named: Any,
) -> None:
    """Raises AssertionError, with the call, unless the call raises an error of one of these types."""
    __tracebackhide__ = True
    wanted = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
    try:
        result = function(*given, **named)
    except kinds:
        return
    except NotImplementedError:
        raise
    except Exception as error:
        raise AssertionError(
            f"refused: {text(function, given, named)} must raise {wanted}; it raises {type(error).__name__}: {error}"
        ) from error
    raise AssertionError(f"refused: {text(function, given, named)} must raise {wanted}; it gives {value_text(result)}")


def text(function: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]) -> str:
    """The call in a line, with the names of its arguments: causal_mask(length=0)."""
    arguments = ", ".join(
        f"{name}={value_text(value)}" for name, value in named_arguments(function, given, named).items()
    )
    owner = getattr(function, "__self__", None)
    if dataclasses.is_dataclass(owner):
        return f"{value_text(owner)}.{function.__name__}({arguments})"
    name = getattr(function, "__qualname__", type(function).__name__).rpartition("<locals>.")[2]
    return f"{name}({arguments})"
